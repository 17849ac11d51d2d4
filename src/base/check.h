/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_CHECK_H
#define WI_BASE_CHECK_H

/* Checks that stay on in release builds.  A failing one is a bug of the caller or of weir: it
 * prints file, line, condition and values to standard error and aborts.  Never for what the
 * outside world may cause: that is a result code. */

#include <stdint.h>

#define wi_likely(condition) __builtin_expect(!!(condition), 1)
/* Where a struct that is passed on shall stay in registers. */
#define WI_INLINE static inline __attribute__((always_inline))
#define wi_unlikely(condition) __builtin_expect(!!(condition), 0)

_Noreturn void wi_bug(const char *file, int line, const char *condition);
_Noreturn void wi_bug_values(const char *file, int line, const char *condition, int64_t left,
                             int64_t right);
_Noreturn void wi_bug_misuse(const char *call, const char *what, int64_t value);
_Noreturn void wi_bug_misuse_values(const char *call, const char *left_name, int64_t left,
                                    const char *right_name, int64_t right);

#define wi_bug_unless(condition)                                                                   \
    do {                                                                                           \
        if (wi_unlikely(!(condition)))                                                             \
            wi_bug(__FILE__, __LINE__, #condition);                                                \
    } while (0)

/* wi_bug_unless_cmp(count, <=, cap): like wi_bug_unless and shows both values. */
#define wi_bug_unless_cmp(left, op, right)                                                         \
    do {                                                                                           \
        if (wi_unlikely(!((left)op(right))))                                                       \
            wi_bug_values(__FILE__, __LINE__, #left " " #op " " #right, (int64_t)(left),           \
                          (int64_t)(right));                                                       \
    } while (0)

/* The struct that holds the member at `pointer`. */
#define wi_container_of(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define wi_count_of(array) (sizeof(array) / sizeof((array)[0]))

#endif
