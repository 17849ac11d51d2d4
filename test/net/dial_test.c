/* SPDX-License-Identifier: MIT */
/* Dialing by name: one address after the other, and what is told when none of them takes the
 * connection.  The system's own lookup is stood in for (support/names.h). */
#include "net/dial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/names.h"
#include "support/run.h"

int wi_names_lookup(const char *host, struct wi_addr *out, int max, const char **why)
{
    return names_answer(host, out, max, why);
}

/* Of a listener on 127.0.0.1 alone: "HOST:PORT". */
static void address_of(weir_listener *listener, const char *host, char text[64])
{
    char own[64];
    CHECK_EQ(weir_listener_address(listener, own, sizeof(own)), 0);
    (void)snprintf(text, 64, "%s%s", host, strrchr(own, ':'));
}

RUN(the_next_address_is_tried_where_one_refuses)
{
    weir_listener *listener;
    weir_stream *stream;
    char address[64];
    int64_t lookup_ns = -1;
    CHECK_EQ(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    address_of(listener, "two.test", address);
    CHECK_EQ(wi_dial(&stream, address, &lookup_ns, WEIR_NO_DEADLINE), 0);
    CHECK(lookup_ns > 0);
    weir_stream_close(stream);
    CHECK_EQ(weir_dial(&stream, address, weir_in_ms(20000)), 0);
    weir_stream_close(stream);
    weir_listener_close(listener);
    CHECK_EQ(weir_dial(&stream, address, WEIR_NO_DEADLINE), WEIR_ECONNREFUSED);
    return 0;
}

enum {
    CALLERS_MAX = 64
};

/* A listener on 127.0.0.2 that accepts nobody, and as many connections as fill its line: the next
 * one waits for ever. */
struct silence {
    int listener;
    int callers[CALLERS_MAX];
    int count;
};

static bool is_ready(int fd)
{
    struct pollfd word = { .fd = fd, .events = POLLOUT };
    return poll(&word, 1, 50) == 1;
}

static void silence_begin(struct silence *silence, int port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK + 1) } };
    silence->count = 0;
    silence->listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(bind(silence->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(listen(silence->listener, 0), 0);
    int caller;
    do {
        CHECK(silence->count < CALLERS_MAX);
        caller = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        silence->callers[silence->count++] = caller;
        IGNORE(connect(caller, (const struct sockaddr *)&address, sizeof(address)));
    } while (is_ready(caller));
}

static void silence_end(struct silence *silence)
{
    for (int i = 0; i < silence->count; i++)
        close(silence->callers[i]);
    close(silence->listener);
}

RUN(an_address_that_says_nothing_leaves_time_for_the_next)
{
    struct silence silence;
    weir_listener *listener;
    weir_stream *stream;
    char address[64];
    CHECK_EQ(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    address_of(listener, "two.test", address);
    silence_begin(&silence, atoi(strrchr(address, ':') + 1));
    int rc;
    do /* a busy machine may be too late for the second half */
        rc = weir_dial(&stream, address, weir_in_ms(200));
    while (rc == WEIR_ETIMEDOUT);
    CHECK_EQ(rc, 0);
    weir_stream_close(stream);
    silence_end(&silence);
    weir_listener_close(listener);
    return 0;
}

RUN(a_host_that_is_not_found_is_told_from_one_that_nobody_knows_of)
{
    weir_stream *stream;
    CHECK_EQ(weir_dial(&stream, "nobody.test:80", WEIR_NO_DEADLINE), WEIR_ENOHOST);
    CHECK_EQ(weir_dial(&stream, "down.test:80", WEIR_NO_DEADLINE), WEIR_ELOOKUP);
    return 0;
}

RUN(the_deadline_ends_a_lookup_too)
{
    weir_stream *stream;
    names_hold();
    CHECK_EQ(weir_dial(&stream, "held.test:80", weir_in_ms(5)), WEIR_ETIMEDOUT);
    names_let_go();
    return 0;
}

RUN(an_address_gone_wrong_is_not_looked_up)
{
    static const char *const texts[] = { "127.0.0.256:80", "127.1:80",   "2130706433:80",
                                         "0x7f000001:80",  "::1:80",     "[two.test]:80",
                                         "two..test:80",   ".test:80",   "two.test:http",
                                         "-:65536",        "a b.test:80" };
    weir_stream *stream;
    const int before = names_asked();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CHECK_EQ(weir_dial(&stream, texts[i], WEIR_NO_DEADLINE), WEIR_EINVAL);
    CHECK_EQ(names_asked() - before, 0);
    return 0;
}

RUN(localhost_needs_no_lookup)
{
    weir_listener *listener;
    weir_stream *stream;
    char address[64];
    const int before = names_asked();
    CHECK_EQ(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    address_of(listener, "localhost", address);
    CHECK_EQ(weir_dial(&stream, address, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(names_asked() - before, 0);
    weir_stream_close(stream);
    weir_listener_close(listener);
    return 0;
}

static void without_a_runtime_nothing_is_looked_up(void **state)
{
    (void)state;
    weir_stream *stream;
    const int before = names_asked();
    assert_int_equal(weir_dial(&stream, "two.test:80", WEIR_NO_DEADLINE), WEIR_ENOTOPEN);
    assert_int_equal(names_asked() - before, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_address_is_tried_where_one_refuses),
        cmocka_unit_test(an_address_that_says_nothing_leaves_time_for_the_next),
        cmocka_unit_test(a_host_that_is_not_found_is_told_from_one_that_nobody_knows_of),
        cmocka_unit_test(the_deadline_ends_a_lookup_too),
        cmocka_unit_test(an_address_gone_wrong_is_not_looked_up),
        cmocka_unit_test(localhost_needs_no_lookup),
        cmocka_unit_test(without_a_runtime_nothing_is_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
