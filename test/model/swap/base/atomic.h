/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_ATOMIC_H
#define WI_BASE_ATOMIC_H

/* The interleaving explorer's base/atomic.h: the same types and operations, each of them a call
 * into test/model/memory.c that says where it stands.  Found before src/ by include path. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

enum explore_order {
    EXPLORE_RELAXED,
    EXPLORE_ACQUIRE,
    EXPLORE_RELEASE,
    EXPLORE_ACQ_REL,
    EXPLORE_SEQ_CST
};

enum explore_rmw {
    EXPLORE_SWAP,
    EXPLORE_ADD,
    EXPLORE_SUB,
    EXPLORE_OR,
    EXPLORE_AND
};

/* Where an operation stands in the source. */
struct explore_site {
    const char *file;
    int line;
    const char *function;
    const char *operation;
    const char *object;
    enum explore_order order;
};

uint64_t explore_load(const struct explore_site *site, const void *address, size_t bytes);
void explore_store(const struct explore_site *site, void *address, size_t bytes, uint64_t value);
uint64_t explore_rmw(const struct explore_site *site, void *address, size_t bytes,
                     enum explore_rmw kind, uint64_t operand);
bool explore_cas(const struct explore_site *site, void *address, size_t bytes, void *expected,
                 uint64_t value);

#define EXPLORE_SITE(name, a, its_order)                                                           \
    (__extension__({                                                                               \
        static const struct explore_site explore_site_here = {                                     \
            .file = __FILE__,                                                                      \
            .line = __LINE__,                                                                      \
            .function = __func__,                                                                  \
            .operation = name,                                                                     \
            .object = #a,                                                                          \
            .order = its_order,                                                                    \
        };                                                                                         \
        &explore_site_here;                                                                        \
    }))
#define EXPLORE_LOAD(name, a, order)                                                               \
    ((__typeof__((a)->value))(uintptr_t)explore_load(EXPLORE_SITE(name, a, order), &(a)->value,    \
                                                     sizeof((a)->value)))
#define EXPLORE_STORE(name, a, v, order)                                                           \
    explore_store(EXPLORE_SITE(name, a, order), &(a)->value, sizeof((a)->value),                   \
                  (uint64_t)(uintptr_t)(v))
#define EXPLORE_RMW(name, a, v, order, kind)                                                       \
    ((__typeof__((a)->value))(uintptr_t)explore_rmw(EXPLORE_SITE(name, a, order), &(a)->value,     \
                                                    sizeof((a)->value), kind,                      \
                                                    (uint64_t)(uintptr_t)(v)))
#define EXPLORE_CAS(name, a, expected, v, order)                                                   \
    explore_cas(EXPLORE_SITE(name, a, order), &(a)->value, sizeof((a)->value), (expected),         \
                (uint64_t)(uintptr_t)(v))

#define wi_load_relaxed(a) EXPLORE_LOAD("wi_load_relaxed", a, EXPLORE_RELAXED)
#define wi_load_acquire(a) EXPLORE_LOAD("wi_load_acquire", a, EXPLORE_ACQUIRE)
#define wi_load_seq_cst(a) EXPLORE_LOAD("wi_load_seq_cst", a, EXPLORE_SEQ_CST)
#define wi_store_relaxed(a, v) EXPLORE_STORE("wi_store_relaxed", a, v, EXPLORE_RELAXED)
#define wi_store_release(a, v) EXPLORE_STORE("wi_store_release", a, v, EXPLORE_RELEASE)
#define wi_store_seq_cst(a, v) EXPLORE_STORE("wi_store_seq_cst", a, v, EXPLORE_SEQ_CST)
#define wi_swap_acq_rel(a, v) EXPLORE_RMW("wi_swap_acq_rel", a, v, EXPLORE_ACQ_REL, EXPLORE_SWAP)
#define wi_swap_acquire(a, v) EXPLORE_RMW("wi_swap_acquire", a, v, EXPLORE_ACQUIRE, EXPLORE_SWAP)
#define wi_swap_release(a, v) EXPLORE_RMW("wi_swap_release", a, v, EXPLORE_RELEASE, EXPLORE_SWAP)
#define wi_swap_seq_cst(a, v) EXPLORE_RMW("wi_swap_seq_cst", a, v, EXPLORE_SEQ_CST, EXPLORE_SWAP)
/* For planted faults only. */
#define wi_swap_relaxed(a, v) EXPLORE_RMW("wi_swap_relaxed", a, v, EXPLORE_RELAXED, EXPLORE_SWAP)
#define wi_cas_relaxed(a, expected, v)                                                             \
    EXPLORE_CAS("wi_cas_relaxed", a, expected, v, EXPLORE_RELAXED)

#define wi_add_relaxed(a, v) EXPLORE_RMW("wi_add_relaxed", a, v, EXPLORE_RELAXED, EXPLORE_ADD)
#define wi_add_acq_rel(a, v) EXPLORE_RMW("wi_add_acq_rel", a, v, EXPLORE_ACQ_REL, EXPLORE_ADD)
#define wi_add_seq_cst(a, v) EXPLORE_RMW("wi_add_seq_cst", a, v, EXPLORE_SEQ_CST, EXPLORE_ADD)
#define wi_sub_relaxed(a, v) EXPLORE_RMW("wi_sub_relaxed", a, v, EXPLORE_RELAXED, EXPLORE_SUB)
#define wi_sub_acq_rel(a, v) EXPLORE_RMW("wi_sub_acq_rel", a, v, EXPLORE_ACQ_REL, EXPLORE_SUB)
#define wi_sub_seq_cst(a, v) EXPLORE_RMW("wi_sub_seq_cst", a, v, EXPLORE_SEQ_CST, EXPLORE_SUB)
#define wi_or_acq_rel(a, v) EXPLORE_RMW("wi_or_acq_rel", a, v, EXPLORE_ACQ_REL, EXPLORE_OR)
#define wi_and_acq_rel(a, v) EXPLORE_RMW("wi_and_acq_rel", a, v, EXPLORE_ACQ_REL, EXPLORE_AND)
#define wi_cas_acq_rel(a, expected, v)                                                             \
    EXPLORE_CAS("wi_cas_acq_rel", a, expected, v, EXPLORE_ACQ_REL)
#define wi_cas_acquire(a, expected, v)                                                             \
    EXPLORE_CAS("wi_cas_acquire", a, expected, v, EXPLORE_ACQUIRE)
#define wi_cas_seq_cst(a, expected, v)                                                             \
    EXPLORE_CAS("wi_cas_seq_cst", a, expected, v, EXPLORE_SEQ_CST)

#define wi_compiler_barrier() __asm__ volatile("" ::: "memory")

#endif
