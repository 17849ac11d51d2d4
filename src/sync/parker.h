/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_PARKER_H
#define WI_SYNC_PARKER_H

/* The parker: how one task or thread stops and is made to go on.
 *
 * A parker lives in type-stable memory that is never unmapped, so a wake may come late, after its
 * owner has gone on or ended, or its runtime was closed: it is then a spurious wake, and every loop
 * around wi_park() looks at its own state again.
 *
 * The word is a binary semaphore:
 *   EMPTY     the owner runs, is queued to run or has ended; no wake is pending
 *   NOTIFIED  a wake is pending: the next park returns at once
 *   PARKED    the owner has stopped, its registers are saved; the next wake must make it run
 *   ASLEEP    the owner is a thread that sleeps on the word; it may also go on by itself
 *
 * Protocol.
 *   wake (anyone):  a: PARKED -> EMPTY, the usual case: this waker and nobody else makes the owner
 *                      run (ops->resume).
 *                   b: else swap NOTIFIED; if it had become PARKED meanwhile, as in a.  If it was
 *                      ASLEEP, a futex wake does; the waker reads nothing of the record then,
 *                      because the owner may have woken by itself, ended, and given the record to
 *                      a task of the other kind.
 *   park (owner):   c: NOTIFIED -> EMPTY: a wake was pending, go on.
 *                   d: else stop; once the registers are saved, somebody other than the owner's
 *                      own stack does EMPTY -> PARKED; if that fails a wake came meanwhile, the
 *                      word becomes EMPTY and the owner is made to run again.  After a the word is
 *                      EMPTY already.  A thread does EMPTY -> ASLEEP itself, and swaps EMPTY when
 *                      it goes on.
 * Pairing: the release half of a reaches the owner by way of the run queue; that of b meets the
 * acquire half of c, or of d's swap.  So what a waker wrote before the wake is seen by the woken,
 * at the latest when it comes to park again: hence b writes even where the word was NOTIFIED. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"
#include "os/futex.h"
#include "sync/lock.h"
#include "weir/time.h"

enum {
    WI_PARKER_EMPTY = 0,
    WI_PARKER_NOTIFIED = 1,
    WI_PARKER_PARKED = 2,
    WI_PARKER_ASLEEP = 3
};

struct wi_parker;
struct wi_region;

struct wi_parker_ops {
    /* Steps c and d; returns after a wake, at the deadline, or spuriously.  Owner only. */
    void (*park)(struct wi_parker *parker, weir_time deadline);
    /* Makes a PARKED owner run; NULL where owners only ever sleep ASLEEP.  Any thread; must not
     * touch more than the parker's own record. */
    void (*resume)(struct wi_parker *parker);
    /* Lets other ready tasks run first; NULL where the kernel sees to that.  Owner only. */
    void (*yield)(struct wi_parker *parker);
    /* Owners share the cores of the workers: while one runs, others of the same worker do not. */
    bool on_worker;
};

struct wi_parker {
    /* constant after init */
    const struct wi_parker_ops *ops;
    /* atomic */
    wi_atomic_u32 word;
    uint32_t budget; /* owner: calls that may still do without waiting before others get a turn */
    wi_atomic_u64 cancel; /* 0: nothing is canceled; see sync/cancel.h */
    /* owner writes (relaxed), dumps read: what it waited for last; see sync/wait.h */
    wi_atomic_ptr waitable;
    wi_atomic_ptr object;
    int32_t number; /* owner: for reports: the task's, or minus the kernel's number of the thread */
    /* owner writes under the lock, and reads; others read under it; see sync/cancel.h */
    struct wi_lock regions_lock;
    struct wi_region *regions; /* the innermost; NULL: none */
    /* owner: the task; see sync/cancel.h */
    weir_time deadline;     /* ambient, as far as no shield holds it back */
    weir_time shield_until; /* bound of the shield that holds; 0: none does */
};

/* How many calls in a row an owner may make that find nothing to wait for. */
enum {
    WI_PARKER_BUDGET = 256
};

void wi_parker_init(struct wi_parker *parker, const struct wi_parker_ops *ops);

static inline void wi_park(struct wi_parker *parker, weir_time deadline)
{
    parker->ops->park(parker, deadline);
}

/* Step c: whether a wake was pending, which is spent now.  Owner only. */
static inline bool wi_parker_take_notice(struct wi_parker *parker)
{
    uint32_t word = WI_PARKER_NOTIFIED;
    return wi_load_relaxed(&parker->word) == WI_PARKER_NOTIFIED &&
           wi_cas_acq_rel(&parker->word, &word, WI_PARKER_EMPTY);
}

static inline void wi_wake(struct wi_parker *parker)
{
    uint32_t before = WI_PARKER_PARKED;
    if (!wi_cas_acq_rel(&parker->word, &before, WI_PARKER_EMPTY))    /* a */
        before = wi_swap_acq_rel(&parker->word, WI_PARKER_NOTIFIED); /* b */
    if (before == WI_PARKER_PARKED)
        parker->ops->resume(parker);
    else if (before == WI_PARKER_ASLEEP)
        wi_futex_wake(&parker->word, 1);
}

/* Who it is, for reports; 0 for nobody. */
static inline int64_t wi_parker_number(const struct wi_parker *parker)
{
    return parker != NULL ? parker->number : 0;
}

/* The parker of whoever calls: the running task's, else the calling thread's own.  Never cached by
 * the compiler: ask again after every wait. */
struct wi_parker *wi_current_parker(void);

/* Where the calling thread keeps its current parker: a scheduler writes the running task's there,
 * and NULL between tasks.  The place is the thread's and is used by it alone. */
struct wi_parker **wi_current_place(void);

#endif
