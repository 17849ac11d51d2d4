/* SPDX-License-Identifier: MIT */
/* Random programs on every lock and counter at once, by tasks and plain threads, with deadlines and
 * cancellations.  What each primitive promises is counted beside it: one holder, readers or a
 * writer, no more permits out than there are, all parties of a generation or none, no signal to
 * nobody, a promise kept once.
 *
 * ctest: timeout=300 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

enum {
    MUTEXES = 3,
    RWLOCKS = 2,
    PERMITS = 4,
    TASKS = 20,
    THREADS = 3,
    STEPS = 800,
    PARTIES = 3,
    GENERATIONS = 60,
    ROUNDS_MAX = 40
};

static const int64_t TIME_NS = 4 * WEIR_NS_PER_S;

struct world {
    uint64_t seed;
    struct {
        weir_mutex *mutex;
        int64_t plain; /* guarded by mutex */
        int64_t locks; /* atomic */
    } mutexes[MUTEXES];
    struct {
        weir_rwlock *lock;
        int64_t plain;  /* guarded by lock */
        int readers;    /* atomic: inside */
        int writers;    /* atomic: inside */
        int64_t writes; /* atomic */
    } rwlocks[RWLOCKS];
    weir_semaphore *semaphore;
    int out; /* atomic: permits */
    weir_mutex *store_mutex;
    weir_cond *stored;
    int goods; /* guarded by store_mutex */
    int put;   /* atomic */
    int taken; /* atomic */
    weir_event *event;
    weir_wait_group *group;
    int working; /* atomic: between add and done */
    weir_barrier *barrier;
    int came[GENERATIONS];   /* atomic */
    int passed[GENERATIONS]; /* atomic */
    int kept;                /* atomic: futures that were set */
    /* outcomes; atomic */
    int done;
    int timed_out;
    int canceled;
};

struct actor {
    struct world *world;
    uint64_t seed;
};

static weir_time random_deadline(uint64_t *seed)
{
    switch (draw_below(seed, 5)) {
    case 0:
        return WEIR_DONT_WAIT;
    case 1:
        return weir_in_ns(draw_below(seed, 20000));
    case 2:
        return weir_in_ns(draw_below(seed, 2000000));
    default:
        return WEIR_NO_DEADLINE;
    }
}

/* Never endless, for waits that nobody need end. */
static weir_time random_bounded_deadline(uint64_t *seed)
{
    const weir_time deadline = random_deadline(seed);
    return deadline == WEIR_NO_DEADLINE ? weir_in_ns(draw_below(seed, 3000000)) : deadline;
}

static bool succeeded(struct world *world, int rc)
{
    if (rc == 0) {
        bump(&world->done);
        return true;
    }
    CHECK(rc == WEIR_ETIMEDOUT || rc == WEIR_ECANCELED);
    bump(rc == WEIR_ETIMEDOUT ? &world->timed_out : &world->canceled);
    return false;
}

static void linger(uint64_t *seed)
{
    if (draw_below(seed, 4) == 0)
        IGNORE(weir_yield());
}

static void use_mutex(struct actor *self)
{
    struct world *world = self->world;
    const int which = draw_below(&self->seed, MUTEXES);
    weir_mutex *mutex = world->mutexes[which].mutex;
    if (!succeeded(world, weir_mutex_lock(mutex, random_deadline(&self->seed))))
        return;
    const int64_t before = world->mutexes[which].plain;
    linger(&self->seed);
    world->mutexes[which].plain = before + 1;
    weir_mutex_unlock(mutex);
    __atomic_add_fetch(&world->mutexes[which].locks, 1, __ATOMIC_RELAXED);
}

static void read_it(struct actor *self, int which)
{
    struct world *world = self->world;
    weir_rwlock *lock = world->rwlocks[which].lock;
    if (!succeeded(world, weir_rwlock_read_lock(lock, random_deadline(&self->seed))))
        return;
    bump(&world->rwlocks[which].readers);
    const int64_t before = world->rwlocks[which].plain;
    linger(&self->seed);
    CHECK_EQ(world->rwlocks[which].plain, before);
    CHECK_EQ(peek(&world->rwlocks[which].writers), 0);
    __atomic_sub_fetch(&world->rwlocks[which].readers, 1, __ATOMIC_SEQ_CST);
    weir_rwlock_read_unlock(lock);
}

static void write_it(struct actor *self, int which)
{
    struct world *world = self->world;
    weir_rwlock *lock = world->rwlocks[which].lock;
    if (!succeeded(world, weir_rwlock_write_lock(lock, random_deadline(&self->seed))))
        return;
    CHECK_EQ(bump(&world->rwlocks[which].writers), 1);
    const int64_t before = world->rwlocks[which].plain;
    linger(&self->seed);
    CHECK_EQ(peek(&world->rwlocks[which].readers), 0);
    world->rwlocks[which].plain = before + 1;
    __atomic_sub_fetch(&world->rwlocks[which].writers, 1, __ATOMIC_SEQ_CST);
    weir_rwlock_write_unlock(lock);
    __atomic_add_fetch(&world->rwlocks[which].writes, 1, __ATOMIC_RELAXED);
}

static void use_semaphore(struct actor *self)
{
    struct world *world = self->world;
    const int weight = 1 + draw_below(&self->seed, PERMITS);
    if (!succeeded(world,
                   weir_semaphore_acquire(world->semaphore, weight, random_deadline(&self->seed))))
        return;
    CHECK(__atomic_add_fetch(&world->out, weight, __ATOMIC_SEQ_CST) <= PERMITS);
    linger(&self->seed);
    CHECK(__atomic_sub_fetch(&world->out, weight, __ATOMIC_SEQ_CST) >= 0);
    weir_semaphore_release(world->semaphore, weight);
}

static void put_goods(struct actor *self)
{
    struct world *world = self->world;
    CHECK_EQ(weir_mutex_lock(world->store_mutex, WEIR_NO_DEADLINE), 0);
    world->goods++;
    bump(&world->put);
    if (draw_below(&self->seed, 4) == 0)
        weir_cond_broadcast(world->stored);
    weir_mutex_unlock(world->store_mutex);
    weir_cond_signal(world->stored);
}

static void take_goods(struct actor *self)
{
    struct world *world = self->world;
    const weir_time deadline = random_bounded_deadline(&self->seed);
    int rc = 0;
    CHECK_EQ(weir_mutex_lock(world->store_mutex, WEIR_NO_DEADLINE), 0);
    while (rc == 0 && world->goods == 0)
        rc = weir_cond_wait(world->stored, world->store_mutex, deadline);
    if (succeeded(world, rc)) {
        CHECK(--world->goods >= 0);
        bump(&world->taken);
    }
    weir_mutex_unlock(world->store_mutex);
}

static void use_event(struct actor *self)
{
    struct world *world = self->world;
    switch (draw_below(&self->seed, 3)) {
    case 0:
        weir_event_set(world->event);
        break;
    case 1:
        weir_event_clear(world->event);
        break;
    default:
        (void)succeeded(world, weir_event_wait(world->event, random_bounded_deadline(&self->seed)));
        break;
    }
}

static void use_group(struct actor *self)
{
    struct world *world = self->world;
    if (draw_below(&self->seed, 2) == 0) {
        (void)succeeded(world,
                        weir_wait_group_wait(world->group, random_bounded_deadline(&self->seed)));
        return;
    }
    weir_wait_group_add(world->group, 1);
    bump(&world->working);
    linger(&self->seed);
    __atomic_sub_fetch(&world->working, 1, __ATOMIC_SEQ_CST);
    weir_wait_group_done(world->group);
}

/* -- futures: each is made by a task, and awaited by its actor and a callback ------------------ */

struct delivery {
    weir_promise *promise;
    weir_future *future;
    uint64_t seed;
    int value;
    int calls;
    int wins;
};

static int deliver(void *arg)
{
    struct delivery *delivery = arg;
    const int value = delivery->value;
    if (draw_below(&delivery->seed, 2) == 0)
        IGNORE(weir_yield());
    if (draw_below(&delivery->seed, 4) != 0)
        delivery->wins += weir_promise_set(delivery->promise, &value) == 0;
    weir_promise_destroy(delivery->promise);
    return 0;
}

static void count_call(weir_future *future, void *arg)
{
    CHECK(weir_future_state(future) >= WEIR_FUTURE_DONE);
    bump(arg);
}

static void use_future(struct actor *self)
{
    struct world *world = self->world;
    struct delivery delivery = { .seed = draw(&self->seed), .value = (int)self->seed };
    weir_task *task;
    CHECK_EQ(weir_future_create(&delivery.promise, &delivery.future, sizeof(int)), 0);
    CHECK_EQ(weir_future_on_done(delivery.future, count_call, &delivery.calls), 0);
    const int rc = weir_task_start(&task, deliver, &delivery);
    if (rc != 0) { /* the actor's scope is canceled */
        weir_promise_destroy(delivery.promise);
        task = NULL;
    }
    if (draw_below(&self->seed, 3) == 0)
        IGNORE(weir_future_cancel(delivery.future));
    (void)succeeded(world, weir_future_wait(delivery.future, random_deadline(&self->seed)));
    if (task != NULL)
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    int got = 0;
    const int result = weir_future_result(delivery.future, &got);
    CHECK(result == 0 || result == WEIR_EBROKEN || result == WEIR_ECANCELED);
    CHECK_EQ(result == 0, delivery.wins == 1);
    CHECK(result != 0 || got == delivery.value);
    CHECK_EQ(peek(&delivery.calls), 1);
    bump(&world->kept);
    weir_future_release(delivery.future);
}

static int act(void *arg)
{
    struct actor *self = arg;
    for (int step = 0; step < STEPS; step++) {
        const int which = draw_below(&self->seed, RWLOCKS);
        switch (draw_below(&self->seed, 12)) {
        case 0:
        case 1:
            use_mutex(self);
            break;
        case 2:
        case 3:
            read_it(self, which);
            break;
        case 4:
            write_it(self, which);
            break;
        case 5:
        case 6:
            use_semaphore(self);
            break;
        case 7:
            put_goods(self);
            break;
        case 8:
            take_goods(self);
            break;
        case 9:
            use_event(self);
            break;
        case 10:
            use_group(self);
            break;
        default:
            if (step % 4 == 0)
                use_future(self);
            break;
        }
    }
    return 0;
}

/* Parties that never give up: each generation is passed by all. */
static int pass_barrier(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < GENERATIONS; i++) {
        bump(&world->came[i]);
        CHECK(weir_barrier_wait(world->barrier, WEIR_NO_DEADLINE) >= 0);
        CHECK_EQ(peek(&world->came[i]), PARTIES);
        bump(&world->passed[i]);
    }
    return 0;
}

static void create_all(struct world *world)
{
    const struct weir_semaphore_opts opts = { .permits = PERMITS, .permits_max = PERMITS };
    for (int i = 0; i < MUTEXES; i++)
        CHECK_EQ(weir_mutex_create(&world->mutexes[i].mutex), 0);
    for (int i = 0; i < RWLOCKS; i++)
        CHECK_EQ(weir_rwlock_create(&world->rwlocks[i].lock), 0);
    CHECK_EQ(weir_semaphore_create(&world->semaphore, &opts), 0);
    CHECK_EQ(weir_mutex_create(&world->store_mutex), 0);
    CHECK_EQ(weir_cond_create(&world->stored), 0);
    CHECK_EQ(weir_event_create(&world->event), 0);
    CHECK_EQ(weir_wait_group_create(&world->group), 0);
    CHECK_EQ(weir_barrier_create(&world->barrier, PARTIES), 0);
}

/* Destroying aborts if anything is held or waited for. */
static void check_and_destroy_all(struct world *world)
{
    for (int i = 0; i < MUTEXES; i++) {
        CHECK_EQ(world->mutexes[i].plain, world->mutexes[i].locks);
        weir_mutex_destroy(world->mutexes[i].mutex);
    }
    for (int i = 0; i < RWLOCKS; i++) {
        CHECK_EQ(world->rwlocks[i].plain, world->rwlocks[i].writes);
        weir_rwlock_destroy(world->rwlocks[i].lock);
    }
    CHECK_EQ(weir_semaphore_available(world->semaphore), PERMITS);
    weir_semaphore_destroy(world->semaphore);
    CHECK_EQ(world->goods, world->put - world->taken);
    weir_cond_destroy(world->stored);
    weir_mutex_destroy(world->store_mutex);
    weir_event_destroy(world->event);
    CHECK_EQ(world->working, 0);
    weir_wait_group_destroy(world->group);
    for (int i = 0; i < GENERATIONS; i++)
        CHECK_EQ(world->passed[i], PARTIES);
    weir_barrier_destroy(world->barrier);
}

static int one_round(void *arg)
{
    struct world *world = arg;
    static struct actor actors[TASKS + THREADS];
    static struct crowd crowd;
    create_all(world);
    for (int i = 0; i < TASKS + THREADS; i++) {
        actors[i] = (struct actor){ .world = world, .seed = draw(&world->seed) };
        (i < TASKS ? crowd_task : crowd_thread)(&crowd, act, &actors[i]);
    }
    crowd_start(&crowd, PARTIES - 1, 1, pass_barrier, world);
    for (int i = 0; i < TASKS / 4; i++) {
        IGNORE(weir_sleep(weir_in_ns(draw_below(&world->seed, 1000000))));
        weir_task_cancel(crowd.tasks[draw_below(&world->seed, TASKS)], WEIR_EPERM);
    }
    crowd_join(&crowd);
    check_and_destroy_all(world);
    return 0;
}

static void promises_hold(enum weir_scheduler scheduler)
{
    const weir_time until = weir_now() + TIME_NS;
    uint64_t seed = test_seed() + scheduler;
    struct world total = { .done = 0 };
    int rounds = 0;
    while (rounds < ROUNDS_MAX && weir_now() < until) {
        struct world world = { .seed = draw(&seed) };
        const struct weir_opts opts = { .scheduler = scheduler, .workers = 1 + rounds % 4 };
        run_body_with(&opts, one_round, &world);
        total.done += world.done;
        total.timed_out += world.timed_out;
        total.canceled += world.canceled;
        total.kept += world.kept;
        rounds++;
    }
    printf("%d rounds: %d waits done, %d timed out, %d canceled, %d futures\n", rounds, total.done,
           total.timed_out, total.canceled, total.kept);
    CHECK(total.done > 0 && total.timed_out > 0 && total.canceled > 0 && total.kept > 0);
}

static void under_loop(void **state)
{
    (void)state;
    promises_hold(WEIR_SCHEDULER_LOOP);
}

static void under_tasks(void **state)
{
    (void)state;
    promises_hold(WEIR_SCHEDULER_TASKS);
}

static void under_threads(void **state)
{
    (void)state;
    promises_hold(WEIR_SCHEDULER_THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(under_loop),
        cmocka_unit_test(under_tasks),
        cmocka_unit_test(under_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
