/* SPDX-License-Identifier: MIT */
/* A signal as something to wait for.  Guide: doc/guide/coming-from-go.md. */

#define _GNU_SOURCE 1

#include <signal.h>
#include <unistd.h>

#include "../guide/program.h"

static int program(void *arg)
{
    (void)arg;
    weir_signals *signals;
    must(weir_signals_open(&signals, (const int[]){ SIGUSR1 }, 1));
    kill(getpid(), SIGUSR1);
    must(weir_signals_wait(signals, NULL, WEIR_NO_DEADLINE));
    weir_signals_close(signals);
    printf("got the signal\n");
    return 0;
}
