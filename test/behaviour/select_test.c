/* SPDX-License-Identifier: MIT */
/* weir_select(): exactly one case, fairly chosen, never with itself. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static weir_chan *make(size_t cap_elems)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = cap_elems };
    CHECK_EQ(weir_chan_create(&ch, &opts), 0);
    return ch;
}

static struct weir_select_case receive(weir_chan *ch, int *value)
{
    return (struct weir_select_case){ .op = WEIR_SELECT_RECV, .ch = ch, .msg = value };
}

static struct weir_select_case send(weir_chan *ch, int *value)
{
    return (struct weir_select_case){ .op = WEIR_SELECT_SEND, .ch = ch, .msg = value };
}

RUN(a_ready_case_is_done_and_only_that)
{
    weir_chan *full = make(1);
    weir_chan *empty = make(1);
    int value = 5;
    int got = 0;
    CHECK_EQ(weir_chan_send(full, &value, WEIR_DONT_WAIT), 0);
    struct weir_select_case cases[] = { receive(empty, &got), receive(full, &got) };
    CHECK_EQ(weir_select(cases, 2, WEIR_NO_DEADLINE), 1);
    CHECK_EQ(cases[1].result, 0);
    CHECK_EQ(got, 5);
    CHECK_EQ(weir_chan_len(full), 0);
    cases[0] = send(empty, &value);
    CHECK_EQ(weir_select(cases, 2, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_chan_len(empty), 1);
    weir_chan_destroy(full);
    weir_chan_destroy(empty);
    return 0;
}

/* Two ready cases beside each other among four: a choice that only begins at a random place would
 * take the first of them three times out of four.  4000 draws of 1/2: five sigma are 158. */
RUN(ready_cases_are_chosen_uniformly)
{
    enum {
        DRAWS = 4000,
        SLACK = 200
    };
    weir_chan *channels[4];
    for (int i = 0; i < 4; i++)
        channels[i] = make(1);
    for (int first = 0; first < 4; first++) {
        int chosen[4] = { 0 };
        for (int i = 0; i < DRAWS; i++) {
            int value = i;
            int got;
            const int second = (first + 1) % 4;
            CHECK_EQ(weir_chan_send(channels[first], &value, WEIR_DONT_WAIT), 0);
            CHECK_EQ(weir_chan_send(channels[second], &value, WEIR_DONT_WAIT), 0);
            struct weir_select_case cases[4];
            for (int k = 0; k < 4; k++)
                cases[k] = receive(channels[k], &got);
            const int which = weir_select(cases, 4, WEIR_NO_DEADLINE);
            CHECK(which == first || which == second);
            chosen[which]++;
            const int other = which == first ? second : first;
            CHECK_EQ(weir_chan_recv(channels[other], &got, WEIR_DONT_WAIT), 0);
        }
        CHECK(chosen[first] > DRAWS / 2 - SLACK);
        CHECK(chosen[first] < DRAWS / 2 + SLACK);
    }
    for (int i = 0; i < 4; i++)
        weir_chan_destroy(channels[i]);
    return 0;
}

RUN(a_send_and_a_receive_of_one_call_never_meet)
{
    weir_chan *ch = make(0);
    int sent = 1;
    int got = 0;
    struct weir_select_case cases[] = { send(ch, &sent), receive(ch, &got) };
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(weir_select(cases, 2, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        struct weir_select_case other_way[] = { receive(ch, &got), send(ch, &sent) };
        CHECK_EQ(weir_select(other_way, 2, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    }
    CHECK_EQ(weir_select(cases, 2, weir_in_ms(5)), WEIR_ETIMEDOUT);
    CHECK_EQ(got, 0);
    weir_chan_destroy(ch);
    return 0;
}

struct both {
    weir_chan *ch;
    int rounds;
    int sent;
    int received;
};

static int send_or_receive(void *arg)
{
    struct both *both = arg;
    for (int i = 0; i < both->rounds; i++) {
        int out = 7;
        int in = 0;
        struct weir_select_case cases[] = { send(both->ch, &out), receive(both->ch, &in) };
        const int which = weir_select(cases, 2, WEIR_NO_DEADLINE);
        CHECK(which == 0 || which == 1);
        CHECK_EQ(cases[which].result, 0);
        bump(which == 0 ? &both->sent : &both->received);
        CHECK(which == 0 || in == 7);
    }
    return 0;
}

RUN(two_that_offer_both_directions_meet_each_other)
{
    struct both both = { .ch = make(0), .rounds = 1000 };
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(send_or_receive, &both), 0);
    CHECK_EQ(weir_go(send_or_receive, &both), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(both.sent, 1000);
    CHECK_EQ(both.received, 1000);
    weir_chan_destroy(both.ch);
    return 0;
}

RUN(a_null_channel_switches_its_case_off)
{
    weir_chan *ch = make(1);
    int value = 3;
    int got = 0;
    for (int i = 0; i < 50; i++) {
        struct weir_select_case cases[] = { receive(NULL, &got), send(ch, &value),
                                            send(NULL, &value) };
        CHECK_EQ(weir_select(cases, 3, WEIR_NO_DEADLINE), 1);
        cases[1] = receive(ch, &got);
        CHECK_EQ(weir_select(cases, 3, WEIR_NO_DEADLINE), 1);
    }
    struct weir_select_case nothing[] = { receive(NULL, &got) };
    CHECK_EQ(weir_select(nothing, 1, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_select(nothing, 1, weir_in_ms(3)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_select(NULL, 0, weir_in_ms(3)), WEIR_ETIMEDOUT);
    weir_chan_destroy(ch);
    return 0;
}

RUN(a_channel_may_appear_twice)
{
    weir_chan *ch = make(2);
    int value = 9;
    int got[2] = { 0, 0 };
    struct weir_select_case cases[] = { receive(ch, &got[0]), receive(ch, &got[1]) };
    CHECK_EQ(weir_select(cases, 2, weir_in_ms(3)), WEIR_ETIMEDOUT);
    int chosen[2] = { 0, 0 };
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
        const int which = weir_select(cases, 2, WEIR_NO_DEADLINE);
        CHECK(which == 0 || which == 1);
        CHECK_EQ(got[which], 9);
        chosen[which]++;
        CHECK_EQ(weir_chan_len(ch), 0);
    }
    CHECK(chosen[0] > 0 && chosen[1] > 0);
    weir_chan_destroy(ch);
    return 0;
}

RUN(a_closed_channel_is_always_ready)
{
    weir_chan *closed = make(1);
    weir_chan *open = make(0);
    int value = 1;
    int got = 7;
    CHECK_EQ(weir_chan_close(closed), 0);
    struct weir_select_case cases[] = { receive(open, &got), receive(closed, &got) };
    CHECK_EQ(weir_select(cases, 2, WEIR_NO_DEADLINE), 1);
    CHECK_EQ(cases[1].result, WEIR_ECLOSED);
    CHECK_EQ(got, 0);
    cases[1] = send(closed, &value);
    CHECK_EQ(weir_select(cases, 2, WEIR_NO_DEADLINE), 1);
    CHECK_EQ(cases[1].result, WEIR_ECLOSED);
    weir_chan_destroy(closed);
    weir_chan_destroy(open);
    return 0;
}

struct waiting {
    weir_chan *left;
    weir_chan *right;
    int started;
    int which;
    int result;
    int got;
};

static int wait_for_two(void *arg)
{
    struct waiting *waiting = arg;
    struct weir_select_case cases[] = { receive(waiting->left, &waiting->got),
                                        receive(waiting->right, &waiting->got) };
    bump(&waiting->started);
    waiting->which = weir_select(cases, 2, WEIR_NO_DEADLINE);
    CHECK(waiting->which >= 0);
    waiting->result = cases[waiting->which].result;
    return 0;
}

RUN(a_waiting_select_is_woken_by_a_message_and_by_close)
{
    for (int close = 0; close < 2; close++) {
        struct waiting waiting = { .left = make(0), .right = make(0), .got = 55 };
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        CHECK_EQ(weir_go(wait_for_two, &waiting), 0);
        await(&waiting.started, 1);
        const int value = 8;
        if (close)
            CHECK_EQ(weir_chan_close(waiting.right), 0);
        else
            CHECK_EQ(weir_chan_send(waiting.right, &value, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(waiting.which, 1);
        CHECK_EQ(waiting.result, close ? WEIR_ECLOSED : 0);
        CHECK_EQ(waiting.got, close ? 0 : 8);
        weir_chan_destroy(waiting.left); /* no trace of the losing case is left on it */
        weir_chan_destroy(waiting.right);
    }
    return 0;
}

RUN(the_deadline_is_kept_and_never_early)
{
    weir_chan *ch = make(0);
    int got;
    for (int i = 0; i < 10; i++) {
        struct weir_select_case cases[] = { receive(ch, &got) };
        const weir_time deadline = weir_in_ns(300000 * (i + 1));
        CHECK_EQ(weir_select(cases, 1, deadline), WEIR_ETIMEDOUT);
        CHECK(weir_now() >= deadline);
    }
    weir_chan_destroy(ch);
    return 0;
}

RUN(sixty_four_cases_are_allowed)
{
    weir_chan *channels[WEIR_SELECT_CASES_MAX];
    struct weir_select_case cases[WEIR_SELECT_CASES_MAX];
    int got = 0;
    for (int i = 0; i < WEIR_SELECT_CASES_MAX; i++) {
        channels[i] = make(1);
        cases[i] = receive(channels[i], &got);
    }
    for (int i = 0; i < WEIR_SELECT_CASES_MAX; i++) {
        CHECK_EQ(weir_chan_send(channels[i], &i, WEIR_DONT_WAIT), 0);
        CHECK_EQ(weir_select(cases, WEIR_SELECT_CASES_MAX, WEIR_NO_DEADLINE), i);
        CHECK_EQ(got, i);
    }
    for (int i = 0; i < WEIR_SELECT_CASES_MAX; i++)
        weir_chan_destroy(channels[i]);
    return 0;
}

static void too_many_cases(void)
{
    struct weir_select_case cases[WEIR_SELECT_CASES_MAX + 1];
    memset(cases, 0, sizeof(cases));
    IGNORE(weir_select(cases, WEIR_SELECT_CASES_MAX + 1, WEIR_DONT_WAIT));
}

static void too_many_cases_abort_with_the_count(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(too_many_cases, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "65"));
    assert_non_null(strstr(text, "64"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ready_case_is_done_and_only_that),
        cmocka_unit_test(ready_cases_are_chosen_uniformly),
        cmocka_unit_test(a_send_and_a_receive_of_one_call_never_meet),
        cmocka_unit_test(two_that_offer_both_directions_meet_each_other),
        cmocka_unit_test(a_null_channel_switches_its_case_off),
        cmocka_unit_test(a_channel_may_appear_twice),
        cmocka_unit_test(a_closed_channel_is_always_ready),
        cmocka_unit_test(a_waiting_select_is_woken_by_a_message_and_by_close),
        cmocka_unit_test(the_deadline_is_kept_and_never_early),
        cmocka_unit_test(sixty_four_cases_are_allowed),
        cmocka_unit_test(too_many_cases_abort_with_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
