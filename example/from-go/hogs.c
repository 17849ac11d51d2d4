/* SPDX-License-Identifier: MIT */
/* Tasks that never wait, on every core.  Not for `loop`, which has one thread: there one hog stops
 * all.  Guide: doc/guide/coming-from-go.md. */

#include <stdatomic.h>

#include "../guide/program.h"

static atomic_bool stop;

static int hog(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop))
        ;
    return 0;
}

static int program(void *arg)
{
    (void)arg;
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    for (int i = 0; i < weir_cores(); i++)
        must(weir_go(hog, NULL));
    must(weir_sleep(weir_in_ms(1))); /* a hog's worker goes to another thread */
    atomic_store(&stop, true);
    must(weir_scope_close(scope, WEIR_NO_DEADLINE));
    printf("main went on\n");
    return 0;
}
