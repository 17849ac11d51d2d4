/* SPDX-License-Identifier: MIT */
/* Select: one case happens, with one peer, or none.
 *
 * explores: chan/select.c chan/chan.c waits */
#include "model/parkers.h"

#include "weir/chan.h"
#include "weir/err.h"
#include "weir/select.h"

static weir_chan *a;
static weir_chan *b;
static int which[4]; /* what each thread's select gave */
static int value[4]; /* what it received */
static int sent[4];

static weir_chan *make(size_t cap_elems)
{
    weir_chan *made;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = cap_elems };
    explore_check_eq(weir_chan_create(&made, &opts), 0);
    return made;
}

static void begin(size_t cap_elems)
{
    model_parkers_init();
    /* The order in which cases are tried is drawn from a seed that is the time. */
    explore_now(1000 + explore_choose(3));
    a = make(cap_elems);
    b = make(cap_elems);
}

static void end(void)
{
    weir_chan_destroy(a);
    weir_chan_destroy(b);
}

/* Sends to one channel or receives from the other; the number of the case, or a code. */
static void cross(weir_chan *out, weir_chan *in, weir_time deadline)
{
    const int self = explore_self();
    int message = self;
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_SEND, .ch = out, .msg = &message },
        { .op = WEIR_SELECT_RECV, .ch = in, .msg = &value[self] },
    };
    which[self] = weir_select(cases, 2, deadline);
    if (which[self] >= 0)
        explore_check_eq(cases[which[self]].result, 0);
}

static void cross_forth(void *arg)
{
    (void)arg;
    cross(a, b, WEIR_NO_DEADLINE);
}

static void cross_back(void *arg)
{
    (void)arg;
    cross(b, a, WEIR_NO_DEADLINE);
}

static void two_selects_cross_on_two_channels(void)
{
    begin(0);
    explore_start(cross_forth, NULL);
    explore_start(cross_back, NULL);
    explore_join();
    explore_check(which[1] >= 0 && which[2] >= 0);
    explore_saw(which[1]);
    explore_check_eq(which[1] + which[2], 1); /* one sent, the other received */
    explore_check_eq(value[1], which[1] == 1 ? 2 : 0);
    explore_check_eq(value[2], which[2] == 1 ? 1 : 0);
    end();
}

static void cross_forth_until(void *arg)
{
    (void)arg;
    cross(a, b, 2000);
}

static void cross_back_until(void *arg)
{
    (void)arg;
    cross(b, a, 2000);
}

static void crossing_selects_agree_at_the_deadline(void)
{
    begin(0);
    explore_deadline(2000);
    explore_start(cross_forth_until, NULL);
    explore_start(cross_back_until, NULL);
    explore_join();
    if (which[1] < 0 || which[2] < 0) {
        explore_check_eq(which[1], WEIR_ETIMEDOUT);
        explore_check_eq(which[2], WEIR_ETIMEDOUT);
        explore_saw(2);
    } else {
        explore_saw(which[1]);
        explore_check_eq(which[1] + which[2], 1);
    }
    end();
}

static void receive(weir_time deadline)
{
    const int self = explore_self();
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_RECV, .ch = a, .msg = &value[self] },
        { .op = WEIR_SELECT_RECV, .ch = b, .msg = &value[self] },
    };
    which[self] = weir_select(cases, 2, deadline);
    sent[self] = which[self] >= 0 ? cases[which[self]].result : which[self];
}

static void receive_from_either(void *arg)
{
    (void)arg;
    receive(WEIR_NO_DEADLINE);
}

static void receive_until(void *arg)
{
    (void)arg;
    receive(2000);
}

static void send_to(void *arg)
{
    const int self = explore_self();
    sent[self] = weir_chan_send(*(weir_chan **)arg, &self, 2000);
}

static void two_senders_race_for_one_select(void)
{
    begin(0);
    explore_start(receive_until, NULL);
    explore_start(send_to, &a);
    explore_start(send_to, &b);
    explore_join();
    explore_check(which[1] >= 0 || which[1] == WEIR_ETIMEDOUT);
    explore_saw(which[1] >= 0 ? which[1] : 2);
    for (int i = 0; i < 2; i++)
        explore_check_eq(sent[2 + i], which[1] == i ? 0 : WEIR_ETIMEDOUT);
    explore_check_eq(value[1], which[1] >= 0 ? 2 + which[1] : 0);
    end();
}

static void close_a(void *arg)
{
    (void)arg;
    explore_check_eq(weir_chan_close(a), 0);
}

static void a_close_and_a_sender_race_for_one_select(void)
{
    begin(0);
    explore_start(receive_from_either, NULL);
    explore_start(close_a, NULL);
    explore_start(send_to, &b);
    explore_join();
    explore_saw(which[1]);
    if (which[1] == 0) {
        explore_check_eq(sent[1], WEIR_ECLOSED);
        explore_check_eq(value[1], 0);
        explore_check_eq(sent[3], WEIR_ETIMEDOUT);
    } else {
        explore_check_eq(which[1], 1);
        explore_check_eq(value[1], 3);
        explore_check_eq(sent[3], 0);
    }
    end();
}

/* The channel that was not chosen may be destroyed as soon as the select is over, and the chosen
 * one too. */
static void receive_and_destroy(void *arg)
{
    receive_from_either(arg);
    explore_check_eq(which[1], 0);
    end();
}

static void send_without_end(void *arg)
{
    (void)arg;
    const int self = explore_self();
    sent[self] = weir_chan_send(a, &self, WEIR_NO_DEADLINE);
}

static void a_select_leaves_nothing_on_its_channels(void)
{
    begin(0);
    explore_start(receive_and_destroy, NULL);
    explore_start(send_without_end, NULL);
    explore_join();
    explore_check_eq(value[1], 2);
    explore_check_eq(sent[2], 0);
}

static void cancel_first(void *arg)
{
    (void)arg;
    wi_parker_cancel(&model_parkers[1], WEIR_ECANCELED);
}

static void a_canceled_select_takes_nothing(void)
{
    begin(0);
    explore_start(receive_from_either, NULL);
    explore_start(send_to, &a);
    explore_start(cancel_first, NULL);
    explore_join();
    explore_check(which[1] == 0 || which[1] == WEIR_ECANCELED);
    explore_check_eq(sent[2] == 0, which[1] == 0);
    explore_saw(which[1] == 0);
    end();
}

static void one_select_does_not_meet_itself(void)
{
    begin(0);
    explore_deadline(2000);
    cross(a, a, 2000);
    explore_check_eq(which[0], WEIR_ETIMEDOUT);
    end();
}

EXPLORE_MAIN(EXPLORE_WITH(two_selects_cross_on_two_channels, .outcomes = 2),
             EXPLORE_WITH(crossing_selects_agree_at_the_deadline, .outcomes = 3),
             EXPLORE_WITH(two_senders_race_for_one_select, .outcomes = 3),
             EXPLORE_WITH(a_close_and_a_sender_race_for_one_select, .outcomes = 2),
             EXPLORE(a_select_leaves_nothing_on_its_channels),
             EXPLORE_WITH(a_canceled_select_takes_nothing, .outcomes = 2),
             EXPLORE(one_select_does_not_meet_itself))
