/* SPDX-License-Identifier: MIT */
/* Tasks in a scope, and one task whose result is awaited.  Guide: doc/guide/coming-from-go.md. */

#include "../guide/program.h"

static int square(void *arg)
{
    int *n = arg;
    *n *= *n;
    return 0;
}

struct numbers {
    int n[5];
};

static int sum(void *arg)
{
    const struct numbers *numbers = arg;
    int total = 0;
    for (int i = 0; i < 5; i++)
        total += numbers->n[i];
    return total;
}

static int program(void *arg)
{
    (void)arg;
    struct numbers numbers = { { 1, 2, 3, 4, 5 } };
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    for (int i = 0; i < 5; i++)
        must(weir_go(square, &numbers.n[i]));
    must(weir_scope_close(scope, WEIR_NO_DEADLINE)); /* waits for all five */
    printf("squares: [%d %d %d %d %d]\n", numbers.n[0], numbers.n[1], numbers.n[2], numbers.n[3],
           numbers.n[4]);

    weir_task *task;
    int result;
    must(weir_task_start(&task, sum, &numbers));
    must(weir_task_join(task, &result, WEIR_NO_DEADLINE));
    printf("sum: %d\n", result);
    return 0;
}
