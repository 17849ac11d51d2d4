/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUPPORT_PROGRAM_H
#define TEST_SUPPORT_PROGRAM_H

/* A random program: a few actors send, receive, select, close, lock, sleep, cancel and open scopes,
 * drawn from one seed.  What they saw is held against a model (program_model.h): no message is lost
 * or made up, the order is that of a queue, each result is one that a sequential execution could
 * have given, locks exclude, everybody ends. */

#include <stdbool.h>
#include <stdint.h>

struct program_opts {
    uint64_t seed;
    /* All actors are tasks of one thread: then what an operation has to give is known exactly,
     * but for which ready case a select takes. */
    bool exact;
    /* Some actors are plain OS threads; not with `exact`. */
    bool outsiders;
    /* Ends each actor after so many steps; 0: when it wants to.  To look for a short failure. */
    int steps_max;
};

/* Runs it to its end and checks it.  From a task. */
void program_run(const struct program_opts *opts);

#endif
