/* SPDX-License-Identifier: MIT */
#ifndef TEST_SIM_HOST_H
#define TEST_SIM_HOST_H

/* A server for clients in a simulated world: tasks that read requests and let a function of the
 * test answer them, well or badly.  Requests carry the number of their call (X-Call), and are
 * counted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/world.h"

enum {
    HOST_REQUEST_BYTES = 8192,
    HOST_CALLS_MAX = 64,
};

/* One connection, and the request that was read last. */
struct visit {
    struct host *host;
    weir_stream *stream;
    int call;   /* X-Call; 0: none */
    bool abort; /* the connection ends by a reset */
    char text[HOST_REQUEST_BYTES];
    size_t len;
};

/* Answers a request; false: the connection ends. */
typedef bool answer_fn(struct visit *visit);

struct host {
    answer_fn *answer;
    void *user;
    int requests;             /* so far */
    int seen[HOST_CALLS_MAX]; /* of them, of each call */
    char base[80];            /* of URLs */
    weir_listener *listener;
    weir_task *door;
};

void host_open(struct host *host, answer_fn *answer, void *user);
/* Ends every connection. */
void host_close(struct host *host);

/* False: the client has gone. */
bool visit_say(struct visit *visit, const char *text);
/* The number behind a field's name in the request; 0: it is not there. */
int64_t visit_number(const struct visit *visit, const char *name);

#endif
