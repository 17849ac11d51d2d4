/* SPDX-License-Identifier: MIT */
/* Opening signals when the system gives no descriptor, or the poller takes none: refused with the
 * code, no disposition changed, and the next try works. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/fault/fault.h"
#include "support/run.h"

static const int list[] = { SIGUSR1, SIGUSR2 };

static void check_untouched(void)
{
    for (int i = 0; i < 2; i++) {
        struct sigaction now;
        CHECK_EQ(sigaction(list[i], NULL, &now), 0);
        CHECK(now.sa_handler == SIG_DFL);
    }
}

RUN(a_failed_open_changes_nothing)
{
    static const struct {
        const char *call;
        int code;
    } faults[] = { { "wi_signal_catch_open", WEIR_EMFILE }, { "wi_poll_add", WEIR_ENOSPC } };
    weir_signals *signals = NULL;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        wi_fault_arm_named(faults[i].call, 1, 0);
        CHECK_EQ(weir_signals_open(&signals, list, 2), faults[i].code);
        CHECK(wi_fault_fired());
        wi_fault_disarm();
        CHECK(signals == NULL);
        check_untouched();
    }
    CHECK_EQ(weir_signals_open(&signals, list, 2), 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(weir_signals_wait(signals, NULL, WEIR_NO_DEADLINE), 0);
    weir_signals_close(signals);
    check_untouched();
    return 0;
}

RUN(a_descriptor_that_the_poller_refuses_is_a_case_with_its_code)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    struct weir_select_case one = { .op = WEIR_SELECT_READABLE, .fd = fds[0] };
    wi_fault_arm_named("wi_poll_add", 1, 0);
    CHECK_EQ(weir_select(&one, 1, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(one.result, WEIR_ENOSPC);
    wi_fault_disarm();
    CHECK_EQ(weir_select(&one, 1, weir_in_ms(1)), WEIR_ETIMEDOUT);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_open_changes_nothing),
        cmocka_unit_test(a_descriptor_that_the_poller_refuses_is_a_case_with_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
