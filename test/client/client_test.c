/* SPDX-License-Identifier: MIT */
/* A client: its options, the table of destinations and who makes room in it, misuse. */
#include "weir/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/client.h"
#include "support/run.h"
#include "support/scripted.h"

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    weir_client *client = NULL;
    static const struct weir_client_opts wrong[] = {
        { .destinations_max = 65537 }, { .connections_max = 65537 }, { .attempts_max = 11 },
        { .head_bytes_max = 65536 },   { .size = 1 << 20 },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(weir_client_create(&client, &wrong[i]), WEIR_EINVAL);
    static const struct weir_client_opts none = {
        .destinations_max = -1,
        .connections_max = -1,
        .idle_max = -1,
        .idle_ns_max = -1,
        .waiting_max = -1,
        .call_ns_max = -1,
        .connect_ns_max = -1,
        .attempts_max = -1,
        .head_bytes_max = -1,
        .body_bytes_max = -1,
    };
    assert_int_equal(weir_client_create(&client, &none), 0);
    weir_client_destroy(client);
}

static void the_address_is_copied(void **state)
{
    (void)state;
    char address[32] = "127.0.0.1:1";
    weir_client *client;
    const struct weir_client_opts opts = { .address = address };
    assert_int_equal(weir_client_create(&client, &opts), 0);
    memset(address, 'x', sizeof(address) - 1);
    assert_string_equal(client->opts.address, "127.0.0.1:1");
    weir_client_destroy(client);
}

static struct wi_destination *take(weir_client *client, const char *authority)
{
    struct wi_destination *destination = NULL;
    assert_int_equal(wi_destination_take(client, &destination, authority, true), 0);
    return destination;
}

static void a_full_table_forgets_the_one_that_was_used_longest_ago(void **state)
{
    (void)state;
    weir_client *client;
    struct weir_client_destination known = { .size = sizeof(known) };
    struct wi_destination *none = NULL;
    const struct weir_client_opts opts = { .destinations_max = 2 };
    assert_int_equal(weir_client_create(&client, &opts), 0);
    struct wi_destination *one = take(client, "one:1");
    struct wi_destination *two = take(client, "two:1");
    assert_ptr_equal(take(client, "one:1"), one);
    wi_destination_give(one);
    /* Both have calls: there is no room. */
    assert_int_equal(wi_destination_take(client, &none, "three:1", true), WEIR_EOVERFLOW);
    wi_destination_count(two, WI_CLIENT_CALLS);
    wi_destination_give(two);
    struct wi_destination *three = take(client, "three:1");
    assert_int_equal(weir_client_destination_read(client, "two:1", &known), WEIR_ENOENT);
    assert_int_equal(weir_client_destination_read(client, "one:1", &known), 0);
    wi_destination_give(one);
    wi_destination_give(three);
    burn_ms(1);
    wi_destination_give(take(client, "one:1"));
    wi_destination_give(take(client, "four:1"));
    assert_int_equal(weir_client_destination_read(client, "three:1", &known), WEIR_ENOENT);
    assert_int_equal(weir_client_destination_read(client, "one:1", &known), 0);
    /* What they have counted is not forgotten. */
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(client, &stats);
    assert_int_equal(stats.calls, 1);
    assert_int_equal(stats.destinations, 2);
    weir_client_destroy(client);
}

static void what_is_known_of_a_destination_begins_with_the_defaults(void **state)
{
    (void)state;
    weir_client *client;
    struct weir_client_destination known = { .size = sizeof(known) };
    assert_int_equal(weir_client_create(&client, NULL), 0);
    wi_destination_give(take(client, "one:1"));
    assert_int_equal(weir_client_destination_read(client, "one:1", &known), 0);
    assert_int_equal(known.allowed, 256);
    assert_int_equal(known.running, 0);
    assert_int_equal(known.budget_tokens, 10);
    assert_int_equal(known.throttle_permille, 0);
    assert_int_equal(known.attempt_ns, WEIR_NS_PER_S);
    assert_int_equal(known.p99_ns, 0);
    weir_client_destroy(client);
}

static void say_ok(struct peer *peer)
{
    while (peer_request(peer))
        peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static weir_client *client;
static struct scripted scripted;

static int get(void *arg)
{
    char url[256];
    weir_response *response;
    CHECK_EQ(
        weir_client_get(client, &response, scripted_url(&scripted, "/", url), weir_in_ms(20000)),
        0);
    if (arg == NULL)
        weir_response_close(response);
    return 0;
}

RUN(idle_connections_are_bounded_in_number_and_age)
{
    struct weir_client_stats stats = { .size = sizeof(stats) };
    const struct weir_client_opts few = { .idle_max = 2 };
    scripted_start(&scripted, say_ok, NULL);
    CHECK_EQ(weir_client_create(&client, &few), 0);
    weir_response *responses[5];
    char url[256];
    for (int i = 0; i < 5; i++)
        CHECK_EQ(weir_client_get(client, &responses[i], scripted_url(&scripted, "/", url),
                                 weir_in_ms(20000)),
                 0);
    CHECK_EQ(scripted.connections, 5);
    for (int i = 0; i < 5; i++)
        weir_response_close(responses[i]);
    weir_client_stats_read(client, &stats);
    CHECK_EQ(stats.idle, 2);
    weir_client_close_idle(client);
    weir_client_stats_read(client, &stats);
    CHECK_EQ(stats.idle, 0);
    weir_client_destroy(client);

    const struct weir_client_opts young = { .idle_ns_max = 1 };
    CHECK_EQ(weir_client_create(&client, &young), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(get(NULL), 0);
        burn_ms(1);
    }
    CHECK_EQ(scripted.connections, 8);
    weir_client_destroy(client);

    const struct weir_client_opts none = { .idle_max = -1 };
    CHECK_EQ(weir_client_create(&client, &none), 0);
    CHECK_EQ(get(NULL), 0);
    CHECK_EQ(get(NULL), 0);
    CHECK_EQ(scripted.connections, 10);
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return 0;
}

static int destroy_with_a_response_open(void *unused)
{
    (void)unused;
    scripted_start(&scripted, say_ok, NULL);
    CHECK_EQ(weir_client_create(&client, NULL), 0);
    CHECK_EQ(get(&client), 0);
    weir_client_destroy(client);
    return 0;
}

static void destroy_early(void)
{
    run_body(destroy_with_a_response_open, NULL);
}

static void a_client_in_use_is_not_destroyed(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(run_in_child(destroy_early, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "weir_client_destroy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(the_address_is_copied),
        cmocka_unit_test(a_full_table_forgets_the_one_that_was_used_longest_ago),
        cmocka_unit_test(what_is_known_of_a_destination_begins_with_the_defaults),
        cmocka_unit_test(idle_connections_are_bounded_in_number_and_age),
        cmocka_unit_test(a_client_in_use_is_not_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
