/* SPDX-License-Identifier: MIT */
/* Channels as users rely on them (first in first out, exact length, close), under every model. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static weir_chan *make(size_t elem_bytes, size_t cap_elems)
{
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(
                 &ch, &(struct weir_chan_opts){ .elem_bytes = elem_bytes, .cap_elems = cap_elems }),
             0);
    return ch;
}

static int send_int(weir_chan *ch, int value)
{
    return weir_chan_send(ch, &value, WEIR_NO_DEADLINE);
}

static int recv_int(weir_chan *ch)
{
    int value = -1;
    CHECK_EQ(weir_chan_recv(ch, &value, WEIR_NO_DEADLINE), 0);
    return value;
}

/* -- order and length -------------------------------------------------------------------------- */

struct line {
    weir_chan *ch;
    int count;
    int started;
    int done;
};

static int send_many(void *arg)
{
    struct line *line = arg;
    for (int i = 0; i < line->count; i++)
        CHECK_EQ(send_int(line->ch, i), 0);
    return 0;
}

RUN(messages_come_in_the_order_they_were_sent)
{
    const size_t caps[] = { 0, 1, 2, 7, 64 };
    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        weir_scope *scope;
        struct line line = { .ch = make(sizeof(int), caps[i]), .count = 2000 };
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        CHECK_EQ(weir_go(send_many, &line), 0);
        for (int k = 0; k < line.count; k++)
            CHECK_EQ(recv_int(line.ch), k);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
        weir_chan_destroy(line.ch);
    }
    return 0;
}

RUN(the_buffer_takes_exactly_its_capacity)
{
    weir_chan *ch = make(sizeof(int), 3);
    int value = 7;
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(weir_chan_len(ch), i);
        CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
    }
    CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_chan_len(ch), 3);
    CHECK_EQ(weir_chan_recv(ch, &value, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_chan_len(ch), 2);
    CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(weir_chan_recv(ch, &value, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_chan_recv(ch, &value, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    weir_chan_destroy(ch);
    return 0;
}

RUN(without_a_buffer_a_send_waits_for_its_receiver)
{
    weir_chan *ch = make(sizeof(int), 0);
    int value = 1;
    CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_chan_send(ch, &value, weir_in_ms(5)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_chan_recv(ch, &value, weir_in_ms(5)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_chan_len(ch), 0);
    weir_chan_destroy(ch);
    return 0;
}

struct waiter {
    struct line *line;
    int number;
    int got;
};

static int receive_one(void *arg)
{
    struct waiter *self = arg;
    bump(&self->line->started);
    self->got = recv_int(self->line->ch);
    bump(&self->line->done);
    return 0;
}

static int send_one(void *arg)
{
    struct waiter *self = arg;
    bump(&self->line->started);
    CHECK_EQ(send_int(self->line->ch, self->number), 0);
    return 0;
}

/* Under `loop` a task that has said that it started is in its wait before another runs.  For the
 * other schedulers test/chan/chan_test.c sees from inside when a waiter is queued. */
RUN(waiting_receivers_are_served_in_the_order_of_their_coming)
{
    enum {
        WAITERS = 10
    };
    if (model_is_parallel())
        return 0;
    struct line line = { .ch = make(sizeof(int), 0) };
    struct waiter waiters[WAITERS];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){ .line = &line, .number = i };
        CHECK_EQ(weir_go(receive_one, &waiters[i]), 0);
        await(&line.started, i + 1);
    }
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(send_int(line.ch, 100 + i), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(waiters[i].got, 100 + i);
    weir_chan_destroy(line.ch);
    return 0;
}

RUN(waiting_senders_are_served_in_the_order_of_their_coming)
{
    enum {
        WAITERS = 10
    };
    if (model_is_parallel())
        return 0;
    struct line line = { .ch = make(sizeof(int), 0) };
    struct waiter waiters[WAITERS];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){ .line = &line, .number = i };
        CHECK_EQ(weir_go(send_one, &waiters[i]), 0);
        await(&line.started, i + 1);
    }
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(recv_int(line.ch), i);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(line.ch);
    return 0;
}

RUN(messages_of_every_size_arrive_whole)
{
    const size_t sizes[] = { 1, 3, 8, 100, 4096, WEIR_CHAN_ELEM_BYTES_MAX };
    static unsigned char sent[WEIR_CHAN_ELEM_BYTES_MAX];
    static unsigned char got[WEIR_CHAN_ELEM_BYTES_MAX];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        weir_chan *ch = make(sizes[i], 2);
        for (size_t k = 0; k < sizes[i]; k++)
            sent[k] = (unsigned char)(k * 7 + i);
        CHECK_EQ(weir_chan_send(ch, sent, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_chan_recv(ch, got, WEIR_NO_DEADLINE), 0);
        CHECK(memcmp(sent, got, sizes[i]) == 0);
        weir_chan_destroy(ch);
    }
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(
                 &ch, &(struct weir_chan_opts){ .elem_bytes = WEIR_CHAN_ELEM_BYTES_MAX + 1 }),
             WEIR_EINVAL);
    CHECK_EQ(weir_chan_create(
                 &ch, &(struct weir_chan_opts){ .elem_bytes = 65536, .cap_elems = SIZE_MAX / 2 }),
             WEIR_ENOMEM);
    return 0;
}

RUN(an_empty_message_is_a_signal)
{
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(&ch, &(struct weir_chan_opts){ .cap_elems = 2 }), 0);
    CHECK_EQ(weir_chan_send(ch, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_chan_len(ch), 1);
    CHECK_EQ(weir_chan_recv(ch, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_chan_close(ch), 0);
    CHECK_EQ(weir_chan_recv(ch, NULL, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    weir_chan_destroy(ch);
    return 0;
}

/* -- close ------------------------------------------------------------------------------------- */

RUN(a_closed_channel_drains_and_then_gives_zeroes)
{
    weir_chan *ch = make(sizeof(int), 4);
    CHECK_EQ(send_int(ch, 11), 0);
    CHECK_EQ(send_int(ch, 12), 0);
    CHECK_EQ(weir_chan_close(ch), 0);
    CHECK_EQ(send_int(ch, 13), WEIR_ECLOSED);
    CHECK_EQ(weir_chan_len(ch), 2);
    CHECK_EQ(recv_int(ch), 11);
    CHECK_EQ(recv_int(ch), 12);
    for (int i = 0; i < 3; i++) {
        int value = 99;
        CHECK_EQ(weir_chan_recv(ch, &value, i == 0 ? WEIR_DONT_WAIT : WEIR_NO_DEADLINE),
                 WEIR_ECLOSED);
        CHECK_EQ(value, 0);
    }
    weir_chan_destroy(ch);
    return 0;
}

RUN(closing_twice_is_told)
{
    weir_chan *ch = make(1, 0);
    CHECK_EQ(weir_chan_close(ch), 0);
    CHECK_EQ(weir_chan_close(ch), WEIR_ECLOSED);
    weir_chan_destroy(ch);
    return 0;
}

static int expect_closed_recv(void *arg)
{
    struct line *line = arg;
    int value = 99;
    bump(&line->started);
    CHECK_EQ(weir_chan_recv(line->ch, &value, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    CHECK_EQ(value, 0);
    bump(&line->done);
    return 0;
}

static int expect_closed_send(void *arg)
{
    struct line *line = arg;
    bump(&line->started);
    CHECK_EQ(send_int(line->ch, 5), WEIR_ECLOSED);
    bump(&line->done);
    return 0;
}

static void close_wakes(weir_task_fn *fn)
{
    enum {
        WAITERS = 20
    };
    struct line line = { .ch = make(sizeof(int), 0) };
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(weir_go(fn, &line), 0);
    await(&line.started, WAITERS);
    CHECK_EQ(weir_chan_close(line.ch), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(line.done, WAITERS);
    weir_chan_destroy(line.ch);
}

RUN(close_wakes_every_receiver)
{
    close_wakes(expect_closed_recv);
    return 0;
}

RUN(a_blocked_sender_learns_that_the_channel_closed)
{
    close_wakes(expect_closed_send);
    return 0;
}

RUN(what_a_blocked_sender_had_is_not_delivered_after_close)
{
    struct line line = { .ch = make(sizeof(int), 1) };
    weir_scope *scope;
    CHECK_EQ(send_int(line.ch, 1), 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(expect_closed_send, &line), 0);
    await(&line.started, 1);
    CHECK_EQ(weir_yield(), 0);
    CHECK_EQ(weir_chan_close(line.ch), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(recv_int(line.ch), 1);
    int value;
    CHECK_EQ(weir_chan_recv(line.ch, &value, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    weir_chan_destroy(line.ch);
    return 0;
}

/* Whoever received the last message may free the channel at once. */
static int answer(void *arg)
{
    weir_chan *ch = arg;
    CHECK_EQ(send_int(ch, 42), 0);
    return 0;
}

RUN(the_receiver_may_destroy_the_channel_at_once)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 500; i++) {
        weir_chan *ch = make(sizeof(int), 0);
        CHECK_EQ(weir_go(answer, ch), 0);
        CHECK_EQ(recv_int(ch), 42);
        weir_chan_destroy(ch);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* -- fairness ---------------------------------------------------------------------------------- */

/* Two that keep each other supplied never have to wait; the third is heard all the same. */
static int feed_itself(void *arg)
{
    struct line *line = arg;
    int value = 0;
    while (peek(&line->done) == 0) {
        CHECK_EQ(weir_chan_send(line->ch, &value, WEIR_NO_DEADLINE), 0);
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_RECV, .ch = line->ch, .msg = &value }
        };
        CHECK_EQ(weir_select(cases, 1, WEIR_NO_DEADLINE), 0);
    }
    return 0;
}

static int stop_it(void *arg)
{
    bump(&((struct line *)arg)->done);
    return 0;
}

RUN(tasks_that_never_have_to_wait_do_not_starve_others)
{
    struct line line = { .ch = make(sizeof(int), 1) };
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(feed_itself, &line), 0);
    CHECK_EQ(weir_go(stop_it, &line), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(line.ch);
    return 0;
}

/* -- tasks and plain threads ------------------------------------------------------------------- */

struct mixed {
    weir_chan *requests;
    weir_chan *replies;
    int64_t sum;
};

static void *foreign_server(void *arg)
{
    struct mixed *mixed = arg;
    int value;
    while (weir_chan_recv(mixed->requests, &value, WEIR_NO_DEADLINE) == 0) {
        value *= 2;
        CHECK_EQ(weir_chan_send(mixed->replies, &value, WEIR_NO_DEADLINE), 0);
    }
    return NULL;
}

RUN(tasks_and_plain_threads_meet_on_one_channel)
{
    enum {
        THREADS = 3,
        MESSAGES = 3000
    };
    struct mixed mixed = { .requests = make(sizeof(int), 0), .replies = make(sizeof(int), 4) };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, foreign_server, &mixed), 0);
    int64_t sum = 0;
    int sent = 0;
    int received = 0;
    while (received < MESSAGES) {
        struct weir_select_case cases[2] = {
            { .op = WEIR_SELECT_SEND, .ch = sent < MESSAGES ? mixed.requests : NULL, .msg = &sent },
            { .op = WEIR_SELECT_RECV, .ch = mixed.replies, .msg = &(int){ 0 } },
        };
        const int which = weir_select(cases, 2, WEIR_NO_DEADLINE);
        CHECK(which >= 0);
        if (which == 0) {
            sent++;
        } else {
            received++;
            sum += *(int *)cases[1].msg;
        }
    }
    CHECK_EQ(sum, (int64_t)MESSAGES * (MESSAGES - 1));
    CHECK_EQ(weir_chan_close(mixed.requests), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    weir_chan_destroy(mixed.requests);
    weir_chan_destroy(mixed.replies);
    return 0;
}

/* The thread that opened the runtime is no task: it blocks, and under `loop` it turns. */
static int echo(void *arg)
{
    struct mixed *mixed = arg;
    int value;
    while (weir_chan_recv(mixed->requests, &value, WEIR_NO_DEADLINE) == 0)
        CHECK_EQ(weir_chan_send(mixed->replies, &value, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void the_opening_thread_talks_to_a_task(void **state)
{
    (void)state;
    runtime_open(NULL);
    struct mixed mixed = { .requests = make(sizeof(int), 0), .replies = make(sizeof(int), 0) };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, echo, &mixed), 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(send_int(mixed.requests, i), 0);
        CHECK_EQ(recv_int(mixed.replies), i);
    }
    int value;
    CHECK_EQ(weir_chan_recv(mixed.replies, &value, weir_in_ms(3)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_chan_close(mixed.requests), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(mixed.requests);
    weir_chan_destroy(mixed.replies);
    runtime_close();
}

/* A wake by a foreign thread must not be swallowed by the opener's own looks at its poller. */
static void a_foreign_thread_wakes_the_opening_thread_every_time(void **state)
{
    (void)state;
    runtime_open(NULL);
    struct mixed mixed = { .requests = make(sizeof(int), 0), .replies = make(sizeof(int), 0) };
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, foreign_server, &mixed), 0);
    for (int i = 0; i < 5000; i++) {
        CHECK_EQ(send_int(mixed.requests, i), 0);
        CHECK_EQ(recv_int(mixed.replies), 2 * i);
    }
    CHECK_EQ(weir_chan_close(mixed.requests), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    weir_chan_destroy(mixed.requests);
    weir_chan_destroy(mixed.replies);
    runtime_close();
}

static void channels_between_plain_threads_need_no_runtime(void **state)
{
    (void)state;
    CHECK(!weir_is_open());
    struct mixed mixed = { .requests = make(sizeof(int), 1), .replies = make(sizeof(int), 1) };
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, foreign_server, &mixed), 0);
    CHECK_EQ(send_int(mixed.requests, 21), 0);
    CHECK_EQ(recv_int(mixed.replies), 42);
    CHECK_EQ(weir_chan_close(mixed.requests), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    weir_chan_destroy(mixed.requests);
    weir_chan_destroy(mixed.replies);
}

/* -- misuse ------------------------------------------------------------------------------------ */

static void send_on_null(void)
{
    int value = 0;
    IGNORE(weir_chan_send(NULL, &value, WEIR_DONT_WAIT));
}

static void misuse_aborts_with_file_and_line(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(send_on_null, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "ch != NULL"));
    assert_non_null(strstr(text, "chan.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_in_the_order_they_were_sent),
        cmocka_unit_test(the_buffer_takes_exactly_its_capacity),
        cmocka_unit_test(without_a_buffer_a_send_waits_for_its_receiver),
        cmocka_unit_test(waiting_receivers_are_served_in_the_order_of_their_coming),
        cmocka_unit_test(waiting_senders_are_served_in_the_order_of_their_coming),
        cmocka_unit_test(messages_of_every_size_arrive_whole),
        cmocka_unit_test(an_empty_message_is_a_signal),
        cmocka_unit_test(a_closed_channel_drains_and_then_gives_zeroes),
        cmocka_unit_test(closing_twice_is_told),
        cmocka_unit_test(close_wakes_every_receiver),
        cmocka_unit_test(a_blocked_sender_learns_that_the_channel_closed),
        cmocka_unit_test(what_a_blocked_sender_had_is_not_delivered_after_close),
        cmocka_unit_test(the_receiver_may_destroy_the_channel_at_once),
        cmocka_unit_test(tasks_that_never_have_to_wait_do_not_starve_others),
        cmocka_unit_test(tasks_and_plain_threads_meet_on_one_channel),
        cmocka_unit_test(the_opening_thread_talks_to_a_task),
        cmocka_unit_test(a_foreign_thread_wakes_the_opening_thread_every_time),
        cmocka_unit_test(channels_between_plain_threads_need_no_runtime),
        cmocka_unit_test(misuse_aborts_with_file_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
