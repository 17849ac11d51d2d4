/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_FILE_H
#define WI_OS_FILE_H

/* Contract: files and pipes, blocking, close-on-exec.  Interrupted calls are repeated. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

enum wi_file_mode {
    WI_FILE_READ,
    WI_FILE_APPEND,
    WI_FILE_REPLACE
};

WEIR_CHECK int wi_file_open(const char *path, enum wi_file_mode mode);
WEIR_CHECK int64_t wi_file_read(int fd, void *data, size_t bytes);
WEIR_CHECK int64_t wi_file_write(int fd, const void *data, size_t bytes);
void wi_file_close(int fd);

/* Reads a small file whole and ends it with NUL. Bytes read, or a code; WEIR_EMSGSIZE if it does
 * not fit. */
WEIR_CHECK int64_t wi_file_read_all(const char *path, char *text, size_t text_bytes);

/* Both ends: [0] to read, [1] to write.  `nonblocking` holds for both. */
WEIR_CHECK int wi_pipe_open(int fds[2], bool nonblocking);

int wi_file_remove(const char *path);

/* Removes the file if it is a socket: 0, WEIR_EPERM if it is something else, or a code. */
int wi_file_remove_socket(const char *path);

/* Puts the null device in the place of standard input, output and error where they are closed:
 * else the next descriptors would get their numbers, and what is printed would go there.
 * Call: before any other descriptor is opened. */
WEIR_CHECK int wi_file_hold_standard(void);

/* How many descriptors this process has open. */
int wi_file_open_count(void);

/* Makes the descriptor non-blocking; for descriptors that come from elsewhere. */
WEIR_CHECK int wi_fd_nonblocking(int fd);

#endif
