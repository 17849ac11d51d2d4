/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_SYSTEM_MACHINE_H
#define WEIR_TOOL_SYSTEM_MACHINE_H

/* What the tool asks about the machine and the place where it runs.
 *
 * Threads: any. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"

#define PATH_BYTES ((size_t)4096)

/* The file that this program was started from; false if it cannot be known. */
bool executable_path(char path[PATH_BYTES]);

/* Where a command is that can be run: as it stands if it has a slash, else in PATH and then in the
 * further folders, ended by NULL.  False: nowhere. */
bool command_find(const char *name, const char *const *further, char path[PATH_BYTES]);

/* Makes a folder with its parents; true also if it exists.  False: *why says what is in the way. */
WEIR_CHECK bool folder_make(const char *path, const char **why);

bool folder_exists(const char *path);

/* Makes a file and claims it for this process until it ends, however it ends.  False: another one
 * has it.  Where there are no such claims all are granted. */
bool file_claim(const char *path);

/* Size and time of a file as a text that changes when the file does; empty without the file. */
void file_stamp(const char *path, char stamp[64]);

/* The path without ".", ".." and links; false if there is no such file. */
bool path_whole(const char *path, char whole[PATH_BYTES]);

/* Columns of the terminal on standard output, or the fallback without one. */
int terminal_columns(int fallback);

/* The share of all cores' time that somebody uses, looked at for that long; 0 if unknown. */
double machine_busy(int look_ms);

/* The processor's name and the kernel's version, "unknown" where they cannot be read. */
void machine_names(char *processor, size_t processor_bytes, char *kernel, size_t kernel_bytes);

#endif
