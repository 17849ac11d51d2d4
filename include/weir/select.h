/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SELECT_H
#define WEIR_SELECT_H

/* Waits for several things at once and does exactly one of them.
 *
 *     struct weir_select_case cases[] = {
 *         { .op = WEIR_SELECT_RECV, .ch = jobs, .msg = &job },
 *         { .op = WEIR_SELECT_TIMER, .timer = ticker },
 *         { .op = WEIR_SELECT_READABLE, .fd = fd },
 *     };
 *     int which = weir_select(cases, 3, WEIR_NO_DEADLINE);
 *
 * A case whose object is absent (NULL; for a descriptor a negative number; for an instant
 * WEIR_NO_DEADLINE) is never ready, so a case is switched off by clearing its object. */

#include <stddef.h>

#include "weir/chan.h"
#include "weir/err.h"
#include "weir/event.h"
#include "weir/future.h"
#include "weir/semaphore.h"
#include "weir/signal.h"
#include "weir/task.h"
#include "weir/time.h"
#include "weir/timer.h"

#define WEIR_SELECT_CASES_MAX 64

/* What a case waits for, which members it uses, and what its result is once it was done.  While no
 * runtime has been open in the process, those of a runtime (TIMER to WRITABLE) are ready with
 * WEIR_ENOTOPEN. */
enum weir_select_op {
    WEIR_SELECT_SEND,     /* ch, msg (only read): as weir_chan_send(): 0 or WEIR_ECLOSED */
    WEIR_SELECT_RECV,     /* ch, msg: as weir_chan_recv(): 0 or WEIR_ECLOSED */
    WEIR_SELECT_UNTIL,    /* until: 0 once the instant has come */
    WEIR_SELECT_TIMER,    /* timer, msg (NULL or an int64_t): as weir_timer_wait(): 0 */
    WEIR_SELECT_JOIN,     /* task, msg (NULL or an int): as weir_task_join(): 0 or WEIR_EDEADLK;
                             with 0 the handle is gone, otherwise it stays */
    WEIR_SELECT_SIGNAL,   /* signals, msg (NULL or a struct weir_signal_event): as
                             weir_signals_wait(): 0 */
    WEIR_SELECT_READABLE, /* fd: as weir_fd_wait() for WEIR_FD_READ: its bits or a code */
    WEIR_SELECT_WRITABLE, /* fd: as weir_fd_wait() for WEIR_FD_WRITE */
    WEIR_SELECT_EVENT,    /* event: as weir_event_wait(): 0 */
    WEIR_SELECT_FUTURE,   /* future, msg (NULL or room for its value): once it has ended, as
                             weir_future_result() */
    WEIR_SELECT_ACQUIRE,  /* semaphore: 0, and the caller has one permit, as if by
                             weir_semaphore_acquire() */
};

struct weir_select_case {
    enum weir_select_op op;
    union {
        weir_chan *ch;
        weir_timer *timer;
        weir_task *task;
        weir_signals *signals;
        weir_event *event;
        weir_future *future;
        weir_semaphore *semaphore;
        weir_time until;
        int fd;
    };
    void *msg;        /* sent from, or written to */
    int result;       /* out: of the case that was done; see enum weir_select_op */
    size_t msg_bytes; /* sizeof(*msg), compared with the channel's elem_bytes: another size aborts
                         with both; 0: not compared */
};

/* Does one case that is ready, chosen at random among the ready ones, each as likely as another;
 * else waits until one is.  What is ready is judged at one instant of all objects of the call
 * (descriptors aside, which belong to the world).
 *
 *   cases     borrowed for the call; at most WEIR_SELECT_CASES_MAX, more abort; a channel, timer or
 *             descriptor may appear in several, a task in one
 *   deadline  WEIR_DONT_WAIT: does a case only if one is ready
 *
 *   >= 0             the index of the case that was done; its result member tells how
 *   WEIR_ETIMEDOUT   the deadline came first; no case was done
 *   WEIR_ECANCELED   the calling task was canceled first; no case was done
 *
 * Never matches a send and a receive of the same call.  Without any case that can become ready it
 * waits for the deadline.
 * Callers: task (parks), thread (blocks).
 * Cost: linear in the cases, whoever else waits for the same objects; a system call for each
 * descriptor. */
WEIR_API WEIR_CHECK int weir_select(struct weir_select_case *cases, int count, weir_time deadline);

/* As weir_select(), but of several ready cases the first in the order of the array is done.  While
 * none is ready it waits for whichever comes first.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_select_ordered(struct weir_select_case *cases, int count,
                                            weir_time deadline);

#endif
