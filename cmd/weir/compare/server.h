/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_SERVER_H
#define WEIR_TOOL_COMPARE_SERVER_H

/* A contestant that runs: started on its cores, known to answer, watched, and ended.
 *
 * Whatever a server does at its start is an answer to one of three questions: does it serve, does
 * it refuse (its state does not permit the model), or has it failed?  What it writes goes to a log
 * of its own, which is read again for the reason.
 *
 * Threads: one. */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "compare/contestant.h"
#include "compare/workload.h"
#include "system_account.h"
#include "system_process.h"

/* Set by the signal handler: end everything and say how to go on. */
extern volatile sig_atomic_t compare_stopped;

/* What a step of the comparison came to, beside 0. */
#define CONTEST_REFUSED WEIR_EPERM     /* the model does not fit the state */
#define CONTEST_FAILED WEIR_EBROKEN    /* this row cannot go on; others can */
#define CONTEST_STOPPED WEIR_ECANCELED /* by a signal */
#define CONTEST_SPOILED WEIR_EIO       /* results cannot be kept: nothing can go on */

struct server {
    /* constant after server_init() */
    const struct contestants *list;
    const char *log_folder;
    const struct cores *build_cores; /* where peers are built: nobody measures that */
    int start_timeout_ms;

    /* of the present one */
    struct contestant *who; /* NULL: none runs */
    const struct workload *workload;
    const struct cores *cores;
    struct child child;
    int port;
    double start_ms; /* from its spawn to its first good answer */
    char log[PATH_BYTES + 96];
};

/* Starts a contestant on those cores and waits until it answers.  Another that runs is ended first;
 * if it is the same on the same cores, nothing is done.
 * 0, CONTEST_REFUSED, CONTEST_FAILED (both with the reason in `why`), CONTEST_STOPPED. */
WEIR_CHECK int server_ensure(struct server *s, struct contestant *who,
                             const struct workload *workload, const struct cores *cores,
                             char why[REASON_BYTES]);

/* Starts what has ended again, on the same port.  Results as above. */
WEIR_CHECK int server_restart(struct server *s, char why[REASON_BYTES]);

/* Puts into `why` what keeps a process from being started, of which child_start() gave the code. */
void describe_no_start(const char *what, int rc, const char *log, char why[REASON_BYTES]);

/* Ends what runs; nothing of it is left. */
void server_stop(struct server *s);

/* The i-th path that it is asked for in this workload, NULL after the last; what share of the
 * requests is for it comes out as a weight. */
const char *server_path(const struct server *s, int i, int *weight);

/* Whether the server's own process has ended; `why` then says how, with its last words. */
bool server_ended(struct server *s, char why[REASON_BYTES]);

/* Waits until a server is done with what earlier loads have left in its queues; one that is not
 * within a few seconds is started anew.  Results as of server_ensure(). */
WEIR_CHECK int server_settle(struct server *s, char why[REASON_BYTES]);

#endif
