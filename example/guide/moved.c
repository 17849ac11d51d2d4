/* SPDX-License-Identifier: MIT */
/* What a thread-local is worth across a wait: under `tasks` it may be another thread's afterwards,
 * except in a pinned task.  Guide: doc/guide/thread-locals.md. */

#include <stdatomic.h>
#include <stdio.h>

#include <weir/weir.h>

#define TASKS 100
#define ROUNDS_MAX 10000

static _Thread_local int depth;
static atomic_int moved;

/* Not inlined, and so asked anew: within one function a compiler may keep the address. */
__attribute__((noinline)) static int *depth_here(void)
{
    __asm__ volatile("" ::: "memory");
    return &depth;
}

static int handle(void *arg)
{
    (void)arg;
    int *const before = depth_here();
    ++*before;                                /* thread A's */
    const int rc = weir_sleep(weir_in_ms(1)); /* the task may go on on thread B */
    int *const after = depth_here();
    --*after; /* thread B's: A's is now wrong for good */
    if (after != before)
        atomic_fetch_add(&moved, 1);
    return rc;
}

/* Runs so many tasks to their ends. */
static int round_of(bool pinned)
{
    weir_scope *scope;
    int rc = weir_scope_open(&scope, NULL);
    if (rc < 0)
        return rc;
    for (int i = 0; rc == 0 && i < TASKS; i++)
        rc = weir_go(handle, NULL, .pinned = pinned);
    const int closed = weir_scope_close(scope, WEIR_NO_DEADLINE);
    return rc < 0 ? rc : closed;
}

static int program(void *arg)
{
    (void)arg;
    int rc = round_of(true);
    printf("pinned tasks: %s\n", atomic_load(&moved) > 0 ? "another thread's" : "their own");
    for (int i = 0; rc == 0 && atomic_load(&moved) == 0 && i < ROUNDS_MAX; i++)
        rc = round_of(false);
    printf("plain tasks:  %s\n", atomic_load(&moved) > 0 ? "another thread's" : "their own");
    return rc;
}

int main(void)
{
    int result = 0;
    int rc = weir_open(&(struct weir_opts){ .size = sizeof(struct weir_opts), .workers = 2 });
    if (rc == 0)
        rc = weir_run(program, NULL, &result);
    if (rc == 0)
        rc = weir_close(weir_in_ms(60000));
    if (rc == 0)
        rc = result;
    if (rc < 0)
        fprintf(stderr, "moved: %s\n", weir_err_text(rc));
    return rc < 0 ? 1 : 0;
}
