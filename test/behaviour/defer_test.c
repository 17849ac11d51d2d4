/* SPDX-License-Identifier: MIT */
/* Deferred handlers run once, in reverse, on every way out, and may wait though their task is
 * canceled; the detail of an error goes to who closes the scope, or is released. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

struct trail {
    char text[64];
    int length;
    int started;
    int ended;
    int result;
};

struct step {
    struct trail *trail;
    char letter;
};

static void leave(void *arg)
{
    const struct step *step = arg;
    step->trail->text[step->trail->length++] = step->letter;
}

/* A handler that waits, as cleaning up does. */
static void leave_slowly(void *arg)
{
    CHECK_EQ(weir_cancel_cause(), 0);
    const weir_time until = weir_in_ms(1);
    CHECK_EQ(weir_sleep(until), 0);
    CHECK(weir_now() >= until);
    leave(arg);
}

static int defer_three(void *arg)
{
    struct trail *trail = arg;
    static const char letters[] = "abc";
    static struct step steps[3];
    for (int i = 0; i < 3; i++) {
        steps[i] = (struct step){ .trail = trail, .letter = letters[i] };
        CHECK_EQ(weir_defer(i == 1 ? leave_slowly : leave, &steps[i]), 0);
    }
    bump(&trail->started);
    if (trail->result == WEIR_ECANCELED)
        CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(trail->length, 0);
    return trail->result;
}

static void check_way_out(int result)
{
    struct trail trail = { .result = result };
    weir_task *task;
    int ended = 1;
    CHECK_EQ(weir_task_start(&task, defer_three, &trail), 0);
    await(&trail.started, 1);
    if (result == WEIR_ECANCELED)
        weir_task_cancel(task, WEIR_EPERM);
    CHECK_EQ(weir_task_join(task, &ended, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(ended, result);
    CHECK_EQ(strcmp(trail.text, "cba"), 0);
}

RUN(a_tasks_handlers_run_in_reverse_on_every_way_out)
{
    check_way_out(0);
    check_way_out(WEIR_ECANCELED);
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .keep_going = true }), 0);
    check_way_out(WEIR_EIO);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), WEIR_EIO);
    return 0;
}

static int end_last(void *arg)
{
    struct trail *trail = arg;
    for (int i = 0; i < 20; i++)
        (void)weir_yield();
    CHECK_EQ(trail->length, 0);
    bump(&trail->ended);
    return 0;
}

static void after_the_children(void *arg)
{
    const struct step *step = arg;
    CHECK_EQ(step->trail->ended, 1);
    leave_slowly(arg);
}

static int with_scopes(void *arg)
{
    struct trail *trail = arg;
    struct step steps[] = { { trail, 'a' }, { trail, 'b' }, { trail, 'c' }, { trail, 'd' } };
    weir_scope *outer;
    weir_scope *inner;
    CHECK_EQ(weir_scope_open(&outer, NULL), 0);
    CHECK_EQ(weir_defer(leave, &steps[0]), 0);
    CHECK_EQ(weir_scope_open(&inner, NULL), 0);
    CHECK_EQ(weir_go(end_last, trail), 0);
    CHECK_EQ(weir_defer(leave, &steps[1]), 0);
    CHECK_EQ(weir_defer(after_the_children, &steps[2]), 0);
    CHECK_EQ(weir_scope_close(inner, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(strcmp(trail->text, "cb"), 0);
    CHECK_EQ(weir_defer(leave, &steps[3]), 0);
    weir_scope_cancel(outer, WEIR_EPERM);
    CHECK_EQ(weir_scope_close(outer, WEIR_NO_DEADLINE), WEIR_EPERM);
    CHECK_EQ(strcmp(trail->text, "cbda"), 0);
    return 0;
}

RUN(a_scopes_handlers_run_when_its_children_have_ended)
{
    struct trail trail = { .length = 0 };
    return with_scopes(&trail);
}

static int pop_some(void *arg)
{
    struct trail *trail = arg;
    static struct step steps[3];
    for (int i = 0; i < 3; i++) {
        steps[i] = (struct step){ .trail = trail, .letter = (char)('x' + i) };
        CHECK_EQ(weir_defer(leave, &steps[i]), 0);
    }
    weir_defer_pop(true);
    CHECK_EQ(strcmp(trail->text, "z"), 0);
    weir_defer_pop(false);
    CHECK_EQ(strcmp(trail->text, "z"), 0);
    return 0;
}

RUN(a_handler_taken_back_runs_at_once_or_not_at_all)
{
    struct trail trail = { .length = 0 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, pop_some, &trail), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(strcmp(trail.text, "zx"), 0);
    return 0;
}

static void defer_one_more(void *arg)
{
    leave(arg);
    CHECK_EQ(weir_defer(leave, arg), 0);
}

RUN(a_handler_may_defer_another)
{
    struct trail trail = { .length = 0 };
    struct step step = { .trail = &trail, .letter = 'h' };
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_defer(defer_one_more, &step), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(strcmp(trail.text, "hh"), 0);
    return 0;
}

static void a_plain_thread_defers_within_scopes_only(void **state)
{
    (void)state;
    struct trail trail = { .length = 0 };
    struct step step = { .trail = &trail, .letter = 't' };
    runtime_open(NULL);
    assert_int_equal(weir_defer(leave, &step), WEIR_ENOTSUP);
    assert_int_equal(with_scopes(&trail), 0);
    runtime_close();
}

/* -- the detail of an error -------------------------------------------------------------------- */

static int released;

static void release_text(void *detail)
{
    free(detail);
    bump(&released);
}

static int fail_with_detail(void *arg)
{
    char *text = malloc(32);
    CHECK(text != NULL);
    (void)snprintf(text, 32, "detail of %s", (const char *)arg);
    return weir_fail(WEIR_EPROTO, text, release_text);
}

RUN(the_closer_gets_the_detail_of_the_first_error)
{
    post(&released, 0);
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(fail_with_detail, "one", .name = "one"), 0);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    struct weir_scope_error error = { .size = sizeof(error) };
    CHECK_EQ(weir_scope_close_error(scope, &error, WEIR_NO_DEADLINE), WEIR_EPROTO);
    CHECK_EQ(strcmp(error.name, "one"), 0);
    CHECK_EQ(strcmp(error.detail, "detail of one"), 0);
    CHECK_EQ(error.failed, 1);
    CHECK_EQ(peek(&released), 0);
    weir_scope_error_release(&error);
    weir_scope_error_release(&error);
    CHECK_EQ(peek(&released), 1);
    return 0;
}

RUN(every_other_detail_is_released)
{
    post(&released, 0);
    weir_scope *scope;
    for (int with_error = 0; with_error < 2; with_error++) {
        CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .keep_going = true }), 0);
        for (int i = 0; i < 10; i++)
            CHECK_EQ(weir_go(fail_with_detail, "many"), 0);
        struct weir_scope_error error = { .size = sizeof(error) };
        CHECK_EQ(weir_scope_close_error(scope, with_error != 0 ? &error : NULL, WEIR_NO_DEADLINE),
                 WEIR_EPROTO);
        CHECK_EQ(peek(&released), with_error != 0 ? 19 : 10);
        if (with_error != 0) {
            CHECK_EQ(error.failed, 10);
            weir_scope_error_release(&error);
        }
    }
    CHECK_EQ(peek(&released), 20);
    return 0;
}

static int think_better_of_it(void *arg)
{
    CHECK_EQ(fail_with_detail(arg), WEIR_EPROTO);
    CHECK_EQ(fail_with_detail(arg), WEIR_EPROTO); /* releases the one before */
    CHECK_EQ(peek(&released), 1);
    return 0;
}

RUN(a_detail_without_an_error_is_released)
{
    post(&released, 0);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, think_better_of_it, "none"), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(peek(&released), 2);
    /* Nobody opened the runtime's own scope. */
    CHECK_EQ(weir_task_start(&task, fail_with_detail, "root", .detached = true), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(peek(&released), 3);
    return 0;
}

/* -- leftovers --------------------------------------------------------------------------------- */

static char logged[4096];

static void collect_log(void *user, const char *line)
{
    (void)user;
    (void)strncat(logged, line, sizeof(logged) - strlen(logged) - 1);
    (void)strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

static int fail_when_canceled(void *arg)
{
    bump(arg);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return WEIR_EPIPE;
}

static void leftover_tasks_are_canceled_awaited_and_reported(void **state)
{
    (void)state;
    int started = 0;
    struct weir_opts opts = model_opts();
    opts.log = collect_log;
    logged[0] = '\0';
    runtime_open(&opts);
    assert_int_equal(weir_go(fail_when_canceled, &started, .name = "left"), 0);
    while (peek(&started) == 0) {
        if (model_scheduler() == WEIR_SCHEDULER_LOOP)
            IGNORE(weir_turn(weir_in_ms(1)));
        else
            await(&started, 1);
    }
    runtime_close();
    assert_non_null(strstr(logged, "1 tasks were left over"));
    assert_non_null(strstr(logged, "(left, "));
    assert_non_null(strstr(logged, "WEIR_EPIPE"));
}

/* -- misuse ------------------------------------------------------------------------------------ */

static int pop_beyond_the_scope(void *arg)
{
    struct trail trail = { .length = 0 };
    struct step step = { .trail = &trail, .letter = 'm' };
    weir_scope *scope;
    (void)arg;
    CHECK_EQ(weir_defer(leave, &step), 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    weir_defer_pop(false);
    return 0;
}

static void run_pop_beyond(void)
{
    run_body(pop_beyond_the_scope, NULL);
}

static void taking_back_what_is_not_there_aborts(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(run_pop_beyond, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "nothing is deferred here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tasks_handlers_run_in_reverse_on_every_way_out),
        cmocka_unit_test(a_scopes_handlers_run_when_its_children_have_ended),
        cmocka_unit_test(a_handler_taken_back_runs_at_once_or_not_at_all),
        cmocka_unit_test(a_handler_may_defer_another),
        cmocka_unit_test(a_plain_thread_defers_within_scopes_only),
        cmocka_unit_test(the_closer_gets_the_detail_of_the_first_error),
        cmocka_unit_test(every_other_detail_is_released),
        cmocka_unit_test(a_detail_without_an_error_is_released),
        cmocka_unit_test(leftover_tasks_are_canceled_awaited_and_reported),
        cmocka_unit_test(taking_back_what_is_not_there_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
