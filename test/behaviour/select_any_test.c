/* SPDX-License-Identifier: MIT */
/* weir_select() over every kind of thing, mixed: one case is done, its result is that of the call
 * of the same name, and the losers are left as they were.  Every body runs as a task and on a plain
 * thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

static weir_chan *make(size_t cap_elems)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = cap_elems };
    CHECK_EQ(weir_chan_create(&ch, &opts), 0);
    return ch;
}

static weir_timer *make_timer(void)
{
    weir_timer *timer;
    CHECK_EQ(weir_timer_create(&timer, NULL), 0);
    return timer;
}

/* -- instants --------------------------------------------------------------------------------- */

BOTH(the_earliest_instant_wins_and_never_early)
{
    weir_chan *ch = make(0);
    int got;
    for (int i = 0; i < 10; i++) {
        const weir_time soon = weir_in_ns(200000 * i);
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_UNTIL, .until = soon + 60 * WEIR_NS_PER_S },
            { .op = WEIR_SELECT_RECV, .ch = ch, .msg = &got },
            { .op = WEIR_SELECT_UNTIL, .until = soon, .result = 7 },
            { .op = WEIR_SELECT_UNTIL, .until = WEIR_NO_DEADLINE },
        };
        CHECK_EQ(weir_select(cases, 4, WEIR_NO_DEADLINE), 2);
        CHECK(weir_now() >= soon);
        CHECK_EQ(cases[2].result, 0);
    }
    weir_chan_destroy(ch);
    return 0;
}

BOTH(an_instant_and_the_deadline_are_told_apart)
{
    struct weir_select_case later = { .op = WEIR_SELECT_UNTIL, .until = weir_in_ms(60000) };
    CHECK_EQ(weir_select(&later, 1, weir_in_ms(2)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_select(&later, 1, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    struct weir_select_case past = { .op = WEIR_SELECT_UNTIL, .until = weir_now() };
    CHECK_EQ(weir_select(&past, 1, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_select(&past, 1, weir_now() - 1), 0);
    const weir_time same = weir_in_ms(2);
    struct weir_select_case equal = { .op = WEIR_SELECT_UNTIL, .until = same };
    CHECK_EQ(weir_select(&equal, 1, same), 0);
    return 0;
}

/* -- timers ----------------------------------------------------------------------------------- */

BOTH(a_timer_ticks_in_a_select)
{
    weir_timer *timer = make_timer();
    weir_chan *ch = make(0);
    int got;
    int64_t ticks = 0;
    CHECK_EQ(weir_timer_start(timer, weir_in_ms(60000), 0), 0);
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_RECV, .ch = ch, .msg = &got },
        { .op = WEIR_SELECT_TIMER, .timer = timer, .msg = &ticks },
        { .op = WEIR_SELECT_TIMER, .timer = NULL },
    };
    CHECK_EQ(weir_select(cases, 3, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    const weir_time at = weir_in_ms(3);
    CHECK_EQ(weir_timer_start(timer, at, 0), 1);
    CHECK_EQ(weir_select(cases, 3, WEIR_NO_DEADLINE), 1);
    CHECK(weir_now() >= at);
    CHECK_EQ(cases[1].result, 0);
    CHECK_EQ(ticks, 1);
    CHECK_EQ(weir_select(cases, 3, weir_in_ms(2)), WEIR_ETIMEDOUT);
    weir_timer_destroy(timer);
    weir_chan_destroy(ch);
    return 0;
}

BOTH(a_timer_that_loses_keeps_its_tick)
{
    weir_timer *timer = make_timer();
    weir_chan *ch = make(1);
    const int value = 4;
    int got = 0;
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(weir_timer_start(timer, weir_now(), 0), 0);
        CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_TIMER, .timer = timer },
            { .op = WEIR_SELECT_RECV, .ch = ch, .msg = &got },
        };
        const int first = weir_select(cases, 2, WEIR_NO_DEADLINE);
        const int second = weir_select(cases, 2, WEIR_NO_DEADLINE);
        CHECK_EQ(first + second, 1);
        CHECK_EQ(got, 4);
    }
    weir_timer_destroy(timer);
    weir_chan_destroy(ch);
    return 0;
}

/* -- joins ------------------------------------------------------------------------------------ */

static int give(void *arg)
{
    weir_chan *go_on = arg;
    int value = 0;
    if (go_on != NULL)
        CHECK_EQ(weir_chan_recv(go_on, &value, WEIR_NO_DEADLINE), 0);
    return value - 5;
}

BOTH(the_end_of_a_task_is_a_case)
{
    weir_chan *go_on = make(1);
    weir_chan *other = make(0);
    for (int round = 0; round < 3; round++) {
        weir_task *task;
        int ended = 77;
        int got = 0;
        CHECK_EQ(weir_task_start(&task, give, go_on), 0);
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_JOIN, .task = task, .msg = &ended },
            { .op = WEIR_SELECT_RECV, .ch = other, .msg = &got },
        };
        CHECK_EQ(weir_select(cases, 2, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        CHECK_EQ(weir_select(cases, 2, weir_in_ms(1)), WEIR_ETIMEDOUT); /* the handle stays */
        CHECK_EQ(weir_chan_send(go_on, &round, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_select(cases, 2, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(cases[0].result, 0);
        CHECK_EQ(ended, round - 5);
    }
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, give, NULL), 0);
    struct weir_select_case cases[] = { { .op = WEIR_SELECT_JOIN, .task = NULL },
                                        { .op = WEIR_SELECT_JOIN, .task = task } };
    CHECK_EQ(weir_select(cases, 2, WEIR_NO_DEADLINE), 1);
    weir_chan_destroy(go_on);
    weir_chan_destroy(other);
    return 0;
}

static int join_self(void *arg)
{
    weir_task **self = arg;
    int ready = 0;
    while (!ready) {
        ready = __atomic_load_n(self, __ATOMIC_SEQ_CST) != NULL;
        IGNORE(weir_yield());
    }
    struct weir_select_case own = { .op = WEIR_SELECT_JOIN, .task = *self };
    CHECK_EQ(weir_select(&own, 1, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(own.result, WEIR_EDEADLK);
    return 0;
}

RUN(a_task_that_joins_itself_is_told)
{
    weir_task *shared = NULL;
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, join_self, &shared), 0);
    __atomic_store_n(&shared, task, __ATOMIC_SEQ_CST);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* -- descriptors ------------------------------------------------------------------------------ */

BOTH(a_descriptor_is_a_case)
{
    int fds[2];
    char byte = 'x';
    int got;
    weir_chan *ch = make(0);
    CHECK_EQ(pipe(fds), 0);
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_READABLE, .fd = fds[0] },
        { .op = WEIR_SELECT_RECV, .ch = ch, .msg = &got },
        { .op = WEIR_SELECT_READABLE, .fd = -1 },
    };
    CHECK_EQ(weir_select(cases, 3, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_select(cases, 3, weir_in_ms(1)), WEIR_ETIMEDOUT);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(write(fds[1], &byte, 1), 1);
        CHECK_EQ(weir_select(cases, 3, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(cases[0].result, WEIR_FD_READ);
        CHECK_EQ(read(fds[0], &byte, 1), 1);
        CHECK_EQ(weir_select(cases, 3, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    }
    struct weir_select_case out = { .op = WEIR_SELECT_WRITABLE, .fd = fds[1] };
    CHECK_EQ(weir_select(&out, 1, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(out.result, WEIR_FD_WRITE);
    close(fds[1]);
    CHECK_EQ(weir_select(cases, 3, WEIR_NO_DEADLINE), 0); /* the end can be read */
    CHECK_EQ(cases[0].result, WEIR_FD_READ);
    close(fds[0]);
    CHECK_EQ(weir_select(cases, 1, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(cases[0].result, WEIR_EBADF);
    weir_chan_destroy(ch);
    return 0;
}

struct reader {
    int fd;
    weir_chan *stop;
    int began;
    int bytes;
};

static int read_until_stopped(void *arg)
{
    struct reader *reader = arg;
    int got;
    bump(&reader->began);
    for (;;) {
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_READABLE, .fd = reader->fd },
            { .op = WEIR_SELECT_RECV, .ch = reader->stop, .msg = &got },
        };
        const int which = weir_select(cases, 2, WEIR_NO_DEADLINE);
        if (which == 1)
            return 0;
        CHECK_EQ(which, 0);
        char byte;
        const struct weir_select_case again = cases[0];
        CHECK_EQ(again.result, WEIR_FD_READ);
        CHECK_EQ(read(reader->fd, &byte, 1), 1); /* blocks for ever if nothing is there */
        bump(&reader->bytes);
    }
}

BOTH(a_select_that_waits_hears_of_a_descriptor)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    struct reader reader = { .fd = fds[0], .stop = make(0) };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, read_until_stopped, &reader), 0);
    const char byte = 'y';
    for (int i = 1; i <= 100; i++) {
        CHECK_EQ(write(fds[1], &byte, 1), 1);
        if (i % 10 == 0) {
            while (peek(&reader.bytes) < i)
                CHECK_EQ(weir_sleep(weir_in_ns(50000)), 0);
        }
    }
    CHECK_EQ(weir_chan_close(reader.stop), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(reader.bytes, 100);
    weir_chan_destroy(reader.stop);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

/* -- order and fairness ----------------------------------------------------------------------- */

BOTH(in_an_ordered_select_the_first_ready_case_is_done)
{
    weir_chan *empty = make(1);
    weir_chan *full = make(64);
    weir_timer *timer = make_timer();
    int value = 1;
    for (int i = 0; i < 32; i++)
        CHECK_EQ(weir_chan_send(full, &value, WEIR_DONT_WAIT), 0);
    for (int i = 0; i < 30; i++) {
        int got;
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_RECV, .ch = empty, .msg = &got },
            { .op = WEIR_SELECT_RECV, .ch = full, .msg = &got },
            { .op = WEIR_SELECT_UNTIL, .until = 1 },
            { .op = WEIR_SELECT_SEND, .ch = full, .msg = &value },
        };
        CHECK_EQ(weir_select_ordered(cases, 4, WEIR_NO_DEADLINE), 1);
    }
    CHECK_EQ(weir_timer_start(timer, 1, 0), 0);
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_TIMER, .timer = timer },
        { .op = WEIR_SELECT_RECV, .ch = full, .msg = &value },
    };
    CHECK_EQ(weir_select_ordered(cases, 2, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_select_ordered(cases, 2, WEIR_NO_DEADLINE), 1);
    weir_timer_destroy(timer);
    weir_chan_destroy(empty);
    weir_chan_destroy(full);
    return 0;
}

/* Kinds mixed, three ready cases of five, 3000 draws: each is binomial with p = 1/3, sigma 25.8.
 * Six and a half sigmas, 168, are passed with a probability below 1e-10 for each of the three. */
BOTH(ready_cases_of_any_kind_are_chosen_uniformly)
{
    enum {
        DRAWS = 3000,
        SLACK = 168
    };
    weir_chan *full = make(1);
    weir_chan *empty = make(0);
    weir_timer *timer = make_timer();
    const int value = 2;
    int chosen[5] = { 0 };
    for (int i = 0; i < DRAWS; i++) {
        int got;
        CHECK(weir_timer_start(timer, weir_now(), 0) >= 0);
        IGNORE(weir_chan_send(full, &value, WEIR_DONT_WAIT));
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_RECV, .ch = empty, .msg = &got },
            { .op = WEIR_SELECT_RECV, .ch = full, .msg = &got },
            { .op = WEIR_SELECT_TIMER, .timer = timer },
            { .op = WEIR_SELECT_JOIN, .task = NULL },
            { .op = WEIR_SELECT_UNTIL, .until = 1 },
        };
        const int which = weir_select(cases, 5, WEIR_NO_DEADLINE);
        CHECK(which >= 0);
        chosen[which]++;
    }
    CHECK_EQ(chosen[0] + chosen[3], 0);
    for (int i = 1; i < 5; i += i == 2 ? 2 : 1) {
        CHECK(chosen[i] > DRAWS / 3 - SLACK);
        CHECK(chosen[i] < DRAWS / 3 + SLACK);
    }
    weir_timer_destroy(timer);
    weir_chan_destroy(full);
    weir_chan_destroy(empty);
    return 0;
}

/* -- many on one channel ---------------------------------------------------------------------- */

struct crowd {
    weir_chan *common;
    weir_chan *own[200];
    int waiting;
};

struct member {
    struct crowd *crowd;
    int index;
    int which;
};

static int wait_in_crowd(void *arg)
{
    struct member *self = arg;
    int got;
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_RECV, .ch = self->crowd->common, .msg = &got },
        { .op = WEIR_SELECT_RECV, .ch = self->crowd->own[self->index], .msg = &got },
        { .op = WEIR_SELECT_UNTIL, .until = WEIR_NO_DEADLINE },
    };
    bump(&self->crowd->waiting);
    self->which = weir_select(cases, 3, WEIR_NO_DEADLINE);
    return 0;
}

RUN(one_message_ends_one_select_of_many)
{
    enum {
        MEMBERS = 100
    };
    struct crowd crowd = { .common = make(0) };
    struct member members[MEMBERS];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < MEMBERS; i++) {
        crowd.own[i] = make(0);
        members[i] = (struct member){ .crowd = &crowd, .index = i, .which = -100 };
        CHECK_EQ(weir_go(wait_in_crowd, &members[i]), 0);
    }
    await(&crowd.waiting, MEMBERS);
    const int value = 6;
    for (int i = 0; i < MEMBERS / 2; i++)
        CHECK_EQ(weir_chan_send(crowd.common, &value, WEIR_NO_DEADLINE), 0);
    /* Half of them are through; each of the others hears on its own channel. */
    for (int i = 0; i < MEMBERS; i++)
        CHECK_EQ(weir_chan_close(crowd.own[i]), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    int by_message = 0;
    for (int i = 0; i < MEMBERS; i++) {
        by_message += members[i].which == 0;
        CHECK(members[i].which == 0 || members[i].which == 1);
        weir_chan_destroy(crowd.own[i]);
    }
    CHECK_EQ(by_message, MEMBERS / 2);
    weir_chan_destroy(crowd.common);
    return 0;
}

/* -- cancellation and misuse ------------------------------------------------------------------ */

struct everything {
    weir_timer *timer;
};

static int wait_for_everything(void *arg)
{
    struct everything *everything = arg;
    weir_task *task;
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    weir_chan *ch = make(0);
    int got;
    CHECK_EQ(weir_task_start(&task, give, ch), 0);
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_TIMER, .timer = everything->timer },
        { .op = WEIR_SELECT_READABLE, .fd = fds[0] },
        { .op = WEIR_SELECT_JOIN, .task = task },
        { .op = WEIR_SELECT_UNTIL, .until = weir_in_ms(60000) },
        { .op = WEIR_SELECT_SEND, .ch = NULL, .msg = &got },
    };
    CHECK_EQ(weir_select(cases, 5, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_select(cases, 5, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    const int value = 5;
    while (weir_chan_send(ch, &value, WEIR_DONT_WAIT) != 0) {
    }
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(ch);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

BOTH(cancellation_ends_a_select_and_leaves_no_trace)
{
    struct everything everything = { .timer = make_timer() };
    weir_task *task;
    CHECK_EQ(weir_timer_start(everything.timer, weir_in_ms(60000), 0), 0);
    CHECK_EQ(weir_task_start(&task, wait_for_everything, &everything), 0);
    await_waiters("select", 1);
    weir_task_cancel(task, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    weir_timer_destroy(everything.timer); /* aborts if a waiter were left */
    return 0;
}

static void wrong_size(void)
{
    weir_chan *ch = make(1);
    long wide = 3;
    struct weir_select_case one = {
        .op = WEIR_SELECT_SEND, .ch = ch, .msg = &wide, .msg_bytes = sizeof(wide)
    };
    IGNORE(weir_select(&one, 1, WEIR_DONT_WAIT));
}

static void a_wrong_size_aborts_with_both(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(wrong_size, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "8"));
    assert_non_null(strstr(text, "4"));
}

static void no_such_op(void)
{
    struct weir_select_case one = { .op = (enum weir_select_op)55 };
    IGNORE(weir_select(&one, 1, WEIR_DONT_WAIT));
}

static void an_unknown_op_aborts_with_it(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(no_such_op, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "55"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_instant_wins_and_never_early),
        cmocka_unit_test(an_instant_and_the_deadline_are_told_apart),
        cmocka_unit_test(a_timer_ticks_in_a_select),
        cmocka_unit_test(a_timer_that_loses_keeps_its_tick),
        cmocka_unit_test(the_end_of_a_task_is_a_case),
        cmocka_unit_test(a_task_that_joins_itself_is_told),
        cmocka_unit_test(a_descriptor_is_a_case),
        cmocka_unit_test(a_select_that_waits_hears_of_a_descriptor),
        cmocka_unit_test(in_an_ordered_select_the_first_ready_case_is_done),
        cmocka_unit_test(ready_cases_of_any_kind_are_chosen_uniformly),
        cmocka_unit_test(one_message_ends_one_select_of_many),
        cmocka_unit_test(cancellation_ends_a_select_and_leaves_no_trace),
        cmocka_unit_test(a_wrong_size_aborts_with_both),
        cmocka_unit_test(an_unknown_op_aborts_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
