/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_EXCEPTIONS_H
#define WI_TASK_EXCEPTIONS_H

/* A C++ program's exceptions across waits.  The C++ library keeps for each thread which exceptions
 * are being handled and how many are being thrown (Itanium C++ ABI, exception handling, 2.2.2:
 * __cxa_eh_globals).  A task that waits inside a catch block takes its own along, or `throw;` would
 * rethrow somebody else's after it.
 *
 * Without the C++ library in the program this is one comparison with NULL.  A program that loads it
 * later by dlopen() counts as one without: its tasks do not wait inside catch blocks, or are
 * pinned.
 *
 * Threads: each call is about the calling thread, which may be another one after the wait. */

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct wi_exceptions_of_thread {
    void *caught;
    unsigned int uncaught;
};

struct wi_exceptions {
    bool any; /* else the rest is not set */
    struct wi_exceptions_of_thread kept;
};

struct wi_exceptions_of_thread *__cxa_get_globals(void) __attribute__((weak));

/* Whether there is a C++ library. */
static inline bool wi_exceptions_exist(void)
{
    return wi_unlikely(__cxa_get_globals != NULL);
}

/* Before whoever runs leaves the thread: takes its exceptions along; who comes next has none. */
static inline void wi_exceptions_take(struct wi_exceptions *own)
{
    own->any = false;
    if (!wi_exceptions_exist())
        return;
    struct wi_exceptions_of_thread *threads = __cxa_get_globals();
    if (wi_likely(threads->caught == NULL && threads->uncaught == 0))
        return;
    own->any = true;
    own->kept = *threads;
    *threads = (struct wi_exceptions_of_thread){ .caught = NULL };
}

/* When it has come back, on whatever thread. */
static inline void wi_exceptions_give(const struct wi_exceptions *own)
{
    if (wi_unlikely(own->any))
        *__cxa_get_globals() = own->kept;
}

#endif
