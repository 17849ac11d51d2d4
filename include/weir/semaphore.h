/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SEMAPHORE_H
#define WEIR_SEMAPHORE_H

/* Semaphore: a number of permits that are acquired and released, by whomever.  It bounds how much
 * of something goes on at once. */

#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

#define WEIR_SEMAPHORE_PERMITS_MAX ((int64_t)INT32_MAX)

typedef struct weir_semaphore weir_semaphore;

/* All-zero means: no permits yet, and no bound of its own. */
struct weir_semaphore_opts {
    size_t size;         /* sizeof(struct weir_semaphore_opts); 0 counts as that */
    int64_t permits;     /* to begin with; 0 or more */
    int64_t permits_max; /* never more than these; 0: WEIR_SEMAPHORE_PERMITS_MAX */
};

/* Makes a semaphore.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 * 0; WEIR_EINVAL (a number is negative or beyond its maximum, or an option of a later version);
 * WEIR_ENOMEM.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_semaphore_create(weir_semaphore **out,
                                              const struct weir_semaphore_opts *opts);

/* Frees it.  Aborts if somebody waits for permits.  Callers: any thread; never waits. */
WEIR_API void weir_semaphore_destroy(weir_semaphore *semaphore);

/* Takes `permits` at once, waiting until there are so many.
 *
 *   permits   1 to permits_max
 *   deadline  absolute ns of weir_now(); WEIR_DONT_WAIT tries once
 *
 *   0               the caller has them
 *   WEIR_ETIMEDOUT  the deadline came first; none was taken
 *   WEIR_ECANCELED  the calling task was canceled first; none was taken
 *   WEIR_EINVAL     fewer than 1, or more than there can ever be; none was taken
 *
 * Callers: task (parks), thread (blocks).
 * Order: first come, first served: one that asks for few waits behind one that asks for many, and
 * nobody who comes later overtakes. */
WEIR_API WEIR_CHECK int weir_semaphore_acquire(weir_semaphore *semaphore, int64_t permits,
                                               weir_time deadline);

/* Gives `permits` (1 or more) back, or adds them.  Aborts, with both numbers, if there would be
 * more than permits_max.  Callers: any thread, whoever acquired them; never waits. */
WEIR_API void weir_semaphore_release(weir_semaphore *semaphore, int64_t permits);

/* How many permits there are now.  Callers: any thread; never waits. */
WEIR_API int64_t weir_semaphore_available(const weir_semaphore *semaphore);

#endif
