/* SPDX-License-Identifier: MIT */
/* Hosts of URLs: names that are looked up, those that are not found, and what the server is told of
 * them.  The system's own lookup is stood in for (support/names.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/names.h"
#include "support/run.h"
#include "support/scripted.h"

int wi_names_lookup(const char *host, struct wi_addr *out, int max, const char **why)
{
    return names_answer(host, out, max, why);
}

struct world {
    struct scripted scripted;
    weir_client *client;
    char host[256]; /* the last request's Host */
};

static void answer(struct peer *peer)
{
    struct world *world = peer->scripted->user;
    while (peer_request(peer)) {
        const char *at = strstr(peer->head, "Host: ");
        CHECK(at != NULL);
        (void)snprintf(world->host, sizeof(world->host), "%.*s", (int)strcspn(at + 6, "\r"),
                       at + 6);
        peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

static void begin(struct world *world)
{
    scripted_start(&world->scripted, answer, world);
    CHECK_EQ(weir_client_create(&world->client, NULL), 0);
}

static void end(struct world *world)
{
    weir_client_destroy(world->client);
    scripted_stop(&world->scripted);
}

static struct weir_client_stats stats_of(struct world *world)
{
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(world->client, &stats);
    return stats;
}

/* The status, or a code. */
static int call(weir_client *client, const char *url)
{
    weir_response *response;
    const int rc = weir_client_get(client, &response, url, WEIR_NO_DEADLINE);
    if (rc != 0)
        return rc;
    const int status = weir_response_status(response);
    weir_response_close(response);
    return status;
}

/* As call(), at the world's port. */
static int call_host(struct world *world, const char *host)
{
    char url[256];
    (void)snprintf(url, sizeof(url), "http://%s:%d/", host, world->scripted.port);
    return call(world->client, url);
}

RUN(a_host_is_called_by_its_name)
{
    struct world world;
    begin(&world);
    const int before = names_asked();
    CHECK_EQ(call_host(&world, "Two.test"), 200); /* its first address refuses */
    CHECK_EQ(call_host(&world, "two.test"), 200);
    CHECK_EQ(call_host(&world, "localhost"), 200);
    CHECK_EQ(names_asked() - before, 1);
    CHECK_EQ(stats_of(&world).connects, 2);
    end(&world);
    return 0;
}

RUN(a_host_that_there_is_not_is_dialed_once_and_one_that_nobody_knows_of_again)
{
    struct world world;
    begin(&world);
    CHECK_EQ(call_host(&world, "nobody.test"), WEIR_ENOHOST);
    CHECK_EQ(stats_of(&world).connect_failures, 1);
    CHECK_EQ(call_host(&world, "down.test"), WEIR_ELOOKUP);
    CHECK_EQ(stats_of(&world).connect_failures, 4);
    CHECK_EQ(stats_of(&world).overload, 0);
    end(&world);
    return 0;
}

RUN(a_lookup_that_takes_too_long_says_nothing_of_the_destination)
{
    const struct weir_client_opts opts = { .connect_ns_max = 5 * WEIR_NS_PER_MS };
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client *client;
    weir_response *response;
    CHECK_EQ(weir_client_create(&client, &opts), 0);
    names_hold();
    CHECK_EQ(call(client, "http://held.test/"), WEIR_ELOOKUP);
    weir_client_stats_read(client, &stats);
    CHECK_EQ(stats.connect_failures, 3);
    CHECK_EQ(stats.overload, 0);
    weir_client_destroy(client);
    CHECK_EQ(weir_client_create(&client, NULL), 0);
    do { /* a busy machine may be too late to begin */
        CHECK(weir_client_get(client, &response, "http://held.test/", weir_in_ms(20)) < 0);
        weir_client_stats_read(client, &stats);
    } while (stats.connect_failures == 0);
    CHECK_EQ(stats.overload, 0);
    names_let_go();
    weir_client_destroy(client);
    return 0;
}

RUN(the_server_is_told_the_host_and_a_port_that_is_not_80)
{
    static const char *const rows[][2] = {
        { "http://shop.test/", "shop.test" },
        { "http://Shop.test:80", "shop.test" },
        { "http://shop.test:8080/", "shop.test:8080" },
        { "http://shop.test:8/", "shop.test:8" },
        { "http://[::80]/", "[::80]" },
        { "http://[::1]:80/", "[::1]" },
        { "http://127.0.0.1/", "127.0.0.1" },
        { "http://unix/", "unix" }, /* who has an address needs no host of that name */
    };
    struct world world;
    weir_client *client;
    char address[64];
    begin(&world);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", world.scripted.port);
    const struct weir_client_opts opts = { .address = address };
    CHECK_EQ(weir_client_create(&client, &opts), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(call(client, rows[i][0]), 200);
        CHECK(strcmp(world.host, rows[i][1]) == 0);
    }
    weir_client_destroy(client);
    end(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_called_by_its_name),
        cmocka_unit_test(
            a_host_that_there_is_not_is_dialed_once_and_one_that_nobody_knows_of_again),
        cmocka_unit_test(a_lookup_that_takes_too_long_says_nothing_of_the_destination),
        cmocka_unit_test(the_server_is_told_the_host_and_a_port_that_is_not_80),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
