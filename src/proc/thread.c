/* SPDX-License-Identifier: MIT */
/* weir_thread: a function in an OS thread of its own.
 *
 * Life: start, the function runs, `ended` is set under the lock and the joiner is told; the joiner
 * collects the OS thread and frees the record.
 * Last touch: after unlocking the ended record the thread touches only the joiner's waiter, which
 * lives until it was told; the record itself lives until the OS thread is collected, so even the
 * unlocking may be late.
 * Threads: fields as marked. */
#include "weir/proc.h"

#include "base/alloc.h"
#include "base/check.h"
#include "os/thread.h"
#include "sync/lock.h"
#include "sync/wait.h"

/* As much as the system gives by default: what runs here is often somebody else's library.  Pages
 * exist once they are touched. */
#define STACK_BYTES ((size_t)8 << 20)

struct weir_thread {
    /* constant after init */
    int (*fn)(void *arg);
    void *arg;
    /* owner: who started it, then who joins */
    struct wi_os_thread os;
    struct wi_lock lock;
    /* guarded by lock */
    bool ended;
    int result;
    struct wi_list joiners; /* wi_waiter.node; at most one, but the list is what can be claimed */
};

static void run_thread(void *raw)
{
    struct weir_thread *thread = raw;
    const int result = thread->fn(thread->arg);

    wi_lock(&thread->lock);
    thread->result = result;
    thread->ended = true;
    struct wi_waiter *joiner = wi_waitlist_claim_first(&thread->joiners);
    wi_unlock(&thread->lock);
    if (joiner != NULL)
        wi_waiter_done(joiner, 0);
}

int weir_thread_start(weir_thread **out, int (*fn)(void *arg), void *arg)
{
    wi_bug_unless(out != NULL);
    wi_bug_unless(fn != NULL);
    struct weir_thread *thread = wi_alloc_zeroed(1, sizeof(*thread));
    if (thread == NULL)
        return WEIR_ENOMEM;
    thread->fn = fn;
    thread->arg = arg;
    wi_lock_init(&thread->lock);
    wi_list_init(&thread->joiners);
    const int rc = wi_os_thread_start(&thread->os, run_thread, thread, STACK_BYTES, "weir-thread");
    if (rc != 0) {
        wi_free(thread);
        return rc;
    }
    *out = thread;
    return 0;
}

static const struct wi_waitable thread_waitable = { .what = "join thread" };

/* Waits until the function has returned.  A join is not canceled by ambient cancellation. */
static int wait_for_end(struct weir_thread *thread, weir_time deadline)
{
    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, &thread_waitable, thread, NULL);

    wi_lock(&thread->lock);
    if (thread->ended) {
        wi_unlock(&thread->lock);
        return 0;
    }
    if (deadline == WEIR_DONT_WAIT) {
        wi_unlock(&thread->lock);
        return WEIR_ETIMEDOUT;
    }
    wi_bug_unless(wi_list_empty(&thread->joiners)); /* a thread is joined once */
    wi_list_push_back(&thread->joiners, &self.node);
    return wi_wait_single(&self, &thread->lock, deadline, WI_WAIT_UNCANCELABLE);
}

int weir_thread_join(weir_thread *thread, int *result, weir_time deadline)
{
    wi_bug_unless(thread != NULL);
    const int rc = wait_for_end(thread, deadline);
    if (rc != 0)
        return rc;
    wi_os_thread_join(&thread->os); /* it is past its function: a matter of microseconds */
    if (result != NULL)
        *result = thread->result;
    wi_free(thread);
    return 0;
}
