/* SPDX-License-Identifier: MIT */
/* The primary of a service: its line, its numbers over all processes, its drain. */
#include "app/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "app/service_support.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/signal.h"
#include "weir/task.h"

static int hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "%d", wi_process_id());
}

/* Ends its own process, as a crash does. */
static int crash(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)reply;
    (void)user;
    (void)wi_process_signal(wi_process_id(), wi_signal_kill);
    return weir_sleep(WEIR_NO_DEADLINE);
}

static int start(weir_app *app)
{
    const int rc = weir_app_route(app, "GET", "/hello", hello, NULL);
    return rc != 0 ? rc : weir_app_route(app, "GET", "/crash", crash, NULL);
}

static char answer[65536];

static void get(int port, const char *path)
{
    char request[128];
    (void)snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
    program_ask(port, request, answer, sizeof(answer));
}

static int64_t sample_of(int admin_port, const char *name)
{
    get(admin_port, "/metrics");
    const char *at = strstr(answer, name);
    assert_non_null(at);
    return strtoll(strchr(at, ' '), NULL, 10);
}

static void crashes_lose_no_number_and_leave_the_service_whole(void **state)
{
    (void)state;
    struct program program;
    const struct weir_app_spec spec = { .name = "t", .state = WEIR_STATE_NONE, .start = start };
    program_start(&program, &spec,
                  (const char *const[]){ "--model=cluster", "--processes=2", "--listen=127.0.0.1:0",
                                         "--admin=127.0.0.1:0", NULL });
    program_expect(&program, ")\n");
    assert_non_null(strstr(program.errors, "t: cluster of 2 processes, listening on "));
    const int port = program_port(&program, 0);
    const int admin = program_port(&program, 1);
    for (int crashes = 1; crashes <= 2; crashes++) {
        for (int i = 0; i < 5; i++) {
            get(port, "/hello");
            assert_non_null(strstr(answer, "200 OK"));
        }
        get(port, "/crash");
        assert_string_equal(answer, "");
        const weir_time deadline = weir_in_ms(10000);
        while (sample_of(admin, "\nweir_respawns_total ") < crashes ||
               sample_of(admin, "\nweir_processes{state=\"ready\"}") < 2)
            assert_true(wi_clock_now() < deadline);
        assert_int_equal(sample_of(admin, "\nweir_requests_total{"), 5 * crashes);
    }
    assert_non_null(strstr(answer, "{process=\"primary\"}"));
    assert_non_null(strstr(answer, "{process=\"1\"}"));
    program_signal(&program, wi_signal_term);
    assert_int_equal(program_end(&program), 0);
    assert_non_null(strstr(program.errors, "was killed by SIGKILL; the next starts in"));
    assert_non_null(strstr(program.errors, "SIGTERM: draining 2 workers"));
}

static void the_line_of_a_start_names_all_addresses(void **state)
{
    (void)state;
    struct program program;
    const struct weir_app_spec spec = { .name = "t", .state = WEIR_STATE_NONE, .start = start };
    program_start(&program, &spec,
                  (const char *const[]){ "--model=prefork", "--processes=1", "--listen=127.0.0.1:0",
                                         "--listen=unix:@weir-test-line",
                                         "--admin=unix:@weir-test-admin", NULL });
    program_expect(&program, "\n");
    char expected[160];
    (void)snprintf(expected, sizeof(expected),
                   "t: prefork of 1 process, listening on http://127.0.0.1:%d, "
                   "unix:@weir-test-line (admin unix:@weir-test-admin)\n",
                   program_port(&program, 0));
    assert_string_equal(program.errors, expected);
    program_signal(&program, wi_signal_int);
    assert_int_equal(program_end(&program), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crashes_lose_no_number_and_leave_the_service_whole),
        cmocka_unit_test(the_line_of_a_start_names_all_addresses),
    };
    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
