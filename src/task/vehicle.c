/* SPDX-License-Identifier: MIT */
/* Tasks on OS threads of their own: all tasks under `threads`, .blocking and .pinned ones
 * elsewhere.  One pool of threads serves the three; a thread that has nothing to do stays for
 * IDLE_NS and then ends.
 *
 * Bound: at most threads_max threads.  Beyond that a .blocking task waits in line for the next
 * thread that gets free (tasks_max bounds the line); any other task is refused with
 * WEIR_EOVERFLOW, because it may be what the running ones wait for.  A thread whose task has
 * returned counts as free before anybody hears of the task's end, so who has joined a task may
 * start another in its place: it joins the line if fewer are there than threads on their way to it.
 *
 * Under `threads` the edge (the worker, the monitor) has to run beside all handlers, and may not
 * wait until each of them has had its turn: where a few dozen compute on one core it would come to
 * the listener too late, and the kernel turns clients away, health checks among them.  So tasks
 * step back by STEP_BACK_NICE there.
 *
 * Threads: pool.lock guards everything but `freeing` and each vehicle's wake word.  A vehicle is
 * handed a task by its `task` field and the wake word (release), which it reads (acquire).
 *   vehicle: a: its task has returned: freeing + 1, without the lock;
 *            b: under the lock freeing - 1, and takes the first of the line.  Between a and b it
 *               never waits for a task.
 *   submit:  c: under the lock, where fewer stand in line than `freeing` says: joins the line.
 * A task that joins by c finds a vehicle that has not come to b, which will take it. */
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "os/clock.h"
#include "os/futex.h"
#include "task/meter.h"
#include "task/rt.h"
#include "task/runtime.h"
#include "task/task.h"

static const int64_t IDLE_NS = 5 * WEIR_NS_PER_S;
enum {
    VEHICLE_STACK_BYTES = 512 << 10,
    /* A third of the weight: beside one handler the edge has three quarters of a core if it needs
     * them, and beside ten a quarter.  More would cost a service dear whose group of processes has
     * others in it that compute. */
    STEP_BACK_NICE = 5,
};

struct vehicle {
    struct wi_thread thread; /* worker NULL for good */
    struct vehicle *next;    /* guarded by pool.lock: idle list, or ended list */
    struct weir_task *task;  /* handed over with wake */
    wi_atomic_u32 wake;
};

static struct {
    struct wi_lock lock;
    /* constant after open */
    int nice; /* of who opened */
    /* guarded by lock */
    int threads_max;
    int count;
    bool closing;
    struct vehicle *idle;
    struct vehicle *ended; /* to be joined */
    struct weir_task *line_first;
    struct weir_task *line_last;
    int line_count;
    /* atomic: counted up by the vehicle at once, down under the lock as it looks */
    wi_atomic_u32 freeing; /* vehicles that will look at the line next, whatever happens */
} pool;

static struct weir_task *line_pop_locked(void)
{
    struct weir_task *task = pool.line_first;
    if (task != NULL) {
        pool.line_first = task->next;
        if (pool.line_first == NULL)
            pool.line_last = NULL;
        pool.line_count--;
    }
    return task;
}

static void line_push_locked(struct weir_task *task)
{
    task->next = NULL;
    if (pool.line_last == NULL)
        pool.line_first = task;
    else
        pool.line_last->next = task;
    pool.line_last = task;
    pool.line_count++;
}

/* Whether a vehicle is on its way to the line that nobody stands in line for yet.  Without this a
 * burst of short tasks starts a thread for each vehicle that has not come to the lock so far. */
static bool vehicle_is_freeing_locked(void)
{
    return (uint32_t)pool.line_count < wi_load_acquire(&pool.freeing);
}

static void announce_freeing(void)
{
    (void)wi_add_acq_rel(&pool.freeing, 1);
}

/* Whether the vehicle was still idle; then it is not any more. */
static bool idle_remove_locked(struct vehicle *vehicle)
{
    for (struct vehicle **at = &pool.idle; *at != NULL; at = &(*at)->next) {
        if (*at == vehicle) {
            *at = vehicle->next;
            return true;
        }
    }
    return false;
}

/* The next task for a vehicle that was announced as freeing; NULL: it has nothing to do. */
static struct weir_task *next_task(struct vehicle *vehicle)
{
    wi_lock(&pool.lock);
    (void)wi_sub_acq_rel(&pool.freeing, 1);
    struct weir_task *task = line_pop_locked();
    if (task != NULL || pool.closing) {
        wi_unlock(&pool.lock);
        return task;
    }
    wi_store_relaxed(&vehicle->wake, 0);
    vehicle->task = NULL;
    vehicle->next = pool.idle;
    pool.idle = vehicle;
    wi_unlock(&pool.lock);

    weir_time until = wi_clock_now() + IDLE_NS;
    while (wi_load_acquire(&vehicle->wake) == 0) {
        if (wi_futex_wait(&vehicle->wake, 0, until) != WEIR_ETIMEDOUT)
            continue;
        wi_lock(&pool.lock);
        bool still_idle = idle_remove_locked(vehicle);
        wi_unlock(&pool.lock);
        if (still_idle)
            return NULL;
        until = WEIR_NO_DEADLINE; /* somebody is handing a task over */
    }
    return vehicle->task;
}

/* Ends the vehicle, unless a task has come into the line since it last looked there: while the
 * vehicle counts, wi_vehicle_submit() may rely on it. */
static struct weir_task *take_or_end(struct vehicle *vehicle)
{
    wi_lock(&pool.lock);
    struct weir_task *task = line_pop_locked();
    if (task == NULL) {
        pool.count--;
        vehicle->next = pool.ended;
        pool.ended = vehicle;
    }
    wi_unlock(&pool.lock);
    return task;
}

static void vehicle_main(void *arg)
{
    struct vehicle *vehicle = arg;
    struct weir_task *task = vehicle->task;
    /* Not further than its starter, who may be one that has stepped back. */
    if (wi_rt.scheduler == WEIR_SCHEDULER_THREADS)
        wi_os_thread_be_nice(pool.nice + STEP_BACK_NICE);
    wi_thread_set_self(&vehicle->thread);
    wi_thread_begin(&vehicle->thread);
    while (task != NULL) {
        wi_store_relaxed(&task->flags, wi_load_relaxed(&task->flags) | WI_TASK_STARTED);
        wi_store_relaxed(&vehicle->thread.task, task);
        *vehicle->thread.current = &task->parker;
        wi_meter_vehicle(&vehicle->thread, task);
        wi_task_run(task);
        if (wi_task_is(task, WI_TASK_METERED))
            wi_meter_end(task);
        *vehicle->thread.current = NULL;
        wi_store_relaxed(&vehicle->thread.task, NULL);
        announce_freeing();
        wi_task_finish(task);
        wi_task_drop_run(NULL, task);
        task = next_task(vehicle);
        if (task == NULL)
            task = take_or_end(vehicle);
    }
    /* Whoever frees the vehicle joins the thread first. */
    wi_thread_set_self(NULL);
    (void)wi_sub_relaxed(&wi_rt.threads, 1);
}

/* NULL: no memory.  The thread's scratch buffer is part of it, so that whoever serves a connection
 * there need not ask whether he has one. */
static struct vehicle *make_vehicle(struct weir_task *task)
{
    struct vehicle *vehicle = wi_alloc_zeroed(1, sizeof(*vehicle));
    if (vehicle == NULL)
        return NULL;
    vehicle->task = task;
    vehicle->thread.scratch = wi_alloc(WI_SCRATCH_BYTES);
    if (vehicle->thread.scratch != NULL)
        return vehicle;
    wi_free(vehicle);
    return NULL;
}

static void free_vehicle(struct vehicle *vehicle)
{
    wi_free(vehicle->thread.scratch);
    wi_free(vehicle);
}

static void join_ended(void)
{
    wi_lock(&pool.lock);
    struct vehicle *ended = pool.ended;
    pool.ended = NULL;
    wi_unlock(&pool.lock);
    while (ended != NULL) {
        struct vehicle *next = ended->next;
        wi_os_thread_join(&ended->thread.os);
        free_vehicle(ended);
        ended = next;
    }
}

static int start_thread(struct weir_task *task)
{
    struct vehicle *vehicle = make_vehicle(task);
    if (vehicle == NULL)
        return WEIR_ENOMEM;
    (void)wi_add_relaxed(&wi_rt.threads, 1);
    const int rc = wi_os_thread_start(&vehicle->thread.os, vehicle_main, vehicle,
                                      VEHICLE_STACK_BYTES, "weir-task");
    if (rc == 0)
        return 0;
    (void)wi_sub_relaxed(&wi_rt.threads, 1);
    free_vehicle(vehicle);
    return rc;
}

/* The task's vehicle is counted already. */
static int start_vehicle(struct weir_task *task)
{
    join_ended();
    const int rc = start_thread(task);
    if (rc == 0)
        return 0;
    wi_lock(&pool.lock);
    pool.count--;
    /* The system's limit, not ours: where threads exist, one of them comes by. */
    bool may_wait = (wi_load_relaxed(&task->flags) & WI_TASK_QUEUED_VEHICLE) != 0 && pool.count > 0;
    if (may_wait)
        line_push_locked(task);
    wi_unlock(&pool.lock);
    return may_wait ? 0 : rc;
}

int wi_vehicle_submit(struct weir_task *task)
{
    wi_lock(&pool.lock);
    struct vehicle *idle = pool.idle;
    if (idle != NULL) {
        pool.idle = idle->next;
        idle->task = task;
        wi_store_release(&idle->wake, 1);
        wi_unlock(&pool.lock);
        /* The vehicle may have ended by now: the address is only a key, and a wake too many is
         * legal.  Under the lock the system call would make a queue of vehicles. */
        wi_futex_wake(&idle->wake, 1);
        return 0;
    }
    if (vehicle_is_freeing_locked()) {
        line_push_locked(task);
        wi_unlock(&pool.lock);
        return 0;
    }
    if (pool.count >= pool.threads_max) {
        bool may_wait = (wi_load_relaxed(&task->flags) & WI_TASK_QUEUED_VEHICLE) != 0;
        if (may_wait)
            line_push_locked(task);
        wi_unlock(&pool.lock);
        return may_wait ? 0 : WEIR_EOVERFLOW;
    }
    pool.count++;
    wi_unlock(&pool.lock);
    return start_vehicle(task);
}

void wi_vehicles_open(int threads_max)
{
    memset(&pool, 0, sizeof(pool));
    pool.threads_max = threads_max;
    pool.nice = wi_os_thread_nice();
}

void wi_vehicles_close(void)
{
    wi_lock(&pool.lock);
    pool.closing = true;
    while (pool.idle != NULL) {
        struct vehicle *idle = pool.idle;
        pool.idle = idle->next;
        idle->task = NULL;
        wi_store_release(&idle->wake, 1);
        wi_futex_wake(&idle->wake, 1);
    }
    wi_unlock(&pool.lock);
    for (;;) {
        join_ended();
        wi_lock(&pool.lock);
        bool done = pool.count == 0 && pool.ended == NULL;
        wi_unlock(&pool.lock);
        if (done)
            return;
        wi_os_thread_yield();
    }
}

int wi_runtime_threads_max(void)
{
    return wi_rt.threads_max;
}

bool wi_runtime_thread_is_free(void)
{
    wi_lock(&pool.lock);
    const bool is_free =
        pool.idle != NULL || pool.count < pool.threads_max || vehicle_is_freeing_locked();
    wi_unlock(&pool.lock);
    return is_free;
}

int64_t wi_vehicle_count(void)
{
    wi_lock(&pool.lock);
    int64_t count = pool.count;
    wi_unlock(&pool.lock);
    return count;
}
