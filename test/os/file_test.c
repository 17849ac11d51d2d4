/* SPDX-License-Identifier: MIT */
/* Files and pipes against a real file system. */
#include "os/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/weir-file-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/text", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(enum wi_file_mode mode, const char *text)
{
    const int fd = wi_file_open(path, mode);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(wi_file_write(fd, text, strlen(text)), (int64_t)strlen(text));
    wi_file_close(fd);
}

static void replace_empties_and_append_adds(void **state)
{
    (void)state;
    char text[64];
    write_file(WI_FILE_REPLACE, "first");
    write_file(WI_FILE_REPLACE, "one");
    write_file(WI_FILE_APPEND, " two");
    assert_int_equal(wi_file_read_all(path, text, sizeof(text)), 7);
    assert_string_equal(text, "one two");
}

static void a_small_file_must_fit_with_its_nul(void **state)
{
    (void)state;
    char text[8];
    write_file(WI_FILE_REPLACE, "1234567");
    assert_int_equal(wi_file_read_all(path, text, 8), 7);
    assert_string_equal(text, "1234567");
    assert_int_equal(wi_file_read_all(path, text, 7), WEIR_EMSGSIZE);
    assert_int_equal(strlen(text), 6);
}

static void what_is_missing_gives_a_code(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(wi_file_open("/nonexistent/file", WI_FILE_READ), WEIR_ENOENT);
    assert_int_equal(wi_file_read_all("/nonexistent", text, sizeof(text)), WEIR_ENOENT);
    assert_int_equal(wi_file_remove("/nonexistent"), WEIR_ENOENT);
}

static void removing_removes(void **state)
{
    (void)state;
    char text[8];
    write_file(WI_FILE_REPLACE, "x");
    assert_int_equal(wi_file_remove_socket(path), WEIR_EPERM); /* it is a plain file */
    assert_int_equal(wi_file_remove(path), 0);
    assert_int_equal(wi_file_read_all(path, text, sizeof(text)), WEIR_ENOENT);
}

static void a_pipe_carries_bytes_and_counts_as_two_descriptors(void **state)
{
    (void)state;
    int fds[2];
    char byte = 0;
    const int before = wi_file_open_count();
    assert_int_equal(wi_pipe_open(fds, true), 0);
    assert_int_equal(wi_file_open_count(), before + 2);
    assert_int_equal(wi_file_read(fds[0], &byte, 1), WEIR_EAGAIN);
    assert_int_equal(wi_file_write(fds[1], "x", 1), 1);
    assert_int_equal(wi_file_read(fds[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    wi_file_close(fds[1]);
    assert_int_equal(wi_file_read(fds[0], &byte, 1), 0);
    wi_file_close(fds[0]);
    assert_int_equal(wi_file_open_count(), before);
}

static void a_blocking_descriptor_becomes_nonblocking(void **state)
{
    (void)state;
    int fds[2];
    char byte;
    assert_int_equal(wi_pipe_open(fds, false), 0);
    assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) == 0);
    assert_int_equal(wi_fd_nonblocking(fds[0]), 0);
    assert_int_equal(wi_fd_nonblocking(fds[0]), 0);
    assert_int_equal(wi_file_read(fds[0], &byte, 1), WEIR_EAGAIN);
    wi_file_close(fds[0]);
    wi_file_close(fds[1]);
    assert_int_equal(wi_fd_nonblocking(fds[0]), WEIR_EBADF);
}

/* In a child, because the test itself needs its standard streams. */
static int next_descriptor_without_standard_ones(void)
{
    const int pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(STDIN_FILENO);
        close(STDERR_FILENO);
        if (wi_file_hold_standard() != 0 || write(STDERR_FILENO, "lost", 4) != 4)
            _exit(100);
        _exit(wi_file_open("/dev/null", WI_FILE_READ));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void closed_standard_streams_are_held_by_the_null_device(void **state)
{
    (void)state;
    const int fd = next_descriptor_without_standard_ones();
    assert_in_range(fd, 3, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace_empties_and_append_adds),
        cmocka_unit_test(a_small_file_must_fit_with_its_nul),
        cmocka_unit_test(what_is_missing_gives_a_code),
        cmocka_unit_test(removing_removes),
        cmocka_unit_test(a_pipe_carries_bytes_and_counts_as_two_descriptors),
        cmocka_unit_test(a_blocking_descriptor_becomes_nonblocking),
        cmocka_unit_test(closed_standard_streams_are_held_by_the_null_device),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
