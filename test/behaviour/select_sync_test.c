/* SPDX-License-Identifier: MIT */
/* Events, futures and semaphores as cases of a select: one of them ends it, and those that lose
 * are left as they were: no permit is taken, nobody is kept from his. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static weir_semaphore *make_semaphore(int64_t permits)
{
    weir_semaphore *semaphore;
    CHECK_EQ(weir_semaphore_create(&semaphore, &(struct weir_semaphore_opts){ .permits = permits }),
             0);
    return semaphore;
}

struct late {
    weir_event *event;
    weir_promise *promise;
    weir_semaphore *semaphore;
    int what;
};

/* After a while, so that the select waits. */
static int let_happen(void *arg)
{
    struct late *late = arg;
    const int value = 42;
    CHECK_EQ(weir_sleep(weir_in_ns(300000)), 0);
    if (late->what == 0)
        weir_event_set(late->event);
    else if (late->what == 1)
        CHECK_EQ(weir_promise_set(late->promise, &value), 0);
    else
        weir_semaphore_release(late->semaphore, 1);
    return 0;
}

static void select_one_of_three(int what, bool at_once)
{
    struct late late = { .semaphore = make_semaphore(0), .what = what };
    weir_future *future;
    weir_task *task = NULL;
    int value = 0;
    CHECK_EQ(weir_event_create(&late.event), 0);
    CHECK_EQ(weir_future_create(&late.promise, &future, sizeof(int)), 0);
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_EVENT, .event = late.event },
        { .op = WEIR_SELECT_FUTURE, .future = future, .msg = &value },
        { .op = WEIR_SELECT_ACQUIRE, .semaphore = late.semaphore },
        { .op = WEIR_SELECT_EVENT, .event = NULL },
        { .op = WEIR_SELECT_FUTURE, .future = NULL },
        { .op = WEIR_SELECT_ACQUIRE, .semaphore = NULL },
    };
    CHECK_EQ(weir_select(cases, 6, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_select(cases, 6, weir_in_ns(100000)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_task_start(&task, let_happen, &late), 0);
    if (at_once)
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_select(cases, 6, WEIR_NO_DEADLINE), what);
    CHECK_EQ(cases[what].result, 0);
    CHECK_EQ(value, what == 1 ? 42 : 0);
    CHECK_EQ(weir_semaphore_available(late.semaphore), 0);
    if (!at_once)
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    /* An event and a future stay as they are, a permit was taken. */
    CHECK_EQ(weir_select(cases, 6, WEIR_DONT_WAIT), what == 2 ? WEIR_ETIMEDOUT : what);
    weir_event_destroy(late.event);
    weir_promise_destroy(late.promise);
    weir_future_release(future);
    weir_semaphore_destroy(late.semaphore);
}

BOTH(each_of_them_ends_a_select)
{
    for (int what = 0; what < 3; what++) {
        select_one_of_three(what, false);
        select_one_of_three(what, true);
    }
    return 0;
}

BOTH(a_future_that_failed_gives_its_error)
{
    weir_promise *promise;
    weir_future *future;
    int value = 7;
    CHECK_EQ(weir_future_create(&promise, &future, sizeof(int)), 0);
    CHECK_EQ(weir_promise_fail(promise, WEIR_EIO), 0);
    struct weir_select_case one = { .op = WEIR_SELECT_FUTURE, .future = future, .msg = &value };
    CHECK_EQ(weir_select(&one, 1, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(one.result, WEIR_EIO);
    CHECK_EQ(value, 7);
    weir_promise_destroy(promise);
    weir_future_release(future);
    return 0;
}

/* -- permits ----------------------------------------------------------------------------------- */

struct bank {
    weir_semaphore *left;
    weir_semaphore *right;
    weir_event *quit;
    int taken;
    int inside;
};

/* Takes a permit of either and gives it back, in a select or plainly. */
static int take_and_give(void *arg)
{
    struct bank *bank = arg;
    for (int i = 0; i < 300; i++) {
        weir_semaphore *own = bank->left;
        if (i % 3 == 0) {
            CHECK_EQ(weir_semaphore_acquire(own, 1 + i % 2, WEIR_NO_DEADLINE), 0);
            CHECK(bump(&bank->inside) <= 4);
            if (i % 2 != 0)
                weir_semaphore_release(own, 1);
        } else {
            struct weir_select_case cases[] = {
                { .op = WEIR_SELECT_ACQUIRE, .semaphore = bank->left },
                { .op = WEIR_SELECT_ACQUIRE, .semaphore = bank->right },
                { .op = WEIR_SELECT_EVENT, .event = bank->quit },
            };
            const int which = weir_select(cases, i % 3 + 1, weir_in_ms(60000));
            CHECK(which == 0 || which == 1);
            own = which == 0 ? bank->left : bank->right;
            CHECK(bump(&bank->inside) <= 4);
        }
        if (i % 16 == 0)
            CHECK_EQ(weir_yield(), 0);
        __atomic_sub_fetch(&bank->inside, 1, __ATOMIC_SEQ_CST);
        weir_semaphore_release(own, 1);
        bump(&bank->taken);
    }
    return 0;
}

RUN(permits_are_neither_lost_nor_made)
{
    struct bank bank = { .left = make_semaphore(2), .right = make_semaphore(2) };
    weir_scope *scope;
    CHECK_EQ(weir_event_create(&bank.quit), 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(weir_go(take_and_give, &bank), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(bank.taken, 8 * 300);
    CHECK_EQ(weir_semaphore_available(bank.left), 2);
    CHECK_EQ(weir_semaphore_available(bank.right), 2);
    weir_semaphore_destroy(bank.left);
    weir_semaphore_destroy(bank.right);
    weir_event_destroy(bank.quit);
    return 0;
}

struct racer {
    weir_event *event;
    weir_chan *ch;
    weir_semaphore *permits;
    int by_event;
    int by_message;
    int by_permit;
};

static int wait_for_any(void *arg)
{
    struct racer *racer = arg;
    int got;
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_EVENT, .event = racer->event },
        { .op = WEIR_SELECT_RECV, .ch = racer->ch, .msg = &got },
        { .op = WEIR_SELECT_ACQUIRE, .semaphore = racer->permits },
    };
    const int which = weir_select(cases, 3, WEIR_NO_DEADLINE);
    CHECK(which >= 0);
    bump(which == 0 ? &racer->by_event : which == 1 ? &racer->by_message : &racer->by_permit);
    return 0;
}

static int set_event(void *arg)
{
    weir_event_set(((struct racer *)arg)->event);
    return 0;
}

static int release_three(void *arg)
{
    weir_semaphore_release(((struct racer *)arg)->permits, 3);
    return 0;
}

/* Everything at the same time: what was not taken is still there. */
RUN(of_things_that_happen_together_each_select_takes_one)
{
    for (int round = 0; round < 50; round++) {
        struct racer racer = { .permits = make_semaphore(0) };
        const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = 4 };
        weir_scope *scope;
        CHECK_EQ(weir_event_create(&racer.event), 0);
        CHECK_EQ(weir_chan_create(&racer.ch, &opts), 0);
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < 6; i++)
            CHECK_EQ(weir_go(wait_for_any, &racer), 0);
        if (round % 2 == 0)
            CHECK_EQ(weir_yield(), 0);
        CHECK_EQ(weir_go(release_three, &racer), 0);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(weir_chan_send(racer.ch, &i, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_go(set_event, &racer), 0);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(racer.by_event + racer.by_message + racer.by_permit, 6);
        CHECK_EQ(weir_chan_len(racer.ch), 4 - racer.by_message);
        CHECK_EQ(weir_semaphore_available(racer.permits), 3 - racer.by_permit);
        weir_event_destroy(racer.event);
        weir_chan_destroy(racer.ch);
        weir_semaphore_destroy(racer.permits);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_them_ends_a_select),
        cmocka_unit_test(a_future_that_failed_gives_its_error),
        cmocka_unit_test(permits_are_neither_lost_nor_made),
        cmocka_unit_test(of_things_that_happen_together_each_select_takes_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
