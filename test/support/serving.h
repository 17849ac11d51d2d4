/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUPPORT_SERVING_H
#define TEST_SUPPORT_SERVING_H

/* A server under the model that WEIR_TEST_MODEL names, in a thread of its own, and a blocking
 * client that speaks raw bytes and reads answers with the strict parser. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "weir/weir.h"

enum {
    PATIENCE_MS = 20000 /* how long a test waits for what must come */
};

struct serving {
    /* constant once started */
    struct weir_server_opts opts;
    void (*routes)(weir_server *server);
    const char *address;
    const char *model;
    weir_server *server;
    int port;
    int stop_pipe[2];
    pthread_t thread;
    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool up;
    int64_t drain_ms;
    int drained; /* what weir_server_drain() said */
};

/* The model's name; "tasks" without the variable. */
const char *serving_model(void);
/* Whether the model runs one request at a time. */
bool serving_is_single(void);

/* Starts a server on 127.0.0.1 with the routes; opts may be NULL. */
void serving_start(struct serving *serving, const struct weir_server_opts *opts,
                   void (*routes)(weir_server *server));
/* Tells the server to drain; serving_join() waits for its end and gives what the drain said. */
void serving_drain(struct serving *serving, int64_t drain_ms);
int serving_join(struct serving *serving);
/* Both, with time enough; fails unless everything ended by itself. */
void serving_stop(struct serving *serving);

struct weir_server_stats serving_stats(struct serving *serving);
/* Waits until the condition on the numbers holds. */
#define serving_await(serving, condition)                                                          \
    do {                                                                                           \
        struct weir_server_stats stats;                                                            \
        int looks = 0;                                                                             \
        do {                                                                                       \
            stats = serving_stats(serving);                                                        \
            if (looks > 0)                                                                         \
                serving_look_later();                                                              \
            assert_true(looks++ < PATIENCE_MS);                                                    \
        } while (!(condition));                                                                    \
    } while (0)
void serving_look_later(void);

/* A gate that handlers wait at until the test opens it. */
struct gate {
    int pipe[2];
};
void gate_init(struct gate *gate);
void gate_open(struct gate *gate);
void gate_fini(struct gate *gate);
/* In a handler: 0, or WEIR_ECANCELED. */
int gate_wait(struct gate *gate);

struct client {
    int fd;
    char *data; /* received and not consumed */
    size_t len;
    size_t cap;
};

struct answer {
    int status;
    bool keep_alive;
    bool chunked;
    char head[4096]; /* the head as text */
    char *body;
    size_t body_len;
};

void client_open(struct client *client, const struct serving *serving);
void client_close(struct client *client);
void client_send(struct client *client, const char *text);
void client_send_bytes(struct client *client, const void *data, size_t bytes);
/* Reads one final answer, skipping 1xx; fails if none comes. `answer` may be used again. */
void client_answer(struct client *client, struct answer *answer, bool to_head);
/* Sends the request and reads its answer. */
void client_ask(struct client *client, const char *text, struct answer *answer);
/* Fails unless the server closes, with nothing more sent. */
void client_expect_end(struct client *client);
/* Reads at least one more byte into data; false at the end. */
bool client_more(struct client *client);
void answer_free(struct answer *answer);
/* The value of a field of the head, into text; false without it. */
bool answer_field(const struct answer *answer, const char *name, char *text, size_t bytes);

/* Resident bytes of this process.  Sanitizers keep shadows of their own, so a test asks whether the
 * number says anything. */
int64_t serving_resident(void);
bool serving_resident_counts(void);

#endif
