/* SPDX-License-Identifier: MIT */
/* A service as a child process; see service_support.h. */
#include "app/service_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/poll.h"
#include "os/process.h"
#include "os/signal.h"
#include "os/socket.h"

enum {
    ARGUMENTS_MAX = 16,
    BOUND_MS = 20000
};

static _Noreturn void be_program(const struct weir_app_spec *spec, const char *const *arguments,
                                 int error_fd)
{
    static char copies[ARGUMENTS_MAX][256];
    char *argv[ARGUMENTS_MAX + 1] = { copies[0] };
    int argc = 1;
    (void)dup2(error_fd, 2);
    wi_signal_reset(); /* the test library's handlers are not a program's */
    while (argc < ARGUMENTS_MAX && arguments[argc - 1] != NULL) {
        (void)snprintf(copies[argc], sizeof(copies[argc]), "%s", arguments[argc - 1]);
        argv[argc] = copies[argc];
        argc++;
    }
    wi_process_die_with_parent(wi_process_parent_id());
    wi_process_exit(weir_main(argc, argv, spec));
}

void program_start(struct program *program, const struct weir_app_spec *spec,
                   const char *const *arguments)
{
    int fds[2];
    memset(program, 0, sizeof(*program));
    assert_int_equal(wi_pipe_open(fds, false), 0);
    program->id = wi_process_fork();
    assert_true(program->id >= 0);
    if (program->id == 0)
        be_program(spec, arguments, fds[1]);
    wi_file_close(fds[1]);
    program->error_fd = fds[0];
}

/* False at the end of its standard error. */
static int read_more(struct program *program)
{
    const size_t room = sizeof(program->errors) - 1 - program->error_bytes;
    assert_true(room > 0);
    assert_true(wi_poll_one(program->error_fd, WI_POLL_READ, weir_in_ms(BOUND_MS)) > 0);
    const int64_t got =
        wi_file_read(program->error_fd, program->errors + program->error_bytes, room);
    assert_true(got >= 0);
    program->error_bytes += (size_t)got;
    program->errors[program->error_bytes] = '\0';
    return got > 0;
}

void program_expect(struct program *program, const char *text)
{
    while (strstr(program->errors, text) == NULL) {
        if (!read_more(program))
            fail_msg("ended without \"%s\": %s", text, program->errors);
    }
}

void program_signal(const struct program *program, int signal)
{
    assert_int_equal(wi_process_signal(program->id, signal), 0);
}

int program_end(struct program *program)
{
    struct wi_process_end end;
    while (read_more(program))
        continue;
    wi_file_close(program->error_fd);
    assert_int_equal(wi_process_reap_one(program->id, true, &end), 1);
    return end.signaled ? -end.code : end.code;
}

void program_expect_lines(const struct program *program, int lines)
{
    int found = 0;
    for (const char *at = program->errors; *at != '\0'; at++)
        found += *at == '\n';
    if (found != lines)
        fail_msg("%d lines instead of %d: %s", found, lines, program->errors);
}

int program_port(const struct program *program, int n)
{
    static const char mark[] = "http://127.0.0.1:";
    const char *at = program->errors;
    for (int i = 0; i <= n; i++) {
        at = strstr(at, mark);
        assert_non_null(at);
        at += strlen(mark);
    }
    return atoi(at);
}

void program_ask(int port, const char *request, char *out, size_t bytes)
{
    char text[64];
    struct wi_addr addr;
    const char *reason;
    bool pending;
    (void)snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_int_equal(wi_addr_parse(text, &addr, &reason), 0);
    const int fd = wi_socket_connect(&addr, &pending);
    assert_true(fd >= 0);
    assert_true(wi_poll_one(fd, WI_POLL_WRITE, weir_in_ms(BOUND_MS)) > 0);
    assert_int_equal(wi_socket_error(fd), 0);
    assert_int_equal(wi_socket_write(fd, request, strlen(request)), (int64_t)strlen(request));
    size_t used = 0;
    for (;;) {
        assert_true(wi_poll_one(fd, WI_POLL_READ, weir_in_ms(BOUND_MS)) > 0);
        const int64_t got = wi_socket_read(fd, out + used, bytes - 1 - used);
        if (got <= 0)
            break; /* a reset ends it as well: of a process that died */
        used += (size_t)got;
        assert_true(used < bytes - 1);
    }
    out[used] = '\0';
    wi_socket_close(fd);
}
