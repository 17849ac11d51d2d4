/* SPDX-License-Identifier: MIT */
/* Ready tasks: nothing waits for ever in any queue, workers share what there is, and what a task
 * spawned begins newest first, yet the oldest begins too. */
#include "task/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/rt.h"

/* -- fairness ---------------------------------------------------------------------------------- */

/* Two tasks that wake each other over the slot of the task woken last must not keep a third one of
 * the same worker from running. */
struct duel {
    weir_chan *to;
    weir_chan *from;
    int over;
    int volleys;
};

static int play(void *arg)
{
    struct duel *duel = arg;
    int value = 0;
    while (weir_chan_recv(duel->to, &value, WEIR_NO_DEADLINE) == 0) {
        duel->volleys++;
        if (weir_chan_send(duel->from, &value, WEIR_NO_DEADLINE) != 0)
            break;
    }
    return 0;
}

static int end_duel(void *arg)
{
    struct duel *duel = arg;
    for (int i = 0; i < 100; i++)
        CHECK_EQ(weir_yield(), 0);
    CHECK_EQ(weir_chan_close(duel->to), 0);
    CHECK_EQ(weir_chan_close(duel->from), 0);
    return 0;
}

static int fight(void *arg)
{
    struct duel *duel = arg;
    struct duel other = { .over = 0 };
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int) };
    weir_scope *scope;
    CHECK_EQ(weir_chan_create(&duel->to, &opts), 0);
    CHECK_EQ(weir_chan_create(&duel->from, &opts), 0);
    other.to = duel->from;
    other.from = duel->to;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(play, duel), 0);
    CHECK_EQ(weir_go(play, &other), 0);
    CHECK_EQ(weir_go(end_duel, duel), 0);
    const int ball = 1;
    CHECK_EQ(weir_chan_send(duel->to, &ball, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(duel->to);
    weir_chan_destroy(duel->from);
    return 0;
}

static void two_that_wake_each_other_do_not_starve_a_third(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)i, .workers = 1 };
        struct duel duel = { .volleys = 0 };
        run_body_with(&opts, fight, &duel);
        assert_true(duel.volleys > 0);
    }
}

/* Tasks that only yield do not keep what comes from outside out of the worker. */
static int yield_until(void *arg)
{
    while (peek(arg) == 0)
        CHECK_EQ(weir_yield(), 0);
    return 0;
}

static int set(void *arg)
{
    post(arg, 1);
    return 0;
}

static void tasks_from_outside_reach_a_busy_worker(void **state)
{
    (void)state;
    const struct weir_opts opts = { .workers = 1 };
    runtime_open(&opts);
    for (int round = 0; round < 50; round++) {
        weir_scope *scope;
        int over = 0;
        assert_int_equal(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(weir_go(yield_until, &over), 0);
        assert_int_equal(weir_go(set, &over), 0);
        assert_int_equal(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    }
    runtime_close();
}

/* Timers fire beside tasks that never stop. */
static int sleep_and_set(void *arg)
{
    CHECK_EQ(weir_sleep(weir_in_ms(2)), 0);
    return set(arg);
}

static int yield_beside_timer(void *arg)
{
    int over = 0;
    weir_scope *scope;
    (void)arg;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(sleep_and_set, &over), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_go(yield_until, &over), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void timers_fire_beside_tasks_that_never_stop(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)i, .workers = 1 };
        run_body_with(&opts, yield_beside_timer, NULL);
    }
}

/* -- sharing ----------------------------------------------------------------------------------- */

/* Every task waits until all run at once: possible only if each worker gets its share. */
struct meeting {
    int present;
    int wanted;
};

static int attend(void *arg)
{
    struct meeting *meeting = arg;
    bump(&meeting->present);
    while (peek(&meeting->present) < meeting->wanted) {
    }
    return 0;
}

static int call_meeting(void *arg)
{
    weir_scope *scope;
    struct meeting *meeting = arg;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < meeting->wanted; i++)
        CHECK_EQ(weir_go(attend, meeting), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void spawned_tasks_spread_over_all_workers(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        const struct weir_opts opts = { .workers = 3 };
        struct meeting meeting = { .wanted = 3 };
        run_body_with(&opts, call_meeting, &meeting);
    }
}

/* More tasks than a run queue holds: the rest goes to the global one and none is forgotten. */
static int count_run(void *arg)
{
    bump(arg);
    return 0;
}

static int spawn_beyond_the_queue(void *arg)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 3 * WI_RUNQ_SLOTS; i++)
        CHECK_EQ(weir_go(count_run, arg), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void a_full_run_queue_spills_and_nothing_is_lost(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        const struct weir_opts opts = { .workers = workers };
        int ran = 0;
        run_body_with(&opts, spawn_beyond_the_queue, &ran);
        assert_int_equal(ran, 3 * WI_RUNQ_SLOTS);
    }
}

/* -- order ------------------------------------------------------------------------------------- */

enum {
    SPAWNS = 100
};

struct order {
    int began[SPAWNS];
    int count;
};

struct numbered {
    struct order *order;
    int number;
};

static int note_begin(void *arg)
{
    struct numbered *self = arg;
    self->order->began[self->order->count++] = self->number;
    return 0;
}

static int spawn_in_order(void *arg)
{
    struct order *order = arg;
    struct numbered tasks[SPAWNS];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < SPAWNS; i++) {
        tasks[i] = (struct numbered){ .order = order, .number = i };
        CHECK_EQ(weir_go(note_begin, &tasks[i]), 0);
    }
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void under_loop_tasks_begin_in_the_order_of_their_spawns(void **state)
{
    (void)state;
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP };
    struct order order = { .count = 0 };
    run_body_with(&opts, spawn_in_order, &order);
    assert_int_equal(order.count, SPAWNS);
    for (int i = 0; i < SPAWNS; i++)
        assert_int_equal(order.began[i], i);
}

/* The monitor may take the worker on a busy machine, and other threads then begin some: so the
 * claim is about most. */
static void under_tasks_the_newest_begins_first(void **state)
{
    (void)state;
    const struct weir_opts opts = { .workers = 1 };
    struct order order = { .count = 0 };
    run_body_with(&opts, spawn_in_order, &order);
    assert_int_equal(order.count, SPAWNS);
    int newest_first = 0;
    for (int i = 1; i < SPAWNS; i++)
        newest_first += order.began[i] < order.began[i - 1];
    assert_true(newest_first > SPAWNS / 2);
}

/* Each run spawns the next, so that there is always a newer one; the first spawn shall begin. */
struct chain {
    weir_scope *scope;
    int first_began;
    long links;
};

static int go_on(void *arg)
{
    struct chain *chain = arg;
    chain->links++;
    if (peek(&chain->first_began) != 0)
        return 0;
    return weir_go(go_on, chain, .scope = chain->scope);
}

static int spawn_chain(void *arg)
{
    struct chain *chain = arg;
    CHECK_EQ(weir_scope_open(&chain->scope, NULL), 0);
    CHECK_EQ(weir_go(set, &chain->first_began), 0);
    CHECK_EQ(weir_go(go_on, chain), 0);
    return weir_scope_close(chain->scope, WEIR_NO_DEADLINE);
}

static void the_oldest_begins_though_newer_ones_keep_coming(void **state)
{
    (void)state;
    const struct weir_opts opts = { .workers = 1 };
    struct chain chain = { .links = 0 };
    run_body_with(&opts, spawn_chain, &chain);
    assert_int_equal(chain.first_began, 1);
    assert_true(chain.links > 0);
}

/* The same for what the deque had no room for. */
static int spawn_many_and_chain(void *arg)
{
    struct chain *chain = arg;
    int ran = 0;
    CHECK_EQ(weir_scope_open(&chain->scope, NULL), 0);
    CHECK_EQ(weir_go(set, &chain->first_began), 0);
    for (int i = 0; i < 3 * WI_DEQUE_SLOTS; i++)
        CHECK_EQ(weir_go(count_run, &ran), 0);
    CHECK_EQ(weir_go(go_on, chain), 0);
    CHECK_EQ(weir_scope_close(chain->scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(ran, 3 * WI_DEQUE_SLOTS);
    return 0;
}

static void so_does_what_went_to_the_backlog(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 2; workers++) {
        const struct weir_opts opts = { .workers = workers };
        struct chain chain = { .links = 0 };
        run_body_with(&opts, spawn_many_and_chain, &chain);
        assert_int_equal(chain.first_began, 1);
        assert_int_equal(wi_load_relaxed(&wi_rt.backlog_count), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_wake_each_other_do_not_starve_a_third),
        cmocka_unit_test(tasks_from_outside_reach_a_busy_worker),
        cmocka_unit_test(timers_fire_beside_tasks_that_never_stop),
        cmocka_unit_test(spawned_tasks_spread_over_all_workers),
        cmocka_unit_test(a_full_run_queue_spills_and_nothing_is_lost),
        cmocka_unit_test(under_loop_tasks_begin_in_the_order_of_their_spawns),
        cmocka_unit_test(under_tasks_the_newest_begins_first),
        cmocka_unit_test(the_oldest_begins_though_newer_ones_keep_coming),
        cmocka_unit_test(so_does_what_went_to_the_backlog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
