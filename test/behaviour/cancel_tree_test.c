/* SPDX-License-Identifier: MIT */
/* Cancellation goes down the whole tree at once: tasks deep below others that do not notice are
 * canceled when the canceller goes on.  The others compute, or wait uncancelably, until those have
 * ended: so a tree that is not reached stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/run.h"

enum hold {
    IN_A_JOIN,
    IN_A_LOCK,
    COMPUTING,
    HOLDS
};

enum {
    DEPTH_MAX = 300
};

struct tree;

struct level {
    struct tree *tree;
    int number; /* 0: the leaf */
};

struct tree {
    enum hold hold;
    int depth;
    weir_mutex *mutex; /* held by the test */
    int held;          /* levels that do not look */
    int parked;
    int release;
    int cause; /* of the leaf */
    int above; /* levels that were told the same cause once they looked */
    struct level levels[DEPTH_MAX + 1];
};

static weir_scope *open_scope(void)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    return scope;
}

static int close_scope(weir_scope *scope)
{
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static int wait_for_release(void *arg)
{
    const struct tree *tree = arg;
    await(&tree->release, 1);
    return 0;
}

/* Until the leaf is canceled. */
static void do_not_look(struct tree *tree)
{
    weir_task *task;
    switch (tree->hold) {
    case IN_A_JOIN:
        CHECK_EQ(weir_task_start(&task, wait_for_release, tree, .detached = true), 0);
        bump(&tree->held);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        break;
    case IN_A_LOCK:
        bump(&tree->held);
        CHECK_EQ(weir_mutex_lock(tree->mutex, WEIR_NO_DEADLINE), 0);
        weir_mutex_unlock(tree->mutex);
        break;
    default:
        bump(&tree->held);
        while (peek(&tree->release) == 0) {
            if (!model_is_parallel())
                (void)weir_yield(); /* or nobody would ever come to cancel */
        }
    }
}

static int be_leaf(struct tree *tree)
{
    bump(&tree->parked);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    post(&tree->cause, weir_cancel_cause());
    post(&tree->release, 1);
    return WEIR_ECANCELED;
}

static int stand(void *arg)
{
    struct level *level = arg;
    struct tree *tree = level->tree;
    if (level->number == 0)
        return be_leaf(tree);
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(stand, level - 1), 0);
    do_not_look(tree);
    if (weir_cancel_cause() == tree->cause)
        bump(&tree->above);
    CHECK_EQ(close_scope(scope), tree->cause);
    return WEIR_ECANCELED;
}

static int depth_of(enum hold hold)
{
    if (hold == COMPUTING)
        return model_is_parallel() ? 1 : 30; /* each takes a core */
    return model_scheduler() == WEIR_SCHEDULER_THREADS ? 40 : DEPTH_MAX;
}

static struct level *plant(struct tree *tree, enum hold hold)
{
    *tree = (struct tree){ .hold = hold, .depth = depth_of(hold) };
    for (int i = 0; i <= tree->depth; i++)
        tree->levels[i] = (struct level){ .tree = tree, .number = i };
    if (hold == IN_A_LOCK) {
        CHECK_EQ(weir_mutex_create(&tree->mutex), 0);
        CHECK_EQ(weir_mutex_lock(tree->mutex, WEIR_NO_DEADLINE), 0);
    }
    return &tree->levels[tree->depth];
}

static void await_all_held(struct tree *tree)
{
    await(&tree->held, tree->depth);
    await(&tree->parked, 1);
}

/* The leaf ends while all above it are held. */
static void await_leaf(struct tree *tree, int cause)
{
    await(&tree->release, 1);
    CHECK_EQ(tree->cause, cause);
    if (tree->hold == IN_A_LOCK)
        weir_mutex_unlock(tree->mutex);
}

static void fell(struct tree *tree)
{
    CHECK_EQ(tree->above, tree->depth);
    if (tree->hold == IN_A_LOCK)
        weir_mutex_destroy(tree->mutex);
}

RUN(canceling_a_task_reaches_who_is_deep_below_one_that_does_not_look)
{
    static struct tree tree;
    for (int hold = 0; hold < HOLDS; hold++) {
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, stand, plant(&tree, (enum hold)hold)), 0);
        await_all_held(&tree);
        weir_task_cancel(task, WEIR_EPERM);
        await_leaf(&tree, WEIR_EPERM);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        fell(&tree);
    }
    return 0;
}

RUN(canceling_a_scope_reaches_who_is_deep_below)
{
    static struct tree tree;
    for (int hold = 0; hold < HOLDS; hold++) {
        weir_scope *scope = open_scope();
        CHECK_EQ(weir_go(stand, plant(&tree, (enum hold)hold)), 0);
        await_all_held(&tree);
        weir_scope_cancel(scope, WEIR_EDRAINING);
        CHECK_EQ(weir_cancel_cause(), WEIR_EDRAINING);
        await_leaf(&tree, WEIR_EDRAINING);
        CHECK_EQ(close_scope(scope), WEIR_EDRAINING);
        fell(&tree);
    }
    return 0;
}

static int give_error(void *arg)
{
    (void)arg;
    return WEIR_EPROTO;
}

RUN(the_first_error_reaches_who_is_deep_below_a_sibling)
{
    static struct tree tree;
    for (int hold = 0; hold < HOLDS; hold++) {
        weir_scope *scope = open_scope();
        CHECK_EQ(weir_go(stand, plant(&tree, (enum hold)hold)), 0);
        await_all_held(&tree);
        CHECK_EQ(weir_go(give_error, NULL), 0);
        await_leaf(&tree, WEIR_EPROTO);
        CHECK_EQ(close_scope(scope), WEIR_EPROTO);
        fell(&tree);
    }
    return 0;
}

static int await_tree(void *arg)
{
    await_all_held(arg);
    return 0;
}

/* The thread that opened closes; the leaf's end releases those above. */
static void closing_the_runtime_reaches_who_is_deep_below(void **state)
{
    (void)state;
    static struct tree tree;
    const enum hold holds[] = { IN_A_JOIN, COMPUTING };
    for (int i = 0; i < 2; i++) {
        runtime_open(NULL);
        CHECK_EQ(weir_go(stand, plant(&tree, holds[i])), 0);
        CHECK_EQ(weir_run(await_tree, &tree, NULL), 0);
        CHECK_EQ(weir_close(WEIR_NO_DEADLINE), 0);
        assert_int_equal(tree.cause, WEIR_ECANCELED);
        fell(&tree);
    }
}

/* A scope that the body has open farther in, and what is below it. */
RUN(canceling_a_scope_cancels_the_scopes_inside_of_it_and_none_outside)
{
    static struct tree trees[3];
    weir_scope *outer = open_scope();
    CHECK_EQ(weir_go(stand, plant(&trees[0], IN_A_JOIN)), 0);
    weir_scope *middle = open_scope();
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, WEIR_NO_DEADLINE);
    weir_scope *inner = open_scope();
    CHECK_EQ(weir_go(stand, plant(&trees[1], IN_A_JOIN)), 0);
    await_all_held(&trees[0]);
    await_all_held(&trees[1]);
    weir_scope_cancel(middle, WEIR_EPERM);
    await_leaf(&trees[1], WEIR_EPERM);
    CHECK_EQ(peek(&trees[0].release), 0);
    CHECK_EQ(weir_go(give_error, NULL), WEIR_ECANCELED);
    CHECK_EQ(close_scope(inner), WEIR_EPERM);
    CHECK_EQ(weir_timeout_end(&timeout, 0), WEIR_ECANCELED);
    CHECK_EQ(close_scope(middle), WEIR_EPERM);
    CHECK_EQ(weir_cancel_cause(), 0);
    weir_scope_cancel(outer, WEIR_EIO);
    await_leaf(&trees[0], WEIR_EIO);
    CHECK_EQ(close_scope(outer), WEIR_EIO);
    return 0;
}

/* -- shields ----------------------------------------------------------------------------------- */

struct shielded {
    int sleepers;
    int outside; /* canceled, of those whose scope is open outside of the shield */
    int proceed;
    int cause; /* of the one inside, afterwards */
    int ended;
};

static int sleep_outside(void *arg)
{
    struct shielded *shielded = arg;
    bump(&shielded->sleepers);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    bump(&shielded->outside);
    return WEIR_ECANCELED;
}

static int live_inside(void *arg)
{
    struct shielded *shielded = arg;
    bump(&shielded->sleepers);
    await(&shielded->proceed, 1);
    post(&shielded->cause, weir_cancel_cause());
    CHECK_EQ(weir_yield(), 0);
    bump(&shielded->ended);
    return 0;
}

static int open_inside(void *arg)
{
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(live_inside, arg), 0);
    CHECK_EQ(close_scope(scope), 0);
    return 0;
}

static int open_on_both_sides(void *arg)
{
    weir_scope *scope = open_scope();
    CHECK_EQ(weir_go(sleep_outside, arg), 0);
    CHECK_EQ(weir_shield(open_inside, arg, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(close_scope(scope), WEIR_EPERM);
    return 0;
}

RUN(a_shield_holds_back_what_comes_from_farther_out_and_only_that)
{
    struct shielded shielded = { .cause = 1 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, open_on_both_sides, &shielded), 0);
    await(&shielded.sleepers, 2);
    weir_task_cancel(task, WEIR_EPERM);
    await(&shielded.outside, 1);
    post(&shielded.proceed, 1);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(shielded.cause, 0);
    CHECK_EQ(shielded.ended, 1);
    return 0;
}

/* -- late comers ------------------------------------------------------------------------------- */

struct late {
    weir_scope *scope;
    int opened;
    int proceed;
};

static int open_when_canceled(void *arg)
{
    struct late *late = arg;
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    late->scope = open_scope();
    CHECK_EQ(weir_go(give_error, NULL), WEIR_ECANCELED);
    post(&late->opened, 1);
    await(&late->proceed, 1);
    CHECK_EQ(close_scope(late->scope), WEIR_EPERM);
    return 0;
}

RUN(a_scope_that_a_canceled_task_opens_lets_nobody_start)
{
    struct late late = { .opened = 0 };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, open_when_canceled, &late), 0);
    weir_task_cancel(task, WEIR_EPERM);
    await(&late.opened, 1);
    CHECK_EQ(weir_go(give_error, NULL, .scope = late.scope), WEIR_ECANCELED);
    post(&late.proceed, 1);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* -- races ------------------------------------------------------------------------------------- */

struct race {
    uint64_t seed;
    int started;
    int ended;
};

static int busy(void *arg);

/* One that was canceled, or refused, has been told. */
static void grow(struct race *race, uint64_t *random)
{
    weir_scope *scope = open_scope();
    weir_task *task;
    const int rc = weir_task_start(&task, busy, race);
    if (rc == 0) {
        if (draw_below(random, 2) == 0)
            CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0); /* does not look */
        else
            weir_task_release(task);
    }
    const int closed = close_scope(scope);
    CHECK(rc == 0 || rc == WEIR_ECANCELED);
    CHECK(closed == 0 || closed == WEIR_EPERM);
}

/* Opens scopes and spawns until it is canceled: who is left out goes on for ever. */
static int busy(void *arg)
{
    struct race *race = arg;
    uint64_t random = race->seed + (uint64_t)bump(&race->started);
    const int kind = draw_below(&random, 4);
    if (kind == 0) {
        CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    } else if (kind == 1) {
        (void)weir_yield();
    } else {
        while (weir_cancel_cause() == 0)
            grow(race, &random);
    }
    bump(&race->ended);
    return 0;
}

static void race_once(uint64_t seed, bool by_scope)
{
    struct race race = { .seed = seed };
    uint64_t random = seed;
    weir_task *tasks[3];
    weir_scope *scope = open_scope();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_task_start(&tasks[i], busy, &race), 0);
    for (int i = draw_below(&random, 30); i > 0; i--)
        (void)weir_yield();
    if (by_scope)
        weir_scope_cancel(scope, WEIR_EPERM);
    for (int i = 0; i < 3; i++) {
        if (!by_scope)
            weir_task_cancel(tasks[i], WEIR_EPERM);
        CHECK_EQ(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
    }
    CHECK_EQ(close_scope(scope), by_scope ? WEIR_EPERM : 0);
    CHECK_EQ(race.ended, race.started);
}

RUN(a_tree_that_grows_while_it_is_canceled_is_canceled_to_the_last)
{
    const uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 60; i++)
        race_once(seed + i, i % 2 == 0);
    return 0;
}

/* Several cancel one tree from different heights. */
static int cancel_scope(void *arg)
{
    weir_scope_cancel(arg, WEIR_EPERM);
    return 0;
}

static int cancel_task(void *arg)
{
    weir_task_cancel(arg, WEIR_EPERM);
    return 0;
}

RUN(several_who_cancel_one_tree_leave_nobody_out)
{
    const uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 40; i++) {
        struct race race = { .seed = seed + i };
        weir_scope *scope = open_scope();
        weir_task *top;
        weir_task *cancellers[2];
        CHECK_EQ(weir_task_start(&top, busy, &race), 0);
        await(&race.started, 1);
        CHECK_EQ(weir_task_start(&cancellers[0], cancel_task, top, .detached = true), 0);
        CHECK_EQ(weir_task_start(&cancellers[1], cancel_scope, scope, .detached = true), 0);
        for (int k = 0; k < 2; k++)
            CHECK_EQ(weir_task_join(cancellers[k], NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_task_join(top, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(close_scope(scope), WEIR_EPERM);
        CHECK_EQ(race.ended, race.started);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canceling_a_task_reaches_who_is_deep_below_one_that_does_not_look),
        cmocka_unit_test(canceling_a_scope_reaches_who_is_deep_below),
        cmocka_unit_test(the_first_error_reaches_who_is_deep_below_a_sibling),
        cmocka_unit_test(closing_the_runtime_reaches_who_is_deep_below),
        cmocka_unit_test(canceling_a_scope_cancels_the_scopes_inside_of_it_and_none_outside),
        cmocka_unit_test(a_shield_holds_back_what_comes_from_farther_out_and_only_that),
        cmocka_unit_test(a_scope_that_a_canceled_task_opens_lets_nobody_start),
        cmocka_unit_test(a_tree_that_grows_while_it_is_canceled_is_canceled_to_the_last),
        cmocka_unit_test(several_who_cancel_one_tree_leave_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
