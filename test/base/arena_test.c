/* SPDX-License-Identifier: MIT */
/* The arena: alignment, the cap, reset, and that pieces never overlap. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

static size_t bytes_out;
static int blocks_out;
static bool refuse;

static void *take(void *user, size_t bytes)
{
    assert_ptr_equal(user, &bytes_out);
    if (refuse)
        return NULL;
    bytes_out += bytes;
    blocks_out++;
    return malloc(bytes);
}

static void give(void *user, void *memory, size_t bytes)
{
    assert_ptr_equal(user, &bytes_out);
    bytes_out -= bytes;
    blocks_out--;
    free(memory);
}

static const struct wi_arena_source source = { take, give, &bytes_out };
static struct wi_arena arena;

static void the_first_block_is_used_before_any_other(void **state)
{
    (void)state;
    _Alignas(16) char first[256];
    wi_arena_init(&arena, first, sizeof(first), 65536, source);
    for (int i = 0; i < 16; i++)
        assert_ptr_equal(wi_arena_alloc(&arena, 16), first + 16 * i);
    assert_int_equal(blocks_out, 0);
    assert_non_null(wi_arena_alloc(&arena, 1));
    assert_int_equal(blocks_out, 1);
    wi_arena_reset(&arena);
    assert_int_equal(blocks_out, 0);
    assert_ptr_equal(wi_arena_alloc(&arena, 1), first);
    wi_arena_reset(&arena);
}

static void a_crooked_first_block_gives_straight_memory(void **state)
{
    (void)state;
    _Alignas(16) char first[64];
    wi_arena_init(&arena, first + 3, 40, 0, source);
    char *memory = wi_arena_alloc(&arena, 27);
    assert_ptr_equal(memory, first + 16); /* 16 to 43 is the rest of the block */
    assert_null(wi_arena_alloc(&arena, 1));
    wi_arena_init(&arena, first + 1, 8, 0, source); /* too small for even one step */
    assert_null(wi_arena_alloc(&arena, 1));
    wi_arena_init(&arena, NULL, 0, 0, source);
    assert_non_null(wi_arena_alloc(&arena, 0));
    assert_null(wi_arena_alloc(&arena, 1));
    assert_null(wi_arena_printf(&arena, "%d", 1));
}

static void the_cap_bounds_what_is_grown(void **state)
{
    (void)state;
    wi_arena_init(&arena, NULL, 0, 100000, source);
    size_t got = 0;
    while (wi_arena_alloc(&arena, 1000) != NULL)
        got += 1000;
    assert_true(wi_arena_grown(&arena) <= 100000);
    assert_int_equal(wi_arena_grown(&arena), bytes_out);
    assert_true(got >= 90000);
    assert_null(wi_arena_alloc(&arena, SIZE_MAX));
    assert_null(wi_arena_alloc(&arena, SIZE_MAX - 20));
    wi_arena_reset(&arena);
    assert_int_equal(bytes_out, 0);
    assert_null(wi_arena_alloc(&arena, 100000)); /* its block's head does not fit too */
    assert_non_null(wi_arena_alloc(&arena, 99000));
    wi_arena_reset(&arena);
}

static void a_source_without_memory_gives_null_and_leaves_the_arena_well(void **state)
{
    (void)state;
    char first[64];
    wi_arena_init(&arena, first, sizeof(first), 100000, source);
    refuse = true;
    assert_null(wi_arena_alloc(&arena, 1000));
    assert_null(wi_arena_strdup(&arena, "a text that is longer than the sixty-four bytes there are"
                                        " in the first block"));
    refuse = false;
    assert_non_null(wi_arena_alloc(&arena, 16));
    assert_int_equal(blocks_out, 0);
    wi_arena_reset(&arena);
}

static void pieces_are_aligned_and_never_overlap(void **state)
{
    (void)state;
    enum {
        PIECES = 500
    };
    unsigned char *piece[PIECES];
    size_t bytes[PIECES];
    char first[512];
    struct wi_rng rng;
    wi_rng_init(&rng, 5);
    wi_arena_init(&arena, first, sizeof(first), (size_t)8 << 20, source);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < PIECES; i++) {
            bytes[i] = wi_rng_below(&rng, i % 50 == 0 ? 20000 : 200);
            piece[i] = wi_arena_alloc(&arena, bytes[i]);
            assert_non_null(piece[i]);
            assert_int_equal((uintptr_t)piece[i] % WI_ARENA_ALIGN, 0);
            memset(piece[i], i, bytes[i]);
        }
        for (int i = 0; i < PIECES; i++) {
            for (size_t j = 0; j < bytes[i]; j++)
                assert_int_equal(piece[i][j], (unsigned char)i);
        }
        wi_arena_reset(&arena);
        assert_int_equal(bytes_out, 0);
    }
}

static void texts_are_copied_and_formatted_whole(void **state)
{
    (void)state;
    char first[32];
    wi_arena_init(&arena, first, sizeof(first), 65536, source);
    assert_string_equal(wi_arena_strdup(&arena, "abc"), "abc");
    assert_string_equal(wi_arena_strndup(&arena, "abcdef", 2), "ab");
    for (int width = 0; width < 200; width += 7) {
        char wanted[256];
        snprintf(wanted, sizeof(wanted), "%*d!", width, 5);
        assert_string_equal(wi_arena_printf(&arena, "%*d!", width, 5), wanted);
    }
    const char *zero = wi_arena_zalloc(&arena, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zero[i], 0);
    wi_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_block_is_used_before_any_other),
        cmocka_unit_test(a_crooked_first_block_gives_straight_memory),
        cmocka_unit_test(the_cap_bounds_what_is_grown),
        cmocka_unit_test(a_source_without_memory_gives_null_and_leaves_the_arena_well),
        cmocka_unit_test(pieces_are_aligned_and_never_overlap),
        cmocka_unit_test(texts_are_copied_and_formatted_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
