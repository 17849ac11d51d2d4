/* SPDX-License-Identifier: MIT */
/* The semaphore: no permit is lost or made, whoever gives up; who came first is served first.
 *
 * explores: chan/semaphore.c waits */
#include "model/parkers.h"

#include "base/alloc.h"
#include "weir/err.h"
#include "weir/semaphore.h"

static weir_semaphore *semaphore;
static wi_atomic_u32 holding; /* permits that are out */
static int results[MODEL_PARKERS];

static void begin(int64_t permits)
{
    model_parkers_init();
    wi_store_relaxed(&holding, 0);
    const struct weir_semaphore_opts opts = { .permits = permits };
    explore_check_eq(weir_semaphore_create(&semaphore, &opts), 0);
}

/* All are back, and can be had. */
static void end(int64_t permits)
{
    explore_check_eq(weir_semaphore_available(semaphore), permits);
    explore_check_eq(weir_semaphore_acquire(semaphore, permits, WEIR_DONT_WAIT), 0);
    weir_semaphore_release(semaphore, permits);
    weir_semaphore_destroy(semaphore);
}

static void hold(uint32_t permits, uint32_t permits_max)
{
    const uint32_t before = wi_add_relaxed(&holding, permits);
    explore_check(before + permits <= permits_max);
    (void)wi_sub_relaxed(&holding, permits);
    weir_semaphore_release(semaphore, permits);
}

static void use_one(void *arg)
{
    (void)arg;
    explore_check_eq(weir_semaphore_acquire(semaphore, 1, WEIR_NO_DEADLINE), 0);
    hold(1, 1);
}

static void three_share_one_permit(void)
{
    begin(1);
    for (int i = 0; i < 3; i++)
        explore_start(use_one, NULL);
    explore_join();
    end(1);
}

static void use_one_until(void *arg)
{
    (void)arg;
    const int rc = weir_semaphore_acquire(semaphore, 1, 2000);
    results[explore_self()] = rc;
    if (rc == 0)
        hold(1, 1);
    else
        explore_check_eq(rc, WEIR_ETIMEDOUT);
}

static void a_waiter_gives_up_as_it_is_served(void)
{
    begin(1);
    explore_deadline(2000);
    explore_start(use_one, NULL);
    explore_start(use_one_until, NULL);
    explore_join();
    explore_saw(results[2] == 0);
    end(1);
}

static void use_one_canceled(void *arg)
{
    (void)arg;
    const int rc = weir_semaphore_acquire(semaphore, 1, WEIR_NO_DEADLINE);
    results[explore_self()] = rc;
    if (rc == 0)
        hold(1, 1);
    else
        explore_check_eq(rc, WEIR_ECANCELED);
}

static void cancel_first(void *arg)
{
    (void)arg;
    wi_parker_cancel(&model_parkers[1], WEIR_ECANCELED);
}

static void a_canceled_waiter_takes_no_permit(void)
{
    begin(1);
    explore_start(use_one_canceled, NULL);
    explore_start(use_one, NULL);
    explore_start(cancel_first, NULL);
    explore_join();
    explore_saw(results[1] == 0);
    end(1);
}

static void use_both(void *arg)
{
    const weir_time deadline = arg != NULL ? 2000 : WEIR_NO_DEADLINE;
    const int rc = weir_semaphore_acquire(semaphore, 2, deadline);
    if (rc == 0)
        hold(2, 2);
    else
        explore_check_eq(rc, WEIR_ETIMEDOUT);
}

static void use_one_of_two(void *arg)
{
    (void)arg;
    explore_check_eq(weir_semaphore_acquire(semaphore, 1, WEIR_NO_DEADLINE), 0);
    hold(1, 2);
}

/* Who wants more stands before who wants less; when it gives up, the one behind it is served. */
static void the_one_behind_is_served_when_the_first_gives_up(void)
{
    begin(1);
    explore_start(use_both, &semaphore);
    explore_start(use_one, NULL);
    explore_join();
    end(1);
}

static void all_permits_and_one(void)
{
    begin(2);
    explore_start(use_both, NULL);
    explore_start(use_one_of_two, NULL);
    explore_start(use_one_of_two, NULL);
    explore_join();
    end(2);
}

/* Who was given a permit to say that all is done may destroy it. */
static void release_one(void *arg)
{
    (void)arg;
    weir_semaphore_release(semaphore, 1);
}

static void acquire_and_destroy(void *arg)
{
    (void)arg;
    explore_check_eq(weir_semaphore_acquire(semaphore, 1, WEIR_NO_DEADLINE), 0);
    weir_semaphore_destroy(semaphore);
}

static void who_was_served_may_destroy_it(void)
{
    begin(0);
    explore_start(acquire_and_destroy, NULL);
    explore_start(release_one, NULL);
    explore_join();
}

EXPLORE_MAIN(EXPLORE(three_share_one_permit),
             EXPLORE_WITH(a_waiter_gives_up_as_it_is_served, .outcomes = 2),
             EXPLORE_WITH(a_canceled_waiter_takes_no_permit, .outcomes = 2),
             EXPLORE(the_one_behind_is_served_when_the_first_gives_up),
             EXPLORE(all_permits_and_one), EXPLORE(who_was_served_may_destroy_it))
