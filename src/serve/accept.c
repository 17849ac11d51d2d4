/* SPDX-License-Identifier: MIT */
/* Acceptors: listeners that feed a server.
 *
 * A listener is watched level-triggered and exclusively: of several processes that share it one is
 * woken, and what a batch leaves is told again in the next turn.  When there is no room (as many
 * connections as allowed, no descriptors, no memory) the acceptor stops watching, so that the
 * kernel's queue holds the rest, and looks again when a connection ends or after RETRY_NS.
 *
 * A process that shares its listener also stops while as many requests run as may, or a handler
 * keeps its only thread, so that another one takes the next connection.  What nobody has taken
 * YIELD_NS later it takes after all, to wait in its line or be refused at once: if all processes
 * are full, a connection that stayed in the kernel's queue would time out there instead of being
 * told.  That holds also for one that had room for a moment meanwhile: where each request ends
 * soon and the next begins, it is full whenever it matters, and never when it looks.  For the same
 * reason it takes more than SHARED_BATCH at once when it runs requests and has not come to look for
 * BEHIND_NS.  It also adds the listener anew every TURN_ACCEPTS, which moves it to the end of the
 * kernel's list of waiters, since that list is woken from one end only.
 *
 * States, all moved only by callbacks of the loop, which run one at a time:
 *   WATCHED -> PAUSED   no room            PAUSED -> WATCHED  room, or RETRY_NS later
 *   any     -> STOPPED  wi_acceptor_stop() was called; then the drain owns the descriptor
 * Other threads only post (`poke`): "look again" and "stop" are the same post, and the flag
 * `stopping` tells which.
 *
 * No resume is lost: who finds no room: a: accept_paused = 1; b: looks for room again, and resumes
 * if there is.  A closing connection: c: connections - 1; d: reads accept_paused.  All are
 * sequentially consistent, so b sees c or d sees a.
 *
 * Threads: fields are the loop's, except where the struct says. */
#include <inttypes.h>

#include "base/check.h"
#include "loop/stable.h"
#include "serve/conn.h"
#include "serve/request.h"
#include "task/runtime.h"

enum {
    BATCH = 16,
    SHARED_BATCH = 1,
    RELIEF_BATCH = 64,
    TURN_ACCEPTS = 16,
    ACCEPTORS_MAX = 4096
};

#define RETRY_NS (100 * WEIR_NS_PER_MS)
#define YIELD_NS (10 * WEIR_NS_PER_MS)
#define BEHIND_NS (1 * WEIR_NS_PER_MS)

enum state {
    STATE_NEW,
    STATE_WATCHED,
    STATE_PAUSED,
    STATE_STOPPED,
};

struct wi_acceptor {
    struct wi_watch watch;
    struct wi_post poke;
    struct wi_timer retry;
    /* constant after create */
    struct weir_server *server;
    /* owner: the loop; after STOPPED the drain */
    uint32_t since_turn; /* connections since the listener was last added */
    weir_time looked;    /* when the listener was last found ready */
    /* atomic */
    wi_atomic_u32 state; /* written by the loop */
    wi_atomic_u32 stopping;
    wi_atomic_u32 overdue; /* 1: the timer has run out */
};

static struct wi_stable acceptors = WI_STABLE_INIT(struct wi_acceptor, ACCEPTORS_MAX);

static enum state state_of(struct wi_acceptor *acceptor)
{
    return (enum state)wi_load_acquire(&acceptor->state);
}

static bool has_places(struct weir_server *server)
{
    return wi_load_seq_cst(&server->counters->connections) < server->opts.connections_max;
}

/* Whether the next connection is better taken by another process. */
static bool leaves_to_others(struct weir_server *server)
{
    return server->extra.shared_listener && (wi_admit_full(server) || wi_runtime_stands_in());
}

static bool has_room(struct weir_server *server)
{
    return has_places(server) && !leaves_to_others(server);
}

static int watch(struct wi_acceptor *acceptor)
{
    acceptor->since_turn = 0;
    return wi_loop_watch(wi_runtime_loop(), &acceptor->watch, WI_POLL_READ | WI_POLL_EXCLUSIVE);
}

static void unwatch(struct wi_acceptor *acceptor)
{
    if (state_of(acceptor) == STATE_WATCHED)
        wi_loop_unwatch(wi_runtime_loop(), &acceptor->watch);
}

static void look_again_in(struct wi_acceptor *acceptor, int64_t ns)
{
    if (!wi_timer_running(&acceptor->retry))
        wi_runtime_loop_timer_start(&acceptor->retry, wi_after(weir_now(), ns));
}

/* PAUSED -> WATCHED if there is room; else a connection that ends, or the timer, tries again.  What
 * is left to other processes is looked after in a moment: perhaps they are full as well. */
static void try_resume(struct wi_acceptor *acceptor)
{
    struct weir_server *server = acceptor->server;
    if (state_of(acceptor) != STATE_PAUSED)
        return;
    wi_store_seq_cst(&server->accept_paused, 1); /* a */
    if (!has_room(server)) {                     /* b */
        if (leaves_to_others(server))
            look_again_in(acceptor, YIELD_NS);
        return;
    }
    if (watch(acceptor) != 0) {
        look_again_in(acceptor, RETRY_NS);
        return;
    }
    /* The timer runs on: a process that is full again before it ends has left others waiting. */
    wi_store_release(&acceptor->state, STATE_WATCHED);
}

/* Stops watching for want of room. */
static void pause_until_room(struct wi_acceptor *acceptor)
{
    unwatch(acceptor);
    wi_store_release(&acceptor->state, STATE_PAUSED);
    try_resume(acceptor);
}

/* Stops watching because the system refused: tries again when a connection ends, or in a while. */
static void pause_a_while(struct wi_acceptor *acceptor)
{
    unwatch(acceptor);
    wi_store_release(&acceptor->state, STATE_PAUSED);
    wi_store_seq_cst(&acceptor->server->accept_paused, 1);
    look_again_in(acceptor, RETRY_NS);
}

static void say_shortage(struct weir_server *server, int code)
{
    wi_count(server, WI_COUNT_ACCEPT_FAILURES, 1);
    wi_log_limited(&server->accept_log, weir_now(), WI_LOG_WARN,
                   "cannot accept: %s (%s); trying again", weir_err_name(code),
                   weir_err_text(code));
}

/* Somebody knocks and must wait, perhaps for long: idle connections count as well. */
static void say_full(struct weir_server *server)
{
    wi_log_limited(&server->accept_log, weir_now(), WI_LOG_WARN,
                   "%" PRId64 " connections are open, as many as may be; others wait",
                   server->opts.connections_max);
}

/* Takes one connection: 0, WEIR_EAGAIN none waits, or a shortage. */
static int take_one(struct wi_acceptor *acceptor)
{
    struct weir_server *server = acceptor->server;
    struct wi_addr peer;
    int rc;
    do {
        rc = wi_transport_accept(acceptor->watch.fd, &peer);
    } while (rc == WEIR_ECONNABORTED);
    if (rc < 0)
        return rc;
    wi_count(server, WI_COUNT_ACCEPTED, 1);
    return wi_conn_open(server, rc, &peer);
}

/* To the end of the kernel's list of waiters. */
static void take_turn(struct wi_acceptor *acceptor)
{
    wi_loop_unwatch(wi_runtime_loop(), &acceptor->watch);
    if (watch(acceptor) == 0)
        return;
    wi_store_release(&acceptor->state, STATE_PAUSED);
    pause_a_while(acceptor);
}

/* How many to take now, of a listener that is ready. */
static int batch_of(struct wi_acceptor *acceptor)
{
    struct weir_server *server = acceptor->server;
    if (!server->extra.shared_listener)
        return BATCH;
    const weir_time now = weir_now();
    const bool behind =
        now - acceptor->looked > BEHIND_NS && wi_load_relaxed(&server->counters->running) > 0;
    acceptor->looked = now;
    return behind ? BATCH : SHARED_BATCH;
}

static void on_ready(struct wi_watch *watched, uint32_t ready)
{
    (void)ready;
    struct wi_acceptor *acceptor = wi_container_of(watched, struct wi_acceptor, watch);
    if (state_of(acceptor) != STATE_WATCHED)
        return; /* a late event */
    struct weir_server *server = acceptor->server;
    const bool shared = server->extra.shared_listener;
    const int batch = batch_of(acceptor);
    for (int i = 0; i < batch; i++) {
        if (!has_room(server)) {
            if (!has_places(server))
                say_full(server);
            pause_until_room(acceptor);
            return;
        }
        const int rc = take_one(acceptor);
        if (rc == WEIR_EAGAIN)
            return;
        if (rc < 0) {
            say_shortage(server, rc);
            pause_a_while(acceptor);
            return;
        }
        acceptor->since_turn++;
    }
    /* A process that runs one request at a time hands on after each connection. */
    if (shared && (acceptor->since_turn >= TURN_ACCEPTS || server->opts.running_max == 1))
        take_turn(acceptor);
}

/* Takes what all processes have left in the kernel's queue, though this one is or was full. */
static void relieve(struct wi_acceptor *acceptor)
{
    struct weir_server *server = acceptor->server;
    for (int i = 0; i < RELIEF_BATCH && has_places(server); i++) {
        const int rc = take_one(acceptor);
        if (rc == WEIR_EAGAIN)
            return;
        if (rc < 0) {
            say_shortage(server, rc);
            return;
        }
    }
}

static void on_poke(struct wi_post *post)
{
    struct wi_acceptor *acceptor = wi_container_of(post, struct wi_acceptor, poke);
    if (wi_load_acquire(&acceptor->stopping) == 0) {
        const bool overdue = wi_swap_acq_rel(&acceptor->overdue, 0) != 0;
        if (overdue && acceptor->server->extra.shared_listener)
            relieve(acceptor);
        try_resume(acceptor);
        return;
    }
    if (state_of(acceptor) == STATE_STOPPED)
        return;
    unwatch(acceptor);
    (void)wi_timer_stop(&acceptor->retry);
    wi_store_release(&acceptor->state, STATE_STOPPED); /* the drain owns it from here on */
}

static void on_retry(struct wi_timer *timer)
{
    struct wi_acceptor *acceptor = wi_container_of(timer, struct wi_acceptor, retry);
    wi_store_release(&acceptor->overdue, 1); /* pairs with on_poke() */
    wi_loop_post(wi_runtime_loop(), &acceptor->poke);
}

int wi_acceptor_create(struct wi_acceptor **out, struct weir_server *server, int fd)
{
    void *record = NULL;
    const int rc = wi_stable_take(&acceptors, &record);
    if (rc != 0)
        return rc;
    struct wi_acceptor *acceptor = record;
    acceptor->watch.fd = fd;
    acceptor->watch.on_ready = on_ready;
    acceptor->poke.run = on_poke;
    wi_timer_init(&acceptor->retry, on_retry);
    acceptor->server = server;
    acceptor->since_turn = 0;
    acceptor->looked = 0;
    wi_store_relaxed(&acceptor->stopping, 0);
    wi_store_relaxed(&acceptor->overdue, 0);
    wi_store_release(&acceptor->state, STATE_NEW);
    *out = acceptor;
    return 0;
}

int wi_acceptor_start(struct wi_acceptor *acceptor)
{
    wi_bug_unless_cmp(state_of(acceptor), ==, STATE_NEW);
    /* The first event may come before the call returns. */
    wi_store_release(&acceptor->state, STATE_WATCHED);
    const int rc = watch(acceptor);
    if (rc != 0)
        wi_store_release(&acceptor->state, STATE_NEW);
    return rc;
}

int wi_acceptor_fd(struct wi_acceptor *acceptor)
{
    return acceptor->watch.fd;
}

void wi_acceptor_stop(struct wi_acceptor *acceptor)
{
    if (state_of(acceptor) == STATE_NEW) {
        wi_store_release(&acceptor->state, STATE_STOPPED);
        return;
    }
    wi_store_release(&acceptor->stopping, 1);
    wi_loop_post(wi_runtime_loop(), &acceptor->poke);
}

bool wi_acceptor_stopped(struct wi_acceptor *acceptor)
{
    return state_of(acceptor) == STATE_STOPPED;
}

bool wi_acceptor_take_rest(struct wi_acceptor *acceptor)
{
    bool any = false;
    while (take_one(acceptor) == 0)
        any = true;
    return any;
}

int wi_acceptor_release(struct wi_acceptor *acceptor)
{
    const enum state state = state_of(acceptor);
    wi_bug_unless(state == STATE_NEW || state == STATE_STOPPED);
    const int fd = acceptor->watch.fd;
    wi_store_release(&acceptor->state, STATE_STOPPED);
    wi_stable_give(&acceptors, acceptor);
    return fd;
}

void wi_acceptor_destroy(struct wi_acceptor *acceptor)
{
    wi_transport_close(wi_acceptor_release(acceptor));
}

void wi_accept_resume(struct weir_server *server)
{
    /* Pairs with try_resume(): a; each acceptor that finds no room sets it again. */
    wi_store_seq_cst(&server->accept_paused, 0);
    wi_lock(&server->listeners_lock);
    for (int i = 0; i < server->listener_count; i++) {
        if (state_of(server->listeners[i]) == STATE_PAUSED)
            wi_loop_post(wi_runtime_loop(), &server->listeners[i]->poke);
    }
    wi_unlock(&server->listeners_lock);
}
