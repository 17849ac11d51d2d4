/* SPDX-License-Identifier: MIT */
/* Signals to wait for; include/weir/signal.h.
 *
 * os/ counts what arrives, for each signal since the process began; an object keeps how many of
 * them it has handed out.  So what is pending is a difference of two numbers, a flood of signals
 * takes no memory, and an object hears of nothing that came before it was opened.
 *
 * The runtime's loop watches the one descriptor that becomes readable at an arrival, as long as
 * there is an object.
 *
 * Locks: table_lock first, then an object's.  A waiter is completed after both are released: it may
 * close the object as soon as it has gone on, which takes table_lock. */
#include "weir/signal.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "loop/loop.h"
#include "os/signal.h"
#include "sync/wait.h"
#include "task/runtime.h"
#include "task/selectables.h"
#include "task/signals.h"

struct weir_signals {
    /* guarded by table_lock */
    struct wi_list node;
    /* constant while open */
    uint64_t set; /* bit n - 1: signal n */
    /* guarded by lock */
    struct wi_lock lock;
    int last;               /* the signal that was handed out last: the next one goes first */
    struct wi_list waiters; /* data: where the event goes, or NULL */
    uint64_t taken[WI_SIGNALS_MAX + 1];
};

static void on_ready(struct wi_watch *watch, uint32_t ready);

static struct wi_lock table_lock;
static struct {
    /* guarded by table_lock */
    struct wi_list objects; /* all-zero before the first */
    int users[WI_SIGNALS_MAX + 1];
    bool watched;
    struct wi_watch watch;
} table = { .watch = { .on_ready = on_ready } };

/* -- taking ----------------------------------------------------------------------------------- */

static uint64_t pending(const struct weir_signals *signals, int signal)
{
    if ((signals->set >> (signal - 1) & 1) == 0)
        return 0;
    return wi_signal_caught(signal) - signals->taken[signal];
}

static bool ready_locked(const struct weir_signals *signals)
{
    for (int signal = 1; signal <= WI_SIGNALS_MAX; signal++) {
        if (pending(signals, signal) != 0)
            return true;
    }
    return false;
}

static bool take_locked(struct weir_signals *signals, struct weir_signal_event *event)
{
    for (int i = 0; i < WI_SIGNALS_MAX; i++) {
        const int signal = (signals->last + i) % WI_SIGNALS_MAX + 1;
        const uint64_t count = pending(signals, signal);
        if (count == 0)
            continue;
        signals->taken[signal] += count;
        signals->last = signal;
        if (event != NULL)
            *event = (struct weir_signal_event){ .signal = signal, .count = (int64_t)count };
        return true;
    }
    return false;
}

static void serve_locked(struct weir_signals *signals, struct wi_list *claimed)
{
    while (ready_locked(signals)) {
        struct wi_waiter *waiter = wi_waitlist_claim_first(&signals->waiters);
        if (waiter == NULL)
            return;
        (void)take_locked(signals, waiter->data);
        wi_list_push_back(claimed, &waiter->node);
    }
}

static void on_ready(struct wi_watch *watch, uint32_t ready)
{
    (void)watch;
    (void)ready;
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_signal_catch_drain();
    wi_lock(&table_lock);
    for (struct wi_list *node = table.objects.next; node != &table.objects; node = node->next) {
        struct weir_signals *signals = wi_container_of(node, struct weir_signals, node);
        wi_lock(&signals->lock);
        serve_locked(signals, &claimed);
        wi_unlock(&signals->lock);
    }
    wi_unlock(&table_lock);
    wi_waitlist_finish(&claimed, 0);
}

/* -- open and close --------------------------------------------------------------------------- */

static int watch_locked(void)
{
    if (table.objects.next == NULL)
        wi_list_init(&table.objects);
    if (table.watched)
        return 0;
    const int fd = wi_signal_catch_open();
    if (fd < 0)
        return fd;
    table.watch.fd = fd;
    const int rc = wi_loop_watch(wi_runtime_loop(), &table.watch, WI_POLL_READ);
    table.watched = rc == 0;
    return rc;
}

static void unwatch_locked(void)
{
    struct wi_loop *loop = wi_runtime_loop();
    if (table.watched && loop != NULL) /* a forked child has none */
        wi_loop_unwatch(loop, &table.watch);
    table.watched = false;
}

static void let_go_locked(uint64_t set)
{
    for (int signal = 1; signal <= WI_SIGNALS_MAX; signal++) {
        if ((set >> (signal - 1) & 1) != 0 && --table.users[signal] == 0)
            wi_signal_let_go(signal);
    }
    if (wi_list_empty(&table.objects))
        unwatch_locked();
}

static int catch_locked(uint64_t set)
{
    int rc = watch_locked();
    uint64_t done = 0;
    for (int signal = 1; signal <= WI_SIGNALS_MAX && rc == 0; signal++) {
        const uint64_t bit = (uint64_t)1 << (signal - 1);
        if ((set & bit) == 0)
            continue;
        if (table.users[signal] == 0)
            rc = wi_signal_catch(signal);
        if (rc != 0)
            break;
        table.users[signal]++;
        done |= bit;
    }
    if (rc != 0)
        let_go_locked(done);
    return rc;
}

static int set_of(const int *signals, int count, uint64_t *set)
{
    *set = 0;
    for (int i = 0; i < count; i++) {
        if (!wi_signal_catchable(signals[i]))
            return WEIR_EINVAL;
        *set |= (uint64_t)1 << (signals[i] - 1);
    }
    return count > 0 ? 0 : WEIR_EINVAL;
}

int weir_signals_open(weir_signals **out, const int *signals, int count)
{
    wi_bug_unless(out != NULL);
    wi_bug_unless(signals != NULL);
    uint64_t set = 0;
    int rc = wi_runtime_check();
    if (rc == 0)
        rc = count <= WI_SIGNALS_MAX ? set_of(signals, count, &set) : WEIR_EINVAL;
    if (rc != 0)
        return rc;
    struct weir_signals *made = wi_alloc_zeroed(1, sizeof(*made));
    if (made == NULL)
        return WEIR_ENOMEM;
    made->set = set;
    wi_list_init(&made->waiters);
    wi_lock(&table_lock);
    rc = catch_locked(set);
    if (rc == 0) {
        for (int signal = 1; signal <= WI_SIGNALS_MAX; signal++)
            made->taken[signal] = wi_signal_caught(signal);
        wi_list_push_back(&table.objects, &made->node);
    }
    wi_unlock(&table_lock);
    if (rc == 0)
        *out = made;
    else
        wi_free(made);
    return rc;
}

void weir_signals_close(weir_signals *signals)
{
    wi_bug_unless(signals != NULL);
    wi_lock(&table_lock);
    wi_list_remove(&signals->node);
    let_go_locked(signals->set);
    wi_unlock(&table_lock);
    wi_lock(&signals->lock);
    if (!wi_list_empty(&signals->waiters))
        wi_bug_misuse("weir_signals_close", "somebody waits on it; its signals are",
                      (int64_t)signals->set);
    wi_unlock(&signals->lock);
    wi_free(signals);
}

void wi_signals_forget(void)
{
    wi_lock(&table_lock);
    unwatch_locked();
    wi_unlock(&table_lock);
}

/* -- waiting ---------------------------------------------------------------------------------- */

static const struct wi_waitable signals_waitable = { .what = "signal" };

int weir_signals_wait(weir_signals *signals, struct weir_signal_event *event, weir_time deadline)
{
    wi_bug_unless(signals != NULL);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    wi_lock(&signals->lock);
    const bool taken = take_locked(signals, event);
    if (taken || deadline == WEIR_DONT_WAIT) {
        wi_unlock(&signals->lock);
        return taken ? 0 : WEIR_ETIMEDOUT;
    }
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init_single(&wait, &waiter, &signals_waitable, signals, event);
    wi_list_push_back(&signals->waiters, &waiter.node);
    return wi_wait_single(&waiter, &signals->lock, deadline, WI_WAIT_CANCELABLE);
}

static bool select_begin(struct wi_selected *selected, bool may_wait)
{
    (void)may_wait;
    selected->object = selected->one->signals;
    return false;
}

static struct wi_lock *select_lock(void *object)
{
    return &((struct weir_signals *)object)->lock;
}

static bool select_ready(const struct wi_selected *selected)
{
    return ready_locked(selected->object);
}

static int select_take(struct wi_selected *selected, struct wi_waiter **served)
{
    (void)served;
    selected->one->result = 0;
    return take_locked(selected->object, selected->one->msg) ? 0 : WEIR_EAGAIN;
}

static struct wi_list *select_queue(struct wi_selected *selected)
{
    return &((struct weir_signals *)selected->object)->waiters;
}

const struct wi_selectable wi_signal_selectable = {
    .begin = select_begin,
    .lock = select_lock,
    .ready_locked = select_ready,
    .take_locked = select_take,
    .queue_locked = select_queue,
};
