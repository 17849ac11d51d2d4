/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_SYSTEM_H
#define WEIR_TOOL_SYSTEM_H

/* What the tool asks of the operating system beyond the C library and weir itself.
 *
 * Threads: any. */

#include <stdbool.h>
#include <stdint.h>

/* CPU time that the calling thread has used, in ns. */
int64_t thread_cpu_ns(void);

/* Blocks the calling OS thread, as a library that knows nothing of weir would. */
void block_thread_ns(int64_t ns);

/* Ends the calling process as a crash would: at once, nothing flushed, nobody told. */
void kill_own_process(void);

/* Puts something in the place of standard files that are closed, so that no file which is opened
 * later gets what is meant for them.  Using them still fails. */
void occupy_standard_files(void);

/* Whether standard error is a terminal: then progress is one line that is written over. */
bool stderr_is_terminal(void);

/* Has the kernel wake the calling thread when its time has come, and not up to 50 us later together
 * with others. */
void sharpen_timers(void);

/* Raises the limit of open files as far as it goes, and returns it. */
int64_t raise_open_files(void);

#endif
