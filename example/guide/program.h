/* SPDX-License-Identifier: MIT */
#ifndef WEIR_EXAMPLE_GUIDE_PROGRAM_H
#define WEIR_EXAMPLE_GUIDE_PROGRAM_H

/* The main() of the programs that the guides lay beside those of other languages.
 *
 *     ./channels [tasks|loop|threads]      runs program() as a task of that scheduler
 *
 * They treat errors as Go's log.Fatal() does: a call that must not fail stands in must(). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

/* What the program does; each defines it. */
static int program(void *arg);

#define must(call) must_at((call), #call, __FILE__, __LINE__)

/* A result of 0 or more, as it is; with an error the program ends. */
static inline int must_at(int rc, const char *call, const char *file, int line)
{
    if (rc >= 0)
        return rc;
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, call, weir_err_text(rc));
    exit(1);
}

static inline const char *yes_or_no(bool yes)
{
    return yes ? "true" : "false"; /* as Go prints it */
}

int main(int argc, char **argv)
{
    struct weir_opts opts = { .size = sizeof opts };
    if (argc > 1 && strcmp(argv[1], "loop") == 0)
        opts.scheduler = WEIR_SCHEDULER_LOOP;
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        opts.scheduler = WEIR_SCHEDULER_THREADS;
    int result = 0;
    must(weir_open(&opts));
    must(weir_run(program, NULL, &result));
    must(weir_close(weir_in_ms(60000)));
    must(result);
    return 0;
}

#endif
