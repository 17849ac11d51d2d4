/* SPDX-License-Identifier: MIT */
/* What Go's contexts do: a deadline, a cancellation with its cause, clean-up in spite of it, a
 * value.  No function hands anything on.  Guide: doc/guide/coming-from-go.md. */

#include "../guide/program.h"

static weir_local *user;

/* Two calls deep: whatever waits below is canceled. */
static int ask(weir_chan *ch)
{
    int n;
    return weir_chan_recv_of(ch, &n, WEIR_NO_DEADLINE);
}

static int clean_up(void *arg)
{
    (void)arg;
    return weir_sleep(weir_in_ms(1));
}

static int work(void *arg)
{
    weir_chan *ch = arg;
    printf("works for %s\n", (const char *)weir_local_get(user));
    const int rc = ask(ch);
    const int cleaned = weir_shield(clean_up, NULL, weir_in_ms(60000)); /* a minute at most */
    printf("canceled: %s, because of %s, cleaned up: %s\n", yes_or_no(rc == WEIR_ECANCELED),
           weir_cancel_cause() == WEIR_ESHED ? "overload" : "?", yes_or_no(cleaned == 0));
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    weir_chan *never;
    must(weir_chan_create(&never, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }));

    struct weir_timeout outer, inner;
    weir_timeout_begin(&outer, weir_in_ms(1));
    weir_timeout_begin(&inner, weir_in_ms(3600000));
    int rc = ask(never); /* WEIR_ECANCELED: the earlier deadline holds */
    rc = weir_timeout_end(&inner, rc);
    rc = weir_timeout_end(&outer, rc);
    printf("the deadline passed: %s\n", yes_or_no(rc == WEIR_ETIMEDOUT));

    must(weir_local_create(&user, NULL));
    must(weir_local_set(user, "ada"));
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    must(weir_go(work, never));
    weir_scope_cancel(scope, WEIR_ESHED);
    rc = weir_scope_close(scope, WEIR_NO_DEADLINE); /* WEIR_ESHED */
    weir_chan_destroy(never);
    return rc == WEIR_ESHED ? 0 : rc;
}
