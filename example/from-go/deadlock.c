/* SPDX-License-Identifier: MIT */
/* A program that waits for what can never come is told, and ends.  Guide:
 * doc/guide/coming-from-go.md. */

#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

static void log_line(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "%s\n", line); /* with a dump of all tasks */
}

static void end(void *user)
{
    (void)user;
    fflush(stdout);
    _Exit(2); /* as weir_main() does, and Go */
}

static int wait_for_nobody(void *arg)
{
    int n;
    printf("waits for nobody\n");
    return weir_chan_recv_of((weir_chan *)arg, &n, WEIR_NO_DEADLINE);
}

int main(void)
{
    const struct weir_opts opts = { .size = sizeof opts, .log = log_line, .on_deadlock = end };
    weir_chan *ch;
    int rc = weir_chan_create(&ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) });
    if (rc == 0)
        rc = weir_open(&opts);
    if (rc == 0)
        rc = weir_run(wait_for_nobody, ch, NULL); /* does not return */
    fprintf(stderr, "deadlock: %s\n", weir_err_text(rc));
    return 1;
}
