/* SPDX-License-Identifier: MIT */
/* A library of somebody else's that blocks in the kernel and knows nothing of weir: the tests load
 * it at run time, so that no symbol of it can have been replaced when they were linked.
 *
 * Threads: any. */
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

int slow_wait_for_bytes(int fd);
int slow_lock_file(const char *path);

/* Waits until the descriptor is readable. */
int slow_wait_for_bytes(int fd)
{
    struct pollfd wanted = { .fd = fd, .events = POLLIN };
    return poll(&wanted, 1, -1) == 1 ? 0 : -1;
}

/* Waits for the lock on a file, takes it, and lets it go. */
int slow_lock_file(const char *path)
{
    const int fd = open(path, O_RDWR);
    if (fd < 0)
        return -1;
    const int rc = flock(fd, LOCK_EX);
    close(fd);
    return rc;
}
