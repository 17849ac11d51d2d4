/* SPDX-License-Identifier: MIT */
/* Looks at tasks.  See see.h.
 *
 * A parked task is held by doing to its parker's word what the scheduler does when it parks one
 * (parker.h, step d):
 *   a: PARKED -> EMPTY.  Whoever wakes it now finds it stopping, and leaves its waking to us; the
 *      acquire half pairs with the scheduler's step d: its registers and record are there.
 *   b: the look.
 *   c: EMPTY -> PARKED.  If that fails a wake came meanwhile, and the task is made to run.
 * Nobody waits for the one who holds: wakes, timers and cancellation go on.
 *
 * A task on a thread of its own is asleep while its record's lock says so; it takes that lock
 * before it goes on.
 *
 * Any other task may end, and its record be used again, at any time.  Number, name and site are
 * read one after the other and the number again: prepare() in task.c writes them in that order,
 * with a release each, so if the number is the same they belong together.
 *
 * Threads: any; one look at a time (see_lock), since two would take each other's hold for a task
 * that runs. */
#include "task/see.h"

#include "arch/context.h"
#include "base/check.h"
#include "os/unwind.h"
#include "task/rt.h"
#include "task/worker.h"

static struct wi_lock see_lock;

/* -- frames ----------------------------------------------------------------------------------- */

static void take_frames(void *arg)
{
    struct wi_frames *frames = arg;
    frames->count = wi_unwind_beyond((void (*)(void))(uintptr_t)wi_context_visit, frames->at,
                                     WI_SEEN_FRAMES_MAX);
}

/* There are several ways out of wi_task_leave(), which shall not make stacks differ.  (Where link
 * time optimization has made it a part of its caller, they do.) */
static void take_frames_of_parked(void *arg)
{
    struct wi_frames *frames = arg;
    frames->count =
        wi_unwind_beyond((void (*)(void))(uintptr_t)wi_task_leave, frames->at, WI_SEEN_FRAMES_MAX);
    if (frames->count == 0)
        take_frames(arg);
}

/* -- what it waits for ------------------------------------------------------------------------ */

/* While the owner of the parker is kept from going on. */
static void see_wait(struct wi_parker *parker, struct wi_seen *seen)
{
    const struct wi_waitable *waitable = wi_load_relaxed(&parker->waitable);
    const void *object = wi_load_relaxed(&parker->object);
    seen->waitable = waitable;
    seen->object = object;
    if (waitable == NULL || object == NULL)
        return;
    if (waitable->number != NULL)
        seen->number = waitable->number(object);
    if (waitable->holder != NULL)
        seen->holder = waitable->holder(object);
}

static weir_time timer_of(struct weir_task *task)
{
    return wi_timer_running(&task->timer) ? task->timer.deadline : WEIR_NO_DEADLINE;
}

static bool see_parked(struct weir_task *task, struct wi_seen *out, struct wi_frames *frames)
{
    uint32_t word = WI_PARKER_PARKED;
    if (!wi_cas_acq_rel(&task->parker.word, &word, WI_PARKER_EMPTY)) /* a */
        return false;
    out->state = WI_SEEN_WAITING;
    out->since = task->stack->parked_at;
    out->until = timer_of(task);
    see_wait(&task->parker, out);
    wi_context_visit(task->context, take_frames_of_parked, frames);
    word = WI_PARKER_EMPTY;
    if (!wi_cas_acq_rel(&task->parker.word, &word, WI_PARKER_PARKED)) { /* c */
        (void)wi_swap_acq_rel(&task->parker.word, WI_PARKER_EMPTY);
        wi_task_make_ready(task, true);
    }
    return true;
}

static bool see_asleep(struct weir_task *task, struct wi_seen *out, struct wi_frames *frames)
{
    wi_lock(&task->lock);
    const struct wi_nap *nap = task->nap;
    if (nap != NULL) {
        out->state = WI_SEEN_WAITING;
        out->since = nap->since;
        out->until = nap->until;
        see_wait(&task->parker, out);
        wi_context_visit(nap->context, take_frames, frames);
    }
    wi_unlock(&task->lock);
    return nap != NULL;
}

/* -- where it runs ---------------------------------------------------------------------------- */

static int worker_of(const struct wi_thread *thread)
{
    for (int i = 0; i < wi_rt.worker_count; i++) {
        if (wi_load_relaxed(&wi_rt.workers[i].holder) == thread)
            return i;
    }
    return -1;
}

static bool see_running(const struct weir_task *task, struct wi_seen *out)
{
    bool found = false;
    wi_lock(&wi_rt.thread_lock);
    for (struct wi_thread *at = wi_rt.all_threads; at != NULL && !found; at = at->next_all) {
        found = wi_load_relaxed(&at->task) == task;
        if (found)
            out->worker = worker_of(at);
    }
    wi_unlock(&wi_rt.thread_lock);
    return found;
}

static void see_busy(struct weir_task *task, struct wi_seen *out, struct wi_frames *frames)
{
    const uint32_t flags = wi_load_acquire(&task->flags);
    if ((flags & WI_TASK_VEHICLE) != 0)
        out->state = (flags & WI_TASK_STARTED) != 0 ? WI_SEEN_THREAD : WI_SEEN_IN_LINE;
    else
        out->state = see_running(task, out) ? WI_SEEN_RUNNING : WI_SEEN_READY;
    if (task == wi_task_current())
        frames->count = wi_unwind_beyond(NULL, frames->at, WI_SEEN_FRAMES_MAX);
}

/* -- looks ------------------------------------------------------------------------------------ */

static void blank(struct wi_seen *out, struct wi_parker *parker)
{
    *out = (struct wi_seen){ .parker = parker,
                             .name = "",
                             .site = "",
                             .worker = -1,
                             .number = -1,
                             .until = WEIR_NO_DEADLINE };
}

/* sync/cancel.h: the cause from outside, else only that something of its own is canceled. */
static int cause_in(uint64_t word)
{
    const int cause = (int)(int32_t)(uint32_t)word;
    return word != 0 && cause == 0 ? WEIR_ECANCELED : cause;
}

bool wi_see_task(struct weir_task *task, struct wi_seen *out, struct wi_frames *frames)
{
    if ((wi_load_acquire(&task->references) & WI_TASK_RUN) == 0)
        return false;
    blank(out, &task->parker);
    frames->count = 0;
    out->id = wi_load_acquire(&task->id);
    wi_lock(&see_lock);
    if (!see_parked(task, out, frames) && !see_asleep(task, out, frames))
        see_busy(task, out, frames);
    wi_unlock(&see_lock);
    out->cancel = cause_in(wi_load_relaxed(&task->parker.cancel));
    out->name = wi_load_acquire(&task->name);
    out->site = wi_load_acquire(&task->site);
    return wi_load_relaxed(&task->id) == out->id;
}

void wi_see_nap(const struct wi_thread_nap *nap, struct wi_seen *out, struct wi_frames *frames)
{
    blank(out, nap->parker);
    out->state = WI_SEEN_OUTSIDER;
    out->id = (uint64_t)nap->thread_id;
    out->since = nap->since;
    out->until = nap->until;
    see_wait(nap->parker, out);
    wi_context_visit(nap->context, take_frames, frames);
}

bool wi_see_opener(struct wi_seen *out)
{
    struct wi_thread *opener = wi_rt.opener;
    if (opener == NULL || wi_load_acquire(&opener->parker.word) != WI_PARKER_PARKED)
        return false;
    blank(out, &opener->parker);
    out->state = WI_SEEN_OUTSIDER;
    out->waitable = wi_load_relaxed(&opener->parker.waitable);
    /* What a task of its asks about: it does not go on meanwhile. */
    if (wi_thread_self() == opener)
        see_wait(&opener->parker, out);
    return true;
}
