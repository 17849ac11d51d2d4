/* SPDX-License-Identifier: MIT */
/* The sweep: timeouts of everything that has no task.
 *
 * Connections have no timer of their own: one timer of the server looks at all records now and
 * then, reads each deadline without owning the record, and owns only those that are due.  So a
 * request costs no timer, and a timeout comes late by one period at most.
 *
 * The timer runs only while there is something to look at.  `sweeping` says so: ARMED while it
 * runs or is about to be told, plus AT_WORK for each that starts it or sweeps.
 *   who makes something:  a: counts it (connections, waiting); b: if not ARMED: ARMED and AT_WORK
 *                         by compare-and-swap, starts the timer, AT_WORK off.
 *   the timer:            c: ARMED off, AT_WORK on, in one step; d: looks; if there is something,
 *                         b; AT_WORK off.
 *   destroy:              the word is 0: nobody sweeps or will.  Exactly ARMED: the timer has been
 *                         started by all means, and may be stopped.
 * All are sequentially consistent, so either d sees a or b sees c; and one word tells destroy of
 * the timer and of the sweeps at one instant.
 *
 * Threads: the timer fires on any worker, on one at a time. */
#include "base/check.h"
#include "serve/edge.h"
#include "serve/request.h"
#include "task/runtime.h"

#define PERIOD_MAX_NS WEIR_NS_PER_S
#define PERIOD_MIN_NS (5 * WEIR_NS_PER_MS)

/* Of the word `sweeping`. */
enum {
    ARMED = 1,
    AT_WORK = 2
};

static int64_t shorter(int64_t period, int64_t timeout)
{
    return timeout >= 0 && timeout / 4 < period ? timeout / 4 : period;
}

static int64_t period_of(const struct weir_server *server)
{
    int64_t period = PERIOD_MAX_NS;
    period = shorter(period, server->opts.head_ns_max);
    period = shorter(period, server->opts.idle_ns_max);
    period = shorter(period, server->opts.waiting_age_max_ns);
    return period > PERIOD_MIN_NS ? period : PERIOD_MIN_NS;
}

/* Ends what the owner found due, or gives it up. */
static void end_owned(struct wi_conn *conn, weir_time now, enum wi_cut cut)
{
    const bool idle = conn->phase == WI_CONN_IDLE;
    if (cut == WI_CUT_ALL) {
        wi_conn_close(conn, false);
        return;
    }
    if (now < wi_load_relaxed(&conn->deadline) && !(idle && cut == WI_CUT_IDLE)) {
        if (!wi_conn_release(conn))
            wi_edge_drive(conn);
        return;
    }
    if (idle)
        wi_edge_end_idle(conn);
    else if (conn->phase == WI_CONN_HEAD)
        wi_edge_time_out(conn);
    else
        wi_conn_close(conn, false);
}

static void sweep_connections(struct weir_server *server, weir_time now)
{
    const enum wi_cut cut = (enum wi_cut)wi_load_acquire(&server->cut);
    const uint32_t made = wi_conn_made();
    for (uint32_t i = 0; i < made; i++) {
        struct wi_conn *conn = wi_conn_at(i);
        if (cut == WI_CUT_NONE && now < wi_load_relaxed(&conn->deadline))
            continue;
        if (wi_conn_try_own(conn, server))
            end_owned(conn, now, cut);
        else
            wi_run_expire(conn, now);
    }
}

static bool is_needed(struct weir_server *server)
{
    return wi_load_seq_cst(&server->counters->connections) > 0 ||
           wi_load_seq_cst(&server->counters->waiting) > 0;
}

static void on_sweep(struct wi_timer *timer)
{
    struct weir_server *server = wi_container_of(timer, struct weir_server, sweep);
    const weir_time now = weir_now();
    (void)wi_add_seq_cst(&server->sweeping, AT_WORK - ARMED); /* c */
    sweep_connections(server, now);
    wi_admit_expire(server, now, false);
    if (is_needed(server)) /* d */
        wi_sweep_need(server);
    (void)wi_sub_seq_cst(&server->sweeping, AT_WORK); /* pairs with wi_sweep_over() */
}

static void on_cut(struct wi_post *post)
{
    struct weir_server *server = wi_container_of(post, struct weir_server, cut_post);
    sweep_connections(server, weir_now());
    if (wi_load_acquire(&server->cut) == WI_CUT_ALL)
        wi_admit_expire(server, weir_now(), true);
    wi_store_seq_cst(&server->cut_posted, 0); /* pairs with wi_sweep_over() */
}

void wi_sweep_init(struct weir_server *server)
{
    wi_timer_init(&server->sweep, on_sweep);
    server->cut_post.run = on_cut;
    wi_store_relaxed(&server->sweeping, 0);
    wi_store_relaxed(&server->cut, WI_CUT_NONE);
}

void wi_sweep_need(struct weir_server *server)
{
    uint32_t word = wi_load_seq_cst(&server->sweeping);
    do {
        if ((word & ARMED) != 0)
            return;
    } while (!wi_cas_seq_cst(&server->sweeping, &word, word + ARMED + AT_WORK)); /* b */
    const weir_time now = weir_now();
    wi_runtime_loop_timer_start(&server->sweep, wi_after(now, period_of(server)));
    (void)wi_sub_seq_cst(&server->sweeping, AT_WORK); /* pairs with wi_sweep_over() */
}

void wi_sweep_cut(struct weir_server *server, enum wi_cut cut)
{
    wi_store_release(&server->cut, cut);
    if (wi_swap_seq_cst(&server->cut_posted, 1) == 0)
        wi_loop_post(wi_runtime_loop(), &server->cut_post);
}

bool wi_sweep_over(struct weir_server *server)
{
    if (wi_load_seq_cst(&server->cut_posted) != 0)
        return false;
    const uint32_t word = wi_load_seq_cst(&server->sweeping);
    if (word != ARMED)
        return word == 0;
    if (!wi_timer_stop(&server->sweep))
        return false; /* it is about to be told */
    wi_store_seq_cst(&server->sweeping, 0);
    return true;
}
