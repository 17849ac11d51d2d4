/* SPDX-License-Identifier: MIT */
/* Park and wake, for threads that sleep on the word (tasks, which a scheduler stops, are in
 * worker_model.c): no wake is lost, wherever it comes, and the woken sees what the waker wrote.
 *
 * explores: sync/parker.c sync/cancel.c sync/lock.c sync/handshake.c */
#include "model/parkers.h"

#include "weir/err.h"

enum {
    OWNER = 1 /* the first thread that a scenario starts */
};

static int written[2]; /* plain: seen only by way of the parker's word, or of `flags` */
static wi_atomic_u32 flags[2];

static void write_and_wake(void *arg)
{
    (void)arg;
    written[0] = 7;
    wi_wake(&model_parkers[OWNER]);
}

static void park_and_read(void *arg)
{
    (void)arg;
    wi_park(&model_parkers[OWNER], WEIR_NO_DEADLINE);
    explore_check_eq(written[0], 7);
}

static void the_woken_sees_what_the_waker_wrote(void)
{
    model_parkers_init();
    explore_start(park_and_read, NULL);
    explore_start(write_and_wake, NULL);
    explore_join();
}

static void flag_and_wake(void *arg)
{
    wi_atomic_u32 *flag = arg;
    wi_store_release(flag, 1);
    wi_wake(&model_parkers[OWNER]);
}

static void park_until_both(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        while (wi_load_acquire(&flags[i]) == 0)
            wi_park(&model_parkers[OWNER], WEIR_NO_DEADLINE);
    }
}

static void init_flags(void)
{
    model_parkers_init();
    wi_store_relaxed(&flags[0], 0);
    wi_store_relaxed(&flags[1], 0);
}

static void two_wakes_are_not_lost(void)
{
    init_flags();
    explore_start(park_until_both, NULL);
    explore_start(flag_and_wake, &flags[0]);
    explore_start(flag_and_wake, &flags[1]);
    explore_join();
}

static void park_with_deadline_first(void *arg)
{
    (void)arg;
    wi_park(&model_parkers[OWNER], 2000);
    while (wi_load_acquire(&flags[0]) == 0)
        wi_park(&model_parkers[OWNER], WEIR_NO_DEADLINE);
}

static void a_wake_at_the_deadline_is_not_lost(void)
{
    init_flags();
    explore_start(park_with_deadline_first, NULL);
    explore_start(flag_and_wake, &flags[0]);
    explore_join();
}

/* An owner that has gone on may find a late wake at its next park, but no more than that. */
static void park_for_each(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        while (wi_load_acquire(&flags[i]) == 0)
            wi_park(&model_parkers[OWNER], WEIR_NO_DEADLINE);
        wi_store_relaxed(&flags[i], 0);
    }
}

static void flag_both(void *arg)
{
    (void)arg;
    flag_and_wake(&flags[0]);
    flag_and_wake(&flags[1]);
}

static void parks_and_wakes_may_follow_each_other(void)
{
    init_flags();
    explore_start(park_for_each, NULL);
    explore_start(flag_both, NULL);
    explore_join();
}

static void cancel(void *arg)
{
    wi_parker_cancel(&model_parkers[OWNER], *(int *)arg);
}

static void park_until_canceled(void *arg)
{
    int *cause = arg;
    while ((*cause = wi_parker_cancel_cause(&model_parkers[OWNER])) == 0)
        wi_park(&model_parkers[OWNER], WEIR_NO_DEADLINE);
    explore_check_eq(wi_parker_cancel_cause(&model_parkers[OWNER]), *cause);
}

static void the_first_cause_of_cancellation_stays(void)
{
    static int causes[2] = { WEIR_ECANCELED, WEIR_EIO };
    static int seen;
    model_parkers_init();
    explore_start(park_until_canceled, &seen);
    explore_start(cancel, &causes[0]);
    explore_start(cancel, &causes[1]);
    explore_join();
    explore_check(seen == causes[0] || seen == causes[1]);
    explore_check_eq(wi_parker_cancel_cause(&model_parkers[OWNER]), seen);
}

EXPLORE_MAIN(EXPLORE(the_woken_sees_what_the_waker_wrote), EXPLORE(two_wakes_are_not_lost),
             EXPLORE(a_wake_at_the_deadline_is_not_lost),
             EXPLORE(parks_and_wakes_may_follow_each_other),
             EXPLORE(the_first_cause_of_cancellation_stays))
