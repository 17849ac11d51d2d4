/* SPDX-License-Identifier: MIT */
/* The waiter: peer, deadline and cancellation race, one wins, and the loser touches nothing of the
 * winner's.  The waited-for object is freed as soon as its last user may, and a waiter's frame is
 * gone when wi_wait() has returned: late touches are found.
 *
 * explores: waits */
#include "model/parkers.h"

#include "base/alloc.h"
#include "base/check.h"
#include "sync/wait.h"
#include "weir/err.h"

enum {
    MESSAGE = 41,
    OWNER = 1
};

/* What a channel, a join, a lock have in common. */
struct object {
    struct wi_lock lock;
    struct wi_list queue;
};

static const struct wi_waitable waitable = { .what = "model" };

static struct object *objects[2];
static int delivered[2]; /* owner: the peer of that number */
static int got;          /* owner: the waiting thread */
static weir_time wait_until;
static enum wi_wait_kind kind;

static struct object *make_object(void)
{
    struct object *object = wi_alloc(sizeof(*object));
    wi_lock_init(&object->lock);
    wi_list_init(&object->queue);
    return object;
}

static void begin(weir_time until, enum wi_wait_kind its_kind)
{
    model_parkers_init();
    objects[0] = make_object();
    objects[1] = make_object();
    wait_until = until;
    kind = its_kind;
}

/* Serves whoever waits, as wait.h says: d, e, f. */
static void serve(int number)
{
    struct object *object = objects[number];
    wi_lock(&object->lock);
    struct wi_waiter *waiter = wi_waitlist_claim_first(&object->queue);
    if (waiter != NULL)
        *(int *)waiter->data = MESSAGE + number;
    wi_unlock(&object->lock);
    if (waiter == NULL)
        return;
    delivered[number] = 1;
    wi_waiter_done(waiter, MESSAGE + 100 + number);
}

static void serve_first(void *arg)
{
    (void)arg;
    serve(0);
}

static void serve_second(void *arg)
{
    (void)arg;
    serve(1);
}

static void serve_both(void *arg)
{
    (void)arg;
    serve(0);
    serve(1);
}

/* -- one thing --------------------------------------------------------------------------------- */

/* Queues a waiter before any peer is started, so that who comes finds it. */
__attribute__((noinline)) static int wait_for_first(int *message)
{
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_lock(&objects[0]->lock);
    wi_wait_init_single(&wait, &waiter, &waitable, objects[0], message);
    wi_list_push_back(&objects[0]->queue, &waiter.node);
    const int rc = wi_wait_single(&waiter, &objects[0]->lock, wait_until, kind);
    if (rc < 0)
        return rc;
    explore_check_eq(waiter.result, MESSAGE + 100);
    return 0;
}

/* `arg`: not NULL if nobody else comes, so that the object may be freed at once. */
static void own_single(void *arg)
{
    int message = 0;
    got = wait_for_first(&message);
    if (got == 0) {
        explore_check_eq(message, MESSAGE);
        if (arg != NULL)
            wi_free(objects[0]);
    } else {
        explore_check_eq(message, 0);
    }
}

/* The peer comes again until it has found somebody. */
static void serve_somebody(void *arg)
{
    (void)arg;
    while (delivered[0] == 0) {
        serve(0);
        if (delivered[0] == 0)
            explore_pause();
    }
}

static void the_peer_ends_a_wait_for_one_thing(void)
{
    begin(WEIR_NO_DEADLINE, WI_WAIT_CANCELABLE);
    explore_start(own_single, &got);
    explore_start(serve_somebody, NULL);
    explore_join();
    explore_check_eq(got, 0);
}

static void peer_and_deadline_race_for_one_thing(void)
{
    begin(2000, WI_WAIT_CANCELABLE);
    explore_deadline(2000);
    explore_start(own_single, &got);
    explore_start(serve_first, NULL);
    explore_join();
    explore_check(got == 0 || got == WEIR_ETIMEDOUT);
    explore_check_eq(delivered[0], got == 0);
    explore_saw(got == 0);
}

static void cancel_owner(void *arg)
{
    (void)arg;
    wi_parker_cancel(&model_parkers[OWNER], WEIR_ECANCELED);
}

static void peer_and_cancellation_race_for_one_thing(void)
{
    begin(WEIR_NO_DEADLINE, WI_WAIT_CANCELABLE);
    explore_start(own_single, &got);
    explore_start(serve_first, NULL);
    explore_start(cancel_owner, NULL);
    explore_join();
    explore_check(got == 0 || got == WEIR_ECANCELED);
    explore_check_eq(delivered[0], got == 0);
    explore_saw(got == 0);
}

static void an_uncancelable_wait_outlasts_cancellation(void)
{
    begin(WEIR_NO_DEADLINE, WI_WAIT_UNCANCELABLE);
    explore_start(own_single, &got);
    explore_start(serve_somebody, NULL);
    explore_start(cancel_owner, NULL);
    explore_join();
    explore_check_eq(got, 0);
}

static void two_peers_meet_one_waiter(void)
{
    begin(2000, WI_WAIT_CANCELABLE);
    explore_start(own_single, NULL);
    explore_start(serve_first, NULL);
    explore_start(serve_first, NULL);
    explore_join();
    explore_check_eq(delivered[0], got == 0);
    explore_saw(got == 0);
}

/* -- several things ---------------------------------------------------------------------------- */

static void queue_locked(struct object *object, struct wi_wait *wait, struct wi_waiter *waiter,
                         uint32_t index, int *message)
{
    wi_waiter_init(waiter, wait, index, message);
    wi_list_push_back(&object->queue, &waiter->node);
}

static void withdraw(struct object *object, struct wi_waiter *waiter)
{
    wi_lock(&object->lock);
    wi_list_remove(&waiter->node);
    wi_unlock(&object->lock);
}

__attribute__((noinline)) static int wait_for_either(int *messages)
{
    struct wi_wait wait;
    struct wi_waiter waiters[2];
    wi_lock(&objects[0]->lock);
    wi_lock(&objects[1]->lock);
    wi_wait_init(&wait, &waitable, NULL);
    for (int i = 0; i < 2; i++)
        queue_locked(objects[i], &wait, &waiters[i], (uint32_t)i, &messages[i]);
    wi_unlock(&objects[1]->lock);
    wi_unlock(&objects[0]->lock);
    const int rc = wi_wait(&wait, wait_until, kind);
    for (int i = 0; i < 2; i++) {
        if (i != rc)
            withdraw(objects[i], &waiters[i]);
    }
    if (rc >= 0)
        explore_check_eq(waiters[rc].result, MESSAGE + 100 + rc);
    return rc;
}

static void own_either(void *arg)
{
    (void)arg;
    int messages[2] = { 0, 0 };
    got = wait_for_either(messages);
    for (int i = 0; i < 2; i++)
        explore_check_eq(messages[i], i == got ? MESSAGE + i : 0);
    if (got >= 0)
        wi_free(objects[got]);
}

static void check_one_winner(int otherwise)
{
    explore_saw(got >= 0 ? got : 2);
    explore_check(got >= 0 || got == otherwise);
    for (int i = 0; i < 2; i++)
        explore_check_eq(delivered[i], got == i);
}

static void two_peers_race_for_a_wait_on_two_things(void)
{
    begin(2000, WI_WAIT_CANCELABLE);
    explore_start(own_either, NULL);
    explore_start(serve_first, NULL);
    explore_start(serve_second, NULL);
    explore_join();
    check_one_winner(WEIR_ETIMEDOUT);
}

static void peer_and_deadline_race_for_two_things(void)
{
    begin(2000, WI_WAIT_CANCELABLE);
    explore_deadline(2000);
    explore_start(own_either, NULL);
    explore_start(serve_both, NULL);
    explore_join();
    check_one_winner(WEIR_ETIMEDOUT);
}

static void peer_and_cancellation_race_for_two_things(void)
{
    begin(WEIR_NO_DEADLINE, WI_WAIT_CANCELABLE);
    explore_start(own_either, NULL);
    explore_start(serve_both, NULL);
    explore_start(cancel_owner, NULL);
    explore_join();
    check_one_winner(WEIR_ECANCELED);
}

/* -- all at once ------------------------------------------------------------------------------- */

static int results[4];

static void wait_for_close(void *arg)
{
    (void)arg;
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_lock(&objects[0]->lock);
    wi_wait_init_single(&wait, &waiter, &waitable, objects[0], NULL);
    wi_list_push_back(&objects[0]->queue, &waiter.node);
    const int rc = wi_wait_single(&waiter, &objects[0]->lock, wait_until, kind);
    results[explore_self()] = rc < 0 ? rc : waiter.result;
}

static int closed_for;

static void close_object(void *arg)
{
    (void)arg;
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&objects[0]->lock);
    wi_waitlist_claim_all(&objects[0]->queue, &claimed);
    for (struct wi_list *node = claimed.next; node != &claimed; node = node->next)
        closed_for++;
    wi_unlock(&objects[0]->lock);
    wi_waitlist_finish(&claimed, WEIR_ECLOSED);
}

static void a_close_ends_every_wait_that_has_begun(void)
{
    begin(2000, WI_WAIT_CANCELABLE);
    explore_start(wait_for_close, NULL);
    explore_start(wait_for_close, NULL);
    explore_start(close_object, NULL);
    explore_join();
    int closed = 0;
    for (int i = 1; i <= 2; i++) {
        explore_check(results[i] == WEIR_ECLOSED || results[i] == WEIR_ETIMEDOUT);
        closed += results[i] == WEIR_ECLOSED;
    }
    explore_check_eq(closed, closed_for);
    explore_saw(closed);
}

EXPLORE_MAIN(EXPLORE(the_peer_ends_a_wait_for_one_thing),
             EXPLORE_WITH(peer_and_deadline_race_for_one_thing, .outcomes = 2),
             EXPLORE_WITH(peer_and_cancellation_race_for_one_thing, .outcomes = 2),
             EXPLORE(an_uncancelable_wait_outlasts_cancellation),
             EXPLORE_WITH(two_peers_meet_one_waiter, .outcomes = 2),
             EXPLORE_WITH(two_peers_race_for_a_wait_on_two_things, .outcomes = 3),
             EXPLORE_WITH(peer_and_deadline_race_for_two_things, .outcomes = 3),
             EXPLORE_WITH(peer_and_cancellation_race_for_two_things, .outcomes = 3),
             EXPLORE_WITH(a_close_ends_every_wait_that_has_begun, .outcomes = 3))
