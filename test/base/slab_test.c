/* SPDX-License-Identifier: MIT */
/* The slab: caps, stable types, the way from index to record and back, and random use against a
 * model. */
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/rng.h"

static int mapped; /* chunks that are out */
static int refuse_after = -1;

static int map(size_t bytes, void **out)
{
    if (refuse_after == 0)
        return WEIR_ENOMEM;
    if (refuse_after > 0)
        refuse_after--;
    void *memory = aligned_alloc(65536, bytes);
    assert_non_null(memory);
    memset(memory, 0, bytes);
    *out = memory;
    mapped++;
    return 0;
}

static void unmap(void *memory, size_t bytes)
{
    memset(memory, 0xee, bytes);
    free(memory);
    mapped--;
}

static const struct wi_slab_source source = { map, unmap };
static struct wi_slab slab;

static void an_index_and_its_record_lead_to_each_other(void **state)
{
    (void)state;
    wi_slab_init(&slab, 248, 5000, source);
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t index;
        assert_int_equal(wi_slab_alloc(&slab, &index), 0);
        void *record = wi_slab_at(&slab, index);
        assert_int_equal((uintptr_t)record % WI_SLAB_ALIGN, 0);
        assert_int_equal(wi_slab_index(&slab, record), index);
        static const char zero[248];
        assert_memory_equal(record, zero, sizeof(zero));
        memset(record, 0xff, 248); /* must not touch the neighbour's number */
    }
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(wi_slab_index(&slab, wi_slab_at(&slab, i)), i);
    assert_true(wi_slab_valid(&slab));
    wi_slab_fini(&slab);
    assert_int_equal(mapped, 0);
}

static void the_cap_holds_exactly(void **state)
{
    (void)state;
    wi_slab_init(&slab, 100, 3, source);
    uint32_t index[3];
    uint32_t more;
    for (int i = 0; i < 3; i++)
        assert_int_equal(wi_slab_alloc(&slab, &index[i]), 0);
    assert_int_equal(wi_slab_alloc(&slab, &more), WEIR_EOVERFLOW);
    wi_slab_free(&slab, index[1]);
    assert_int_equal(wi_slab_used(&slab), 2);
    assert_int_equal(wi_slab_alloc(&slab, &more), 0);
    assert_int_equal(more, index[1]);
    wi_slab_fini(&slab);
}

static void a_freed_record_keeps_its_contents(void **state)
{
    (void)state;
    wi_slab_init(&slab, 56, 10, source);
    uint32_t index;
    assert_int_equal(wi_slab_alloc(&slab, &index), 0);
    char *record = wi_slab_at(&slab, index);
    memset(record, 'x', 56);
    wi_slab_free(&slab, index);
    for (int i = 0; i < 56; i++)
        assert_int_equal(record[i], 'x');
    assert_ptr_equal(wi_slab_find(&slab, index), record);
    wi_slab_fini(&slab);
}

static void a_stranger_index_finds_nothing(void **state)
{
    (void)state;
    wi_slab_init(&slab, 56, 1000000, source);
    uint32_t index;
    assert_int_equal(wi_slab_alloc(&slab, &index), 0);
    assert_null(wi_slab_find(&slab, 900000));
    assert_null(wi_slab_find(&slab, WI_SLAB_NONE));
    wi_slab_fini(&slab);
}

static void a_source_without_memory_passes_its_code_on(void **state)
{
    (void)state;
    wi_slab_init(&slab, 1000, 1000, source);
    refuse_after = 1;
    uint32_t index;
    int rc;
    uint32_t got = 0;
    while ((rc = wi_slab_alloc(&slab, &index)) == 0)
        got++;
    assert_int_equal(rc, WEIR_ENOMEM);
    assert_true(got > 0);
    assert_true(wi_slab_valid(&slab));
    refuse_after = -1;
    assert_int_equal(wi_slab_alloc(&slab, &index), 0);
    assert_int_equal(index, got);
    wi_slab_fini(&slab);
}

static void random_use_agrees_with_a_model(void **state)
{
    (void)state;
    enum {
        CAP = 700,
        STEPS = 50000
    };
    static bool used[CAP];
    uint32_t count = 0;
    struct wi_rng rng;
    wi_rng_init(&rng, 11);
    wi_slab_init(&slab, 184, CAP, source);
    for (int i = 0; i < STEPS; i++) {
        const uint32_t pick = wi_rng_below(&rng, CAP);
        if (used[pick]) {
            assert_int_equal(*(uint32_t *)wi_slab_at(&slab, pick), pick);
            wi_slab_free(&slab, pick);
            used[pick] = false;
            count--;
        } else if (count < CAP) {
            uint32_t index;
            assert_int_equal(wi_slab_alloc(&slab, &index), 0);
            assert_true(index < CAP);
            assert_false(used[index]);
            used[index] = true;
            *(uint32_t *)wi_slab_at(&slab, index) = index;
            count++;
        }
        assert_int_equal(wi_slab_used(&slab), count);
        if (i % 1000 == 0)
            assert_true(wi_slab_valid(&slab));
    }
    wi_slab_fini(&slab);
    assert_int_equal(mapped, 0);
}

static void a_million_records_fit_the_chunk_table(void **state)
{
    (void)state;
    wi_slab_init(&slab, 56, 1u << 20, source);
    assert_true(((uint64_t)1 << slab.chunk_shift) * WI_SLAB_CHUNKS_MAX >= 1u << 20);
    assert_true(slab.chunk_bytes <= (size_t)4 << 20);
    wi_slab_fini(&slab);
}

static void a_cache_takes_and_gives_in_batches(void **state)
{
    (void)state;
    struct wi_slab_cache cache = { .count = 0 };
    uint32_t index;
    wi_slab_init(&slab, 56, 100, source);
    assert_false(wi_slab_cache_take(&cache, &index));
    assert_int_equal(wi_slab_cache_refill(&cache, &slab), 0);
    assert_int_equal(cache.count, WI_SLAB_CACHE_MAX / 2);
    assert_int_equal(wi_slab_used(&slab), WI_SLAB_CACHE_MAX / 2);
    assert_true(wi_slab_cache_take(&cache, &index));
    assert_true(wi_slab_cache_put(&cache, index));
    wi_slab_cache_spill(&cache, &slab, 1);
    assert_int_equal(cache.count, 1);
    assert_int_equal(wi_slab_used(&slab), 1);
    wi_slab_cache_spill(&cache, &slab, 0);
    for (uint32_t i = 0; i < WI_SLAB_CACHE_MAX; i++)
        assert_true(wi_slab_cache_put(&cache, i));
    assert_false(wi_slab_cache_put(&cache, 99));
    wi_slab_fini(&slab);
}

static void an_empty_cache_on_a_full_slab_says_so(void **state)
{
    (void)state;
    struct wi_slab_cache first = { .count = 0 };
    struct wi_slab_cache second = { .count = 0 };
    wi_slab_init(&slab, 56, 5, source);
    assert_int_equal(wi_slab_cache_refill(&first, &slab), 0);
    assert_int_equal(first.count, 5);
    assert_int_equal(wi_slab_cache_refill(&second, &slab), WEIR_EOVERFLOW);
    wi_slab_fini(&slab);
}

static void a_double_free_aborts(void **state)
{
    (void)state;
    wi_slab_init(&slab, 56, 5, source);
    uint32_t index;
    assert_int_equal(wi_slab_alloc(&slab, &index), 0);
    wi_slab_free(&slab, index);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        wi_slab_free(&slab, index);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    wi_slab_fini(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_and_its_record_lead_to_each_other),
        cmocka_unit_test(the_cap_holds_exactly),
        cmocka_unit_test(a_freed_record_keeps_its_contents),
        cmocka_unit_test(a_stranger_index_finds_nothing),
        cmocka_unit_test(a_source_without_memory_passes_its_code_on),
        cmocka_unit_test(random_use_agrees_with_a_model),
        cmocka_unit_test(a_million_records_fit_the_chunk_table),
        cmocka_unit_test(a_cache_takes_and_gives_in_batches),
        cmocka_unit_test(an_empty_cache_on_a_full_slab_says_so),
        cmocka_unit_test(a_double_free_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
