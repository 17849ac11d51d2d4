/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DUMP_H
#define WEIR_DUMP_H

/* What every task does now, as text for people: number, name, where it was spawned, whether it
 * runs or waits, for what and how long, and its stack by function, file and line.
 *
 *     2 tasks "worker", spawned at app.c:44
 *         task 14 has waited for 3.2 s: lock mutex 0x55d0a8, held by task 12 "reader"
 *         task 15 has waited for 1.0 s: lock mutex 0x55d0a8, held by task 12 "reader"
 *             weir_mutex_lock              src/chan/mutex.c:71
 *             handle                       app.c:55
 *
 * Tasks with the same stack stand together.  At the end stand tasks that wait for each other in a
 * circle, if there are any. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"

/* All-zero is the sensible default. */
struct weir_dump_opts {
    size_t size;   /* sizeof(struct weir_dump_opts); 0 counts as that */
    int tasks_max; /* tasks that are told of; the rest is counted; 0: 10,000 */
    bool bare;     /* addresses instead of functions and lines, for which files are read */
};

/* Takes a piece of the text: whole lines.  May wait. */
typedef void weir_dump_write(void *user, const char *text, size_t bytes);

/* Writes the dump through the caller's function.
 *
 *   opts  borrowed for the call; NULL: defaults
 *
 *   0              written
 *   WEIR_EINVAL    tasks_max is negative, or an option is of a later version
 *   WEIR_ENOMEM    no memory to hold what was seen; nothing is written
 *   WEIR_ENOTOPEN, WEIR_EFORKED
 *
 * The process goes on meanwhile.  What is told of one waiting task is of one instant, for which it
 * does not run; tasks are looked at one after the other.  Of a task that runs, the stack is told
 * only if it is the caller's.  Frames are found by call-frame information, as debuggers do, so code
 * needs no frame pointers; a stack that was overwritten may end the process.
 *
 * Callers: task (may park), thread (may block); waits only in `write`.
 * Cost:    some microseconds for each task; with functions and lines, milliseconds for each MiB of
 *          line tables in the program. */
WEIR_API WEIR_CHECK int weir_dump(weir_dump_write *write, void *user,
                                  const struct weir_dump_opts *opts);

#endif
