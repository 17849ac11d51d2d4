/* SPDX-License-Identifier: MIT */
/* The adaptive limit as an object that tasks wait at: the law of load/limit.h behind a lock, and a
 * line of waiters; see include/weir/limit.h.
 *
 *   a: acquire, with nobody in line and the law allowing it: begins.
 *   b: else, if its wait can be hoped to end in time, it queues itself.
 *   c: release: the law hears of the end; as many waiters as it now allows begin, and are woken
 *      after the unlock: the oldest, or the newest where the line stands.
 * The law may allow more as time passes (it is lifted), but only somebody's call finds that out:
 * who is in line while nobody releases has at least running_min before him who will. Invariant
 * under the lock: with somebody in line the law allowed no more when it was asked last. Pairing:
 * the lock's. */
#include "weir/limit.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "load/limit.h"
#include "sync/lock.h"
#include "sync/wait.h"
#include "weir/task.h"

enum {
    RUNNING_MIN = 4,
    WAITING_MAX = 1024
};

/* Where the oldest has waited for so long the line stands.  Then those whose turn it would be are
 * mostly close to giving up, as whoever asked them is: each would begin and be canceled, nothing
 * would end well, and a limit that grows with what ends well would not let the line go when the
 * destination is well again.  Source of newest first in a line that stands: Maurer, "Fail at
 * Scale", 2015. */
#define STANDING_NS (100 * WEIR_NS_PER_MS)

struct weir_limit {
    /* constant after init */
    int64_t waiting_max;
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_limit law;
    struct wi_list waiters;
    int64_t waiting; /* those on the list, and those that are leaving it */
    int64_t begun, overload, shed, gone;
};

_Static_assert(WI_LIMIT_GOOD == (int)WEIR_LIMIT_GOOD, "the law's and the caller's are the same");
_Static_assert(WI_LIMIT_OVERLOAD == (int)WEIR_LIMIT_OVERLOAD, "as above");
_Static_assert(WI_LIMIT_UNKNOWN == (int)WEIR_LIMIT_UNKNOWN, "as above");

static const struct wi_waitable limit_waitable = { .what = "acquire limit" };

int weir_limit_create(weir_limit **out, const struct weir_limit_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_limit_opts wanted;
    const int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    const int64_t most = wanted.running_max == 0 ? WEIR_LIMIT_RUNNING_MAX : wanted.running_max;
    int64_t least = wanted.running_min;
    if (least == 0)
        least = most < RUNNING_MIN ? most : RUNNING_MIN;
    if (most > WEIR_LIMIT_RUNNING_MAX || least < 1 || least > most)
        return WEIR_EINVAL;
    struct weir_limit *limit = wi_alloc_zeroed(1, sizeof(*limit));
    if (limit == NULL)
        return WEIR_ENOMEM;
    limit->waiting_max = wanted.waiting_max == 0 ? WAITING_MAX : wanted.waiting_max;
    wi_lock_init(&limit->lock);
    /* A fixed one cannot be cut. */
    wi_limit_init(&limit->law, wanted.fixed ? most : least, most, weir_now());
    wi_list_init(&limit->waiters);
    *out = limit;
    return 0;
}

void weir_limit_destroy(weir_limit *limit)
{
    wi_bug_unless(limit != NULL);
    if (limit->law.running > 0 || !wi_list_empty(&limit->waiters))
        wi_bug_misuse_values("weir_limit_destroy", "calls under way", limit->law.running, "waiting",
                             (int64_t)wi_list_count(&limit->waiters));
    wi_free(limit);
}

/* b: whether to wait is worth it.  The law's prediction is a mean, hence only half of the time is
 * put on it. */
static bool hopeless(const struct weir_limit *limit, weir_time deadline, weir_time now)
{
    if (limit->waiting >= limit->waiting_max)
        return true;
    const weir_time ambient = weir_deadline();
    const weir_time end = ambient < deadline ? ambient : deadline;
    if (end == WEIR_NO_DEADLINE || end <= now)
        return false; /* an end that has come is told as what it is */
    return wi_limit_wait_ns(&limit->law, limit->waiting + 1) > (end - now) / 2;
}

static int wait_in_line(struct weir_limit *limit, weir_time deadline, weir_time since)
{
    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, &limit_waitable, limit, &since);
    limit->waiting++;
    wi_list_push_back(&limit->waiters, &self.node);
    const int rc = wi_wait_single(&self, &limit->lock, deadline, WI_WAIT_CANCELABLE);
    if (rc == 0)
        return 0; /* who let it begin has counted it */
    wi_lock(&limit->lock);
    limit->waiting--;
    limit->gone++;
    wi_unlock(&limit->lock);
    return rc;
}

int weir_limit_acquire(weir_limit *limit, weir_time deadline)
{
    wi_bug_unless(limit != NULL);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    const weir_time now = weir_now();
    int rc = 0;
    wi_lock(&limit->lock);
    if (wi_list_empty(&limit->waiters) && wi_limit_begin(&limit->law, now))
        limit->begun++;
    else if (deadline == WEIR_DONT_WAIT)
        rc = WEIR_ETIMEDOUT;
    else if (hopeless(limit, deadline, now))
        rc = WEIR_ESHED;
    else
        return wait_in_line(limit, deadline, now);
    limit->shed += rc == WEIR_ESHED;
    wi_unlock(&limit->lock);
    return rc;
}

/* The next in turn; the line is not empty. */
static struct wi_waiter *take_next_locked(struct weir_limit *limit, weir_time now)
{
    const struct wi_waiter *oldest = wi_container_of(limit->waiters.next, struct wi_waiter, node);
    const weir_time *since = oldest->data;
    if (now - *since > STANDING_NS) {
        struct wi_list *newest = limit->waiters.prev;
        wi_list_remove(newest);
        wi_list_push_front(&limit->waiters, newest);
    }
    return wi_waitlist_claim_first(&limit->waiters);
}

/* c */
static void let_in_locked(struct weir_limit *limit, weir_time now, struct wi_list *let_in)
{
    while (!wi_list_empty(&limit->waiters) && wi_limit_begin(&limit->law, now)) {
        struct wi_waiter *first = take_next_locked(limit, now);
        wi_bug_unless(first != NULL); /* who waits for one thing is off the list or can be had */
        limit->waiting--;
        limit->begun++;
        wi_list_push_back(let_in, &first->node);
    }
}

void weir_limit_release(weir_limit *limit, enum weir_limit_end end, int64_t took_ns)
{
    wi_bug_unless(limit != NULL);
    wi_bug_unless_cmp(end, >=, WEIR_LIMIT_GOOD);
    wi_bug_unless_cmp(end, <=, WEIR_LIMIT_UNKNOWN);
    const weir_time now = weir_now();
    struct wi_list let_in;
    wi_list_init(&let_in);
    wi_lock(&limit->lock);
    if (limit->law.running == 0)
        wi_bug_misuse("weir_limit_release", "calls under way", 0);
    limit->overload += end == WEIR_LIMIT_OVERLOAD;
    wi_limit_end(&limit->law, (enum wi_limit_end)end, took_ns, now);
    let_in_locked(limit, now, &let_in);
    wi_unlock(&limit->lock);
    wi_waitlist_finish(&let_in, 0);
}

void weir_limit_stats_read(weir_limit *limit, struct weir_limit_stats *out)
{
    wi_bug_unless(limit != NULL);
    wi_bug_unless(out != NULL);
    wi_lock(&limit->lock);
    const struct weir_limit_stats now = {
        .allowed = limit->law.allowed,
        .running = limit->law.running,
        .waiting = limit->waiting,
        .begun = limit->begun,
        .overload = limit->overload,
        .shed = limit->shed,
        .gone = limit->gone,
    };
    wi_unlock(&limit->lock);
    wi_sized_give(out, &now, sizeof(now));
}
