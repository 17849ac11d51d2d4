/* SPDX-License-Identifier: MIT */
/* Hogs that come and go at random under `tasks`, spinning or blocked in the kernel, while other
 * tasks pass messages, sleep and spawn, and foreign threads wake them: workers change hands all the
 * time, and every kind of call is made by threads that have just lost theirs.
 *
 * ctest: timeout=300 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    HOGS = 6,
    PAIRS = 6,
    MESSAGES = 600
};

static const int64_t TIME_NS = 4 * WEIR_NS_PER_S;

struct field {
    weir_chan *channels[PAIRS];
    weir_mutex *mutex;
    uint64_t seed;    /* atomic */
    int over;         /* atomic */
    int hogged;       /* atomic */
    int started;      /* atomic: small tasks that hogs have spawned */
    int ran;          /* atomic */
    int64_t sent;     /* atomic */
    int64_t received; /* atomic */
    int64_t guarded;  /* guarded by mutex */
    int64_t locked;   /* atomic */
};

static uint64_t own_seed(struct field *field)
{
    uint64_t seed = __atomic_add_fetch(&field->seed, 0x9e3779b9, __ATOMIC_RELAXED);
    return draw(&seed);
}

static int run_once(void *arg)
{
    bump(&((struct field *)arg)->ran);
    return 0;
}

static void lock_and_count(struct field *field)
{
    CHECK_EQ(weir_mutex_lock(field->mutex, WEIR_NO_DEADLINE), 0);
    field->guarded++;
    weir_mutex_unlock(field->mutex);
    __atomic_add_fetch(&field->locked, 1, __ATOMIC_RELAXED);
}

static int hog(void *arg)
{
    struct field *field = arg;
    uint64_t seed = own_seed(field);
    while (!peek(&field->over)) {
        const int ms = 3 + draw_below(&seed, 25);
        if (draw_below(&seed, 2) == 0)
            burn_ms(ms);
        else
            (void)poll(NULL, 0, ms);
        bump(&field->hogged);
        switch (draw_below(&seed, 4)) {
        case 0:
            lock_and_count(field);
            break;
        case 1:
            (void)weir_sleep(weir_in_ns(draw_below(&seed, 3000000)));
            break;
        case 2:
            CHECK_EQ(weir_go(run_once, field), 0);
            bump(&field->started);
            break;
        default:
            (void)weir_yield();
            break;
        }
    }
    return 0;
}

static void count_message(int64_t *counter, int value)
{
    __atomic_add_fetch(counter, value, __ATOMIC_RELAXED);
}

struct end {
    struct field *field;
    weir_chan *ch;
};

static int produce(void *arg)
{
    struct end *end = arg;
    for (int i = 1; i <= MESSAGES; i++) {
        CHECK_EQ(weir_chan_send(end->ch, &i, WEIR_NO_DEADLINE), 0);
        count_message(&end->field->sent, i);
        if (i % 64 == 0)
            lock_and_count(end->field);
        if (i % 256 == 0)
            (void)weir_sleep(weir_in_ns(200000));
    }
    IGNORE(weir_chan_close(end->ch));
    return 0;
}

static void *produce_on_thread(void *arg)
{
    (void)produce(arg);
    return NULL;
}

static int consume(void *arg)
{
    struct end *end = arg;
    int value = 0;
    while (weir_chan_recv(end->ch, &value, WEIR_NO_DEADLINE) == 0)
        count_message(&end->field->received, value);
    return 0;
}

static int one_field(void *arg)
{
    struct field *field = arg;
    struct end ends[PAIRS];
    pthread_t threads[PAIRS];
    weir_scope *hogs;
    weir_scope *pairs;
    CHECK_EQ(weir_mutex_create(&field->mutex), 0);
    CHECK_EQ(weir_scope_open(&hogs, NULL), 0);
    for (int i = 0; i < HOGS; i++)
        CHECK_EQ(weir_go(hog, field, .name = "hog"), 0);
    CHECK_EQ(weir_scope_open(&pairs, NULL), 0);
    for (size_t i = 0; i < PAIRS; i++) {
        const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = i };
        CHECK_EQ(weir_chan_create(&field->channels[i], &opts), 0);
        ends[i] = (struct end){ .field = field, .ch = field->channels[i] };
        if (i % 2 == 0)
            CHECK_EQ(weir_go(produce, &ends[i]), 0);
        else
            CHECK_EQ(pthread_create(&threads[i], NULL, produce_on_thread, &ends[i]), 0);
        CHECK_EQ(weir_go(consume, &ends[i]), 0);
    }
    CHECK_EQ(weir_scope_close(pairs, WEIR_NO_DEADLINE), 0);
    post(&field->over, 1);
    CHECK_EQ(weir_scope_close(hogs, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < PAIRS; i++) {
        if (i % 2 == 1)
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
        weir_chan_destroy(field->channels[i]);
    }
    weir_mutex_destroy(field->mutex);
    return 0;
}

static void workers_change_hands_and_nothing_is_lost(void **state)
{
    (void)state;
    const weir_time until = weir_now() + TIME_NS;
    uint64_t seed = test_seed();
    int64_t relieved = 0;
    int hogged = 0;
    int rounds = 0;
    while (rounds == 0 || weir_now() < until) {
        struct field field = { .seed = draw(&seed) };
        const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_TASKS,
                                        .workers = 1 + rounds % 3 };
        struct weir_runtime_stats stats = { .size = sizeof(stats) };
        int result = 1;
        runtime_open(&opts);
        CHECK_EQ(weir_run(one_field, &field, &result), 0);
        CHECK_EQ(result, 0);
        weir_runtime_stats_read(&stats);
        runtime_close();
        CHECK_EQ(field.sent, (int64_t)PAIRS * MESSAGES * (MESSAGES + 1) / 2);
        CHECK_EQ(field.received, field.sent);
        CHECK_EQ(field.guarded, field.locked);
        CHECK_EQ(field.ran, field.started);
        relieved += stats.hogs_relieved;
        hogged += field.hogged;
        rounds++;
    }
    printf("%d rounds, %d times a hog, %lld workers relieved\n", rounds, hogged,
           (long long)relieved);
    CHECK(relieved > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_change_hands_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
