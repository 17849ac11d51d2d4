/* SPDX-License-Identifier: MIT */
/* The supervisor of worker processes.  See primary.h for its states.
 *
 * A seat is the place of worker i, whichever process sits there.
 * Invariants: a seat has a process (process_id > 0) or, while RUNNING, its timer runs; `alive`
 * counts the former.
 * Everything happens in callbacks of one loop on one thread, so nothing here is locked.  Callbacks
 * fork: the child never returns into the loop, it runs the worker and exits.
 * Source: behaviour as gunicorn's arbiter and pm2 have it, with two differences: a start that fails
 * ends the service only while nobody has served yet (gunicorn halts a healthy service on a bad
 * reload), and repeated crashes wait (gunicorn spins). */
#include "cluster/primary.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/shortage.h"
#include "cluster/backoff.h"
#include "cluster/fork.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/signal.h"
#include "proc/child.h"

enum {
    LINE_BYTES = 512,
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_QUIT = 2
};

/* Workers cut what is left at the bound themselves; this is their time to do so. */
#define CUT_NS (500 * WEIR_NS_PER_MS)
#define QUIT_NS (5 * WEIR_NS_PER_S) /* for workers to say what they do, and end */
#define NOTE_EVERY_NS WEIR_NS_PER_S

enum phase {
    STARTING,
    RUNNING,
    DRAINING,
    ENDING
};

struct seat {
    /* constant after init */
    struct wi_cluster *cluster;
    int index;
    /* owner: the loop */
    int process_id; /* 0: none */
    struct wi_backoff backoff;
    struct wi_timer respawn;
};

struct wi_cluster {
    /* constant after init */
    struct wi_cluster_opts opts;
    struct wi_loop loop;
    struct wi_slots slots;
    struct seat *seats;
    int tell_fds[2];
    struct wi_watch told;
    struct wi_watch signaled;
    /* owner: the loop */
    enum phase phase;
    bool told_ready; /* on_ready was called */
    int alive;
    int status; /* exit status so far */
    int64_t respawns;
    weir_time noted_at; /* of the last lost worker that was logged */
    int64_t unnoted;    /* lost since */
    struct wi_timer bound;
};

static void note(struct wi_cluster *cluster, enum wi_cluster_note kind, const char *format, ...)
    WEIR_PRINTF(3, 4);
static void note(struct wi_cluster *cluster, enum wi_cluster_note kind, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(line, sizeof(line), format, values);
    va_end(values);
    cluster->opts.note(cluster->opts.user, kind, line);
}

/* -- workers ---------------------------------------------------------------------------------- */

static _Noreturn void run_worker(struct seat *seat)
{
    struct wi_cluster *cluster = seat->cluster;
    wi_cluster_become_worker(seat->index);
    if (cluster->opts.on_forked != NULL)
        cluster->opts.on_forked(cluster->opts.user);
    wi_file_close(cluster->signaled.fd);
    wi_file_close(cluster->tell_fds[0]);
    wi_loop_close(&cluster->loop);

    struct wi_member self = {
        .index = seat->index,
        .tell_fd = cluster->tell_fds[1],
        .slot = wi_slots_head(&cluster->slots, seat->index),
        .payload = wi_slots_payload(&cluster->slots, seat->index),
    };
    const int status = cluster->opts.worker(&self, cluster->opts.user);
    (void)fflush(NULL);
    wi_process_exit(status);
}

static int spawn(struct seat *seat)
{
    struct wi_cluster *cluster = seat->cluster;
    struct wi_slot *slot = wi_slots_head(&cluster->slots, seat->index);
    wi_store_relaxed(&slot->state, WI_MEMBER_STARTING);
    struct wi_child child;
    const int id = wi_child_fork(&child, false);
    if (id == 0)
        run_worker(seat);
    if (id < 0) {
        wi_store_relaxed(&slot->state, WI_MEMBER_NONE);
        return id;
    }
    seat->process_id = id;
    cluster->alive++;
    return 0;
}

static void signal_workers(struct wi_cluster *cluster, int signal)
{
    for (int i = 0; i < cluster->opts.workers; i++) {
        if (cluster->seats[i].process_id > 0)
            (void)wi_process_signal(cluster->seats[i].process_id, signal);
    }
}

static void stop_respawns(struct wi_cluster *cluster)
{
    for (int i = 0; i < cluster->opts.workers; i++)
        (void)wi_timer_stop(&cluster->seats[i].respawn);
}

/* Kills what is left; the loop goes on until all are reaped. */
static void end_now(struct wi_cluster *cluster)
{
    cluster->phase = ENDING;
    cluster->status = EXIT_FAILED;
    stop_respawns(cluster);
    signal_workers(cluster, wi_signal_kill);
}

static void respawn(struct seat *seat)
{
    struct wi_cluster *cluster = seat->cluster;
    const int rc = spawn(seat);
    if (rc == 0) {
        cluster->respawns++;
        return;
    }
    note(cluster, WI_CLUSTER_WARN, "worker %d: fork: %s", seat->index, wi_shortage_text(rc));
    const int64_t delay = wi_backoff_next(&seat->backoff, 0);
    (void)wi_timer_start(&seat->respawn, &cluster->loop.wheel, weir_in_ns(delay));
}

static void on_respawn_timer(struct wi_timer *timer)
{
    struct seat *seat = wi_container_of(timer, struct seat, respawn);
    if (seat->cluster->phase == RUNNING && seat->process_id == 0)
        respawn(seat);
}

/* Looks at what the workers say.  Pairs with member.c: a state is read before what it vouches for.
 */
static void scan(struct wi_cluster *cluster)
{
    int ready = 0;
    for (int i = 0; i < cluster->opts.workers; i++) {
        struct wi_slot *slot = wi_slots_head(&cluster->slots, i);
        if (wi_load_acquire(&slot->state) >= WI_MEMBER_READY)
            ready++;
    }
    if (ready > 0 && cluster->phase == STARTING)
        cluster->phase = RUNNING;
    if (ready == cluster->opts.workers && cluster->phase == RUNNING && !cluster->told_ready) {
        cluster->told_ready = true;
        if (cluster->opts.on_ready != NULL)
            cluster->opts.on_ready(cluster->opts.user);
    }
}

static void describe_end(const struct wi_process_end *end, char *text, size_t bytes)
{
    if (end->signaled)
        (void)snprintf(text, bytes, "was killed by %s%s", wi_signal_name(end->code),
                       end->dumped ? " (core dumped)" : "");
    else
        (void)snprintf(text, bytes, "ended with status %d", end->code);
}

/* A worker died before any has served: the program, not the worker, is at fault. */
static void fail_start(struct wi_cluster *cluster, int index, const struct wi_process_end *end,
                       const char *reason)
{
    char how[96];
    describe_end(end, how, sizeof(how));
    if (reason[0] != '\0')
        note(cluster, WI_CLUSTER_FATAL, "worker %d could not start: %s", index, reason);
    else
        note(cluster, WI_CLUSTER_FATAL, "worker %d %s at its start; not trying again", index, how);
    end_now(cluster);
}

/* At most one line a second, however fast workers die. */
static void note_loss(struct wi_cluster *cluster, const struct seat *seat,
                      const struct wi_process_end *end, const char *reason, int64_t delay)
{
    const weir_time now = wi_clock_now();
    if (cluster->noted_at != 0 && now - cluster->noted_at < NOTE_EVERY_NS) {
        cluster->unnoted++;
        return;
    }
    char how[96];
    char others[80] = "";
    describe_end(end, how, sizeof(how));
    if (cluster->unnoted > 0)
        (void)snprintf(others, sizeof(others), " (and %" PRId64 " more since the last line)",
                       cluster->unnoted);
    note(cluster, WI_CLUSTER_WARN,
         "worker %d (process %d) %s%s%s; the next starts in %" PRId64 " ms%s", seat->index,
         end->process_id, how, reason[0] != '\0' ? ": " : "", reason, delay / WEIR_NS_PER_MS,
         others);
    cluster->noted_at = now;
    cluster->unnoted = 0;
}

static void replace(struct seat *seat, const struct wi_process_end *end, const char *reason,
                    int64_t ready_ns)
{
    struct wi_cluster *cluster = seat->cluster;
    const int64_t delay = wi_backoff_next(&seat->backoff, ready_ns);
    note_loss(cluster, seat, end, reason, delay);
    if (delay == 0)
        respawn(seat);
    else
        (void)wi_timer_start(&seat->respawn, &cluster->loop.wheel, weir_in_ns(delay));
}

/* A worker that was still starting had nothing to lose and is no reason to complain. */
static void note_unclean(struct wi_cluster *cluster, int index, const struct wi_process_end *end)
{
    char how[96];
    describe_end(end, how, sizeof(how));
    note(cluster, WI_CLUSTER_WARN, "worker %d %s while it drained", index, how);
    cluster->status = EXIT_FAILED;
}

static void on_end(struct seat *seat, const struct wi_process_end *end)
{
    struct wi_cluster *cluster = seat->cluster;
    const int index = seat->index;
    struct wi_slot *slot = wi_slots_head(&cluster->slots, index);
    char reason[WI_SLOT_REASON_BYTES];
    (void)snprintf(reason, sizeof(reason), "%.*s", (int)sizeof(slot->reason) - 1, slot->reason);
    const weir_time ready_at = wi_load_relaxed(&slot->ready_at);
    const int64_t ready_ns = ready_at == 0 ? 0 : wi_clock_now() - ready_at;

    scan(cluster); /* it, or a sibling, may have become ready since the pipe was read */
    wi_slots_retire(&cluster->slots, index);
    seat->process_id = 0;
    cluster->alive--;
    switch (cluster->phase) {
    case STARTING:
        fail_start(cluster, index, end, reason);
        break;
    case RUNNING:
        replace(seat, end, reason, ready_ns);
        break;
    case DRAINING:
        if (ready_at != 0 && (end->signaled || end->code != 0))
            note_unclean(cluster, index, end);
        break;
    case ENDING:
        break;
    }
}

/* Looks at each worker, not at any child: the program may have children of its own. */
static void reap(struct wi_cluster *cluster)
{
    for (int i = 0; i < cluster->opts.workers; i++) {
        struct seat *seat = &cluster->seats[i];
        struct wi_process_end end;
        if (seat->process_id == 0)
            continue;
        const int rc = wi_process_reap_one(seat->process_id, false, &end);
        if (rc > 0)
            on_end(seat, &end);
    }
}

/* -- signals ---------------------------------------------------------------------------------- */

static void on_bound(struct wi_timer *timer)
{
    struct wi_cluster *cluster = wi_container_of(timer, struct wi_cluster, bound);
    if (cluster->phase == ENDING)
        signal_workers(cluster, wi_signal_kill);
    if (cluster->phase != DRAINING)
        return;
    note(cluster, WI_CLUSTER_WARN, "%d of %d workers were not done at the drain timeout: killed",
         cluster->alive, cluster->opts.workers);
    end_now(cluster);
}

static void begin_drain(struct wi_cluster *cluster, int signal)
{
    cluster->phase = DRAINING;
    note(cluster, WI_CLUSTER_INFO, "%s: draining %d workers, at most %" PRId64 " ms",
         wi_signal_name(signal), cluster->alive, cluster->opts.drain_ns / WEIR_NS_PER_MS);
    stop_respawns(cluster);
    if (cluster->opts.on_drain != NULL)
        cluster->opts.on_drain(cluster->opts.user);
    signal_workers(cluster, wi_signal_term);
    const int64_t bound_ns = cluster->opts.drain_ns + CUT_NS;
    (void)wi_timer_start(&cluster->bound, &cluster->loop.wheel, weir_in_ns(bound_ns));
}

static void on_stop_signal(struct wi_cluster *cluster, int signal)
{
    if (cluster->phase == STARTING || cluster->phase == RUNNING) {
        begin_drain(cluster, signal);
        return;
    }
    if (cluster->phase == DRAINING) {
        note(cluster, WI_CLUSTER_WARN, "%s again: ending at once", wi_signal_name(signal));
        end_now(cluster);
    }
}

/* One that is still starting would die of it, and has nothing to tell. */
static void ask_ready_workers(struct wi_cluster *cluster)
{
    for (int i = 0; i < cluster->opts.workers; i++) {
        const struct wi_slot *slot = wi_slots_head(&cluster->slots, i);
        if (cluster->seats[i].process_id > 0 && wi_load_acquire(&slot->state) >= WI_MEMBER_READY)
            (void)wi_process_signal(cluster->seats[i].process_id, wi_signal_quit);
    }
}

/* Each worker prints what its tasks do, and unless they shall stay, ends by itself. */
static void on_quit_signal(struct wi_cluster *cluster)
{
    if (cluster->opts.quit_stays) {
        ask_ready_workers(cluster);
        return;
    }
    signal_workers(cluster, wi_signal_quit);
    if (cluster->phase == ENDING)
        return;
    note(cluster, WI_CLUSTER_INFO, "%s: ending", wi_signal_name(wi_signal_quit));
    cluster->phase = ENDING;
    cluster->status = EXIT_QUIT;
    stop_respawns(cluster);
    (void)wi_timer_stop(&cluster->bound);
    (void)wi_timer_start(&cluster->bound, &cluster->loop.wheel, weir_in_ns(QUIT_NS));
}

static void on_signaled(struct wi_watch *watch, uint32_t ready)
{
    (void)ready;
    struct wi_cluster *cluster = wi_container_of(watch, struct wi_cluster, signaled);
    for (;;) {
        const int signal = wi_signal_take(watch->fd);
        if (signal < 0)
            return;
        if (signal == wi_signal_child)
            reap(cluster);
        else if (signal == wi_signal_quit)
            on_quit_signal(cluster);
        else
            on_stop_signal(cluster, signal);
    }
}

static void on_told(struct wi_watch *watch, uint32_t ready)
{
    (void)ready;
    struct wi_cluster *cluster = wi_container_of(watch, struct wi_cluster, told);
    char bytes[64];
    while (wi_file_read(watch->fd, bytes, sizeof(bytes)) > 0)
        continue;
    scan(cluster);
}

/* -- life ------------------------------------------------------------------------------------- */

static int open_watches(struct wi_cluster *cluster)
{
    const int signals[] = { wi_signal_term, wi_signal_int, wi_signal_quit, wi_signal_child, 0 };
    /* Whoever started us may have ignored it: then the kernel would not tell of dead workers. */
    wi_signal_default(wi_signal_child);
    cluster->told = (struct wi_watch){ .fd = cluster->tell_fds[0], .on_ready = on_told };
    int rc = wi_loop_watch(&cluster->loop, &cluster->told, WI_POLL_READ);
    if (rc != 0)
        return rc;
    const int signal_fd = wi_signal_open(signals);
    if (signal_fd < 0)
        return signal_fd;
    cluster->signaled = (struct wi_watch){ .fd = signal_fd, .on_ready = on_signaled };
    rc = wi_loop_watch(&cluster->loop, &cluster->signaled, WI_POLL_READ);
    if (rc != 0)
        wi_file_close(signal_fd);
    return rc;
}

int wi_cluster_open(struct wi_cluster **out, const struct wi_cluster_opts *opts)
{
    wi_bug_unless(opts->worker != NULL);
    wi_bug_unless(opts->note != NULL);
    int rc = WEIR_ENOMEM;
    struct wi_cluster *cluster = wi_alloc_zeroed(1, sizeof(*cluster));
    if (cluster == NULL)
        return rc;
    cluster->opts = *opts;
    cluster->seats = wi_alloc_zeroed((size_t)opts->workers, sizeof(*cluster->seats));
    if (cluster->seats == NULL)
        goto free_cluster;
    for (int i = 0; i < opts->workers; i++) {
        cluster->seats[i].cluster = cluster;
        cluster->seats[i].index = i;
        wi_timer_init(&cluster->seats[i].respawn, on_respawn_timer);
    }
    wi_timer_init(&cluster->bound, on_bound);

    rc = wi_slots_open(&cluster->slots, opts->workers, opts->payload_bytes, opts->fold);
    if (rc != 0)
        goto free_seats;
    rc = wi_pipe_open(cluster->tell_fds, true);
    if (rc != 0)
        goto close_slots;
    rc = wi_loop_open(&cluster->loop);
    if (rc != 0)
        goto close_pipe;
    rc = open_watches(cluster);
    if (rc != 0)
        goto close_loop;
    *out = cluster;
    return 0;

close_loop:
    wi_loop_close(&cluster->loop);
close_pipe:
    wi_file_close(cluster->tell_fds[0]);
    wi_file_close(cluster->tell_fds[1]);
close_slots:
    wi_slots_close(&cluster->slots);
free_seats:
    wi_free(cluster->seats);
free_cluster:
    wi_free(cluster);
    return rc;
}

int wi_cluster_run(struct wi_cluster *cluster)
{
    for (int i = 0; i < cluster->opts.workers && cluster->phase == STARTING; i++) {
        const int rc = spawn(&cluster->seats[i]);
        if (rc == 0)
            continue;
        note(cluster, WI_CLUSTER_FATAL, "worker %d could not be forked: %s", i,
             wi_shortage_text(rc));
        end_now(cluster);
    }
    /* While RUNNING all workers may be dead, each waiting for its turn. */
    while (cluster->alive > 0 || cluster->phase == RUNNING)
        (void)wi_loop_turn(&cluster->loop, WEIR_NO_DEADLINE);
    return cluster->status;
}

void wi_cluster_close(struct wi_cluster *cluster)
{
    wi_loop_unwatch(&cluster->loop, &cluster->signaled);
    wi_loop_unwatch(&cluster->loop, &cluster->told);
    wi_file_close(cluster->signaled.fd);
    wi_loop_close(&cluster->loop);
    wi_file_close(cluster->tell_fds[0]);
    wi_file_close(cluster->tell_fds[1]);
    wi_slots_close(&cluster->slots);
    wi_free(cluster->seats);
    wi_free(cluster);
}

/* -- for the owner ---------------------------------------------------------------------------- */

struct wi_loop *wi_cluster_loop(struct wi_cluster *cluster)
{
    return &cluster->loop;
}

const struct wi_slots *wi_cluster_slots(const struct wi_cluster *cluster)
{
    return &cluster->slots;
}

void wi_cluster_status(const struct wi_cluster *cluster, struct wi_cluster_status *out)
{
    *out = (struct wi_cluster_status){
        .workers = cluster->opts.workers,
        .alive = cluster->alive,
        .respawns = cluster->respawns,
        .draining = cluster->phase == DRAINING || cluster->phase == ENDING,
    };
    for (int i = 0; i < cluster->opts.workers; i++) {
        const struct wi_slot *slot = wi_slots_head(&cluster->slots, i);
        if (wi_load_acquire(&slot->state) == WI_MEMBER_READY)
            out->ready++;
    }
}

int wi_cluster_worker_id(const struct wi_cluster *cluster, int index)
{
    wi_bug_unless_cmp(index, <, cluster->opts.workers);
    return cluster->seats[index].process_id;
}
