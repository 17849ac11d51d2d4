/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ONCE_H
#define WEIR_ONCE_H

/* Once: something that is done by whoever comes first, while the others wait for it.
 *
 *     static weir_once table_once = WEIR_ONCE_INIT;
 *     int rc = weir_once_run(&table_once, make_table, NULL, WEIR_NO_DEADLINE);
 *
 * Unlike other objects it is not created, because two that come first at once would have to agree
 * on who creates it: it lies wherever zeroes do. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

/* Begins as all zeroes; must not be moved or copied afterwards. */
typedef struct weir_once {
    uint64_t inside[8]; /* the library's */
} weir_once;

/* clang-format off */
#define WEIR_ONCE_INIT { { 0 } }
/* clang-format on */

/* Calls fn(arg) unless that was done through this `once` before; while another is at it, waits.
 *
 *   once      borrowed; must outlive every call on it
 *   fn        runs in the caller that came first, and may wait
 *   deadline  absolute ns of weir_now(), for the wait; WEIR_DONT_WAIT does not wait for another
 *
 *   what fn returned  also to every later caller: a call that failed is done too, and is not
 *                     tried again
 *   WEIR_ETIMEDOUT    another is at it, and the deadline came first
 *   WEIR_ECANCELED    the calling task is canceled, and fn has not returned
 *   WEIR_EDEADLK      the caller is inside fn
 *
 * Where fn may return one of these, weir_once_done() tells them apart.
 * Callers: task (parks), thread (blocks).  Cost: a load once it is done. */
WEIR_API WEIR_CHECK int weir_once_run(weir_once *once, int (*fn)(void *arg), void *arg,
                                      weir_time deadline);

/* Whether fn has returned.  Callers: any thread; never waits. */
WEIR_API bool weir_once_done(const weir_once *once);

#endif
