/* SPDX-License-Identifier: MIT */
/* Pools of OS threads for blocking calls.
 *
 * A job lives in the frame of its caller, which waits until the job has run: so submitting
 * allocates nothing.  One that nobody waits for (post.h) lives on the heap; its thread frees it.
 * Threads start on demand, up to threads_max, and end after idle_ns.
 *
 * A job is on the line (its waiter undecided), or claimed by a thread, or given up by its caller,
 * who takes it off the line; the claim (sync/wait.h) decides.  A thread that has claimed a job runs
 * it and then completes the waiter: its last touch of the job.
 *
 * Threads: everything in the pool is guarded by its lock; `tickets` is a futex that counts
 * submissions, so that a thread which finds no job sleeps only if none came meanwhile. */
#include "weir/pool.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/process.h"
#include "os/thread.h"
#include "pool/post.h"
#include "sync/cancel.h"
#include "sync/lock.h"
#include "sync/wait.h"
#include "task/extras.h"
#include "task/meter.h"

enum {
    THREADS_MAX_DEFAULT = 16,
    WAITING_MAX_DEFAULT = 1024,
    STACK_BYTES = 1 << 20
};

static const int64_t IDLE_NS_DEFAULT = 10 * WEIR_NS_PER_S;

struct pool_thread {
    struct wi_os_thread os;
    struct weir_pool *pool;
    struct pool_thread *next; /* guarded by pool->lock: list of the ended */
};

struct weir_pool {
    /* constant after init */
    const char *name;
    int threads_max;
    int waiting_max;
    int64_t idle_ns;
    int process_id; /* whose threads these are: a forked child has none of them */
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_list line; /* wi_waiter.node of jobs */
    int waiting;
    int running;
    int threads;
    int starting; /* of these, not known to have started yet */
    int idle;
    bool closing;
    int64_t done;
    int64_t rejected;
    int64_t withdrawn;
    struct pool_thread *ended;
    /* atomic */
    wi_atomic_u32 tickets;
};

struct job {
    struct wi_wait wait;
    struct wi_waiter waiter; /* data: the job */
    uint32_t ticket;         /* guarded by the pool's lock; tells it from others in line */
    void (*fn)(void *arg);
    void *arg;
    bool posted;               /* nobody waits */
    struct wi_extras **extras; /* the caller's, who waits */
    struct wi_meter *meter;    /* the caller's, or NULL */
    weir_time deadline;        /* the caller's ambient one */
};

int weir_pool_create(weir_pool **out, const struct weir_pool_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_pool_opts wanted;
    const int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    if (wanted.threads_max < 0 || wanted.waiting_max < 0 || wanted.idle_ns < 0)
        return WEIR_EINVAL;
    struct weir_pool *pool = wi_alloc_zeroed(1, sizeof(*pool));
    if (pool == NULL)
        return WEIR_ENOMEM;
    pool->name = wanted.name != NULL ? wanted.name : "weir-pool";
    pool->threads_max = wanted.threads_max > 0 ? wanted.threads_max : THREADS_MAX_DEFAULT;
    pool->waiting_max = wanted.waiting_max > 0 ? wanted.waiting_max : WAITING_MAX_DEFAULT;
    pool->idle_ns = wanted.idle_ns > 0 ? wanted.idle_ns : IDLE_NS_DEFAULT;
    pool->process_id = wi_process_id();
    wi_lock_init(&pool->lock);
    wi_list_init(&pool->line);
    *out = pool;
    return 0;
}

/* Takes the first job that its caller has not given up. */
static struct job *claim_job_locked(struct weir_pool *pool)
{
    struct wi_waiter *waiter = wi_waitlist_claim_first(&pool->line);
    if (waiter == NULL)
        return NULL;
    pool->waiting--;
    pool->running++;
    return waiter->data;
}

/* The job counts as done before its caller knows, who may destroy the pool then. */
static void run_job(struct weir_pool *pool, struct job *job)
{
    struct wi_region ambient;
    wi_extras_lend(job->extras);
    wi_region_begin(&ambient, wi_current_parker(), WI_REGION_TIMEOUT, job->deadline);
    const int64_t since = job->meter != NULL ? wi_clock_thread_cpu() : 0;
    job->fn(job->arg);
    if (job->meter != NULL)
        wi_meter_repay(job->meter, wi_clock_thread_cpu() - since);
    wi_region_end(&ambient);
    wi_extras_lend(NULL);
    wi_lock(&pool->lock);
    pool->running--;
    pool->done++;
    wi_unlock(&pool->lock);
    if (job->posted)
        wi_free(job);
    else
        wi_waiter_done(&job->waiter, 0);
}

/* The next job, waiting at most idle_ns for one; NULL: the thread shall end, and is not counted any
 * more. */
static struct job *next_job(struct weir_pool *pool, struct pool_thread *thread)
{
    bool waited = false;
    for (;;) {
        wi_lock(&pool->lock);
        struct job *job = claim_job_locked(pool);
        if (job != NULL) {
            wi_unlock(&pool->lock);
            return job;
        }
        if (pool->closing || waited) {
            pool->threads--;
            thread->next = pool->ended;
            pool->ended = thread;
            wi_unlock(&pool->lock);
            return NULL;
        }
        pool->idle++;
        uint32_t ticket = wi_load_relaxed(&pool->tickets);
        wi_unlock(&pool->lock);
        int rc = wi_futex_wait(&pool->tickets, ticket, wi_clock_now() + pool->idle_ns);
        waited = rc == WEIR_ETIMEDOUT;
        wi_lock(&pool->lock);
        pool->idle--;
        wi_unlock(&pool->lock);
    }
}

static void thread_main(void *arg)
{
    struct pool_thread *thread = arg;
    struct job *job;
    while ((job = next_job(thread->pool, thread)) != NULL)
        run_job(thread->pool, job);
}

static void join_ended(struct weir_pool *pool)
{
    wi_lock(&pool->lock);
    struct pool_thread *ended = pool->ended;
    pool->ended = NULL;
    wi_unlock(&pool->lock);
    while (ended != NULL) {
        struct pool_thread *next = ended->next;
        wi_os_thread_join(&ended->os);
        wi_free(ended);
        ended = next;
    }
}

static int start_thread(struct weir_pool *pool)
{
    struct pool_thread *thread = wi_alloc_zeroed(1, sizeof(*thread));
    if (thread == NULL)
        return WEIR_EAGAIN;
    thread->pool = pool;
    int rc = wi_os_thread_start(&thread->os, thread_main, thread, STACK_BYTES, pool->name);
    if (rc != 0)
        wi_free(thread);
    return rc == 0 ? 0 : WEIR_EAGAIN;
}

void weir_pool_destroy(weir_pool *pool)
{
    wi_bug_unless(pool != NULL);
    if (pool->process_id != wi_process_id()) {
        wi_free(pool);
        return;
    }
    wi_lock(&pool->lock);
    if (pool->waiting + pool->running > 0)
        wi_bug_misuse_values("weir_pool_destroy", "calls are under way: in line", pool->waiting,
                             "running", pool->running);
    pool->closing = true;
    (void)wi_add_relaxed(&pool->tickets, 1);
    wi_unlock(&pool->lock);
    wi_futex_wake(&pool->tickets, pool->threads_max);
    for (;;) {
        join_ended(pool);
        wi_lock(&pool->lock);
        bool done = pool->threads == 0 && pool->ended == NULL;
        wi_unlock(&pool->lock);
        if (done)
            break;
        wi_os_thread_yield();
    }
    wi_free(pool);
}

/* Takes a job off the line whose caller has won it back: nobody else counts it down. */
static void withdraw(struct weir_pool *pool, struct job *job)
{
    wi_lock(&pool->lock);
    wi_list_remove(&job->waiter.node);
    pool->waiting--;
    pool->withdrawn++;
    wi_unlock(&pool->lock);
}

/* Takes a job off the line that no thread comes to, and says whether it was still there.  A thread
 * that has ended since may have run it, and what was posted is freed then: hence by its ticket. */
static bool take_back_locked(struct weir_pool *pool, uint32_t ticket)
{
    for (struct wi_list *node = pool->line.next; node != &pool->line; node = node->next) {
        const struct wi_waiter *waiter = wi_container_of(node, struct wi_waiter, node);
        if (((const struct job *)waiter->data)->ticket != ticket)
            continue;
        wi_list_remove(node);
        pool->waiting--;
        pool->rejected++;
        return true;
    }
    return false;
}

/* With no thread left nor about to be, those that wait are given back to their callers.  What was
 * posted stays for the thread that the next job brings. */
static void empty_line_locked(struct weir_pool *pool, struct wi_list *refused)
{
    struct wi_list *next;
    for (struct wi_list *node = pool->line.next; node != &pool->line; node = next) {
        next = node->next;
        struct wi_waiter *waiter = wi_container_of(node, struct wi_waiter, node);
        if (((const struct job *)waiter->data)->posted || !wi_waiter_claim(waiter))
            continue;
        wi_list_remove(node);
        wi_list_push_back(refused, node);
        pool->waiting--;
        pool->rejected++;
    }
}

/* A thread could not be started.  Where others have started, one of them comes to the job; those
 * that are being started may fail as this one did, and each would count on the other.  Whether the
 * job was taken back. */
static bool miss_thread(struct weir_pool *pool, uint32_t ticket)
{
    struct wi_list refused;
    wi_list_init(&refused);
    wi_lock(&pool->lock);
    pool->starting--;
    pool->threads--;
    const bool lost = pool->threads <= pool->starting && take_back_locked(pool, ticket);
    if (pool->threads == 0)
        empty_line_locked(pool, &refused);
    wi_unlock(&pool->lock);
    wi_waitlist_finish(&refused, WEIR_EAGAIN);
    return lost;
}

/* Puts the job on the line and sees to a thread for it.  0, or WEIR_EOVERFLOW, WEIR_EAGAIN (no
 * thread could be started): it is not on the line, and nobody will touch it. */
static int submit(struct weir_pool *pool, struct job *job)
{
    wi_lock(&pool->lock);
    if (pool->waiting >= pool->waiting_max) {
        pool->rejected++;
        wi_unlock(&pool->lock);
        return WEIR_EOVERFLOW;
    }
    const uint32_t ticket = wi_add_relaxed(&pool->tickets, 1);
    job->ticket = ticket;
    wi_list_push_back(&pool->line, &job->waiter.node);
    pool->waiting++;
    bool wake = pool->idle > 0;
    bool start = pool->waiting > pool->idle && pool->threads < pool->threads_max;
    if (start) {
        pool->threads++;
        pool->starting++;
    }
    wi_unlock(&pool->lock);
    if (wake)
        wi_futex_wake(&pool->tickets, 1);
    if (!start)
        return 0;

    join_ended(pool);
    const int rc = start_thread(pool);
    if (rc != 0)
        return miss_thread(pool, ticket) ? rc : 0;
    wi_lock(&pool->lock);
    pool->starting--;
    wi_unlock(&pool->lock);
    return 0;
}

static weir_pool *default_pool(void)
{
    static struct wi_lock lock;
    static struct weir_pool *pool; /* lives as long as the process: its idle threads end */
    wi_lock(&lock);
    if (pool == NULL && weir_pool_create(&pool, NULL) != 0)
        pool = NULL;
    wi_unlock(&lock);
    return pool;
}

static const struct wi_waitable job_waitable = { .what = "blocking call" };

int weir_blocking(weir_pool *pool, void (*fn)(void *arg), void *arg, weir_time deadline)
{
    wi_bug_unless(fn != NULL);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    if (pool == NULL)
        pool = default_pool();
    if (pool == NULL)
        return WEIR_ENOMEM;
    if (pool->process_id != wi_process_id())
        return WEIR_EFORKED;
    struct job job = { .fn = fn,
                       .arg = arg,
                       .extras = wi_extras_place(),
                       .meter = wi_meter_lend(),
                       .deadline = wi_current_parker()->deadline };
    wi_wait_init(&job.wait, &job_waitable, pool);
    wi_waiter_init(&job.waiter, &job.wait, 0, &job);
    int rc = submit(pool, &job);
    if (rc != 0)
        return rc;
    rc = wi_wait(&job.wait, deadline, WI_WAIT_CANCELABLE);
    if (rc >= 0)
        return job.waiter.result;
    withdraw(pool, &job);
    return rc;
}

int wi_pool_post(weir_pool *pool, void (*fn)(void *arg), void *arg)
{
    wi_bug_unless(pool != NULL);
    wi_bug_unless(fn != NULL);
    if (pool->process_id != wi_process_id())
        return WEIR_EFORKED;
    struct job *job = wi_alloc_zeroed(1, sizeof(*job));
    if (job == NULL)
        return WEIR_ENOMEM;
    *job = (struct job){ .fn = fn, .arg = arg, .posted = true, .deadline = WEIR_NO_DEADLINE };
    wi_wait_init(&job->wait, &job_waitable, pool);
    wi_waiter_init(&job->waiter, &job->wait, 0, job);
    const int rc = submit(pool, job);
    if (rc != 0)
        wi_free(job);
    return rc;
}

void weir_pool_stats_read(weir_pool *pool, struct weir_pool_stats *out)
{
    wi_bug_unless(out != NULL);
    struct weir_pool_stats all = { 0 };
    if (pool == NULL)
        pool = default_pool();
    if (pool != NULL && pool->process_id == wi_process_id()) {
        wi_lock(&pool->lock);
        all = (struct weir_pool_stats){
            .threads = pool->threads,
            .running = pool->running,
            .waiting = pool->waiting,
            .done = pool->done,
            .rejected = pool->rejected,
            .withdrawn = pool->withdrawn,
        };
        wi_unlock(&pool->lock);
    }
    wi_sized_give(out, &all, sizeof(all));
}
