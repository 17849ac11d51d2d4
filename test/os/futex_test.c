/* SPDX-License-Identifier: MIT */
/* Sleeping on a word: no lost wake, no early deadline. */
#include "os/futex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/thread.h"

static void a_word_that_differs_does_not_sleep(void **state)
{
    (void)state;
    wi_atomic_u32 word = { 1 };
    assert_int_equal(wi_futex_wait(&word, 0, WEIR_NO_DEADLINE), WEIR_EAGAIN);
}

static void a_deadline_is_never_early(void **state)
{
    (void)state;
    wi_atomic_u32 word = { 0 };
    for (int64_t us = 1; us <= 5000; us *= 10) {
        const weir_time deadline = wi_clock_now() + us * WEIR_NS_PER_US;
        int rc;
        do {
            rc = wi_futex_wait(&word, 0, deadline);
        } while (rc == 0);
        assert_int_equal(rc, WEIR_ETIMEDOUT);
        assert_true(wi_clock_now() >= deadline);
    }
}

static void dont_wait_times_out_at_once(void **state)
{
    (void)state;
    wi_atomic_u32 word = { 0 };
    assert_int_equal(wi_futex_wait(&word, 0, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
}

struct ball {
    wi_atomic_u32 word; /* whose turn: 0 or 1 */
    int rounds;
};

static void play(struct ball *ball, uint32_t me)
{
    for (int i = 0; i < ball->rounds; i++) {
        while (wi_load_acquire(&ball->word) != me)
            (void)wi_futex_wait(&ball->word, 1 - me, WEIR_NO_DEADLINE);
        wi_store_release(&ball->word, 1 - me);
        wi_futex_wake(&ball->word, 1);
    }
}

static void second(void *arg)
{
    play(arg, 1);
}

static void no_wake_is_lost_between_two_threads(void **state)
{
    (void)state;
    struct ball ball = { .rounds = 20000 };
    struct wi_os_thread thread;
    assert_int_equal(wi_os_thread_start(&thread, second, &ball, 0, "second"), 0);
    play(&ball, 0);
    wi_os_thread_join(&thread);
    assert_int_equal(wi_load_relaxed(&ball.word), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_that_differs_does_not_sleep),
        cmocka_unit_test(a_deadline_is_never_early),
        cmocka_unit_test(dont_wait_times_out_at_once),
        cmocka_unit_test(no_wake_is_lost_between_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
