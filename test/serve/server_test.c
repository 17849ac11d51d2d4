/* SPDX-License-Identifier: MIT */
/* A server's life without traffic: options, routes, listeners, numbers, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "serve/server.h"
#include "weir/weir.h"

#include <sys/resource.h>
#include <unistd.h>

static int handler(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)reply;
    (void)user;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return weir_open(NULL);
}

static int tear_down(void **state)
{
    (void)state;
    return weir_close(weir_in_ms(10000));
}

static void of_few_descriptors_half_are_for_connections(void **state)
{
    (void)state;
    struct rlimit limit;
    weir_server *server = NULL;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit few = { .rlim_cur = 60, .rlim_max = limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(weir_server_create(&server, NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(server->opts.connections_max, 30);
    weir_server_destroy(server);
}

static void zeros_are_defaults_and_negatives_no_limit(void **state)
{
    (void)state;
    weir_server *server = NULL;
    assert_int_equal(weir_server_create(&server, NULL), 0);
    assert_int_equal(server->opts.running_max, 10000);
    assert_int_equal(server->opts.waiting_max, 1024);
    assert_int_equal(server->opts.waiting_age_max_ns, WEIR_NS_PER_S);
    assert_int_equal(server->opts.idle_ns_max, 60 * WEIR_NS_PER_S);
    assert_int_equal(server->limits.head_bytes_max, 16 * 1024);
    assert_true(server->opts.connections_max >= 1);
    weir_server_destroy(server);

    const struct weir_server_opts none = {
        .running_max = -1, .waiting_max = -1, .idle_ns_max = -1, .head_bytes_max = 1 << 30
    };
    assert_int_equal(weir_server_create(&server, &none), 0);
    assert_true(server->opts.running_max == INT64_MAX);
    assert_int_equal(server->opts.waiting_max, 0);
    assert_int_equal(server->opts.idle_ns_max, -1);
    assert_int_equal(server->limits.head_bytes_max, WI_HTTP_HEAD_BYTES_MAX);
    assert_true(server->edge_bytes >= server->limits.head_bytes_max);
    weir_server_destroy(server);
    const struct weir_server_opts wrong = { .backlog = -1 };
    assert_int_equal(weir_server_create(&server, &wrong), WEIR_EINVAL);
}

static void an_older_callers_options_are_shorter(void **state)
{
    (void)state;
    weir_server *server = NULL;
    struct weir_server_opts opts = { .size = offsetof(struct weir_server_opts, waiting_max),
                                     .running_max = 3,
                                     .waiting_max = 99 };
    assert_int_equal(weir_server_create(&server, &opts), 0);
    assert_int_equal(server->opts.running_max, 3);
    assert_int_equal(server->opts.waiting_max, 1024);
    weir_server_destroy(server);
}

static void routes_are_checked_copied_and_many(void **state)
{
    (void)state;
    weir_server *server = NULL;
    char pattern[64] = "/a/:b";
    assert_int_equal(weir_server_create(&server, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", pattern, handler, NULL, NULL), 0);
    memset(pattern, 'x', 5);
    assert_int_equal(weir_server_route(server, "GET", "/a/:c", handler, NULL, NULL), WEIR_EEXIST);
    assert_int_equal(weir_server_route(server, NULL, "/a/:c", handler, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "a", handler, NULL, NULL), WEIR_EINVAL);
    assert_int_equal(weir_server_route(server, "get", "/b", handler, NULL, NULL), WEIR_EINVAL);
    for (int i = 0; i < 500; i++) {
        snprintf(pattern, sizeof(pattern), "/many/%d/:x/y", i);
        assert_int_equal(weir_server_route(server, "PUT", pattern, handler, NULL, NULL), 0);
    }
    struct wi_http_match match;
    assert_int_equal(
        wi_http_router_match(&server->router, WI_HTTP_PUT, "/many/499/q/y", 13, &match), 200);
    assert_int_equal(wi_http_router_match(&server->router, WI_HTTP_GET, "/a/1", 4, &match), 200);
    const struct wi_route *route = match.route->user;
    assert_string_equal(route->pattern, "/a/:b");
    assert_int_equal(weir_server_start(server), 0);
    assert_int_equal(weir_server_route(server, "GET", "/late", handler, NULL, NULL), WEIR_EALREADY);
    assert_int_equal(weir_server_start(server), WEIR_EALREADY);
    assert_int_equal(weir_server_drain(server, weir_in_ms(10000)), 0);
    weir_server_destroy(server);
}

static void listeners_have_addresses(void **state)
{
    (void)state;
    weir_server *server = NULL;
    char text[128], small[4];
    assert_int_equal(weir_server_create(&server, NULL), 0);
    assert_int_equal(weir_server_listen(server, "nonsense"), WEIR_EINVAL);
    assert_int_equal(weir_server_address(server, 0, text, sizeof(text)), WEIR_ENOENT);
    assert_int_equal(weir_server_listen(server, "127.0.0.1:0"), 0);
    assert_int_equal(weir_server_address(server, 0, text, sizeof(text)), 0);
    assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
    assert_int_equal(weir_server_address(server, 0, small, sizeof(small)), WEIR_EMSGSIZE);
    assert_int_equal(weir_server_listen(server, text), WEIR_EADDRINUSE);
    assert_int_equal(weir_server_adopt(server, -1), WEIR_EBADF);
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(weir_server_adopt(server, pipe_fds[0]), WEIR_EBADF);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    weir_server_destroy(server);
    /* The port is free again. */
    assert_int_equal(weir_server_create(&server, NULL), 0);
    assert_int_equal(weir_server_listen(server, text), 0);
    weir_server_destroy(server);
}

static void numbers_are_summed_over_rows_and_cut_to_size(void **state)
{
    (void)state;
    static struct wi_server_counters counters;
    for (int i = 0; i < WI_COUNTER_SHARDS; i++) {
        (void)wi_add_relaxed(&counters.rows[i][WI_COUNT_REQUESTS], i + 1);
        wi_count_reply(counters.rows[i], 200);
        wi_count_reply(counters.rows[i], 503);
        wi_count_reply(counters.rows[i], 100);
    }
    wi_store_relaxed(&counters.connections, 5);
    wi_store_relaxed(&counters.running, 2);
    struct weir_server_stats stats = { .size = sizeof(stats) };
    wi_server_counters_read(&counters, &stats);
    assert_int_equal(stats.requests, 36);
    assert_int_equal(stats.replied_2xx, 8);
    assert_int_equal(stats.replied_5xx, 8);
    assert_int_equal(stats.idle_connections, 3);
    struct weir_server_stats old = { .size = offsetof(struct weir_server_stats, requests),
                                     .requests = -7 };
    wi_server_counters_read(&counters, &old);
    assert_int_equal(old.connections, 5);
    assert_int_equal(old.requests, -7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_are_defaults_and_negatives_no_limit),
        cmocka_unit_test(of_few_descriptors_half_are_for_connections),
        cmocka_unit_test(an_older_callers_options_are_shorter),
        cmocka_unit_test(routes_are_checked_copied_and_many),
        cmocka_unit_test(listeners_have_addresses),
        cmocka_unit_test(numbers_are_summed_over_rows_and_cut_to_size),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
