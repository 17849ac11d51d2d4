/* SPDX-License-Identifier: MIT */
/* Admission: counters decide who runs, who waits and who is sent away.  No memory is taken before
 * the verdict.
 *
 * Bounds: running <= running_max, always, because it only grows by compare-and-swap below the
 * bound; waiting <= waiting_max, under the lock.
 *
 * The line is first in, first out.  Nobody waits while there is room:
 *   who queues:  a: under the lock pushes and counts `waiting`; b: pump().
 *   who ends:    c: running - 1; d: if `waiting` is not 0: pump().
 *   pump:        e: under the lock, while somebody waits: running + 1 below the bound, or leave.
 * a before b's look at `running` and c before d's look at `waiting` are sequentially consistent, so
 * one of the two sees the other.  Who fails to count in at all (WI_ADMIT_WAIT) touches nothing.
 * What the monitor queues for a handler that keeps the only thread of a `loop` (worker.h: g) it
 * does not pump: the end of that handler does, or the next sweep.
 *
 * Waiting in vain: a request that waited longer than waiting_age_max_ns, on the line or for a
 * worker, or whose client has left (gone.c) is answered 503, and one whose deadline has passed 504,
 * when its turn comes or by the sweep, whichever is first.
 *
 * Threads: any. */
#include "base/check.h"
#include "serve/edge.h"
#include "serve/gone.h"
#include "serve/request.h"
#include "task/runtime.h"

static struct weir_request *request_at(struct wi_list *node)
{
    return wi_container_of(node, struct weir_request, waiting_node);
}

static bool count_in(struct weir_server *server)
{
    wi_atomic_i64 *running = &server->counters->running;
    int64_t now = wi_load_seq_cst(running);
    while (now < server->opts.running_max) {
        if (wi_cas_seq_cst(running, &now, now + 1))
            return true;
    }
    return false;
}

static void count_out(struct weir_server *server)
{
    (void)wi_sub_seq_cst(&server->counters->running, 1); /* c */
}

/* -- who waited in vain ----------------------------------------------------------------------- */

/* So many may wait for a place whatever is offered: with one that runs the four requests that the
 * law's shortest line has.  Without it, few clients that ask again at once when they are refused
 * look like an overload and keep each other out of an empty line. */
enum {
    WAITING_FEW = 3
};

/* Why a request that waited is not worth running. */
enum fate {
    FATE_GOOD,
    FATE_AGED,
    FATE_LATE,
    FATE_HOPELESS, /* it has not enough time left for what its route costs */
    FATE_GONE,
    FATE_DRAINED,
};

static const struct {
    enum wi_counter counter;
    int status;
    const char *text;
} ends[] = {
    [FATE_AGED] = { WI_COUNT_SHED_AGE, 503, "waited too long\n" },
    [FATE_LATE] = { WI_COUNT_SHED_LATE, 504, WI_REPLY_LATE },
    [FATE_HOPELESS] = { WI_COUNT_SHED_LATE, 503, "would be late\n" },
    [FATE_GONE] = { WI_COUNT_CLIENT_GONE, 503, "the client has left\n" },
    [FATE_DRAINED] = { WI_COUNT_SHED_DRAINING, 503, "going away\n" },
};

WI_INLINE enum fate fate_of(const struct weir_request *request, weir_time now)
{
    const bool aged = now - request->began >= wi_admit_patience_ns(request);
    if (wi_likely(!aged &&
                  !wi_gate_is_late(&request->ticket, now, request->began, request->deadline)))
        return FATE_GOOD;
    return now >= request->deadline ? FATE_LATE : aged ? FATE_AGED : FATE_HOPELESS;
}

/* Of one on the line. */
static enum fate fate_of_waiting(const struct weir_request *request, weir_time now)
{
    const enum fate fate = fate_of(request, now);
    return fate == FATE_GOOD && wi_gone_waiting(request, now) ? FATE_GONE : fate;
}

/* Answers it; it is gone. */
static void turn_away(struct weir_request *request, enum fate fate)
{
    wi_bug_unless_cmp(fate, !=, FATE_GOOD);
    wi_count(request->server, ends[fate].counter, 1);
    wi_charge_drop(request->server, &request->ticket);
    wi_edge_refuse(request, ends[fate].status, ends[fate].text);
}

bool wi_admit_turn_away(struct weir_request *request, weir_time now, struct wi_parker *self)
{
    enum fate fate = fate_of(request, now);
    if (wi_unlikely(fate != FATE_GOOD)) /* or soon */
        fate = fate_of(request, weir_now());
    if (wi_likely(fate == FATE_GOOD)) {
        if (wi_likely(wi_gone_watch(request, self)))
            return false;
        fate = FATE_GONE;
    }
    wi_admit_end(request->server);
    turn_away(request, fate);
    return true;
}

bool wi_admit_expire_queued(struct weir_request *request, weir_time now)
{
    const enum fate fate = fate_of(request, now);
    if (fate == FATE_GOOD)
        return false;
    wi_count(request->server, ends[fate].counter, 1);
    wi_charge_drop(request->server, &request->ticket);
    wi_edge_refuse_queued(request, ends[fate].status, ends[fate].text);
    return true;
}

/* -- the line --------------------------------------------------------------------------------- */

/* Under `loop`, while a handler keeps the only thread: who would need that waits on the line, where
 * his patience is watched, and not as a task that nobody comes to. */
static bool has_to_wait(const struct weir_server *server, const struct wi_route *route)
{
    return server->one_thread && wi_runtime_stands_in() &&
           (route->spawn_flags & WI_SPAWN_BLOCKING) == 0;
}

static enum wi_counter counter_of(enum wi_gate_verdict verdict, enum wi_gate_class class)
{
    const bool batch = class == WI_GATE_BATCH;
    if (verdict == WI_GATE_SHED_LATE)
        return WI_COUNT_SHED_LATE;
    if (verdict == WI_GATE_SHED_SLOTS)
        return batch ? WI_COUNT_SHED_SLOTS_BATCH : WI_COUNT_SHED_SLOTS;
    return batch ? WI_COUNT_SHED_WORK_BATCH : WI_COUNT_SHED_WORK;
}

enum wi_verdict wi_admit(struct weir_server *server, const struct wi_route *route,
                         struct wi_gate_ask *ask, struct wi_gate_ticket *ticket)
{
    const int64_t waiting = wi_load_relaxed(&server->counters->waiting);
    /* Who waits goes first. */
    const int64_t running = wi_load_relaxed(&server->counters->running);
    const bool free = waiting == 0 && running < server->opts.running_max;
    /* One client that always has its next request there is no overload, though its own queue looks
     * full when what runs takes longer than it did. */
    ask->idle = waiting == 0 && running == 0;
    ask->room = free || waiting < WAITING_FEW;
    ticket->place_ns = 0;
    enum wi_gate_verdict verdict = wi_charge_ask(&server->charge, ask, ticket);
    if (wi_unlikely(route->spawn_flags != 0) && verdict == WI_GATE_ADMIT)
        verdict = wi_charge_ask_thread(server, ask, ticket);
    if (wi_unlikely(verdict != WI_GATE_ADMIT)) {
        wi_count(server, counter_of(verdict, ask->class), 1);
        return WI_ADMIT_SHED;
    }
    if (wi_likely(free && !has_to_wait(server, route)) && count_in(server))
        return WI_ADMIT_RUN;
    if (waiting < server->opts.waiting_max)
        return WI_ADMIT_WAIT;
    wi_count(server, server->opts.waiting_max == 0 ? WI_COUNT_SHED_RUNNING : WI_COUNT_SHED_WAITING,
             1);
    wi_charge_drop(server, ticket);
    return WI_ADMIT_SHED;
}

/* Takes the oldest off the line, counted as running; NULL if nobody waits or nobody may run. */
static struct weir_request *next_to_run(struct weir_server *server)
{
    struct weir_request *request = NULL;
    wi_lock(&server->admit_lock);
    if (!wi_list_empty(&server->waiting) && count_in(server)) { /* e */
        request = request_at(wi_list_pop_front(&server->waiting));
        (void)wi_sub_relaxed(&server->counters->waiting, 1);
    }
    wi_unlock(&server->admit_lock);
    return request;
}

/* Starts who may run, until the bound or the end of the line; each pass takes one off the line. */
static void pump(struct weir_server *server)
{
    struct weir_request *request;
    while ((request = next_to_run(server)) != NULL) {
        request->ready = weir_now();
        const enum fate fate = fate_of_waiting(request, request->ready);
        if (fate != FATE_GOOD) {
            count_out(server);
            turn_away(request, fate);
            continue;
        }
        if (wi_run_start(request) == 0)
            continue;
        count_out(server);
        wi_count(server, WI_COUNT_SHED_RUNNING, 1);
        wi_charge_drop(server, &request->ticket);
        wi_edge_refuse(request, 503, "overloaded\n");
    }
}

bool wi_admit_wait(struct weir_request *request)
{
    struct weir_server *server = request->server;
    wi_lock(&server->admit_lock);
    const bool room = wi_load_relaxed(&server->counters->waiting) < server->opts.waiting_max;
    if (room) {
        wi_list_push_back(&server->waiting, &request->waiting_node); /* a */
        (void)wi_add_seq_cst(&server->counters->waiting, 1);
    }
    wi_unlock(&server->admit_lock);
    if (!room) {
        wi_count(server, WI_COUNT_SHED_WAITING, 1);
        return false;
    }
    wi_sweep_need(server);
    if (!wi_runtime_stands_in())
        pump(server); /* b */
    return true;
}

void wi_admit_end(struct weir_server *server)
{
    count_out(server);
    if (wi_unlikely(wi_load_seq_cst(&server->counters->waiting) != 0)) /* d */
        pump(server);
    if (wi_unlikely(wi_load_seq_cst(&server->accept_paused) != 0))
        wi_accept_resume(server);
}

static struct weir_request *take_place_locked(struct weir_server *server,
                                              const struct wi_route *route)
{
    if (wi_list_empty(&server->waiting))
        return NULL;
    struct weir_request *oldest = request_at(server->waiting.next);
    if (!wi_run_goes_on(route, oldest))
        return NULL;
    oldest->ready = weir_now();
    if (fate_of_waiting(oldest, oldest->ready) != FATE_GOOD)
        return NULL;
    wi_list_remove(&oldest->waiting_node);
    (void)wi_sub_relaxed(&server->counters->waiting, 1);
    return oldest;
}

struct weir_request *wi_admit_pass_on(struct weir_server *server, const struct wi_route *route)
{
    struct weir_request *next = NULL;
    if (wi_load_relaxed(&server->counters->waiting) != 0) {
        wi_lock(&server->admit_lock);
        next = take_place_locked(server, route);
        wi_unlock(&server->admit_lock);
    }
    if (next == NULL)
        wi_admit_end(server);
    return next; /* `running` counts it instead of the one that ended */
}

/* Moves to `out` who waits in vain; all: everybody. */
static void take_expired(struct weir_server *server, weir_time now, bool all, struct wi_list *out)
{
    wi_lock(&server->admit_lock);
    struct wi_list *next;
    for (struct wi_list *node = server->waiting.next; node != &server->waiting; node = next) {
        next = node->next;
        if (!all && fate_of_waiting(request_at(node), now) == FATE_GOOD)
            continue;
        wi_list_remove(node);
        wi_list_push_back(out, node);
        (void)wi_sub_relaxed(&server->counters->waiting, 1);
    }
    wi_unlock(&server->admit_lock);
}

void wi_admit_expire(struct weir_server *server, weir_time now, bool all)
{
    struct wi_list expired;
    wi_list_init(&expired);
    take_expired(server, now, all, &expired);
    struct wi_list *node;
    while ((node = wi_list_pop_front(&expired)) != NULL) {
        struct weir_request *request = request_at(node);
        const enum fate fate = all ? FATE_DRAINED : fate_of_waiting(request, now);
        turn_away(request, fate != FATE_GOOD ? fate : FATE_AGED); /* patience has grown since */
    }
    if (wi_unlikely(wi_load_seq_cst(&server->counters->waiting) != 0) && !wi_runtime_stands_in())
        pump(server);
}

bool wi_admit_full(struct weir_server *server)
{
    return wi_load_seq_cst(&server->counters->running) >= server->opts.running_max;
}
