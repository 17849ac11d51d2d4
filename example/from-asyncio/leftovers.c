/* SPDX-License-Identifier: MIT */
/* What is left over when the program ends: canceled, and waited for.
 * Guide: doc/guide/coming-from-asyncio.md. */

#include "../guide/program.h"

static void clean_up(void *arg)
{
    (void)arg;
    must(weir_sleep(weir_in_ms(1))); /* a handler may wait, also in a canceled task */
    printf("cleaned up\n");
}

static int serve(void *arg)
{
    must(weir_defer(clean_up, NULL));
    weir_event_set((weir_event *)arg);
    return weir_sleep(WEIR_NO_DEADLINE);
}

static int program(void *arg)
{
    (void)arg;
    weir_event *started;
    must(weir_event_create(&started));
    must(weir_go(serve, started)); /* in no scope of ours: the runtime's */
    must(weir_event_wait(started, WEIR_NO_DEADLINE));
    weir_event_destroy(started);
    printf("main ends\n");
    return 0; /* main() calls weir_close() */
}
