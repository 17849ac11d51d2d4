/* SPDX-License-Identifier: MIT */
/* Readers-writer locks: sharing, exclusion, no starvation, deadlines, cancellation, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

struct shared {
    weir_rwlock *lock;
    int readers;   /* inside */
    int writers;   /* inside */
    int64_t plain; /* guarded by lock */
    int started;
    int over;
    int met;
    int written;
};

static struct shared make(void)
{
    struct shared shared = { .readers = 0 };
    CHECK_EQ(weir_rwlock_create(&shared.lock), 0);
    return shared;
}

static void read_once(struct shared *shared, bool lingers)
{
    CHECK_EQ(weir_rwlock_read_lock(shared->lock, WEIR_NO_DEADLINE), 0);
    bump(&shared->readers);
    CHECK_EQ(peek(&shared->writers), 0);
    const int64_t before = shared->plain;
    if (lingers)
        IGNORE(weir_yield());
    CHECK_EQ(shared->plain, before);
    CHECK_EQ(peek(&shared->writers), 0);
    __atomic_sub_fetch(&shared->readers, 1, __ATOMIC_SEQ_CST);
    weir_rwlock_read_unlock(shared->lock);
}

static void write_once(struct shared *shared, bool lingers)
{
    CHECK_EQ(weir_rwlock_write_lock(shared->lock, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(bump(&shared->writers), 1);
    CHECK_EQ(peek(&shared->readers), 0);
    const int64_t before = shared->plain;
    if (lingers)
        IGNORE(weir_yield());
    shared->plain = before + 1;
    CHECK_EQ(peek(&shared->readers), 0);
    __atomic_sub_fetch(&shared->writers, 1, __ATOMIC_SEQ_CST);
    weir_rwlock_write_unlock(shared->lock);
}

static int read_and_write(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 400; i++) {
        if (i % 4 == 3)
            write_once(shared, i % 16 == 3);
        else
            read_once(shared, i % 8 == 0);
    }
    return 0;
}

RUN(readers_or_one_writer_are_inside)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 6, 2, read_and_write, &shared);
    crowd_join(&crowd);
    CHECK_EQ(shared.plain, 8 * 100);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

/* Each leaves only when all have come in. */
static int meet_inside(void *arg)
{
    struct shared *shared = arg;
    CHECK_EQ(weir_rwlock_read_lock(shared->lock, WEIR_NO_DEADLINE), 0);
    bump(&shared->met);
    await(&shared->met, 6);
    weir_rwlock_read_unlock(shared->lock);
    return 0;
}

RUN(readers_share_it)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 4, 2, meet_inside, &shared);
    crowd_join(&crowd);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

RUN(readers_that_waited_for_a_writer_come_in_together)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    CHECK_EQ(weir_rwlock_write_lock(shared.lock, WEIR_NO_DEADLINE), 0);
    crowd_start(&crowd, 4, 2, meet_inside, &shared);
    IGNORE(weir_yield());
    weir_rwlock_write_unlock(shared.lock);
    crowd_join(&crowd);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

/* -- starvation ------------------------------------------------------------------------------- */

/* Two of these hold it for reading without a gap: each lets go only after the other has got it. */
struct relay {
    struct shared *shared;
    int own;
    const int *others;
};

static int read_in_relay(void *arg)
{
    struct relay *relay = arg;
    struct shared *shared = relay->shared;
    while (!peek(&shared->over)) {
        CHECK_EQ(weir_rwlock_read_lock(shared->lock, WEIR_NO_DEADLINE), 0);
        const int seen = peek(relay->others);
        bump(&relay->own);
        /* With a writer in line the other cannot get it: then this one does not wait for it. */
        for (int i = 0; i < 50 && peek(relay->others) == seen && !peek(&shared->over); i++)
            IGNORE(weir_yield());
        weir_rwlock_read_unlock(shared->lock);
    }
    return 0;
}

static int write_some(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 6; i++)
        write_once(shared, true);
    return 0;
}

RUN(readers_without_a_gap_do_not_starve_writers)
{
    struct shared shared = make();
    struct relay relays[2] = { { .shared = &shared, .others = &relays[1].own },
                               { .shared = &shared, .others = &relays[0].own } };
    struct crowd readers = { .task_count = 0 };
    struct crowd writers = { .task_count = 0 };
    crowd_task(&readers, read_in_relay, &relays[0]);
    crowd_task(&readers, read_in_relay, &relays[1]);
    await(&relays[0].own, 1);
    await(&relays[1].own, 1);
    crowd_start(&writers, 1, 1, write_some, &shared);
    crowd_join(&writers); /* a starved writer would never end this */
    post(&shared.over, 1);
    crowd_join(&readers);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

static int write_until_over(void *arg)
{
    struct shared *shared = arg;
    while (!peek(&shared->over)) {
        write_once(shared, true);
        bump(&shared->written);
    }
    return 0;
}

static int read_some(void *arg)
{
    for (int i = 0; i < 6; i++)
        read_once(arg, true);
    return 0;
}

RUN(writers_in_line_do_not_starve_readers)
{
    struct shared shared = make();
    struct crowd readers = { .task_count = 0 };
    struct crowd writers = { .task_count = 0 };
    crowd_start(&writers, 3, 1, write_until_over, &shared);
    await(&shared.written, 4);
    crowd_start(&readers, 2, 1, read_some, &shared);
    crowd_join(&readers); /* a starved reader would never end this */
    post(&shared.over, 1);
    crowd_join(&writers);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

/* -- deadlines and cancellation --------------------------------------------------------------- */

static int time_out_as_reader(void *arg)
{
    struct shared *shared = arg;
    const weir_time deadline = weir_in_ms(2);
    CHECK_EQ(weir_rwlock_read_lock(shared->lock, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(weir_rwlock_read_lock(shared->lock, 1), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_rwlock_read_lock(shared->lock, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    return 0;
}

static int time_out_as_writer(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    const weir_time deadline = weir_in_ms(2);
    CHECK_EQ(weir_rwlock_write_lock(shared->lock, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(weir_rwlock_write_lock(shared->lock, 1), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_rwlock_write_lock(shared->lock, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    return 0;
}

RUN(a_deadline_ends_the_wait_without_the_lock)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    CHECK_EQ(weir_rwlock_write_lock(shared.lock, WEIR_DONT_WAIT), 0);
    crowd_start(&crowd, 2, 1, time_out_as_reader, &shared);
    crowd_start(&crowd, 2, 1, time_out_as_writer, &shared);
    crowd_join(&crowd);
    weir_rwlock_write_unlock(shared.lock);
    CHECK_EQ(weir_rwlock_read_lock(shared.lock, WEIR_DONT_WAIT), 0);
    crowd_start(&crowd, 1, 1, time_out_as_writer, &shared);
    crowd_join(&crowd);
    weir_rwlock_read_unlock(shared.lock);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

/* The outermost reader lets go only when the others have got in, which they can only once the
 * writer has given up. */
RUN(a_writer_that_gives_up_lets_the_readers_behind_it_in)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    CHECK_EQ(weir_rwlock_read_lock(shared.lock, WEIR_NO_DEADLINE), 0);
    bump(&shared.met);
    crowd_task(&crowd, time_out_as_writer, &shared);
    await(&shared.started, 1);
    crowd_start(&crowd, 3, 2, meet_inside, &shared);
    await(&shared.met, 6);
    weir_rwlock_read_unlock(shared.lock);
    crowd_join(&crowd);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

static int lock_while_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    read_once(shared, false);
    CHECK_EQ(weir_cancel_cause(), WEIR_EPERM);
    write_once(shared, false);
    return 0;
}

RUN(ambient_cancellation_does_not_interrupt_a_lock)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    CHECK_EQ(weir_rwlock_write_lock(shared.lock, WEIR_NO_DEADLINE), 0);
    crowd_task(&crowd, lock_while_canceled, &shared);
    await(&shared.started, 1);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    CHECK_EQ(weir_task_join(crowd.tasks[0], NULL, weir_in_ms(3)), WEIR_ETIMEDOUT);
    weir_rwlock_write_unlock(shared.lock);
    crowd_join(&crowd);
    CHECK_EQ(shared.plain, 1);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

static int lock_hastily(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 300; i++) {
        const weir_time deadline = weir_in_ns(1000 * (i % 40));
        const bool writes = i % 3 == 0;
        const int rc = writes ? weir_rwlock_write_lock(shared->lock, deadline)
                              : weir_rwlock_read_lock(shared->lock, deadline);
        CHECK(rc == 0 || rc == WEIR_ETIMEDOUT);
        if (rc != 0)
            continue;
        if (i % 8 == 0)
            IGNORE(weir_yield());
        if (writes)
            shared->plain++;
        (writes ? weir_rwlock_write_unlock : weir_rwlock_read_unlock)(shared->lock);
    }
    return 0;
}

RUN(a_lock_is_never_lost_to_who_gave_up)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 6, 2, lock_hastily, &shared);
    crowd_join(&crowd);
    CHECK_EQ(weir_rwlock_write_lock(shared.lock, WEIR_DONT_WAIT), 0);
    weir_rwlock_write_unlock(shared.lock);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

/* -- misuse ----------------------------------------------------------------------------------- */

RUN(the_writer_that_locks_again_is_told)
{
    struct shared shared = make();
    CHECK_EQ(weir_rwlock_write_lock(shared.lock, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_rwlock_write_lock(shared.lock, WEIR_NO_DEADLINE), WEIR_EDEADLK);
    CHECK_EQ(weir_rwlock_read_lock(shared.lock, WEIR_NO_DEADLINE), WEIR_EDEADLK);
    CHECK_EQ(weir_rwlock_read_lock(shared.lock, WEIR_DONT_WAIT), WEIR_EDEADLK);
    weir_rwlock_write_unlock(shared.lock);
    weir_rwlock_destroy(shared.lock);
    return 0;
}

static int read_unlock_unlocked(void *unused)
{
    (void)unused;
    struct shared shared = make();
    weir_rwlock_read_unlock(shared.lock);
    return 0;
}

static int read_unlock_what_is_written(void *unused)
{
    (void)unused;
    struct shared shared = make();
    IGNORE(weir_rwlock_write_lock(shared.lock, WEIR_DONT_WAIT));
    weir_rwlock_read_unlock(shared.lock);
    return 0;
}

static int write_unlock_what_is_read(void *unused)
{
    (void)unused;
    struct shared shared = make();
    IGNORE(weir_rwlock_read_lock(shared.lock, WEIR_DONT_WAIT));
    weir_rwlock_write_unlock(shared.lock);
    return 0;
}

static int write_unlock(void *arg)
{
    weir_rwlock_write_unlock(arg);
    return 0;
}

static int write_unlock_anothers(void *unused)
{
    (void)unused;
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    IGNORE(weir_rwlock_write_lock(shared.lock, WEIR_DONT_WAIT));
    crowd_task(&crowd, write_unlock, shared.lock);
    crowd_join(&crowd);
    return 0;
}

static int destroy_read(void *unused)
{
    (void)unused;
    struct shared shared = make();
    IGNORE(weir_rwlock_read_lock(shared.lock, WEIR_DONT_WAIT));
    IGNORE(weir_rwlock_read_lock(shared.lock, WEIR_DONT_WAIT));
    weir_rwlock_destroy(shared.lock);
    return 0;
}

static void misuse_aborts_and_shows_both_values(void **state)
{
    (void)state;
    expect_misuse_of(read_unlock_unlocked, "weir_rwlock_read_unlock: readers 0, writer is task 0");
    expect_misuse_of(read_unlock_what_is_written,
                     "weir_rwlock_read_unlock: readers 0, writer is task 1");
    expect_misuse_of(write_unlock_what_is_read,
                     "weir_rwlock_write_unlock: the writer is task 0, the caller is task 1");
    expect_misuse_of(write_unlock_anothers,
                     "weir_rwlock_write_unlock: the writer is task 1, the caller is task 2");
    expect_misuse_of(destroy_read, "weir_rwlock_destroy: readers 2, writer is task 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_or_one_writer_are_inside),
        cmocka_unit_test(readers_share_it),
        cmocka_unit_test(readers_that_waited_for_a_writer_come_in_together),
        cmocka_unit_test(readers_without_a_gap_do_not_starve_writers),
        cmocka_unit_test(writers_in_line_do_not_starve_readers),
        cmocka_unit_test(a_deadline_ends_the_wait_without_the_lock),
        cmocka_unit_test(a_writer_that_gives_up_lets_the_readers_behind_it_in),
        cmocka_unit_test(ambient_cancellation_does_not_interrupt_a_lock),
        cmocka_unit_test(a_lock_is_never_lost_to_who_gave_up),
        cmocka_unit_test(the_writer_that_locks_again_is_told),
        cmocka_unit_test(misuse_aborts_and_shows_both_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
