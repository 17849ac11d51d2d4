/* SPDX-License-Identifier: MIT */
/* The scheduler: nothing waits for ever in any queue, workers share what there is, and wakes from
 * everywhere find a sleeping worker. */
#include "task/worker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "chan/chan.h"
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

/* -- waking ------------------------------------------------------------------------------------ */

/* Every worker goes to sleep between any two of these; a lost wake would hang here. */
static void *wake_from_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        weir_task *task;
        int ran = 0;
        CHECK_EQ(weir_task_start(&task, count_run, &ran), 0);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(ran, 1);
    }
    return NULL;
}

static void sleeping_workers_hear_of_every_task(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        const struct weir_opts opts = { .workers = workers };
        pthread_t threads[2];
        runtime_open(&opts);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, wake_from_thread, NULL), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        runtime_close();
    }
}

/* What a waker leaves in its worker's slot waits for the waker to park.  Where slices are long, a
 * worker that sleeps is sent for it at once: when the send returns it is on its way, or it has been
 * there. */
static int receive_one(void *arg)
{
    int value;
    return weir_chan_recv(arg, &value, WEIR_NO_DEADLINE);
}

static int wake_in_a_long_slice(void *arg)
{
    struct weir_chan *ch = arg;
    const int value = 1;
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, receive_one, ch), 0);
    for (bool waits = false; !waits;) {
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
        wi_lock(&ch->lock);
        waits = !wi_list_empty(&ch->receivers);
        wi_unlock(&ch->lock);
    }
    /* Both workers sleep if the monitor took this one from a task that it found too long. */
    while (wi_load_seq_cst(&wi_rt.idle_count) == 0 || wi_load_seq_cst(&wi_rt.searching) != 0) {
    }
    struct wi_worker *worker = wi_worker_enter();
    if (worker != NULL)
        worker->slice_mean_ns = WEIR_NS_PER_MS;
    wi_worker_leave(worker);
    CHECK_EQ(weir_chan_send(ch, &value, WEIR_NO_DEADLINE), 0);
    const bool sent_for = wi_load_seq_cst(&wi_rt.searching) != 0;
    /* Without a worker (a long pause of the machine made it a hog) there is nothing to see. */
    CHECK(worker == NULL || sent_for || wi_load_seq_cst(&worker->next) == NULL);
    return weir_task_join(task, NULL, WEIR_NO_DEADLINE);
}

static void a_long_slice_sends_for_a_sleeping_worker(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        const struct weir_opts opts = { .workers = 2 };
        const struct weir_chan_opts chan_opts = { .elem_bytes = sizeof(int) };
        weir_chan *ch;
        assert_int_equal(weir_chan_create(&ch, &chan_opts), 0);
        run_body_with(&opts, wake_in_a_long_slice, ch);
        weir_chan_destroy(ch);
    }
}

/* -- ownership --------------------------------------------------------------------------------- */

static int enter_and_leave(void *arg)
{
    (void)arg;
    struct wi_worker *worker = wi_worker_enter();
    CHECK(worker != NULL);
    struct wi_worker *other = &wi_rt.workers[1 - worker->index];
    struct wi_thread *thread = wi_thread_self();
    CHECK(wi_load_relaxed(&worker->holder) == thread);
    CHECK_EQ(wi_load_relaxed(&thread->state), WI_STATE_RUNTIME);
    CHECK(wi_worker_enter() == worker); /* nests */
    wi_worker_leave(worker);
    CHECK_EQ(wi_load_relaxed(&thread->state), WI_STATE_RUNTIME);
    wi_worker_leave(worker);
    CHECK_EQ(wi_load_relaxed(&thread->state), WI_STATE_USER);
    CHECK(!wi_worker_take(other)); /* idle: its holder is inside the runtime */
    return 0;
}

static void the_state_is_runtime_inside_and_user_outside(void **state)
{
    (void)state;
    assert_null(wi_worker_enter());
    const struct weir_opts opts = { .workers = 2 };
    run_body_with(&opts, enter_and_leave, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_wake_each_other_do_not_starve_a_third),
        cmocka_unit_test(tasks_from_outside_reach_a_busy_worker),
        cmocka_unit_test(timers_fire_beside_tasks_that_never_stop),
        cmocka_unit_test(spawned_tasks_spread_over_all_workers),
        cmocka_unit_test(a_full_run_queue_spills_and_nothing_is_lost),
        cmocka_unit_test(sleeping_workers_hear_of_every_task),
        cmocka_unit_test(a_long_slice_sends_for_a_sleeping_worker),
        cmocka_unit_test(the_state_is_runtime_inside_and_user_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
