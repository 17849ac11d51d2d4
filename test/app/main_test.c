/* SPDX-License-Identifier: MIT */
/* weir_main(): every way in which a start can fail, and what a start and an end look like. */
#include "weir/app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "app/service_support.h"
#include "os/file.h"
#include "os/process.h"
#include "os/signal.h"
#include "support/run.h"
#include "weir/cluster.h"

static const char *const models[] = { "loop", "cluster", "tasks", "threads", "prefork" };
enum {
    MODELS = 5
};

static int who(weir_request *request, weir_reply *reply, void *user)
{
    const weir_app *app = user;
    (void)request;
    return weir_reply_text(reply, 200, "%s %s %d", weir_app_model(app),
                           (const char *)weir_app_user(app), weir_worker_index());
}

static int start(weir_app *app)
{
    return weir_app_route(app, "GET", "/who", who, app);
}

static void stop(weir_app *app)
{
    (void)app;
    wi_signal_write("stopped\n");
}

static int start_fails(weir_app *app)
{
    (void)app;
    return WEIR_ECONNREFUSED;
}

static int start_crashes(weir_app *app)
{
    (void)app;
    abort();
}

__attribute__((noinline)) static int go_deep(int depth)
{
    volatile char room[1024];
    room[0] = (char)depth;
    const int below = depth < 1 << 20 ? go_deep(depth + 1) : 0;
    return below + room[0];
}

static int dig(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "%d", go_deep(0));
}

static int start_digging(weir_app *app)
{
    return weir_app_route(app, "GET", "/dig", dig, NULL);
}

static char user_text[] = "user";

static struct weir_app_spec spec_of(enum weir_state state, int (*start_fn)(weir_app *app))
{
    return (struct weir_app_spec){
        .name = "t",
        .state = state,
        .start = start_fn,
        .stop = stop,
        .user = user_text,
    };
}

static void every_model_starts_serves_and_ends(void **state)
{
    (void)state;
    for (int i = 0; i < MODELS; i++) {
        struct program program;
        char model[32];
        char answer[512];
        char expected[64];
        const struct weir_app_spec spec = spec_of(WEIR_STATE_NONE, start);
        (void)snprintf(model, sizeof(model), "--model=%s", models[i]);
        program_start(&program, &spec,
                      (const char *const[]){ model, "--listen=127.0.0.1:0", "--cores=2", NULL });
        program_expect(&program, "listening on");
        assert_int_equal(strncmp(program.errors, "t: ", 3), 0);
        program_ask(program_port(&program, 0),
                    "GET /who HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", answer,
                    sizeof(answer));
        (void)snprintf(expected, sizeof(expected), "\r\n\r\n%s user ", models[i]);
        assert_non_null(strstr(answer, expected));
        const bool in_worker =
            strcmp(models[i], "cluster") == 0 || strcmp(models[i], "prefork") == 0;
        assert_int_equal(strstr(answer, "user -1") == NULL, in_worker);
        program_signal(&program, wi_signal_term);
        assert_int_equal(program_end(&program), 0);
        assert_non_null(strstr(program.errors, "stopped\n"));
    }
}

static void a_handler_that_overflows_its_stack_is_named(void **state)
{
    (void)state;
    if (built_with_thread_sanitizer()) {
        printf("SKIP: the sanitizer takes minutes to end a process that overflowed its stack\n");
        skip();
    }
    for (int i = 0; i < MODELS; i++) {
        struct program program;
        char model[32];
        char answer[512];
        const struct weir_app_spec spec = spec_of(WEIR_STATE_NONE, start_digging);
        (void)snprintf(model, sizeof(model), "--model=%s", models[i]);
        program_start(&program, &spec,
                      (const char *const[]){ model, "--listen=127.0.0.1:0", "--cores=1", NULL });
        program_expect(&program, "listening on");
        program_ask(program_port(&program, 0), "GET /dig HTTP/1.1\r\nHost: h\r\n\r\n", answer,
                    sizeof(answer));
        program_expect(&program, "weir: stack overflow in task \"/dig\"");
        program_expect(&program, " bytes");
        program_signal(&program, wi_signal_kill);
        (void)program_end(&program);
    }
}

static void a_start_that_fails_is_one_line_and_status_1(void **state)
{
    (void)state;
    for (int i = 0; i < MODELS; i++) {
        struct program program;
        char model[32];
        const struct weir_app_spec spec = spec_of(WEIR_STATE_NONE, start_fails);
        (void)snprintf(model, sizeof(model), "--model=%s", models[i]);
        program_start(&program, &spec,
                      (const char *const[]){ model, "--listen=127.0.0.1:0", NULL });
        assert_int_equal(program_end(&program), 1);
        program_expect_lines(&program, 1);
        assert_non_null(strstr(program.errors, "start: "));
        assert_non_null(strstr(program.errors, "WEIR_ECONNREFUSED"));
    }
}

static void a_start_that_fails_leaves_no_unix_socket(void **state)
{
    (void)state;
    char path[96];
    char option[128];
    (void)snprintf(path, sizeof(path), "/tmp/weir-main-test-%d", wi_process_id());
    (void)snprintf(option, sizeof(option), "--listen=unix:%s", path);
    for (int i = 0; i < MODELS; i++) {
        struct program program;
        char model[32];
        const struct weir_app_spec spec = spec_of(WEIR_STATE_NONE, start_fails);
        (void)snprintf(model, sizeof(model), "--model=%s", models[i]);
        program_start(&program, &spec, (const char *const[]){ model, option, NULL });
        assert_int_equal(program_end(&program), 1);
        assert_int_equal(wi_file_remove(path), WEIR_ENOENT);
    }
}

static void workers_that_crash_at_their_start_end_the_service(void **state)
{
    (void)state;
    struct program program;
    const struct weir_app_spec spec = spec_of(WEIR_STATE_NONE, start_crashes);
    program_start(&program, &spec,
                  (const char *const[]){ "--model=cluster", "--listen=127.0.0.1:0", NULL });
    assert_int_equal(program_end(&program), 1);
    program_expect_lines(&program, 1);
    assert_non_null(strstr(program.errors, "was killed by SIGABRT"));
    assert_non_null(strstr(program.errors, "at its start; not trying again"));
}

static void a_state_that_does_not_fit_is_one_line_and_status_2(void **state)
{
    (void)state;
    static const struct {
        enum weir_state state;
        const char *model, *expected;
    } table[] = {
        { WEIR_STATE_UNDECLARED, "--model=loop", "WEIR_STATE_NONE" },
        { WEIR_STATE_LOCKED, "--model=cluster", "possible: loop, tasks, threads" },
        { WEIR_STATE_LOCKED, "--processes=2", "possible: loop, tasks, threads" },
        { WEIR_STATE_PER_PROCESS, "--model=tasks", "possible: loop, cluster, prefork" },
        { WEIR_STATE_LOOP_ONLY, "--model=prefork", "possible: loop" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct program program;
        const struct weir_app_spec spec = spec_of(table[i].state, start);
        program_start(&program, &spec,
                      (const char *const[]){ table[i].model, "--listen=127.0.0.1:0", NULL });
        assert_int_equal(program_end(&program), 2);
        program_expect_lines(&program, 1);
        assert_non_null(strstr(program.errors, table[i].expected));
    }
}

static void the_default_model_is_one_that_fits(void **state)
{
    (void)state;
    static const struct {
        enum weir_state state;
        const char *expected;
    } table[] = {
        { WEIR_STATE_NONE, "t: tasks on " },
        { WEIR_STATE_LOCKED, "t: tasks on " },
        { WEIR_STATE_PER_PROCESS, "t: cluster of " },
        { WEIR_STATE_LOOP_ONLY, "t: loop, " },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct program program;
        const struct weir_app_spec spec = spec_of(table[i].state, start);
        program_start(&program, &spec, (const char *const[]){ "--listen=127.0.0.1:0", NULL });
        program_expect(&program, "listening on");
        assert_int_equal(strncmp(program.errors, table[i].expected, strlen(table[i].expected)), 0);
        program_signal(&program, wi_signal_int);
        assert_int_equal(program_end(&program), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_starts_serves_and_ends),
        cmocka_unit_test(a_handler_that_overflows_its_stack_is_named),
        cmocka_unit_test(a_start_that_fails_is_one_line_and_status_1),
        cmocka_unit_test(a_start_that_fails_leaves_no_unix_socket),
        cmocka_unit_test(workers_that_crash_at_their_start_end_the_service),
        cmocka_unit_test(a_state_that_does_not_fit_is_one_line_and_status_2),
        cmocka_unit_test(the_default_model_is_one_that_fits),
    };
    return cmocka_run_group_tests_name("main", tests, NULL, NULL);
}
