/* SPDX-License-Identifier: MIT */
/* When late tasks are due for a report.  Reports themselves are in test/behaviour/deadlock_test.c.
 */
#include "task/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static void take_line(void *user, const char *line)
{
    (void)user;
    (void)line;
}

static weir_time late_with(int64_t late_ns, void (*log)(void *user, const char *line))
{
    struct weir_opts opts = model_opts();
    opts.late_ns = late_ns;
    opts.log = log;
    runtime_open(&opts);
    const weir_time late = wi_report_late();
    runtime_close();
    return late;
}

static void tasks_are_late_after_ten_seconds_unless_said_otherwise(void **state)
{
    (void)state;
    weir_time before = weir_now();
    assert_true(late_with(0, take_line) >= before + 10 * WEIR_NS_PER_S);
    before = weir_now();
    assert_true(late_with(WEIR_NS_PER_MS, take_line) >= before + WEIR_NS_PER_MS);
    assert_int_equal(late_with(-1, take_line), WEIR_NO_DEADLINE);
    assert_int_equal(late_with(0, NULL), WEIR_NO_DEADLINE); /* nobody would read it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_are_late_after_ten_seconds_unless_said_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
