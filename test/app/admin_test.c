/* SPDX-License-Identifier: MIT */
/* The admin endpoint on a loop that the test turns itself. */
#include "app/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/socket.h"

struct fixture {
    struct wi_loop loop;
    struct wi_admin *admin;
    struct wi_addr addr;
    bool ready;
    int metrics_bytes; /* how much /metrics has to say */
};

static void write_metrics(void *user, struct wi_text *out)
{
    const struct fixture *fixture = user;
    while ((int)out->bytes < fixture->metrics_bytes && !out->cut)
        wi_text_add(out, "a_metric_of_some_length 1\n");
}

static bool tell_ready(void *user, const char **why)
{
    const struct fixture *fixture = user;
    *why = "having a rest";
    return fixture->ready;
}

static void write_tasks(void *user, struct wi_text *out)
{
    const struct fixture *fixture = user;
    wi_text_add(out, "1 task, %s\n", fixture->ready ? "ready" : "resting");
}

static int set_up(void **state)
{
    static struct fixture fixture;
    const char *reason;
    memset(&fixture, 0, sizeof(fixture));
    assert_int_equal(wi_loop_open(&fixture.loop), 0);
    assert_int_equal(wi_addr_parse("127.0.0.1:0", &fixture.addr, &reason), 0);
    const int fd = wi_socket_listen(&fixture.addr, 128);
    assert_true(fd >= 0);
    assert_int_equal(wi_socket_local(fd, &fixture.addr), 0);
    const struct wi_admin_opts opts = {
        .metrics = write_metrics, .ready = tell_ready, .tasks = write_tasks, .user = &fixture
    };
    assert_int_equal(wi_admin_open(&fixture.admin, &fixture.loop, fd, &opts), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    wi_admin_close(fixture->admin);
    wi_loop_close(&fixture->loop);
    return 0;
}

static int dial(const struct fixture *fixture)
{
    bool pending;
    const int fd = wi_socket_connect(&fixture->addr, &pending);
    assert_true(fd >= 0);
    return fd;
}

static void turn(struct fixture *fixture)
{
    (void)wi_loop_turn(&fixture->loop, weir_in_ms(1));
}

static void put(struct fixture *fixture, int fd, const char *bytes)
{
    size_t sent = 0;
    while (sent < strlen(bytes)) {
        const int64_t rc = wi_socket_write(fd, bytes + sent, strlen(bytes) - sent);
        assert_true(rc >= 0 || rc == WEIR_EAGAIN);
        sent += rc > 0 ? (size_t)rc : 0;
        turn(fixture);
    }
}

/* Turns the loop until the peer closes; what it sent. */
static const char *read_to_end(struct fixture *fixture, int fd)
{
    static char text[262144];
    size_t used = 0;
    const weir_time deadline = weir_in_ms(15000);
    for (;;) {
        assert_true(wi_clock_now() < deadline);
        turn(fixture);
        const int64_t rc = wi_socket_read(fd, text + used, sizeof(text) - 1 - used);
        if (rc == 0 || (rc < 0 && rc != WEIR_EAGAIN))
            break;
        used += rc > 0 ? (size_t)rc : 0;
    }
    text[used] = '\0';
    wi_socket_close(fd);
    return text;
}

static const char *ask(struct fixture *fixture, const char *bytes)
{
    const int fd = dial(fixture);
    put(fixture, fd, bytes);
    return read_to_end(fixture, fd);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static void readiness_is_what_the_owner_says(void **state)
{
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, GET("/readyz"));
    assert_ptr_equal(strstr(answer, "HTTP/1.1 503 "), answer);
    assert_non_null(strstr(answer, "\r\n\r\nhaving a rest\n"));
    assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
    fixture->ready = true;
    answer = ask(fixture, GET("/readyz"));
    assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
    answer = ask(fixture, GET("/healthz?verbose=1"));
    assert_non_null(strstr(answer, "\r\n\r\nok\n"));
}

static void a_large_answer_arrives_whole_and_a_too_large_one_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    fixture->metrics_bytes = 80000;
    const char *answer = ask(fixture, GET("/metrics"));
    assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    assert_true((int)strlen(body) >= 80000);
    assert_int_equal(atol(strstr(answer, "Content-Length: ") + 16), (long)strlen(body));
    fixture->metrics_bytes = 90000;
    answer = ask(fixture, GET("/metrics"));
    assert_ptr_equal(strstr(answer, "HTTP/1.1 500 "), answer);
}

static void a_head_may_come_byte_by_byte(void **state)
{
    struct fixture *fixture = *state;
    static const char request[] = GET("/healthz");
    const int fd = dial(fixture);
    for (size_t i = 0; i + 1 < sizeof(request); i++) {
        const char byte[2] = { request[i], '\0' };
        put(fixture, fd, byte);
    }
    assert_non_null(strstr(read_to_end(fixture, fd), "\r\n\r\nok\n"));
}

static void a_flood_sent_ahead_is_answered_a_little_and_closed(void **state)
{
    struct fixture *fixture = *state;
    static char flood[60 * 40 + 1];
    flood[0] = '\0';
    for (int i = 0; i < 60; i++)
        (void)strcat(flood, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    const int fd = dial(fixture);
    assert_int_equal(wi_socket_write(fd, flood, strlen(flood)), (int64_t)strlen(flood));
    const char *answer = read_to_end(fixture, fd);
    int answers = 0;
    for (const char *at = answer; (at = strstr(at, "HTTP/1.1 200 ")) != NULL; at++)
        answers++;
    assert_in_range(answers, 1, 20);
    assert_non_null(strstr(answer, "Connection: close\r\n"));
}

static void one_connection_too_many_ends_the_most_silent(void **state)
{
    struct fixture *fixture = *state;
    int fds[WI_ADMIN_CONNECTIONS];
    const int before = wi_file_open_count();
    for (int i = 0; i < WI_ADMIN_CONNECTIONS; i++) {
        fds[i] = dial(fixture);
        const weir_time deadline = weir_in_ms(10000);
        while (wi_file_open_count() < before + 2 * (i + 1)) { /* both ends are ours */
            turn(fixture);
            assert_true(wi_clock_now() < deadline);
        }
    }
    assert_non_null(strstr(ask(fixture, GET("/healthz")), "\r\n\r\nok\n"));
    assert_string_equal(read_to_end(fixture, fds[0]), "");
    for (int i = 1; i < WI_ADMIN_CONNECTIONS; i++)
        wi_socket_close(fds[i]);
}

static void a_client_that_says_nothing_is_closed_after_a_while(void **state)
{
    struct fixture *fixture = *state;
    const weir_time before = wi_clock_now();
    const int fd = dial(fixture);
    put(fixture, fd, "GET /heal");
    assert_string_equal(read_to_end(fixture, fd), "");
    assert_true(wi_clock_now() - before >= 5 * WEIR_NS_PER_S);
}

static void tasks_are_told_to_who_asks(void **state)
{
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, GET("/tasks"));
    assert_non_null(strstr(answer, "HTTP/1.1 200 "));
    assert_non_null(strstr(answer, "Content-Type: text/plain"));
    assert_non_null(strstr(answer, "\r\n\r\n1 task, resting\n"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(readiness_is_what_the_owner_says),
        CASE(a_large_answer_arrives_whole_and_a_too_large_one_is_an_error),
        CASE(tasks_are_told_to_who_asks),
        CASE(a_head_may_come_byte_by_byte),
        CASE(a_flood_sent_ahead_is_answered_a_little_and_closed),
        CASE(one_connection_too_many_ends_the_most_silent),
        CASE(a_client_that_says_nothing_is_closed_after_a_while),
    };
    return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
