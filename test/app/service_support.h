/* SPDX-License-Identifier: MIT */
#ifndef TEST_APP_SERVICE_SUPPORT_H
#define TEST_APP_SERVICE_SUPPORT_H

/* A whole service in a forked child, with its standard error in a pipe: for tests that look at exit
 * statuses and at the lines that a person would read. */

#include <stddef.h>

#include "weir/app.h"

struct program {
    int id;
    int error_fd;      /* its standard error */
    char errors[8192]; /* what was read of it */
    size_t error_bytes;
};

/* Runs weir_main() with these arguments (NULL-ended, without the program's name). */
void program_start(struct program *program, const struct weir_app_spec *spec,
                   const char *const *arguments);

/* Waits until the text stands in its standard error. */
void program_expect(struct program *program, const char *text);

void program_signal(const struct program *program, int signal);

/* Waits for its end: the exit status, or minus the signal.  All it wrote is in errors then. */
int program_end(struct program *program);

/* It wrote that many lines. */
void program_expect_lines(const struct program *program, int lines);

/* The port in the n-th "http://127.0.0.1:PORT" of its standard error. */
int program_port(const struct program *program, int n);

/* Sends the request's bytes to the port; the answer, up to the end of the connection, in `out`. */
void program_ask(int port, const char *request, char *out, size_t bytes);

#endif
