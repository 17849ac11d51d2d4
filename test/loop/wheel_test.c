/* SPDX-License-Identifier: MIT */
/* The timer wheel against a plain array: the same timers fire, never early, in the order of their
 * slots, whatever is started, stopped and skipped in between. */
#include "loop/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/run.h"

enum {
    TIMERS = 200,
    TICK_NS = 1 << WI_WHEEL_TICK_SHIFT
};

static struct wi_wheel wheel;
static weir_time now;

static struct model {
    struct wi_timer timer;
    bool running;
    int fired;
} model[TIMERS];

static void fired(struct wi_timer *timer)
{
    struct model *one = wi_container_of(timer, struct model, timer);
    assert_true(one->running);
    assert_true(timer->deadline <= now);
    one->running = false;
    one->fired++;
}

/* Not the real clock: wi_timer_start() moves an empty wheel up to that, so "now" begins so far
 * ahead that no stop of this process lets the clock catch up. */
static void begin(void)
{
    now = weir_now() + 24 * 3600 * WEIR_NS_PER_S;
    wi_wheel_init(&wheel, now);
    memset(model, 0, sizeof(model));
    for (int i = 0; i < TIMERS; i++)
        wi_timer_init(&model[i].timer, fired);
}

static void start(int index, weir_time deadline)
{
    (void)wi_timer_start(&model[index].timer, &wheel, deadline);
    model[index].running = true;
}

static int running_count(void)
{
    int count = 0;
    for (int i = 0; i < TIMERS; i++)
        count += model[i].running;
    return count;
}

/* Every timer that was due one slot before `now` has fired; the hint is not late. */
static void check_model(void)
{
    weir_time first = WEIR_NO_DEADLINE;
    for (int i = 0; i < TIMERS; i++) {
        if (!model[i].running)
            continue;
        assert_true(model[i].timer.deadline > now - TICK_NS);
        if (model[i].timer.deadline < first)
            first = model[i].timer.deadline;
    }
    assert_true(wi_wheel_valid(&wheel));
    assert_int_equal(wheel.count, running_count());
    if (first < WEIR_NO_DEADLINE - TICK_NS)
        assert_true(wi_wheel_next(&wheel) <= first + TICK_NS);
}

/* Distances of all scales: from none to weeks. */
static int64_t random_distance(uint64_t *seed)
{
    const int bits = draw_below(seed, 50);
    return (int64_t)(draw(seed) >> (63 - bits));
}

static void random_timers_fire_like_a_plain_list(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 20; round++) {
        begin();
        for (int step = 0; step < 2000; step++) {
            const int index = draw_below(&seed, TIMERS);
            if (draw_below(&seed, 3) > 0) {
                if (model[index].running) {
                    assert_true(wi_timer_running(&model[index].timer));
                    assert_true(wi_timer_stop(&model[index].timer));
                    model[index].running = false;
                } else {
                    assert_false(wi_timer_stop(&model[index].timer));
                    start(index, now + random_distance(&seed));
                }
            } else {
                now += random_distance(&seed) >> draw_below(&seed, 20);
                while (wi_wheel_advance(&wheel, now, 1 + draw_below(&seed, 64)) > 0) {
                }
                check_model();
            }
        }
    }
}

static void a_timer_fires_neither_early_nor_more_than_a_slot_late(void **state)
{
    (void)state;
    for (int64_t ahead = 1; ahead < (int64_t)1 << 45; ahead = ahead * 3 + 1) {
        begin();
        start(0, now + ahead);
        const weir_time deadline = now + ahead;
        now = deadline - 1;
        assert_int_equal(wi_wheel_advance(&wheel, now, TIMERS), 0);
        assert_true(model[0].running);
        now = deadline + TICK_NS;
        assert_int_equal(wi_wheel_advance(&wheel, now, TIMERS), 1);
        assert_false(model[0].running);
        assert_true(wi_wheel_next(&wheel) == WEIR_NO_DEADLINE);
    }
}

static void a_timer_beyond_the_wheels_reach_waits_and_does_not_spin(void **state)
{
    (void)state;
    const weir_time far[] = { WEIR_NO_DEADLINE - 1, WEIR_NO_DEADLINE - TICK_NS, (weir_time)1 << 60,
                              ((weir_time)1 << 58) - 1, (weir_time)1 << 58 };
    for (size_t i = 0; i < wi_count_of(far); i++) {
        begin();
        start(0, far[i] > now ? far[i] : now + far[i]);
        assert_true(wi_wheel_next(&wheel) > now);
        /* Years pass in steps of a fortnight, past a whole turn of the wheel. */
        for (int step = 0; step < 300 && now < far[i] - (weir_time)2e15; step++) {
            now += (weir_time)12e14;
            assert_int_equal(wi_wheel_advance(&wheel, now, TIMERS), 0);
            assert_true(model[0].running);
            assert_true(wi_wheel_valid(&wheel));
        }
        assert_true(wi_timer_stop(&model[0].timer));
    }
}

static void a_bounded_advance_goes_on_where_it_stopped(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < TIMERS; i++)
        start(i, now + 5 * TICK_NS);
    now += 10 * TICK_NS;
    int fired_count = 0;
    while (fired_count < TIMERS) {
        assert_true(wi_wheel_next(&wheel) <= now);
        const int count = wi_wheel_advance(&wheel, now, 7);
        assert_in_range(count, 1, 7);
        fired_count += count;
        assert_true(wi_wheel_valid(&wheel));
    }
    assert_int_equal(wi_wheel_advance(&wheel, now, 7), 0);
}

static void start_tells_whether_the_timer_is_the_first(void **state)
{
    (void)state;
    begin();
    assert_true(wi_timer_start(&model[0].timer, &wheel, now + 100 * TICK_NS));
    assert_false(wi_timer_start(&model[1].timer, &wheel, now + 200 * TICK_NS));
    assert_true(wi_timer_start(&model[2].timer, &wheel, now + 50 * TICK_NS));
}

static void a_deadline_that_has_passed_fires_at_the_next_look(void **state)
{
    (void)state;
    begin();
    start(0, now - WEIR_NS_PER_S);
    start(1, 0);
    now += TICK_NS;
    assert_int_equal(wi_wheel_advance(&wheel, now, TIMERS), 2);
}

static void an_idle_wheel_catches_up_with_the_clock(void **state)
{
    (void)state;
    begin();
    wi_wheel_init(&wheel, 0);
    const weir_time before = weir_now();
    const weir_time deadline = before + WEIR_NS_PER_S;
    start(0, deadline);
    assert_true(wheel.now_tick >= (uint64_t)before >> WI_WHEEL_TICK_SHIFT);
    assert_true(wi_wheel_next(&wheel) >= deadline);
    /* The clock may have passed the deadline before the timer was started; it is due then. */
    const weir_time after = weir_now();
    now = (after > deadline ? after : deadline) + TICK_NS;
    assert_int_equal(wi_wheel_advance(&wheel, now, TIMERS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_timers_fire_like_a_plain_list),
        cmocka_unit_test(a_timer_fires_neither_early_nor_more_than_a_slot_late),
        cmocka_unit_test(a_timer_beyond_the_wheels_reach_waits_and_does_not_spin),
        cmocka_unit_test(a_bounded_advance_goes_on_where_it_stopped),
        cmocka_unit_test(start_tells_whether_the_timer_is_the_first),
        cmocka_unit_test(a_deadline_that_has_passed_fires_at_the_next_look),
        cmocka_unit_test(an_idle_wheel_catches_up_with_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
