/* SPDX-License-Identifier: MIT */
/* What a destination's laws say of an attempt: which timeout it gets, when too little time is left,
 * what each end teaches, and when a retry is paid for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/client.h"

#define MS WEIR_NS_PER_MS

static const struct weir_client_request plain;

struct world {
    weir_client *client;
    struct wi_destination *destination;
    struct wi_call call;
    int64_t timeout_ns;
    int64_t left_ns;
};

static void begin(struct world *world, const struct weir_client_opts *opts)
{
    assert_int_equal(weir_client_create(&world->client, opts), 0);
    assert_int_equal(wi_destination_take(world->client, &world->destination, "a:1", false), 0);
    world->call = (struct wi_call){
        .method = "GET",
        .request = &plain,
        .end = WEIR_NO_DEADLINE,
        .told = WEIR_NO_DEADLINE,
        .attempt = 1,
        .idempotent = true,
        .repeatable = true,
    };
}

static void end(struct world *world)
{
    wi_destination_give(world->destination);
    weir_client_destroy(world->client);
}

static int admit(struct world *world)
{
    return wi_destination_admit(world->destination, &world->call, &world->timeout_ns,
                                &world->left_ns);
}

static void learn(struct world *world, enum wi_attempt_end how, int64_t took_ns, int times)
{
    for (int i = 0; i < times; i++)
        wi_destination_learn(world->destination, &world->call, how, took_ns);
}

static void the_first_guess_binds_only_where_another_attempt_may_follow(void **state)
{
    (void)state;
    struct world world;
    begin(&world, NULL);
    assert_int_equal(admit(&world), 0);
    assert_int_equal(world.timeout_ns, WEIR_NS_PER_S);
    world.call.attempt = 3;
    assert_int_equal(admit(&world), 0);
    assert_int_equal(world.timeout_ns, INT64_MAX);
    world.call.attempt = 1;
    world.call.idempotent = false;
    assert_int_equal(admit(&world), 0);
    assert_int_equal(world.timeout_ns, INT64_MAX);
    world.call.idempotent = true;
    world.call.inherited = 1;
    assert_int_equal(admit(&world), 0);
    assert_int_equal(world.timeout_ns, INT64_MAX);
    /* And one that could not be paid for does not follow. */
    world.call.inherited = 0;
    for (int i = 0; i < 5; i++)
        assert_true(wi_destination_retry(world.destination, &world.call, WI_RETRY_TIMEOUT, 0) >= 0);
    assert_int_equal(admit(&world), 0);
    assert_int_equal(world.timeout_ns, INT64_MAX);
    end(&world);
}

static void a_learned_timeout_binds_every_attempt(void **state)
{
    (void)state;
    struct world world;
    begin(&world, NULL);
    learn(&world, WI_ATTEMPT_GOOD, 100 * MS, 100);
    for (world.call.attempt = 1; world.call.attempt <= 3; world.call.attempt++) {
        assert_int_equal(admit(&world), 0);
        assert_true(world.timeout_ns >= 300 * MS && world.timeout_ns <= 340 * MS);
    }
    end(&world);
    const struct weir_client_opts opts = { .no_attempt_timeout = true };
    begin(&world, &opts);
    learn(&world, WI_ATTEMPT_GOOD, 100 * MS, 100);
    assert_int_equal(admit(&world), 0);
    assert_int_equal(world.timeout_ns, INT64_MAX);
    end(&world);
}

static void what_fails_teaches_no_time(void **state)
{
    (void)state;
    struct world world;
    begin(&world, NULL);
    learn(&world, WI_ATTEMPT_REFUSED, MS, 50);
    learn(&world, WI_ATTEMPT_BROKEN, MS, 50);
    learn(&world, WI_ATTEMPT_UNKNOWN, MS, 50);
    assert_int_equal(world.destination->patience.latency.total[0], 0);
    end(&world);
}

static void with_less_than_a_quick_answer_takes_nothing_is_sent(void **state)
{
    (void)state;
    struct world world;
    begin(&world, NULL);
    world.call.told = weir_in_ms(60000);
    assert_int_equal(admit(&world), 0);
    /* The server is told what is left for it: the way back is taken off. */
    assert_true(world.left_ns <= 59999 * MS && world.left_ns > 50000 * MS);
    learn(&world, WI_ATTEMPT_GOOD, 65000 * MS, 100);
    assert_int_equal(admit(&world), WEIR_ETIMEDOUT);
    end(&world);

    begin(&world, NULL);
    world.call.told = weir_now() + MS;
    assert_int_equal(admit(&world), WEIR_ETIMEDOUT);
    world.call.told = WEIR_DONT_WAIT;
    assert_int_equal(admit(&world), WEIR_ETIMEDOUT);
    world.call.told = WEIR_NO_DEADLINE;
    assert_int_equal(admit(&world), 0);
    assert_int_equal(world.left_ns, -1);
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(world.client, &stats);
    assert_int_equal(stats.refused_deadline, 2);
    end(&world);
}

static int admitted_of(struct world *world, int tries)
{
    int admitted = 0;
    for (int i = 0; i < tries; i++)
        admitted += admit(world) == 0;
    return admitted;
}

static void only_signs_of_overload_close_the_throttle(void **state)
{
    (void)state;
    struct world world;
    static const enum wi_attempt_end harmless[] = { WI_ATTEMPT_GOOD, WI_ATTEMPT_BROKEN,
                                                    WI_ATTEMPT_UNKNOWN };
    for (size_t i = 0; i < 3; i++) {
        begin(&world, NULL);
        learn(&world, harmless[i], MS, 1000);
        assert_int_equal(admitted_of(&world, 100), 100);
        end(&world);
    }
    static const enum wi_attempt_end signs[] = { WI_ATTEMPT_REFUSED, WI_ATTEMPT_RAN_OUT,
                                                 WI_ATTEMPT_LATE };
    for (size_t i = 0; i < 3; i++) {
        begin(&world, NULL);
        learn(&world, signs[i], MS, 1000);
        assert_true(admitted_of(&world, 400) < 100); /* of 400 twenty are meant to */
        end(&world);
    }
    const struct weir_client_opts opts = { .no_throttle = true };
    begin(&world, &opts);
    learn(&world, WI_ATTEMPT_REFUSED, MS, 1000);
    assert_int_equal(admitted_of(&world, 100), 100);
    end(&world);
}

static void retries_are_paid_for_or_do_not_happen(void **state)
{
    (void)state;
    struct world world;
    begin(&world, NULL);
    int retries = 0;
    while (wi_destination_retry(world.destination, &world.call, WI_RETRY_BROKEN, 0) >= 0)
        assert_true(++retries < 100);
    assert_true(retries >= 10 && retries <= 12);
    /* What is refused brings nothing; accepted first attempts bring a tenth each. */
    learn(&world, WI_ATTEMPT_REFUSED, MS, 100);
    assert_int_equal(wi_destination_retry(world.destination, &world.call, WI_RETRY_BROKEN, 0), -1);
    learn(&world, WI_ATTEMPT_GOOD, MS, 15);
    assert_true(wi_destination_retry(world.destination, &world.call, WI_RETRY_BROKEN, 0) >= 0);
    world.call.attempt = 2;
    learn(&world, WI_ATTEMPT_GOOD, MS, 100);
    assert_int_equal(wi_destination_retry(world.destination, &world.call, WI_RETRY_BROKEN, 0), -1);
    end(&world);
    const struct weir_client_opts opts = { .no_budget = true };
    begin(&world, &opts);
    for (int i = 0; i < 1000; i++)
        assert_true(wi_destination_retry(world.destination, &world.call, WI_RETRY_BROKEN, 0) >= 0);
    end(&world);
}

static void a_wait_shorter_than_usual_answers_is_no_sign(void **state)
{
    (void)state;
    struct world world;
    begin(&world, NULL);
    assert_true(wi_destination_waited_enough(world.destination, 1));
    learn(&world, WI_ATTEMPT_GOOD, 100 * MS, 100);
    assert_false(wi_destination_waited_enough(world.destination, 50 * MS));
    assert_true(wi_destination_waited_enough(world.destination, 120 * MS));
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_guess_binds_only_where_another_attempt_may_follow),
        cmocka_unit_test(a_learned_timeout_binds_every_attempt),
        cmocka_unit_test(what_fails_teaches_no_time),
        cmocka_unit_test(with_less_than_a_quick_answer_takes_nothing_is_sent),
        cmocka_unit_test(only_signs_of_overload_close_the_throttle),
        cmocka_unit_test(retries_are_paid_for_or_do_not_happen),
        cmocka_unit_test(a_wait_shorter_than_usual_answers_is_no_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
