/* SPDX-License-Identifier: MIT */
/* A scope: results, and a failure that cancels the siblings and the body.
 * Guide: doc/guide/coming-from-asyncio.md. */

#include <stdatomic.h>

#include "../guide/program.h"

static atomic_int canceled;

static int square(void *arg)
{
    int *n = arg;
    *n *= *n;
    return 0;
}

static int wait_for_cancel(void *arg)
{
    (void)arg;
    const int rc = weir_sleep(WEIR_NO_DEADLINE);
    if (rc == WEIR_ECANCELED)
        atomic_fetch_add(&canceled, 1);
    return rc;
}

static int fail(void *arg)
{
    (void)arg;
    return weir_fail(WEIR_ENOSPC, "the disk is full", NULL);
}

static int program(void *arg)
{
    (void)arg;
    int n[] = { 1, 2, 3 };
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    for (int i = 0; i < 3; i++)
        must(weir_go(square, &n[i]));
    must(weir_scope_close(scope, WEIR_NO_DEADLINE));
    printf("squares: %d %d %d\n", n[0], n[1], n[2]);

    struct weir_scope_error error = { .size = sizeof error };
    must(weir_scope_open(&scope, NULL));
    must(weir_go(wait_for_cancel, NULL));
    must(weir_go(wait_for_cancel, NULL));
    must(weir_go(fail, NULL));
    int rc = wait_for_cancel(NULL); /* the body is canceled too */
    rc = weir_scope_close_error(scope, &error, WEIR_NO_DEADLINE);
    if (rc == WEIR_ENOSPC)
        printf("error: %s\n", (const char *)error.detail);
    printf("canceled: %d\n", atomic_load(&canceled));
    return 0;
}
