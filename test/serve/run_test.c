/* SPDX-License-Identifier: MIT */
/* The task of a request: pipelined requests share tasks up to a bound, each with a deadline of its
 * own; a failing handler in the middle of a row harms nobody. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MANY = 200
};

static int tells(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "%llu %lld", (unsigned long long)weir_task_id(),
                           (long long)(weir_deadline() - weir_now()));
}

static int fails(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)reply;
    (void)user;
    return WEIR_EPERM;
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "GET", "/tell", tells, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/fail", fails, NULL, NULL), 0);
    const struct weir_route_opts longer = { .size = sizeof(longer),
                                            .deadline_ns = 3600 * WEIR_NS_PER_S };
    assert_int_equal(weir_server_route(server, "GET", "/long", tells, NULL, &longer), 0);
    const struct weir_route_opts none = { .size = sizeof(none), .deadline_ns = -1 };
    assert_int_equal(weir_server_route(server, "GET", "/endless", tells, NULL, &none), 0);
}

static int set_up(void **state)
{
    static struct serving serving;
    serving_start(&serving, NULL, routes);
    *state = &serving;
    return 0;
}

static int tear_down(void **state)
{
    serving_stop(*state);
    return 0;
}

static void a_row_of_requests_has_few_tasks_and_own_deadlines(void **state)
{
    static const char *const paths[] = { "/tell", "/long", "/endless", "/fail" };
    struct client client;
    struct answer answer = { 0 };
    char *text = malloc(MANY * 64);
    size_t len = 0;
    for (int i = 0; i < MANY; i++)
        len += (size_t)sprintf(text + len, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i % 4]);
    client_open(&client, *state);
    client_send_bytes(&client, text, len);
    unsigned long long last = 0;
    int tasks = 0;
    for (int i = 0; i < MANY; i++) {
        client_answer(&client, &answer, false);
        if (i % 4 == 3) {
            assert_int_equal(answer.status, 500);
            continue;
        }
        unsigned long long task = 0;
        long long left = 0;
        assert_int_equal(sscanf(answer.body, "%llu %lld", &task, &left), 2);
        if (i % 4 == 0)
            assert_in_range(left, 10 * WEIR_NS_PER_S, 30 * WEIR_NS_PER_S);
        else if (i % 4 == 1)
            assert_in_range(left, 3000 * WEIR_NS_PER_S, 3600 * WEIR_NS_PER_S);
        else
            assert_true(left > 1000000 * WEIR_NS_PER_S);
        tasks += task != last;
        last = task;
    }
    assert_in_range(tasks, MANY / 32, MANY / 2);
    free(text);
    answer_free(&answer);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_requests_has_few_tasks_and_own_deadlines),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
