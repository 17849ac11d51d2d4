/* SPDX-License-Identifier: MIT */
/* Admission: the verdicts at each bound, and that the running bound holds against many threads.
 * The line itself is tried with real requests in behaviour/serve_limits_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "serve/request.h"
#include "weir/weir.h"

enum {
    BOUND = 3,
    THREADS = 4,
    ROUNDS = 20000
};

static weir_server *server;
static const struct wi_route route;
static wi_atomic_i64 inside, worst;

static enum wi_verdict admit(void)
{
    struct wi_gate_ask ask = { .deadline = WEIR_NO_DEADLINE, .class = WI_GATE_INTERACTIVE };
    struct wi_gate_ticket ticket;
    ask.now = weir_now();
    ask.arrived = ask.now;
    return wi_admit(server, &route, &ask, &ticket);
}

static int set_up(void **state)
{
    (void)state;
    const struct weir_server_opts opts = { .running_max = BOUND,
                                           .waiting_max = -1,
                                           .admission_off = true };
    assert_int_equal(weir_open(NULL), 0);
    return weir_server_create(&server, &opts);
}

static int tear_down(void **state)
{
    (void)state;
    weir_server_destroy(server);
    return weir_close(weir_in_ms(10000));
}

static void the_bound_is_exact(void **state)
{
    (void)state;
    for (int i = 0; i < BOUND; i++) {
        assert_false(wi_admit_full(server));
        assert_int_equal(admit(), WI_ADMIT_RUN);
    }
    assert_true(wi_admit_full(server));
    assert_int_equal(admit(), WI_ADMIT_SHED);
    wi_admit_end(server);
    assert_int_equal(admit(), WI_ADMIT_RUN);
    for (int i = 0; i < BOUND; i++)
        wi_admit_end(server);
    struct weir_server_stats stats = { .size = sizeof(stats) };
    weir_server_stats_read(server, &stats);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.shed_running, 1);
}

static void who_may_wait_is_told_so(void **state)
{
    (void)state;
    server->opts.waiting_max = 1;
    for (int i = 0; i < BOUND; i++)
        assert_int_equal(admit(), WI_ADMIT_RUN);
    assert_int_equal(admit(), WI_ADMIT_WAIT);
    for (int i = 0; i < BOUND; i++)
        wi_admit_end(server);
    server->opts.waiting_max = 0;
}

static void *come_and_go(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (admit() != WI_ADMIT_RUN)
            continue;
        const int64_t now = wi_add_seq_cst(&inside, 1) + 1;
        int64_t seen = wi_load_seq_cst(&worst);
        while (now > seen && !wi_cas_seq_cst(&worst, &seen, now))
            ;
        (void)wi_sub_seq_cst(&inside, 1);
        wi_admit_end(server);
    }
    return NULL;
}

static void the_bound_holds_against_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(wi_load_seq_cst(&worst) >= 1);
    assert_true(wi_load_seq_cst(&worst) <= BOUND);
    assert_int_equal(wi_load_seq_cst(&server->counters->running), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_exact),
        cmocka_unit_test(who_may_wait_is_told_so),
        cmocka_unit_test(the_bound_holds_against_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
