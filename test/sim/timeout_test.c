/* SPDX-License-Identifier: MIT */
/* Timeouts, results and cancellations at one and the same instant of a virtual clock: whichever the
 * scheduler lets come first, what was got is kept and what came from outside is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/world.h"

static const int64_t HOUR_NS = 3600 * WEIR_NS_PER_S;

struct instant {
    weir_chan *ch;
    weir_time at;
    weir_task *waiter;
    int received;
    int end;
    int cause;
    int inner;
    int outer;
};

static int send_then(void *arg)
{
    struct instant *instant = arg;
    int value = 5;
    CHECK_EQ(weir_sleep(instant->at), 0);
    const int rc = weir_chan_send(instant->ch, &value, weir_now() + HOUR_NS);
    CHECK(rc == 0 || rc == WEIR_ETIMEDOUT);
    return rc == 0 ? 5 : 0;
}

static int cancel_then(void *arg)
{
    struct instant *instant = arg;
    CHECK_EQ(weir_sleep(instant->at), 0);
    weir_task_cancel(instant->waiter, WEIR_EPERM);
    return 0;
}

static int receive_until(void *arg)
{
    struct instant *instant = arg;
    struct weir_timeout timeout;
    int value = 0;
    weir_timeout_begin(&timeout, instant->at);
    const int rc = weir_chan_recv(instant->ch, &value, WEIR_NO_DEADLINE);
    instant->end = weir_timeout_end(&timeout, rc);
    instant->cause = weir_cancel_cause();
    instant->received = value;
    CHECK_EQ(rc == 0, value == 5);
    return 0;
}

static weir_chan *make_chan(void)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int) };
    CHECK_EQ(weir_chan_create(&ch, &opts), 0);
    return ch;
}

enum {
    SENDER,
    WAITER,
    CANCELLER
};

static weir_task_fn *const parts[] = {
    [SENDER] = send_then, [WAITER] = receive_until, [CANCELLER] = cancel_then
};
static int sends, expiries, cancels;

/* All three at one instant, in every order of their spawning. */
static int collide(void *arg)
{
    uint64_t *random = arg;
    struct instant instant = { .ch = make_chan(), .at = weir_now() + HOUR_NS };
    const bool with_cancel = draw_below(random, 2) == 0;
    weir_task *tasks[3] = { NULL };
    const int first = draw_below(random, 3);
    const int step = 1 + draw_below(random, 2);
    for (int i = 0; i < 3; i++) {
        const int which = (first + i * step) % 3;
        if (which != CANCELLER || with_cancel)
            CHECK_EQ(weir_task_start(&tasks[which], parts[which], &instant), 0);
        instant.waiter = tasks[WAITER];
    }
    int sent = 0;
    CHECK_EQ(weir_task_join(tasks[SENDER], &sent, WEIR_NO_DEADLINE), 0);
    if (with_cancel)
        CHECK_EQ(weir_task_join(tasks[CANCELLER], NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_join(tasks[WAITER], NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(instant.received, sent); /* a message is got or not sent */
    if (instant.cause == WEIR_EPERM) {
        CHECK_EQ(instant.end, WEIR_ECANCELED);
        cancels++;
    } else if (instant.end == WEIR_ETIMEDOUT) {
        CHECK_EQ(instant.received, 0);
        expiries++;
    } else {
        CHECK_EQ(instant.end, 0);
        CHECK_EQ(instant.received, 5);
        sends++;
    }
    weir_chan_destroy(instant.ch);
    return 0;
}

static void a_message_a_timeout_and_a_cancel_at_one_instant_lose_nothing(void **state)
{
    (void)state;
    world_each_seed(world_calm, collide);
    printf("message %d, timeout %d, cancel %d\n", sends, expiries, cancels);
    if (getenv("WEIR_TEST_SEED") == NULL)
        assert_true(sends > 0 && expiries > 0 && cancels > 0);
}

/* The cancel is there when the result comes; the waiter runs after both. */
static int cancel_and_send(void *arg)
{
    struct instant *instant = arg;
    int value = 5;
    CHECK_EQ(weir_sleep(instant->at), 0);
    CHECK_EQ(weir_chan_send(instant->ch, &value, WEIR_NO_DEADLINE), 0);
    weir_task_cancel(instant->waiter, WEIR_EPERM);
    return 0;
}

static int receive_for_long(void *arg)
{
    struct instant *instant = arg;
    struct weir_timeout timeout;
    int value = 0;
    weir_timeout_begin(&timeout, instant->at + HOUR_NS);
    const int rc = weir_chan_recv(instant->ch, &value, WEIR_NO_DEADLINE);
    instant->end = weir_timeout_end(&timeout, rc);
    CHECK_EQ(rc, 0);
    CHECK_EQ(value, 5);
    return 0;
}

static int cancel_beside_a_result(void *arg)
{
    (void)arg;
    struct instant instant = { .ch = make_chan(), .at = weir_now() + HOUR_NS };
    weir_task *task;
    CHECK_EQ(weir_task_start(&instant.waiter, receive_for_long, &instant), 0);
    CHECK_EQ(weir_task_start(&task, cancel_and_send, &instant), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_join(instant.waiter, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(instant.end, WEIR_ECANCELED);
    weir_chan_destroy(instant.ch);
    return 0;
}

static void a_cancel_beside_a_result_is_told_and_the_result_kept(void **state)
{
    (void)state;
    world_each_seed(world_calm, cancel_beside_a_result);
}

/* -- nested ------------------------------------------------------------------------------------ */

static int nest_to_one_instant(void *arg)
{
    struct instant *instant = arg;
    struct weir_timeout outer;
    struct weir_timeout inner;
    weir_timeout_begin(&outer, instant->at);
    weir_timeout_begin(&inner, instant->at);
    int rc = weir_sleep(WEIR_NO_DEADLINE);
    instant->inner = weir_timeout_end(&inner, rc);
    rc = weir_sleep(WEIR_NO_DEADLINE);
    instant->outer = weir_timeout_end(&outer, rc);
    instant->cause = weir_cancel_cause();
    return 0;
}

static int nest_and_cancel(void *arg)
{
    uint64_t *random = arg;
    struct instant instant = { .at = weir_now() + HOUR_NS };
    weir_task *task = NULL;
    weir_task *canceller = NULL;
    const bool with_cancel = draw_below(random, 2) == 0;
    CHECK_EQ(weir_task_start(&task, nest_to_one_instant, &instant), 0);
    instant.waiter = task;
    if (with_cancel)
        CHECK_EQ(weir_task_start(&canceller, cancel_then, &instant), 0);
    if (canceller != NULL)
        CHECK_EQ(weir_task_join(canceller, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(instant.inner, WEIR_ECANCELED); /* never the inner one's time */
    CHECK(instant.outer == WEIR_ETIMEDOUT || (with_cancel && instant.outer == WEIR_ECANCELED));
    if (instant.outer == WEIR_ECANCELED)
        CHECK_EQ(instant.cause, WEIR_EPERM);
    return 0;
}

static void of_two_timeouts_at_one_instant_the_outer_one_reports(void **state)
{
    (void)state;
    world_each_seed(world_calm, nest_and_cancel);
}

/* -- scopes ------------------------------------------------------------------------------------ */

static int fail_then(void *arg)
{
    struct instant *instant = arg;
    /* Canceled at that very instant, if the opener was first. */
    return weir_sleep(instant->at) == 0 ? WEIR_EIO : WEIR_ECANCELED;
}

/* A scope whose child fails at the instant at which the timeout around it is up. */
static int fail_as_time_is_up(void *arg)
{
    uint64_t *random = arg;
    struct instant instant = { .at = weir_now() + HOUR_NS };
    struct weir_timeout timeout;
    weir_scope *scope;
    const weir_time outer = draw_below(random, 2) == 0 ? instant.at : instant.at + HOUR_NS;
    weir_timeout_begin(&timeout, outer);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(fail_then, &instant, .detached = true, .scope = scope), 0);
    const int body = weir_sleep(WEIR_NO_DEADLINE);
    CHECK_EQ(body, WEIR_ECANCELED);
    const int rc = weir_scope_close(scope, WEIR_NO_DEADLINE);
    CHECK(rc == WEIR_EIO || rc == WEIR_ETIMEDOUT || rc == WEIR_ECANCELED);
    const int end = weir_timeout_end(&timeout, rc);
    if (outer > instant.at)
        CHECK_EQ(end, WEIR_EIO);
    else
        CHECK(end == WEIR_EIO || end == WEIR_ETIMEDOUT);
    CHECK_EQ(weir_cancel_cause(), 0);
    return 0;
}

static void an_error_and_a_timeout_at_one_instant_are_told_apart(void **state)
{
    (void)state;
    world_each_seed(world_calm, fail_as_time_is_up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_a_timeout_and_a_cancel_at_one_instant_lose_nothing),
        cmocka_unit_test(a_cancel_beside_a_result_is_told_and_the_result_kept),
        cmocka_unit_test(of_two_timeouts_at_one_instant_the_outer_one_reports),
        cmocka_unit_test(an_error_and_a_timeout_at_one_instant_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
