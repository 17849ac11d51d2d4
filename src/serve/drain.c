/* SPDX-License-Identifier: MIT */
/* The end of a server, in this order:
 *   stop      acceptors leave the poller; new connections are kept from starting (quiesce)
 *   rest      for REST_NS what the kernel has queued, and what was shaking hands, is taken
 *   close     the listeners close; from now on clients find a refusal or another process
 *   grace     answers say Connection: close.  A connection that idles may send one more request for
 *             the shorter of GRACE_NS and half the time that is left; then it is closed
 *   wait      until the last connection has ended
 *   cut       at the deadline: handlers are canceled, what waits is answered 503, the rest closed
 * So no accepted request fails unless the deadline comes first.
 *
 * A process that shares its listeners does not quiesce: that would stop the others too.  Whoever
 * stops all of them does it before (cluster/).
 *
 * The drainer looks every few milliseconds instead of being told: it runs once in a server's life.
 *
 * Threads: one drainer. */
#include "base/check.h"
#include "serve/edge.h"
#include "serve/request.h"
#include "task/runtime.h"

#define REST_NS (20 * WEIR_NS_PER_MS)
#define GRACE_NS WEIR_NS_PER_S
#define LOOK_NS WEIR_NS_PER_MS
#define CUT_NS (5 * WEIR_NS_PER_S)

/* Sleeps for a moment, also when the drainer itself is canceled: the end has to be reached. */
static int sleep_fn(void *arg)
{
    const weir_time *until = arg;
    return weir_sleep(*until);
}

static void look_later(int64_t ns)
{
    weir_time until = wi_after(weir_now(), ns);
    if (weir_task_id() == 0)
        (void)!weir_sleep(until);
    else
        (void)weir_shield(sleep_fn, &until, WEIR_NO_DEADLINE);
}

static int64_t connections_of(struct weir_server *server)
{
    return wi_load_seq_cst(&server->counters->connections);
}

static bool all_stopped(struct weir_server *server)
{
    for (int i = 0; i < server->listener_count; i++) {
        if (!wi_acceptor_stopped(server->listeners[i]))
            return false;
    }
    return true;
}

static void stop_acceptors(struct weir_server *server)
{
    for (int i = 0; i < server->listener_count; i++)
        wi_acceptor_stop(server->listeners[i]);
    while (!all_stopped(server))
        look_later(LOOK_NS);
}

static void take_rest(struct weir_server *server)
{
    bool any = false;
    for (int i = 0; i < server->listener_count; i++)
        any = wi_acceptor_take_rest(server->listeners[i]) || any;
    if (any)
        wi_sweep_need(server);
}

static void close_listeners(struct weir_server *server)
{
    if (!server->extra.shared_listener) {
        for (int i = 0; i < server->listener_count; i++)
            (void)wi_transport_quiesce(wi_acceptor_fd(server->listeners[i]));
    }
    const weir_time until = wi_after(weir_now(), REST_NS);
    do {
        take_rest(server);
        look_later(LOOK_NS);
    } while (weir_now() < until);
    take_rest(server);

    wi_lock(&server->listeners_lock);
    const int count = server->listener_count;
    server->listener_count = 0;
    wi_unlock(&server->listeners_lock);
    for (int i = 0; i < count; i++) {
        if (!server->extra.shared_listener)
            wi_transport_unlink(wi_acceptor_fd(server->listeners[i]));
        wi_acceptor_destroy(server->listeners[i]);
    }
}

/* Waits until nothing is left or the instant comes. */
static bool wait_until(struct weir_server *server, weir_time until)
{
    int64_t pause = LOOK_NS;
    for (;;) {
        if (connections_of(server) == 0 && wi_scope_children(server->scope) == 0)
            return true;
        if (weir_now() >= until)
            return false;
        look_later(pause);
        if (pause < 16 * LOOK_NS)
            pause *= 2;
    }
}

/* The deadline has come: whoever is left is cut. */
static void cut(struct weir_server *server)
{
    wi_store_release(&server->phase, WI_SERVER_CLOSING);
    weir_scope_cancel(server->scope, WEIR_EDRAINING);
    const weir_time until = wi_after(weir_now(), CUT_NS);
    do {
        wi_sweep_cut(server, WI_CUT_ALL);
    } while (!wait_until(server, wi_after(weir_now(), LOOK_NS)) && weir_now() < until);
}

static weir_time grace_end(weir_time deadline)
{
    const weir_time now = weir_now();
    if (deadline == WEIR_NO_DEADLINE)
        return wi_after(now, GRACE_NS);
    const int64_t half = deadline > now ? (deadline - now) / 2 : 0;
    return wi_after(now, half < GRACE_NS ? half : GRACE_NS);
}

/* Closes connections that idle until none is left; those that finish later close by themselves. */
static bool close_idle(struct weir_server *server, weir_time deadline)
{
    for (;;) {
        wi_sweep_cut(server, WI_CUT_IDLE);
        weir_time until = wi_after(weir_now(), 50 * WEIR_NS_PER_MS);
        if (until > deadline)
            until = deadline;
        if (wait_until(server, until))
            return true;
        if (weir_now() >= deadline)
            return false;
    }
}

int weir_server_drain(weir_server *server, weir_time deadline)
{
    wi_bug_unless(server != NULL);
    uint32_t serving = WI_SERVER_SERVING;
    if (!wi_cas_acq_rel(&server->phase, &serving, WI_SERVER_DRAINING))
        return serving == WI_SERVER_NEW ? 0 : WEIR_EALREADY;
    stop_acceptors(server);
    close_listeners(server);
    if (wait_until(server, grace_end(deadline)) || close_idle(server, deadline)) {
        wi_store_release(&server->phase, WI_SERVER_CLOSING);
        return 0;
    }
    cut(server);
    return WEIR_ETIMEDOUT;
}
