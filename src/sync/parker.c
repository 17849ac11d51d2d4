/* SPDX-License-Identifier: MIT */
/* Parkers of OS threads, and who the current one is; the protocol is in parker.h.
 *
 * A thread that is no task parks on a futex.  Its record comes from a list that only grows and is
 * given back when the thread ends, so late wakes find memory of the right type.  A thread-local is
 * reached only in functions that are never inlined: their callers cannot keep its address over a
 * wait. */
#include "sync/parker.h"

#include <stddef.h>
#include <stdlib.h>

#include "arch/context.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/uncached.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sync/lock.h"
#include "sync/thread_parker.h"

struct thread_record {
    struct wi_parker parker;
    struct thread_record *next_free; /* guarded by free_lock */
    struct thread_record *next_all;  /* constant once it is in the list */
    /* guarded by nap_lock; context NULL: it does not wait */
    struct wi_lock nap_lock;
    struct wi_thread_nap nap;
};

static struct wi_lock free_lock;
static struct thread_record *free_records; /* guarded by free_lock */
static struct thread_record *all_records;  /* guarded by free_lock; only grows */
static _Thread_local struct thread_record *own_record __attribute__((tls_model("initial-exec")));
static _Thread_local struct wi_parker *current __attribute__((tls_model("initial-exec")));

void wi_thread_parker_park(struct wi_parker *parker, weir_time deadline)
{
    if (wi_parker_take_notice(parker)) /* c */
        return;
    uint32_t word = WI_PARKER_EMPTY;
    if (wi_cas_acq_rel(&parker->word, &word, WI_PARKER_ASLEEP)) { /* d */
        while (wi_load_acquire(&parker->word) == WI_PARKER_ASLEEP) {
            if (wi_futex_wait(&parker->word, WI_PARKER_ASLEEP, deadline) == WEIR_ETIMEDOUT)
                break;
        }
    }
    (void)wi_swap_acq_rel(&parker->word, WI_PARKER_EMPTY); /* d */
}

const struct wi_parker_ops wi_thread_parker_ops = {
    .park = wi_thread_parker_park,
    .resume = NULL,
};

/* While the thread sleeps its frames above this one do not change, and a dump may read them under
 * the lock. */
static void foreign_sleep(void *context, void *arg)
{
    struct thread_record *record = arg;
    wi_lock(&record->nap_lock);
    record->nap.context = context;
    record->nap.since = wi_clock_coarse();
    const weir_time until = record->nap.until;
    wi_unlock(&record->nap_lock);
    wi_thread_parker_park(&record->parker, until);
    wi_lock(&record->nap_lock);
    record->nap.context = NULL;
    wi_unlock(&record->nap_lock);
}

static void foreign_park(struct wi_parker *parker, weir_time deadline)
{
    if (wi_parker_take_notice(parker)) /* c */
        return;
    struct thread_record *record = wi_container_of(parker, struct thread_record, parker);
    wi_lock(&record->nap_lock);
    record->nap.until = deadline;
    wi_unlock(&record->nap_lock);
    wi_context_hold(foreign_sleep, record);
}

static const struct wi_parker_ops foreign_parker_ops = { .park = foreign_park };

void wi_thread_naps(void (*fn)(const struct wi_thread_nap *nap, void *arg), void *arg)
{
    wi_lock(&free_lock);
    struct thread_record *record = all_records;
    wi_unlock(&free_lock);
    for (; record != NULL; record = record->next_all) {
        wi_lock(&record->nap_lock);
        if (record->nap.context != NULL)
            fn(&record->nap, arg);
        wi_unlock(&record->nap_lock);
    }
}

static void give_back_record(void *arg)
{
    struct thread_record *record = arg;
    own_record = NULL; /* a later destructor of this thread that waits takes another */
    wi_lock(&free_lock);
    record->next_free = free_records;
    free_records = record;
    wi_unlock(&free_lock);
}

static struct thread_record *take_record(void)
{
    wi_lock(&free_lock);
    struct thread_record *record = free_records;
    if (record != NULL)
        free_records = record->next_free;
    wi_unlock(&free_lock);
    if (record != NULL)
        return record;
    record = wi_alloc_zeroed(1, sizeof(*record));
    /* A thread without a parker cannot tell anybody that it cannot wait. */
    wi_bug_unless(record != NULL);
    wi_lock(&free_lock);
    record->next_all = all_records;
    all_records = record;
    wi_unlock(&free_lock);
    return record;
}

WI_UNCACHED static struct wi_parker *thread_parker(void)
{
    wi_compiler_barrier();
    if (wi_likely(own_record != NULL))
        return &own_record->parker;
    struct thread_record *record = take_record();
    wi_parker_init(&record->parker, &foreign_parker_ops);
    record->parker.number = -wi_os_thread_id();
    wi_lock(&record->nap_lock);
    record->nap =
        (struct wi_thread_nap){ .parker = &record->parker, .thread_id = wi_os_thread_id() };
    wi_unlock(&record->nap_lock);
    own_record = record;
    wi_os_thread_at_exit(give_back_record, record);
    return &record->parker;
}

void wi_parker_init(struct wi_parker *parker, const struct wi_parker_ops *ops)
{
    parker->ops = ops;
    wi_store_relaxed(&parker->word, WI_PARKER_EMPTY);
    wi_store_relaxed(&parker->cancel, 0);
    wi_store_relaxed(&parker->waitable, NULL);
    wi_store_relaxed(&parker->object, NULL);
    wi_lock_init(&parker->regions_lock);
    parker->regions = NULL;
    parker->budget = WI_PARKER_BUDGET;
    parker->number = 0;
    parker->deadline = WEIR_NO_DEADLINE;
    parker->shield_until = 0;
}

WI_UNCACHED struct wi_parker **wi_current_place(void)
{
    wi_compiler_barrier();
    return &current;
}

WI_UNCACHED struct wi_parker *wi_current_parker(void)
{
    wi_compiler_barrier();
    struct wi_parker *parker = current;
    return wi_likely(parker != NULL) ? parker : thread_parker();
}
