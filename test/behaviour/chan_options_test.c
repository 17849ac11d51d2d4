/* SPDX-License-Identifier: MIT */
/* Channels by their options: empty messages, buffers that grow, sizes that are checked; and the bad
 * input that each has one result for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static weir_chan *make(const struct weir_chan_opts *opts)
{
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(&ch, opts), 0);
    return ch;
}

RUN(empty_messages_are_counted)
{
    for (size_t cap = 0; cap < 3; cap++) {
        weir_chan *ch = make(&(struct weir_chan_opts){ .cap_elems = cap });
        CHECK_EQ(weir_chan_cap(ch), cap);
        for (size_t i = 0; i < cap; i++) {
            CHECK_EQ(weir_chan_send(ch, NULL, WEIR_DONT_WAIT), 0);
            CHECK_EQ(weir_chan_len(ch), i + 1);
        }
        CHECK_EQ(weir_chan_send(ch, NULL, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        CHECK_EQ(weir_chan_close(ch), 0);
        for (size_t i = 0; i < cap; i++)
            CHECK_EQ(weir_chan_recv(ch, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_chan_recv(ch, NULL, WEIR_NO_DEADLINE), WEIR_ECLOSED);
        weir_chan_destroy(ch);
    }
    return 0;
}

RUN(options_that_contradict_each_other_are_refused)
{
    weir_chan *ch = NULL;
    const struct weir_chan_opts refused[] = {
        { .elem_bytes = 8, .cap_elems = 1, .grow_bytes_max = 800 },
        { .elem_bytes = 0, .grow_bytes_max = 800 },
        { .elem_bytes = 8, .grow_bytes_max = 7 },
        { .elem_bytes = WEIR_CHAN_ELEM_BYTES_MAX + 1, .grow_bytes_max = SIZE_MAX },
        { .elem_bytes = WEIR_CHAN_ELEM_BYTES_MAX + 1 },
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        CHECK_EQ(weir_chan_create(&ch, &refused[i]), WEIR_EINVAL);
    CHECK_EQ(weir_chan_create(
                 &ch, &(struct weir_chan_opts){ .elem_bytes = 8, .cap_elems = SIZE_MAX / 8 }),
             WEIR_ENOMEM);
    CHECK(ch == NULL);
    return 0;
}

struct stream {
    weir_chan *ch;
    int senders;
    int each;
    int sent;
};

struct item {
    int sender;
    int number;
    char rest[50];
};

static int send_all(void *arg)
{
    struct stream *stream = arg;
    struct item item = { .sender = bump(&stream->senders) - 1 };
    for (; item.number < stream->each; item.number++) {
        CHECK_EQ(weir_chan_send_of(stream->ch, &item, WEIR_NO_DEADLINE), 0);
        bump(&stream->sent);
    }
    return 0;
}

/* The senders wait once the bound is reached, and nothing is lost or out of order. */
RUN(a_growing_buffer_takes_what_comes_up_to_its_bound)
{
    enum {
        SENDERS = 3,
        EACH = 3000,
        BOUND = 2000
    };
    struct stream stream = { .each = EACH };
    stream.ch = make(&(struct weir_chan_opts){ .elem_bytes = sizeof(struct item),
                                               .grow_bytes_max = BOUND * sizeof(struct item) });
    CHECK_EQ(weir_chan_cap(stream.ch), BOUND);
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < SENDERS; i++)
        CHECK_EQ(weir_go(send_all, &stream), 0);
    while (weir_chan_len(stream.ch) < BOUND)
        CHECK_EQ(weir_sleep(weir_in_ns(200000)), 0);
    CHECK(peek(&stream.sent) <= BOUND);
    int next[SENDERS] = { 0 };
    for (int i = 0; i < SENDERS * EACH; i++) {
        struct item item;
        CHECK_EQ(weir_chan_recv_of(stream.ch, &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(item.number, next[item.sender]);
        next[item.sender]++;
        CHECK(weir_chan_len(stream.ch) <= BOUND);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_chan_len(stream.ch), 0);
    weir_chan_destroy(stream.ch);
    return 0;
}

RUN(a_growing_buffer_is_drained_after_close_and_then_zeroes)
{
    weir_chan *ch =
        make(&(struct weir_chan_opts){ .elem_bytes = sizeof(int), .grow_bytes_max = 100000 });
    for (int i = 0; i < 5000; i++)
        CHECK_EQ(weir_chan_send_of(ch, &i, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_chan_close(ch), 0);
    int got = 0;
    CHECK_EQ(weir_chan_send_of(ch, &got, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    for (int i = 0; i < 5000; i++) {
        CHECK_EQ(weir_chan_recv_of(ch, &got, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(got, i);
    }
    CHECK_EQ(weir_chan_recv_of(ch, &got, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    CHECK_EQ(got, 0);
    CHECK_EQ(weir_chan_close(ch), WEIR_ECLOSED);
    weir_chan_destroy(ch);
    return 0;
}

RUN(a_closed_channel_zeroes_what_is_received_into)
{
    weir_chan *ch = make(&(struct weir_chan_opts){ .elem_bytes = 1000 });
    CHECK_EQ(weir_chan_close(ch), 0);
    unsigned char bytes[1002];
    memset(bytes, 7, sizeof(bytes));
    CHECK_EQ(weir_chan_recv(ch, bytes + 1, WEIR_DONT_WAIT), WEIR_ECLOSED);
    for (int i = 1; i <= 1000; i++)
        CHECK_EQ(bytes[i], 0);
    CHECK_EQ(bytes[0], 7);
    CHECK_EQ(bytes[1001], 7);
    weir_chan_destroy(ch);
    return 0;
}

/* -- misuse ----------------------------------------------------------------------------------- */

static void send_wrong_size(void)
{
    weir_chan *ch = make(&(struct weir_chan_opts){ .elem_bytes = 24, .cap_elems = 1 });
    const short narrow = 1;
    IGNORE(weir_chan_send_of(ch, &narrow, WEIR_DONT_WAIT));
}

static void receive_wrong_size(void)
{
    weir_chan *ch = make(&(struct weir_chan_opts){ .elem_bytes = 24, .cap_elems = 1 });
    short narrow;
    IGNORE(weir_chan_recv_of(ch, &narrow, WEIR_DONT_WAIT));
}

static void a_wrong_element_size_aborts_with_both(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(send_wrong_size, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "2 and 24"));
    assert_int_equal(run_in_child(receive_wrong_size, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "2 and 24"));
}

static int wait_for_ever(void *arg)
{
    int got;
    return weir_chan_recv(arg, &got, WEIR_NO_DEADLINE);
}

static int destroy_in_use(void *arg)
{
    (void)arg;
    weir_chan *ch = make(&(struct weir_chan_opts){ .elem_bytes = sizeof(int) });
    CHECK_EQ(weir_go(wait_for_ever, ch), 0);
    await_waiters("receive from channel", 1);
    weir_chan_destroy(ch);
    return 0;
}

static void destroy_while_waited_for(void)
{
    run_body(destroy_in_use, NULL);
}

static void destroying_a_channel_that_is_waited_for_aborts(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(destroy_while_waited_for, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "receivers"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_messages_are_counted),
        cmocka_unit_test(options_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_growing_buffer_takes_what_comes_up_to_its_bound),
        cmocka_unit_test(a_growing_buffer_is_drained_after_close_and_then_zeroes),
        cmocka_unit_test(a_closed_channel_zeroes_what_is_received_into),
        cmocka_unit_test(a_wrong_element_size_aborts_with_both),
        cmocka_unit_test(destroying_a_channel_that_is_waited_for_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
