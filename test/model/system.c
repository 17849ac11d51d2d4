/* SPDX-License-Identifier: MIT */
/* What the code under test finds below it: the system, the CPU and the heap, and the calls that
 * -fsanitize=thread puts before plain accesses.
 *
 * Sleeps on a futex end by a wake or at their deadline.  Virtual time stands still but where a
 * deadline passes. */
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "base/alloc.h"
#include "base/check.h"
#include "model/engine.h"
#include "os/barrier.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sync/time.h"

/* -- futex ------------------------------------------------------------------------------------- */

struct sleep {
    const void *word;
    bool woken;
    struct sleep *next; /* in the order of their coming */
};

/* Program data like any other: it is empty when an execution begins. */
static struct sleep *sleepers;

static bool is_woken(void *arg)
{
    return ((struct sleep *)arg)->woken;
}

static void forget(struct sleep *sleep)
{
    struct sleep **place = &sleepers;
    while (*place != NULL && *place != sleep)
        place = &(*place)->next;
    if (*place == sleep)
        *place = sleep->next;
}

int wi_futex_wait(wi_atomic_u32 *word, uint32_t expected, weir_time deadline)
{
    engine_step(__builtin_frame_address(0));
    if (memory_futex_look(&word->value, sizeof(word->value)) != expected)
        return WEIR_EAGAIN;
    struct sleep sleep = { .word = word };
    struct sleep **last = &sleepers;
    while (*last != NULL)
        last = &(*last)->next;
    *last = &sleep;
    explore_block("sleeps on a futex", is_woken, &sleep, deadline);
    forget(&sleep);
    return sleep.woken ? 0 : WEIR_ETIMEDOUT;
}

void wi_futex_wake(wi_atomic_u32 *word, int count)
{
    engine_step(__builtin_frame_address(0));
    engine_tell("futex wake");
    memory_futex_wake();
    for (struct sleep *sleep = sleepers; sleep != NULL && count > 0; sleep = sleep->next) {
        if (sleep->word == word && !sleep->woken) {
            sleep->woken = true;
            count--;
        }
    }
}

/* -- time, CPU, threads ------------------------------------------------------------------------ */

void explore_deadline(weir_time at)
{
    engine->deadline = at;
}

void explore_now(weir_time now)
{
    engine->now = now;
}

weir_time wi_clock_now(void)
{
    if (engine->now < engine->deadline && engine->deadline != WEIR_NO_DEADLINE &&
        engine_choose(PREEMPTIONS, 2) == 1)
        engine->now = engine->deadline;
    return engine->now;
}

weir_time wi_clock_coarse(void)
{
    return engine->now;
}

/* A spinning thread mostly sees a change when it looks again; that it does not is a surprise. */
void wi_cpu_relax(void)
{
    if (engine_choose(STALE, 2) == 0)
        explore_pause();
}

void explore_without_membarrier(void)
{
    engine->no_barrier = true;
}

bool wi_barrier_register(void)
{
    return !engine->no_barrier;
}

void wi_barrier_all_threads(void)
{
    if (!engine->no_barrier)
        explore_membarrier();
}

void wi_os_thread_at_exit(void (*fn)(void *), void *arg)
{
    (void)fn;
    (void)arg;
}

int wi_os_thread_id(void)
{
    return explore_self() + 1;
}

void wi_os_thread_yield(void)
{
    explore_pause();
}

/* -- checks and heap --------------------------------------------------------------------------- */

void wi_bug(const char *file, int line, const char *condition)
{
    explore_fail("bug at %s:%d: expected %s", file, line, condition);
}

void wi_bug_values(const char *file, int line, const char *condition, int64_t left, int64_t right)
{
    explore_fail("bug at %s:%d: expected %s, have %lld and %lld", file, line, condition,
                 (long long)left, (long long)right);
}

void wi_bug_misuse_values(const char *call, const char *what, int64_t value, const char *other,
                          int64_t other_value)
{
    explore_fail("misuse of %s: %s %lld, %s %lld", call, what, (long long)value, other,
                 (long long)other_value);
}

void wi_bug_misuse(const char *call, const char *what, int64_t value)
{
    explore_fail("misuse of %s: %s (%lld)", call, what, (long long)value);
}

/* Memory is never used again within an execution; a block's size stands before it.  To free it is
 * to write it: an earlier access must be ordered before, a later one is an error of its own. */
void *wi_alloc(size_t bytes)
{
    const size_t whole = (bytes + 2 * ARENA_UNIT - 1) / ARENA_UNIT * ARENA_UNIT;
    if (whole > ARENA_BYTES - engine->arena_used)
        return NULL;
    uint8_t *block = engine->arena + engine->arena_used;
    engine->arena_used += whole;
    memcpy(block, &whole, sizeof(whole));
    return block + ARENA_UNIT;
}

void *wi_alloc_zeroed(size_t count, size_t bytes)
{
    void *memory = wi_alloc(count * bytes);
    if (memory != NULL)
        memset(memory, 0, count * bytes);
    return memory;
}

void wi_free(void *memory)
{
    if (memory == NULL)
        return;
    const uint8_t *block = (const uint8_t *)memory - ARENA_UNIT;
    size_t whole;
    memcpy(&whole, block, sizeof(whole));
    memory_access(memory, whole - ARENA_UNIT, true);
    memset(engine->arena_freed + (size_t)(block - engine->arena) / ARENA_UNIT + 1, 1,
           whole / ARENA_UNIT - 1);
}

void system_reset(void)
{
    memset(engine->arena_freed, 0, engine->arena_used / ARENA_UNIT);
    engine->arena_used = 0;
}

/* -- plain accesses ---------------------------------------------------------------------------- */

void *explore_memcpy(void *target, const void *source, size_t bytes);
void *explore_memset(void *target, int byte, size_t bytes);

void *explore_memcpy(void *target, const void *source, size_t bytes)
{
    memory_access(source, bytes, false);
    memory_access(target, bytes, true);
    return memcpy(target, source, bytes);
}

void *explore_memset(void *target, int byte, size_t bytes)
{
    memory_access(target, bytes, true);
    return memset(target, byte, bytes);
}

#define ACCESS(bytes)                                                                              \
    void __tsan_read##bytes(void *address);                                                        \
    void __tsan_write##bytes(void *address);                                                       \
    void __tsan_unaligned_read##bytes(void *address);                                              \
    void __tsan_unaligned_write##bytes(void *address);                                             \
    void __tsan_read##bytes(void *address)                                                         \
    {                                                                                              \
        memory_access(address, bytes, false);                                                      \
    }                                                                                              \
    void __tsan_write##bytes(void *address)                                                        \
    {                                                                                              \
        memory_access(address, bytes, true);                                                       \
    }                                                                                              \
    void __tsan_unaligned_read##bytes(void *address)                                               \
    {                                                                                              \
        memory_access(address, bytes, false);                                                      \
    }                                                                                              \
    void __tsan_unaligned_write##bytes(void *address)                                              \
    {                                                                                              \
        memory_access(address, bytes, true);                                                       \
    }

ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_init(void);
void __tsan_read_range(void *address, size_t bytes);
void __tsan_write_range(void *address, size_t bytes);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

void __tsan_init(void)
{
}

void __tsan_read_range(void *address, size_t bytes)
{
    memory_access(address, bytes, false);
}

void __tsan_write_range(void *address, size_t bytes)
{
    memory_access(address, bytes, true);
}

void __tsan_func_entry(void *pc)
{
    (void)pc;
}

void __tsan_func_exit(void)
{
}

void *__tsan_get_current_fiber(void)
{
    return NULL;
}

void *__tsan_create_fiber(unsigned flags)
{
    (void)flags;
    return NULL;
}

void __tsan_destroy_fiber(void *fiber)
{
    (void)fiber;
}

void __tsan_switch_to_fiber(void *fiber, unsigned flags)
{
    (void)fiber;
    (void)flags;
}
