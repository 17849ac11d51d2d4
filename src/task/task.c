/* SPDX-License-Identifier: MIT */
/* The life of a task: spawn, park, end, join, cancel; see task.h. */
#include "task/task.h"

#include <string.h>

#include "arch/context.h"
#include "base/check.h"
#include "base/log.h"
#include "base/sized.h"
#include "os/clock.h"
#include "sync/thread_parker.h"
#include "task/extras.h"
#include "task/record.h"
#include "task/rt.h"
#include "task/runtime.h"
#include "task/worker.h"

enum {
    IDS_PER_BLOCK = 64,
};

#if !defined(WI_TSAN) && !defined(WI_ASAN)
_Static_assert(sizeof(struct weir_task) == 256, "a control block is four cache lines");
#endif

/* By threads without a worker: tasks spawned, and tasks that let go of their record. */
static struct {
    wi_atomic_i64 spawned;
    wi_atomic_i64 ended;
} outside;

/* Numbers go to workers by the block, so that spawning touches no line that all of them write. */
WI_INLINE uint64_t next_id(struct wi_worker *worker)
{
    if (worker == NULL)
        return wi_add_relaxed(&wi_rt.next_task_id, 1) + 1;
    if (wi_unlikely(worker->id_next == worker->id_end)) {
        worker->id_next = wi_add_relaxed(&wi_rt.next_task_id, IDS_PER_BLOCK) + 1;
        worker->id_end = worker->id_next + IDS_PER_BLOCK;
    }
    return worker->id_next++;
}

/* -- counts: each worker keeps its own, written by its holder ---------------------------------- */

static void count_one(struct wi_worker *worker, wi_atomic_i64 *own, wi_atomic_i64 *others)
{
    if (worker != NULL)
        wi_store_relaxed(own, wi_load_relaxed(own) + 1);
    else
        (void)wi_add_relaxed(others, 1);
}

WI_INLINE void count_spawned(struct wi_worker *worker)
{
    count_one(worker, worker != NULL ? &worker->spawned : NULL, &outside.spawned);
}

static void count_ended(struct wi_worker *worker)
{
    count_one(worker, worker != NULL ? &worker->ended : NULL, &outside.ended);
}

void wi_task_count_from_zero(void)
{
    wi_store_relaxed(&outside.spawned, 0);
    wi_store_relaxed(&outside.ended, 0);
}

int64_t wi_task_count_started(void)
{
    int64_t count = wi_load_relaxed(&outside.spawned);
    for (int i = 0; i < wi_rt.worker_count; i++)
        count += wi_load_relaxed(&wi_rt.workers[i].spawned);
    return count;
}

int64_t wi_task_count_live(void)
{
    /* Ended first: a task that ends between the two looks is not counted as less than none. */
    int64_t ended = wi_load_relaxed(&outside.ended);
    for (int i = 0; i < wi_rt.worker_count; i++)
        ended += wi_load_relaxed(&wi_rt.workers[i].ended);
    const int64_t live = wi_task_count_started() - ended;
    return live > 0 ? live : 0;
}

/* -- parking ---------------------------------------------------------------------------------- */

static void task_park(struct wi_parker *parker, weir_time deadline)
{
    if (wi_parker_take_notice(parker)) /* parker.h: c */
        return;
    struct weir_task *task = wi_container_of(parker, struct weir_task, parker);
    const bool timed = deadline != WEIR_NO_DEADLINE;
    if (timed)
        wi_runtime_timer_start(&task->timer, deadline);
    parker->budget = WI_PARKER_BUDGET;
    wi_task_leave(wi_thread_self(), WI_ACTION_PARK); /* d: done by whoever runs next */
    if (timed)
        (void)wi_timer_stop(&task->timer);
}

static void task_resume(struct wi_parker *parker)
{
    wi_task_make_ready(wi_container_of(parker, struct weir_task, parker), true);
}

static void task_yield(struct wi_parker *parker)
{
    (void)parker;
    wi_task_leave(wi_thread_self(), WI_ACTION_YIELD);
}

static const struct wi_parker_ops task_parker_ops = {
    .park = task_park, .resume = task_resume, .yield = task_yield, .on_worker = true
};

/* A vehicle sleeps on the parker's word.  While it does, its frames above this one do not change,
 * and a dump may read them under the lock. */
struct sleeper {
    struct weir_task *task;
    struct wi_nap nap;
};

static void say_nap(struct weir_task *task, struct wi_nap *nap)
{
    wi_lock(&task->lock);
    task->nap = nap;
    wi_unlock(&task->lock);
}

static void vehicle_sleep(void *context, void *arg)
{
    struct sleeper *sleeper = arg;
    sleeper->nap.context = context;
    say_nap(sleeper->task, &sleeper->nap);
    wi_thread_parker_park(&sleeper->task->parker, sleeper->nap.until);
    say_nap(sleeper->task, NULL);
}

static void vehicle_park(struct wi_parker *parker, weir_time deadline)
{
    if (wi_parker_take_notice(parker)) /* parker.h: c */
        return;
    struct sleeper sleeper = {
        .task = wi_container_of(parker, struct weir_task, parker),
        .nap = { .since = wi_clock_coarse(), .until = deadline },
    };
    wi_context_hold(vehicle_sleep, &sleeper);
}

static const struct wi_parker_ops vehicle_parker_ops = { .park = vehicle_park };

/* -- spawn ------------------------------------------------------------------------------------ */

struct spawn {
    weir_scope *scope;
    weir_task_fn *fn;
    void *arg;
    const char *name;
    const char *site;
    uint32_t flags;
    size_t stack_bytes;
    weir_time deadline;
    int canceled;             /* the cause it is born with, 0 */
    struct wi_extras *extras; /* taken */
    bool handle;
    bool dont_wait; /* for a slot of a limited scope */
};

WI_INLINE void prepare(struct weir_task *task, const struct spawn *spawn, uint64_t id)
{
    const bool vehicle = (spawn->flags & WI_TASK_VEHICLE) != 0;
    wi_parker_init(&task->parker, vehicle ? &vehicle_parker_ops : &task_parker_ops);
    task->parker.deadline = spawn->deadline;
    if (wi_unlikely(spawn->canceled != 0))
        (void)wi_parker_cancel(&task->parker, spawn->canceled);
    task->next = NULL;
    task->context = NULL;
    task->stack = NULL;
    task->fn = spawn->fn;
    task->arg = spawn->arg;
    task->extras = spawn->extras;
    task->scope = spawn->scope;
    /* The number first: who reads what follows reads it again after that (see.c). */
    wi_store_relaxed(&task->id, id);
    task->parker.number = (int32_t)(id & INT32_MAX);
    const size_t pages = (spawn->stack_bytes + WI_TASK_PAGE_BYTES - 1) / WI_TASK_PAGE_BYTES;
    wi_store_release(&task->flags, spawn->flags | (uint32_t)pages << WI_TASK_PAGES_SHIFT);
    wi_store_release(&task->name, (void *)(uintptr_t)(spawn->name != NULL ? spawn->name : ""));
    wi_store_release(&task->site, (void *)(uintptr_t)(spawn->site != NULL ? spawn->site : ""));
    /* Lock and nap are not made anew: a dump may be looking. */
    wi_store_release(&task->references, WI_TASK_RUN | (spawn->handle ? WI_TASK_HANDLE : 0u));
}

/* Of a task that will not run. */
static void unprepare(struct wi_worker *worker, struct weir_task *task)
{
    wi_store_relaxed(&task->references, 0);
    wi_record_give(worker, task);
}

static int submit_vehicle(struct wi_worker *worker, const struct spawn *spawn,
                          struct weir_task *task)
{
    const int rc = wi_vehicle_submit(task);
    if (rc == 0)
        return 0;
    wi_scope_child_ended(spawn->scope, task);
    unprepare(worker, task);
    count_ended(worker);
    return rc;
}

/* `worker`: the calling thread's, which has entered it, or NULL. */
WI_INLINE int spawn_on(struct wi_thread *thread, struct wi_worker *worker,
                       const struct spawn *spawn, struct weir_task **out)
{
    struct weir_task *task = NULL;
    int rc = wi_record_take(worker, &task);
    if (rc != 0) {
        wi_scope_slot_give(spawn->scope);
        return rc;
    }
    prepare(task, spawn, next_id(worker));
    rc = wi_scope_child_begin(spawn->scope, task);
    if (rc != 0) {
        unprepare(worker, task);
        return rc;
    }
    count_spawned(worker);
    if (out != NULL)
        *out = task;
    if ((spawn->flags & WI_TASK_VEHICLE) != 0)
        return submit_vehicle(worker, spawn, task);
    if (worker != NULL)
        wi_task_start_ready(thread, task);
    else
        wi_task_make_ready(task, false);
    return 0;
}

/* By a thread without a worker, while the runtime may be closing: counted first, then looks whether
 * it is open; weir_close() says that it is not, then waits until nobody is counted. */
static int spawn_from_outside(struct wi_thread *thread, const struct spawn *spawn,
                              struct weir_task **out)
{
    (void)wi_add_seq_cst(&wi_rt.outsiders, 1);
    const int rc =
        wi_load_seq_cst(&wi_rt.open) != 0 ? spawn_on(thread, NULL, spawn, out) : WEIR_ENOTOPEN;
    (void)wi_sub_acq_rel(&wi_rt.outsiders, 1); /* pairs with weir_close() */
    if (rc == WEIR_ENOTOPEN)
        wi_scope_slot_give(spawn->scope);
    return rc;
}

WI_INLINE int spawn_task(const struct spawn *spawn, struct weir_task **out)
{
    const int rc = wi_scope_slot_take(spawn->scope, !spawn->dont_wait);
    if (rc != 0)
        return rc;
    struct wi_thread *thread = wi_thread_self(); /* anew: a slot may have been waited for */
    struct wi_worker *worker = thread != NULL ? wi_worker_enter_on(thread) : NULL;
    if (wi_unlikely(worker == NULL))
        return spawn_from_outside(thread, spawn, out);
    const int spawned = spawn_on(thread, worker, spawn, out);
    wi_worker_leave_on(thread);
    return spawned;
}

/* How a task is carried under the open scheduler. */
static uint32_t carry_flags(bool blocking, bool pinned)
{
    if (wi_rt.scheduler == WEIR_SCHEDULER_THREADS)
        return WI_TASK_VEHICLE;
    if (blocking)
        return WI_TASK_VEHICLE | WI_TASK_QUEUED_VEHICLE;
    /* Under `loop` every plain task stays on one thread as it is. */
    if (pinned && wi_rt.scheduler == WEIR_SCHEDULER_TASKS)
        return WI_TASK_VEHICLE;
    return 0;
}

int wi_task_spawn(weir_scope *scope, weir_task_fn *fn, void *arg, const char *name,
                  const char *site, uint32_t flags, size_t stack_bytes, weir_time deadline)
{
    const struct spawn spawn = {
        .scope = scope,
        .fn = fn,
        .arg = arg,
        .name = name,
        .site = site,
        .flags = carry_flags((flags & WI_SPAWN_BLOCKING) != 0, (flags & WI_SPAWN_PINNED) != 0) |
                 ((flags & WI_SPAWN_METERED) != 0 ? WI_TASK_METERED : 0),
        .stack_bytes = stack_bytes,
        .deadline = deadline,
    };
    return spawn_task(&spawn, NULL);
}

int wi_task_reserve(struct weir_task **out)
{
    struct wi_worker *worker = wi_worker_enter();
    const int rc = wi_record_take(worker, out);
    if (worker != NULL)
        wi_worker_leave(worker);
    return rc;
}

void wi_task_unreserve(struct weir_task *task)
{
    struct wi_worker *worker = wi_worker_enter();
    wi_record_give(worker, task);
    if (worker != NULL)
        wi_worker_leave(worker);
}

void wi_task_spawn_reserved(struct weir_task *task, weir_scope *scope, weir_task_fn *fn, void *arg,
                            const char *name, weir_time deadline)
{
    const bool vehicle = wi_rt.scheduler == WEIR_SCHEDULER_THREADS;
    const struct spawn spawn = {
        .scope = scope,
        .fn = fn,
        .arg = arg,
        .name = name,
        .flags = vehicle ? WI_TASK_VEHICLE | WI_TASK_QUEUED_VEHICLE : 0,
        .deadline = deadline,
    };
    struct wi_worker *worker = wi_worker_enter();
    prepare(task, &spawn, next_id(worker));
    wi_scope_child_join(scope, task);
    count_spawned(worker);
    if (worker != NULL)
        wi_worker_leave(worker);
    if (!vehicle) {
        wi_task_make_ready(task, false);
    } else if (wi_vehicle_submit(task) != 0) {
        (void)fn(arg);
        wi_scope_child_ended(scope, task);
        unprepare(NULL, task);
        count_ended(NULL);
    }
}

/* Whether a metered task has opened the scope. */
static bool is_metered(const struct weir_scope *scope)
{
    const struct wi_parker *opener = scope->region.parker;
    return opener != NULL &&
           (opener->ops == &task_parker_ops || opener->ops == &vehicle_parker_ops) &&
           wi_task_is(wi_container_of(opener, struct weir_task, parker), WI_TASK_METERED);
}

/* What a task has from its spawner unless it is detached: the deadline, the cancellation, and that
 * its cost is wanted. */
static void inherit(struct spawn *spawn, struct weir_task *parent, weir_time wanted)
{
    spawn->deadline = wanted != 0 ? wanted : WEIR_NO_DEADLINE;
    if (spawn->scope->deadline < spawn->deadline)
        spawn->deadline = spawn->scope->deadline;
    if (parent == NULL)
        return;
    if (wi_unlikely(wi_task_is(parent, WI_TASK_METERED)) && is_metered(spawn->scope))
        spawn->flags |= WI_TASK_METERED;
    if (parent->parker.deadline < spawn->deadline)
        spawn->deadline = parent->parker.deadline;
    if (wi_unlikely(wi_load_relaxed(&parent->parker.cancel) != 0))
        spawn->canceled = wi_parker_cancel_cause(&parent->parker);
}

WI_INLINE int spawn_with(weir_task_fn *fn, void *arg, const struct weir_task_opts *opts,
                         bool handle, struct weir_task **out)
{
    wi_bug_unless(fn != NULL);
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    struct weir_task_opts copy;
    const struct weir_task_opts *wanted = wi_sized_view(&copy, sizeof(copy), opts);
    if (wanted == NULL || wanted->stack_bytes > (size_t)1 << WI_STACK_CLASS_MAX)
        return WEIR_EINVAL;
    struct wi_thread *thread = wi_thread_self();
    struct weir_scope *scope = wanted->scope;
    if (scope == NULL)
        scope = wanted->detached ? wi_runtime_root() : wi_scope_ambient();
    struct spawn spawn = {
        .scope = scope,
        .fn = fn,
        .arg = arg,
        .name = wanted->name,
        .site = wanted->site,
        .flags = carry_flags(wanted->blocking, wanted->pinned),
        .stack_bytes = wanted->stack_bytes,
        .handle = handle,
        .dont_wait = wanted->dont_wait,
    };
    struct weir_task *parent = thread != NULL ? wi_load_relaxed(&thread->task) : NULL;
    inherit(&spawn, wanted->detached ? NULL : parent, wanted->deadline);
    const struct wi_extras *extras = parent != NULL ? parent->extras : *wi_thread_extras();
    if (wi_unlikely(extras != NULL)) {
        rc = wi_extras_inherit(extras, &spawn.extras);
        if (rc != 0)
            return rc;
    }
    rc = spawn_task(&spawn, out);
    if (wi_unlikely(rc != 0))
        wi_extras_free(spawn.extras);
    return rc;
}

int weir_go_with(weir_task_fn *fn, void *arg, const struct weir_task_opts *opts)
{
    return spawn_with(fn, arg, opts, false, NULL);
}

int weir_task_start_with(weir_task **out, weir_task_fn *fn, void *arg,
                         const struct weir_task_opts *opts)
{
    wi_bug_unless(out != NULL);
    return spawn_with(fn, arg, opts, true, out);
}

/* -- end -------------------------------------------------------------------------------------- */

void wi_task_run(struct weir_task *task)
{
    int result = task->fn(task->arg);
    if (wi_unlikely(task->parker.regions != NULL))
        wi_bug_misuse("weir_scope_open", "the task ended with a scope open, or a timeout; task",
                      (int64_t)wi_task_id(task));
    task->result = result;
    if (wi_unlikely(task->extras != NULL))
        wi_extras_end(task);
}

/* Pairs with itself: what the one who lets go first did to the task comes before the record is
 * given back. */
static bool drop(struct weir_task *task, uint32_t reference)
{
    if (wi_load_acquire(&task->references) != reference)
        return wi_sub_acq_rel(&task->references, reference) == reference;
    wi_store_relaxed(&task->references, 0); /* nobody else is left to race with */
    return true;
}

static bool has_handle(const struct weir_task *task)
{
    return (wi_load_relaxed(&task->references) & WI_TASK_HANDLE) != 0;
}

/* Nobody will ask a task of the runtime's own scope how it ended, unless it has a handle. */
static void report_unread(const struct weir_task *task)
{
    static struct wi_log_limit limit;
    if (wi_rt.log == NULL || task->scope != wi_runtime_root() || task->result == WEIR_ECANCELED ||
        has_handle(task))
        return;
    const char *name = wi_task_name(task);
    const char *site = wi_task_site(task);
    wi_log_limited(&limit, wi_clock_now(), WI_LOG_WARN,
                   "task %llu (%s, %s) ended with an error that nobody waits for: %s",
                   (unsigned long long)wi_task_id(task), name[0] != '\0' ? name : "no name",
                   site[0] != '\0' ? site : "no site", weir_err_name(task->result));
}

void wi_task_finish(struct weir_task *task)
{
    struct weir_scope *scope = task->scope;
    const int result = task->result;
    if (wi_unlikely(result < 0))
        report_unread(task);
    /* It has finished before the scope hears, for who closes that may look at once; and a joiner,
     * who may close it, is told after the scope.  While the run holds its reference the record
     * stays this task's. */
    struct wi_waiter *joiner = NULL;
    if (has_handle(task)) {
        wi_lock(&task->lock);
        wi_task_mark(task, WI_TASK_FINISHED);
        joiner = wi_waitlist_claim_first(&task->joiners);
        wi_unlock(&task->lock);
    } else {
        wi_task_mark(task, WI_TASK_FINISHED);
    }
    if (wi_unlikely(result < 0))
        wi_scope_child_failed(scope, task, result);
    wi_scope_child_ended(scope, task);
    if (joiner != NULL)
        wi_waiter_done(joiner, result);
}

void wi_task_drop_run(struct wi_worker *worker, struct weir_task *task)
{
    count_ended(worker);
    if (drop(task, WI_TASK_RUN))
        wi_record_give(worker, task);
}

static void drop_handle(struct weir_task *task)
{
    if (!drop(task, WI_TASK_HANDLE))
        return;
    struct wi_worker *worker = wi_worker_enter();
    wi_record_give(worker, task);
    wi_worker_leave(worker);
}

/* Who uses a handle that was given back holds a record that may be another task's by now.  The
 * check sees it until the record is a task with a handle again. */
void wi_task_check_handle(const struct weir_task *task, const char *call)
{
    wi_bug_unless(task != NULL);
    if (!has_handle(task))
        wi_bug_misuse(call, "the handle was given back before; task", (int64_t)wi_task_id(task));
}

static struct wi_parker *joined(const void *object)
{
    return &((struct weir_task *)(uintptr_t)object)->parker;
}

static int64_t number_of_joined(const void *object)
{
    return (int64_t)wi_task_id(object);
}

static const struct wi_waitable join_waitable = { .what = "join task",
                                                  .holder = joined,
                                                  .number = number_of_joined };

int weir_task_join(weir_task *task, int *result, weir_time deadline)
{
    wi_task_check_handle(task, "weir_task_join");
    if (task == wi_task_current())
        return WEIR_EDEADLK;
    struct wi_wait wait;
    struct wi_waiter waiter;

    wi_lock(&task->lock);
    if (wi_task_is(task, WI_TASK_FINISHED)) {
        wi_unlock(&task->lock);
    } else if (deadline == WEIR_DONT_WAIT) {
        wi_unlock(&task->lock);
        return WEIR_ETIMEDOUT;
    } else if (wi_runtime_check() == WEIR_EFORKED) {
        wi_unlock(&task->lock);
        return WEIR_EFORKED;
    } else {
        if (!wi_list_empty(&task->joiners))
            wi_bug_misuse("weir_task_join", "two callers join one task", (int64_t)wi_task_id(task));
        wi_wait_init_single(&wait, &waiter, &join_waitable, task, NULL);
        wi_list_push_back(&task->joiners, &waiter.node);
        const int rc = wi_wait_single(&waiter, &task->lock, deadline, WI_WAIT_UNCANCELABLE);
        if (rc < 0)
            return rc;
    }
    if (result != NULL)
        *result = task->result;
    drop_handle(task);
    return 0;
}

void wi_task_drop_handle(struct weir_task *task)
{
    drop_handle(task);
}

void weir_task_release(weir_task *task)
{
    wi_task_check_handle(task, "weir_task_release");
    drop_handle(task);
}

void weir_task_cancel(weir_task *task, int cause)
{
    wi_task_check_handle(task, "weir_task_cancel");
    wi_bug_unless_cmp(cause, <, 0);
    wi_scope_cancel_below(&task->parker, cause);
}
