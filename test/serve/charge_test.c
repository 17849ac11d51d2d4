/* SPDX-License-Identifier: MIT */
/* The server's gate: where it is, whom it refuses and how that is counted, what processes share.
 * The law itself is tried in test/load. */
#include "serve/charge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "os/socket.h"
#include "serve/request.h"
#include "task/runtime.h"
#include "weir/weir.h"

enum {
    FLOOD = 20000,
    ROUTE = 3
};

static weir_server *create(const struct weir_server_opts *opts, struct wi_charge_costs *costs)
{
    const struct wi_server_extra extra = { .costs = costs };
    weir_server *server = NULL;
    assert_int_equal(weir_open(NULL), 0);
    assert_int_equal(wi_server_create(&server, opts, &extra), 0);
    return server;
}

static void destroy(weir_server *server)
{
    weir_server_destroy(server);
    assert_int_equal(weir_close(weir_in_ms(10000)), 0);
}

static enum wi_verdict ask(weir_server *server, weir_time now, enum wi_gate_class class,
                           struct wi_gate_ticket *ticket)
{
    struct wi_gate_ask ask = { .now = now,
                               .arrived = wi_charge_arrived(&server->charge, -1, now),
                               .deadline = WEIR_NO_DEADLINE,
                               .route = ROUTE,
                               .class = class };
    static const struct wi_route route;
    return wi_admit(server, &route, &ask, ticket);
}

static struct weir_server_stats stats_of(weir_server *server)
{
    struct weir_server_stats stats = { .size = sizeof(stats) };
    weir_server_stats_read(server, &stats);
    return stats;
}

/* Asks until refused, all at one instant; how many were admitted. */
static int flood(weir_server *server, weir_time now, enum wi_gate_class class)
{
    struct wi_gate_ticket ticket;
    for (int admitted = 0; admitted < FLOOD; admitted++) {
        if (ask(server, now, class, &ticket) == WI_ADMIT_SHED)
            return admitted;
    }
    return FLOOD;
}

static void a_flood_is_refused_and_counted_by_class(void **state)
{
    (void)state;
    const struct weir_server_opts opts = { .running_max = -1 };
    weir_server *server = create(&opts, NULL);
    const weir_time now = weir_now();
    const int admitted = flood(server, now, WI_GATE_INTERACTIVE);
    assert_in_range(admitted, 1, FLOOD - 1);
    assert_int_equal(flood(server, now, WI_GATE_BATCH), 0);
    assert_int_equal(flood(server, now, WI_GATE_BATCH), 0);
    const struct weir_server_stats stats = stats_of(server);
    assert_int_equal(stats.shed_work, 1);
    assert_int_equal(stats.shed_work_batch, 2);
    assert_int_equal(stats.shed_running + stats.shed_waiting + stats.shed_slots, 0);
    wi_store_relaxed(&server->counters->running, 0);
    destroy(server);
}

static void without_admission_only_the_bounds_refuse(void **state)
{
    (void)state;
    const struct weir_server_opts opts = { .running_max = -1, .admission_off = true };
    weir_server *server = create(&opts, NULL);
    assert_int_equal(flood(server, weir_now(), WI_GATE_BATCH), FLOOD);
    wi_store_relaxed(&server->counters->running, 0);
    destroy(server);
}

/* Nobody is refused for want of a place while there is one, whatever those that run may cost. */
static void a_free_place_is_given(void **state)
{
    (void)state;
    const struct weir_server_opts opts = { .running_max = 4, .waiting_max = -1 };
    static struct wi_charge_costs costs;
    wi_store_relaxed(&costs.work_ns[ROUTE], 1000);
    wi_store_relaxed(&costs.held_ns[ROUTE], 60 * WEIR_NS_PER_S);
    weir_server *server = create(&opts, &costs);
    assert_int_equal(wi_charge_start(server), 0);
    assert_int_equal(flood(server, weir_now(), WI_GATE_INTERACTIVE), 4);
    const struct weir_server_stats stats = stats_of(server);
    assert_int_equal(stats.shed_slots + stats.shed_running, 1);
    for (int i = 0; i < 4; i++)
        wi_admit_end(server);
    destroy(server);
}

static void a_process_begins_with_what_others_know(void **state)
{
    (void)state;
    static struct wi_charge_costs costs;
    wi_store_relaxed(&costs.work_ns[ROUTE], 5 * WEIR_NS_PER_MS);
    wi_store_relaxed(&costs.held_ns[ROUTE], 7 * WEIR_NS_PER_MS);
    weir_server *server = create(NULL, &costs);
    assert_int_equal(wi_gate_route_cost(server->charge.gate, ROUTE), 0);
    assert_int_equal(wi_charge_start(server), 0);
    assert_int_equal(wi_gate_route_cost(server->charge.gate, ROUTE), 5 * WEIR_NS_PER_MS);
    assert_int_equal(wi_gate_route_cost(server->charge.gate, ROUTE + 1), 0);
    destroy(server);
}

static void what_is_learned_here_is_told_to_others(void **state)
{
    (void)state;
    static struct wi_charge_costs costs;
    weir_server *server = create(NULL, &costs);
    wi_gate_route_learn(server->charge.gate, ROUTE, WEIR_NS_PER_MS, 2 * WEIR_NS_PER_MS);
    weir_time now = weir_now();
    struct wi_gate_ticket ticket;
    for (int i = 0; i < 200 && wi_load_relaxed(&costs.work_ns[ROUTE]) == 0; i++) {
        now += 2 * WI_GATE_TICK_NS;
        if (ask(server, now, WI_GATE_INTERACTIVE, &ticket) != WI_ADMIT_SHED)
            wi_charge_drop(server, &ticket);
    }
    assert_int_equal(wi_load_relaxed(&costs.work_ns[ROUTE]), WEIR_NS_PER_MS);
    assert_int_equal(wi_load_relaxed(&costs.held_ns[ROUTE]), 2 * WEIR_NS_PER_MS);
    wi_store_relaxed(&server->counters->running, 0);
    destroy(server);
}

static enum wi_gate_class class_of(enum weir_admission admission, bool trusts, const char *field)
{
    struct wi_route route = { .opts = { .admission = admission, .trust_priority = trusts } };
    static struct wi_http_request request;
    struct wi_http_limits limits = { 0 };
    char buf[256];
    wi_http_limits_fill(&limits);
    const int len = snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", field);
    assert_int_equal(wi_http_request_parse(buf, (size_t)len, 0, &request, &limits), len);
    return wi_charge_class(&route, &request.head, buf);
}

static void a_client_may_lower_its_class_and_who_is_trusted_raise_it(void **state)
{
    (void)state;
    const enum weir_admission usual = WEIR_ADMIT_INTERACTIVE;
    assert_int_equal(class_of(usual, false, ""), WI_GATE_INTERACTIVE);
    assert_int_equal(class_of(usual, false, "Priority: u=4\r\n"), WI_GATE_INTERACTIVE);
    assert_int_equal(class_of(usual, false, "Priority: u=5\r\n"), WI_GATE_BATCH);
    assert_int_equal(class_of(usual, false, "X-Attempt: 2\r\n"), WI_GATE_BATCH);
    const enum weir_admission batch = WEIR_ADMIT_BATCH;
    assert_int_equal(class_of(batch, false, ""), WI_GATE_BATCH);
    assert_int_equal(class_of(batch, false, "Priority: u=0\r\n"), WI_GATE_BATCH);
    assert_int_equal(class_of(batch, true, "Priority: u=0\r\n"), WI_GATE_INTERACTIVE);
    assert_int_equal(class_of(batch, true, "Priority: u=3\r\n"), WI_GATE_BATCH);
    assert_int_equal(class_of(batch, true, "Priority: u=0\r\nX-Attempt: 1\r\n"), WI_GATE_BATCH);
    const enum weir_admission always = WEIR_ADMIT_ALWAYS;
    assert_int_equal(class_of(always, true, "Priority: u=7\r\n"), WI_GATE_CLASSES);
}

static void what_is_always_answered_is_not_asked_for(void **state)
{
    (void)state;
    weir_server *server = create(NULL, NULL);
    const weir_time now = weir_now();
    (void)flood(server, now, WI_GATE_INTERACTIVE);
    struct wi_gate_ticket ticket;
    assert_int_equal(ask(server, now, WI_GATE_INTERACTIVE, &ticket), WI_ADMIT_SHED);
    assert_int_equal(ask(server, now, WI_GATE_CLASSES, &ticket), WI_ADMIT_RUN);
    assert_int_equal(ticket.route, ROUTE);
    wi_store_relaxed(&server->counters->running, 0);
    destroy(server);
}

/* Waits for a connection of our own and for bytes on it that have been there for `age_ns`. */
static void await_old_bytes(int listener, int client, int *connection, int64_t age_ns)
{
    const weir_time until = weir_in_ms(10000);
    struct wi_addr peer;
    do {
        assert_true(weir_now() < until);
        *connection = wi_socket_accept(listener, &peer);
    } while (*connection == WEIR_EAGAIN);
    assert_true(*connection >= 0);
    int64_t put;
    while ((put = wi_socket_write(client, "GET", 3)) == WEIR_EAGAIN)
        assert_true(weir_now() < until);
    assert_int_equal(put, 3);
    while (wi_socket_data_age(*connection) < age_ns)
        assert_true(weir_now() < until);
}

/* Who came while the process stood still is judged as if it had not; who comes when it goes on, and
 * who comes when nobody had asked, as of now. */
static void a_stall_is_forgiven_to_who_waited_through_it(void **state)
{
    (void)state;
    weir_server *server = create(NULL, NULL);
    struct wi_addr address;
    const char *reason;
    assert_int_equal(wi_addr_parse("127.0.0.1:0", &address, &reason), 0);
    const int listener = wi_socket_listen(&address, 1);
    assert_true(listener >= 0);
    assert_int_equal(wi_socket_local(listener, &address), 0);
    bool pending;
    const int client = wi_socket_connect(&address, &pending);
    assert_true(client >= 0);
    int old;
    await_old_bytes(listener, client, &old, 20 * WEIR_NS_PER_MS);

    const weir_time before = weir_now();
    assert_int_equal(wi_charge_arrived(&server->charge, old, before), before);
    assert_int_equal(wi_charge_arrived(&server->charge, old, before + 6 * WEIR_NS_PER_MS),
                     before + 6 * WEIR_NS_PER_MS);
    const weir_time after = before + WEIR_NS_PER_S;
    const weir_time from = wi_charge_arrived(&server->charge, old, after);
    assert_in_range(from, after - WI_STALL_MAX_NS, after - WI_STALL_MIN_NS);
    assert_int_equal(wi_charge_arrived(&server->charge, -1, after), after);
    assert_int_equal(wi_charge_arrived(&server->charge, old, after + 1), from);
    wi_socket_close(old);
    wi_socket_close(client);
    wi_socket_close(listener);
    destroy(server);
}

/* What is shown is as of the last tick, and nothing once nobody has asked for a second. */
static void the_load_is_shown_while_there_is_one(void **state)
{
    (void)state;
    weir_server *server = create(NULL, NULL);
    assert_int_equal(stats_of(server).load_milli, 0);
    const weir_time now = weir_now();
    (void)flood(server, now, WI_GATE_INTERACTIVE);
    (void)flood(server, now + 2 * WI_GATE_TICK_NS, WI_GATE_INTERACTIVE);
    assert_true(stats_of(server).load_milli > 0);
    assert_true(stats_of(server).depth_ns > 0);
    assert_in_range(stats_of(server).capacity_milli, 1, 1000 * weir_cores());
    assert_int_equal(stats_of(server).slots_load_milli, 0); /* nothing bounds them */
    wi_store_relaxed(&server->counters->ticked_at, weir_now() - 2 * WEIR_NS_PER_S);
    assert_int_equal(stats_of(server).load_milli, 0);
    wi_store_relaxed(&server->counters->running, 0);
    destroy(server);
}

static int holds_its_thread(void *arg)
{
    const int *released = arg;
    while (__atomic_load_n(released, __ATOMIC_ACQUIRE) == 0)
        (void)usleep(1000);
    return 0;
}

static int handles(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)reply;
    (void)user;
    return 0;
}

static enum wi_verdict ask_route(weir_server *server, const struct wi_route *route, weir_time now)
{
    struct wi_gate_ask ask = { .now = now,
                               .arrived = wi_charge_arrived(&server->charge, -1, now),
                               .deadline = WEIR_NO_DEADLINE,
                               .route = route->index,
                               .class = route->class };
    struct wi_gate_ticket ticket;
    return wi_admit(server, route, &ask, &ticket);
}

/* The threads of the pool are held for good; beside them is all the room that others want. */
static void who_would_wait_long_for_a_thread_is_refused_and_nobody_else(void **state)
{
    (void)state;
    enum {
        THREADS = 2
    };
    const struct weir_route_opts blocking = { .size = sizeof(blocking), .blocking = true };
    const struct weir_opts opts = { .size = sizeof(opts), .threads_max = THREADS };
    static struct wi_charge_costs costs;
    const struct wi_server_extra extra = { .costs = &costs };
    weir_server *server = NULL;
    weir_task *tasks[THREADS];
    int released = 0;
    assert_int_equal(weir_open(&opts), 0);
    assert_int_equal(wi_server_create(&server, NULL, &extra), 0);
    assert_int_equal(weir_server_route(server, "GET", "/plain", handles, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/block", handles, NULL, &blocking), 0);
    assert_int_equal(wi_charge_start(server), 0);
    assert_string_equal(costs.names[1], "GET /block");
    assert_int_equal(wi_load_acquire(&costs.named), 2);
    const struct wi_route *plain = wi_container_of(server->routes.next, struct wi_route, node);
    const struct wi_route *blocks = wi_container_of(plain->node.next, struct wi_route, node);
    const weir_time now = weir_now();

    assert_int_equal(ask_route(server, blocks, now), WI_ADMIT_RUN);
    for (int i = 0; i < THREADS; i++) {
        assert_true(wi_runtime_thread_is_free());
        assert_int_equal(weir_task_start(&tasks[i], holds_its_thread, &released, .blocking = true),
                         0);
    }
    assert_false(wi_runtime_thread_is_free());
    int admitted = 0;
    while (admitted < FLOOD && ask_route(server, blocks, now) == WI_ADMIT_RUN)
        admitted++;
    assert_in_range(admitted, 1, FLOOD - 1);
    assert_int_equal(stats_of(server).shed_slots, 1);
    assert_int_equal(ask_route(server, plain, now), WI_ADMIT_RUN);
    /* After a tick. */
    assert_int_equal(ask_route(server, plain, now + 2 * WI_GATE_TICK_NS), WI_ADMIT_RUN);
    assert_true(stats_of(server).slots_load_milli > 0);
    assert_true(stats_of(server).slots_backlog_ns > 0);
    assert_int_equal(stats_of(server).shed_work, 0);

    __atomic_store_n(&released, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weir_task_join(tasks[i], NULL, weir_in_ms(20000)), 0);
    assert_int_equal(ask_route(server, blocks, now), WI_ADMIT_RUN);
    wi_store_relaxed(&server->counters->running, 0);
    destroy(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_is_refused_and_counted_by_class),
        cmocka_unit_test(without_admission_only_the_bounds_refuse),
        cmocka_unit_test(a_free_place_is_given),
        cmocka_unit_test(a_process_begins_with_what_others_know),
        cmocka_unit_test(what_is_learned_here_is_told_to_others),
        cmocka_unit_test(a_client_may_lower_its_class_and_who_is_trusted_raise_it),
        cmocka_unit_test(what_is_always_answered_is_not_asked_for),
        cmocka_unit_test(a_stall_is_forgiven_to_who_waited_through_it),
        cmocka_unit_test(the_load_is_shown_while_there_is_one),
        cmocka_unit_test(who_would_wait_long_for_a_thread_is_refused_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
