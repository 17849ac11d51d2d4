/* SPDX-License-Identifier: MIT */
/* A channel is the queue: producer and consumers, join, and a consumer that is canceled and takes
 * nothing.  Guide: doc/guide/coming-from-asyncio.md. */

#include <stdatomic.h>

#include "../guide/program.h"

static weir_chan *queue;
static weir_wait_group *unfinished;
static atomic_int total;

static int consume(void *arg)
{
    (void)arg;
    int item, rc;
    while ((rc = weir_chan_recv_of(queue, &item, WEIR_NO_DEADLINE)) == 0) {
        atomic_fetch_add(&total, item);
        weir_wait_group_done(unfinished);
    }
    return rc;
}

static void produce_and_join(void)
{
    weir_scope *consumers;
    must(weir_scope_open(&consumers, NULL));
    for (int i = 0; i < 3; i++)
        must(weir_go(consume, NULL));
    for (int item = 1; item <= 10; item++) {
        weir_wait_group_add(unfinished, 1);
        must(weir_chan_send_of(queue, &item, WEIR_NO_DEADLINE)); /* waits while two are in it */
    }
    must(weir_wait_group_wait(unfinished, WEIR_NO_DEADLINE));
    weir_scope_cancel(consumers, WEIR_ECANCELED);
    (void)!weir_scope_close(consumers, WEIR_NO_DEADLINE); /* says why it was canceled */
    printf("total: %d\n", atomic_load(&total));
}

static int get(void *arg)
{
    return weir_chan_recv_of(queue, (int *)arg, WEIR_NO_DEADLINE);
}

static void cancel_a_getter(void)
{
    weir_task *getter;
    int got = 0, kept = 0;
    must(weir_task_start(&getter, get, &got));
    must(weir_yield());
    weir_task_cancel(getter, WEIR_ECANCELED);
    must(weir_chan_send_of(queue, &(int){ 7 }, WEIR_DONT_WAIT));
    must(weir_task_join(getter, NULL, WEIR_NO_DEADLINE));
    if (weir_chan_len(queue) > 0)
        must(weir_chan_recv_of(queue, &kept, WEIR_DONT_WAIT));
    printf("not lost: %d\n", got + kept);
}

static int program(void *arg)
{
    (void)arg;
    must(weir_chan_create(&queue,
                          &(struct weir_chan_opts){ .elem_bytes = sizeof(int), .cap_elems = 2 }));
    must(weir_wait_group_create(&unfinished));
    produce_and_join();

    int item;
    if (weir_chan_recv_of(queue, &item, WEIR_DONT_WAIT) == WEIR_ETIMEDOUT)
        printf("empty\n");
    cancel_a_getter();

    weir_wait_group_destroy(unfinished);
    weir_chan_destroy(queue);
    return 0;
}
