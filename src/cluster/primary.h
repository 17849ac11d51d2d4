/* SPDX-License-Identifier: MIT */
#ifndef WI_CLUSTER_PRIMARY_H
#define WI_CLUSTER_PRIMARY_H

/* The primary: a single-threaded process that forks workers, starts dead ones again, and ends them
 * all.  The worker's side is member.h.
 *
 * Life: wi_cluster_open(); the owner puts its own watches (the admin endpoint) on
 * wi_cluster_loop(); wi_cluster_run() forks and returns when the last worker has ended.
 *
 *   STARTING  no worker was ever ready; a death now ends everything: a program that cannot start
 *             is not started a thousand times
 *   RUNNING   a worker that dies gets a successor, after what backoff.h says
 *   DRAINING  the first SIGTERM or SIGINT came: workers were told to drain
 *   ENDING    the bound passed, a second signal came, or the start failed: workers were killed
 *
 * Threads: one, for life: no pool, no monitor, so that forking stays safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/member.h"
#include "cluster/slots.h"
#include "loop/loop.h"
#include "weir/err.h"
#include "weir/time.h"

struct wi_cluster;

enum wi_cluster_note {
    WI_CLUSTER_INFO,  /* the usual course of things */
    WI_CLUSTER_WARN,  /* a worker was lost */
    WI_CLUSTER_FATAL, /* why it all ends */
};

struct wi_cluster_opts {
    int workers;      /* 1 to WI_SLOTS_MAX */
    int64_t drain_ns; /* how long workers may drain before they are killed */
    bool quit_stays;  /* SIGQUIT, which workers are told of, does not end them */
    size_t payload_bytes;
    void (*fold)(void *total, const void *dead); /* see slots.h */

    /* Runs in the worker; what it returns is the exit status. */
    int (*worker)(struct wi_member *self, void *user);
    /* Runs in the worker before that: closes what only the primary may hold.  May be NULL. */
    void (*on_forked)(void *user);
    /* Once, when all workers are ready for the first time.  May be NULL. */
    void (*on_ready)(void *user);
    /* Once, when draining begins, before the workers are told.  May be NULL. */
    void (*on_drain)(void *user);
    /* Takes a line without its end.  Never waits long. */
    void (*note)(void *user, enum wi_cluster_note kind, const char *line);
    void *user;
};

/* Opens loop, signals and shared memory.  0 or a code; nothing is left behind.
 * SIGTERM, SIGINT, SIGQUIT and SIGCHLD are blocked from here on: they arrive through the loop;
 * SIGCHLD gets its default disposition. */
WEIR_CHECK int wi_cluster_open(struct wi_cluster **out, const struct wi_cluster_opts *opts);

/* Forks the workers and supervises them until the last has ended.  In the primary the exit status:
 * 0 after a clean drain, 1 when workers died at their start or had to be killed, 2 after SIGQUIT.
 * Does not return in a worker. */
int wi_cluster_run(struct wi_cluster *cluster);

void wi_cluster_close(struct wi_cluster *cluster);

/* For the owner's watches, until wi_cluster_close(). */
struct wi_loop *wi_cluster_loop(struct wi_cluster *cluster);
const struct wi_slots *wi_cluster_slots(const struct wi_cluster *cluster);

struct wi_cluster_status {
    int workers; /* asked for */
    int alive;   /* processes */
    int ready;   /* of these, serving */
    int64_t respawns;
    bool draining;
};
void wi_cluster_status(const struct wi_cluster *cluster, struct wi_cluster_status *out);

/* The process id of worker `index`, 0 while it has none. */
int wi_cluster_worker_id(const struct wi_cluster *cluster, int index);

#endif
