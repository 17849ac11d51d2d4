/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_SYSTEM_PROCESS_H
#define WEIR_TOOL_SYSTEM_PROCESS_H

/* Children of the tool: started on given cores in a process group of their own, watched, and ended
 * with everything that they started.
 *
 * Threads: one; a child ends when the thread that started it does. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

#define CORES_MAX 1024

/* Numbers of cores, in rising order. */
struct cores {
    int count;
    int ids[CORES_MAX];
};

/* The cores that this process may use. */
void cores_usable(struct cores *out);

/* Confines this process to them. */
void cores_confine(const struct cores *cores);

struct child {
    int pid;    /* 0: none; also the number of its process group */
    int output; /* what it writes to standard output; -1 unless asked for */
};

struct child_opts {
    char *const *command;      /* argv, ended by NULL; the first is searched for in PATH */
    char *const *extra;        /* "NAME=value", ended by NULL; may be NULL */
    const char *folder;        /* where it runs; NULL: here */
    const char *log;           /* takes its standard error, and output unless piped; appended */
    bool piped;                /* its standard output is read by child_read() */
    const struct cores *cores; /* NULL: all */
};

/* Starts it.  0; WEIR_EIO if its log cannot be written, or another code.  A command that cannot be
 * run is a child that ends with status 127. */
WEIR_CHECK int child_start(struct child *out, const struct child_opts *opts);

/* Whether it has ended; *status is then its exit status, or minus the signal, and the child is
 * forgotten. */
bool child_ended(struct child *child, int *status);

/* Reads what it wrote: bytes, 0 at the end, WEIR_EAGAIN when nothing came within wait_ms. */
WEIR_CHECK int child_read(const struct child *child, char *buffer, size_t bytes, int wait_ms);

/* Ends its whole process group: by SIGTERM, after grace_ms by SIGKILL.  Returns when nothing of it
 * is left, or after a second more. */
void child_stop(struct child *child, int grace_ms);

/* Ends what has left the group of a service, as a program that puts itself into the background
 * does: every descendant of this process that is in another session.  For use when no service is
 * wanted; wants adopt_orphans(). */
void escaped_stop(void);

/* Has `handler` called, each time, for what asks this process to end: the signals of Ctrl-C, kill,
 * a closed terminal (unless nohup has it ignored) and a reader that is gone.  A file that grows
 * beyond the limit of its size is an error of the write, no end. */
void catch_ends(void (*handler)(int));

/* Sleeps; a signal ends it early. */
void pause_ms(int ms);

/* Children of children that die come to this process, so that child_stop() sees their end. */
void adopt_orphans(void);

#endif
