/* SPDX-License-Identifier: MIT */
/* Cancellation: sticky, with a cause, quick wherever a task is parked, held back by shields, and
 * never at the price of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "support/soon.h"

struct parked {
    weir_chan *ch;
    weir_chan *other;
    weir_mutex *mutex;
    weir_task *joined;
    int where;
    int started;
    int done;
    weir_time woken;
    int result;
};

enum {
    IN_SLEEP,
    IN_RECV,
    IN_SEND,
    IN_SELECT,
    IN_SCOPE,
    PLACES
};

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_NO_DEADLINE);
}

static int park_somewhere(void *arg)
{
    struct parked *parked = arg;
    int value = 0;
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_RECV, .ch = parked->ch, .msg = &value },
        { .op = WEIR_SELECT_SEND, .ch = parked->other, .msg = &value },
    };
    weir_scope *scope;
    bump(&parked->started);
    switch (parked->where) {
    case IN_SLEEP:
        parked->result = weir_sleep(WEIR_NO_DEADLINE);
        break;
    case IN_RECV:
        parked->result = weir_chan_recv(parked->ch, &value, WEIR_NO_DEADLINE);
        break;
    case IN_SEND:
        parked->result = weir_chan_send(parked->ch, &value, WEIR_NO_DEADLINE);
        break;
    case IN_SELECT:
        parked->result = weir_select(cases, 2, WEIR_NO_DEADLINE);
        break;
    default:
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        /* Canceled before it has spawned, it may spawn no more. */
        const int spawned = weir_go(sleep_for_ever, NULL);
        CHECK(spawned == 0 || spawned == WEIR_ECANCELED);
        const int closed = weir_scope_close(scope, WEIR_NO_DEADLINE);
        parked->result = closed != 0 || spawned != 0 ? WEIR_ECANCELED : 0;
        break;
    }
    parked->woken = weir_now();
    bump(&parked->done);
    return 0;
}

static weir_chan *make(size_t cap_elems)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = cap_elems };
    CHECK_EQ(weir_chan_create(&ch, &opts), 0);
    return ch;
}

/* How long a task in that wait took to hear of its cancellation. */
static int64_t cancel_one(void *arg)
{
    struct parked *parked = arg;
    weir_task *task;
    post(&parked->started, 0);
    CHECK_EQ(weir_task_start(&task, park_somewhere, parked), 0);
    await(&parked->started, 1);
    CHECK_EQ(weir_yield(), 0);
    const weir_time asked = weir_now();
    weir_task_cancel(task, WEIR_EPERM);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(parked->result, WEIR_ECANCELED);
    return parked->woken - asked;
}

/* Cancels a task in every kind of wait, many times. */
RUN(a_parked_task_hears_of_its_cancellation_at_once)
{
    static const char *const names[PLACES] = { [IN_SLEEP] = "cancel in sleep",
                                               [IN_RECV] = "cancel in recv",
                                               [IN_SEND] = "cancel in send",
                                               [IN_SELECT] = "cancel in select",
                                               [IN_SCOPE] = "cancel in a scope's close" };
    struct parked parked = { .ch = make(0), .other = make(0) };
    for (int where = 0; where < PLACES; where++) {
        parked.where = where;
        expect_soon(names[where], 60, cancel_one, &parked);
    }
    weir_chan_destroy(parked.ch);
    weir_chan_destroy(parked.other);
    return 0;
}

static int stays_canceled(void *arg)
{
    struct parked *parked = arg;
    int value = 1;
    weir_chan *roomy = make(4);
    bump(&parked->started);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(weir_cancel_cause(), WEIR_EDRAINING);
        CHECK_EQ(weir_sleep(weir_in_ms(1)), WEIR_ECANCELED);
        CHECK_EQ(weir_yield(), WEIR_ECANCELED);
        /* Also where nothing would have had to wait, and nothing is done then. */
        CHECK_EQ(weir_chan_send(roomy, &value, WEIR_NO_DEADLINE), WEIR_ECANCELED);
        CHECK_EQ(weir_chan_len(roomy), 0);
        CHECK_EQ(weir_chan_recv(roomy, &value, WEIR_NO_DEADLINE), WEIR_ECANCELED);
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_SEND, .ch = roomy, .msg = &value }
        };
        CHECK_EQ(weir_select(cases, 1, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    }
    /* A try is no wait. */
    CHECK_EQ(weir_chan_send(roomy, &value, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_chan_recv(roomy, &value, WEIR_DONT_WAIT), 0);
    weir_chan_destroy(roomy);
    return 0;
}

RUN(cancellation_is_sticky_and_keeps_its_first_cause)
{
    struct parked parked = { .started = 0 };
    weir_task *task;
    int result = 1;
    CHECK_EQ(weir_task_start(&task, stays_canceled, &parked), 0);
    await(&parked.started, 1);
    weir_task_cancel(task, WEIR_EDRAINING);
    weir_task_cancel(task, WEIR_EIO);
    CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, 0);
    return 0;
}

static int canceled_before_it_runs(void *arg)
{
    struct parked *parked = arg;
    await(&parked->started, 1);
    CHECK_EQ(weir_cancel_cause(), WEIR_EPERM);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    bump(&parked->done);
    return 0;
}

RUN(a_cancellation_before_the_first_wait_is_not_forgotten)
{
    struct parked parked = { .started = 0 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, canceled_before_it_runs, &parked), 0);
    weir_task_cancel(task, WEIR_EPERM);
    bump(&parked.started);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(parked.done, 1);
    return 0;
}

static int join_while_canceled(void *arg)
{
    struct parked *parked = arg;
    int result = 0;
    bump(&parked->started);
    CHECK_EQ(weir_task_join(parked->joined, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, 77);
    CHECK_EQ(weir_cancel_cause(), WEIR_EPERM);
    bump(&parked->done);
    return 0;
}

static int end_when_told(void *arg)
{
    struct parked *parked = arg;
    int value;
    CHECK_EQ(weir_chan_recv(parked->ch, &value, WEIR_NO_DEADLINE), 0);
    return 77;
}

RUN(a_join_is_not_interrupted)
{
    struct parked parked = { .ch = make(0) };
    weir_task *joiner;
    CHECK_EQ(weir_task_start(&parked.joined, end_when_told, &parked), 0);
    CHECK_EQ(weir_task_start(&joiner, join_while_canceled, &parked), 0);
    await(&parked.started, 1);
    weir_task_cancel(joiner, WEIR_EPERM);
    CHECK_EQ(weir_task_join(joiner, NULL, weir_in_ms(5)), WEIR_ETIMEDOUT);
    int value = 0;
    CHECK_EQ(weir_chan_send(parked.ch, &value, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_join(joiner, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(parked.done, 1);
    weir_chan_destroy(parked.ch);
    return 0;
}

/* -- shields ----------------------------------------------------------------------------------- */

static int clean_up(void *arg)
{
    (void)arg;
    CHECK_EQ(weir_cancel_cause(), 0);
    const weir_time until = weir_in_ms(3);
    CHECK_EQ(weir_sleep(until), 0);
    CHECK(weir_now() >= until);
    return 123;
}

static int clean_up_for_too_long(void *arg)
{
    const weir_time *bound = arg;
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK(weir_now() >= *bound);
    CHECK_EQ(weir_cancel_cause(), WEIR_EPERM);
    return 0;
}

static int shield_within(void *arg)
{
    weir_time *bound = arg;
    return weir_shield(clean_up_for_too_long, bound, WEIR_NO_DEADLINE);
}

static int shielded(void *arg)
{
    struct parked *parked = arg;
    bump(&parked->started);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_shield(clean_up, NULL, weir_in_ms(10000)), 123);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    weir_time bound = weir_in_ms(4);
    CHECK_EQ(weir_shield(clean_up_for_too_long, &bound, bound), 0);
    /* An inner shield does not outlast the outer one. */
    bound = weir_in_ms(4);
    CHECK_EQ(weir_shield(shield_within, &bound, bound), 0);
    CHECK_EQ(weir_cancel_cause(), WEIR_EPERM);
    return 0;
}

RUN(a_shield_holds_cancellation_back_until_its_bound)
{
    struct parked parked = { .started = 0 };
    weir_task *task;
    int result = 1;
    CHECK_EQ(weir_task_start(&task, shielded, &parked), 0);
    await(&parked.started, 1);
    weir_task_cancel(task, WEIR_EPERM);
    CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, 0);
    return 0;
}

static int deadline_in_shield(void *arg)
{
    (void)arg;
    (void)weir_deadline_cap(weir_in_ms(1));
    CHECK_EQ(weir_shield(clean_up, NULL, weir_in_ms(10000)), 123);
    CHECK_EQ(weir_cancel_cause(), WEIR_ETIMEDOUT);
    return 0;
}

RUN(a_shield_holds_the_ambient_deadline_back_too)
{
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, deadline_in_shield, NULL), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* -- nothing is lost --------------------------------------------------------------------------- */

struct race {
    weir_chan *ch;
    int messages;
    int senders;
    int64_t received_sum;
    int64_t sent_sum;
    int received;
    int sent;
    int timed_out;
};

static int send_with_short_deadlines(void *arg)
{
    struct race *race = arg;
    for (int i = 1; i <= race->messages; i++) {
        int rc;
        do {
            rc = weir_chan_send(race->ch, &i, weir_in_ns(1000 * (2 + i % 40)));
            if (rc == WEIR_ETIMEDOUT)
                bump(&race->timed_out);
        } while (rc == WEIR_ETIMEDOUT);
        CHECK_EQ(rc, 0);
        __atomic_add_fetch(&race->sent_sum, i, __ATOMIC_RELAXED);
        bump(&race->sent);
    }
    if (__atomic_sub_fetch(&race->senders, 1, __ATOMIC_SEQ_CST) == 0)
        CHECK_EQ(weir_chan_close(race->ch), 0);
    return 0;
}

static int receive_with_short_deadlines(void *arg)
{
    struct race *race = arg;
    for (int i = 0;; i++) {
        int value = 0;
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_RECV, .ch = race->ch, .msg = &value },
            { .op = WEIR_SELECT_RECV, .ch = NULL, .msg = &value },
        };
        const weir_time deadline = weir_in_ns(1000 * (2 + i % 30));
        int rc = 0;
        if (i % 2 == 0)
            rc = weir_chan_recv(race->ch, &value, deadline);
        else if ((rc = weir_select(cases, 2, deadline)) == 0)
            rc = cases[0].result;
        if (rc == WEIR_ECLOSED)
            return 0;
        if (rc == WEIR_ETIMEDOUT) {
            bump(&race->timed_out);
            continue;
        }
        CHECK_EQ(rc, 0);
        __atomic_add_fetch(&race->received_sum, value, __ATOMIC_RELAXED);
        bump(&race->received);
    }
}

RUN(a_deadline_that_races_a_delivery_loses_and_doubles_nothing)
{
    for (size_t cap = 0; cap < 3; cap++) {
        struct race race = { .ch = make(cap), .messages = 1500, .senders = 2 };
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(weir_go(send_with_short_deadlines, &race), 0);
            CHECK_EQ(weir_go(receive_with_short_deadlines, &race), 0);
        }
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(race.sent, 3000);
        CHECK_EQ(race.received, race.sent);
        CHECK_EQ(race.received_sum, race.sent_sum);
        weir_chan_destroy(race.ch);
    }
    return 0;
}

/* Receivers are canceled while messages come; what a canceled receive returned it did not take. */
static int receive_until_canceled(void *arg)
{
    struct race *race = arg;
    for (;;) {
        int value = 0;
        const int rc = weir_chan_recv(race->ch, &value, WEIR_NO_DEADLINE);
        if (rc != 0) {
            CHECK(rc == WEIR_ECANCELED || rc == WEIR_ECLOSED);
            return 0;
        }
        __atomic_add_fetch(&race->received_sum, value, __ATOMIC_RELAXED);
        bump(&race->received);
    }
}

static int send_all(void *arg)
{
    struct race *race = arg;
    for (int i = 1; i <= race->messages; i++) {
        CHECK_EQ(weir_chan_send(race->ch, &i, WEIR_NO_DEADLINE), 0);
        race->sent_sum += i;
    }
    post(&race->sent, race->messages);
    CHECK_EQ(weir_chan_close(race->ch), 0);
    return 0;
}

RUN(a_canceled_receive_takes_nothing)
{
    struct race race = { .ch = make(0), .messages = 3000 };
    weir_task *sender;
    CHECK_EQ(weir_task_start(&sender, send_all, &race), 0);
    while (peek(&race.sent) == 0) {
        weir_task *receivers[4];
        for (int i = 0; i < 4; i++)
            CHECK_EQ(weir_task_start(&receivers[i], receive_until_canceled, &race), 0);
        const int goal = peek(&race.received) + 20;
        while (peek(&race.received) < goal && peek(&race.sent) == 0)
            (void)weir_yield();
        for (int i = 0; i < 4; i++)
            weir_task_cancel(receivers[i], WEIR_EPERM);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(weir_task_join(receivers[i], NULL, WEIR_NO_DEADLINE), 0);
    }
    CHECK_EQ(weir_task_join(sender, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(race.received, race.messages);
    CHECK_EQ(race.received_sum, race.sent_sum);
    weir_chan_destroy(race.ch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parked_task_hears_of_its_cancellation_at_once),
        cmocka_unit_test(cancellation_is_sticky_and_keeps_its_first_cause),
        cmocka_unit_test(a_cancellation_before_the_first_wait_is_not_forgotten),
        cmocka_unit_test(a_join_is_not_interrupted),
        cmocka_unit_test(a_shield_holds_cancellation_back_until_its_bound),
        cmocka_unit_test(a_shield_holds_the_ambient_deadline_back_too),
        cmocka_unit_test(a_deadline_that_races_a_delivery_loses_and_doubles_nothing),
        cmocka_unit_test(a_canceled_receive_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
