/* SPDX-License-Identifier: MIT */
/* Cancellation and deadlines of streams, descriptors and locks, under every model: a task in the
 * network hears of its cancellation soon, a lock is not interrupted, and no byte and no permit is
 * lost when a deadline races what it waits for.
 *
 * The races draw their deadlines from a seed that is printed.
 * ctest: serial timeout=120 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"
#include "support/soon.h"

struct pair {
    weir_stream *near;
    weir_stream *far;
};

static void pair_open(struct pair *pair)
{
    weir_listener *listener;
    char address[64];
    CHECK_EQ(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    CHECK_EQ(weir_listener_address(listener, address, sizeof(address)), 0);
    CHECK_EQ(weir_dial(&pair->near, address, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_accept(listener, &pair->far, WEIR_NO_DEADLINE), 0);
    weir_listener_close(listener);
}

static void pair_close(struct pair *pair)
{
    weir_stream_close(pair->near);
    weir_stream_close(pair->far);
}

/* -- every wait -------------------------------------------------------------------------------- */

enum place {
    IN_READ,
    IN_WRITE,
    IN_ACCEPT,
    IN_FD_WAIT,
    IN_SLEEP,
    PLACES
};

static const char *const PLACE_NAMES[PLACES] = { "read", "write", "accept", "fd_wait", "sleep" };

struct shared {
    struct pair pair; /* far reads nothing */
    weir_listener *listener;
    int silent[2]; /* a pipe that nobody writes to */
    weir_mutex *mutex;
    int started;
    int phase;
    int gate;
};

struct victim {
    struct shared *shared;
    enum place place;
    int64_t returned; /* weir_now() when the wait ended */
};

/* More than the buffers of both ends ever hold. */
static char flood[64 << 20];

static int wait_in(struct shared *shared, enum place place, weir_time deadline)
{
    weir_stream *stream = NULL;
    char byte = 'x';
    switch (place) {
    case IN_READ:
        return weir_read(shared->pair.near, &byte, 1, deadline);
    case IN_WRITE:
        return weir_write(shared->pair.near, flood, sizeof(flood), NULL, deadline);
    case IN_ACCEPT:
        return weir_accept(shared->listener, &stream, deadline);
    case IN_FD_WAIT:
        return weir_fd_wait(shared->silent[0], WEIR_FD_READ, deadline);
    case IN_SLEEP:
        return weir_sleep(deadline);
    case PLACES:
        break;
    }
    return 0;
}

static void shared_open(struct shared *shared)
{
    *shared = (struct shared){ .started = 0 };
    pair_open(&shared->pair);
    CHECK_EQ(weir_listen(&shared->listener, "127.0.0.1:0", 0), 0);
    CHECK_EQ(pipe(shared->silent), 0);
}

static void shared_close(struct shared *shared)
{
    close(shared->silent[0]);
    close(shared->silent[1]);
    weir_listener_close(shared->listener);
    pair_close(&shared->pair);
}

static int be_canceled(void *arg)
{
    struct victim *victim = arg;
    bump(&victim->shared->started);
    CHECK_EQ(wait_in(victim->shared, victim->place, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    victim->returned = weir_now();
    CHECK_EQ(weir_cancel_cause(), WEIR_EBROKEN);
    /* It stays canceled, for every wait that follows. */
    CHECK_EQ(wait_in(victim->shared, victim->place, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

/* How long the victim took to hear of it. */
static int64_t cancel_one(struct shared *shared, enum place place, int yields)
{
    struct victim victim = { .shared = shared, .place = place };
    weir_task *task;
    post(&shared->started, 0);
    CHECK_EQ(weir_task_start(&task, be_canceled, &victim), 0);
    await(&shared->started, 1);
    while (yields-- > 0)
        CHECK_EQ(weir_yield(), 0);
    const weir_time before = weir_now();
    weir_task_cancel(task, WEIR_EBROKEN);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return victim.returned - before;
}

RUN(cancel_ends_every_wait_of_the_network)
{
    uint64_t random = test_seed();
    struct shared shared;
    shared_open(&shared);
    for (int round = 0; round < 20; round++) {
        for (enum place place = 0; place < PLACES; place++)
            (void)cancel_one(&shared, place, draw_below(&random, 4));
    }
    shared_close(&shared);
    return 0;
}

RUN(an_explicit_deadline_ends_every_wait_and_cancels_nothing)
{
    struct shared shared;
    shared_open(&shared);
    for (enum place place = 0; place < PLACES; place++) {
        const weir_time until = weir_in_ms(5);
        CHECK_EQ(wait_in(&shared, place, until), place == IN_SLEEP ? 0 : WEIR_ETIMEDOUT);
        CHECK(weir_now() >= until);
        CHECK_EQ(weir_cancel_cause(), 0);
        if (place != IN_SLEEP)
            CHECK_EQ(wait_in(&shared, place, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    }
    shared_close(&shared);
    return 0;
}

/* -- how soon ---------------------------------------------------------------------------------- */

struct soon {
    struct shared shared;
    enum place place;
};

static int64_t cancel_once(void *arg)
{
    struct soon *soon = arg;
    return cancel_one(&soon->shared, soon->place, 3);
}

RUN(cancel_is_heard_at_once)
{
    static const enum place places[] = { IN_READ, IN_FD_WAIT, IN_SLEEP };
    struct soon soon;
    shared_open(&soon.shared);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char what[64];
        soon.place = places[i];
        (void)snprintf(what, sizeof(what), "cancel in %s", PLACE_NAMES[soon.place]);
        expect_soon(what, 200, cancel_once, &soon);
    }
    shared_close(&soon.shared);
    return 0;
}

/* -- locks ------------------------------------------------------------------------------------- */

static int lock_while_canceled(void *arg)
{
    struct shared *shared = arg;
    await(&shared->phase, 1);
    CHECK(weir_cancel_cause() != 0);
    const weir_time until = weir_in_ms(20);
    CHECK_EQ(weir_mutex_lock(shared->mutex, until), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= until);
    bump(&shared->started);
    CHECK_EQ(weir_mutex_lock(shared->mutex, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(peek(&shared->gate), 1);
    weir_mutex_unlock(shared->mutex);
    return 0;
}

/* Canceled by the call or by its ambient deadline, which has passed. */
static void lock_in_a_canceled_task(weir_time ambient, int cause)
{
    struct shared shared = { .started = 0 };
    weir_task *locker;
    CHECK_EQ(weir_mutex_create(&shared.mutex), 0);
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_start(&locker, lock_while_canceled, &shared, .deadline = ambient), 0);
    if (cause != 0)
        weir_task_cancel(locker, cause);
    post(&shared.phase, 1);
    await(&shared.started, 1);
    post(&shared.gate, 1);
    weir_mutex_unlock(shared.mutex);
    CHECK_EQ(weir_task_join(locker, NULL, WEIR_NO_DEADLINE), 0);
    weir_mutex_destroy(shared.mutex);
}

RUN(a_lock_outlasts_cancellation_but_not_its_own_deadline)
{
    lock_in_a_canceled_task(0, WEIR_ECANCELED);
    return 0;
}

RUN(a_lock_outlasts_an_ambient_deadline)
{
    lock_in_a_canceled_task(weir_now() - 1, 0);
    return 0;
}

/* -- nothing is lost --------------------------------------------------------------------------- */

enum {
    LOCKERS = 6,
    LOCKS = 1000,
    BYTES = 400000
};

struct race {
    struct pair pair;
    weir_mutex *mutex;
    int64_t guarded; /* by mutex */
    int held;        /* atomic: how often it was held in all */
};

struct racer {
    struct race *race;
    uint64_t random;
};

static weir_time soon(uint64_t *random)
{
    const int kind = draw_below(random, 8);
    if (kind == 0)
        return WEIR_DONT_WAIT;
    return weir_in_ns(draw_below(random, kind == 1 ? 200000 : 5000));
}

static int lock_with_deadlines(void *arg)
{
    struct racer *racer = arg;
    struct race *race = racer->race;
    for (int i = 0; i < LOCKS; i++) {
        const int rc = weir_mutex_lock(race->mutex, soon(&racer->random));
        if (rc == WEIR_ETIMEDOUT)
            continue;
        CHECK_EQ(rc, 0);
        race->guarded++;
        bump(&race->held);
        if (i % 3 == 0)
            CHECK_EQ(weir_yield(), 0);
        weir_mutex_unlock(race->mutex);
    }
    return 0;
}

RUN(a_timed_out_lock_never_loses_the_permit)
{
    const uint64_t seed = test_seed();
    struct race race = { .held = 0 };
    struct racer racers[LOCKERS];
    weir_scope *scope;
    CHECK_EQ(weir_mutex_create(&race.mutex), 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < LOCKERS; i++) {
        racers[i] = (struct racer){ .race = &race, .random = seed + (uint64_t)i * 104729 };
        CHECK_EQ(weir_go(lock_with_deadlines, &racers[i]), 0);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(race.guarded, peek(&race.held));
    CHECK(race.guarded > 0);
    CHECK_EQ(weir_mutex_lock(race.mutex, WEIR_DONT_WAIT), 0);
    weir_mutex_unlock(race.mutex);
    weir_mutex_destroy(race.mutex);
    return 0;
}

/* Byte k of the stream is k modulo 251, so that a lost or repeated one shows at once. */
static int write_with_deadlines(void *arg)
{
    struct racer *racer = arg;
    weir_stream *stream = racer->race->pair.near;
    char bytes[8192];
    int64_t done = 0;
    while (done < BYTES) {
        const int64_t left = BYTES - done;
        size_t count = 1 + (size_t)draw_below(&racer->random, (int)sizeof(bytes));
        if ((int64_t)count > left)
            count = (size_t)left;
        for (size_t i = 0; i < count; i++)
            bytes[i] = (char)((done + (int64_t)i) % 251);
        size_t written = count + 1;
        const int rc = weir_write(stream, bytes, count, &written, soon(&racer->random));
        CHECK(written <= count);
        CHECK(rc == WEIR_ETIMEDOUT || (rc == 0 && written == count));
        done += (int64_t)written;
    }
    CHECK_EQ(weir_finish(stream), 0);
    return 0;
}

RUN(a_timed_out_read_or_write_never_loses_a_byte)
{
    struct race race = { .held = 0 };
    struct racer writer = { .race = &race, .random = test_seed() };
    uint64_t random = test_seed() + 1;
    weir_task *task;
    char bytes[4096];
    int64_t done = 0;
    pair_open(&race.pair);
    CHECK_EQ(weir_task_start(&task, write_with_deadlines, &writer), 0);
    for (;;) {
        const size_t room = 1 + (size_t)draw_below(&random, (int)sizeof(bytes));
        const int got = weir_read(race.pair.far, bytes, room, soon(&random));
        if (got == WEIR_EEOF)
            break;
        if (got == WEIR_ETIMEDOUT) {
            CHECK_EQ(weir_yield(), 0);
            continue;
        }
        CHECK(got > 0);
        for (int i = 0; i < got; i++)
            CHECK_EQ((unsigned char)bytes[i], (done + i) % 251);
        done += got;
    }
    CHECK_EQ(done, BYTES);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    pair_close(&race.pair);
    return 0;
}

/* A reader that is canceled while bytes come: what it did not report is still in the stream. */
static int read_until_canceled(void *arg)
{
    struct race *race = arg;
    char bytes[64];
    for (;;) {
        const int got = weir_read(race->pair.far, bytes, sizeof(bytes), WEIR_NO_DEADLINE);
        if (got == WEIR_ECANCELED)
            return 0;
        CHECK(got > 0);
        race->guarded += got; /* one reader at a time */
    }
}

RUN(a_canceled_read_never_loses_a_byte)
{
    uint64_t random = test_seed();
    struct race race = { .held = 0 };
    int64_t written = 0;
    char bytes[64] = { 0 };
    pair_open(&race.pair);
    for (int i = 0; i < 500; i++) {
        weir_task *reader;
        CHECK_EQ(weir_task_start(&reader, read_until_canceled, &race), 0);
        const size_t count = 1 + (size_t)draw_below(&random, (int)sizeof(bytes));
        CHECK_EQ(weir_write(race.pair.near, bytes, count, NULL, WEIR_NO_DEADLINE), 0);
        written += (int64_t)count;
        for (int yields = draw_below(&random, 4); yields > 0; yields--)
            CHECK_EQ(weir_yield(), 0);
        weir_task_cancel(reader, WEIR_ECANCELED);
        CHECK_EQ(weir_task_join(reader, NULL, WEIR_NO_DEADLINE), 0);
    }
    CHECK_EQ(weir_finish(race.pair.near), 0);
    int got;
    while ((got = weir_read(race.pair.far, bytes, sizeof(bytes), WEIR_NO_DEADLINE)) > 0)
        race.guarded += got;
    CHECK_EQ(got, WEIR_EEOF);
    CHECK_EQ(race.guarded, written);
    pair_close(&race.pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancel_ends_every_wait_of_the_network),
        cmocka_unit_test(an_explicit_deadline_ends_every_wait_and_cancels_nothing),
        cmocka_unit_test(cancel_is_heard_at_once),
        cmocka_unit_test(a_lock_outlasts_cancellation_but_not_its_own_deadline),
        cmocka_unit_test(a_lock_outlasts_an_ambient_deadline),
        cmocka_unit_test(a_timed_out_lock_never_loses_the_permit),
        cmocka_unit_test(a_timed_out_read_or_write_never_loses_a_byte),
        cmocka_unit_test(a_canceled_read_never_loses_a_byte),
    };
    return cmocka_run_group_tests_name("cancel_net", tests, NULL, NULL);
}
