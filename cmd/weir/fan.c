/* SPDX-License-Identifier: MIT */
/* GET /fan?n=N: N calls of the backend at once, each a task, with the client as it is by default.
 * What the answer says: 200 if all were answered 200; else 503, so that whoever measures sees what
 * the backend's trouble costs.
 *
 * Threads: handlers; the client is shared and guards itself. */
#include "fan.h"

#include <inttypes.h>
#include <stdio.h>

#include "weir/client.h"
#include "weir/gather.h"
#include "weir/serve.h"

enum {
    FAN_DEFAULT = 4,
    FAN_MAX = 64,
    BODY_BYTES_MAX = 65536
};

/* Constant after fan_start(). */
static struct {
    weir_client *client;
    const char *backend;
} fan;

/* One call: 0 if it was answered 200, whole. */
static int call_backend(void *unused)
{
    (void)unused;
    weir_response *response;
    int rc = weir_client_get(fan.client, &response, fan.backend, WEIR_NO_DEADLINE);
    if (rc < 0)
        return rc;
    const char *text;
    rc = weir_response_body(response, &text, NULL, BODY_BYTES_MAX, WEIR_NO_DEADLINE);
    if (rc == 0 && weir_response_status(response) != 200)
        rc = WEIR_EPROTO;
    weir_response_close(response);
    return rc;
}

static int fan_out(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int error = 0;
    const int64_t count = weir_request_query_int(request, "n", FAN_DEFAULT, &error);
    if (error != 0 || count < 1 || count > FAN_MAX)
        return weir_reply_text(reply, 400, "n must be a whole number from 1 to %d\n", FAN_MAX);
    struct weir_call calls[FAN_MAX];
    for (int64_t i = 0; i < count; i++)
        calls[i] = (struct weir_call){ .fn = call_backend };
    const struct weir_gather_opts opts = { .size = sizeof opts, .keep_going = true };
    const int rc = weir_gather(calls, (size_t)count, &opts, WEIR_NO_DEADLINE);
    if (rc < 0)
        return rc;
    int64_t answered = 0;
    for (int64_t i = 0; i < count; i++)
        answered += calls[i].result == 0;
    return weir_reply_text(reply, answered == count ? 200 : 503,
                           "%" PRId64 " of %" PRId64 " answered\n", answered, count);
}

static int fan_numbers(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    struct weir_client_stats s = { .size = sizeof s };
    weir_client_stats_read(fan.client, &s);
    return weir_reply_text(reply, 200,
                           "calls %" PRId64 "\nattempts %" PRId64 "\nretries %" PRId64
                           "\noverload %" PRId64 "\nshed_throttle %" PRId64 "\nshed_limit %" PRId64
                           "\ndenied_budget %" PRId64 "\nconnects %" PRId64 "\nrunning %" PRId64
                           "\n",
                           s.calls, s.attempts, s.retries, s.overload, s.shed_throttle,
                           s.shed_limit, s.denied_budget, s.connects, s.running);
}

int fan_start(weir_app *app, const char *backend)
{
    fan.backend = backend;
    int rc = weir_client_create(&fan.client, NULL);
    if (rc >= 0)
        rc = weir_app_route(app, "GET", "/fan", fan_out, NULL);
    if (rc >= 0)
        rc = weir_app_route(app, "GET", "/fan/numbers", fan_numbers, NULL);
    return rc;
}

void fan_stop(void)
{
    if (fan.client != NULL)
        weir_client_destroy(fan.client);
    fan.client = NULL;
}
