/* SPDX-License-Identifier: MIT */
/* weir_cluster_fork() in a plain program, as the article's example has it. */
#include "weir/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "cluster/fork.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/process.h"
#include "os/signal.h"
#include "weir/runtime.h"

static _Noreturn void sleep_for_ever(void)
{
    wi_atomic_u32 word = { 0 };
    for (;;)
        (void)wi_futex_wait(&word, 0, WEIR_NO_DEADLINE);
}

/* A worker that tells its index by its exit status. */
static int fork_teller(void)
{
    const int id = weir_cluster_fork();
    if (id == 0)
        wi_process_exit(weir_is_primary() ? 99 : weir_worker_index());
    assert_true(id > 0);
    return id;
}

static void workers_are_numbered_and_waited_for(void **state)
{
    (void)state;
    int ids[3];
    bool seen[3] = { false };
    for (int i = 0; i < 3; i++)
        ids[i] = fork_teller();
    for (int i = 0; i < 3; i++) {
        int status = -1;
        const int id = weir_cluster_wait(&status, weir_in_ms(10000));
        assert_true(status >= 0 && status < 3);
        assert_int_equal(id, ids[status]);
        assert_false(seen[status]);
        seen[status] = true;
    }
    assert_int_equal(weir_cluster_wait(NULL, WEIR_DONT_WAIT), WEIR_ENOENT);
    assert_true(weir_is_primary());
    assert_int_equal(weir_worker_index(), -1);
}

static void a_successor_takes_the_number_of_the_dead(void **state)
{
    (void)state;
    int sleepers[2];
    for (int i = 0; i < 2; i++) {
        sleepers[i] = weir_cluster_fork();
        if (sleepers[i] == 0)
            sleep_for_ever();
        assert_true(sleepers[i] > 0);
    }
    int status = 0;
    const weir_time deadline = weir_in_ms(20);
    assert_int_equal(weir_cluster_wait(&status, deadline), WEIR_ETIMEDOUT);
    assert_true(wi_clock_now() >= deadline);

    assert_int_equal(wi_process_signal(sleepers[0], wi_signal_kill), 0);
    assert_int_equal(weir_cluster_wait(&status, weir_in_ms(10000)), sleepers[0]);
    assert_int_equal(status, -wi_signal_kill);
    const int successor = fork_teller();
    assert_int_equal(weir_cluster_wait(&status, weir_in_ms(10000)), successor);
    assert_int_equal(status, 0);

    assert_int_equal(wi_process_signal(sleepers[1], wi_signal_kill), 0);
    assert_int_equal(weir_cluster_wait(&status, weir_in_ms(10000)), sleepers[1]);
}

static void a_worker_does_not_fork_workers(void **state)
{
    (void)state;
    const int id = weir_cluster_fork();
    if (id == 0)
        wi_process_exit(weir_cluster_fork() == WEIR_EPERM ? 0 : 1);
    int status = -1;
    assert_int_equal(weir_cluster_wait(&status, weir_in_ms(10000)), id);
    assert_int_equal(status, 0);
}

static void an_open_runtime_forbids_forking(void **state)
{
    (void)state;
    assert_int_equal(weir_open(&(struct weir_opts){ .scheduler = WEIR_SCHEDULER_LOOP }), 0);
    assert_int_equal(weir_cluster_fork(), WEIR_EALREADY);
    assert_int_equal(weir_close(weir_in_ms(10000)), 0);
}

static void a_supervised_worker_is_one_too(void **state)
{
    (void)state;
    const int id = wi_process_fork();
    if (id == 0) {
        wi_cluster_become_worker(4);
        wi_process_exit(!weir_is_primary() && weir_worker_index() == 4 ? 0 : 1);
    }
    struct wi_process_end end;
    assert_int_equal(wi_process_reap_one(id, true, &end), 1);
    assert_int_equal(end.code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_numbered_and_waited_for),
        cmocka_unit_test(a_successor_takes_the_number_of_the_dead),
        cmocka_unit_test(a_worker_does_not_fork_workers),
        cmocka_unit_test(an_open_runtime_forbids_forking),
        cmocka_unit_test(a_supervised_worker_is_one_too),
    };
    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
