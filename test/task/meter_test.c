/* SPDX-License-Identifier: MIT */
/* Metering, under each scheduler: what a task and its children cost is told, no more than that, and
 * waiting costs nothing.  Work is spun by the CPU clock of the thread, so that the least that may
 * be told is known however busy the machine is. */
#include "task/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "support/run.h"
#include "task/runtime.h"
#include "weir/event.h"
#include "weir/pool.h"

enum {
    CHILDREN = 10,
    TRIES = 50,
    JOBS = 5,
    SPINS = 50
};

static const int64_t WORK_NS = WEIR_NS_PER_MS;

static void spin(int64_t ns)
{
    const int64_t until = wi_clock_thread_cpu() + ns;
    while (wi_clock_thread_cpu() < until)
        ;
}

/* Runs fn(arg) as a metered task, as a server would, and waits for its end. */
struct guest {
    weir_task_fn *fn;
    void *arg;
    int done;
};

static int be_guest(void *arg)
{
    struct guest *guest = arg;
    CHECK_EQ(guest->fn(guest->arg), 0);
    post(&guest->done, 1);
    return 0;
}

static void serve(weir_task_fn *fn, void *arg)
{
    struct guest guest = { .fn = fn, .arg = arg };
    CHECK_EQ(wi_task_spawn(wi_runtime_root(), be_guest, &guest, "guest", WEIR_SITE,
                           WI_SPAWN_METERED, 0, WEIR_NO_DEADLINE),
             0);
    await(&guest.done, 1);
}

/* -- a task by itself -------------------------------------------------------------------------- */

static int work_in_laps(void *arg)
{
    (void)arg;
    const weir_time begin = wi_meter_begin();
    CHECK(begin > 0);
    CHECK(begin <= weir_now());
    CHECK(wi_meter_runs());
    spin(WORK_NS);
    CHECK_EQ(weir_yield(), 0);
    spin(WORK_NS);
    weir_time now;
    CHECK(wi_meter_lap(&now) >= 2 * WORK_NS);
    CHECK(now >= begin);
    CHECK(now <= weir_now());
    spin(WORK_NS);
    const int64_t second = wi_meter_lap(&now);
    CHECK(second >= WORK_NS);
    CHECK(second <= weir_now() - begin);
    return 0;
}

static int laps_body(void *arg)
{
    (void)arg;
    CHECK(!wi_meter_runs());
    const int64_t before = wi_meter_total(weir_now());
    serve(work_in_laps, NULL);
    CHECK(wi_meter_total(weir_now()) - before >= 3 * WORK_NS);
    return 0;
}

static int wait_a_while(void *arg)
{
    bool *cheap = arg;
    const weir_time began = wi_meter_begin();
    CHECK_EQ(weir_sleep(weir_in_ms(20)), 0);
    weir_time now;
    const int64_t spent_ns = wi_meter_lap(&now);
    CHECK(spent_ns >= 0);
    *cheap = spent_ns < (now - began) / 2;
    return 0;
}

/* A machine that is busy may take the core away before the task has parked, but not every time. */
static int waiting_body(void *arg)
{
    (void)arg;
    for (int i = 0; i < TRIES; i++) {
        bool cheap = false;
        serve(wait_a_while, &cheap);
        if (cheap)
            return 0;
    }
    CHECK(false);
    return 0;
}

static void spin_elsewhere(void *arg)
{
    (void)arg;
    spin(WORK_NS);
}

static int work_elsewhere(void *arg)
{
    (void)arg;
    (void)wi_meter_begin();
    CHECK_EQ(weir_blocking(NULL, spin_elsewhere, NULL, WEIR_NO_DEADLINE), 0);
    weir_time now;
    CHECK(wi_meter_lap(&now) >= WORK_NS);
    return 0;
}

static int elsewhere_body(void *arg)
{
    (void)arg;
    const int64_t before = wi_meter_total(weir_now());
    serve(work_elsewhere, NULL);
    CHECK(wi_meter_total(weir_now()) - before >= WORK_NS);
    /* Of a task that is not metered it is nobody's. */
    CHECK(wi_meter_lend() == NULL);
    CHECK_EQ(weir_blocking(NULL, spin_elsewhere, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* Looks at the rest again and again while a pool's thread works, as a server's ticks do. */
struct watched {
    struct wi_meter_rest rest;
    int64_t told_ns;
    weir_event *done;
};

static void spin_watched(void *arg)
{
    struct watched *watched = arg;
    for (int i = 0; i < SPINS; i++) {
        spin(WORK_NS);
        watched->told_ns += wi_meter_rest(&watched->rest, weir_now());
    }
}

static int work_watched(void *arg)
{
    struct watched *watched = arg;
    CHECK_EQ(wi_meter_rest(&watched->rest, weir_now()), 0);
    for (int i = 0; i < JOBS; i++)
        CHECK_EQ(weir_blocking(NULL, spin_watched, watched, WEIR_NO_DEADLINE), 0);
    weir_event_set(watched->done);
    return 0;
}

/* Of the first job nobody can know yet; those that follow are set off against it.  Nothing else of
 * the process computes meanwhile, not even who waits. */
static int watched_body(void *arg)
{
    (void)arg;
    struct watched watched = { .told_ns = 0 };
    CHECK_EQ(weir_event_create(&watched.done), 0);
    CHECK_EQ(wi_task_spawn(wi_runtime_root(), work_watched, &watched, "guest", WEIR_SITE,
                           WI_SPAWN_METERED, 0, WEIR_NO_DEADLINE),
             0);
    CHECK_EQ(weir_event_wait(watched.done, WEIR_NO_DEADLINE), 0);
    weir_event_destroy(watched.done);
    CHECK(watched.told_ns < 2 * SPINS * WORK_NS);
    return 0;
}

/* -- children ---------------------------------------------------------------------------------- */

static int work(void *arg)
{
    (void)arg;
    spin(WORK_NS);
    return 0;
}

static int have_child(void *arg)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(work, arg), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* Half of the children have one of their own, and some have a thread. */
static int have_children(void *arg)
{
    const int64_t *least = arg;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < CHILDREN; i++)
        CHECK_EQ(weir_go(i % 2 == 0 ? work : have_child, NULL, .blocking = i % 3 == 0), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_time now;
    CHECK(wi_meter_lap(&now) >= *least);
    return 0;
}

static int children_body(void *arg)
{
    (void)arg;
    int64_t least = CHILDREN * WORK_NS;
    serve(have_children, &least);
    return 0;
}

/* What is spawned into another's scope, or detached, is nobody's: the lap has none of it.  Only CPU
 * time can be told so exactly; slices of the parent are wall time. */
static int have_strangers(void *arg)
{
    weir_task *child;
    int64_t *most = arg;
    weir_time now;
    (void)wi_meter_lap(&now);
    const weir_time began = now;
    CHECK_EQ(weir_task_start(&child, work, NULL, .scope = wi_runtime_root()), 0);
    CHECK_EQ(weir_task_join(child, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_start(&child, work, NULL, .detached = true), 0);
    CHECK_EQ(weir_task_join(child, NULL, WEIR_NO_DEADLINE), 0);
    const int64_t spent_ns = wi_meter_lap(&now);
    if (now - began - spent_ns > *most)
        *most = now - began - spent_ns;
    return 0;
}

static int strangers_body(void *arg)
{
    (void)arg;
    int64_t most = 0;
    for (int i = 0; i < TRIES && most < 2 * WORK_NS; i++)
        serve(have_strangers, &most);
    CHECK(most >= 2 * WORK_NS);
    return 0;
}

/* -- all together ------------------------------------------------------------------------------ */

/* The total counts a task that runs while it runs; if it loses its worker, when it stops. */
static int be_watched(void *arg)
{
    int *seen = arg;
    while (peek(seen) == 0) {
        for (int i = 0; i < 50 && peek(seen) == 0; i++)
            spin(WORK_NS);
        CHECK_EQ(weir_yield(), 0);
    }
    return 0;
}

static int watch(void *arg)
{
    int *seen = arg;
    const int64_t before = wi_meter_total(weir_now());
    while (wi_meter_total(weir_now()) - before < 2 * WORK_NS)
        spin(WORK_NS / 10);
    post(seen, 1);
    return 0;
}

static void the_total_counts_who_still_runs(void **state)
{
    (void)state;
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_TASKS, .workers = 2 };
    int seen = 0;
    weir_task *watcher;
    runtime_open(&opts);
    assert_int_equal(weir_task_start(&watcher, watch, &seen), 0);
    serve(be_watched, &seen);
    assert_int_equal(weir_task_join(watcher, NULL, WEIR_NO_DEADLINE), 0);
    runtime_close();
}

/* A plain task costs nobody anything: only a lap of its own thread could show it. */
static int plain_body(void *arg)
{
    (void)arg;
    const int64_t before = wi_meter_total(weir_now());
    weir_task *child;
    CHECK_EQ(weir_task_start(&child, have_child, NULL), 0);
    CHECK_EQ(weir_task_join(child, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(wi_meter_total(weir_now()), before);
    return 0;
}

static void under_each(weir_task_fn *body)
{
    const enum weir_scheduler kinds[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_TASKS,
                                          WEIR_SCHEDULER_THREADS };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct weir_opts opts = { .scheduler = kinds[i] };
        run_body_with(&opts, body, NULL);
    }
}

static void each_lap_tells_what_came_since_the_last(void **state)
{
    (void)state;
    under_each(laps_body);
}

static void waiting_costs_nothing(void **state)
{
    (void)state;
    under_each(waiting_body);
}

static void what_a_pool_works_for_a_task_is_the_tasks(void **state)
{
    (void)state;
    under_each(elsewhere_body);
}

static void what_is_told_late_is_taken_for_the_rest_once(void **state)
{
    (void)state;
    const enum weir_scheduler kinds[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_TASKS };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        run_body_with(&(struct weir_opts){ .scheduler = kinds[i] }, watched_body, NULL);
}

static void what_children_cost_is_the_parents(void **state)
{
    (void)state;
    under_each(children_body);
}

static void tasks_of_other_scopes_are_nobodys(void **state)
{
    (void)state;
    under_each(strangers_body);
}

static void plain_tasks_are_not_metered(void **state)
{
    (void)state;
    under_each(plain_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lap_tells_what_came_since_the_last),
        cmocka_unit_test(waiting_costs_nothing),
        cmocka_unit_test(what_a_pool_works_for_a_task_is_the_tasks),
        cmocka_unit_test(what_is_told_late_is_taken_for_the_rest_once),
        cmocka_unit_test(what_children_cost_is_the_parents),
        cmocka_unit_test(tasks_of_other_scopes_are_nobodys),
        cmocka_unit_test(plain_tasks_are_not_metered),
        cmocka_unit_test(the_total_counts_who_still_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
