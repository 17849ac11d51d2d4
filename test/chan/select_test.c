/* SPDX-License-Identifier: MIT */
/* Select from inside: the losing cases leave no trace on their channels, the same seed gives the
 * same choices, and locks are taken in one order whatever the order of the cases. */
#include "weir/select.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "chan/chan.h"
#include "support/run.h"

static struct weir_chan *make(size_t cap_elems)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = cap_elems };
    CHECK_EQ(weir_chan_create(&ch, &opts), 0);
    return ch;
}

static bool nobody_queued(struct weir_chan *ch)
{
    return wi_list_empty(&ch->senders) && wi_list_empty(&ch->receivers);
}

static void losing_cases_leave_no_trace(void **state)
{
    (void)state;
    struct weir_chan *channels[3] = { make(0), make(0), make(0) };
    int value = 4;
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_RECV, .ch = channels[0], .msg = &value },
        { .op = WEIR_SELECT_SEND, .ch = channels[1], .msg = &value },
        { .op = WEIR_SELECT_RECV, .ch = channels[2], .msg = &value },
        { .op = WEIR_SELECT_RECV, .ch = channels[0], .msg = &value },
    };
    assert_int_equal(weir_select(cases, 4, weir_in_ms(1)), WEIR_ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        assert_true(nobody_queued(channels[i]));
        assert_true(wi_chan_valid(channels[i]));
        weir_chan_destroy(channels[i]);
    }
}

static void choices_come_from_the_first_channels_seed(void **state)
{
    (void)state;
    int chosen[2][200];
    for (int round = 0; round < 2; round++) {
        struct weir_chan *channels[2] = { make(1), make(1) };
        channels[0]->choice = 12345;
        channels[1]->choice = 12345;
        for (int i = 0; i < 200; i++) {
            int value = i;
            for (int k = 0; k < 2; k++)
                IGNORE(weir_chan_send(channels[k], &value, WEIR_DONT_WAIT));
            struct weir_select_case cases[] = {
                { .op = WEIR_SELECT_RECV, .ch = channels[0], .msg = &value },
                { .op = WEIR_SELECT_RECV, .ch = channels[1], .msg = &value },
            };
            chosen[round][i] = weir_select(cases, 2, WEIR_DONT_WAIT);
            assert_in_range(chosen[round][i], 0, 1);
        }
        weir_chan_destroy(channels[0]);
        weir_chan_destroy(channels[1]);
    }
    /* Which of the two is first by address may differ: then the choices are the same all the same,
     * because both began at one number. */
    assert_memory_equal(chosen[0], chosen[1], sizeof(chosen[0]));
}

/* Selects over the same channels in opposite orders would deadlock if each locked as listed. */
struct shared {
    struct weir_chan *channels[4];
    int rounds;
    uint64_t seed;
    int64_t balance; /* messages sent minus received */
};

static void *select_at_random(void *arg)
{
    struct shared *shared = arg;
    uint64_t seed = __atomic_add_fetch(&shared->seed, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < shared->rounds; i++) {
        int value = i;
        struct weir_select_case cases[6];
        const int count = 1 + draw_below(&seed, 6);
        for (int k = 0; k < count; k++) {
            cases[k] = (struct weir_select_case){
                .op = draw_below(&seed, 2) == 0 ? WEIR_SELECT_SEND : WEIR_SELECT_RECV,
                .ch = shared->channels[draw_below(&seed, 4)],
                .msg = &value,
            };
        }
        const weir_time deadline = i % 3 == 0 ? WEIR_DONT_WAIT : weir_in_ns(2000);
        const int which = weir_select(cases, count, deadline);
        CHECK(which == WEIR_ETIMEDOUT || (which >= 0 && which < count));
        if (which >= 0)
            __atomic_add_fetch(&shared->balance, cases[which].op == WEIR_SELECT_SEND ? 1 : -1,
                               __ATOMIC_RELAXED);
    }
    return NULL;
}

static void crossed_orders_do_not_deadlock_and_conserve_messages(void **state)
{
    (void)state;
    struct shared shared = { .rounds = 8000, .seed = test_seed() };
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        shared.channels[i] = make(i % 3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, select_at_random, &shared), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    int64_t left = 0;
    for (int i = 0; i < 4; i++) {
        left += (int64_t)weir_chan_len(shared.channels[i]);
        assert_true(nobody_queued(shared.channels[i]));
        assert_true(wi_chan_valid(shared.channels[i]));
        weir_chan_destroy(shared.channels[i]);
    }
    assert_int_equal(left, shared.balance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losing_cases_leave_no_trace),
        cmocka_unit_test(choices_come_from_the_first_channels_seed),
        cmocka_unit_test(crossed_orders_do_not_deadlock_and_conserve_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
