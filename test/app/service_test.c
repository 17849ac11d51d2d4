/* SPDX-License-Identifier: MIT */
/* A serving process: what of the command line reaches its server, and how its numbers move. */
#include "app/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/service_support.h"
#include "os/signal.h"

static struct weir_server_opts opts_of(const struct weir_app_spec *spec,
                                       const struct wi_options *options, int64_t running_max)
{
    const struct wi_plan plan = { .model = "loop", .running_max = running_max };
    return wi_service_server_opts(
        &(struct wi_service_opts){ .spec = spec, .plan = &plan, .options = options });
}

static void options_override_what_the_app_sets(void **state)
{
    (void)state;
    const struct weir_app_spec spec = {
        .name = "t",
        .server = { .running_max = 5, .waiting_max = 6, .waiting_age_max_ns = 7, .fields_max = 8 },
    };
    const struct wi_options nothing = { 0 };
    struct weir_server_opts opts = opts_of(&spec, &nothing, 0);
    assert_int_equal(opts.size, sizeof(opts));
    assert_int_equal(opts.running_max, 5);
    assert_int_equal(opts.waiting_max, 6);
    assert_int_equal(opts.waiting_age_max_ns, 7);

    const struct wi_options some = { .waiting_max = 60, .waiting_age_ns = 70 };
    opts = opts_of(&spec, &some, 1);
    assert_int_equal(opts.running_max, 1);
    assert_int_equal(opts.waiting_max, 60);
    assert_int_equal(opts.waiting_age_max_ns, 70);
    assert_int_equal(opts.fields_max, 8);
}

/* Keeps the loop from turning. */
static int block(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const weir_time until = weir_in_ms(150);
    while (weir_now() < until)
        continue;
    return weir_reply_text(reply, 200, "done");
}

static int start(weir_app *app)
{
    return weir_app_route(app, "GET", "/block", block, NULL);
}

/* The value of a sample of /metrics. */
static double sample_of(int admin_port, const char *name)
{
    static char answer[65536];
    program_ask(admin_port, "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", answer,
                sizeof(answer));
    const char *at = strstr(answer, name);
    assert_non_null(at);
    return strtod(strchr(at, ' '), NULL);
}

static void a_blocked_loop_is_counted_while_it_lasts(void **state)
{
    (void)state;
    struct program program;
    char answer[512];
    const struct weir_app_spec spec = { .name = "t",
                                        .state = WEIR_STATE_LOOP_ONLY,
                                        .start = start };
    program_start(&program, &spec,
                  (const char *const[]){ "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", NULL });
    program_expect(&program, "(admin ");
    program_expect(&program, ")\n");
    const int admin = program_port(&program, 1);
    const double before = sample_of(admin, "\nweir_loop_blocked_seconds_total{");
    for (int i = 0; i < 3; i++)
        program_ask(program_port(&program, 0),
                    "GET /block HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", answer,
                    sizeof(answer));
    const weir_time deadline = weir_in_ms(10000);
    double blocked;
    do {
        blocked = sample_of(admin, "\nweir_loop_blocked_seconds_total{") - before;
        assert_true(weir_now() < deadline);
    } while (blocked < 0.1);
    program_expect(&program, "the loop is blocked");
    program_signal(&program, wi_signal_term);
    assert_int_equal(program_end(&program), 0);
    assert_non_null(strstr(program.errors, "Z warn  t: the loop is blocked"));
    assert_non_null(strstr(program.errors, "Z info  t: SIGTERM: draining"));
}

static void the_log_level_is_heeded(void **state)
{
    (void)state;
    struct program program;
    const struct weir_app_spec spec = { .name = "t",
                                        .state = WEIR_STATE_LOOP_ONLY,
                                        .start = start };
    program_start(&program, &spec,
                  (const char *const[]){ "--listen=127.0.0.1:0", "--log=error", NULL });
    program_expect(&program, "listening on");
    program_signal(&program, wi_signal_term);
    assert_int_equal(program_end(&program), 0);
    program_expect_lines(&program, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_override_what_the_app_sets),
        cmocka_unit_test(a_blocked_loop_is_counted_while_it_lasts),
        cmocka_unit_test(the_log_level_is_heeded),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
