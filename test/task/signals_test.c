/* SPDX-License-Identifier: MIT */
/* What the runtime does with signals when it closes: it stops watching, once, and another open
 * watches anew. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/signals.h"

static const int list[] = { SIGUSR1 };

RUN(forgetting_may_be_repeated)
{
    weir_signals *signals;
    wi_signals_forget();
    CHECK_EQ(weir_signals_open(&signals, list, 1), 0);
    wi_signals_forget();
    wi_signals_forget();
    weir_signals_close(signals);
    return 0;
}

RUN(an_open_after_forgetting_watches_for_all)
{
    weir_signals *first;
    weir_signals *second;
    CHECK_EQ(weir_signals_open(&first, list, 1), 0);
    wi_signals_forget();
    CHECK_EQ(weir_signals_open(&second, list, 1), 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(weir_signals_wait(first, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_signals_wait(second, NULL, WEIR_NO_DEADLINE), 0);
    weir_signals_close(second);
    weir_signals_close(first);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forgetting_may_be_repeated),
        cmocka_unit_test(an_open_after_forgetting_watches_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
