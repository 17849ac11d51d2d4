/* SPDX-License-Identifier: MIT */
/* Files and pipes on Linux.  Every descriptor is close-on-exec from birth. */
#define _GNU_SOURCE 1
#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "os/linux/code.h"

static int flags_of(enum wi_file_mode mode)
{
    switch (mode) {
    case WI_FILE_READ:
        return O_RDONLY;
    case WI_FILE_APPEND:
        return O_WRONLY | O_CREAT | O_APPEND;
    case WI_FILE_REPLACE:
        return O_WRONLY | O_CREAT | O_TRUNC;
    }
    wi_bug_misuse("wi_file_open", "unknown mode", (int64_t)mode);
}

int wi_file_open(const char *path, enum wi_file_mode mode)
{
    const int flags = flags_of(mode) | O_CLOEXEC;
    int fd;
    do {
        fd = open(path, flags, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd >= 0 ? fd : wi_os_code();
}

int64_t wi_file_read(int fd, void *data, size_t bytes)
{
    ssize_t got;
    do {
        got = read(fd, data, bytes);
    } while (got < 0 && errno == EINTR);
    return got >= 0 ? got : wi_os_code();
}

int64_t wi_file_write(int fd, const void *data, size_t bytes)
{
    ssize_t put;
    do {
        put = write(fd, data, bytes);
    } while (put < 0 && errno == EINTR);
    return put >= 0 ? put : wi_os_code();
}

/* close(2) frees the descriptor even when it reports EINTR, so it is never repeated. */
void wi_file_close(int fd)
{
    const int rc = close(fd);
    wi_bug_unless(rc == 0 || errno != EBADF);
}

static int64_t read_to_end(int fd, char *text, size_t text_bytes)
{
    size_t used = 0;
    while (used < text_bytes) {
        const int64_t got = wi_file_read(fd, text + used, text_bytes - used);
        if (got < 0)
            return got;
        if (got == 0) {
            text[used] = '\0';
            return (int64_t)used;
        }
        used += (size_t)got;
    }
    text[text_bytes - 1] = '\0';
    return WEIR_EMSGSIZE;
}

int64_t wi_file_read_all(const char *path, char *text, size_t text_bytes)
{
    wi_bug_unless(text_bytes > 0);
    text[0] = '\0';
    const int fd = wi_file_open(path, WI_FILE_READ);
    if (fd < 0)
        return fd;
    const int64_t rc = read_to_end(fd, text, text_bytes);
    wi_file_close(fd);
    return rc;
}

int wi_pipe_open(int fds[2], bool nonblocking)
{
    return pipe2(fds, O_CLOEXEC | (nonblocking ? O_NONBLOCK : 0)) == 0 ? 0 : wi_os_code();
}

/* Children inherit the standard three, so these are not close-on-exec. */
int wi_file_hold_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        const int held = open("/dev/null", O_RDWR);
        if (held < 0)
            return wi_os_code();
        wi_bug_unless_cmp(held, ==, fd); /* the lowest free number */
    }
    return 0;
}

int wi_file_remove(const char *path)
{
    return unlink(path) == 0 ? 0 : wi_os_code();
}

int wi_file_remove_socket(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return wi_os_code();
    return S_ISSOCK(status.st_mode) ? wi_file_remove(path) : WEIR_EPERM;
}

int wi_file_open_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return wi_os_code();
    int count = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.')
            count++;
    }
    closedir(dir);
    return count - 1; /* without the directory's own */
}

int wi_fd_nonblocking(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return wi_os_code();
    if ((flags & O_NONBLOCK) != 0)
        return 0;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : wi_os_code();
}
