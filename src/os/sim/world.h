/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_SIM_WORLD_H
#define WI_OS_SIM_WORLD_H

/* What the files of os/sim share: clock.c keeps the time, the events and the seed, poll.c the
 * descriptors and who watches them, socket.c the streams.
 *
 * Threads: one, see wi_sim_enter(). */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "os/sim/sim.h"

/* An event: something that happens at an instant of virtual time.  Those of one instant happen in
 * the order they were planned. */
struct wi_sim_event {
    weir_time at;
    uint64_t number;
    void (*happen)(uint64_t target, uint64_t detail); /* target: a descriptor's key, see below */
    uint64_t target;
    uint64_t detail;
};

/* Every call that waits or touches a descriptor begins here: aborts on a second thread. */
void wi_sim_enter(void);

const struct wi_sim_opts *wi_sim_options(void);
weir_time wi_sim_now(void); /* without the step of a reading */

/* A random number below count (> 0). */
uint64_t wi_sim_random(uint64_t count);

/* Whether this read or write shall be short. */
bool wi_sim_short(void);

/* The instant at which what is sent now arrives, not before `floor`. */
weir_time wi_sim_arrival(weir_time floor);

void wi_sim_plan(weir_time at, void (*happen)(uint64_t, uint64_t), uint64_t target,
                 uint64_t detail);

/* Lets everything happen whose time has come. */
void wi_sim_settle(void);

/* Waits for the next event, or until the deadline: true if time went on to an event, false at the
 * deadline or in a deadlock. */
bool wi_sim_wait(weir_time deadline);

/* The code of the fault script for this call, or 0. */
int wi_sim_fault(enum wi_sim_call call);

/* Takes a call and its result into the trace; returns the result. */
int64_t wi_sim_note(uint32_t call, int fd, int64_t result);

/* A thing with a descriptor.  `readiness` gives the WI_POLL_ bits of now. */
struct wi_sim_object {
    uint32_t (*readiness)(struct wi_sim_object *object);
    void (*destroy)(struct wi_sim_object *object); /* frees it; the world begins anew */
    const void *kind;                              /* the address of the kind's name */
    int fd;
    uint64_t key;           /* the descriptor and its generation: names it in events */
    struct wi_list watches; /* struct watch of poll.c */
};

/* Gives the object the lowest free descriptor, or WEIR_EMFILE. */
int wi_sim_object_open(struct wi_sim_object *object);
void wi_sim_object_close(struct wi_sim_object *object);

/* The object of a descriptor, or of a key; NULL if it is not open any more. */
struct wi_sim_object *wi_sim_object_at(int fd);
struct wi_sim_object *wi_sim_object_by_key(uint64_t key);

/* Tells the watchers that these bits have changed: a new edge. */
void wi_sim_object_changed(struct wi_sim_object *object, uint32_t bits);

void wi_sim_objects_reset(void); /* poll.c */
void wi_sim_sockets_reset(void); /* socket.c */

#endif
