/* SPDX-License-Identifier: MIT */
/* Goal: whichever system call fails in the life of a service, it serves or ends in order (life.h).
 * Here every STRIDE-th call of each model's life fails; life_every_stress.c takes them all.
 * ctest: timeout=180 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault/life.h"

enum {
    STRIDE = 9
};

static void a_service_survives_under_loop(void **state)
{
    (void)state;
    life_under("loop", 1, STRIDE);
}

static void a_service_survives_under_cluster(void **state)
{
    (void)state;
    life_under("cluster", 2, STRIDE);
}

static void a_service_survives_under_tasks(void **state)
{
    (void)state;
    life_under("tasks", 3, STRIDE);
}

static void a_service_survives_under_threads(void **state)
{
    (void)state;
    life_under("threads", 4, STRIDE);
}

static void a_service_survives_under_prefork(void **state)
{
    (void)state;
    life_under("prefork", 5, STRIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_survives_under_loop),
        cmocka_unit_test(a_service_survives_under_cluster),
        cmocka_unit_test(a_service_survives_under_tasks),
        cmocka_unit_test(a_service_survives_under_threads),
        cmocka_unit_test(a_service_survives_under_prefork),
    };
    return cmocka_run_group_tests_name("fault/life", tests, NULL, NULL);
}
