/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_HELD_H
#define WI_OS_HELD_H

/* Contract: the POSIX mutexes that the calling thread holds.  Only Debug builds know
 * (WI_WATCH_MUTEXES): there the library stands in front of pthread_mutex_lock() and its kin, for
 * the whole program.  Elsewhere nobody counts, and the questions cost nothing. */

#include <stdbool.h>
#include <stddef.h>

struct wi_held {
    const void *mutex;
    const void *place; /* the code that took it */
};

#ifdef WI_WATCH_MUTEXES

/* The one taken last of those it holds; false: none.  Callers: any thread; not to be asked before a
 * wait for what is used after it. */
bool wi_held_newest(struct wi_held *out);

/* The place as people look it up: "function+0x2c (program+0x11d4)". */
void wi_held_describe(const void *place, char *text, size_t bytes);

#else

static inline bool wi_held_newest(struct wi_held *out)
{
    (void)out;
    return false;
}

static inline void wi_held_describe(const void *place, char *text, size_t bytes)
{
    (void)place;
    if (bytes > 0)
        text[0] = '\0';
}

#endif

#endif
