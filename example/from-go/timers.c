/* SPDX-License-Identifier: MIT */
/* Timers and tickers: stop, start anew, no tick of the past, a function at an instant.
 * Guide: doc/guide/coming-from-go.md. */

#include "../guide/program.h"

static void set_event(void *arg)
{
    weir_event_set((weir_event *)arg); /* must not wait, and does not */
}

static void call_function(void)
{
    weir_event *called;
    weir_timer *timer;
    must(weir_event_create(&called));
    must(weir_timer_create(&timer, &(struct weir_timer_opts){ .fn = set_event, .arg = called }));
    must(weir_timer_start(timer, weir_in_ms(1), 0));
    must(weir_event_wait(called, WEIR_NO_DEADLINE));
    printf("called\n");
    weir_timer_destroy(timer); /* waits until set_event() has returned */
    weir_event_destroy(called);
}

static int program(void *arg)
{
    (void)arg;
    weir_timer *timer;
    must(weir_timer_create(&timer, NULL));
    must(weir_timer_start(timer, weir_in_ms(3600000), 0));
    printf("prevented: %s\n", yes_or_no(weir_timer_stop(timer)));
    printf("prevented again: %s\n", yes_or_no(weir_timer_stop(timer)));

    must(weir_timer_start(timer, weir_in_ms(1), 0));
    must(weir_timer_wait(timer, NULL, WEIR_NO_DEADLINE));
    printf("ticked\n");

    must(weir_timer_start(timer, weir_in_ms(1), 0));
    must(weir_sleep(weir_in_ms(10))); /* it ticks, and nobody takes it */
    weir_timer_stop(timer);
    const int rc = weir_timer_wait(timer, NULL, WEIR_DONT_WAIT);
    printf("%s tick of the past\n", rc == WEIR_ETIMEDOUT ? "no" : "a");

    must(weir_timer_start(timer, weir_in_ms(1), WEIR_NS_PER_MS)); /* again and again */
    for (int i = 0; i < 3; i++) {
        must(weir_timer_wait(timer, NULL, WEIR_NO_DEADLINE));
        printf("tick\n");
    }
    weir_timer_destroy(timer);

    call_function();
    return 0;
}
