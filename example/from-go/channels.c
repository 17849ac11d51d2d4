/* SPDX-License-Identifier: MIT */
/* Channels: meeting, buffering, closing, draining.  Guide: doc/guide/coming-from-go.md. */

#include "../guide/program.h"

struct channels {
    weir_chan *meeting;
    weir_chan *waiting;
};

static int send_42(void *arg)
{
    return weir_chan_send_of((weir_chan *)arg, &(int){ 42 }, WEIR_NO_DEADLINE);
}

static int wait_for_close(void *arg)
{
    const struct channels *channels = arg;
    int n;
    const bool ok = weir_chan_recv_of(channels->meeting, &n, WEIR_NO_DEADLINE) == 0;
    return weir_chan_send_of(channels->waiting, &ok, WEIR_NO_DEADLINE);
}

static void meet(weir_chan *meeting)
{
    int n;
    must(weir_go(send_42, meeting));
    must(weir_chan_recv_of(meeting, &n, WEIR_NO_DEADLINE));
    printf("met: %d\n", n);
}

static void close_and_drain(weir_chan *buffered)
{
    int n;
    for (n = 1; n <= 3; n++)
        must(weir_chan_send_of(buffered, &n, WEIR_NO_DEADLINE)); /* does not wait */
    printf("len %zu cap %zu\n", weir_chan_len(buffered), weir_chan_cap(buffered));
    weir_chan_close(buffered);
    while (weir_chan_recv_of(buffered, &n, WEIR_NO_DEADLINE) == 0) /* what is buffered first */
        printf("drained: %d\n", n);
    const bool ok = weir_chan_recv_of(buffered, &n, WEIR_NO_DEADLINE) == 0;
    printf("closed: %d %s\n", n, yes_or_no(ok));
    const int rc = weir_chan_send_of(buffered, &(int){ 4 }, WEIR_NO_DEADLINE);
    printf("send refused: %s\n", yes_or_no(rc == WEIR_ECLOSED));
}

static int program(void *arg)
{
    (void)arg;
    struct channels channels;
    weir_chan *buffered;
    must(
        weir_chan_create(&channels.meeting, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }));
    must(weir_chan_create(&channels.waiting,
                          &(struct weir_chan_opts){ .elem_bytes = sizeof(bool) }));
    must(weir_chan_create(&buffered,
                          &(struct weir_chan_opts){ .elem_bytes = sizeof(int), .cap_elems = 3 }));

    meet(channels.meeting);
    close_and_drain(buffered);

    weir_scope *scope;
    bool ok;
    must(weir_scope_open(&scope, NULL));
    must(weir_go(wait_for_close, &channels));
    weir_chan_close(channels.meeting); /* wakes who receives */
    must(weir_chan_recv_of(channels.waiting, &ok, WEIR_NO_DEADLINE));
    printf("woken by close: %s\n", yes_or_no(!ok));
    must(weir_scope_close(scope, WEIR_NO_DEADLINE)); /* now nobody is in a call on them */

    weir_chan_destroy(buffered);
    weir_chan_destroy(channels.waiting);
    weir_chan_destroy(channels.meeting);
    return 0;
}
