/* SPDX-License-Identifier: MIT */
/* Promises and futures: one object with references.
 *
 * The state is written under the lock and ends once; what it ends with is written before (release)
 * and read after it (acquire), without the lock.  Whoever ends it takes waiters and callbacks off
 * under the lock, and serves them outside; its own reference keeps the object for so long.
 * Invariant under the lock: waiters and callbacks are queued only before the end. */
#include "chan/future.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "chan/selectables.h"

struct wi_future_callback {
    struct wi_future_callback *next;
    void (*fn)(struct weir_future *future, void *arg);
    void *arg;
};

const struct wi_waitable wi_future_waitable = { .what = "wait for future" };

static struct weir_future *future_of(weir_promise *promise)
{
    return (struct weir_future *)(void *)promise;
}

int weir_future_create(weir_promise **promise, weir_future **out, size_t value_bytes)
{
    wi_bug_unless(promise != NULL);
    wi_bug_unless(out != NULL);
    if (value_bytes > WEIR_FUTURE_VALUE_BYTES_MAX)
        return WEIR_EINVAL;
    struct weir_future *future = wi_alloc(sizeof(*future) + value_bytes);
    if (future == NULL)
        return WEIR_ENOMEM;
    future->value_bytes = value_bytes;
    wi_store_relaxed(&future->references, 2);
    wi_store_relaxed(&future->state, WEIR_FUTURE_PENDING);
    wi_lock_init(&future->lock);
    future->result = 0;
    wi_list_init(&future->waiters);
    future->callbacks = NULL;
    future->callbacks_end = &future->callbacks;
    *promise = (weir_promise *)(void *)future;
    *out = future;
    return 0;
}

static void let_go(struct weir_future *future)
{
    const uint32_t before = wi_sub_acq_rel(&future->references, 1);
    wi_bug_unless_cmp(before, >, 0);
    if (before == 1)
        wi_free(future);
}

static void run_callbacks(struct weir_future *future, struct wi_future_callback *callback)
{
    while (callback != NULL) {
        struct wi_future_callback *next = callback->next;
        callback->fn(future, callback->arg);
        wi_free(callback);
        callback = next;
    }
}

/* Why it cannot end now as the caller wants; 0: it can. */
static int obstacle(enum weir_future_state state, enum weir_future_state wanted)
{
    if (state == WEIR_FUTURE_DONE)
        return WEIR_EALREADY;
    if (state == WEIR_FUTURE_CANCELED)
        return WEIR_ECANCELED;
    return state == WEIR_FUTURE_RUNNING && wanted == WEIR_FUTURE_CANCELED ? WEIR_EINPROGRESS : 0;
}

/* Ends it, if that is possible, with a result and (if that is 0) a value. */
static int end(struct weir_future *future, enum weir_future_state state, int result,
               const void *value)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&future->lock);
    const int rc = obstacle(weir_future_state(future), state);
    if (rc != 0) {
        wi_unlock(&future->lock);
        return rc;
    }
    future->result = result;
    if (result == 0 && future->value_bytes > 0)
        memcpy(future->value, value, future->value_bytes);
    wi_store_release(&future->state, state);
    wi_waitlist_claim_all(&future->waiters, &claimed);
    struct wi_future_callback *callbacks = future->callbacks;
    future->callbacks = NULL;
    wi_unlock(&future->lock);

    wi_waitlist_finish(&claimed, 0);
    run_callbacks(future, callbacks);
    return 0;
}

/* -- the promise ------------------------------------------------------------------------------ */

int weir_promise_start(weir_promise *promise)
{
    wi_bug_unless(promise != NULL);
    struct weir_future *future = future_of(promise);
    wi_lock(&future->lock);
    const enum weir_future_state state = weir_future_state(future);
    if (state == WEIR_FUTURE_PENDING)
        wi_store_release(&future->state, WEIR_FUTURE_RUNNING);
    wi_unlock(&future->lock);
    if (state == WEIR_FUTURE_PENDING)
        return 0;
    return state == WEIR_FUTURE_CANCELED ? WEIR_ECANCELED : WEIR_EALREADY;
}

int weir_promise_set(weir_promise *promise, const void *value)
{
    wi_bug_unless(promise != NULL);
    struct weir_future *future = future_of(promise);
    wi_bug_unless(value != NULL || future->value_bytes == 0);
    return end(future, WEIR_FUTURE_DONE, 0, value);
}

int weir_promise_fail(weir_promise *promise, int error)
{
    wi_bug_unless(promise != NULL);
    wi_bug_unless_cmp(error, <, 0);
    return end(future_of(promise), WEIR_FUTURE_DONE, error, NULL);
}

void weir_promise_destroy(weir_promise *promise)
{
    wi_bug_unless(promise != NULL);
    struct weir_future *future = future_of(promise);
    if (!wi_future_ended(future))
        (void)end(future, WEIR_FUTURE_DONE, WEIR_EBROKEN, NULL);
    let_go(future);
}

/* -- the future ------------------------------------------------------------------------------- */

weir_future *weir_future_retain(weir_future *future)
{
    wi_bug_unless(future != NULL);
    const uint32_t before = wi_add_relaxed(&future->references, 1);
    wi_bug_unless_cmp(before, >, 0);
    return future;
}

void weir_future_release(weir_future *future)
{
    wi_bug_unless(future != NULL);
    let_go(future);
}

enum weir_future_state weir_future_state(const weir_future *future)
{
    wi_bug_unless(future != NULL);
    return (enum weir_future_state)wi_load_acquire(&future->state);
}

int weir_future_wait(weir_future *future, weir_time deadline)
{
    wi_bug_unless(future != NULL);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    if (wi_future_ended(future))
        return 0;
    if (deadline == WEIR_DONT_WAIT)
        return WEIR_ETIMEDOUT;

    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, &wi_future_waitable, future, NULL);
    wi_lock(&future->lock);
    if (wi_future_ended(future)) {
        wi_unlock(&future->lock);
        return 0;
    }
    wi_list_push_back(&future->waiters, &self.node);
    return wi_wait_single(&self, &future->lock, deadline, WI_WAIT_CANCELABLE);
}

int weir_future_result(const weir_future *future, void *value)
{
    switch (weir_future_state(future)) {
    case WEIR_FUTURE_CANCELED:
        return WEIR_ECANCELED;
    case WEIR_FUTURE_DONE:
        if (future->result == 0 && value != NULL && future->value_bytes > 0)
            memcpy(value, future->value, future->value_bytes);
        return future->result;
    default:
        return WEIR_EAGAIN;
    }
}

int weir_future_get(weir_future *future, void *value, weir_time deadline)
{
    const int rc = weir_future_wait(future, deadline);
    return rc != 0 ? rc : weir_future_result(future, value);
}

int weir_future_cancel(weir_future *future)
{
    wi_bug_unless(future != NULL);
    const int rc = end(future, WEIR_FUTURE_CANCELED, WEIR_ECANCELED, NULL);
    return rc == WEIR_ECANCELED ? 0 : rc;
}

/* False: it has ended. */
static bool add_callback(struct weir_future *future, struct wi_future_callback *callback)
{
    wi_lock(&future->lock);
    const bool in_time = !wi_future_ended(future);
    if (in_time) {
        *future->callbacks_end = callback;
        future->callbacks_end = &callback->next;
    }
    wi_unlock(&future->lock);
    return in_time;
}

int weir_future_on_done(weir_future *future, void (*fn)(weir_future *future, void *arg), void *arg)
{
    wi_bug_unless(future != NULL);
    wi_bug_unless(fn != NULL);
    if (!wi_future_ended(future)) {
        struct wi_future_callback *callback = wi_alloc(sizeof(*callback));
        if (callback == NULL)
            return WEIR_ENOMEM;
        *callback = (struct wi_future_callback){ .fn = fn, .arg = arg };
        if (add_callback(future, callback))
            return 0;
        wi_free(callback);
    }
    fn(future, arg);
    return 0;
}

/* -- in a select ------------------------------------------------------------------------------ */

static bool select_begin(struct wi_selected *selected, bool may_wait)
{
    (void)may_wait;
    selected->object = selected->one->future;
    return false;
}

static struct wi_lock *select_lock(void *object)
{
    return &((struct weir_future *)object)->lock;
}

static bool select_ready(const struct wi_selected *selected)
{
    return wi_future_ended(selected->object);
}

static int select_take(struct wi_selected *selected, struct wi_waiter **served)
{
    (void)served;
    return wi_future_ended(selected->object) ? 0 : WEIR_EAGAIN;
}

static struct wi_list *select_queue(struct wi_selected *selected)
{
    return &((struct weir_future *)selected->object)->waiters;
}

static void select_done(struct wi_selected *selected)
{
    selected->one->result = weir_future_result(selected->object, selected->one->msg);
}

const struct wi_selectable wi_future_selectable = {
    .begin = select_begin,
    .lock = select_lock,
    .ready_locked = select_ready,
    .take_locked = select_take,
    .queue_locked = select_queue,
    .done = select_done,
};
