/* SPDX-License-Identifier: MIT */
/* Phases alternate: all readers that wait, then one writer, in the order of their coming. */
#include "weir/rwlock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chan/queued.h"
#include "support/run.h"

enum {
    WAITERS = 7
};

static const char kinds[WAITERS + 1] = "WRWRRWR";

static int inside; /* atomic: readers */

static void lock_and_note(struct queued *self)
{
    weir_rwlock *lock = self->queue->object;
    if (kinds[self->number] == 'W') {
        CHECK_EQ(weir_rwlock_write_lock(lock, WEIR_NO_DEADLINE), 0);
        queued_served(self);
        weir_rwlock_write_unlock(lock);
        return;
    }
    CHECK_EQ(weir_rwlock_read_lock(lock, WEIR_NO_DEADLINE), 0);
    queued_served(self);
    bump(&inside);
    await(&inside, 4); /* all readers are let in at once */
    weir_rwlock_read_unlock(lock);
}

/* What is served at the place is of the kind, and if a writer, this one. */
static void check(const struct queue *queue, int place, char kind, int number)
{
    CHECK_EQ(kinds[queue->order[place]], kind);
    if (kind == 'W')
        CHECK_EQ(queue->order[place], number);
}

static int alternate(void *holds_for_writing)
{
    weir_rwlock *lock;
    struct queued waiters[WAITERS];
    inside = 0;
    CHECK_EQ(weir_rwlock_create(&lock), 0);
    struct queue queue = { .object = lock };
    if (holds_for_writing != NULL)
        CHECK_EQ(weir_rwlock_write_lock(lock, WEIR_NO_DEADLINE), 0);
    else
        CHECK_EQ(weir_rwlock_read_lock(lock, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct queued){ .queue = &queue, .fn = lock_and_note, .number = i };
        queued_start(&waiters[i], i % 2 == 1);
    }
    /* Nobody overtakes those that wait. */
    CHECK(weir_rwlock_read_lock(lock, WEIR_DONT_WAIT) ==
          (holds_for_writing != NULL ? WEIR_EDEADLK : WEIR_ETIMEDOUT));
    if (holds_for_writing != NULL)
        weir_rwlock_write_unlock(lock);
    else
        weir_rwlock_read_unlock(lock);
    crowd_join(&queue.crowd);
    CHECK_EQ(queue.served, WAITERS);
    int place = 0;
    if (holds_for_writing == NULL)
        check(&queue, place++, 'W', 0);
    for (int i = 0; i < 4; i++)
        check(&queue, place++, 'R', 0);
    if (holds_for_writing != NULL)
        check(&queue, place++, 'W', 0);
    check(&queue, place++, 'W', 2);
    check(&queue, place++, 'W', 5);
    weir_rwlock_destroy(lock);
    return 0;
}

static int after_a_reader(void *unused)
{
    (void)unused;
    return alternate(NULL);
}

static int after_a_writer(void *unused)
{
    (void)unused;
    return alternate(&inside);
}

static void a_reader_is_followed_by_the_oldest_writer(void **state)
{
    (void)state;
    under_each_scheduler(after_a_reader);
}

static void a_writer_is_followed_by_all_readers_that_wait(void **state)
{
    (void)state;
    under_each_scheduler(after_a_writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_is_followed_by_the_oldest_writer),
        cmocka_unit_test(a_writer_is_followed_by_all_readers_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
