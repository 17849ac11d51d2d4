/* SPDX-License-Identifier: MIT */
/* Listening, dialing and talking while the n-th system call fails, for every n and every scheduler:
 * an orderly code at one of the calls, nothing hangs, nothing is leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault/every.h"

enum {
    WORDS = 4,
    WORD_BYTES = 4,
    ACCEPT_ERRORS_MAX = 8
};

static void echo(weir_stream *stream)
{
    char bytes[64];
    int rc = 0;
    while (rc == 0) {
        const int got = weir_read(stream, bytes, sizeof(bytes), WEIR_NO_DEADLINE);
        rc = got < 0 ? got : weir_write(stream, bytes, (size_t)got, NULL, WEIR_NO_DEADLINE);
    }
    CHECK(rc == WEIR_ECANCELED || every_orderly(rc));
    weir_stream_close(stream);
}

/* Serves until it is canceled; a failing accept is tried again, as net.h says. */
static int serve(void *arg)
{
    int errors = 0;
    for (;;) {
        weir_stream *stream;
        const int rc = weir_accept(arg, &stream, WEIR_NO_DEADLINE);
        if (rc == WEIR_ECANCELED)
            return 0;
        if (rc == 0) {
            echo(stream);
            continue;
        }
        CHECK(every_orderly(rc));
        CHECK(++errors < ACCEPT_ERRORS_MAX);
    }
}

/* Says some words and hears them again.  0 or what failed. */
static int speak(const char *address)
{
    weir_stream *stream;
    char bytes[WORDS * WORD_BYTES + 1] = { 0 };
    size_t have = 0;
    size_t said = 0;
    int rc = weir_dial(&stream, address, WEIR_NO_DEADLINE);
    if (rc != 0)
        return rc;
    while (rc == 0 && said < WORDS * WORD_BYTES) {
        size_t written = 0;
        rc = weir_write(stream, "weir", WORD_BYTES, &written, WEIR_NO_DEADLINE);
        CHECK_EQ(written, rc == 0 ? WORD_BYTES : 0);
        said += written;
        while (rc == 0 && have < said) {
            const int got =
                weir_read(stream, bytes + have, sizeof(bytes) - 1 - have, WEIR_NO_DEADLINE);
            if (got < 0)
                rc = got;
            else
                have += (size_t)got;
        }
        CHECK(strncmp(bytes, "weirweirweirweir", have) == 0);
    }
    if (rc == 0)
        rc = weir_finish(stream);
    if (rc == 0 && weir_read(stream, bytes, sizeof(bytes), WEIR_NO_DEADLINE) != WEIR_EEOF)
        rc = WEIR_ECONNRESET;
    weir_stream_close(stream);
    return rc;
}

/* A foreign descriptor that becomes ready. */
static int wait_for_a_pipe(void)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    const int rc = weir_fd_wait(fds[0], WEIR_FD_READ, WEIR_NO_DEADLINE);
    close(fds[0]);
    close(fds[1]);
    return rc == WEIR_FD_READ ? 0 : rc;
}

static int talk(void *arg)
{
    weir_listener *listener;
    weir_task *server;
    char address[128];
    int rc = weir_listen(&listener, arg, 0);
    if (rc != 0)
        return rc;
    rc = weir_listener_address(listener, address, sizeof(address));
    if (rc != 0)
        goto undo_listener;
    rc = weir_task_start(&server, serve, listener);
    if (rc != 0)
        goto undo_listener;
    rc = speak(address);
    weir_task_cancel(server, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(server, NULL, WEIR_NO_DEADLINE), 0);
    if (rc == 0)
        rc = wait_for_a_pipe();

undo_listener:
    weir_listener_close(listener);
    return rc;
}

struct setting {
    struct weir_opts opts;
    const char *address;
};

static bool open_talk_and_close(void *arg)
{
    const struct setting *setting = arg;
    int result = 0;
    if (weir_open(&setting->opts) != 0)
        return false;
    const int rc = weir_run(talk, (void *)(uintptr_t)setting->address, &result);
    CHECK(rc == 0 || every_orderly(rc));
    if (result != 0 && !every_orderly(result))
        fprintf(stderr, "result %s\n", weir_err_name(result));
    CHECK(result == 0 || every_orderly(result));
    CHECK_EQ(weir_close(WEIR_NO_DEADLINE), 0);
    return rc == 0 && result == 0;
}

static void try_with(enum weir_scheduler scheduler)
{
    char local[64];
    (void)snprintf(local, sizeof(local), "unix:@weir-fault-stream-%d", (int)getpid());
    const char *const addresses[] = { "127.0.0.1:0", "[::1]:0", local };
    for (int i = 0; i < 3; i++) {
        struct setting setting = { .opts = { .scheduler = scheduler }, .address = addresses[i] };
        setting.opts.workers = scheduler == WEIR_SCHEDULER_TASKS ? 2 : 0;
        every_call_fails(open_talk_and_close, &setting);
    }
}

static void streams_survive_under_loop(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_LOOP);
}

static void streams_survive_under_tasks(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_TASKS);
}

static void streams_survive_under_threads(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_survive_under_loop),
        cmocka_unit_test(streams_survive_under_tasks),
        cmocka_unit_test(streams_survive_under_threads),
    };
    return cmocka_run_group_tests_name("fault/stream", tests, NULL, NULL);
}
