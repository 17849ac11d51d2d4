/* SPDX-License-Identifier: MIT */
/* The runtime of the process: open, close, run, turn; see include/weir/runtime.h.
 *
 * Opening builds in this order, closing undoes it in reverse: slabs and stacks, loop, workers,
 * monitor, threads.  Threads of the runtime exist only between the two. */
#include "task/runtime.h"

#include <stdio.h>
#include <string.h>

#include "arch/cpu.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/sized.h"
#include "os/clock.h"
#include "os/limits.h"
#include "os/process.h"
#include "os/signal.h"
#include "os/thread.h"
#include "os/vm.h"
#include "sync/handshake.h"
#include "sync/spin.h"
#include "sync/thread_parker.h"
#include "task/deadlock.h"
#include "task/guests.h"
#include "task/overflow.h"
#include "task/record.h"
#include "task/report.h"
#include "task/rt.h"
#include "task/selectables.h"
#include "task/signals.h"
#include "task/task.h"
#include "task/timer.h"

enum {
    OPEN_YES = 1,
    OPEN_FORKED = 2,
    TASKS_MAX_DEFAULT = 4000000,
    THREADS_MAX_DEFAULT = 512,
    THREADS_MAX_UNDER_THREADS = 10000,
    WORKER_STACK_BYTES = 512 << 10,
};

struct wi_runtime wi_rt;

/* Of the thread that turns a `loop` runtime.  Never freed, since a late wake may reach its parker
 * even after the runtime is closed. */
static struct wi_thread opener_record;
static wi_atomic_u32 opener_resumes; /* how often opener_resume() has come to its end */

/* -- who calls -------------------------------------------------------------------------------- */

static void opener_park(struct wi_parker *parker, weir_time deadline);
static void opener_resume(struct wi_parker *parker);

static const struct wi_parker_ops opener_parker_ops = { .park = opener_park,
                                                        .resume = opener_resume,
                                                        .on_worker = true };

/* Without a monitor the opener watches, between its turns.  Until when a turn may last. */
static weir_time look_for_deadlock(weir_time deadline)
{
    if (wi_monitor_loop() != NULL || deadline != WEIR_NO_DEADLINE)
        return deadline;
    const weir_time due = wi_deadlock_next_look();
    if (due != WEIR_NO_DEADLINE && wi_clock_coarse() >= due)
        wi_deadlock_look(wi_clock_now());
    return wi_deadlock_next_look();
}

/* The thread that opened a `loop` runtime does not sleep when it waits: it turns the loop, since
 * nobody else would. */
static void opener_park(struct wi_parker *parker, weir_time deadline)
{
    struct wi_thread *thread = wi_container_of(parker, struct wi_thread, parker);
    if (thread->depth != 0)
        wi_bug_misuse("a call that waits", "loop callbacks must not wait", thread->depth);
    const uint32_t resumes = wi_load_relaxed(&opener_resumes);
    uint32_t word = WI_PARKER_EMPTY;
    if (!wi_cas_acq_rel(&parker->word, &word, WI_PARKER_PARKED)) {
        (void)wi_parker_take_notice(parker);
        return;
    }
    thread->parked = true;
    wi_store_release(&wi_rt.opener_until, deadline);
    while (wi_load_acquire(&parker->word) == WI_PARKER_PARKED) {
        (void)wi_worker_turn(thread, look_for_deadlock(deadline));
        if (deadline != WEIR_NO_DEADLINE && wi_clock_now() >= deadline)
            break;
    }
    thread->parked = false;
    wi_store_release(&wi_rt.opener_until, 0);
    word = WI_PARKER_PARKED;
    if (wi_cas_acq_rel(&parker->word, &word, WI_PARKER_EMPTY))
        return;
    /* Whoever found it parked kicks the loop, which must outlive that: the opener may close it. */
    while (wi_load_acquire(&opener_resumes) == resumes)
        wi_os_thread_yield();
}

static void opener_resume(struct wi_parker *parker)
{
    (void)parker;
    wi_loop_kick(&wi_rt.loop); /* the turn ends and the opener looks at its word */
    /* One wake at a time gets here; pairs with opener_park(). */
    wi_store_release(&opener_resumes, wi_load_relaxed(&opener_resumes) + 1);
}

/* The child's one thread is nobody's any more: what waits there blocks it as it would any thread,
 * and does not turn the loop, whose poller the two processes share. */
static void forget_in_child(void)
{
    if (wi_load_relaxed(&wi_rt.open) == OPEN_YES)
        wi_store_relaxed(&wi_rt.open, OPEN_FORKED);
    wi_thread_set_self(NULL);
}

int wi_runtime_check(void)
{
    uint32_t open = wi_load_acquire(&wi_rt.open);
    if (wi_likely(open == OPEN_YES))
        return 0;
    return open == OPEN_FORKED ? WEIR_EFORKED : WEIR_ENOTOPEN;
}

struct wi_loop *wi_runtime_loop(void)
{
    return wi_runtime_check() == 0 ? &wi_rt.loop : NULL;
}

struct weir_scope *wi_runtime_root(void)
{
    return &wi_rt.root;
}

void *wi_scratch(void)
{
    struct wi_thread *thread = wi_thread_self();
    wi_bug_unless(thread != NULL);
    if (thread->scratch == NULL)
        thread->scratch = wi_alloc(WI_SCRATCH_BYTES);
    wi_bug_unless(thread->scratch != NULL);
    return thread->scratch;
}

void wi_runtime_timer_start(struct wi_timer *timer, weir_time deadline)
{
    struct wi_worker *worker = wi_worker_enter();
    if (worker == NULL) {
        wi_loop_timer_start(&wi_rt.loop, timer, deadline);
        return;
    }
    (void)wi_timer_start(timer, &worker->wheel, deadline);
    wi_worker_leave(worker);
}

void wi_runtime_user_timer_start(struct wi_timer *timer, weir_time deadline)
{
    struct wi_worker *worker = wi_worker_enter();
    if (worker != NULL || wi_rt.scheduler != WEIR_SCHEDULER_LOOP)
        wi_runtime_timer_start(timer, deadline);
    else if (wi_timer_start(timer, &wi_rt.workers[0].wheel, deadline))
        wi_loop_kick(&wi_rt.loop);
    wi_worker_leave(worker);
}

void wi_runtime_loop_timer_start(struct wi_timer *timer, weir_time deadline)
{
    wi_loop_timer_start(&wi_rt.loop, timer, deadline);
}

bool wi_runtime_stands_in(void)
{
    const struct wi_thread *thread = wi_thread_self();
    return thread != NULL && thread->stands_in;
}

static void log_sink(const struct wi_log_line *line, void *user)
{
    (void)user;
    char text[WI_LOG_LINE_BYTES + 16];
    (void)snprintf(text, sizeof(text), "%s: %s", wi_log_level_name(line->level), line->text);
    wi_rt.log(wi_rt.log_user, text);
}

void wi_runtime_drain_log(void)
{
    if (wi_rt.log != NULL)
        (void)wi_log_drain(wi_clock_now(), log_sink, NULL);
}

/* -- threads ---------------------------------------------------------------------------------- */

static void thread_record_init(struct wi_thread *thread, struct wi_worker *worker)
{
    thread->depth = 1;
    thread->worker = worker;
    wi_store_relaxed(&thread->state, WI_STATE_RUNTIME);
    wi_store_relaxed(&thread->claim, WI_CLAIM_NONE);
    wi_parker_init(&thread->parker, &opener_parker_ops);
    wi_lock(&wi_rt.thread_lock);
    thread->next_all = wi_rt.all_threads;
    wi_rt.all_threads = thread;
    wi_unlock(&wi_rt.thread_lock);
}

static void thread_record_destroy(struct wi_thread *thread)
{
    wi_lock(&wi_rt.thread_lock);
    for (struct wi_thread **at = &wi_rt.all_threads; *at != NULL; at = &(*at)->next_all) {
        if (*at == thread) {
            *at = thread->next_all;
            break;
        }
    }
    wi_unlock(&wi_rt.thread_lock);
    wi_free(thread->scratch);
    thread->scratch = NULL;
    if (thread != &opener_record)
        wi_free(thread);
}

int wi_thread_create(struct wi_worker *worker)
{
    struct wi_thread *thread = wi_alloc_zeroed(1, sizeof(*thread));
    if (thread == NULL)
        return WEIR_ENOMEM;
    thread_record_init(thread, worker);
    wi_store_release(&worker->holder, thread);
    int rc =
        wi_os_thread_start(&thread->os, wi_thread_main, thread, WORKER_STACK_BYTES, "weir-worker");
    if (rc != 0) {
        wi_store_relaxed(&worker->holder, NULL);
        thread_record_destroy(thread);
        return rc;
    }
    (void)wi_add_relaxed(&wi_rt.threads, 1);
    return 0;
}

static void threads_join_all(void)
{
    wi_store_seq_cst(&wi_rt.stopping, 1);
    wi_worker_wake_all();
    while (wi_rt.all_threads != NULL) {
        struct wi_thread *thread = wi_rt.all_threads;
        if (thread != wi_rt.opener)
            wi_os_thread_join(&thread->os);
        thread_record_destroy(thread);
    }
}

/* -- open and close --------------------------------------------------------------------------- */

static int options_check(const struct weir_opts *opts)
{
    if (opts->scheduler < WEIR_SCHEDULER_TASKS || opts->scheduler > WEIR_SCHEDULER_THREADS)
        return WEIR_EINVAL;
    if (opts->workers < 0 || opts->workers > WI_WORKERS_MAX || opts->threads_max < 0 ||
        opts->tasks_max < 0)
        return WEIR_EINVAL;
    if (opts->stack_bytes > (size_t)1 << WI_STACK_CLASS_MAX)
        return WEIR_EINVAL;
    /* Stackful tasks switch stacks behind the kernel's back, which shadow stacks forbid. */
    if (opts->scheduler != WEIR_SCHEDULER_THREADS && wi_cpu_shadow_stack_on())
        return WEIR_ENOTSUP;
    return 0;
}

static void runtime_init(const struct weir_opts *opts)
{
    memset(&wi_rt, 0, sizeof(wi_rt));
    wi_rt.scheduler = opts->scheduler;
    wi_rt.worker_count = 1; /* of `loop`, and the edge's under `threads` */
    if (opts->scheduler == WEIR_SCHEDULER_TASKS)
        wi_rt.worker_count = opts->workers > 0 ? opts->workers : wi_limits_cores();
    if (wi_rt.worker_count > WI_WORKERS_MAX)
        wi_rt.worker_count = WI_WORKERS_MAX;
    wi_spin_configure(wi_limits_cores(), wi_rt.worker_count);
    wi_rt.threads_max = opts->threads_max;
    if (wi_rt.threads_max == 0)
        wi_rt.threads_max = opts->scheduler == WEIR_SCHEDULER_THREADS ? THREADS_MAX_UNDER_THREADS
                                                                      : THREADS_MAX_DEFAULT;
    wi_report_open(opts->late_ns);
    wi_rt.log = opts->log;
    wi_rt.log_user = opts->log_user;
    wi_scope_init(&wi_rt.root);
    wi_rt.root.keep_going = true;
    wi_task_count_from_zero();
}

static int workers_open(void)
{
    size_t page = wi_vm_page_bytes();
    size_t bytes = (size_t)wi_rt.worker_count * sizeof(struct wi_worker);
    bytes = (bytes + page - 1) / page * page;
    void *memory;
    int rc = wi_vm_map(bytes, &memory);
    if (rc != 0)
        return rc;
    wi_rt.workers = memory;
    for (int i = 0; i < wi_rt.worker_count; i++)
        wi_worker_init(&wi_rt.workers[i], i);
    return 0;
}

static void workers_close(void)
{
    size_t page = wi_vm_page_bytes();
    size_t bytes = (size_t)wi_rt.worker_count * sizeof(struct wi_worker);
    for (int i = 0; i < wi_rt.worker_count; i++) {
        wi_wheel_clear(&wi_rt.workers[i].wheel);
        wi_timer_stock_close(&wi_rt.workers[i].timers);
    }
    wi_vm_unmap(wi_rt.workers, (bytes + page - 1) / page * page);
    wi_rt.workers = NULL;
}

/* `loop`: the opener's thread holds the worker. */
static void adopt_opener(void)
{
    thread_record_init(&opener_record, &wi_rt.workers[0]);
    opener_record.parker.number = -wi_os_thread_id();
    wi_rt.opener = &opener_record;
    wi_thread_set_self(&opener_record);
    wi_thread_begin(&opener_record);
    wi_worker_adopt(&wi_rt.workers[0], &opener_record);
}

static int threads_open(void)
{
    if (wi_rt.scheduler == WEIR_SCHEDULER_LOOP) {
        adopt_opener();
        return 0;
    }
    for (int i = 0; i < wi_rt.worker_count; i++) {
        int rc = wi_thread_create(&wi_rt.workers[i]);
        if (rc != 0) {
            threads_join_all();
            return rc;
        }
    }
    return 0;
}

int weir_open(const struct weir_opts *opts)
{
    static bool fork_watched;
    uint32_t open = wi_load_acquire(&wi_rt.open);
    if (open != 0)
        return open == OPEN_YES ? WEIR_EALREADY : WEIR_EFORKED;
    struct weir_opts wanted;
    int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    opts = &wanted;
    rc = options_check(opts);
    if (rc != 0)
        return rc;
    if (opts->old_kernel)
        wi_os_force_old_kernel(true);
    wi_handshake_open(wi_os_old_kernel_forced());
    if (!fork_watched) {
        wi_process_on_fork(forget_in_child);
        fork_watched = true;
    }

    runtime_init(opts);
    wi_records_open(opts->tasks_max > 0 ? opts->tasks_max : TASKS_MAX_DEFAULT);
    wi_stack_pool_open(opts->stack_bytes);
    wi_vehicles_open(wi_rt.threads_max);
    wi_selectables_set(wi_selectables);
    if (wi_rt.scheduler != WEIR_SCHEDULER_THREADS) {
        rc = wi_stack_pool_reserve();
        if (rc != 0)
            goto undo_pools;
    }
    rc = wi_loop_open(&wi_rt.loop);
    if (rc != 0)
        goto undo_pools;
    rc = workers_open();
    if (rc != 0)
        goto undo_loop;
    wi_deadlock_open(opts);
    if (wi_rt.log != NULL)
        wi_log_open(wi_clock_wall);
    if (wi_rt.scheduler != WEIR_SCHEDULER_LOOP || opts->watch_handlers) {
        rc = wi_monitor_open();
        if (rc != 0)
            goto undo_workers;
    }
    rc = threads_open();
    if (rc != 0)
        goto undo_monitor;
    if (opts->report_faults) {
        rc = wi_overflow_watch();
        if (rc != 0)
            goto undo_threads;
    }
    wi_store_release(&wi_rt.open, OPEN_YES);
    return 0;

undo_threads:
    wi_thread_set_self(NULL);
    threads_join_all();
undo_monitor:
    wi_monitor_close();
undo_workers:
    workers_close();
undo_loop:
    wi_loop_close(&wi_rt.loop);
undo_pools:
    wi_stack_pool_close();
    wi_records_close();
    return rc;
}

static bool count_unfinished(struct weir_task *task, void *count)
{
    *(int64_t *)count += !wi_task_is(task, WI_TASK_FINISHED);
    return true;
}

/* Once: a close that timed out may be repeated.  Who has joined a task may close before it is off
 * the list. */
static void report_leftovers(void)
{
    int64_t left = 0;
    wi_scope_each_child(&wi_rt.root, count_unfinished, &left);
    if (left > 0 && wi_rt.log != NULL && wi_region_cause(&wi_rt.root.region) == 0)
        wi_log(WI_LOG_WARN, "%lld tasks were left over as the runtime closed; they are canceled",
               (long long)left);
}

/* They were canceled, and had their time. */
static void report_undead(void)
{
    if (wi_rt.log == NULL)
        return;
    wi_log(WI_LOG_WARN, "tasks have not ended by the deadline of weir_close(), %lld of them:",
           (long long)wi_task_count_live());
    wi_report_tasks(NULL, false);
    if (wi_monitor_loop() == NULL)
        wi_runtime_drain_log();
}

int weir_close(weir_time deadline)
{
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    struct wi_thread *self = wi_thread_self();
    if (self != wi_rt.opener)
        wi_bug_misuse("weir_close", "only the thread that opened may close", 0);
    if (wi_task_current() != NULL)
        wi_bug_misuse("weir_close", "not from a task", (int64_t)weir_task_id());
    if (wi_current_parker()->regions != NULL)
        wi_bug_misuse("weir_close", "the caller has a scope open, or a timeout", 0);
    report_leftovers();
    weir_scope_cancel(&wi_rt.root, WEIR_ECANCELED);
    wi_guests_cancel(WEIR_ECANCELED);
    rc = wi_scope_wait(&wi_rt.root, deadline, WI_WAIT_UNCANCELABLE);
    if (rc == 0)
        rc = wi_guests_wait(deadline);
    if (rc != 0) {
        report_undead();
        return rc;
    }

    wi_signals_forget();
    wi_vehicles_close();
    /* Threads of others that have woken a task, or are told that none can be started any more, may
     * still be on their way out of the runtime. */
    wi_store_seq_cst(&wi_rt.open, 0);
    while (wi_load_seq_cst(&wi_rt.outsiders) != 0) /* pairs with who is counted */
        wi_os_thread_yield();
    wi_fd_waits_close();
    /* First the monitor, which may be starting a thread; its loop stays for who notifies it. */
    wi_monitor_stop();
    threads_join_all();
    wi_thread_set_self(NULL);
    wi_monitor_close();
    if (wi_rt.log != NULL)
        wi_log_close(wi_clock_now(), log_sink, NULL);
    workers_close();
    wi_wheel_clear(&wi_rt.loop.wheel);
    wi_loop_close(&wi_rt.loop);
    wi_stack_pool_close();
    wi_records_close();
    return 0;
}

bool weir_is_open(void)
{
    return wi_runtime_check() == 0;
}

/* -- run and turn ----------------------------------------------------------------------------- */

int weir_run(int (*fn)(void *arg), void *arg, int *result)
{
    wi_bug_unless(fn != NULL);
    if (wi_task_current() != NULL)
        wi_bug_misuse("weir_run", "not from a task", (int64_t)weir_task_id());
    weir_task *task;
    const struct weir_task_opts opts = { .name = "main", .site = "weir_run" };
    int rc = weir_task_start_with(&task, fn, arg, &opts);
    if (rc != 0)
        return rc;
    return weir_task_join(task, result, WEIR_NO_DEADLINE);
}

static bool callers_loop(void)
{
    return wi_rt.scheduler == WEIR_SCHEDULER_LOOP && wi_thread_self() == wi_rt.opener;
}

int weir_pollfd(void)
{
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    return callers_loop() ? wi_rt.loop.poll.fd : WEIR_ENOTSUP;
}

int weir_turn(weir_time deadline)
{
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    if (!callers_loop())
        return WEIR_ENOTSUP;
    struct wi_thread *thread = wi_thread_self();
    if (wi_load_relaxed(&thread->task) != NULL || thread->depth != 0)
        wi_bug_misuse("weir_turn", "not from a task or a loop callback", thread->depth);
    return wi_worker_turn(thread, deadline);
}

weir_time weir_turn_deadline(void)
{
    if (wi_runtime_check() != 0 || !callers_loop())
        return WEIR_NO_DEADLINE;
    return wi_worker_turn_deadline(&wi_rt.workers[0]);
}

/* -- facts ------------------------------------------------------------------------------------ */

int weir_cores(void)
{
    return wi_limits_cores();
}

enum weir_scheduler weir_scheduler_kind(void)
{
    return wi_rt.scheduler;
}

static struct weir_runtime_stats stats_now(void)
{
    return (struct weir_runtime_stats){
        .tasks_started = wi_task_count_started(),
        .tasks_live = wi_task_count_live(),
        .threads =
            wi_load_relaxed(&wi_rt.threads) + (wi_monitor_loop() != NULL) + (wi_rt.opener != NULL),
        .workers = wi_rt.worker_count,
        .hogs_relieved = wi_load_relaxed(&wi_rt.hogs_relieved),
        .loop_blocked_ns = wi_load_relaxed(&wi_rt.blocked_ns),
        .loop_blocked_now_ns = wi_load_relaxed(&wi_rt.blocked_now_ns),
        .stacks_mapped = wi_stack_count_mapped(),
        .stacks_in_use = wi_stack_count_in_use(),
        .log_lines_dropped = (int64_t)wi_log_dropped(),
        .stack_guard = wi_stack_guard_name(),
        .poller = "epoll",
    };
}

void weir_runtime_stats_read(struct weir_runtime_stats *out)
{
    wi_bug_unless(out != NULL);
    struct weir_runtime_stats all = { 0 };
    if (wi_runtime_check() == 0)
        all = stats_now();
    wi_sized_give(out, &all, sizeof(all));
}

const char *weir_version(void)
{
    return "0.1.0";
}
