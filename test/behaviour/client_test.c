/* SPDX-License-Identifier: MIT */
/* The HTTP client under every model: bounds that tasks share, cancellation and deadlines at every
 * wait, what a handler passes on, and what it does to a destination that refuses, fails or is slow.
 * What goes over the wire byte by byte is in test/client/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "support/crowd.h"
#include "support/run.h"
#include "support/scripted.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SHED "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

enum {
    PATIENCE_MS = 30000
};

struct world {
    struct scripted scripted;
    weir_client *client;
    char url[256];
    int refuse_percent; /* atomic */
    int silent;         /* atomic: no answers */
    int calls;          /* of each task */
    int answers;        /* atomic */
    int stop;           /* atomic */
};

/* Refuses by turns: so many in each hundred, evenly. */
static void answer(struct peer *peer)
{
    struct world *world = peer->scripted->user;
    while (peer_request(peer)) {
        const int number = peek(&peer->scripted->requests);
        const int percent = peek(&world->refuse_percent);
        if (peek(&world->silent) != 0)
            continue;
        const bool refuse = number * percent / 100 != (number - 1) * percent / 100;
        peer_say(peer, refuse ? SHED : OK);
    }
}

static void begin(struct world *world, const struct weir_client_opts *opts)
{
    memset(world, 0, sizeof(*world));
    scripted_start(&world->scripted, answer, world);
    scripted_url(&world->scripted, "/", world->url);
    CHECK_EQ(weir_client_create(&world->client, opts), 0);
}

static void end(struct world *world)
{
    weir_client_destroy(world->client);
    scripted_stop(&world->scripted);
}

static struct weir_client_stats stats_of(const struct world *world)
{
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(world->client, &stats);
    return stats;
}

static struct weir_client_destination known_of(const struct world *world)
{
    struct weir_client_destination known = { .size = sizeof(known) };
    char authority[64];
    snprintf(authority, sizeof(authority), "127.0.0.1:%d", world->scripted.port);
    CHECK_EQ(weir_client_destination_read(world->client, authority, &known), 0);
    return known;
}

/* The status or a code. */
static int get(const struct world *world, weir_time deadline)
{
    weir_response *response;
    const int rc = weir_client_get(world->client, &response, world->url, deadline);
    if (rc != 0)
        return rc;
    const char *text = NULL;
    const int status = weir_response_status(response);
    CHECK_EQ(weir_response_body(response, &text, NULL, 100, weir_in_ms(PATIENCE_MS)), 0);
    CHECK(strcmp(text, status == 200 ? "ok" : "") == 0);
    weir_response_close(response);
    return status;
}

BOTH(a_call_is_answered)
{
    struct world world;
    begin(&world, NULL);
    CHECK_EQ(get(&world, weir_in_ms(PATIENCE_MS)), 200);
    CHECK_EQ(get(&world, weir_in_ms(PATIENCE_MS)), 200);
    CHECK_EQ(world.scripted.connections, 1);
    end(&world);
    return 0;
}

static int call_many(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < world->calls; i++) {
        CHECK_EQ(get(world, weir_in_ms(PATIENCE_MS)), 200);
        bump(&world->answers);
    }
    return 0;
}

RUN(tasks_and_threads_share_no_more_connections_than_allowed)
{
    enum {
        CONNECTIONS = 3,
        CALLS = 40
    };
    const struct weir_client_opts opts = { .connections_max = CONNECTIONS,
                                           .no_attempt_timeout = true };
    struct world world;
    struct crowd crowd = { .task_count = 0 };
    begin(&world, &opts);
    world.calls = CALLS;
    crowd_start(&crowd, 8, 2, call_many, &world);
    crowd_join(&crowd);
    CHECK_EQ(world.answers, 10 * CALLS);
    CHECK(world.scripted.most <= CONNECTIONS);
    const struct weir_client_stats stats = stats_of(&world);
    CHECK_EQ(stats.answers, 10 * CALLS);
    CHECK_EQ(stats.running, 0);
    CHECK_EQ(stats.waiting, 0);
    CHECK(stats.idle <= CONNECTIONS);
    end(&world);
    return 0;
}

/* -- ends ------------------------------------------------------------------------------------- */

static int wait_in_vain(void *arg)
{
    struct world *world = arg;
    CHECK_EQ(get(world, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(a_canceled_call_ends_wherever_it_waits)
{
    const struct weir_client_opts opts = { .connections_max = 1 };
    struct world world;
    struct crowd crowd = { .task_count = 0 };
    begin(&world, &opts);
    world.silent = 1;
    crowd_task(&crowd, wait_in_vain, &world); /* for the answer */
    await(&world.scripted.requests, 1);
    crowd_task(&crowd, wait_in_vain, &world); /* for its turn */
    await_waiters("acquire limit", 1);
    weir_task_cancel(crowd.tasks[1], WEIR_EPERM);
    while (stats_of(&world).waiting > 0)
        IGNORE(weir_yield());
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    crowd_join(&crowd);
    const struct weir_client_stats stats = stats_of(&world);
    CHECK_EQ(stats.running, 0);
    CHECK_EQ(stats.idle, 0);
    CHECK_EQ(stats.overload, 0); /* it was nobody's fault */
    CHECK_EQ(world.scripted.connections, 1);
    end(&world);
    return 0;
}

/* Once the request is out; a busy machine may be too late for that. */
static void call_with_an_ambient_deadline(struct world *world)
{
    do {
        struct weir_timeout timeout;
        weir_timeout_begin(&timeout, weir_in_ms(30));
        const int rc = get(world, WEIR_NO_DEADLINE);
        CHECK(rc == WEIR_ECANCELED || rc == WEIR_ETIMEDOUT);
        CHECK_EQ(weir_timeout_end(&timeout, rc), WEIR_ETIMEDOUT);
    } while (stats_of(world).attempts == 0);
}

RUN(the_ambient_deadline_ends_a_call)
{
    struct world world;
    begin(&world, NULL);
    world.silent = 1;
    call_with_an_ambient_deadline(&world);
    CHECK_EQ(stats_of(&world).running, 0);
    CHECK_EQ(stats_of(&world).overload, 1); /* as much as a deadline of its own would be */
    post(&world.silent, 0);
    CHECK_EQ(get(&world, weir_in_ms(PATIENCE_MS)), 200);
    end(&world);
    return 0;
}

/* -- names ------------------------------------------------------------------------------------ */

/* The system itself looks this one up, beside the other tasks: /etc/hosts has it. */
RUN(a_host_is_looked_up_by_its_name)
{
    struct world world;
    weir_client *client;
    weir_response *response;
    char address[64];
    begin(&world, NULL);
    snprintf(address, sizeof(address), "LOCALHOST:%d", world.scripted.port);
    const struct weir_client_opts opts = { .address = address };
    CHECK_EQ(weir_client_create(&client, &opts), 0);
    CHECK_EQ(weir_client_get(client, &response, "http://any.test/", WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_response_status(response), 200);
    weir_response_close(response);
    weir_client_destroy(client);
    end(&world);
    return 0;
}

/* -- handlers --------------------------------------------------------------------------------- */

struct service {
    weir_server *server;
    struct world *backend;
    char address[64];
};

static int front(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    struct service *service = user;
    const int status = get(service->backend, WEIR_NO_DEADLINE);
    return status < 0 ? status : weir_reply_text(reply, 200, "%d", status);
}

/* Sends back what the client was told and what it sent. */
static int mirror(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char piece[1000];
    int rc = weir_reply_begin(reply, 201, "text/plain", -1);
    while (rc >= 0) {
        rc = weir_request_read(request, piece, sizeof(piece), WEIR_NO_DEADLINE);
        if (rc == 0)
            return 0;
        if (rc > 0)
            rc = weir_reply_write(reply, piece, (size_t)rc);
    }
    return rc;
}

static void serve(struct service *service, const char *address)
{
    CHECK_EQ(weir_server_create(&service->server, NULL), 0);
    CHECK_EQ(weir_server_route(service->server, "GET", "/front", front, service, NULL), 0);
    CHECK_EQ(weir_server_route(service->server, "POST", "/mirror", mirror, service, NULL), 0);
    CHECK_EQ(weir_server_listen(service->server, address), 0);
    CHECK_EQ(weir_server_start(service->server), 0);
    CHECK_EQ(weir_server_address(service->server, 0, service->address, sizeof(service->address)),
             0);
}

static void stop(struct service *service)
{
    CHECK_EQ(weir_server_drain(service->server, weir_in_ms(PATIENCE_MS)), 0);
    weir_server_destroy(service->server);
}

/* Calls the front, with a header field or NULL; its answer's number. */
static int ask_front(weir_client *client, const struct service *service,
                     const struct weir_header *header)
{
    char url[256];
    weir_response *response;
    const char *text = NULL;
    snprintf(url, sizeof(url), "http://%s/front", service->address);
    const struct weir_client_request request = { .headers = header,
                                                 .header_count = header != NULL ? 1 : 0 };
    CHECK_EQ(weir_client_send(client, &response, "GET", url, &request, weir_in_ms(PATIENCE_MS)), 0);
    CHECK_EQ(weir_response_status(response), 200);
    CHECK_EQ(weir_response_body(response, &text, NULL, 100, weir_in_ms(PATIENCE_MS)), 0);
    const int number = atoi(text);
    weir_response_close(response);
    return number;
}

RUN(a_handler_of_a_repeated_request_repeats_nothing)
{
    struct world world;
    struct service service = { .backend = &world };
    weir_client *client;
    begin(&world, NULL);
    world.refuse_percent = 100;
    serve(&service, "127.0.0.1:0");
    CHECK_EQ(weir_client_create(&client, NULL), 0);
    CHECK_EQ(ask_front(client, &service, NULL), 503);
    CHECK_EQ(peek(&world.scripted.requests), 3);
    const struct weir_header repeated = { "X-Attempt", "1" };
    CHECK_EQ(ask_front(client, &service, &repeated), 503);
    CHECK_EQ(peek(&world.scripted.requests), 4);
    /* What is no number says nothing, and the next request of the connection begins anew. */
    const struct weir_header garbage = { "X-Attempt", "-1" };
    CHECK_EQ(ask_front(client, &service, &garbage), 503);
    CHECK_EQ(peek(&world.scripted.requests), 7);
    weir_client_destroy(client);
    stop(&service);
    end(&world);
    return 0;
}

static int count_down(void *user, void *data, size_t bytes)
{
    int *left = user;
    if (*left == 0)
        return 0;
    const int piece = *left < 5000 ? *left : 5000;
    CHECK((size_t)piece <= bytes);
    memset(data, 'w', (size_t)piece);
    *left -= piece;
    return piece;
}

RUN(a_streamed_body_comes_back_over_a_unix_socket)
{
    struct service service = { .backend = NULL };
    weir_client *client;
    weir_response *response;
    char address[64];
    const char *text = NULL;
    size_t bytes = 0;
    int left = 100000;
    snprintf(address, sizeof(address), "unix:@weir-client-test-%d", (int)getpid());
    serve(&service, address);
    const struct weir_client_opts opts = { .address = address };
    const struct weir_client_request request = { .read = count_down,
                                                 .user = &left,
                                                 .read_bytes = -1 };
    CHECK_EQ(weir_client_create(&client, &opts), 0);
    CHECK_EQ(weir_client_send(client, &response, "POST", "http://app/mirror", &request,
                              weir_in_ms(PATIENCE_MS)),
             0);
    CHECK_EQ(weir_response_status(response), 201);
    CHECK_EQ(weir_response_body(response, &text, &bytes, 100000, weir_in_ms(PATIENCE_MS)), 0);
    CHECK_EQ(bytes, 100000);
    CHECK_EQ(strspn(text, "w"), 100000);
    weir_response_close(response);
    weir_client_destroy(client);
    stop(&service);
    return 0;
}

/* -- destinations that are ill ---------------------------------------------------------------- */

static int call_whatever_comes(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < world->calls; i++) {
        const int rc = get(world, weir_in_ms(PATIENCE_MS));
        CHECK(rc == 200 || rc == 503 || rc == WEIR_ESHED);
        if (rc == 200)
            bump(&world->answers);
    }
    return 0;
}

static struct weir_client_stats offer(struct world *world, int percent)
{
    enum {
        TASKS = 8,
        CALLS = 250
    };
    struct crowd crowd = { .task_count = 0 };
    /* A machine that is busy otherwise may keep an answer back for longer than was learned. */
    const struct weir_client_opts opts = { .no_attempt_timeout = true };
    begin(world, &opts);
    world->refuse_percent = percent;
    world->calls = CALLS;
    crowd_start(&crowd, TASKS, 0, call_whatever_comes, world);
    crowd_join(&crowd);
    const struct weir_client_stats stats = stats_of(world);
    CHECK_EQ(stats.calls, TASKS * CALLS);
    CHECK_EQ(stats.attempts, peek(&world->scripted.requests));
    return stats;
}

/* The bar of 1.12 is for any length; here the floor's first ten are a two-hundredth. */
RUN(a_destination_that_refuses_half_sees_at_most_12_percent_more)
{
    struct world world;
    const struct weir_client_stats stats = offer(&world, 50);
    CHECK(stats.attempts * 100 <= stats.calls * 112);
    CHECK(stats.retries > 0);
    CHECK(stats.denied_budget > 0);
    CHECK(world.answers * 100 > stats.calls * 45);
    end(&world);
    return 0;
}

RUN(a_destination_that_refuses_everything_is_left_alone)
{
    struct world world;
    const struct weir_client_stats stats = offer(&world, 100);
    CHECK(stats.attempts * 100 <= stats.calls * 50);
    CHECK(stats.shed_throttle > 0);
    CHECK_EQ(world.answers, 0);
    CHECK(known_of(&world).throttle_permille > 800);
    end(&world);
    return 0;
}

static int call_until_stopped(void *arg)
{
    struct world *world = arg;
    while (peek(&world->stop) == 0) {
        const int rc = get(world, weir_in_ms(PATIENCE_MS));
        CHECK(rc == 200 || rc == WEIR_ESHED || rc == WEIR_ETIMEDOUT);
        if (rc != 200)
            CHECK_EQ(weir_sleep(weir_in_ms(2)), 0);
        bump(&world->answers);
    }
    return 0;
}

RUN(a_destination_that_stalls_holds_four_calls_and_gets_more_again)
{
    enum {
        TASKS = 32
    };
    const struct weir_client_opts opts = { .no_throttle = true, .attempts_max = 1 };
    struct world world;
    struct crowd crowd = { .task_count = 0 };
    begin(&world, &opts);
    /* It knows what answers take, so it gives up after some ms. */
    for (int i = 0; i < 100; i++)
        CHECK_EQ(get(&world, weir_in_ms(PATIENCE_MS)), 200);
    post(&world.silent, 1);
    crowd_start(&crowd, TASKS, 0, call_until_stopped, &world);
    while (known_of(&world).allowed > 4)
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    while (known_of(&world).running > 4)
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    const int64_t before = stats_of(&world).timeouts;
    while (stats_of(&world).timeouts < before + 8) {
        CHECK(known_of(&world).running <= 4);
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    }
    post(&world.silent, 0);
    while (known_of(&world).allowed <= 4)
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    post(&world.stop, 1);
    crowd_join(&crowd);
    end(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(tasks_and_threads_share_no_more_connections_than_allowed),
        cmocka_unit_test(a_canceled_call_ends_wherever_it_waits),
        cmocka_unit_test(the_ambient_deadline_ends_a_call),
        cmocka_unit_test(a_host_is_looked_up_by_its_name),
        cmocka_unit_test(a_handler_of_a_repeated_request_repeats_nothing),
        cmocka_unit_test(a_streamed_body_comes_back_over_a_unix_socket),
        cmocka_unit_test(a_destination_that_refuses_half_sees_at_most_12_percent_more),
        cmocka_unit_test(a_destination_that_refuses_everything_is_left_alone),
        cmocka_unit_test(a_destination_that_stalls_holds_four_calls_and_gets_more_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
