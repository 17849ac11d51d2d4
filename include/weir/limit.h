/* SPDX-License-Identifier: MIT */
#ifndef WEIR_LIMIT_H
#define WEIR_LIMIT_H

/* Adaptive limit: how many calls to one destination may be under way at once.
 *
 *     int rc = weir_limit_acquire(limit, deadline);
 *     if (rc < 0)
 *         return rc;
 *     const weir_time began = weir_now();
 *     rc = call();
 *     weir_limit_release(limit, rc == WEIR_ETIMEDOUT ? WEIR_LIMIT_OVERLOAD : WEIR_LIMIT_GOOD,
 *                        weir_now() - began);
 *
 * It is no limit (but running_max) until the destination shows signs of overload: calls that it
 * refused or that ran out of time.  Then it allows 0.7 times what ran, again and again while the
 * signs go on, and grows back when they end; after ten seconds without any it is lifted.  A
 * destination that becomes a hundred times slower so holds a few tasks, not all of them.
 *
 * Who comes when it is full waits in line, first come, first served; but while the first has waited
 * for 100 ms the newest goes first, for those who have waited that long have hardly time left.  And
 * where the wait would take more than half of the time that the caller has, he is told at once.
 * weir_client (client.h) has one for each destination; this is for clients of other kinds: a
 * database, say.
 * The law: src/load/limit.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

#define WEIR_LIMIT_RUNNING_MAX ((int64_t)1000000)

typedef struct weir_limit weir_limit;

/* All-zero is the sensible default. */
struct weir_limit_opts {
    size_t size;         /* sizeof(struct weir_limit_opts); 0 counts as that */
    int64_t running_min; /* it never goes below [4], or below running_max if that is less */
    int64_t running_max; /* never more run at once [WEIR_LIMIT_RUNNING_MAX, also the most] */
    int64_t waiting_max; /* callers in line [1,024]; negative: none waits */
    bool fixed;          /* it does not adapt: running_max is all there is */
};

/* How a call ended, for weir_limit_release(). */
enum weir_limit_end {
    WEIR_LIMIT_GOOD = 0,     /* it had an answer, whatever that said: an error of its own too */
    WEIR_LIMIT_OVERLOAD = 1, /* the destination refused it for overload, or it ran out of time */
    WEIR_LIMIT_UNKNOWN = 2   /* it shows nothing: it was canceled, say */
};

/* Makes a limit.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 * 0; WEIR_EINVAL (an option is out of its range, running_min above running_max, or an option of a
 * later version); WEIR_ENOMEM.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_limit_create(weir_limit **out, const struct weir_limit_opts *opts);

/* Frees it.  Aborts while calls are under way or somebody waits.
 * Callers: any thread; never waits. */
WEIR_API void weir_limit_destroy(weir_limit *limit);

/* Asks to begin a call, waiting while so many as are allowed are under way.
 *
 *   deadline  absolute ns of weir_now(); WEIR_DONT_WAIT tries once
 *
 *   0               begin; weir_limit_release() is due
 *   WEIR_ESHED      the line is full, or its wait would take more than half of what is left of the
 *                   deadline or of the task's ambient one
 *   WEIR_ETIMEDOUT  the deadline came first
 *   WEIR_ECANCELED  the calling task was canceled first
 *
 * Callers: task (parks), thread (blocks).
 * Order:   first come, first served. */
WEIR_API WEIR_CHECK int weir_limit_acquire(weir_limit *limit, weir_time deadline);

/* A call has ended.  Aborts if none is under way.
 *
 *   end      how
 *   took_ns  how long it took, the wait in line not counted; negative: not known
 *
 * Callers: any thread, whoever began it; never waits. */
WEIR_API void weir_limit_release(weir_limit *limit, enum weir_limit_end end, int64_t took_ns);

/* What a limit has and has done; a row of one instant.  `size` as everywhere. */
struct weir_limit_stats {
    size_t size;      /* in: sizeof(struct weir_limit_stats); 0 counts as that */
    int64_t allowed;  /* calls that may be under way now */
    int64_t running;  /* that are */
    int64_t waiting;  /* callers in line */
    int64_t begun;    /* calls so far */
    int64_t overload; /* of these, ended with a sign of overload */
    int64_t shed;     /* callers told WEIR_ESHED so far */
    int64_t gone;     /* callers that left the line by deadline or cancellation so far */
};

/* Reads them.  Callers: any thread; never waits. */
WEIR_API void weir_limit_stats_read(weir_limit *limit, struct weir_limit_stats *out);

#endif
