/* SPDX-License-Identifier: MIT */
/* Making requests.  See request.h.
 *
 * Threads: any. */

#include "drive/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/chars.h"
#include "http/head.h"
#include "http/uri.h"
#include "http/write.h"

/* -- the place -------------------------------------------------------------------------------- */

/* What an URL comes to; the pointers go into its text. */
struct place {
    const char *host; /* for the Host field */
    size_t host_len;
    const char *path;
};

static int place_of_unix(struct target *target, const char *url, struct place *place,
                         const char **why)
{
    const char *socket = url + strlen("unix:");
    const char *colon = strstr(socket, ":/");
    const size_t len = colon == NULL ? strlen(socket) : (size_t)(colon - socket);
    if (len == 0 || len + sizeof "unix:" > sizeof target->address) {
        *why = "unix: wants a path of a socket, as in unix:/run/app.sock:/hello";
        return WEIR_EINVAL;
    }
    snprintf(target->address, sizeof target->address, "unix:%.*s", (int)len, socket);
    *place = (struct place){ .host = "localhost",
                             .host_len = 9,
                             .path = colon == NULL ? "/" : colon + 1 };
    return 0;
}

static int place_of_http(struct target *target, const char *url, struct place *place,
                         const char **why)
{
    struct wi_http_url parts;
    *why = "not an URL of the form http://HOST[:PORT]/PATH or unix:SOCKET:/PATH";
    if (wi_http_url_parse(url, strlen(url), &parts) < 0)
        return WEIR_EINVAL;
    if (parts.https) {
        *why = "https is not in this version; measure behind the proxy that ends TLS";
        return WEIR_ENOTSUP;
    }
    const bool six = memchr(parts.host, ':', parts.host_len) != NULL;
    const int len = snprintf(target->address, sizeof target->address, six ? "[%.*s]:%d" : "%.*s:%d",
                             (int)parts.host_len, parts.host, parts.port);
    if (len < 0 || (size_t)len >= sizeof target->address)
        return WEIR_EINVAL;
    /* Path and query are one text in the URL, and the request wants them so. */
    *place = (struct place){ .host = parts.authority,
                             .host_len = parts.authority_len,
                             .path = parts.path_len > 0 ? parts.path : "" };
    if (parts.path_len > 0 || parts.query == NULL)
        return 0;
    *why = "a query wants a path before it: http://HOST/?QUERY";
    return WEIR_EINVAL;
}

/* -- fields ----------------------------------------------------------------------------------- */

static struct wi_http_out_field field_of(const char *text)
{
    const char *colon = strchr(text, ':');
    const char *value = colon + 1;
    value += strspn(value, " \t");
    size_t value_len = strlen(value);
    while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
        value_len--;
    return (struct wi_http_out_field){
        .name = text, .name_len = (size_t)(colon - text), .value = value, .value_len = value_len
    };
}

static bool is_named(const struct wi_http_out_field *field, const char *name)
{
    return field->name_len == strlen(name) && wi_http_same_text(field->name, name, field->name_len);
}

static bool frames_message(const struct wi_http_out_field *field)
{
    return is_named(field, "content-length") || is_named(field, "transfer-encoding") ||
           is_named(field, "connection");
}

static int wrong_field(char why[REQUEST_WHY_BYTES], const char *what)
{
    snprintf(why, REQUEST_WHY_BYTES, "%s", what);
    return WEIR_EINVAL;
}

int request_field_check(const char *text, char why[REQUEST_WHY_BYTES])
{
    if (strchr(text, ':') == NULL)
        return wrong_field(why, "a header is 'Name: value', and this one has no colon");
    const struct wi_http_out_field field = field_of(text);
    if (field.name_len == 0 || field.name_len > 100 ||
        !wi_http_all_of(field.name, field.name_len, WI_HTTP_TOKEN))
        return wrong_field(why, "the name of a header is letters, digits and -, and no white space "
                                "stands before its colon");
    const int len = (int)field.name_len;
    if (!wi_http_all_of(field.value, field.value_len, WI_HTTP_VALUE)) {
        snprintf(why, REQUEST_WHY_BYTES,
                 "the value of %.*s has a line break or another control character", len, text);
        return WEIR_EINVAL;
    }
    if (frames_message(&field)) {
        snprintf(why, REQUEST_WHY_BYTES,
                 "%.*s is written by weir load itself, as body and --close want it", len, text);
        return WEIR_EINVAL;
    }
    struct wi_http_authority authority;
    if (is_named(&field, "host") &&
        wi_http_authority_parse(field.value, field.value_len, &authority) < 0)
        return wrong_field(why, "the value of Host is no HOST[:PORT]");
    return 0;
}

/* Gives the head its fields: the user's, User-Agent unless the user has one, the deadline last.
 * A Host of the user replaces that of the URL. */
static void add_fields(struct wi_http_request_out *head, struct wi_http_out_field *fields,
                       const struct request_opts *opts)
{
    bool agent = false;
    for (int i = 0; i < opts->field_count; i++) {
        const struct wi_http_out_field field = field_of(opts->fields[i]);
        if (is_named(&field, "host")) {
            head->host = field.value;
            head->host_len = field.value_len;
            continue;
        }
        agent = agent || is_named(&field, "user-agent");
        fields[head->field_count++] = field;
    }
    if (!agent)
        fields[head->field_count++] =
            (struct wi_http_out_field){ "User-Agent", 10, "weir-load", 9, false };
    if (opts->deadline_name != NULL)
        fields[head->field_count++] =
            (struct wi_http_out_field){ opts->deadline_name, strlen(opts->deadline_name),
                                        "         0", DEADLINE_DIGITS, true };
}

/* -- the request ------------------------------------------------------------------------------ */

/* The writer of the codec checks method, target and host: nothing that a shell can pass makes
 * another request of this one. */
static int write_request(struct target *target, const struct place *place,
                         const struct request_opts *opts, const char **why)
{
    struct wi_http_out_field fields[FIELDS_MAX + 2];
    struct wi_http_request_out head = {
        .method = opts->method,
        .target = place->path,
        .target_len = strlen(place->path),
        .host = place->host,
        .host_len = place->host_len,
        .fields = fields,
        .content_length = opts->body_bytes,
        .body = opts->body_bytes > 0 ? WI_HTTP_BODY_LENGTH : WI_HTTP_BODY_NONE,
        .connection = opts->close_each ? WI_HTTP_OUT_CLOSE : WI_HTTP_OUT_KEEP,
    };
    add_fields(&head, fields, opts);

    char bytes[WRITE_FIRST_BYTES_MAX];
    const int written = wi_http_request_write(bytes, sizeof bytes, &head);
    *why = written == WEIR_ENOSPC ? "URL and headers are longer than 16384 bytes"
                                  : "the method or the path is not one that a request may have";
    if (written < 0)
        return written;

    const bool small = opts->body_bytes <= WRITE_FIRST_BYTES_MAX - (size_t)written;
    target->request_bytes = (size_t)written + (small ? opts->body_bytes : 0);
    *why = "the request does not fit into memory";
    target->request = malloc(target->request_bytes);
    if (target->request == NULL)
        return WEIR_ENOMEM;
    memcpy(target->request, bytes, (size_t)written);
    if (small && opts->body_bytes > 0)
        memcpy(target->request + written, opts->body, opts->body_bytes);
    target->rest = opts->body;
    target->rest_bytes = small ? 0 : opts->body_bytes;
    /* The deadline is the last field: its value, CR LF, CR LF end the head. */
    if (opts->deadline_name != NULL)
        target->deadline_at = (size_t)written - 4 - DEADLINE_DIGITS;
    return 0;
}

int target_init(struct target *target, const char *url, const struct request_opts *opts,
                const char **why)
{
    *target = (struct target){
        .url = url,
        .weight = 1,
        .to_head = strcmp(opts->method, "HEAD") == 0,
        .close_each = opts->close_each,
    };
    struct place place;
    const int rc = strncmp(url, "unix:", 5) == 0 ? place_of_unix(target, url, &place, why)
                                                 : place_of_http(target, url, &place, why);
    return rc < 0 ? rc : write_request(target, &place, opts, why);
}

void target_fini(struct target *target)
{
    free(target->request);
    target->request = NULL;
}
