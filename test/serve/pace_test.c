/* SPDX-License-Identifier: MIT */
/* The patience of a server, with made-up clocks: only waits count, fast peers begin anew, no rate
 * means no end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/pace.h"

enum {
    RATE = 1024
};

static void only_waiting_uses_patience_up(void **state)
{
    (void)state;
    struct wi_pace pace = { 0 };
    const weir_time now = 1000 * WEIR_NS_PER_S;
    assert_int_equal(wi_pace_receive_deadline(&pace, RATE, now), now + WI_PACE_GRACE_NS);
    /* An hour of the handler's own changes nothing. */
    const weir_time later = now + 3600 * WEIR_NS_PER_S;
    assert_int_equal(wi_pace_receive_deadline(&pace, RATE, later), later + WI_PACE_GRACE_NS);
    wi_pace_waited(&pace, 2 * WEIR_NS_PER_S);
    assert_int_equal(wi_pace_receive_deadline(&pace, RATE, now), now + 3 * WEIR_NS_PER_S);
    wi_pace_waited(&pace, 9 * WEIR_NS_PER_S);
    assert_int_equal(wi_pace_receive_deadline(&pace, RATE, now), now);
}

static void a_window_at_the_rate_is_passed(void **state)
{
    (void)state;
    struct wi_pace pace = { 0 };
    wi_pace_waited(&pace, 4 * WEIR_NS_PER_S);
    wi_pace_received(&pace, RATE, 5 * RATE - 1);
    assert_int_equal(wi_pace_receive_deadline(&pace, RATE, 1), 1 + WEIR_NS_PER_S);
    wi_pace_received(&pace, RATE, 1);
    assert_int_equal(wi_pace_receive_deadline(&pace, RATE, 1), 1 + WI_PACE_GRACE_NS);
}

static void who_takes_less_than_the_rate_is_too_slow(void **state)
{
    (void)state;
    assert_true(wi_pace_takes_enough(9 * RATE, 4 * RATE, RATE));
    assert_false(wi_pace_takes_enough(9 * RATE, 4 * RATE + 1, RATE));
    /* However much lies in the system's buffer: nothing taken is nothing taken. */
    assert_false(wi_pace_takes_enough(INT64_MAX, INT64_MAX, RATE));
    assert_false(wi_pace_takes_enough(RATE, 9 * RATE, RATE));
    assert_true(wi_pace_takes_enough(WEIR_ENOTSUP, 0, RATE));
    assert_true(wi_pace_takes_enough(0, WEIR_EBADF, RATE));
}

static void no_rate_never_ends(void **state)
{
    (void)state;
    struct wi_pace pace = { .waited_ns = INT64_MAX };
    assert_int_equal(wi_pace_receive_deadline(&pace, 0, 5), WEIR_NO_DEADLINE);
    assert_true(wi_pace_takes_enough(1, 1, 0));
    assert_int_equal(wi_after(5, -1), WEIR_NO_DEADLINE);
    assert_int_equal(wi_after(5, INT64_MAX), WEIR_NO_DEADLINE);
    assert_int_equal(wi_after(5, 6), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_waiting_uses_patience_up),
        cmocka_unit_test(a_window_at_the_rate_is_passed),
        cmocka_unit_test(who_takes_less_than_the_rate_is_too_slow),
        cmocka_unit_test(no_rate_never_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
