/* SPDX-License-Identifier: MIT */
/* A buffer in pieces: its order over many pieces, its memory back when it is empty, and what is
 * when there is none.  The allocator counts, and fails when told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chan/chan.h"
#include "weir/weir.h"

static int pieces_live;
static bool none_left;

static void *allocate(void *user, size_t bytes)
{
    (void)user;
    if (none_left)
        return NULL;
    pieces_live++;
    return malloc(bytes);
}

static void release(void *user, void *memory)
{
    (void)user;
    pieces_live -= memory != NULL;
    free(memory);
}

static weir_chan *make(size_t elem_bytes, size_t grow_bytes_max)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = elem_bytes,
                                         .grow_bytes_max = grow_bytes_max };
    assert_int_equal(weir_chan_create(&ch, &opts), 0);
    return ch;
}

static void messages_keep_their_order_and_memory_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = { 8, 24, 1000, 4088, 4096, 65536 };
    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        const int before = pieces_live;
        weir_chan *ch = make(sizes[k], 100 * sizes[k]);
        uint64_t *msg = calloc(1, sizes[k]);
        assert_non_null(msg);
        uint64_t sent = 0;
        uint64_t received = 0;
        const int empty = pieces_live;
        for (int round = 0; round < 50; round++) {
            for (int i = 0; i < 7 + round % 5 && sent - received < 100; i++) {
                *msg = sent++;
                assert_int_equal(weir_chan_send(ch, msg, WEIR_DONT_WAIT), 0);
            }
            for (int i = 0; i < 5 && received < sent; i++) {
                assert_int_equal(weir_chan_recv(ch, msg, WEIR_DONT_WAIT), 0);
                assert_int_equal(*msg, received++);
            }
            assert_true(wi_chan_valid(ch));
            assert_int_equal(weir_chan_len(ch), sent - received);
        }
        while (received < sent) {
            assert_int_equal(weir_chan_recv(ch, msg, WEIR_DONT_WAIT), 0);
            assert_int_equal(*msg, received++);
        }
        assert_int_equal(weir_chan_recv(ch, msg, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        assert_true(pieces_live <= empty + 1);
        weir_chan_destroy(ch);
        free(msg);
        assert_int_equal(pieces_live, before);
    }
}

static void the_bound_is_exact(void **state)
{
    (void)state;
    weir_chan *ch = make(8, 8003);
    uint64_t value = 0;
    assert_int_equal(weir_chan_cap(ch), 1000);
    for (; value < 1000; value++)
        assert_int_equal(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
    assert_int_equal(weir_chan_send(ch, &value, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    assert_int_equal(weir_chan_recv(ch, &value, WEIR_DONT_WAIT), 0);
    assert_int_equal(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
    assert_int_equal(weir_chan_len(ch), 1000);
    weir_chan_destroy(ch);
}

static void without_memory_it_is_full_until_there_is_room_again(void **state)
{
    (void)state;
    weir_chan *ch = make(8, 800000);
    uint64_t sent = 0;
    uint64_t got = 0;
    none_left = true;
    while (weir_chan_send(ch, &sent, WEIR_DONT_WAIT) == 0)
        sent++;
    assert_true(sent > 100 && sent < 1000); /* one piece */
    struct weir_select_case one = { .op = WEIR_SELECT_SEND, .ch = ch, .msg = &sent };
    assert_int_equal(weir_select(&one, 1, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    for (uint64_t i = 0; i < sent; i++) {
        assert_int_equal(weir_chan_recv(ch, &got, WEIR_DONT_WAIT), 0);
        assert_int_equal(got, i);
    }
    assert_int_equal(weir_chan_send(ch, &sent, WEIR_DONT_WAIT), 0);
    none_left = false;
    for (uint64_t i = 0; i < 5000; i++) {
        assert_int_equal(weir_select(&one, 1, WEIR_DONT_WAIT), 0);
        assert_true(wi_chan_valid(ch));
    }
    assert_int_equal(weir_chan_len(ch), 5001);
    weir_chan_destroy(ch);
    none_left = true;
    const struct weir_chan_opts opts = { .elem_bytes = 8, .grow_bytes_max = 80 };
    assert_int_equal(weir_chan_create(&ch, &opts), WEIR_ENOMEM);
    none_left = false;
}

static void what_a_select_received_gives_its_memory_back(void **state)
{
    (void)state;
    weir_chan *ch = make(8, 800000);
    uint64_t value = 0;
    const int empty = pieces_live;
    for (; value < 50000; value++)
        assert_int_equal(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
    assert_true(pieces_live > empty + 50);
    struct weir_select_case one = { .op = WEIR_SELECT_RECV, .ch = ch, .msg = &value };
    for (uint64_t i = 0; i < 50000; i++) {
        assert_int_equal(weir_select(&one, 1, WEIR_DONT_WAIT), 0);
        assert_int_equal(value, i);
    }
    assert_int_equal(weir_select(&one, 1, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    assert_true(pieces_live <= empty + 1);
    weir_chan_destroy(ch);
}

int main(void)
{
    const struct weir_allocator counting = { .allocate = allocate, .release = release };
    if (weir_allocator_set(&counting) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_order_and_memory_comes_back),
        cmocka_unit_test(the_bound_is_exact),
        cmocka_unit_test(without_memory_it_is_full_until_there_is_room_again),
        cmocka_unit_test(what_a_select_received_gives_its_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
