/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUPPORT_SCRIPTED_H
#define TEST_SUPPORT_SCRIPTED_H

/* A server that says what a script tells it to, byte by byte: for clients, which must bear with all
 * of it.  Plain threads and sockets, nothing of weir; each connection has a thread that runs the
 * script. */

#include <stdbool.h>
#include <stddef.h>

#include <pthread.h>

enum {
    SCRIPTED_CONNECTIONS_MAX = 512,
    PEER_BYTES = 64 * 1024
};

struct peer;
typedef void script_fn(struct peer *peer);

struct scripted {
    /* constant once started */
    script_fn *script;
    void *user;
    int port;
    int listener;
    pthread_t acceptor;
    /* atomic */
    int connections; /* so far */
    int requests;    /* read so far */
    int open;        /* connections now */
    int most;        /* at once */
    /* guarded by lock */
    pthread_mutex_t lock;
    bool stopping;
    struct peer *peers[SCRIPTED_CONNECTIONS_MAX];
};

/* One connection. */
struct peer {
    struct scripted *scripted;
    int fd;
    int number; /* of the connection, from 1 */
    pthread_t thread;
    char head[PEER_BYTES]; /* the last request's head, with NUL */
    char body[PEER_BYTES]; /* and body: as framed, chunks and all */
    size_t body_bytes;
    char in[PEER_BYTES]; /* came and not used */
    size_t in_bytes;
};

void scripted_start(struct scripted *scripted, script_fn *script, void *user);
/* Ends every connection and waits for the scripts. */
void scripted_stop(struct scripted *scripted);
/* "http://127.0.0.1:PORT" and the path, into text. */
const char *scripted_url(const struct scripted *scripted, const char *path, char text[256]);

/* Reads a request; false: the client has closed. */
bool peer_request(struct peer *peer);
void peer_say(struct peer *peer, const char *text);
void peer_say_bytes(struct peer *peer, const void *data, size_t bytes);
/* Whether the last request's head has such a line. */
bool peer_has(const struct peer *peer, const char *line);
/* Waits until the client closes. */
void peer_await_end(struct peer *peer);
/* The connection ends by a reset when the script returns. */
void peer_reset(struct peer *peer);

#endif
