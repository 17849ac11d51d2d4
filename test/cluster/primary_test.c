/* SPDX-License-Identifier: MIT */
/* The primary, with workers that serve nothing: starts, deaths, drains and ends.
 * Each case forks a process that is the primary, so that its signals and its exit status are seen
 * as a user sees them. */
#include "cluster/primary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/poll.h"
#include "os/process.h"
#include "os/signal.h"

enum {
    WORKERS = 2,
    MISBEHAVE_STATUS = 7
};

/* Shared with everything that is forked. */
struct shared {
    wi_atomic_int started; /* workers, over all lives */
    wi_atomic_int serving; /* of these, have said that they are ready */
    wi_atomic_int drained;
    wi_atomic_int ready_calls;
    wi_atomic_int drain_calls;
    wi_atomic_int notes, fatal_notes;
    wi_atomic_int ids[WORKERS]; /* of the living workers */
    wi_atomic_i64 counted;      /* total as the primary saw it at its end */
    wi_atomic_i64 respawns;
    char fatal[512];
};

struct payload {
    wi_atomic_i64 count;
};

static struct shared *shared;
static int alive_fds[2];

static void fold(void *total, const void *dead)
{
    const struct payload *payload = dead;
    (void)wi_add_relaxed(&((struct payload *)total)->count, wi_load_relaxed(&payload->count));
}

static void on_ready(void *user)
{
    (void)user;
    (void)wi_add_relaxed(&shared->ready_calls, 1);
}

static void on_drain(void *user)
{
    (void)user;
    (void)wi_add_relaxed(&shared->drain_calls, 1);
}

static void on_note(void *user, enum wi_cluster_note kind, const char *line)
{
    (void)user;
    (void)wi_add_relaxed(&shared->notes, 1);
    if (kind != WI_CLUSTER_FATAL)
        return;
    (void)wi_add_relaxed(&shared->fatal_notes, 1);
    (void)snprintf(shared->fatal, sizeof(shared->fatal), "%s", line);
}

static void nap(void)
{
    wi_atomic_u32 word = { 0 };
    (void)wi_futex_wait(&word, 0, weir_in_ms(1));
}

static _Noreturn void sleep_for_ever(void)
{
    wi_atomic_u32 word = { 0 };
    for (;;)
        (void)wi_futex_wait(&word, 0, WEIR_NO_DEADLINE);
}

static void begin(struct wi_member *self)
{
    (void)wi_add_relaxed(&((struct payload *)self->payload)->count, 1);
    wi_store_relaxed(&shared->ids[self->index], wi_process_id());
    (void)wi_add_relaxed(&shared->started, 1);
}

/* Ends in order when it is told to. */
static int serve(struct wi_member *self, void *user)
{
    (void)user;
    const int signals[] = { wi_signal_term, 0 };
    const int fd = wi_signal_open(signals);
    begin(self);
    wi_member_ready(self);
    (void)wi_add_relaxed(&shared->serving, 1);
    if (wi_poll_one(fd, WI_POLL_READ, WEIR_NO_DEADLINE) <= 0)
        return 1;
    (void)wi_add_relaxed(&shared->drained, 1);
    return 0;
}

/* Hears no signal but the one that cannot be ignored. */
static int refuse_to_end(struct wi_member *self, void *user)
{
    (void)user;
    wi_signal_block_all();
    begin(self);
    wi_member_ready(self);
    sleep_for_ever();
}

static int fail_with_a_reason(struct wi_member *self, void *user)
{
    (void)user;
    begin(self);
    wi_member_explain(self, "no database");
    return MISBEHAVE_STATUS;
}

static int crash_at_start(struct wi_member *self, void *user)
{
    (void)user;
    begin(self);
    (void)wi_process_signal(wi_process_id(), wi_signal_kill);
    sleep_for_ever();
}

/* Worker 1 serves; worker 0 dies at its start, always. */
static int one_of_two_fails(struct wi_member *self, void *user)
{
    if (self->index == 1)
        return serve(self, user);
    /* Not before the other is ready, so that this is no failed start. */
    while (wi_load_relaxed(&shared->serving) == 0)
        nap();
    begin(self);
    return MISBEHAVE_STATUS;
}

static int be_primary(int (*worker)(struct wi_member *, void *), int64_t drain_ns)
{
    struct wi_cluster *cluster;
    const struct wi_cluster_opts opts = {
        .workers = WORKERS,
        .drain_ns = drain_ns,
        .payload_bytes = sizeof(struct payload),
        .fold = fold,
        .worker = worker,
        .on_ready = on_ready,
        .on_drain = on_drain,
        .note = on_note,
    };
    if (wi_cluster_open(&cluster, &opts) != 0)
        return 100;
    const int status = wi_cluster_run(cluster);
    const struct payload *total = wi_slots_total(wi_cluster_slots(cluster));
    struct wi_cluster_status now;
    wi_cluster_status(cluster, &now);
    wi_store_relaxed(&shared->counted, wi_load_relaxed(&total->count));
    wi_store_relaxed(&shared->respawns, now.respawns);
    wi_cluster_close(cluster);
    return status;
}

static int start_primary(int (*worker)(struct wi_member *, void *), int64_t drain_ns)
{
    memset(shared, 0, sizeof(*shared));
    if (alive_fds[0] > 0)
        wi_file_close(alive_fds[0]);
    assert_int_equal(wi_pipe_open(alive_fds, false), 0);
    const int id = wi_process_fork();
    assert_true(id >= 0);
    if (id == 0) {
        wi_file_close(alive_fds[0]);
        wi_process_die_with_parent(wi_process_parent_id());
        wi_process_exit(be_primary(worker, drain_ns));
    }
    wi_file_close(alive_fds[1]);
    return id;
}

static void wait_until(wi_atomic_int *value, int at_least)
{
    const weir_time deadline = weir_in_ms(10000);
    while (wi_load_relaxed(value) < at_least) {
        assert_true(wi_clock_now() < deadline);
        nap();
    }
}

/* Primary and workers hold the write end: it ends when the last of them has. */
static void wait_until_all_gone(void)
{
    char byte;
    assert_true(wi_poll_one(alive_fds[0], WI_POLL_READ, weir_in_ms(10000)) > 0);
    assert_int_equal(wi_file_read(alive_fds[0], &byte, 1), 0);
}

static int end_of(int id)
{
    struct wi_process_end end;
    assert_int_equal(wi_process_reap_one(id, true, &end), 1);
    return end.signaled ? -end.code : end.code;
}

static void a_signal_drains_all_workers_and_the_end_is_clean(void **state)
{
    (void)state;
    const int signals[] = { wi_signal_term, wi_signal_int };
    for (size_t i = 0; i < 2; i++) {
        const int primary = start_primary(serve, 10 * WEIR_NS_PER_S);
        wait_until(&shared->ready_calls, 1);
        assert_int_equal(wi_process_signal(primary, signals[i]), 0);
        assert_int_equal(end_of(primary), 0);
        assert_int_equal(wi_load_relaxed(&shared->drained), WORKERS);
        assert_int_equal(wi_load_relaxed(&shared->drain_calls), 1);
        assert_int_equal(wi_load_relaxed(&shared->ready_calls), 1);
        assert_int_equal(wi_load_relaxed(&shared->counted), WORKERS);
    }
}

static void a_killed_worker_is_replaced_within_a_second_and_its_count_stays(void **state)
{
    (void)state;
    const int primary = start_primary(serve, 10 * WEIR_NS_PER_S);
    wait_until(&shared->ready_calls, 1);
    int quick = 0; /* other load on the machine may hold up some */
    for (int lives = 1; lives <= 3; lives++) {
        const weir_time killed = wi_clock_now();
        const int victim = wi_load_relaxed(&shared->ids[0]);
        assert_int_equal(wi_process_signal(victim, wi_signal_kill), 0);
        wait_until(&shared->started, WORKERS + lives);
        quick += wi_clock_now() - killed < WEIR_NS_PER_S;
        assert_int_not_equal(wi_load_relaxed(&shared->ids[0]), victim);
    }
    assert_true(quick > 0);
    assert_int_equal(wi_process_signal(primary, wi_signal_term), 0);
    assert_int_equal(end_of(primary), 0);
    assert_int_equal(wi_load_relaxed(&shared->respawns), 3);
    assert_int_equal(wi_load_relaxed(&shared->counted), WORKERS + 3);
}

static void a_start_that_fails_ends_everything_with_one_line(void **state)
{
    (void)state;
    int primary = start_primary(fail_with_a_reason, 10 * WEIR_NS_PER_S);
    assert_int_equal(end_of(primary), 1);
    assert_int_equal(wi_load_relaxed(&shared->fatal_notes), 1);
    assert_int_equal(wi_load_relaxed(&shared->notes), 1);
    assert_non_null(strstr(shared->fatal, "no database"));
    assert_true(wi_load_relaxed(&shared->started) <= WORKERS);

    primary = start_primary(crash_at_start, 10 * WEIR_NS_PER_S);
    assert_int_equal(end_of(primary), 1);
    assert_int_equal(wi_load_relaxed(&shared->notes), 1);
    assert_non_null(strstr(shared->fatal, "SIGKILL"));
}

static void a_crash_loop_beside_a_healthy_worker_is_slowed_and_quiet(void **state)
{
    (void)state;
    const int primary = start_primary(one_of_two_fails, 10 * WEIR_NS_PER_S);
    wait_until(&shared->started, 4); /* the healthy one and three lives of the other */
    assert_int_equal(wi_process_signal(primary, wi_signal_term), 0);
    assert_int_equal(end_of(primary), 0);
    assert_int_equal(wi_load_relaxed(&shared->fatal_notes), 0);
    assert_int_equal(wi_load_relaxed(&shared->drained), 1);
    assert_int_equal(wi_load_relaxed(&shared->ready_calls), 0);
    /* 100 + 150 ms passed: one line of loss in the first second, one of the drain. */
    assert_true(wi_load_relaxed(&shared->notes) <= 3);
}

static void a_worker_that_does_not_drain_is_killed_at_the_bound(void **state)
{
    (void)state;
    const int primary = start_primary(refuse_to_end, 100 * WEIR_NS_PER_MS);
    wait_until(&shared->ready_calls, 1);
    const weir_time before = wi_clock_now();
    assert_int_equal(wi_process_signal(primary, wi_signal_term), 0);
    assert_int_equal(end_of(primary), 1);
    assert_true(wi_clock_now() - before >= 100 * WEIR_NS_PER_MS);
    wait_until_all_gone();
}

static void a_second_signal_ends_at_once(void **state)
{
    (void)state;
    const int primary = start_primary(refuse_to_end, 600 * WEIR_NS_PER_S);
    wait_until(&shared->ready_calls, 1);
    assert_int_equal(wi_process_signal(primary, wi_signal_int), 0);
    wait_until(&shared->drain_calls, 1);
    assert_int_equal(wi_process_signal(primary, wi_signal_int), 0);
    assert_int_equal(end_of(primary), 1);
}

static void no_worker_outlives_a_killed_primary(void **state)
{
    (void)state;
    const int primary = start_primary(refuse_to_end, 10 * WEIR_NS_PER_S);
    wait_until(&shared->ready_calls, 1);
    assert_int_equal(wi_process_signal(primary, wi_signal_kill), 0);
    assert_int_equal(end_of(primary), -wi_signal_kill);
    wait_until_all_gone();
}

int main(void)
{
    static struct wi_slots memory; /* any shared mapping will do */
    if (wi_slots_open(&memory, 1, sizeof(struct shared), NULL) != 0)
        return 1;
    shared = wi_slots_payload(&memory, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_drains_all_workers_and_the_end_is_clean),
        cmocka_unit_test(a_killed_worker_is_replaced_within_a_second_and_its_count_stays),
        cmocka_unit_test(a_start_that_fails_ends_everything_with_one_line),
        cmocka_unit_test(a_crash_loop_beside_a_healthy_worker_is_slowed_and_quiet),
        cmocka_unit_test(a_worker_that_does_not_drain_is_killed_at_the_bound),
        cmocka_unit_test(a_second_signal_ends_at_once),
        cmocka_unit_test(no_worker_outlives_a_killed_primary),
    };
    return cmocka_run_group_tests_name("primary", tests, NULL, NULL);
}
