/* SPDX-License-Identifier: MIT */
/* A scope is an errgroup: a limit, the first error, siblings canceled.
 * Guide: doc/guide/coming-from-go.md. */

#include <stdatomic.h>

#include "../guide/program.h"

static atomic_int canceled;

static int wait_for_gate(void *arg)
{
    return weir_event_wait((weir_event *)arg, WEIR_NO_DEADLINE);
}

static int wait_for_cancel(void *arg)
{
    const int rc = weir_event_wait((weir_event *)arg, WEIR_NO_DEADLINE);
    if (rc == WEIR_ECANCELED)
        atomic_fetch_add(&canceled, 1);
    return rc;
}

static int fill_the_disk(void *arg)
{
    (void)arg;
    return weir_fail(WEIR_ENOSPC, "the disk is full", NULL);
}

/* As Wait() of the errgroup. */
static const char *wait_for(weir_scope *scope)
{
    struct weir_scope_error error = { .size = sizeof error };
    const int rc = weir_scope_close_error(scope, &error, WEIR_NO_DEADLINE);
    if (rc == 0)
        return "<nil>";
    return error.detail != NULL ? error.detail : weir_err_text(rc);
}

static int program(void *arg)
{
    (void)arg;
    weir_event *gate, *never;
    must(weir_event_create(&gate));
    must(weir_event_create(&never));

    weir_scope *scope;
    must(weir_scope_open(&scope, &(struct weir_scope_opts){ .limit = 2 }));
    must(weir_go(wait_for_gate, gate));
    must(weir_go(wait_for_gate, gate));
    const int third = weir_try_go(wait_for_gate, gate); /* WEIR_EAGAIN; weir_go() would wait */
    printf("a third at once: %s\n", yes_or_no(third == 0));
    weir_event_set(gate);
    printf("error: %s\n", wait_for(scope));

    must(weir_scope_open(&scope, &(struct weir_scope_opts){ .limit = 3 }));
    must(weir_go(wait_for_cancel, never));
    must(weir_go(wait_for_cancel, never));
    must(weir_go(fill_the_disk, NULL));
    printf("error: %s\n", wait_for(scope));
    printf("canceled: %d\n", atomic_load(&canceled));

    weir_event_destroy(never);
    weir_event_destroy(gate);
    return 0;
}
