/* SPDX-License-Identifier: MIT */
/* What an idle connection costs, and that records are used again.  Method: many idle keep-alive
 * connections to one server in this process; the client's buffers are freed before measuring. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "serve/conn.h"

enum {
    MANY = 1000,
    BYTES_EACH_MAX = 1024
};

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

static void open_many(struct client *clients, int count, struct serving *serving)
{
    struct answer answer = { 0 };
    for (int i = 0; i < count; i++) {
        client_open(&clients[i], serving);
        client_ask(&clients[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
        free(clients[i].data);
        clients[i].data = NULL;
        clients[i].cap = 0;
    }
    answer_free(&answer);
}

static void close_many(struct client *clients, int count, struct serving *serving)
{
    for (int i = 0; i < count; i++)
        client_close(&clients[i]);
    serving_await(serving, stats.connections == 0);
}

static void an_idle_connection_is_small_and_its_record_comes_back(void **state)
{
    (void)state;
    static struct client clients[MANY];
    struct serving serving;
    const struct rlimit descriptors = { .rlim_cur = 4096, .rlim_max = 4096 };
    if (setrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
        printf("SKIP: needs 4096 descriptors\n");
        skip();
    }
    serving_start(&serving, NULL, routes);
    open_many(clients, 20, &serving); /* start-up costs are paid */
    const int64_t before = serving_resident();
    open_many(clients + 20, MANY - 20, &serving);
    serving_await(&serving, stats.idle_connections == MANY);
    const int64_t each = (serving_resident() - before) / (MANY - 20);
    assert_true(!serving_resident_counts() || each <= BYTES_EACH_MAX);
    const uint32_t made = wi_conn_made();
    assert_true(made >= MANY);
    close_many(clients, MANY, &serving);
    open_many(clients, MANY, &serving);
    assert_true(wi_conn_made() <= made + 1);
    close_many(clients, MANY, &serving);
    serving_stop(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_is_small_and_its_record_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
