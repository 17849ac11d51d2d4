/* SPDX-License-Identifier: MIT */
/* Out of descriptors: connections that exist are served, new ones wait and are accepted as soon as
 * a descriptor is free.  Method: the process's own limit is set so low that accept fails. */
#include "support/serving.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "hello\n");
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "GET", "/hello", hello, NULL, NULL), 0);
}

static void without_descriptors_the_server_keeps_what_it_has(void **state)
{
    (void)state;
    static const char ask[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    struct serving serving;
    struct client first, second;
    struct answer answer = { 0 };
    struct rlimit limit;
    const struct weir_server_opts opts = { .connections_max = 1000 };
    serving_start(&serving, &opts, routes);
    client_open(&first, &serving);
    client_ask(&first, ask, &answer);

    /* The next descriptor is the client's, the one after it the server's: that one fails. */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const int next = dup(0);
    assert_true(next >= 0);
    close(next);
    const struct rlimit low = { .rlim_cur = (rlim_t)next + 1, .rlim_max = limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    client_open(&second, &serving);
    client_send(&second, ask);
    serving_await(&serving, stats.accept_failures >= 1);
    client_ask(&first, ask, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(serving_stats(&serving).connections, 1);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    client_answer(&second, &answer, false);
    assert_int_equal(answer.status, 200);
    client_close(&first);
    client_close(&second);
    answer_free(&answer);
    serving_stop(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_descriptors_the_server_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
