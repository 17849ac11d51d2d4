/* SPDX-License-Identifier: MIT */
/* Queues of a known order; see queued.h. */
#include "chan/queued.h"

#include "sync/parker.h"

static int tell_and_wait(void *arg)
{
    struct queued *self = arg;
    __atomic_store_n(&self->parker, wi_current_parker(), __ATOMIC_SEQ_CST);
    self->fn(self);
    return 0;
}

/* Whoever has told its parker and stopped there waits in the queue. */
static bool has_stopped(struct queued *self)
{
    const struct wi_parker *parker = __atomic_load_n(&self->parker, __ATOMIC_SEQ_CST);
    return parker != NULL && wi_load_seq_cst(&parker->word) >= WI_PARKER_PARKED;
}

void queued_start(struct queued *self, bool of_thread)
{
    (of_thread ? crowd_thread : crowd_task)(&self->queue->crowd, tell_and_wait, self);
    while (!has_stopped(self))
        IGNORE(weir_sleep(weir_in_ns(50000)));
}

void queued_served(struct queued *self)
{
    struct queue *queue = self->queue;
    queue->order[bump(&queue->places) - 1] = self->number;
    bump(&queue->served);
}

void under_each_scheduler(weir_task_fn *body)
{
    static const enum weir_scheduler schedulers[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_TASKS,
                                                      WEIR_SCHEDULER_THREADS };
    for (size_t i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++) {
        const struct weir_opts opts = { .scheduler = schedulers[i], .workers = 2 };
        run_body_with(&opts, body, NULL);
    }
}
