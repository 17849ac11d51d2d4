/* SPDX-License-Identifier: MIT */
/* The monitor: one thread that watches all workers and never runs user code.
 *
 * Every TICK_NS while something runs it looks at each worker.  One that has run the same task for
 * HOG_NS in user state, or for half of that while timers of its wheel are due, is taken by the
 * ownership handshake (worker.h) and given to a spare thread; the hog goes on under the kernel's
 * scheduling.  Under `loop` there is deliberately no second thread for handlers: the block is
 * reported with task, spawn site and duration, and meanwhile the monitor turns the runtime's loop
 * in the place of its thread (worker.h: g), so that servers accept, judge and refuse, and answer
 * what needs no handler.  It also has workers look at poller and timers again
 * whose slices may have become long, wakes an idle one when nobody has looked there for a while,
 * hands on the log, gives back pages of stacks that are not needed, and lends its own event loop to
 * the admin endpoint.
 *
 * Sleep: when all workers have been idle for QUIET_TICKS it blocks in its loop.
 *   monitor: a: asleep = 1 (seq_cst); b: looks whether all workers are idle.
 *   worker, leaving idleness: c: idle_count goes down (seq_cst); d: reads asleep, and kicks.
 * Of a-b and c-d at least one sees the other.
 *
 * Own; the idea is Go's sysmon and libgo's dispatcher thread. */
#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "os/clock.h"
#include "task/deadlock.h"
#include "task/rt.h"
#include "task/runtime.h"
#include "task/stack.h"

static const int64_t TICK_NS = 5 * WEIR_NS_PER_MS;
static const int64_t HOG_NS = 10 * WEIR_NS_PER_MS;
static const int64_t HOG_WHILE_TIMERS_WAIT_NS = 5 * WEIR_NS_PER_MS;
static const int64_t ABSENT_NS = 10 * WEIR_NS_PER_MS; /* the thread of a `loop` from its poller */
static const int64_t BUSY_TICK_NS = WEIR_NS_PER_MS;   /* while there it finds something to do */
static const int64_t BLOCKED_COUNTED_NS = 20 * WEIR_NS_PER_MS; /* less is the kernel's noise */
static const int64_t BLOCKED_LOOP_NS = 100 * WEIR_NS_PER_MS;
static const int64_t POLL_LATE_NS = 4 * WEIR_NS_PER_MS;
static const int64_t QUIET_NS = 500 * WEIR_NS_PER_MS; /* longest sleep, for the log's sake */
enum {
    QUIET_TICKS = 20,
    MONITOR_STACK_BYTES = 256 << 10
};

struct sighting {
    uint64_t runs;
    weir_time since;
    weir_time counted; /* blocked time up to here is in the sum */
    bool reported;
};

static struct {
    struct wi_loop loop;
    struct wi_os_thread thread;
    bool open;
    /* owner: the monitor */
    struct wi_thread self; /* for what callbacks of the runtime's loop ask of their thread */
    struct sighting sightings[WI_WORKERS_MAX];
    int quiet_ticks;
    bool trimmed;
    /* atomic */
    wi_atomic_u32 asleep;
    wi_atomic_u32 stopping;
} monitor;

static const char *or_unknown(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : "?";
}

/* Adds what has passed since the last look to the time for which the loop did not turn. */
static void count_blocked_loop(struct sighting *seen, weir_time now)
{
    const int64_t blocked = now - seen->since;
    if (blocked < BLOCKED_COUNTED_NS)
        return;
    const weir_time from = seen->counted > seen->since ? seen->counted : seen->since;
    wi_store_relaxed(&wi_rt.blocked_ns, wi_load_relaxed(&wi_rt.blocked_ns) + (now - from));
    wi_store_relaxed(&wi_rt.blocked_now_ns, blocked);
    seen->counted = now;
}

static void report_blocked_loop(struct wi_worker *worker, struct sighting *seen, weir_time now)
{
    if (seen->reported || now - seen->since < BLOCKED_LOOP_NS)
        return;
    seen->reported = true;
    /* It may have ended this moment; the record stays one. */
    const struct weir_task *task = wi_load_relaxed(&worker->running);
    wi_log(WI_LOG_WARN,
           "the loop is blocked: task \"%s\" spawned at %s has run for %lld ms without waiting",
           or_unknown(task != NULL ? wi_task_name(task) : NULL),
           or_unknown(task != NULL ? wi_task_site(task) : NULL),
           (long long)((now - seen->since) / WEIR_NS_PER_MS));
}

static void relieve(struct wi_worker *worker)
{
    /* Tasks that have started may hog too, however many: threads have a bound. */
    if (wi_load_relaxed(&wi_rt.threads) >= (int64_t)wi_rt.worker_count + wi_rt.threads_max)
        return;
    if (!wi_worker_take(worker))
        return;
    (void)wi_add_relaxed(&wi_rt.hogs_relieved, 1);
    static struct wi_log_limit no_thread;
    while (!wi_worker_give(worker)) {
        /* The worker is ours until a thread takes it; ending hogs free threads. */
        wi_log_limited(&no_thread, wi_clock_now(), WI_LOG_ERROR,
                       "no thread can be started to relieve a worker whose task runs long");
        (void)wi_loop_turn(&monitor.loop, wi_clock_now() + TICK_NS);
        if (wi_load_acquire(&monitor.stopping) != 0)
            return;
    }
}

static void look_at(struct wi_worker *worker, struct sighting *seen, weir_time now)
{
    const uint64_t runs = wi_load_relaxed(&worker->runs);
    const bool in_task = wi_load_relaxed(&worker->running) != NULL;
    /* What a slice made ready was not announced, since the slice might have ended at once.  It did,
     * if others have run meanwhile: then the worker itself knows what waits for how long. */
    if (runs == seen->runs && wi_worker_has_work(worker))
        wi_worker_wake_one();
    wi_worker_look_soon(worker);
    if (runs != seen->runs || !in_task) {
        *seen = (struct sighting){ .runs = runs, .since = now };
        wi_store_relaxed(&wi_rt.blocked_now_ns, 0);
        return;
    }
    if (wi_rt.scheduler == WEIR_SCHEDULER_LOOP) {
        count_blocked_loop(seen, now);
        report_blocked_loop(worker, seen, now);
        return;
    }
    const bool timers_wait = wi_wheel_next(&worker->wheel) < now;
    if (now - seen->since >= (timers_wait ? HOG_WHILE_TIMERS_WAIT_NS : HOG_NS))
        relieve(worker);
}

/* The number of things handled. */
static int stand_in(weir_time now)
{
    if (wi_rt.scheduler != WEIR_SCHEDULER_LOOP || now - wi_load_relaxed(&wi_rt.polled) < ABSENT_NS)
        return 0;
    return wi_worker_stand_in();
}

static bool all_idle(void)
{
    return wi_load_seq_cst(&wi_rt.idle_count) == (uint32_t)wi_rt.worker_count;
}

static void look_at_all(weir_time now)
{
    for (int i = 0; i < wi_rt.worker_count; i++)
        look_at(&wi_rt.workers[i], &monitor.sightings[i], now);
    if (wi_load_relaxed(&wi_rt.driver) == 0 && now - wi_load_relaxed(&wi_rt.polled) > POLL_LATE_NS)
        wi_worker_wake_one();
    monitor.quiet_ticks = all_idle() ? monitor.quiet_ticks + 1 : 0;
    if (monitor.quiet_ticks == 0)
        monitor.trimmed = false;
}

static void monitor_main(void *arg)
{
    (void)arg;
    wi_thread_set_self(&monitor.self);
    int64_t tick_ns = TICK_NS;
    while (wi_load_acquire(&monitor.stopping) == 0) {
        weir_time now = wi_clock_now();
        weir_time until = now + tick_ns;
        if (monitor.quiet_ticks >= QUIET_TICKS) {
            if (!monitor.trimmed) {
                wi_stack_pool_trim();
                monitor.trimmed = true;
            }
            wi_store_seq_cst(&monitor.asleep, 1); /* a */
            if (all_idle())                       /* b */
                until = now + QUIET_NS;
        }
        (void)wi_loop_turn(&monitor.loop, until);
        wi_store_relaxed(&monitor.asleep, 0);
        now = wi_clock_now();
        tick_ns = stand_in(now) > 0 ? BUSY_TICK_NS : TICK_NS;
        look_at_all(now);
        wi_runtime_drain_log();
        if (monitor.quiet_ticks >= QUIET_TICKS)
            wi_deadlock_look(wi_clock_now());
    }
    wi_thread_set_self(NULL);
}

void wi_monitor_notice(void)
{
    if (wi_load_seq_cst(&monitor.asleep) == 0) /* d */
        return;
    if (wi_swap_acq_rel(&monitor.asleep, 0) == 1)
        wi_loop_kick(&monitor.loop);
}

int wi_monitor_open(void)
{
    int rc = wi_loop_open(&monitor.loop);
    if (rc != 0)
        return rc;
    wi_store_relaxed(&monitor.stopping, 0);
    wi_store_relaxed(&monitor.asleep, 0);
    monitor.self = (struct wi_thread){ .stands_in = true };
    monitor.quiet_ticks = 0;
    monitor.trimmed = false;
    for (int i = 0; i < WI_WORKERS_MAX; i++)
        monitor.sightings[i] = (struct sighting){ 0 };
    rc = wi_os_thread_start(&monitor.thread, monitor_main, NULL, MONITOR_STACK_BYTES,
                            "weir-monitor");
    if (rc != 0) {
        wi_loop_close(&monitor.loop);
        return rc;
    }
    monitor.open = true;
    return 0;
}

void wi_monitor_stop(void)
{
    if (!monitor.open || wi_load_relaxed(&monitor.stopping) != 0)
        return;
    wi_store_release(&monitor.stopping, 1);
    wi_loop_kick(&monitor.loop);
    wi_os_thread_join(&monitor.thread);
}

void wi_monitor_close(void)
{
    if (!monitor.open)
        return;
    wi_monitor_stop();
    wi_free(monitor.self.scratch);
    wi_loop_close(&monitor.loop);
    monitor.open = false;
}

struct wi_loop *wi_monitor_loop(void)
{
    return monitor.open ? &monitor.loop : NULL;
}
