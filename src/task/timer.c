/* SPDX-License-Identifier: MIT */
/* Timers and tickers of include/weir/timer.h, on the workers' wheels.
 *
 * A timer has a lock of its own, because it may be started on one worker's wheel, stopped on
 * another and waited for on a third; the wheel's lock is taken under it.  The wheel calls fire()
 * without locks, after it has taken the timer off: so a fire() may be under way while the timer is
 * stopped, started anew, or even freed and given to somebody else.  It therefore looks:
 *   not armed                  it was stopped, or somebody took the tick himself: nothing to do
 *   armed, and on a wheel      it was started anew: that is a matter of the next fire()
 *   armed, and on no wheel     the tick is due
 * Records are type-stable, and fields that a late fire() reads are never initialised anew.
 *
 * Invariants under the lock: armed means on a wheel, or that a fire() is under way, or that the
 * runtime was closed; while waiters wait nothing has ticked; never armed and ticked at once.  A
 * ticker whose tick nobody has taken is on no wheel: the periods it stands for are counted from the
 * clock when it is taken, so one that nobody looks at costs nothing.
 *
 * The function of a timer runs without the lock; `firing`, in that thread's frame, says so.  A tick
 * that comes meanwhile is left to the same thread, so the function never runs twice at a time. */
#include "task/timer.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/sized.h"
#include "os/thread.h"
#include "os/vm.h"
#include "sync/wait.h"
#include "task/runtime.h"
#include "task/selectables.h"
#include "task/worker.h"
#include "weir/timer.h"

enum {
    TIMERS_MAX = 1 << 24
};

/* A call of the function under way. */
struct firing {
    struct wi_thread *thread;
    bool again; /* guarded by the timer's lock: another tick came meanwhile */
    bool gone;  /* the thread: the function has destroyed its timer */
};

struct weir_timer {
    struct wi_timer wheel;
    struct wi_lock lock;
    /* guarded by lock */
    bool live;
    bool armed;
    bool ticked;
    weir_time due; /* of the next tick, or of the one that ticked */
    int64_t period_ns;
    struct wi_list waiters; /* data: where the number of ticks goes, or NULL */
    void (*fn)(void *arg);
    void *arg;
    struct firing *firing;
};

/* -- records ---------------------------------------------------------------------------------- */

static const struct wi_slab_source pages = { .map = wi_vm_map, .unmap = wi_vm_unmap };

static struct {
    struct wi_lock lock;
    struct wi_slab slab; /* guarded by lock */
} pool;

static int stock_refill(struct wi_slab_cache *stock)
{
    wi_lock(&pool.lock);
    if (pool.slab.stride_bytes == 0)
        wi_slab_init(&pool.slab, sizeof(struct weir_timer), TIMERS_MAX, pages);
    const int rc = wi_slab_cache_refill(stock, &pool.slab);
    wi_unlock(&pool.lock);
    return rc;
}

static void stock_spill(struct wi_slab_cache *stock, uint32_t keep)
{
    wi_lock(&pool.lock);
    wi_slab_cache_spill(stock, &pool.slab, keep);
    wi_unlock(&pool.lock);
}

void wi_timer_stock_close(struct wi_slab_cache *stock)
{
    if (stock->count > 0)
        stock_spill(stock, 0);
}

static int record_take(struct weir_timer **out)
{
    uint32_t index = 0;
    int rc = 0;
    struct wi_worker *worker = wi_worker_enter();
    struct wi_slab_cache own = { .count = 0 };
    struct wi_slab_cache *stock = worker != NULL ? &worker->timers : &own;
    if (!wi_slab_cache_take(stock, &index)) {
        rc = stock_refill(stock);
        if (rc == 0)
            (void)wi_slab_cache_take(stock, &index);
    }
    if (worker == NULL && own.count > 0)
        stock_spill(&own, 0);
    wi_worker_leave(worker);
    if (rc == 0)
        *out = wi_slab_at(&pool.slab, index);
    return rc;
}

static void record_give(struct weir_timer *timer)
{
    const uint32_t index = wi_slab_index(&pool.slab, timer);
    struct wi_worker *worker = wi_worker_enter();
    struct wi_slab_cache own = { .count = 0 };
    struct wi_slab_cache *stock = worker != NULL ? &worker->timers : &own;
    if (!wi_slab_cache_put(stock, index)) {
        stock_spill(stock, WI_SLAB_CACHE_MAX / 2);
        (void)wi_slab_cache_put(stock, index);
    }
    if (worker == NULL)
        stock_spill(&own, 0);
    wi_worker_leave(worker);
}

/* -- ticking ---------------------------------------------------------------------------------- */

static void arm_locked(struct weir_timer *timer)
{
    timer->ticked = false;
    timer->armed = true;
    if (timer->fn != NULL)
        wi_runtime_user_timer_start(&timer->wheel, timer->due);
    else
        wi_runtime_timer_start(&timer->wheel, timer->due);
}

static void disarm_locked(struct weir_timer *timer)
{
    if (timer->armed)
        (void)wi_timer_stop(&timer->wheel);
    timer->armed = false;
    timer->ticked = false;
}

/* The tick that is due happens for somebody: how many periods it stands for.  A ticker goes on. */
static int64_t tick_locked(struct weir_timer *timer)
{
    disarm_locked(timer);
    if (timer->period_ns == 0)
        return 1;
    const int64_t late_ns = weir_now() - timer->due;
    const int64_t ticks = 1 + (late_ns > 0 ? late_ns / timer->period_ns : 0);
    int64_t ahead_ns;
    if (__builtin_mul_overflow(ticks, timer->period_ns, &ahead_ns) ||
        __builtin_add_overflow(timer->due, ahead_ns, &timer->due))
        timer->due = WEIR_NO_DEADLINE;
    if (wi_runtime_check() == 0)
        arm_locked(timer);
    return ticks;
}

/* Calls fn(arg) as the thread itself, whose parker refuses to wait while it handles events. */
static void call_function(struct wi_thread *thread, void (*fn)(void *), void *arg)
{
    struct wi_parker **place = wi_current_place();
    struct wi_parker *before = *place;
    *place = &thread->parker;
    fn(arg);
    *place = before;
}

/* Calls the function, with the lock held before; it is released here. */
static void run_function_locked(struct weir_timer *timer)
{
    struct firing self = { .thread = wi_thread_self() };
    if (timer->firing != NULL) {
        timer->firing->again = true;
        wi_unlock(&timer->lock);
        return;
    }
    timer->firing = &self;
    do {
        self.again = false;
        void (*fn)(void *) = timer->fn;
        void *arg = timer->arg;
        wi_unlock(&timer->lock);
        call_function(self.thread, fn, arg);
        if (self.gone)
            return;
        wi_lock(&timer->lock);
    } while (self.again);
    timer->firing = NULL;
    wi_unlock(&timer->lock);
}

static void fire(struct wi_timer *wheel)
{
    struct weir_timer *timer = wi_container_of(wheel, struct weir_timer, wheel);
    wi_lock(&timer->lock);
    if (!timer->armed || wi_timer_running(wheel)) {
        wi_unlock(&timer->lock);
        return;
    }
    if (timer->fn != NULL) {
        (void)tick_locked(timer);
        run_function_locked(timer);
        return;
    }
    struct wi_waiter *waiter = wi_waitlist_claim_first(&timer->waiters);
    if (waiter == NULL) {
        timer->armed = false;
        timer->ticked = true;
        wi_unlock(&timer->lock);
        return;
    }
    const int64_t ticks = tick_locked(timer);
    if (waiter->data != NULL)
        *(int64_t *)waiter->data = ticks;
    wi_unlock(&timer->lock);
    wi_waiter_done(waiter, 0);
}

/* A tick that is due and that the wheel has not come to counts too. */
static bool ready_locked(const struct weir_timer *timer)
{
    if (timer->fn != NULL)
        return false;
    return timer->ticked || (timer->armed && timer->due <= weir_now());
}

static bool take_locked(struct weir_timer *timer, int64_t *ticks)
{
    if (!ready_locked(timer))
        return false;
    const int64_t taken = tick_locked(timer);
    if (ticks != NULL)
        *ticks = taken;
    return true;
}

/* -- the calls -------------------------------------------------------------------------------- */

/* Takes the lock of a timer that exists. */
static void lock_live(struct weir_timer *timer)
{
    wi_bug_unless(timer != NULL);
    wi_lock(&timer->lock);
    wi_bug_unless(timer->live);
}

int weir_timer_create(weir_timer **out, const struct weir_timer_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_timer_opts wanted = { 0 };
    int rc = opts != NULL ? wi_sized_take(&wanted, sizeof(wanted), opts) : 0;
    struct weir_timer *timer = NULL;
    if (rc == 0)
        rc = record_take(&timer);
    if (rc != 0)
        return rc;
    wi_lock(&timer->lock);
    if (timer->wheel.fire == NULL) { /* else it was a timer before, and a fire() may be under way */
        wi_timer_init(&timer->wheel, fire);
        wi_list_init(&timer->waiters);
    }
    timer->fn = wanted.fn;
    timer->arg = wanted.arg;
    timer->live = true;
    wi_unlock(&timer->lock);
    *out = timer;
    return 0;
}

void weir_timer_destroy(weir_timer *timer)
{
    lock_live(timer);
    if (!wi_list_empty(&timer->waiters))
        wi_bug_misuse("weir_timer_destroy", "somebody waits on the timer, which is due at",
                      timer->due);
    disarm_locked(timer);
    while (timer->firing != NULL) {
        timer->firing->again = false;
        if (timer->firing->thread == wi_thread_self()) {
            timer->firing->gone = true;
            timer->firing = NULL;
            break;
        }
        wi_unlock(&timer->lock);
        wi_os_thread_yield();
        wi_lock(&timer->lock);
    }
    disarm_locked(timer); /* its function may have started it meanwhile */
    timer->live = false;
    wi_unlock(&timer->lock);
    record_give(timer);
}

int weir_timer_start(weir_timer *timer, weir_time at, int64_t period_ns)
{
    if (period_ns < 0)
        return WEIR_EINVAL;
    const int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    lock_live(timer);
    bool ran = timer->armed;
    if (timer->firing != NULL) {
        ran = ran || timer->firing->again;
        timer->firing->again = false;
    }
    disarm_locked(timer);
    timer->due = at > 0 ? at : weir_now();
    timer->period_ns = period_ns;
    arm_locked(timer);
    wi_unlock(&timer->lock);
    return ran ? 1 : 0;
}

bool weir_timer_stop(weir_timer *timer)
{
    lock_live(timer);
    bool ran = timer->armed;
    if (timer->firing != NULL) {
        ran = ran || timer->firing->again;
        timer->firing->again = false;
    }
    disarm_locked(timer);
    wi_unlock(&timer->lock);
    return ran;
}

static const struct wi_waitable timer_waitable = { .what = "timer" };

int weir_timer_wait(weir_timer *timer, int64_t *ticks, weir_time deadline)
{
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    lock_live(timer);
    const bool taken = take_locked(timer, ticks);
    if (taken || deadline == WEIR_DONT_WAIT) {
        wi_unlock(&timer->lock);
        return taken ? 0 : WEIR_ETIMEDOUT;
    }
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init_single(&wait, &waiter, &timer_waitable, timer, ticks);
    wi_list_push_back(&timer->waiters, &waiter.node);
    return wi_wait_single(&waiter, &timer->lock, deadline, WI_WAIT_CANCELABLE);
}

/* -- in a select ------------------------------------------------------------------------------ */

static bool select_begin(struct wi_selected *selected, bool may_wait)
{
    (void)may_wait;
    selected->object = selected->one->timer;
    return false;
}

static struct wi_lock *select_lock(void *object)
{
    return &((struct weir_timer *)object)->lock;
}

static bool select_ready(const struct wi_selected *selected)
{
    const struct weir_timer *timer = selected->object;
    wi_bug_unless(timer->live);
    return ready_locked(timer);
}

static int select_take(struct wi_selected *selected, struct wi_waiter **served)
{
    (void)served;
    selected->one->result = 0;
    return take_locked(selected->object, selected->one->msg) ? 0 : WEIR_EAGAIN;
}

static struct wi_list *select_queue(struct wi_selected *selected)
{
    return &((struct weir_timer *)selected->object)->waiters;
}

const struct wi_selectable wi_timer_selectable = {
    .begin = select_begin,
    .lock = select_lock,
    .ready_locked = select_ready,
    .take_locked = select_take,
    .queue_locked = select_queue,
};
