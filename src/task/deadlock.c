/* SPDX-License-Identifier: MIT */
/* Deadlocks of the whole process.  See deadlock.h.
 *
 * There is one if all of this holds at two looks that lie LOOK_NS and more apart, and nobody has
 * gone on in between:
 *   a  no worker has a task to run, and no timer is set;
 *   b  every task is parked, or asleep without a deadline on its own thread, and what it waits for
 *      is not marked as coming from outside (wi_waitable.outside);
 *   c  the poller watches no descriptor;
 *   d  every thread of the process is the runtime's, or waits in weir without a deadline.  Any
 *      other thread may wake a task at any time, also one that belongs to a blocking pool.
 * Whatever cannot be found out counts as a reason to go on.  As in Go, a process that listens is
 * never in a deadlock; that some of its tasks wait for each other a dump shows.
 *
 * Cost: a and the first task that is not blocked decide nearly every look.  What does not, because
 * c or d says no, doubles the time to the next look up to LOOK_MAX_NS, until a task runs again. */
#include "task/deadlock.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/poll.h"
#include "os/thread.h"
#include "sync/thread_parker.h"
#include "sync/wait.h"
#include "task/record.h"
#include "task/report.h"
#include "task/rt.h"
#include "task/runtime.h"

#define LOOK_NS (500 * WEIR_NS_PER_MS)
#define LOOK_MAX_NS (64 * WEIR_NS_PER_S)

/* What was seen of everybody: two that are alike mean that nobody has gone on. */
struct picture {
    uint64_t hash;
    int64_t blocked;
    int64_t naps;
    bool somebody_goes_on;
};

static struct {
    /* constant while open */
    bool wanted;
    void (*on_deadlock)(void *user);
    void *user;
    /* owner: who watches */
    weir_time next_look;
    int64_t pause_ns;
    uint64_t progress; /* at the last look */
    struct picture last;
    bool last_was_stuck;
    bool reported; /* since `progress` */
} watch;

void wi_deadlock_open(const struct weir_opts *opts)
{
    memset(&watch, 0, sizeof(watch));
    watch.wanted = !opts->ignore_deadlocks && wi_poll_is_empty(&wi_rt.loop.poll) >= 0;
    watch.on_deadlock = opts->on_deadlock;
    watch.user = opts->deadlock_user;
    watch.pause_ns = LOOK_NS;
}

/* -- the looks -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

/* Counts what any task's going on changes, but for those on threads of their own. */
static uint64_t progress_now(void)
{
    uint64_t sum = (uint64_t)wi_task_count_started();
    for (int i = 0; i < wi_rt.worker_count; i++)
        sum += wi_load_relaxed(&wi_rt.workers[i].runs);
    return sum;
}

/* a */
static bool nothing_is_due(void)
{
    if (wi_load_seq_cst(&wi_rt.idle_count) != (uint32_t)wi_rt.worker_count ||
        wi_load_seq_cst(&wi_rt.inject_count) > 0 || wi_load_acquire(&wi_rt.loop.posts) != NULL ||
        wi_wheel_next(&wi_rt.loop.wheel) != WEIR_NO_DEADLINE)
        return false;
    for (int i = 0; i < wi_rt.worker_count; i++) {
        struct wi_worker *worker = &wi_rt.workers[i];
        if (wi_worker_has_work(worker) || wi_wheel_next(&worker->wheel) != WEIR_NO_DEADLINE)
            return false;
    }
    return true;
}

static bool is_from_outside(struct wi_parker *parker)
{
    const struct wi_waitable *waitable = wi_load_relaxed(&parker->waitable);
    return waitable != NULL && waitable->outside;
}

/* Since when a task on its own thread sleeps without a deadline; 0: it does not. */
static weir_time asleep_since(struct weir_task *task)
{
    wi_lock(&task->lock);
    const struct wi_nap *nap = task->nap;
    const weir_time since = nap != NULL && nap->until == WEIR_NO_DEADLINE ? nap->since : 0;
    wi_unlock(&task->lock);
    return since;
}

/* b */
static bool look_at_task(struct weir_task *task, void *arg)
{
    struct picture *picture = arg;
    if ((wi_load_acquire(&task->references) & WI_TASK_RUN) == 0)
        return true;
    weir_time since = 0;
    bool blocked = wi_load_acquire(&task->parker.word) == WI_PARKER_PARKED;
    if (!blocked) {
        since = asleep_since(task);
        blocked = since != 0;
    }
    if (!blocked || is_from_outside(&task->parker)) {
        picture->somebody_goes_on = true;
        return false;
    }
    picture->blocked++;
    picture->hash = mix(mix(picture->hash, wi_task_id(task)), (uint64_t)since);
    return true;
}

static void look_at_nap(const struct wi_thread_nap *nap, void *arg)
{
    struct picture *picture = arg;
    picture->naps++;
    if (nap->until != WEIR_NO_DEADLINE || is_from_outside(nap->parker))
        picture->somebody_goes_on = true;
    picture->hash = mix(mix(picture->hash, (uint64_t)nap->thread_id), (uint64_t)nap->since);
}

/* d: the opener of a `loop` runtime counts while it waits. */
static bool opener_waits(void)
{
    return wi_load_acquire(&wi_rt.opener_until) == WEIR_NO_DEADLINE;
}

static bool somebody_is_outside(const struct picture *picture)
{
    if (wi_poll_is_empty(&wi_rt.loop.poll) != 1) /* c */
        return true;
    int64_t known = wi_load_relaxed(&wi_rt.threads) + picture->naps;
    known += wi_monitor_loop() != NULL;
    known += wi_rt.opener != NULL;
    const int threads = wi_os_thread_count();
    return threads < 0 || threads > known;
}

/* Whether everybody waits, for what nobody can bring. */
static bool look(struct picture *picture)
{
    *picture = (struct picture){ .hash = progress_now() };
    if (wi_rt.opener != NULL && !opener_waits())
        return false;
    if (!nothing_is_due())
        return false;
    wi_records_each(look_at_task, picture);
    if (picture->somebody_goes_on || picture->blocked == 0)
        return false;
    wi_thread_naps(look_at_nap, picture);
    return !picture->somebody_goes_on && !somebody_is_outside(picture) && nothing_is_due();
}

/* -- the report ------------------------------------------------------------------------------- */

/* The one who watches is also the one who hands on the log. */
static void report(int64_t blocked)
{
    wi_log(WI_LOG_ERROR,
           "deadlock: %lld %s, and no timer, descriptor or other thread is left to end that",
           (long long)blocked,
           blocked == 1 ? "task waits, the only one" : "tasks wait, all there are");
    wi_report_tasks(NULL, true);
    wi_runtime_drain_log();
    if (watch.on_deadlock != NULL)
        watch.on_deadlock(watch.user);
}

weir_time wi_deadlock_next_look(void)
{
    return watch.wanted && !watch.reported ? watch.next_look : WEIR_NO_DEADLINE;
}

void wi_deadlock_look(weir_time now)
{
    if (!watch.wanted)
        return;
    const uint64_t progress = progress_now();
    if (progress != watch.progress) {
        watch.progress = progress;
        watch.last_was_stuck = false;
        watch.reported = false;
        watch.pause_ns = LOOK_NS;
        watch.next_look = now + LOOK_NS;
        return;
    }
    if (watch.reported || now < watch.next_look)
        return;
    struct picture picture;
    const bool stuck = look(&picture);
    if (stuck && watch.last_was_stuck && picture.hash == watch.last.hash) {
        watch.reported = true;
        report(picture.blocked);
        return;
    }
    if (stuck)
        watch.pause_ns = LOOK_NS;
    else if (watch.pause_ns < LOOK_MAX_NS)
        watch.pause_ns *= 2;
    watch.next_look = now + watch.pause_ns;
    watch.last_was_stuck = stuck;
    watch.last = picture;
}
