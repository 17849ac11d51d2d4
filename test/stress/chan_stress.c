/* SPDX-License-Identifier: MIT */
/* Random programs of sends, receives, selects, deadlines, cancellations and closes, by tasks and
 * plain threads on the same channels.  Every message is a number that is sent at most once; a
 * table counts how often each came out.  Nothing may be lost or doubled.
 *
 * ctest: timeout=300 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    CHANNELS = 5,
    ACTORS = 24,
    THREADS = 3,
    STEPS = 1500,
    ROUNDS_MAX = 40,
    MESSAGES_MAX = 1 << 20
};

static const int64_t TIME_NS = 4 * WEIR_NS_PER_S;

enum {
    NEVER_SENT = 0,
    SENT = 1,
    RECEIVED = 2
};

static unsigned char *states; /* atomic, by message */
static uint32_t next_message; /* atomic */

struct world {
    weir_chan *channels[CHANNELS];
    uint64_t seed;
    int sent;
    int received;
    int canceled;
    int timed_out;
    int closed;
};

struct actor {
    struct world *world;
    uint64_t seed;
    int steps;
};

/* A message counts as sent before the call, since its receiver may be faster than the sender. */
static uint32_t new_message(void)
{
    const uint32_t message = __atomic_add_fetch(&next_message, 1, __ATOMIC_RELAXED);
    CHECK(message < MESSAGES_MAX);
    __atomic_store_n(&states[message], SENT, __ATOMIC_RELAXED);
    return message;
}

static void take_back(uint32_t message)
{
    CHECK_EQ(__atomic_exchange_n(&states[message], NEVER_SENT, __ATOMIC_RELAXED), SENT);
}

static void received(struct world *world, uint32_t message)
{
    CHECK(message > 0 && message < MESSAGES_MAX);
    CHECK_EQ(__atomic_exchange_n(&states[message], RECEIVED, __ATOMIC_RELAXED), SENT);
    bump(&world->received);
}

static void failed(struct world *world, int rc)
{
    if (rc == WEIR_ETIMEDOUT)
        bump(&world->timed_out);
    else if (rc == WEIR_ECANCELED)
        bump(&world->canceled);
    else
        CHECK_EQ(rc, WEIR_ECLOSED);
}

static weir_time random_deadline(uint64_t *seed)
{
    switch (draw_below(seed, 4)) {
    case 0:
        return WEIR_DONT_WAIT;
    case 1:
        return weir_in_ns(draw_below(seed, 30000));
    default:
        return weir_in_ns(draw_below(seed, 3000000));
    }
}

static int do_send(struct actor *self)
{
    const uint32_t message = new_message();
    weir_chan *ch = self->world->channels[draw_below(&self->seed, CHANNELS)];
    const int rc = weir_chan_send(ch, &message, random_deadline(&self->seed));
    if (rc == 0) {
        bump(&self->world->sent);
        return 0;
    }
    take_back(message);
    failed(self->world, rc);
    return rc;
}

static int do_receive(struct actor *self)
{
    uint32_t message = 0;
    weir_chan *ch = self->world->channels[draw_below(&self->seed, CHANNELS)];
    const int rc = weir_chan_recv(ch, &message, random_deadline(&self->seed));
    if (rc == 0)
        received(self->world, message);
    else
        failed(self->world, rc);
    return rc;
}

static int do_select(struct actor *self)
{
    enum {
        CASES = 6
    };
    struct weir_select_case cases[CASES];
    uint32_t messages[CASES];
    const int count = 1 + draw_below(&self->seed, CASES);
    for (int i = 0; i < count; i++) {
        const bool sends = draw_below(&self->seed, 2) == 0;
        const int which = draw_below(&self->seed, CHANNELS + 1);
        messages[i] = sends ? new_message() : 0;
        cases[i] = (struct weir_select_case){
            .op = sends ? WEIR_SELECT_SEND : WEIR_SELECT_RECV,
            .ch = which < CHANNELS ? self->world->channels[which] : NULL,
            .msg = &messages[i],
        };
    }
    const int done = weir_select(cases, count, random_deadline(&self->seed));
    CHECK(done < count);
    for (int i = 0; i < count; i++) {
        const bool sent = i == done && cases[i].result == 0;
        if (cases[i].op == WEIR_SELECT_SEND && !sent)
            take_back(messages[i]);
    }
    if (done < 0) {
        failed(self->world, done);
        return done;
    }
    if (cases[done].result != 0)
        failed(self->world, cases[done].result);
    else if (cases[done].op == WEIR_SELECT_SEND)
        bump(&self->world->sent);
    else
        received(self->world, messages[done]);
    return 0;
}

static int act(void *arg)
{
    struct actor *self = arg;
    for (int step = 0; step < self->steps; step++) {
        int rc;
        switch (draw_below(&self->seed, 8)) {
        case 0:
        case 1:
        case 2:
            rc = do_send(self);
            break;
        case 3:
        case 4:
        case 5:
            rc = do_receive(self);
            break;
        case 6:
            rc = do_select(self);
            break;
        default:
            rc = weir_yield();
            break;
        }
        if (rc == WEIR_ECANCELED)
            return 0;
    }
    return 0;
}

static void *act_on_thread(void *arg)
{
    (void)act(arg);
    return NULL;
}

static void drain(struct world *world)
{
    for (int i = 0; i < CHANNELS; i++) {
        uint32_t message;
        IGNORE(weir_chan_close(world->channels[i]));
        while (weir_chan_recv(world->channels[i], &message, WEIR_DONT_WAIT) == 0)
            received(world, message);
        weir_chan_destroy(world->channels[i]);
    }
}

static int one_round(void *arg)
{
    struct world *world = arg;
    static struct actor actors[ACTORS + THREADS];
    weir_task *tasks[ACTORS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < CHANNELS; i++) {
        const struct weir_chan_opts opts = { .elem_bytes = sizeof(uint32_t), .cap_elems = i * i };
        CHECK_EQ(weir_chan_create(&world->channels[i], &opts), 0);
    }
    for (int i = 0; i < ACTORS + THREADS; i++)
        actors[i] = (struct actor){ .world = world, .seed = draw(&world->seed), .steps = STEPS };
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, act_on_thread, &actors[ACTORS + i]), 0);
    for (int i = 0; i < ACTORS; i++) {
        const bool blocking = draw_below(&world->seed, 6) == 0;
        const bool hasty = draw_below(&world->seed, 6) == 0;
        CHECK_EQ(weir_task_start(&tasks[i], act, &actors[i], .blocking = blocking,
                                 .deadline = hasty ? weir_in_ms(20) : 0),
                 0);
    }
    for (int i = 0; i < ACTORS / 3; i++) {
        (void)weir_sleep(weir_in_ns(draw_below(&world->seed, 1000000)));
        weir_task_cancel(tasks[draw_below(&world->seed, ACTORS)], WEIR_EPERM);
    }
    if (draw_below(&world->seed, 2) == 0)
        world->closed += weir_chan_close(world->channels[draw_below(&world->seed, CHANNELS)]) == 0;
    for (int i = 0; i < ACTORS; i++)
        CHECK_EQ(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    drain(world);
    return 0;
}

static void check_states(const struct world *world)
{
    CHECK_EQ(world->sent, world->received);
    int done = 0;
    for (uint32_t i = 1; i <= next_message; i++) {
        CHECK(states[i] != SENT); /* accepted, and never came out */
        done += states[i] == RECEIVED;
    }
    CHECK_EQ(done, world->received);
}

static void random_programs_lose_and_double_nothing(enum weir_scheduler scheduler)
{
    const weir_time until = weir_now() + TIME_NS;
    struct world total = { .seed = test_seed() + scheduler };
    states = calloc(MESSAGES_MAX, 1);
    CHECK(states != NULL);
    int rounds = 0;
    while (rounds < ROUNDS_MAX && weir_now() < until) {
        struct world world = { .seed = draw(&total.seed) };
        const struct weir_opts opts = { .scheduler = scheduler, .workers = 1 + rounds % 4 };
        next_message = 0;
        memset(states, 0, MESSAGES_MAX);
        run_body_with(&opts, one_round, &world);
        check_states(&world);
        total.sent += world.sent;
        total.canceled += world.canceled;
        total.timed_out += world.timed_out;
        total.closed += world.closed;
        rounds++;
    }
    printf("%d rounds: %d messages, %d timeouts, %d canceled, %d channels closed\n", rounds,
           total.sent, total.timed_out, total.canceled, total.closed);
    CHECK(total.sent > 0 && total.timed_out > 0 && total.canceled > 0);
    free(states);
}

static void under_loop(void **state)
{
    (void)state;
    random_programs_lose_and_double_nothing(WEIR_SCHEDULER_LOOP);
}

static void under_tasks(void **state)
{
    (void)state;
    random_programs_lose_and_double_nothing(WEIR_SCHEDULER_TASKS);
}

static void under_threads(void **state)
{
    (void)state;
    random_programs_lose_and_double_nothing(WEIR_SCHEDULER_THREADS);
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
