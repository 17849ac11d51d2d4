/* SPDX-License-Identifier: MIT */
/* A deadlock of all tasks is found and reported, under every model; so are canceled tasks that do
 * not end.  What counts as a reason to go on is in test/task/deadlock_test.c. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static pthread_mutex_t text_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char text[65536]; /* guarded by text_lock */
    int calls;
    weir_chan *ch;
} seen;

static void take_line(void *user, const char *line)
{
    (void)user;
    pthread_mutex_lock(&text_lock);
    strncat(seen.text, line, sizeof(seen.text) - strlen(seen.text) - 2);
    strcat(seen.text, "\n");
    pthread_mutex_unlock(&text_lock);
}

static bool is_told(const char *text)
{
    pthread_mutex_lock(&text_lock);
    const bool told = strstr(seen.text, text) != NULL;
    pthread_mutex_unlock(&text_lock);
    return told;
}

/* As a program might: it ends what nobody else can. */
static void end_deadlock(void *user)
{
    CHECK(user == &seen);
    CHECK(is_told("error: deadlock: 4 tasks wait, all there are"));
    bump(&seen.calls);
    CHECK_EQ(weir_chan_close(seen.ch), 0);
}

static struct weir_opts watching(void)
{
    struct weir_opts opts = model_opts();
    opts.log = take_line;
    opts.on_deadlock = end_deadlock;
    opts.deadlock_user = &seen;
    opts.late_ns = 20 * WEIR_NS_PER_MS;
    memset(&seen, 0, sizeof(seen));
    return opts;
}

static int receive(void *arg)
{
    (void)arg;
    char byte;
    return weir_chan_recv(seen.ch, &byte, WEIR_NO_DEADLINE) == WEIR_ECLOSED ? 0 : -1;
}

static int have_all_wait(void *arg)
{
    (void)arg;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_go(receive, NULL, .name = "stuck"), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void a_deadlock_is_found_and_told(void **state)
{
    (void)state;
    const struct weir_opts opts = watching();
    assert_int_equal(weir_chan_create(&seen.ch, &(struct weir_chan_opts){ .elem_bytes = 1 }), 0);
    run_body_with(&opts, have_all_wait, NULL);
    assert_int_equal(peek(&seen.calls), 1);
    assert_true(is_told("3 tasks \"stuck\", spawned at "));
    assert_true(is_told(": receive from channel "));
    assert_true(is_told("have_all_wait"));
    weir_chan_destroy(seen.ch);
}

/* -- tasks that do not end -------------------------------------------------------------------- */

static int held_back(void *arg)
{
    char byte;
    (void)arg;
    return weir_chan_recv(seen.ch, &byte, WEIR_NO_DEADLINE) == WEIR_ECLOSED ? 0 : -1;
}

static int ignore_cancel(void *arg)
{
    bump(arg);
    return weir_shield(held_back, NULL, WEIR_NO_DEADLINE);
}

/* Ends the wait of the one that ignores its cancellation once that was told. */
static int end_when_told(void *arg)
{
    (void)arg;
    while (!is_told("a scope that closes has canceled its tasks 20 ms ago, and 1 go on:") ||
           !is_told("\"ignorant\", spawned at "))
        (void)weir_sleep(weir_in_ms(1));
    return weir_chan_close(seen.ch);
}

static int close_with_a_late_child(void *arg)
{
    int begun = 0;
    weir_scope *scope;
    weir_task *other;
    (void)arg;
    CHECK_EQ(weir_task_start(&other, end_when_told, NULL), 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(ignore_cancel, &begun, .name = "ignorant"), 0);
    await(&begun, 1);
    CHECK_EQ(weir_scope_close(scope, weir_in_ms(1)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_task_join(other, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void canceled_children_that_do_not_end_are_told(void **state)
{
    (void)state;
    const struct weir_opts opts = watching();
    assert_int_equal(weir_chan_create(&seen.ch, &(struct weir_chan_opts){ .elem_bytes = 1 }), 0);
    run_body_with(&opts, close_with_a_late_child, NULL);
    weir_chan_destroy(seen.ch);
}

static void what_keeps_the_runtime_open_is_told(void **state)
{
    (void)state;
    const struct weir_opts opts = watching();
    int begun = 0;
    assert_int_equal(weir_chan_create(&seen.ch, &(struct weir_chan_opts){ .elem_bytes = 1 }), 0);
    runtime_open(&opts);
    assert_int_equal(weir_go(ignore_cancel, &begun, .name = "ignorant", .detached = true), 0);
    if (model_is_parallel()) {
        await(&begun, 1);
    } else {
        while (peek(&begun) == 0)
            IGNORE(weir_turn(weir_in_ms(1)));
    }
    assert_int_equal(weir_close(weir_in_ms(5)), WEIR_ETIMEDOUT);
    assert_int_equal(weir_chan_close(seen.ch), 0);
    runtime_close();
    assert_true(is_told("tasks have not ended by the deadline of weir_close(), 1 of them:"));
    assert_true(is_told("\"ignorant\", spawned at "));
    assert_true(is_told(": receive from channel "));
    weir_chan_destroy(seen.ch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadlock_is_found_and_told),
        cmocka_unit_test(canceled_children_that_do_not_end_are_told),
        cmocka_unit_test(what_keeps_the_runtime_open_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
