/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_ATOMIC_H
#define WI_BASE_ATOMIC_H

/* Atomics with the order in the name, on typed wrappers, so that a plain access does not compile.
 * The interleaving explorer swaps this header by include path. */

#include <stdbool.h>
#include <stdint.h>

/* The operations are macros over one-member structs: the struct gives the typing, the builtin
 * the width.  `a` is always a pointer to one of the wrappers below. */
typedef struct wi_atomic_u32 {
    uint32_t value;
} wi_atomic_u32;
typedef struct wi_atomic_u64 {
    uint64_t value;
} wi_atomic_u64;
typedef struct wi_atomic_i64 {
    int64_t value;
} wi_atomic_i64;
typedef struct wi_atomic_int {
    int value;
} wi_atomic_int;
typedef struct wi_atomic_ptr {
    void *value;
} wi_atomic_ptr;

#define wi_load_relaxed(a) __atomic_load_n(&(a)->value, __ATOMIC_RELAXED)
#define wi_load_acquire(a) __atomic_load_n(&(a)->value, __ATOMIC_ACQUIRE)
#define wi_load_seq_cst(a) __atomic_load_n(&(a)->value, __ATOMIC_SEQ_CST)
#define wi_store_relaxed(a, v) __atomic_store_n(&(a)->value, (v), __ATOMIC_RELAXED)
#define wi_store_release(a, v) __atomic_store_n(&(a)->value, (v), __ATOMIC_RELEASE)
#define wi_store_seq_cst(a, v) __atomic_store_n(&(a)->value, (v), __ATOMIC_SEQ_CST)
#define wi_swap_acq_rel(a, v) __atomic_exchange_n(&(a)->value, (v), __ATOMIC_ACQ_REL)
#define wi_swap_acquire(a, v) __atomic_exchange_n(&(a)->value, (v), __ATOMIC_ACQUIRE)
#define wi_swap_release(a, v) __atomic_exchange_n(&(a)->value, (v), __ATOMIC_RELEASE)
#define wi_swap_seq_cst(a, v) __atomic_exchange_n(&(a)->value, (v), __ATOMIC_SEQ_CST)
#define wi_add_relaxed(a, v) __atomic_fetch_add(&(a)->value, (v), __ATOMIC_RELAXED)
#define wi_add_acq_rel(a, v) __atomic_fetch_add(&(a)->value, (v), __ATOMIC_ACQ_REL)
#define wi_add_seq_cst(a, v) __atomic_fetch_add(&(a)->value, (v), __ATOMIC_SEQ_CST)
#define wi_sub_relaxed(a, v) __atomic_fetch_sub(&(a)->value, (v), __ATOMIC_RELAXED)
#define wi_sub_acq_rel(a, v) __atomic_fetch_sub(&(a)->value, (v), __ATOMIC_ACQ_REL)
#define wi_sub_seq_cst(a, v) __atomic_fetch_sub(&(a)->value, (v), __ATOMIC_SEQ_CST)
#define wi_or_acq_rel(a, v) __atomic_fetch_or(&(a)->value, (v), __ATOMIC_ACQ_REL)
#define wi_and_acq_rel(a, v) __atomic_fetch_and(&(a)->value, (v), __ATOMIC_ACQ_REL)

/* Strong compare-and-swap: true if *a was *expected and is now v; else *expected is what it was.
 * The order is that of an acquire load then: who lost a race may have to see why. */
#define wi_cas_acq_rel(a, expected, v)                                                             \
    __atomic_compare_exchange_n(&(a)->value, (expected), (v), false, __ATOMIC_ACQ_REL,             \
                                __ATOMIC_ACQUIRE)
#define wi_cas_acquire(a, expected, v)                                                             \
    __atomic_compare_exchange_n(&(a)->value, (expected), (v), false, __ATOMIC_ACQUIRE,             \
                                __ATOMIC_ACQUIRE)
#define wi_cas_seq_cst(a, expected, v)                                                             \
    __atomic_compare_exchange_n(&(a)->value, (expected), (v), false, __ATOMIC_SEQ_CST,             \
                                __ATOMIC_SEQ_CST)

/* There is no fence on purpose: ThreadSanitizer does not see fences, so protocols that would want
 * one use sequentially consistent operations. */

/* Keeps the compiler, not the CPU, from moving memory accesses or caching across this line. */
#define wi_compiler_barrier() __asm__ volatile("" ::: "memory")

#endif
