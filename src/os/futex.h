/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_FUTEX_H
#define WI_OS_FUTEX_H

/* Contract: sleep on a word.  Process-private.  Wakes may be spurious, and a wake may arrive at an
 * address whose object is gone; callers look at their own state again after every return. */

#include "base/atomic.h"
#include "weir/time.h"

/* Sleeps while *word == expected, until a wake or the deadline (WEIR_NO_DEADLINE: none).
 * 0 after a wake (or a signal), WEIR_EAGAIN if the word differs, WEIR_ETIMEDOUT. */
int wi_futex_wait(wi_atomic_u32 *word, uint32_t expected, weir_time deadline);

/* Wakes up to `count` sleepers. */
void wi_futex_wake(wi_atomic_u32 *word, int count);

#endif
