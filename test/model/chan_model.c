/* SPDX-License-Identifier: MIT */
/* Channels: a message arrives once and whole or its sender knows that it did not; order is kept;
 * the one who is through may destroy the channel.
 *
 * explores: chan/chan.c waits */
#include "model/parkers.h"

#include "weir/chan.h"
#include "weir/err.h"

struct message {
    int number;
    int twice; /* 2 * number: whole or not */
};

static weir_chan *ch;
static int sent[4];  /* results, by sender's thread */
static int received; /* messages */
static int last;     /* number received last */

static weir_chan *make(size_t cap_elems)
{
    model_parkers_init();
    weir_chan *made;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(struct message),
                                         .cap_elems = cap_elems };
    explore_check_eq(weir_chan_create(&made, &opts), 0);
    return made;
}

static int send_number(int number, weir_time deadline)
{
    const struct message message = { .number = number, .twice = 2 * number };
    return weir_chan_send(ch, &message, deadline);
}

/* The number, or a code. */
static int receive_number(weir_time deadline)
{
    struct message message = { .number = -1, .twice = -1 };
    const int rc = weir_chan_recv(ch, &message, deadline);
    if (rc == WEIR_ECLOSED) {
        explore_check_eq(message.number, 0);
        explore_check_eq(message.twice, 0);
    }
    if (rc < 0)
        return rc;
    explore_check_eq(message.twice, 2 * message.number);
    return message.number;
}

static void send_one(void *arg)
{
    (void)arg;
    sent[explore_self()] = send_number(explore_self(), WEIR_NO_DEADLINE);
}

static void receive_and_destroy(void *arg)
{
    (void)arg;
    explore_check_eq(receive_number(WEIR_NO_DEADLINE), 1);
    weir_chan_destroy(ch);
}

static void the_receiver_may_destroy_a_rendezvous(void)
{
    ch = make(0);
    explore_start(send_one, NULL);
    explore_start(receive_and_destroy, NULL);
    explore_join();
    explore_check_eq(sent[1], 0);
}

static void the_receiver_may_destroy_a_buffer(void)
{
    ch = make(1);
    explore_start(send_one, NULL);
    explore_start(receive_and_destroy, NULL);
    explore_join();
    explore_check_eq(sent[1], 0);
}

static void send_and_destroy(void *arg)
{
    (void)arg;
    explore_check_eq(send_number(1, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(ch);
}

static void receive_one(void *arg)
{
    (void)arg;
    explore_check_eq(receive_number(WEIR_NO_DEADLINE), 1);
}

static void the_sender_may_destroy_a_rendezvous(void)
{
    ch = make(0);
    explore_start(send_and_destroy, NULL);
    explore_start(receive_one, NULL);
    explore_join();
}

static void send_three(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++)
        explore_check_eq(send_number(i, WEIR_NO_DEADLINE), 0);
}

static void receive_three(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++)
        explore_check_eq(receive_number(WEIR_NO_DEADLINE), i);
}

static void a_buffer_of_one_keeps_the_order(void)
{
    ch = make(1);
    explore_start(send_three, NULL);
    explore_start(receive_three, NULL);
    explore_join();
    explore_check_eq(weir_chan_len(ch), 0);
    weir_chan_destroy(ch);
}

static void send_until(void *arg)
{
    (void)arg;
    sent[explore_self()] = send_number(explore_self(), 2000);
}

static void receive_until(void *arg)
{
    (void)arg;
    const int number = receive_number(2000);
    if (number > 0) {
        received++;
        last = number;
    } else {
        explore_check_eq(number, WEIR_ETIMEDOUT);
    }
}

static void both_or_neither_meet_at_the_deadline(void)
{
    ch = make(0);
    explore_deadline(2000);
    explore_start(send_until, NULL);
    explore_start(receive_until, NULL);
    explore_join();
    explore_check(sent[1] == 0 || sent[1] == WEIR_ETIMEDOUT);
    explore_check_eq(received, sent[1] == 0);
    explore_saw(received);
    weir_chan_destroy(ch);
}

static void two_senders_and_one_place(void)
{
    ch = make(1);
    explore_start(send_until, NULL);
    explore_start(send_until, NULL);
    explore_start(receive_until, NULL);
    explore_join();
    const int accepted = (sent[1] == 0) + (sent[2] == 0);
    explore_check_eq((int)weir_chan_len(ch) + received, accepted);
    if (received > 0)
        explore_check_eq(sent[last], 0);
    weir_chan_destroy(ch);
}

static void close_channel(void *arg)
{
    (void)arg;
    explore_check_eq(weir_chan_close(ch), 0);
}

static void receive_to_the_end(void *arg)
{
    (void)arg;
    int number;
    while ((number = receive_number(WEIR_NO_DEADLINE)) > 0) {
        received++;
        last = number;
    }
    explore_check_eq(number, WEIR_ECLOSED);
}

static void check_drained(void)
{
    explore_check(sent[1] == 0 || sent[1] == WEIR_ECLOSED);
    explore_check_eq(received, sent[1] == 0);
    explore_saw(received);
    explore_check_eq(weir_chan_len(ch), 0);
    weir_chan_destroy(ch);
}

static void a_close_loses_no_accepted_message(void)
{
    ch = make(1);
    explore_start(send_one, NULL);
    explore_start(receive_to_the_end, NULL);
    explore_start(close_channel, NULL);
    explore_join();
    check_drained();
}

static void a_close_races_a_rendezvous(void)
{
    ch = make(0);
    explore_start(send_one, NULL);
    explore_start(receive_to_the_end, NULL);
    explore_start(close_channel, NULL);
    explore_join();
    check_drained();
}

static void a_close_ends_a_waiting_sender(void)
{
    ch = make(0);
    explore_start(send_one, NULL);
    explore_start(close_channel, NULL);
    explore_join();
    explore_check_eq(sent[1], WEIR_ECLOSED);
    weir_chan_destroy(ch);
}

static void cancel_sender(void *arg)
{
    (void)arg;
    wi_parker_cancel(&model_parkers[1], WEIR_ECANCELED);
}

static void a_canceled_sender_has_sent_or_not(void)
{
    ch = make(0);
    explore_start(send_one, NULL);
    explore_start(receive_until, NULL);
    explore_start(cancel_sender, NULL);
    explore_join();
    explore_check(sent[1] == 0 || sent[1] == WEIR_ECANCELED || sent[1] == WEIR_ETIMEDOUT);
    explore_check_eq(received, sent[1] == 0);
    explore_saw(received);
    weir_chan_destroy(ch);
}

EXPLORE_MAIN(EXPLORE(the_receiver_may_destroy_a_rendezvous),
             EXPLORE(the_receiver_may_destroy_a_buffer),
             EXPLORE(the_sender_may_destroy_a_rendezvous), EXPLORE(a_buffer_of_one_keeps_the_order),
             EXPLORE_WITH(both_or_neither_meet_at_the_deadline, .outcomes = 2),
             EXPLORE(two_senders_and_one_place),
             EXPLORE_WITH(a_close_loses_no_accepted_message, .outcomes = 2),
             EXPLORE_WITH(a_close_races_a_rendezvous, .outcomes = 2),
             EXPLORE(a_close_ends_a_waiting_sender),
             EXPLORE_WITH(a_canceled_sender_has_sent_or_not, .outcomes = 2))
