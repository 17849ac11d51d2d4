/* SPDX-License-Identifier: MIT */
/* Goal: whichever system call fails in the life of a service, it serves or ends in order (life.h).
 * Every call of each model's life, one after the other; life_test.c takes a sample.
 * ctest: timeout=900 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault/life.h"

static void a_service_survives_any_fault_under_loop(void **state)
{
    (void)state;
    life_under("loop", 1, 1);
}

static void a_service_survives_any_fault_under_cluster(void **state)
{
    (void)state;
    life_under("cluster", 1, 1);
}

static void a_service_survives_any_fault_under_tasks(void **state)
{
    (void)state;
    life_under("tasks", 1, 1);
}

static void a_service_survives_any_fault_under_threads(void **state)
{
    (void)state;
    life_under("threads", 1, 1);
}

static void a_service_survives_any_fault_under_prefork(void **state)
{
    (void)state;
    life_under("prefork", 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_survives_any_fault_under_loop),
        cmocka_unit_test(a_service_survives_any_fault_under_cluster),
        cmocka_unit_test(a_service_survives_any_fault_under_tasks),
        cmocka_unit_test(a_service_survives_any_fault_under_threads),
        cmocka_unit_test(a_service_survives_any_fault_under_prefork),
    };
    return cmocka_run_group_tests_name("fault/life_every", tests, NULL, NULL);
}
