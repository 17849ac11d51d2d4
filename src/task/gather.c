/* SPDX-License-Identifier: MIT */
/* Several functions at once; see include/weir/gather.h.  All three forms are a scope whose children
 * make the calls; the deadline is a timeout around it, so that it ends the calls, the wait for a
 * slot, and the wait for the calls alike, and a cancellation from outside is told from it.
 *
 * Race: the first call that ends well sets `winner` and cancels the scope.  The scope keeps going:
 * errors are no reason to end.
 *
 * Gathering: a call that has ended writes its index to `order`, under the lock, and wakes who
 * waits.  Its last touch of the gathering is the unlock; the record is freed when the scope has
 * closed. */
#include "weir/gather.h"

#include <limits.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "sync/lock.h"
#include "sync/wait.h"
#include "weir/scope.h"
#include "weir/timeout.h"

static int options_take(struct weir_gather_opts *wanted, const struct weir_gather_opts *opts,
                        const struct weir_call *calls, size_t count)
{
    const int rc = wi_sized_take(wanted, sizeof(*wanted), opts);
    if (rc != 0)
        return rc;
    if (wanted->limit < 0 || count > INT_MAX)
        return WEIR_EINVAL;
    wi_bug_unless(calls != NULL || count == 0);
    return 0;
}

static int open_scope(weir_scope **out, const struct weir_gather_opts *wanted, bool keep_going)
{
    const struct weir_scope_opts opts = { .keep_going = keep_going, .limit = wanted->limit };
    return weir_scope_open(out, &opts);
}

/* Starts fn on args[i] = first + i * stride for each call; until one cannot be started. */
static int start_all(weir_task_fn *fn, void *first, size_t stride, size_t count,
                     const struct weir_gather_opts *wanted)
{
    const struct weir_task_opts opts = { .name = wanted->name, .site = wanted->site };
    for (size_t i = 0; i < count; i++) {
        const int rc = weir_go_with(fn, (char *)first + i * stride, &opts);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void forget_results(struct weir_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wi_bug_unless(calls[i].fn != NULL);
        calls[i].result = WEIR_ECANCELED;
    }
}

/* Ends the scope of the calls; `started` is why one could not be started, or 0.  0: all have ended
 * by themselves; else why they were canceled, WEIR_ECANCELED if that lies outside of the scope. */
static int close_scope(weir_scope *scope, int started, struct weir_scope_error *error)
{
    if (started < 0)
        weir_scope_cancel(scope, started); /* unless that is why nothing could be started */
    const int rc = weir_scope_close_error(scope, error, WEIR_NO_DEADLINE);
    weir_scope_error_release(error);
    if (rc == 0 || error->cause == 0)
        return 0;
    return error->cause == weir_cancel_cause() ? WEIR_ECANCELED : error->cause;
}

/* -- all -------------------------------------------------------------------------------------- */

static int make_call(void *arg)
{
    struct weir_call *call = arg;
    call->result = call->fn(call->arg);
    return call->result;
}

static int gather(struct weir_call *calls, size_t count, const struct weir_gather_opts *wanted)
{
    weir_scope *scope;
    struct weir_scope_error error = { .size = sizeof(error) };
    int rc = open_scope(&scope, wanted, wanted->keep_going);
    if (rc < 0)
        return rc;
    const int started = start_all(make_call, calls, sizeof(*calls), count, wanted);
    rc = close_scope(scope, started, &error);
    if (wanted->keep_going)
        return rc;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = calls[i].result < 0 ? calls[i].result : 0;
    return rc;
}

static bool any_canceled(const struct weir_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (calls[i].result == WEIR_ECANCELED)
            return true;
    }
    return false;
}

int weir_gather(struct weir_call *calls, size_t count, const struct weir_gather_opts *opts,
                weir_time deadline)
{
    struct weir_gather_opts wanted;
    const int rc = options_take(&wanted, opts, calls, count);
    if (rc < 0)
        return rc;
    forget_results(calls, count);
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, deadline);
    int result = gather(calls, count, &wanted);
    /* The calls have the deadline too, and may all have ended by it before we noticed. */
    if (result >= 0 && weir_now() >= deadline && any_canceled(calls, count))
        result = WEIR_ECANCELED;
    return weir_timeout_end(&timeout, result);
}

/* -- the first -------------------------------------------------------------------------------- */

struct race {
    weir_scope *scope;
    bool any_end;
    wi_atomic_int winner; /* -1: none as yet */
};

struct racer {
    struct race *race;
    struct weir_call *call;
    int index;
};

/* Who ends because it was told to is no winner: that may be the deadline, which is to be told. */
static bool wins(const struct race *race, int result)
{
    if (result >= 0)
        return true;
    return race->any_end && (result != WEIR_ECANCELED || weir_cancel_cause() == 0);
}

static int run_racer(void *arg)
{
    const struct racer *racer = arg;
    struct race *race = racer->race;
    const int result = make_call(racer->call);
    int nobody = -1;
    if (wins(race, result) && wi_cas_acq_rel(&race->winner, &nobody, racer->index))
        weir_scope_cancel(race->scope, WEIR_ECANCELED);
    return result;
}

static int race(struct weir_call *calls, size_t count, const struct weir_gather_opts *wanted)
{
    struct race race = { .any_end = wanted->any_end, .winner = { -1 } };
    struct racer *racers = wi_alloc_zeroed(count, sizeof(*racers));
    if (racers == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < count; i++)
        racers[i] = (struct racer){ .race = &race, .call = &calls[i], .index = (int)i };
    struct weir_scope_error error = { .size = sizeof(error) };
    int rc = open_scope(&race.scope, wanted, true);
    if (rc == 0) {
        const int started = start_all(run_racer, racers, sizeof(*racers), count, wanted);
        rc = close_scope(race.scope, started, &error);
    }
    wi_free(racers);
    const int winner = wi_load_acquire(&race.winner);
    if (winner >= 0)
        return winner;
    if (rc == 0)
        rc = error.code;
    return rc < 0 ? rc : WEIR_ECANCELED; /* each said that it was canceled */
}

int weir_race(struct weir_call *calls, size_t count, const struct weir_gather_opts *opts,
              weir_time deadline)
{
    struct weir_gather_opts wanted;
    const int rc = options_take(&wanted, opts, calls, count);
    if (rc < 0)
        return rc;
    if (count == 0)
        return WEIR_EINVAL;
    forget_results(calls, count);
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, deadline);
    return weir_timeout_end(&timeout, race(calls, count, &wanted));
}

/* -- one by one ------------------------------------------------------------------------------- */

struct gathered {
    struct weir_gathering *gathering;
    struct weir_call *call;
};

struct weir_gathering {
    /* constant after init */
    weir_scope *scope;
    int count;
    struct gathered *gathered; /* one for each call */
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_list waiters;
    int ended;
    int told;
    int order[]; /* indices of the calls that have ended */
};

static int run_gathered(void *arg)
{
    const struct gathered *self = arg;
    struct weir_gathering *gathering = self->gathering;
    (void)make_call(self->call);
    wi_lock(&gathering->lock);
    gathering->order[gathering->ended++] = (int)(self - gathering->gathered);
    struct wi_waiter *waiter = wi_waitlist_claim_first(&gathering->waiters);
    wi_unlock(&gathering->lock);
    if (waiter != NULL)
        wi_waiter_done(waiter, 0);
    return 0; /* errors are the caller's to judge */
}

static struct weir_gathering *make_gathering(struct weir_call *calls, size_t count)
{
    struct weir_gathering *gathering = wi_alloc(sizeof(*gathering) + count * sizeof(int));
    struct gathered *gathered = wi_alloc_zeroed(count + 1, sizeof(*gathered));
    if (gathering == NULL || gathered == NULL) {
        wi_free(gathering);
        wi_free(gathered);
        return NULL;
    }
    *gathering = (struct weir_gathering){ .count = (int)count, .gathered = gathered };
    wi_lock_init(&gathering->lock);
    wi_list_init(&gathering->waiters);
    for (size_t i = 0; i < count; i++)
        gathered[i] = (struct gathered){ .gathering = gathering, .call = &calls[i] };
    return gathering;
}

static void free_gathering(struct weir_gathering *gathering)
{
    wi_free(gathering->gathered);
    wi_free(gathering);
}

int weir_gather_start(weir_gathering **out, struct weir_call *calls, size_t count,
                      const struct weir_gather_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_gather_opts wanted;
    int rc = options_take(&wanted, opts, calls, count);
    if (rc < 0)
        return rc;
    forget_results(calls, count);
    struct weir_scope_error error = { .size = sizeof(error) };
    struct weir_gathering *gathering = make_gathering(calls, count);
    if (gathering == NULL)
        return WEIR_ENOMEM;
    rc = open_scope(&gathering->scope, &wanted, true);
    if (rc == 0) {
        rc = start_all(run_gathered, gathering->gathered, sizeof(struct gathered), count, &wanted);
        if (rc == 0) {
            *out = gathering;
            return 0;
        }
        (void)close_scope(gathering->scope, rc, &error);
    }
    free_gathering(gathering);
    return rc;
}

static const struct wi_waitable gathering_waitable = { .what = "next call of a gathering" };

int weir_gather_next(weir_gathering *gathering, weir_time deadline)
{
    wi_bug_unless(gathering != NULL);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    for (;;) {
        struct wi_wait wait;
        struct wi_waiter waiter;
        wi_wait_init_single(&wait, &waiter, &gathering_waitable, gathering, NULL);
        wi_lock(&gathering->lock);
        if (gathering->told < gathering->ended || gathering->told == gathering->count) {
            const bool all = gathering->told == gathering->count;
            const int index = all ? WEIR_ECLOSED : gathering->order[gathering->told++];
            wi_unlock(&gathering->lock);
            return index;
        }
        if (deadline == WEIR_DONT_WAIT) {
            wi_unlock(&gathering->lock);
            return WEIR_ETIMEDOUT;
        }
        wi_list_push_back(&gathering->waiters, &waiter.node);
        const int rc = wi_wait_single(&waiter, &gathering->lock, deadline, WI_WAIT_CANCELABLE);
        if (rc < 0)
            return rc;
    }
}

void weir_gather_end(weir_gathering *gathering)
{
    wi_bug_unless(gathering != NULL);
    struct weir_scope_error error = { .size = sizeof(error) };
    (void)close_scope(gathering->scope, WEIR_ECANCELED, &error);
    free_gathering(gathering);
}
