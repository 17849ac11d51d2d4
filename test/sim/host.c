/* SPDX-License-Identifier: MIT */
/* See host.h. */
#include "sim/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t visit_number(const struct visit *visit, const char *name)
{
    const char *at = strstr(visit->text, name);
    return at != NULL ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* False at the end of the connection.  Nothing is behind a request: the client waits for the
 * answer. */
static bool read_request(struct visit *visit)
{
    visit->len = 0;
    for (;;) {
        const int got = weir_read(visit->stream, visit->text + visit->len,
                                  sizeof(visit->text) - 1 - visit->len, WEIR_NO_DEADLINE);
        if (got <= 0)
            return false;
        visit->len += (size_t)got;
        visit->text[visit->len] = '\0';
        const char *end = strstr(visit->text, "\r\n\r\n");
        if (end == NULL)
            continue;
        const size_t body = (size_t)visit_number(visit, "Content-Length: ");
        if (visit->len >= (size_t)(end + 4 - visit->text) + body)
            break;
    }
    visit->call = (int)visit_number(visit, "X-Call: ");
    CHECK(visit->call >= 0 && visit->call < HOST_CALLS_MAX);
    visit->host->requests++;
    visit->host->seen[visit->call]++;
    return true;
}

bool visit_say(struct visit *visit, const char *text)
{
    return weir_write(visit->stream, text, strlen(text), NULL, WEIR_NO_DEADLINE) == 0;
}

static int attend(void *arg)
{
    struct visit *visit = arg;
    while (read_request(visit) && visit->host->answer(visit)) {
    }
    if (visit->abort)
        weir_stream_abort(visit->stream);
    else
        weir_stream_close(visit->stream);
    free(visit);
    return 0;
}

/* The visits are of its scope, so they end with it. */
static int keep_door(void *arg)
{
    struct host *host = arg;
    weir_scope *scope;
    weir_stream *stream;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    while (weir_accept(host->listener, &stream, WEIR_NO_DEADLINE) == 0) {
        struct visit *visit = calloc(1, sizeof(*visit));
        CHECK(visit != NULL);
        visit->host = host;
        visit->stream = stream;
        CHECK_EQ(weir_go(attend, visit), 0);
    }
    weir_scope_cancel(scope, WEIR_ECANCELED);
    IGNORE(weir_scope_close(scope, WEIR_NO_DEADLINE));
    return 0;
}

void host_open(struct host *host, answer_fn *answer, void *user)
{
    char address[64];
    memset(host, 0, sizeof(*host));
    host->answer = answer;
    host->user = user;
    CHECK_EQ(weir_listen(&host->listener, "127.0.0.1:0", 0), 0);
    CHECK_EQ(weir_listener_address(host->listener, address, sizeof(address)), 0);
    (void)snprintf(host->base, sizeof(host->base), "http://%s", address);
    CHECK_EQ(weir_task_start(&host->door, keep_door, host), 0);
}

void host_close(struct host *host)
{
    weir_task_cancel(host->door, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(host->door, NULL, WEIR_NO_DEADLINE), 0);
    weir_listener_close(host->listener);
}
