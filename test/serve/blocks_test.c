/* SPDX-License-Identifier: MIT */
/* Block caches: what is given comes back first, and the cache does not grow without bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serve/blocks.h"

static void classes_hold_what_they_say(void **state)
{
    (void)state;
    assert_int_equal(wi_block_class_for(0), WI_BLOCK_1K);
    assert_int_equal(wi_block_class_for(1024), WI_BLOCK_1K);
    assert_int_equal(wi_block_class_for(1025), WI_BLOCK_4K);
    assert_int_equal(wi_block_class_for(16 * 1024), WI_BLOCK_16K);
    assert_int_equal(wi_block_class_for(64 * 1024), WI_BLOCK_64K);
    for (int class = 0; class < WI_BLOCK_CLASSES; class ++) {
        char *block = wi_block_take((enum wi_block_class) class);
        assert_non_null(block);
        memset(block, 1, wi_block_bytes((enum wi_block_class) class));
        wi_block_give((enum wi_block_class) class, block);
    }
}

static void the_warmest_block_comes_first(void **state)
{
    (void)state;
    void *first = wi_block_take(WI_BLOCK_4K);
    void *second = wi_block_take(WI_BLOCK_4K);
    wi_block_give(WI_BLOCK_4K, first);
    wi_block_give(WI_BLOCK_4K, second);
    assert_ptr_equal(wi_block_take(WI_BLOCK_4K), second);
    assert_ptr_equal(wi_block_take(WI_BLOCK_4K), first);
    wi_block_give(WI_BLOCK_4K, first);
    wi_block_give(WI_BLOCK_4K, second);
}

static void a_wave_does_not_hold_its_memory(void **state)
{
    (void)state;
    enum {
        WAVE = 64
    };
    void *blocks[WAVE];
    for (int i = 0; i < WAVE; i++) {
        blocks[i] = wi_block_take(WI_BLOCK_64K);
        assert_non_null(blocks[i]);
    }
    for (int i = 0; i < WAVE; i++)
        wi_block_give(WI_BLOCK_64K, blocks[i]);
    assert_int_equal(wi_block_cached(WI_BLOCK_64K), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_hold_what_they_say),
        cmocka_unit_test(the_warmest_block_comes_first),
        cmocka_unit_test(a_wave_does_not_hold_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
