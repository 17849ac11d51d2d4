/* SPDX-License-Identifier: MIT */
/* Caught signals: counted one by one, told by the descriptor, and gone without a trace when let go.
 * The signals are raised in this thread, so they have been handled when raise() returns. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/poll.h"
#include "os/signal.h"

static void arrivals_are_counted_and_told(void **state)
{
    (void)state;
    const int fd = wi_signal_catch_open();
    assert_true(fd >= 0);
    assert_int_equal(wi_signal_catch_open(), fd);
    assert_int_equal(wi_signal_catch(SIGUSR1), 0);
    const uint64_t before = wi_signal_caught(SIGUSR1);
    assert_int_equal(wi_poll_one(fd, WI_POLL_READ, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    errno = 77;
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(raise(SIGUSR1), 0);
        assert_int_equal(wi_signal_caught(SIGUSR1), before + i);
    }
    assert_int_equal(errno, 77);
    assert_int_equal(wi_poll_one(fd, WI_POLL_READ, WEIR_DONT_WAIT), WI_POLL_READ);
    wi_signal_catch_drain();
    assert_int_equal(wi_poll_one(fd, WI_POLL_READ, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    wi_signal_let_go(SIGUSR1);
}

static void letting_go_restores_what_was_there(void **state)
{
    (void)state;
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction now;
    sigemptyset(&ignore.sa_mask);
    assert_true(wi_signal_catch_open() >= 0);
    assert_int_equal(sigaction(SIGUSR2, &ignore, NULL), 0);
    assert_int_equal(wi_signal_catch(SIGUSR2), 0);
    const uint64_t before = wi_signal_caught(SIGUSR2);
    assert_int_equal(raise(SIGUSR2), 0);
    wi_signal_let_go(SIGUSR2);
    assert_int_equal(raise(SIGUSR2), 0);
    assert_int_equal(wi_signal_caught(SIGUSR2), before + 1);
    assert_int_equal(sigaction(SIGUSR2, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_IGN);
}

static void faults_and_what_does_not_exist_are_refused(void **state)
{
    (void)state;
    static const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL,
                                   SIGTRAP, SIGSYS,  SIGABRT, 0,      -1,     WI_SIGNALS_MAX + 1,
                                   32,      33 }; /* the C library keeps these two for itself */
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_false(wi_signal_catchable(refused[i]));
    assert_true(wi_signal_catchable(SIGUSR1));
    assert_true(wi_signal_catchable(SIGRTMAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals_are_counted_and_told),
        cmocka_unit_test(letting_go_restores_what_was_there),
        cmocka_unit_test(faults_and_what_does_not_exist_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
