/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_SIGNAL_H
#define WI_OS_SIGNAL_H

/* Contract: signals as descriptors, and faults. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/err.h"

/* The signals that weir names; values are the system's. */
extern const int wi_signal_term;
extern const int wi_signal_int;
extern const int wi_signal_quit;
extern const int wi_signal_kill;
extern const int wi_signal_child;
extern const int wi_signal_user1;

/* "SIGTERM" and so on; "signal N" for others up to 64, else "signal ?". The text is static. */
const char *wi_signal_name(int signal);

/* Blocks the given signals (zero-ended list) in the calling thread, and so in threads and processes
 * that it starts: one that comes is pending until somebody takes it. */
WEIR_CHECK int wi_signal_hold(const int *signals);

/* Holds the given signals, and opens a non-blocking descriptor that becomes readable when one is
 * pending. */
WEIR_CHECK int wi_signal_open(const int *signals);

/* Takes one pending signal: its number, or WEIR_EAGAIN. */
WEIR_CHECK int wi_signal_take(int fd);

/* Default dispositions and an empty mask: what every child process begins with. */
void wi_signal_reset(void);

/* The default disposition of one signal; only weir_main's primary does this. */
void wi_signal_default(int signal);

/* Blocks every signal but synchronous faults in the calling thread. */
void wi_signal_block_all(void);

/* Ignores SIGPIPE for the process; only weir_main does this. */
void wi_signal_ignore_pipe(void);

/* Caught signals: counted instead of doing what they did, whichever thread they reach.  One set for
 * the process; catching and letting go are serialised by the caller. */
enum {
    WI_SIGNALS_MAX = 64 /* the highest number */
};

/* The descriptor that becomes readable when a caught signal arrives, and that stays open.  0 or
 * more, or WEIR_EMFILE, WEIR_ENFILE, WEIR_ENOMEM. */
WEIR_CHECK int wi_signal_catch_open(void);

/* Makes it unreadable until the next arrival; the counts are to be looked at after. */
void wi_signal_catch_drain(void);

/* Whether there is such a signal and it may be caught: it is no fault of the program itself. */
bool wi_signal_catchable(int signal);

/* Begins to catch, after wi_signal_catch_open(); letting go restores the disposition of before. */
WEIR_CHECK int wi_signal_catch(int signal);
void wi_signal_let_go(int signal);

/* How many have arrived, ever.  Any thread. */
uint64_t wi_signal_caught(int signal);

/* Calls `report(address)` on the thread's alternate stack when an access faults (SIGSEGV,
 * SIGBUS), then hands on to the handler that was there before, or lets the process die of the
 * signal.  `report` is async-signal-safe.  Installing twice is harmless. */
WEIR_CHECK int wi_signal_on_fault(void (*report)(const void *address));

/* Writes text to standard error: the one output that a signal handler may make. */
void wi_signal_write(const char *text);

#endif
