/* SPDX-License-Identifier: MIT */
/* A service whose answer to any request is what it understood of it, for http_differential.py: one
 * line each for method, target, a few fields and the body, all but the words in hexadecimal.
 * mirror.js writes the same of what Node's parser understood. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "weir/weir.h"

enum {
    BODY_MAX = 64 << 10 /* of a body, and of what a server here takes */
};

/* The fields that requests of the test carry; the same list stands in mirror.js. */
static const char *const names[] = { "Host", "X-One", "X-Two", "Content-Type", "Connection" };

static int put(weir_reply *reply, const char *word, const char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    char line[2 * 1024];
    int rc = weir_reply_write(reply, word, strlen(word));
    while (rc == 0 && count > 0) {
        const size_t now = count < sizeof(line) / 2 ? count : sizeof(line) / 2;
        for (size_t i = 0; i < now; i++) {
            line[2 * i] = digits[(uint8_t)bytes[i] >> 4];
            line[2 * i + 1] = digits[(uint8_t)bytes[i] & 15];
        }
        rc = weir_reply_write(reply, line, 2 * now);
        bytes += now;
        count -= now;
    }
    return rc != 0 ? rc : weir_reply_write(reply, "\n", 1);
}

static int put_text(weir_reply *reply, const char *word, const char *text)
{
    return text == NULL ? 0 : put(reply, word, text, strlen(text));
}

static int tell(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    /* All of the body first: one that is bad is refused by the status. */
    char *body = weir_request_alloc(request, BODY_MAX);
    size_t have = 0;
    int got = 0;
    if (body == NULL)
        return WEIR_ENOMEM;
    while (have < BODY_MAX &&
           (got = weir_request_read(request, body + have, BODY_MAX - have, WEIR_NO_DEADLINE)) > 0)
        have += (size_t)got;
    if (got < 0)
        return got;
    int rc = weir_reply_header(reply, "X-Mirror", "1");
    if (rc == 0)
        rc = weir_reply_begin(reply, 200, "text/plain", -1);
    if (rc == 0)
        rc = put_text(reply, "method ", weir_request_method(request));
    if (rc == 0)
        rc = put_text(reply, "target ", weir_request_target(request));
    for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        char word[64];
        (void)snprintf(word, sizeof(word), "%s ", names[i]);
        rc = put_text(reply, word, weir_request_header(request, names[i]));
    }
    return rc != 0 ? rc : put(reply, "body ", body, have);
}

static int start(weir_app *app)
{
    return weir_app_route(app, NULL, "/*rest", tell, NULL);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv,
                     &(struct weir_app_spec){ .name = "mirror",
                                              .state = WEIR_STATE_NONE,
                                              .server = { .body_bytes_max = BODY_MAX },
                                              .start = start });
}
