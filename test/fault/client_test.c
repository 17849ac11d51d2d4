/* SPDX-License-Identifier: MIT */
/* The HTTP client while the n-th system call fails, for every n and every scheduler: an answer or
 * an orderly code, nothing hangs, nothing is leaked, and what is said of the answer is true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fault/every.h"

enum {
    CALLS = 3,
    ACCEPT_ERRORS_MAX = 8
};

static const char said[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "5\r\nhello\r\n0\r\n\r\n";

/* Answers each head that it reads. */
static int answer(void *arg)
{
    weir_stream *stream = arg;
    char head[1024];
    size_t len = 0;
    int rc = 0;
    while (rc == 0) {
        const int got = weir_read(stream, head + len, sizeof(head) - 1 - len, WEIR_NO_DEADLINE);
        rc = got < 0 ? got : 0;
        len += got > 0 ? (size_t)got : 0;
        head[len] = '\0';
        if (rc != 0 || strstr(head, "\r\n\r\n") == NULL)
            continue;
        len = 0;
        rc = weir_write(stream, said, sizeof(said) - 1, NULL, WEIR_NO_DEADLINE);
    }
    CHECK(rc == WEIR_ECANCELED || every_orderly(rc));
    weir_stream_close(stream);
    return 0;
}

static int serve(void *arg)
{
    int errors = 0;
    for (;;) {
        weir_stream *stream;
        int rc = weir_accept(arg, &stream, WEIR_NO_DEADLINE);
        if (rc == WEIR_ECANCELED)
            return 0;
        if (rc != 0) {
            CHECK(every_orderly(rc));
            CHECK(++errors < ACCEPT_ERRORS_MAX);
            continue;
        }
        if (weir_go(answer, stream) != 0)
            weir_stream_close(stream);
    }
}

static int call(weir_client *client, const char *url)
{
    weir_response *response;
    const char *text = NULL;
    int rc = weir_client_get(client, &response, url, WEIR_NO_DEADLINE);
    if (rc != 0)
        return rc;
    CHECK_EQ(weir_response_status(response), 200);
    rc = weir_response_body(response, &text, NULL, 100, WEIR_NO_DEADLINE);
    CHECK(rc != 0 || strcmp(text, "hello") == 0);
    weir_response_close(response);
    return rc;
}

static int call_some(const char *address)
{
    weir_client *client;
    char url[256];
    snprintf(url, sizeof(url), "http://%s/", address);
    int rc = weir_client_create(&client, NULL);
    if (rc != 0)
        return rc;
    for (int i = 0; rc == 0 && i < CALLS; i++)
        rc = call(client, url);
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(client, &stats);
    CHECK_EQ(stats.running, 0);
    weir_client_destroy(client);
    return rc;
}

static int talk(void *arg)
{
    (void)arg;
    weir_listener *listener;
    weir_task *server;
    char address[128];
    int rc = weir_listen(&listener, "127.0.0.1:0", 0);
    if (rc != 0)
        return rc;
    rc = weir_listener_address(listener, address, sizeof(address));
    if (rc != 0)
        goto undo_listener;
    rc = weir_task_start(&server, serve, listener);
    if (rc != 0)
        goto undo_listener;
    rc = call_some(address);
    weir_task_cancel(server, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(server, NULL, WEIR_NO_DEADLINE), 0);

undo_listener:
    weir_listener_close(listener);
    return rc;
}

static bool open_talk_and_close(void *arg)
{
    int result = 0;
    if (weir_open(arg) != 0)
        return false;
    const int rc = weir_run(talk, NULL, &result);
    CHECK(rc == 0 || every_orderly(rc));
    CHECK(result == 0 || every_orderly(result));
    CHECK_EQ(weir_close(WEIR_NO_DEADLINE), 0);
    return rc == 0 && result == 0;
}

static void try_with(enum weir_scheduler scheduler)
{
    struct weir_opts opts = { .scheduler = scheduler };
    opts.workers = scheduler == WEIR_SCHEDULER_TASKS ? 2 : 0;
    every_call_fails(open_talk_and_close, &opts);
}

static void calls_survive_under_loop(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_LOOP);
}

static void calls_survive_under_tasks(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_TASKS);
}

static void calls_survive_under_threads(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_survive_under_loop),
        cmocka_unit_test(calls_survive_under_tasks),
        cmocka_unit_test(calls_survive_under_threads),
    };
    return cmocka_run_group_tests_name("fault/client", tests, NULL, NULL);
}
