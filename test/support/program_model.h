/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUPPORT_PROGRAM_MODEL_H
#define TEST_SUPPORT_PROGRAM_MODEL_H

/* What a random program's channels should have done: step by step, where one thread runs it all
 * (model_*), and from what its actors wrote down, for any number of threads (history_*). */

#include <stdbool.h>
#include <stdint.h>

enum {
    PROGRAM_ACTORS_MAX = 17, /* the last one is the program itself */
    PROGRAM_CHANNELS_MAX = 3,
    PROGRAM_CASES_MAX = 3,
    PROGRAM_CAP_MAX = 3,
    PROGRAM_SERIALS_MAX = 64, /* messages of one actor */
};

struct program_message {
    uint32_t sender;
    uint32_t serial;
    uint32_t check; /* of the two: whole or not */
};

struct program_message program_message(int sender, int serial);
bool program_message_whole(const struct program_message *message);

/* One way on of an operation. */
struct program_case {
    int channel;
    bool sends;
    struct program_message message; /* to be sent */
};

/* -- the sequential model ---------------------------------------------------------------------- */

struct model_entry {
    int actor;
    int index; /* of the actor's case */
};

struct model_channel {
    bool closed;
    int cap;
    int count;
    struct program_message buffer[PROGRAM_CAP_MAX];
    int waiting_count;
    struct model_entry waiting[PROGRAM_ACTORS_MAX * PROGRAM_CASES_MAX]; /* in their order */
};

struct model_actor {
    bool waits;
    bool canceled;
    int count;
    struct program_case cases[PROGRAM_CASES_MAX];
    int matched; /* the case that a peer has ended; -1 none */
    int result;
    struct program_message message; /* received */
};

struct model {
    struct model_channel channels[PROGRAM_CHANNELS_MAX];
    struct model_actor actors[PROGRAM_ACTORS_MAX];
};

/* What the case gives now: 0, WEIR_ECLOSED, or WEIR_EAGAIN: it has to wait. */
int model_look(const struct model *model, const struct program_case *one);

/* Does it; what is received goes to *message (zeroes after a close).  As model_look(). */
int model_do(struct model *model, const struct program_case *one, struct program_message *message);

/* The actor waits for one of the cases. */
void model_wait(struct model *model, int actor, const struct program_case *cases, int count);

/* Its wait is over, by no peer: false if one had ended it. */
bool model_give_up(struct model *model, int actor);

/* 0, or WEIR_ECLOSED. */
int model_close(struct model *model, int channel);

/* -- the history ------------------------------------------------------------------------------- */

/* What one actor did with one message: written by the actor alone. */
struct program_event {
    int channel;
    bool sends;
    int result;
    struct program_message message;
    uint64_t began;
    uint64_t ended; /* drawn from one counter before and after the call */
};

enum {
    PROGRAM_EVENTS_MAX = 64
};

struct program_history {
    int count;
    struct program_event events[PROGRAM_EVENTS_MAX];
};

/* Fails unless every message was sent once and received at most once, and each channel was a
 * queue. */
void history_check(const struct program_history *const *histories, int count);

#endif
