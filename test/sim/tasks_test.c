/* SPDX-License-Identifier: MIT */
/* A part of the behaviour suite on the simulated system: hours of virtual time pass in moments,
 * nothing happens early or late, and a seed repeats its run to the last call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop/io.h"
#include "os/sim/sim.h"
#include "os/socket.h"
#include "support/run.h"
#include "task/runtime.h"

static const int64_t HOUR_NS = 3600 * WEIR_NS_PER_S;

/* What a slot of the timer wheel and the steps of the clock may add. */
static const int64_t SLACK_NS = WEIR_NS_PER_MS;

static void run_in_world(uint64_t seed, weir_task_fn *body, void *arg)
{
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP };
    wi_sim_reset(&(struct wi_sim_opts){
        .seed = seed, .latency_ns = 50000, .jitter_ns = 200000, .short_permille = 200 });
    run_body_with(&opts, body, arg);
    CHECK_EQ(wi_sim_open_count(), 0);
}

#define SIM(name)                                                                                  \
    static int name##_body(void *unused __attribute__((unused)));                                  \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        run_in_world(test_seed(), name##_body, NULL);                                              \
    }                                                                                              \
    static int name##_body(void *unused __attribute__((unused)))

static weir_chan *make(size_t cap_elems)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = cap_elems };
    CHECK_EQ(weir_chan_create(&ch, &opts), 0);
    return ch;
}

/* -- time -------------------------------------------------------------------------------------- */

SIM(a_sleep_of_hours_ends_on_time)
{
    for (int64_t ns = 1; ns < 24 * HOUR_NS; ns = ns * 5 + 1) {
        const weir_time until = weir_in_ns(ns);
        CHECK_EQ(weir_sleep(until), 0);
        CHECK(weir_now() >= until);
        CHECK(weir_now() < until + SLACK_NS);
    }
    return 0;
}

struct sleeper {
    int64_t ns;
    weir_time begin;
    int *order;
    int *count;
};

static int sleep_and_note(void *arg)
{
    struct sleeper *self = arg;
    CHECK_EQ(weir_sleep(self->begin + self->ns), 0);
    self->order[(*self->count)++] = (int)(self->ns / HOUR_NS);
    return 0;
}

SIM(sleepers_wake_in_the_order_of_their_instants)
{
    enum {
        SLEEPERS = 50
    };
    struct sleeper sleepers[SLEEPERS];
    int order[SLEEPERS];
    int count = 0;
    const weir_time begin = weir_now();
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        sleepers[i] = (struct sleeper){
            .ns = (1 + i * 37 % SLEEPERS) * HOUR_NS, .begin = begin, .order = order, .count = &count
        };
        CHECK_EQ(weir_go(sleep_and_note, &sleepers[i]), 0);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < SLEEPERS; i++)
        CHECK_EQ(order[i], i + 1);
    CHECK(weir_now() - begin >= SLEEPERS * HOUR_NS);
    CHECK(weir_now() - begin < SLEEPERS * HOUR_NS + SLACK_NS);
    return 0;
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_cancel_cause(), WEIR_ETIMEDOUT);
    return 0;
}

SIM(an_ambient_deadline_cancels_at_its_instant)
{
    weir_scope *scope;
    const weir_time deadline = weir_now() + 5 * HOUR_NS;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .deadline = deadline }), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weir_go(wait_for_ever, NULL), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK(weir_now() >= deadline && weir_now() < deadline + SLACK_NS);
    return 0;
}

/* -- channels, select, scopes ------------------------------------------------------------------ */

struct ticking {
    weir_chan *ch;
    int64_t period_ns;
    int count;
};

static int tick(void *arg)
{
    struct ticking *self = arg;
    for (int i = 0; i < self->count; i++) {
        CHECK_EQ(weir_sleep(weir_in_ns(self->period_ns)), 0);
        CHECK_EQ(weir_chan_send(self->ch, &i, WEIR_NO_DEADLINE), 0);
    }
    return 0;
}

SIM(a_select_takes_each_tick_when_it_comes)
{
    struct ticking fast = { .ch = make(0), .period_ns = WEIR_NS_PER_S, .count = 60 };
    struct ticking slow = { .ch = make(0), .period_ns = 7 * WEIR_NS_PER_S, .count = 8 };
    int got[2] = { 0, 0 };
    int values[2];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(tick, &fast), 0);
    CHECK_EQ(weir_go(tick, &slow), 0);
    for (int i = 0; i < fast.count + slow.count; i++) {
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_RECV, .ch = fast.ch, .msg = &values[0] },
            { .op = WEIR_SELECT_RECV, .ch = slow.ch, .msg = &values[1] },
        };
        const int which = weir_select(cases, 2, weir_in_ns(2 * WEIR_NS_PER_S));
        CHECK(which >= 0);
        CHECK_EQ(values[which], got[which]);
        got[which]++;
        CHECK(got[0] / 7 >= got[1] - 1);
    }
    struct weir_select_case nothing[] = {
        { .op = WEIR_SELECT_RECV, .ch = fast.ch, .msg = values }
    };
    const weir_time deadline = weir_now() + HOUR_NS;
    CHECK_EQ(weir_select(nothing, 1, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline && weir_now() < deadline + SLACK_NS);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(fast.ch);
    weir_chan_destroy(slow.ch);
    return 0;
}

static int fail_after_a_day(void *arg)
{
    (void)arg;
    CHECK_EQ(weir_sleep(weir_in_ns(24 * HOUR_NS)), 0);
    return WEIR_EIO;
}

static int sleep_until_canceled(void *arg)
{
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    bump(arg);
    return WEIR_ECANCELED;
}

SIM(the_first_error_cancels_the_siblings_at_once)
{
    int canceled = 0;
    weir_scope *scope;
    const weir_time begin = weir_now();
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weir_go(sleep_until_canceled, &canceled), 0);
    CHECK_EQ(weir_go(fail_after_a_day, NULL), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), WEIR_EIO);
    CHECK_EQ(canceled, 10);
    CHECK(weir_now() - begin < 24 * HOUR_NS + SLACK_NS);
    return 0;
}

/* -- streams ----------------------------------------------------------------------------------- */

enum {
    STREAM_BYTES = 200000
};

struct pipe_end {
    struct wi_io *io;
    int64_t moved;
};

static void watch_end(struct wi_io *io, int fd)
{
    wi_io_init(io, fd, wi_io_on_ready);
    CHECK_EQ(wi_loop_watch(wi_runtime_loop(), &io->watch, WI_POLL_READ | WI_POLL_WRITE), 0);
}

static int write_all(void *arg)
{
    struct pipe_end *end = arg;
    unsigned char data[3000];
    while (end->moved < STREAM_BYTES) {
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = (unsigned char)((end->moved + (int64_t)i) * 7);
        const int64_t left = STREAM_BYTES - end->moved;
        const size_t want = left < (int64_t)sizeof(data) ? (size_t)left : sizeof(data);
        const int64_t rc = wi_socket_write(end->io->watch.fd, data, want);
        if (rc == WEIR_EAGAIN) {
            CHECK(wi_io_wait(end->io, WI_POLL_WRITE, WEIR_NO_DEADLINE) > 0);
            continue;
        }
        CHECK(rc > 0);
        end->moved += rc;
    }
    CHECK_EQ(wi_socket_finish(end->io->watch.fd), 0);
    return 0;
}

static int read_all(void *arg)
{
    struct pipe_end *end = arg;
    unsigned char data[1700];
    for (;;) {
        const int64_t rc = wi_socket_read(end->io->watch.fd, data, sizeof(data));
        if (rc == 0)
            return 0;
        if (rc == WEIR_EAGAIN) {
            CHECK(wi_io_wait(end->io, WI_POLL_READ, WEIR_NO_DEADLINE) > 0);
            continue;
        }
        CHECK(rc > 0);
        for (int64_t i = 0; i < rc; i++)
            CHECK_EQ(data[i], (unsigned char)((end->moved + i) * 7));
        end->moved += rc;
    }
}

static int stream_both_ways(void *arg)
{
    (void)arg;
    static struct wi_io ios[2]; /* type-stable, as watches must be */
    int fds[2];
    struct pipe_end ends[4];
    weir_scope *scope;
    CHECK_EQ(wi_socket_pair(fds), 0);
    for (int i = 0; i < 2; i++)
        watch_end(&ios[i], fds[i]);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 4; i++) {
        ends[i] = (struct pipe_end){ .io = &ios[i / 2] };
        CHECK_EQ(weir_go(i % 2 == 0 ? write_all : read_all, &ends[i]), 0);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(ends[i].moved, STREAM_BYTES);
    for (int i = 0; i < 2; i++) {
        wi_loop_unwatch(wi_runtime_loop(), &ios[i].watch);
        wi_socket_close(fds[i]);
    }
    return 0;
}

static void streams_carry_every_byte_both_ways(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 20; i++)
        run_in_world(seed + i, stream_both_ways, NULL);
}

static void a_seed_repeats_its_run(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    run_in_world(seed, stream_both_ways, NULL);
    const uint64_t trace = wi_sim_trace();
    run_in_world(seed, stream_both_ways, NULL);
    assert_true(wi_sim_trace() == trace);
    run_in_world(seed + 1, stream_both_ways, NULL);
    assert_true(wi_sim_trace() != trace);
}

/* -- deadlock ---------------------------------------------------------------------------------- */

static int deadlocks;

static void count_deadlock(void *user)
{
    weir_task *task = *(weir_task **)user;
    deadlocks++;
    weir_task_cancel(task, WEIR_EDEADLK);
}

static int wait_in_vain(void *arg)
{
    int value;
    CHECK_EQ(weir_chan_recv(arg, &value, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_cancel_cause(), WEIR_EDEADLK);
    return 0;
}

static void a_deadlock_of_all_tasks_is_found(void **state)
{
    (void)state;
    weir_task *task = NULL;
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP };
    deadlocks = 0;
    wi_sim_reset(&(struct wi_sim_opts){ .on_deadlock = count_deadlock, .user = &task });
    runtime_open(&opts);
    weir_chan *ch = make(0);
    assert_int_equal(weir_task_start(&task, wait_in_vain, ch), 0);
    assert_int_equal(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    assert_int_equal(deadlocks, 1);
    weir_chan_destroy(ch);
    runtime_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleep_of_hours_ends_on_time),
        cmocka_unit_test(sleepers_wake_in_the_order_of_their_instants),
        cmocka_unit_test(an_ambient_deadline_cancels_at_its_instant),
        cmocka_unit_test(a_select_takes_each_tick_when_it_comes),
        cmocka_unit_test(the_first_error_cancels_the_siblings_at_once),
        cmocka_unit_test(streams_carry_every_byte_both_ways),
        cmocka_unit_test(a_seed_repeats_its_run),
        cmocka_unit_test(a_deadlock_of_all_tasks_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
