/* SPDX-License-Identifier: MIT */
/* Answers and their bodies, against a server that says what a script tells it to: framings, cuts,
 * bad chunks, bounds, deadlines in the middle, and what becomes of the connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "support/scripted.h"

enum {
    PATIENCE_MS = 20000
};

struct world {
    struct scripted scripted;
    weir_client *client;
};

static void say_it(struct peer *peer)
{
    while (peer_request(peer))
        peer_say(peer, peer->scripted->user);
}

static void say_it_byte_by_byte(struct peer *peer)
{
    while (peer_request(peer)) {
        const char *said = peer->scripted->user;
        for (size_t i = 0; said[i] != '\0'; i++)
            peer_say_bytes(peer, &said[i], 1);
    }
}

static void say_it_and_close(struct peer *peer)
{
    if (peer_request(peer))
        peer_say(peer, peer->scripted->user);
}

static void begin_with(struct world *world, script_fn *script, const char *said,
                       const struct weir_client_opts *opts)
{
    scripted_start(&world->scripted, script, (void *)(uintptr_t)said);
    CHECK_EQ(weir_client_create(&world->client, opts), 0);
}

static void begin(struct world *world, script_fn *script, const char *said)
{
    const struct weir_client_opts opts = { .attempts_max = 1 };
    begin_with(world, script, said, &opts);
}

static void end(struct world *world)
{
    weir_client_destroy(world->client);
    scripted_stop(&world->scripted);
}

static weir_response *ask(struct world *world, const char *method)
{
    char url[256];
    weir_response *response;
    CHECK_EQ(weir_client_send(world->client, &response, method,
                              scripted_url(&world->scripted, "/", url), NULL,
                              weir_in_ms(PATIENCE_MS)),
             0);
    return response;
}

static int64_t idle(struct world *world)
{
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(world->client, &stats);
    return stats.idle;
}

/* Reads with so much room at once; the code of the end. */
static int read_all(weir_response *response, char *text, size_t text_bytes, size_t room)
{
    size_t len = 0;
    int got;
    do {
        CHECK(len + room < text_bytes);
        got = weir_response_read(response, text + len, room, weir_in_ms(PATIENCE_MS));
        if (got > 0)
            len += (size_t)got;
    } while (got > 0);
    text[len] = '\0';
    return got;
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

RUN(every_framing_gives_the_same_body_however_it_is_cut_and_read)
{
    static const struct {
        const char *said;
        int64_t announced;
        int keeps;
        script_fn *script;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world", 12, 1, say_it },
        { "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world", 12, 1, say_it_byte_by_byte },
        { CHUNKED "7\r\nhello, \r\n5;x=y\r\nworld\r\n0\r\nA: b\r\n\r\n", -1, 1, say_it },
        { CHUNKED "7\r\nhello, \r\n5\r\nworld\r\n0\r\n\r\n", -1, 1, say_it_byte_by_byte },
        { "HTTP/1.1 200 OK\r\n\r\nhello, world", -1, 0, say_it_and_close },
        { "HTTP/1.0 200 OK\r\n\r\nhello, world", -1, 0, say_it_and_close },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t room = 1; room < 20; room += 3) {
            struct world world;
            char text[64];
            begin(&world, cases[i].script, cases[i].said);
            weir_response *response = ask(&world, "GET");
            CHECK_EQ(weir_response_body_bytes(response), cases[i].announced);
            CHECK_EQ(read_all(response, text, sizeof(text), room), 0);
            CHECK(strcmp(text, "hello, world") == 0);
            /* The end stays the end, and the connection is free before the close. */
            CHECK_EQ(weir_response_read(response, text, 1, WEIR_DONT_WAIT), 0);
            CHECK_EQ(idle(&world), cases[i].keeps);
            weir_response_close(response);
            CHECK_EQ(idle(&world), cases[i].keeps);
            end(&world);
        }
    }
    return 0;
}

RUN(answers_without_a_body_have_none_and_keep_the_connection)
{
    static const struct {
        const char *method;
        const char *said;
        int status;
    } cases[] = {
        { "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200 },
        { "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200 },
        { "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204 },
        { "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", 304 },
        { "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world;
        char byte;
        begin(&world, say_it, cases[i].said);
        for (int again = 0; again < 2; again++) {
            weir_response *response = ask(&world, cases[i].method);
            CHECK_EQ(weir_response_status(response), cases[i].status);
            CHECK_EQ(weir_response_body_bytes(response), 0);
            CHECK_EQ(weir_response_read(response, &byte, 1, WEIR_NO_DEADLINE), 0);
            weir_response_close(response);
        }
        CHECK_EQ(world.scripted.connections, 1);
        end(&world);
    }
    return 0;
}

RUN(header_fields_are_found_by_name_and_in_their_order)
{
    struct world world;
    struct weir_header header;
    begin(&world, say_it, "HTTP/1.1 200\r\nA: one\r\nB:\r\na:\ttwo \r\nContent-Length: 0\r\n\r\n");
    weir_response *response = ask(&world, "GET");
    CHECK(strcmp(weir_response_header(response, "a"), "one") == 0);
    CHECK(strcmp(weir_response_header(response, "b"), "") == 0);
    CHECK(weir_response_header(response, "c") == NULL);
    static const char *const names[] = { "A", "B", "a", "Content-Length" };
    static const char *const values[] = { "one", "", "two", "0" };
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(weir_response_header_at(response, i, &header), 0);
        CHECK(strcmp(header.name, names[i]) == 0);
        CHECK(strcmp(header.value, values[i]) == 0);
    }
    CHECK_EQ(weir_response_header_at(response, 4, &header), WEIR_ENOENT);
    CHECK_EQ(weir_response_attempts(response), 1);
    weir_response_close(response);
    end(&world);
    return 0;
}

RUN(a_body_that_is_cut_or_malformed_is_told_and_stays_so)
{
    static const struct {
        const char *said;
        int code;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello", WEIR_ECONNRESET },
        { CHUNKED "7\r\nhello", WEIR_ECONNRESET },
        { CHUNKED "5\r\nhello\r\n", WEIR_ECONNRESET },
        { CHUNKED "5\r\nhello\r\n0\r\n", WEIR_ECONNRESET },
        { CHUNKED "5\r\nhelloworld", WEIR_EPROTO },
        { CHUNKED "5\r\nhello\r\n-1\r\n", WEIR_EPROTO },
        { CHUNKED "5\r\nhello\r\nfffffffffffffffff\r\n", WEIR_EMSGSIZE },
        { CHUNKED "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", WEIR_EPROTO },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world;
        char text[64];
        begin(&world, say_it_and_close, cases[i].said);
        weir_response *response = ask(&world, "GET");
        const int rc = read_all(response, text, sizeof(text), 20);
        CHECK(strcmp(text, "hello") == 0);
        CHECK(rc == cases[i].code || (rc == WEIR_EPROTO && cases[i].code == WEIR_EMSGSIZE));
        CHECK_EQ(weir_response_read(response, text, 1, WEIR_NO_DEADLINE), rc);
        weir_response_close(response);
        CHECK_EQ(idle(&world), 0);
        end(&world);
    }
    return 0;
}

RUN(a_body_beyond_its_bound_is_refused)
{
    const struct weir_client_opts opts = { .attempts_max = 1, .body_bytes_max = 5 };
    char text[64];
    struct world world;
    char url[256];
    weir_response *response;
    begin_with(&world, say_it, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", &opts);
    CHECK_EQ(weir_client_get(world.client, &response, scripted_url(&world.scripted, "/", url),
                             weir_in_ms(PATIENCE_MS)),
             WEIR_EMSGSIZE);
    end(&world);

    static const char *const said[] = {
        CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello!",
    };
    for (size_t i = 0; i < 2; i++) {
        for (size_t room = 1; room < 20; room += 6) {
            begin_with(&world, say_it_and_close, said[i], &opts);
            response = ask(&world, "GET");
            CHECK_EQ(read_all(response, text, sizeof(text), room), WEIR_EMSGSIZE);
            CHECK(strcmp(text, "hello") == 0);
            weir_response_close(response);
            end(&world);
        }
    }
    /* Exactly as much as is allowed is not beyond. */
    begin_with(&world, say_it_and_close, "HTTP/1.1 200 OK\r\n\r\nhello", &opts);
    response = ask(&world, "GET");
    CHECK_EQ(read_all(response, text, sizeof(text), 20), 0);
    weir_response_close(response);
    end(&world);
    return 0;
}

/* -- weir_response_body() --------------------------------------------------------------------- */

RUN(a_whole_body_is_given_with_a_nul_and_again)
{
    static const char *const said[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        CHUNKED "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        const char *data = NULL;
        size_t bytes = 0;
        begin(&world, say_it, said[i]);
        weir_response *response = ask(&world, "GET");
        for (int again = 0; again < 2; again++) {
            CHECK_EQ(weir_response_body(response, &data, &bytes, 5, weir_in_ms(PATIENCE_MS)), 0);
            CHECK_EQ(bytes, 5);
            CHECK(strcmp(data, "hello") == 0);
        }
        weir_response_close(response);
        response = ask(&world, "GET");
        CHECK_EQ(weir_response_body(response, &data, &bytes, 4, weir_in_ms(PATIENCE_MS)),
                 WEIR_EMSGSIZE);
        weir_response_close(response);
        response = ask(&world, "GET");
        CHECK_EQ(weir_response_body(response, &data, NULL, SIZE_MAX, weir_in_ms(PATIENCE_MS)), 0);
        weir_response_close(response);
        end(&world);
    }
    return 0;
}

RUN(an_empty_body_is_a_body)
{
    struct world world;
    const char *data = NULL;
    size_t bytes = 7;
    begin(&world, say_it, "HTTP/1.1 204 No Content\r\n\r\n");
    weir_response *response = ask(&world, "GET");
    CHECK_EQ(weir_response_body(response, &data, &bytes, 0, WEIR_DONT_WAIT), 0);
    CHECK_EQ(bytes, 0);
    CHECK(data[0] == '\0');
    weir_response_close(response);
    end(&world);
    return 0;
}

static void say_a_megabyte(struct peer *peer)
{
    static char block[65536];
    memset(block, 'w', sizeof(block));
    while (peer_request(peer)) {
        peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
        for (int i = 0; i < 16; i++)
            peer_say_bytes(peer, block, sizeof(block));
    }
}

RUN(a_large_body_grows_as_it_comes)
{
    struct world world;
    const char *data = NULL;
    size_t bytes = 0;
    begin(&world, say_a_megabyte, NULL);
    for (int i = 0; i < 3; i++) {
        weir_response *response = ask(&world, "GET");
        CHECK_EQ(weir_response_body(response, &data, &bytes, 1048576, weir_in_ms(PATIENCE_MS)), 0);
        CHECK_EQ(bytes, 1048576);
        CHECK_EQ(strlen(data), 1048576);
        weir_response_close(response);
    }
    CHECK_EQ(world.scripted.connections, 1);
    end(&world);
    return 0;
}

/* -- deadlines and ends in the middle --------------------------------------------------------- */

/* Says the half, and the rest when the test says so (an eventcount of one). */
static int may_go_on;

static void say_the_half_and_wait(struct peer *peer)
{
    while (peer_request(peer)) {
        peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        while (peek(&may_go_on) == 0)
            burn_ms(1);
        peer_say(peer, "world");
    }
}

RUN(a_read_that_timed_out_has_lost_nothing)
{
    struct world world;
    const char *data = NULL;
    size_t bytes = 0;
    post(&may_go_on, 0);
    begin(&world, say_the_half_and_wait, NULL);
    weir_response *response = ask(&world, "GET");
    CHECK_EQ(weir_response_body(response, &data, &bytes, 100, weir_in_ms(5)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_response_body(response, &data, &bytes, 100, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    post(&may_go_on, 1);
    CHECK_EQ(weir_response_body(response, &data, &bytes, 100, weir_in_ms(PATIENCE_MS)), 0);
    CHECK(strcmp(data, "helloworld") == 0);
    weir_response_close(response);
    CHECK_EQ(idle(&world), 1);
    end(&world);
    return 0;
}

RUN(a_response_closed_in_the_middle_takes_its_connection_along)
{
    struct world world;
    char text[4];
    post(&may_go_on, 0);
    begin(&world, say_the_half_and_wait, NULL);
    weir_response *response = ask(&world, "GET");
    CHECK(weir_response_read(response, text, sizeof(text), weir_in_ms(PATIENCE_MS)) > 0);
    weir_response_close(response);
    CHECK_EQ(idle(&world), 0);
    post(&may_go_on, 1);
    end(&world);
    return 0;
}

RUN(a_little_that_was_not_read_does_not_cost_the_connection)
{
    struct world world;
    begin(&world, say_it, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    for (int i = 0; i < 5; i++)
        weir_response_close(ask(&world, "GET"));
    CHECK_EQ(world.scripted.connections, 1);
    weir_response_close(NULL);
    end(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_framing_gives_the_same_body_however_it_is_cut_and_read),
        cmocka_unit_test(answers_without_a_body_have_none_and_keep_the_connection),
        cmocka_unit_test(header_fields_are_found_by_name_and_in_their_order),
        cmocka_unit_test(a_body_that_is_cut_or_malformed_is_told_and_stays_so),
        cmocka_unit_test(a_body_beyond_its_bound_is_refused),
        cmocka_unit_test(a_whole_body_is_given_with_a_nul_and_again),
        cmocka_unit_test(an_empty_body_is_a_body),
        cmocka_unit_test(a_large_body_grows_as_it_comes),
        cmocka_unit_test(a_read_that_timed_out_has_lost_nothing),
        cmocka_unit_test(a_response_closed_in_the_middle_takes_its_connection_along),
        cmocka_unit_test(a_little_that_was_not_read_does_not_cost_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
