/* SPDX-License-Identifier: MIT */
/* The HTTP server in virtual time: scripted clients over a slow, uneven network, and timeouts that
 * take minutes for a client and nothing for the test.
 * ctest: timeout=120 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/world.h"

/* One period of the server's sweep, at most a second, and the network's delays. */
static const int64_t SLACK_NS = 2 * WEIR_NS_PER_S;

struct house {
    weir_server *server;
    char address[64];
    uint64_t random;
    int flood_result; /* 1 before it ended */
};

/* -- handlers ---------------------------------------------------------------------------------- */

static int say_hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    return weir_reply_text(reply, 200, "hello %s", weir_request_param(request, "name"));
}

static int wait_as_told(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    const int64_t ms = weir_request_query_int(request, "ms", 0, NULL);
    const int rc = weir_sleep(weir_in_ms(ms));
    if (rc != 0)
        return rc;
    return weir_reply_text(reply, 200, "waited");
}

static int echo(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char bytes[512];
    int got;
    int rc = weir_reply_begin(reply, 200, "text/plain", -1);
    while (rc == 0 &&
           (got = weir_request_read(request, bytes, sizeof(bytes), WEIR_NO_DEADLINE)) != 0)
        rc = got < 0 ? got : weir_reply_write(reply, bytes, (size_t)got);
    return rc;
}

/* Streams a megabyte; what came of it is left in *user. */
static int flood(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    char bytes[4096];
    memset(bytes, 'w', sizeof(bytes));
    int rc = weir_reply_begin(reply, 200, "text/plain", 256 * (int64_t)sizeof(bytes));
    for (int i = 0; rc == 0 && i < 256; i++)
        rc = weir_reply_write(reply, bytes, sizeof(bytes));
    *(int *)user = rc;
    return rc;
}

static void house_open(struct house *house, uint64_t random, const struct weir_server_opts *opts)
{
    house->random = random;
    CHECK_EQ(weir_server_create(&house->server, opts), 0);
    CHECK_EQ(weir_server_route(house->server, "GET", "/hello/:name", say_hello, NULL, NULL), 0);
    CHECK_EQ(weir_server_route(house->server, "GET", "/wait", wait_as_told, NULL, NULL), 0);
    CHECK_EQ(weir_server_route(house->server, "POST", "/echo", echo, NULL, NULL), 0);
    house->flood_result = 1;
    const struct weir_route_opts patient = { .size = sizeof(patient),
                                             .deadline_ns = 3600 * WEIR_NS_PER_S };
    CHECK_EQ(
        weir_server_route(house->server, "GET", "/flood", flood, &house->flood_result, &patient),
        0);
    CHECK_EQ(weir_server_listen(house->server, "127.0.0.1:0"), 0);
    CHECK_EQ(weir_server_address(house->server, 0, house->address, sizeof(house->address)), 0);
    CHECK_EQ(weir_server_start(house->server), 0);
}

static struct weir_server_stats house_stats(const struct house *house)
{
    struct weir_server_stats stats = { .size = sizeof(stats) };
    weir_server_stats_read(house->server, &stats);
    return stats;
}

static void house_close(struct house *house)
{
    CHECK_EQ(weir_server_drain(house->server, weir_now() + 60 * WEIR_NS_PER_S), 0);
    CHECK_EQ(house_stats(house).connections, 0);
    weir_server_destroy(house->server);
}

/* -- the client -------------------------------------------------------------------------------- */

struct client {
    weir_stream *stream;
    uint64_t *random;
    char data[8192];
    size_t len;
};

static void client_open(struct client *client, struct house *house)
{
    client->random = &house->random;
    client->len = 0;
    CHECK_EQ(weir_dial(&client->stream, house->address, WEIR_NO_DEADLINE), 0);
}

/* In pieces, with pauses between them. */
static void client_send(struct client *client, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t count = 1 + (size_t)draw_below(client->random, 40);
        if (count > left)
            count = left;
        CHECK_EQ(weir_write(client->stream, text, count, NULL, WEIR_NO_DEADLINE), 0);
        text += count;
        left -= count;
        if (draw_below(client->random, 3) == 0)
            CHECK_EQ(weir_sleep(weir_in_ns(draw_below(client->random, 20000000))), 0);
    }
}

/* False at the end of the stream. */
static bool client_more(struct client *client)
{
    CHECK(client->len + 1 < sizeof(client->data));
    const int got = weir_read(client->stream, client->data + client->len,
                              sizeof(client->data) - 1 - client->len, WEIR_NO_DEADLINE);
    CHECK(got > 0 || got == WEIR_EEOF || got == WEIR_ECONNRESET);
    if (got > 0)
        client->len += (size_t)got;
    client->data[client->len] = '\0';
    return got > 0;
}

/* The status of the next answer, whose text up to and with `last` is consumed. */
static int client_answer(struct client *client, const char *last)
{
    client->data[client->len] = '\0';
    char *end;
    while ((end = strstr(client->data, last)) == NULL) {
        if (!client_more(client)) {
            fprintf(stderr, "the server closed after: %s\n", client->data);
            CHECK(end != NULL);
        }
    }
    CHECK(strncmp(client->data, "HTTP/1.1 ", 9) == 0);
    const int status = (int)strtol(client->data + 9, NULL, 10);
    const size_t used = (size_t)(end - client->data) + strlen(last);
    client->len -= used;
    memmove(client->data, client->data + used, client->len + 1);
    return status;
}

/* Reads until the server closes; nothing more may come. */
static void client_expect_end(struct client *client)
{
    while (client_more(client)) {
    }
    CHECK_EQ(client->len, 0);
}

static void client_close(struct client *client)
{
    weir_stream_close(client->stream);
}

/* -- conversations ----------------------------------------------------------------------------- */

enum {
    CLIENTS = 4,
    REQUESTS = 6
};

static int converse(void *arg)
{
    struct client client;
    client_open(&client, arg);
    for (int i = 0; i < REQUESTS; i++) {
        switch (draw_below(client.random, 3)) {
        case 0:
            client_send(&client, "GET /hello/weir HTTP/1.1\r\nHost: x\r\n\r\n");
            CHECK_EQ(client_answer(&client, "hello weir"), 200);
            break;
        case 1:
            client_send(&client, "GET /wait?ms=1500 HTTP/1.1\r\nHost: x\r\n\r\n");
            CHECK_EQ(client_answer(&client, "waited"), 200);
            break;
        default:
            client_send(&client,
                        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nriver\r\n6\r\n flows\r\n0\r\n\r\n");
            CHECK_EQ(client_answer(&client, "\r\n0\r\n\r\n"), 200);
            break;
        }
    }
    /* Two at once. */
    client_send(&client, "GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n"
                         "GET /hello/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK_EQ(client_answer(&client, "hello a"), 200);
    CHECK_EQ(client_answer(&client, "hello b"), 200);
    client_expect_end(&client);
    client_close(&client);
    return 0;
}

static int serve_conversations(void *arg)
{
    struct house house;
    weir_scope *scope;
    house_open(&house, *(uint64_t *)arg, NULL);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        CHECK_EQ(weir_go(converse, &house), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    const struct weir_server_stats stats = house_stats(&house);
    CHECK_EQ(stats.requests, CLIENTS * (REQUESTS + 2));
    CHECK_EQ(stats.replied_2xx, stats.requests);
    house_close(&house);
    return 0;
}

static void every_request_is_answered_over_a_rough_network(void **state)
{
    (void)state;
    world_each_seed(world_rough, serve_conversations);
}

static void a_seed_repeats_its_run(void **state)
{
    (void)state;
    world_replays(world_rough, serve_conversations);
}

/* -- timeouts ---------------------------------------------------------------------------------- */

/* Slow and uneven, but a small write goes out whole: refusals are sent by one write, and a socket
 * that does not take it is closed. */
static struct wi_sim_opts uneven(uint64_t seed)
{
    struct wi_sim_opts opts = world_rough(seed);
    opts.short_permille = 0;
    return opts;
}

static int stop_in_the_head(void *arg)
{
    struct house house;
    struct client client;
    house_open(&house, *(uint64_t *)arg, NULL);
    client_open(&client, &house);
    const weir_time first = weir_now();
    client_send(&client, "GET /hello/slow HT");
    CHECK_EQ(client_answer(&client, "\r\n\r\n"), 408);
    const int64_t took = weir_now() - first;
    CHECK(took >= 5 * WEIR_NS_PER_S);
    CHECK(took <= 5 * WEIR_NS_PER_S + SLACK_NS);
    while (client_more(&client)) {
    }
    client_close(&client);
    CHECK_EQ(house_stats(&house).timed_out_heads, 1);
    house_close(&house);
    return 0;
}

/* One byte now and then keeps no head alive. */
static int drip_a_head(void *arg)
{
    struct house house;
    struct client client;
    const char *text = "GET /hello/slow HTTP/1.1\r\nHost: x\r\nX-Never: ends, it goes on and on";
    house_open(&house, *(uint64_t *)arg, NULL);
    client_open(&client, &house);
    const weir_time first = weir_now();
    int rc = 0;
    for (size_t i = 0; rc == 0 && text[i] != '\0'; i++) {
        rc = weir_write(client.stream, text + i, 1, NULL, WEIR_NO_DEADLINE);
        CHECK_EQ(weir_sleep(weir_in_ms(400)), 0);
        CHECK(weir_now() - first <= 10 * WEIR_NS_PER_S);
    }
    CHECK(rc == WEIR_EPIPE || rc == WEIR_ECONNRESET);
    client_close(&client);
    CHECK_EQ(house_stats(&house).timed_out_heads, 1);
    house_close(&house);
    return 0;
}

static int stay_idle(void *arg)
{
    struct house house;
    struct client client;
    house_open(&house, *(uint64_t *)arg, NULL);
    client_open(&client, &house);
    client_send(&client, "GET /hello/idle HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(client_answer(&client, "hello idle"), 200);
    const weir_time answered = weir_now();
    client_expect_end(&client);
    const int64_t idle = weir_now() - answered;
    CHECK(idle >= 60 * WEIR_NS_PER_S - WEIR_NS_PER_S / 10);
    CHECK(idle <= 60 * WEIR_NS_PER_S + SLACK_NS);
    client_close(&client);
    CHECK_EQ(house_stats(&house).timed_out_heads, 0);
    house_close(&house);
    return 0;
}

/* Requests now and then, over an hour: none of the pauses reaches the idle time. */
static int stay_busy(void *arg)
{
    struct house house;
    struct client client;
    house_open(&house, *(uint64_t *)arg, NULL);
    client_open(&client, &house);
    const weir_time start = weir_now();
    int asked = 0;
    while (weir_now() - start < 3600 * WEIR_NS_PER_S) {
        CHECK_EQ(weir_sleep(weir_in_ms(1000 + draw_below(client.random, 55000))), 0);
        client_send(&client, "GET /hello/again HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK_EQ(client_answer(&client, "hello again"), 200);
        asked++;
    }
    client_close(&client);
    CHECK_EQ(house_stats(&house).requests, asked);
    CHECK_EQ(house_stats(&house).accepted, 1);
    house_close(&house);
    return 0;
}

static int overrun_the_handlers_time(void *arg)
{
    struct house house;
    struct client client;
    house_open(&house, *(uint64_t *)arg, NULL);
    client_open(&client, &house);
    const weir_time start = weir_now();
    client_send(&client, "GET /wait?ms=3600000 HTTP/1.1\r\nHost: x\r\n\r\n");
    const int status = client_answer(&client, "\r\n\r\n");
    CHECK(status >= 500);
    CHECK(weir_now() - start >= 30 * WEIR_NS_PER_S);
    CHECK(weir_now() - start <= 30 * WEIR_NS_PER_S + SLACK_NS);
    client_close(&client);
    house_close(&house);
    return 0;
}

static int stop_in_the_body(void *arg)
{
    struct house house;
    struct client client;
    house_open(&house, *(uint64_t *)arg, NULL);
    client_open(&client, &house);
    const weir_time start = weir_now();
    client_send(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nriver");
    while (client_more(&client)) {
    }
    CHECK(weir_now() - start >= 5 * WEIR_NS_PER_S);
    CHECK(weir_now() - start <= 10 * WEIR_NS_PER_S);
    client_close(&client);
    CHECK_EQ(house_stats(&house).timed_out_bodies, 1);
    house_close(&house);
    return 0;
}

/* Waits for the end of the flood; how long it took. */
static int64_t await_flood(const struct house *house)
{
    const weir_time start = weir_now();
    while (house->flood_result == 1)
        CHECK_EQ(weir_sleep(weir_in_ms(100)), 0);
    return weir_now() - start;
}

static int read_nothing(void *arg)
{
    struct house house;
    struct client client;
    house_open(&house, *(uint64_t *)arg, NULL);
    client_open(&client, &house);
    client_send(&client, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(await_flood(&house) <= 5 * WEIR_NS_PER_S + SLACK_NS);
    CHECK_EQ(house.flood_result, WEIR_ETIMEDOUT);
    client_close(&client);
    house_close(&house);
    return 0;
}

static int read_slowly(void *arg)
{
    struct house house;
    struct client client;
    house_open(&house, *(uint64_t *)arg, NULL);
    client_open(&client, &house);
    client_send(&client, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
    /* 4 KiB a second: four times what a reader must take. */
    int64_t sum = 0;
    int got = 1;
    while (sum < 256 * 4096 && got > 0) {
        got = weir_read(client.stream, client.data, 2048, WEIR_NO_DEADLINE);
        sum += got > 0 ? got : 0;
        CHECK_EQ(weir_sleep(weir_in_ms(got / 4)), 0);
    }
    CHECK(sum >= 256 * 4096);
    (void)await_flood(&house);
    CHECK_EQ(house.flood_result, 0);
    client_close(&client);
    house_close(&house);
    return 0;
}

static void a_head_that_never_ends_gives_408_in_time(void **state)
{
    (void)state;
    world_each_seed(uneven, stop_in_the_head);
    world_each_seed(world_calm, stop_in_the_head);
}

static void a_head_that_drips_is_cut_too(void **state)
{
    (void)state;
    world_each_seed(world_rough, drip_a_head);
}

static void an_idle_connection_ends_after_its_time(void **state)
{
    (void)state;
    world_each_seed(world_rough, stay_idle);
}

static void a_connection_that_is_used_stays_for_an_hour(void **state)
{
    (void)state;
    world_each_seed(world_rough, stay_busy);
}

static void a_handler_that_overruns_its_deadline_is_answered_for(void **state)
{
    (void)state;
    world_each_seed(world_rough, overrun_the_handlers_time);
}

static void an_upload_that_stops_is_cut(void **state)
{
    (void)state;
    world_each_seed(world_rough, stop_in_the_body);
}

static void a_download_that_nobody_reads_is_cut(void **state)
{
    (void)state;
    world_each_seed(world_rough, read_nothing);
}

static void a_slow_reader_gets_everything(void **state)
{
    (void)state;
    world_each_seed(world_calm, read_slowly);
}

/* -- overload ---------------------------------------------------------------------------------- */

struct caller {
    struct house *house;
    int status;
};

static int ask_and_wait(void *arg)
{
    struct caller *caller = arg;
    struct client client;
    client_open(&client, caller->house);
    client_send(&client, "GET /wait?ms=2000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    caller->status = client_answer(&client, "\r\n\r\n");
    while (client_more(&client)) {
    }
    client_close(&client);
    return 0;
}

/* Ten that each take two seconds, where two may run and three may wait for at most one. */
static int overload(void *arg)
{
    const struct weir_server_opts opts = { .running_max = 2, .waiting_max = 3 };
    struct house house;
    struct caller callers[10];
    weir_scope *scope;
    int served = 0;
    int shed = 0;
    house_open(&house, *(uint64_t *)arg, &opts);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 10; i++) {
        callers[i] = (struct caller){ .house = &house };
        CHECK_EQ(weir_go(ask_and_wait, &callers[i]), 0);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < 10; i++) {
        served += callers[i].status == 200;
        shed += callers[i].status == 503;
    }
    CHECK_EQ(served + shed, 10);
    CHECK(served >= 2);
    CHECK(shed >= 5);
    const struct weir_server_stats stats = house_stats(&house);
    CHECK_EQ(stats.shed_running + stats.shed_waiting + stats.shed_age, shed);
    house_close(&house);
    return 0;
}

static void what_is_too_much_is_answered_503(void **state)
{
    (void)state;
    world_each_seed(world_calm, overload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_is_answered_over_a_rough_network),
        cmocka_unit_test(a_seed_repeats_its_run),
        cmocka_unit_test(a_head_that_never_ends_gives_408_in_time),
        cmocka_unit_test(a_head_that_drips_is_cut_too),
        cmocka_unit_test(an_idle_connection_ends_after_its_time),
        cmocka_unit_test(a_connection_that_is_used_stays_for_an_hour),
        cmocka_unit_test(a_handler_that_overruns_its_deadline_is_answered_for),
        cmocka_unit_test(an_upload_that_stops_is_cut),
        cmocka_unit_test(a_download_that_nobody_reads_is_cut),
        cmocka_unit_test(a_slow_reader_gets_everything),
        cmocka_unit_test(what_is_too_much_is_answered_503),
    };
    return cmocka_run_group_tests_name("sim/serve", tests, NULL, NULL);
}
