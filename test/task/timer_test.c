/* SPDX-License-Identifier: MIT */
/* A call of a timer's fire function that comes late, because the wheel had let go of it before it
 * was stopped, started anew, or freed: made here by calling it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "loop/wheel.h"
#include "support/run.h"

static weir_timer *make(void (*fn)(void *), void *arg)
{
    weir_timer *timer;
    CHECK_EQ(weir_timer_create(&timer, &(struct weir_timer_opts){ .fn = fn, .arg = arg }), 0);
    return timer;
}

/* The wheel's timer is what the record begins with. */
static void fire_late(weir_timer *timer)
{
    struct wi_timer *wheel = (struct wi_timer *)(void *)timer;
    wheel->fire(wheel);
}

static void count(void *arg)
{
    bump(arg);
}

RUN(a_late_fire_of_a_stopped_timer_is_no_tick)
{
    int calls = 0;
    weir_timer *timer = make(NULL, NULL);
    weir_timer *calling = make(count, &calls);
    fire_late(timer);
    fire_late(calling);
    CHECK_EQ(weir_timer_start(timer, weir_in_ms(60000), 0), 0);
    CHECK(weir_timer_stop(timer));
    fire_late(timer);
    CHECK_EQ(weir_timer_wait(timer, NULL, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(calls, 0);
    weir_timer_destroy(timer);
    weir_timer_destroy(calling);
    return 0;
}

RUN(a_late_fire_of_a_timer_started_anew_is_no_tick)
{
    int calls = 0;
    weir_timer *timer = make(count, &calls);
    CHECK_EQ(weir_timer_start(timer, weir_in_ms(60000), 1000), 0);
    fire_late(timer);
    CHECK_EQ(calls, 0);
    CHECK(weir_timer_stop(timer));
    weir_timer_destroy(timer);
    return 0;
}

RUN(a_late_fire_of_a_freed_record_is_nothing_to_its_next_owner)
{
    int calls = 0;
    weir_timer *before = make(count, &calls);
    weir_timer_destroy(before);
    fire_late(before);
    weir_timer *after = make(count, &calls);
    fire_late(before);
    CHECK_EQ(weir_timer_start(after, weir_in_ms(60000), 0), 0);
    fire_late(before);
    CHECK_EQ(calls, 0);
    CHECK(weir_timer_stop(after));
    weir_timer_destroy(after);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_fire_of_a_stopped_timer_is_no_tick),
        cmocka_unit_test(a_late_fire_of_a_timer_started_anew_is_no_tick),
        cmocka_unit_test(a_late_fire_of_a_freed_record_is_nothing_to_its_next_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
