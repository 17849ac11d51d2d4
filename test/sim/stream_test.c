/* SPDX-License-Identifier: MIT */
/* Streams over a network that is slow, uneven and short of breath: every byte arrives once and in
 * order, deadlines hold, resets are reported, and nothing is left open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/world.h"

enum {
    BYTES = 20000,
    PIECE_MAX = 3000
};

struct talk {
    weir_stream *near;
    weir_stream *far;
    uint64_t random;
    int64_t echoed;
};

static char byte_at(int64_t place)
{
    return (char)(place * 131 % 251);
}

/* Sends back what comes, in pieces of its own choice. */
static int echo(void *arg)
{
    struct talk *talk = arg;
    char bytes[PIECE_MAX];
    for (;;) {
        const size_t room = 1 + (size_t)draw_below(&talk->random, PIECE_MAX);
        const int got = weir_read(talk->far, bytes, room, WEIR_NO_DEADLINE);
        if (got == WEIR_EEOF)
            return weir_finish(talk->far);
        CHECK(got > 0 && (size_t)got <= room);
        CHECK_EQ(weir_write(talk->far, bytes, (size_t)got, NULL, WEIR_NO_DEADLINE), 0);
        talk->echoed += got;
    }
}

static int send_pattern(void *arg)
{
    struct talk *talk = arg;
    char bytes[PIECE_MAX];
    int64_t done = 0;
    while (done < BYTES) {
        size_t count = 1 + (size_t)draw_below(&talk->random, PIECE_MAX);
        if ((int64_t)count > BYTES - done)
            count = (size_t)(BYTES - done);
        for (size_t i = 0; i < count; i++)
            bytes[i] = byte_at(done + (int64_t)i);
        size_t written = 0;
        const weir_time until = weir_in_ns(draw_below(&talk->random, 20000000));
        const int rc = weir_write(talk->near, bytes, count, &written, until);
        CHECK(rc == 0 || rc == WEIR_ETIMEDOUT);
        CHECK(rc != 0 || written == count);
        done += (int64_t)written;
    }
    return weir_finish(talk->near);
}

static int talk_to_an_echo(void *arg)
{
    uint64_t *random = arg;
    struct talk talk = { .random = draw(random) };
    weir_scope *scope;
    char bytes[PIECE_MAX];
    int64_t done = 0;
    world_pair(&talk.near, &talk.far);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(echo, &talk), 0);
    CHECK_EQ(weir_go(send_pattern, &talk), 0);
    for (;;) {
        const size_t room = 1 + (size_t)draw_below(random, PIECE_MAX);
        const weir_time until = weir_in_ns(draw_below(random, 20000000));
        const int got = weir_read(talk.near, bytes, room, until);
        if (got == WEIR_EEOF)
            break;
        if (got == WEIR_ETIMEDOUT) {
            CHECK(weir_now() >= until);
            continue;
        }
        CHECK(got > 0);
        for (int i = 0; i < got; i++)
            CHECK_EQ(bytes[i], byte_at(done + i));
        done += got;
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(done, BYTES);
    CHECK_EQ(talk.echoed, BYTES);
    weir_stream_close(talk.near);
    weir_stream_close(talk.far);
    return 0;
}

static void every_byte_arrives_once_and_in_order(void **state)
{
    (void)state;
    world_each_seed(world_rough, talk_to_an_echo);
    world_each_seed(world_calm, talk_to_an_echo);
}

static void a_seed_repeats_its_run(void **state)
{
    (void)state;
    world_replays(world_rough, talk_to_an_echo);
}

/* -- latency ----------------------------------------------------------------------------------- */

static struct wi_sim_opts far_away(uint64_t seed)
{
    return (struct wi_sim_opts){ .seed = seed, .latency_ns = 150 * WEIR_NS_PER_MS };
}

/* A read that is told a deadline before the latency is over times out, and the bytes come later. */
static int wait_for_the_latency(void *arg)
{
    weir_stream *near;
    weir_stream *far;
    char byte = 0;
    (void)arg;
    world_pair(&near, &far);
    const weir_time sent = weir_now();
    CHECK_EQ(weir_write(near, "x", 1, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_read(far, &byte, 1, sent + 100 * WEIR_NS_PER_MS), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_read(far, &byte, 1, WEIR_NO_DEADLINE), 1);
    CHECK_EQ(byte, 'x');
    CHECK(weir_now() - sent >= 150 * WEIR_NS_PER_MS);
    CHECK(weir_now() - sent < 152 * WEIR_NS_PER_MS);
    weir_stream_close(near);
    CHECK_EQ(weir_read(far, &byte, 1, WEIR_NO_DEADLINE), WEIR_EEOF);
    CHECK(weir_now() - sent >= 300 * WEIR_NS_PER_MS);
    weir_stream_close(far);
    return 0;
}

static void bytes_take_the_time_of_the_network(void **state)
{
    (void)state;
    world_each_seed(far_away, wait_for_the_latency);
}

/* -- failures ---------------------------------------------------------------------------------- */

/* As echo(), but an end that comes too early is an orderly one. */
static int echo_until_it_fails(void *arg)
{
    struct talk *talk = arg;
    char bytes[256];
    int rc = 0;
    while (rc == 0) {
        const int got = weir_read(talk->far, bytes, sizeof(bytes), WEIR_NO_DEADLINE);
        if (got < 0)
            rc = got;
        else
            rc = weir_write(talk->far, bytes, (size_t)got, NULL, WEIR_NO_DEADLINE);
    }
    CHECK(rc == WEIR_EEOF || rc == WEIR_ECONNRESET || rc == WEIR_EPIPE);
    weir_stream_close(talk->far);
    return 0;
}

static int talk_until_it_fails(void *arg)
{
    uint64_t *random = arg;
    struct talk talk = { .random = draw(random) };
    weir_scope *scope;
    char bytes[256] = { 0 };
    int rc = 0;
    world_pair(&talk.near, &talk.far);
    wi_sim_fail(WI_SIM_READ, 1 + draw(random) % 40, WEIR_ECONNRESET);
    wi_sim_fail(WI_SIM_WRITE, 1 + draw(random) % 40, WEIR_EPIPE);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(echo_until_it_fails, &talk), 0);
    for (int i = 0; i < 200 && rc == 0; i++) {
        const size_t count = 1 + (size_t)draw_below(random, (int)sizeof(bytes));
        rc = weir_write(talk.near, bytes, count, NULL, WEIR_NO_DEADLINE);
        size_t have = 0;
        while (rc == 0 && have < count) {
            const int got = weir_read(talk.near, bytes, count - have, WEIR_NO_DEADLINE);
            if (got < 0)
                rc = got;
            else
                have += (size_t)got;
        }
    }
    CHECK(rc == WEIR_EEOF || rc == WEIR_ECONNRESET || rc == WEIR_EPIPE);
    weir_stream_close(talk.near);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void a_broken_connection_ends_both_sides(void **state)
{
    (void)state;
    world_each_seed(world_rough, talk_until_it_fails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives_once_and_in_order),
        cmocka_unit_test(a_seed_repeats_its_run),
        cmocka_unit_test(bytes_take_the_time_of_the_network),
        cmocka_unit_test(a_broken_connection_ends_both_sides),
    };
    return cmocka_run_group_tests_name("sim/stream", tests, NULL, NULL);
}
