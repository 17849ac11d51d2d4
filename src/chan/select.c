/* SPDX-License-Identifier: MIT */
/* Waits for several things and does one of them (Newsqueak's and Go's three passes).
 *
 * Pass 1, with the locks of all objects held (in the order of their addresses, each once): looks
 * which cases are ready, and does one of them: the choice is about one instant of all of them.
 * Pass 2, locks still held: queues a waiter on every object; unlocks; waits.
 * Pass 3: takes the losing waiters off, each under its object's lock.
 * All waiters share one wait, so exactly one case wins; a send and a receive of one call never
 * meet, because neither is queued while the other is looked at.
 *
 * A case may look ready and not be: a waiter on its object's queue may have been decided by
 * somebody else.  It is then struck off and the choice is made among the rest, so each case that is
 * ready is still as likely as another.
 *
 * Channels are known here; other kinds by their table, see sync/select.h.  Instants have no object:
 * the earliest of them bounds the wait. */
#include "weir/select.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/rng.h"
#include "chan/chan.h"
#include "chan/selectables.h"

enum {
    CASES_FEW = 4 /* so many have a small frame */
};

/* The passes are compiled twice: for calls that name channels only, as most do, what other kinds
 * need falls away. */
#define PASS static inline __attribute__((always_inline))

_Static_assert(WEIR_SELECT_CASES_MAX <= 64, "sets of cases are 64-bit masks");

struct selection {
    struct weir_select_case *cases;
    struct wi_selected *selected; /* one for each case */
    struct wi_lock **locks;       /* by address, each once */
    int count;
    int lock_count;
    bool ordered;
    bool foreign;           /* some case is of a kind with end() */
    uint64_t ready;         /* cases that are ready without any object: instants, descriptors */
    int earliest;           /* the case with the earliest instant to come, or -1 */
    weir_time until;        /* that instant */
    struct weir_chan *dice; /* some channel of the call: its lock guards a random sequence */
};

/* -- preparing -------------------------------------------------------------------------------- */

/* Into the middle, unless it is there already. */
__attribute__((noinline)) static int insert_lock(struct wi_lock **locks, int count,
                                                 struct wi_lock *lock)
{
    int at = count;
    while (at > 0 && (uintptr_t)locks[at - 1] > (uintptr_t)lock)
        at--;
    if (at > 0 && locks[at - 1] == lock)
        return count;
    memmove(&locks[at + 1], &locks[at], (size_t)(count - at) * sizeof(locks[0]));
    locks[at] = lock;
    return count + 1;
}

PASS void add_lock(struct selection *selection, struct wi_lock *lock)
{
    const int count = selection->lock_count;
    if (count == 0 || (uintptr_t)selection->locks[count - 1] < (uintptr_t)lock) {
        selection->locks[count] = lock;
        selection->lock_count = count + 1;
    } else if (count == 1 && selection->locks[0] != lock) {
        selection->locks[1] = selection->locks[0];
        selection->locks[0] = lock;
        selection->lock_count = 2;
    } else {
        selection->lock_count = insert_lock(selection->locks, count, lock);
    }
}

static bool is_chan_op(enum weir_select_op op)
{
    return op == WEIR_SELECT_SEND || op == WEIR_SELECT_RECV;
}

PASS void prepare_chan(struct selection *selection, struct wi_selected *selected)
{
    const struct weir_select_case *one = selected->one;
    struct weir_chan *ch = one->ch;
    selected->object = ch;
    if (ch == NULL)
        return;
    wi_bug_unless(one->msg != NULL || ch->elem_bytes == 0);
    if (one->msg_bytes != 0)
        wi_bug_unless_cmp(one->msg_bytes, ==, ch->elem_bytes);
    if (wi_unlikely(ch->growing != NULL))
        wi_growing_tend(ch, one->op == WEIR_SELECT_SEND);
    selection->dice = ch;
    add_lock(selection, &ch->lock);
}

static void prepare_instant(struct selection *selection, int index)
{
    const weir_time until = selection->cases[index].until;
    selection->selected[index].object = NULL;
    if (until < selection->until) {
        selection->until = until;
        selection->earliest = index;
    }
}

static const struct wi_selectable *kind_of(enum weir_select_op op)
{
    if (op == WEIR_SELECT_EVENT)
        return &wi_event_selectable;
    if (op == WEIR_SELECT_FUTURE)
        return &wi_future_selectable;
    if (op == WEIR_SELECT_ACQUIRE)
        return &wi_semaphore_selectable;
    return wi_selectable_of(op);
}

static void prepare_other(struct selection *selection, int index, bool may_wait)
{
    struct wi_selected *selected = &selection->selected[index];
    const struct wi_selectable *kind = kind_of(selected->one->op);
    selected->object = NULL;
    selected->kind = kind;
    if (kind == NULL) {
        selected->one->result = WEIR_ENOTOPEN;
        selection->ready |= (uint64_t)1 << index;
        return;
    }
    if (kind->begin(selected, may_wait))
        selection->ready |= (uint64_t)1 << index;
    if (kind->end != NULL)
        selection->foreign = true;
    if (selected->object != NULL)
        add_lock(selection, kind->lock(selected->object));
}

PASS void prepare(struct selection *selection, bool chans_only, bool may_wait)
{
    for (int i = 0; i < selection->count; i++) {
        struct wi_selected *selected = &selection->selected[i];
        selected->one = &selection->cases[i];
        if (chans_only || is_chan_op(selected->one->op))
            prepare_chan(selection, selected);
        else if (selected->one->op == WEIR_SELECT_UNTIL)
            prepare_instant(selection, i);
        else
            prepare_other(selection, i, may_wait);
    }
    if (chans_only || selection->earliest < 0)
        return;
    const weir_time now = weir_now();
    for (int i = 0; i < selection->count; i++) {
        struct weir_select_case *one = &selection->cases[i];
        if (one->op == WEIR_SELECT_UNTIL && one->until <= now) {
            one->result = 0;
            selection->ready |= (uint64_t)1 << i;
        }
    }
}

/* Lets go of what begin() has found. */
static void end_all(struct selection *selection)
{
    for (int i = 0; i < selection->count; i++) {
        struct wi_selected *selected = &selection->selected[i];
        if (is_chan_op(selected->one->op) || selected->one->op == WEIR_SELECT_UNTIL)
            continue;
        if (selected->kind != NULL && selected->kind->end != NULL)
            selected->kind->end(selected);
    }
}

PASS void lock_all(const struct selection *selection)
{
    for (int i = 0; i < selection->lock_count; i++)
        wi_lock(selection->locks[i]);
}

PASS void unlock_all(const struct selection *selection)
{
    for (int i = selection->lock_count - 1; i >= 0; i--)
        wi_unlock(selection->locks[i]);
}

/* -- pass 1 ----------------------------------------------------------------------------------- */

PASS bool ready_locked(const struct wi_selected *selected, bool chans_only)
{
    if (selected->object == NULL)
        return false;
    if (selected->one->op == WEIR_SELECT_SEND)
        return wi_chan_sendable_locked(selected->object);
    if (chans_only || selected->one->op == WEIR_SELECT_RECV)
        return wi_chan_receivable_locked(selected->object);
    return selected->kind->ready_locked(selected);
}

static int take_locked(struct wi_selected *selected, struct wi_waiter **served)
{
    struct weir_select_case *one = selected->one;
    if (one->op == WEIR_SELECT_SEND)
        one->result = wi_chan_send_locked(one->ch, one->msg, served);
    else if (one->op == WEIR_SELECT_RECV)
        one->result = wi_chan_recv_locked(one->ch, one->msg, served);
    else
        return selected->kind->take_locked(selected, served);
    return one->result == WEIR_EAGAIN ? WEIR_EAGAIN : 0;
}

/* A number below count, each as likely as another.  A call without a channel draws from a sequence
 * that all such calls share. */
static uint32_t draw_locked(struct weir_chan *dice, uint32_t count)
{
    static wi_atomic_u64 shared;
    uint64_t *state = dice != NULL ? &dice->choice : NULL;
    uint64_t own = state == NULL ? wi_add_relaxed(&shared, 1) : 0;
    const uint64_t drawn = wi_rng_split(state != NULL ? state : &own) >> 32;
    return (uint32_t)(drawn * count >> 32);
}

/* A case of the set, which has several. */
static int draw_case_locked(struct weir_chan *dice, uint64_t set)
{
    uint32_t skip = draw_locked(dice, (uint32_t)__builtin_popcountll(set));
    while (skip-- > 0)
        set &= set - 1;
    return __builtin_ctzll(set);
}

/* One of the cases of the set, which is not empty. */
PASS int choose_locked(const struct selection *selection, uint64_t set)
{
    if (selection->ordered || (set & (set - 1)) == 0)
        return __builtin_ctzll(set);
    return draw_case_locked(selection->dice, set);
}

/* The index of the case that was done, or WEIR_EAGAIN. */
PASS int try_all_locked(struct selection *selection, bool chans_only, struct wi_waiter **served)
{
    uint64_t set = selection->ready;
    for (int i = 0; i < selection->count; i++) {
        if (ready_locked(&selection->selected[i], chans_only))
            set |= (uint64_t)1 << i;
    }
    while (set != 0) {
        const int index = choose_locked(selection, set);
        const uint64_t bit = (uint64_t)1 << index;
        if ((selection->ready & bit) != 0)
            return index;
        if (take_locked(&selection->selected[index], served) == 0)
            return index;
        set &= ~bit;
    }
    return WEIR_EAGAIN;
}

/* -- passes 2 and 3 --------------------------------------------------------------------------- */

PASS struct wi_list *queue_locked(struct wi_selected *selected, bool chans_only)
{
    struct weir_select_case *one = selected->one;
    if (one->op == WEIR_SELECT_SEND)
        return &one->ch->senders;
    if (chans_only || one->op == WEIR_SELECT_RECV)
        return &one->ch->receivers;
    return selected->kind->queue_locked(selected);
}

PASS void withdraw(struct wi_selected *selected, bool chans_only)
{
    const bool chan = chans_only || is_chan_op(selected->one->op);
    struct wi_lock *lock = chan ? &selected->one->ch->lock : selected->kind->lock(selected->object);
    wi_lock(lock);
    wi_list_remove(&selected->waiter.node);
    wi_unlock(lock);
}

/* The case was done on its object. */
static void done(struct wi_selected *selected)
{
    if (!is_chan_op(selected->one->op) && selected->kind->done != NULL)
        selected->kind->done(selected);
}

static const struct wi_waitable select_waitable = { .what = "select" };

/* The locks are held and released here. */
PASS int wait_for_one(struct selection *selection, bool chans_only, weir_time deadline)
{
    struct wi_wait wait;
    wi_wait_init(&wait, &select_waitable, NULL);
    for (int i = 0; i < selection->count; i++) {
        struct wi_selected *selected = &selection->selected[i];
        if (selected->object == NULL)
            continue;
        wi_waiter_init(&selected->waiter, &wait, (uint32_t)i, selected->one->msg);
        wi_list_push_back(queue_locked(selected, chans_only), &selected->waiter.node);
    }
    unlock_all(selection);

    const weir_time until = selection->until < deadline ? selection->until : deadline;
    int rc = wi_wait(&wait, until, WI_WAIT_CANCELABLE);
    for (int i = 0; i < selection->count; i++) {
        if (selection->selected[i].object != NULL && i != rc)
            withdraw(&selection->selected[i], chans_only);
    }
    if (rc >= 0) {
        struct wi_selected *winner = &selection->selected[rc];
        winner->one->result = winner->waiter.result;
        if (!chans_only)
            done(winner);
    } else if (!chans_only && rc == WEIR_ETIMEDOUT && selection->earliest >= 0 &&
               selection->until <= deadline) {
        rc = selection->earliest;
        selection->cases[rc].result = 0;
    }
    return rc;
}

/* -- the whole -------------------------------------------------------------------------------- */

PASS int run(struct selection *selection, bool chans_only, weir_time deadline)
{
    prepare(selection, chans_only, deadline != WEIR_DONT_WAIT);
    struct wi_waiter *served = NULL;
    lock_all(selection);
    int rc = try_all_locked(selection, chans_only, &served);
    if (rc == WEIR_EAGAIN && deadline != WEIR_DONT_WAIT) {
        rc = wait_for_one(selection, chans_only, deadline);
    } else {
        unlock_all(selection);
        if (served != NULL)
            wi_waiter_done(served, 0);
        if (rc == WEIR_EAGAIN)
            rc = WEIR_ETIMEDOUT;
        else if (!chans_only && selection->selected[rc].object != NULL)
            done(&selection->selected[rc]);
    }
    if (!chans_only && selection->foreign)
        end_all(selection);
    return rc;
}

static int run_few_chans(struct weir_select_case *cases, int count, bool ordered,
                         weir_time deadline)
{
    struct wi_selected selected[CASES_FEW];
    struct wi_lock *locks[CASES_FEW];
    struct selection selection = {
        .cases = cases,
        .selected = selected,
        .locks = locks,
        .count = count,
        .ordered = ordered,
        .earliest = -1,
        .until = WEIR_NO_DEADLINE,
    };
    return run(&selection, true, deadline);
}

__attribute__((noinline)) static int run_any(struct weir_select_case *cases, int count,
                                             bool ordered, weir_time deadline)
{
    struct wi_selected selected[WEIR_SELECT_CASES_MAX];
    struct wi_lock *locks[WEIR_SELECT_CASES_MAX];
    struct selection selection = {
        .cases = cases,
        .selected = selected,
        .locks = locks,
        .count = count,
        .ordered = ordered,
        .earliest = -1,
        .until = WEIR_NO_DEADLINE,
    };
    return run(&selection, false, deadline);
}

static bool few_chans(const struct weir_select_case *cases, int count)
{
    if (count > CASES_FEW)
        return false;
    for (int i = 0; i < count; i++) {
        if (!is_chan_op(cases[i].op))
            return false;
    }
    return true;
}

static int select_cases(struct weir_select_case *cases, int count, bool ordered, weir_time deadline)
{
    wi_bug_unless(cases != NULL || count == 0);
    wi_bug_unless_cmp(count, >=, 0);
    wi_bug_unless_cmp(count, <=, WEIR_SELECT_CASES_MAX);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    return few_chans(cases, count) ? run_few_chans(cases, count, ordered, deadline)
                                   : run_any(cases, count, ordered, deadline);
}

int weir_select(struct weir_select_case *cases, int count, weir_time deadline)
{
    return select_cases(cases, count, false, deadline);
}

int weir_select_ordered(struct weir_select_case *cases, int count, weir_time deadline)
{
    return select_cases(cases, count, true, deadline);
}
