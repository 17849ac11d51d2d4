/* SPDX-License-Identifier: MIT */
/* Once, in memory that begins as zeroes.
 *
 * State: NEW, RUNNING, AWAITED (running, and somebody is on the queue, or was and gave up), DONE.
 *   a: NEW -> RUNNING: this caller runs fn.
 *   b: others, under the lock: RUNNING -> AWAITED, and queue themselves.
 *   c: fn returned: the result is written, RUNNING -> DONE: the runner's last touch.
 *   d: AWAITED: under the lock, if somebody is queued: DONE, all are told after the unlock; until
 *      then they are inside their calls, so the once exists.  If nobody is: RUNNING again, and c.
 * Pairing: the release of c and d meets the acquire with which the state is read. */
#include "weir/once.h"

#include <stddef.h>

#include "base/check.h"
#include "sync/lock.h"
#include "sync/wait.h"

enum {
    NEW = 0,
    RUNNING = 1,
    AWAITED = 2,
    DONE = 3
};

/* What weir_once.inside holds; may_alias, since the program sees other types there. */
struct __attribute__((may_alias)) once {
    wi_atomic_u32 state;
    struct wi_lock lock;
    int result;             /* the runner's until DONE, then constant */
    wi_atomic_ptr runner;   /* its parker; told by the runner, before it calls fn */
    struct wi_list waiters; /* guarded by lock; zeroes until the first waits */
};

_Static_assert(sizeof(struct once) <= sizeof(struct weir_once), "there is room inside");
_Static_assert(_Alignof(struct once) <= _Alignof(struct weir_once), "it lies right inside");

static struct wi_parker *holder_of(const void *object)
{
    const struct once *once = object;
    return wi_load_acquire(&once->runner);
}

static const struct wi_waitable once_waitable = { .what = "wait for once", .holder = holder_of };

/* d; false: nobody is queued. */
static bool end_and_wake(struct once *once)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&once->lock);
    wi_waitlist_claim_all(&once->waiters, &claimed);
    const bool somebody = !wi_list_empty(&claimed);
    wi_store_release(&once->state, somebody ? DONE : RUNNING);
    wi_unlock(&once->lock);
    wi_waitlist_finish(&claimed, 0);
    return somebody;
}

static int run(struct once *once, int (*fn)(void *arg), void *arg)
{
    wi_store_release(&once->runner, wi_current_parker());
    const int result = fn(arg);
    once->result = result;
    for (;;) {
        uint32_t state = RUNNING;
        if (wi_cas_acq_rel(&once->state, &state, DONE)) /* c */
            return result;
        if (end_and_wake(once))
            return result;
    }
}

/* b; 0: it is done. */
static int wait_for_runner(struct once *once, weir_time deadline)
{
    if (wi_load_acquire(&once->runner) == wi_current_parker())
        return WEIR_EDEADLK;
    if (deadline == WEIR_DONT_WAIT)
        return WEIR_ETIMEDOUT;
    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, &once_waitable, once, NULL);
    wi_lock(&once->lock);
    if (once->waiters.next == NULL)
        wi_list_init(&once->waiters);
    uint32_t state = wi_load_acquire(&once->state);
    while (state != DONE) {
        if (wi_cas_acq_rel(&once->state, &state, AWAITED)) {
            wi_list_push_back(&once->waiters, &self.node);
            return wi_wait_single(&self, &once->lock, deadline, WI_WAIT_CANCELABLE);
        }
    }
    wi_unlock(&once->lock);
    return 0;
}

int weir_once_run(weir_once *given, int (*fn)(void *arg), void *arg, weir_time deadline)
{
    wi_bug_unless(given != NULL);
    wi_bug_unless(fn != NULL);
    struct once *once = (struct once *)(void *)given;
    uint32_t state = wi_load_acquire(&once->state);
    if (wi_likely(state == DONE))
        return once->result;
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    if (state == NEW && wi_cas_acq_rel(&once->state, &state, RUNNING)) /* a */
        return run(once, fn, arg);
    const int rc = wait_for_runner(once, deadline);
    return rc != 0 ? rc : once->result;
}

bool weir_once_done(const weir_once *given)
{
    wi_bug_unless(given != NULL);
    const struct once *once = (const struct once *)(const void *)given;
    return wi_load_acquire(&once->state) == DONE;
}
