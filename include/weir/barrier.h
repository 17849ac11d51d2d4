/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BARRIER_H
#define WEIR_BARRIER_H

/* Barrier: a fixed number of parties wait until all of them have come; then it is ready for the
 * next time.  Each such time is a generation.
 *
 * A party that gives up (deadline, cancellation) breaks the barrier, since the others would wait
 * for ever: they get WEIR_EBROKEN, and so does whoever comes, until weir_barrier_reset(). */

#include <stdbool.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_barrier weir_barrier;

/* Makes a barrier for so many parties.  0; WEIR_EINVAL (fewer than 1); WEIR_ENOMEM.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_barrier_create(weir_barrier **out, int parties);

/* Frees it.  Aborts if somebody waits; of a generation that all have reached nobody does.
 * Callers: any thread; never waits. */
WEIR_API void weir_barrier_destroy(weir_barrier *barrier);

/* Waits until all parties have come.
 *
 *   deadline  absolute ns of weir_now(); if the caller is not the last to come, WEIR_DONT_WAIT
 *             breaks the barrier as any deadline that passes does
 *
 *   0 to parties - 1  all have come; the caller came as the so-manieth, so that exactly one of each
 *                     generation gets 0
 *   WEIR_EBROKEN      the barrier is broken, or was reset while the caller waited
 *   WEIR_ETIMEDOUT    the deadline came first; the barrier is broken now
 *   WEIR_ECANCELED    the calling task was canceled first; the barrier is broken now
 *
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_barrier_wait(weir_barrier *barrier, weir_time deadline);

/* Breaks it: all that wait get WEIR_EBROKEN.  Callers: any thread; never waits. */
WEIR_API void weir_barrier_abort(weir_barrier *barrier);

/* Makes it as new, broken or not: all that wait get WEIR_EBROKEN.
 * Callers: any thread; never waits. */
WEIR_API void weir_barrier_reset(weir_barrier *barrier);

/* Whether it is broken now.  Callers: any thread; never waits. */
WEIR_API bool weir_barrier_is_broken(weir_barrier *barrier);

#endif
