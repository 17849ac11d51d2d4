/* SPDX-License-Identifier: MIT */
/* Readiness on Linux: one edge-triggered epoll for each poller, an eventfd inside it for kicks.
 *
 * The eventfd is edge-triggered too and never read: each write to it is a new edge, which saves the
 * read on every kick.  Its counter takes 2^64-2 writes to fill.
 * epoll_pwait2(2) (Linux 5.11) takes nanoseconds.  Where it is missing, epoll_wait() gets
 * milliseconds rounded up, so a wait is late by up to one, but never early.
 *
 * Threads: the structure is constant after open; the kernel serialises the rest. */
#define _GNU_SOURCE 1
#include "os/poll.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/check.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/linux/code.h"
#include "os/vm.h" /* wi_os_old_kernel_forced() */

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* ThreadSanitizer knows that an event told by epoll_wait() comes after the epoll_ctl() that asked
 * for it, but it does not see epoll_pwait2(); these say the same. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define POLL_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define POLL_TSAN 1
#endif
#ifdef POLL_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define tsan_acquire(address) __tsan_acquire(address)
#define tsan_release(address) __tsan_release(address)
#else
#define tsan_acquire(address) ((void)(address))
#define tsan_release(address) ((void)(address))
#endif

enum {
    PATH_BYTES = 64,
    INFO_BYTES = 4096
};

#define KICK_TOKEN UINT64_MAX

/* The longest single sleep; longer waits are made of several. */
#define SLEEP_MAX_NS (3600 * WEIR_NS_PER_S)

/* Whether epoll_pwait2() answered ENOSYS or EPERM (sandboxes) once; atomic, set only. */
static wi_atomic_int pwait2_missing;

static uint32_t epoll_bits(uint32_t interest)
{
    uint32_t bits = EPOLLRDHUP;
    if ((interest & WI_POLL_READ) != 0)
        bits |= EPOLLIN;
    if ((interest & WI_POLL_WRITE) != 0)
        bits |= EPOLLOUT;
    if ((interest & WI_POLL_EXCLUSIVE) != 0)
        return (bits & ~(uint32_t)EPOLLRDHUP) | EPOLLEXCLUSIVE; /* the kernel allows no RDHUP */
    if ((interest & WI_POLL_LEVEL) != 0)
        return bits;
    return bits | EPOLLET;
}

static uint32_t ready_bits(uint32_t bits)
{
    uint32_t ready = 0;
    if ((bits & EPOLLIN) != 0)
        ready |= WI_POLL_READ;
    if ((bits & EPOLLOUT) != 0)
        ready |= WI_POLL_WRITE;
    if ((bits & (EPOLLRDHUP | EPOLLHUP)) != 0)
        ready |= WI_POLL_HANGUP;
    if ((bits & EPOLLERR) != 0)
        ready |= WI_POLL_ERROR;
    return ready;
}

static int watch(int epoll_fd, int fd, uint32_t bits, uint64_t token)
{
    struct epoll_event event = { .events = bits, .data.u64 = token };
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : wi_os_code();
}

int wi_poll_open(struct wi_poll *out)
{
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        return wi_os_code();

    int rc;
    const int kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (kick_fd < 0) {
        rc = wi_os_code();
        goto undo_epoll;
    }
    rc = watch(epoll_fd, kick_fd, EPOLLIN | EPOLLET, KICK_TOKEN);
    if (rc != 0)
        goto undo_kick;

    *out = (struct wi_poll){ .fd = epoll_fd, .kick_fd = kick_fd };
    return 0;

undo_kick:
    close(kick_fd);
undo_epoll:
    close(epoll_fd);
    return rc;
}

void wi_poll_close(struct wi_poll *poll)
{
    close(poll->kick_fd);
    close(poll->fd);
    *poll = (struct wi_poll){ .fd = -1, .kick_fd = -1 };
}

int wi_poll_add(struct wi_poll *poll, int fd, uint32_t interest, uint64_t token)
{
    wi_bug_unless(token != KICK_TOKEN);
    tsan_release(poll);
    return watch(poll->fd, fd, epoll_bits(interest), token);
}

int wi_poll_remove(struct wi_poll *poll, int fd)
{
    struct epoll_event unused = { 0 }; /* kernels before 2.6.9 wanted one; it costs nothing */
    return epoll_ctl(poll->fd, EPOLL_CTL_DEL, fd, &unused) == 0 ? 0 : wi_os_code();
}

static int milliseconds_up(int64_t ns)
{
    if (ns < 0)
        return -1;
    return (int)((ns + WEIR_NS_PER_MS - 1) / WEIR_NS_PER_MS);
}

/* One system call; -1 means that it failed.  `ns` below 0: no timeout. */
static int sleep_once(int epoll_fd, struct epoll_event *events, int max, int64_t ns)
{
    const bool whole = ns <= 0; /* nanoseconds say no more than milliseconds then */
    if (whole || wi_load_relaxed(&pwait2_missing) != 0 || wi_os_old_kernel_forced())
        return epoll_wait(epoll_fd, events, max, milliseconds_up(ns));

    const struct timespec timeout = { .tv_sec = ns / WEIR_NS_PER_S, .tv_nsec = ns % WEIR_NS_PER_S };
    const long count = syscall(SYS_epoll_pwait2, epoll_fd, events, max, &timeout, NULL, 0);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM))
        return (int)count;
    wi_store_relaxed(&pwait2_missing, 1);
    return epoll_wait(epoll_fd, events, max, milliseconds_up(ns));
}

/* How long the next sleep may last: 0 at or past the deadline, below 0 without one. */
static int64_t sleep_ns(weir_time deadline)
{
    if (deadline == WEIR_NO_DEADLINE)
        return -1;
    if (deadline <= 0)
        return 0;
    const int64_t left = deadline - wi_clock_now();
    if (left <= 0)
        return 0;
    return left < SLEEP_MAX_NS ? left : SLEEP_MAX_NS;
}

/* Leaves the kick out. */
static int translate(const struct epoll_event *from, int count, struct wi_poll_event *to)
{
    int told = 0;
    for (int i = 0; i < count; i++) {
        if (from[i].data.u64 == KICK_TOKEN)
            continue;
        to[told].token = from[i].data.u64;
        to[told].ready = ready_bits(from[i].events);
        told++;
    }
    return told;
}

int wi_poll_wait(struct wi_poll *poll, struct wi_poll_event *events, int max, weir_time deadline)
{
    wi_bug_unless_cmp(max, >, 0);
    wi_bug_unless_cmp(max, <=, WI_POLL_BATCH_MAX);
    struct epoll_event batch[WI_POLL_BATCH_MAX];

    for (;;) {
        const int64_t ns = sleep_ns(deadline);
        const int count = sleep_once(poll->fd, batch, max, ns);
        if (count > 0) {
            tsan_acquire(poll);
            return translate(batch, count, events);
        }
        if (count == 0 && ns == 0)
            return 0;
        wi_bug_unless_cmp(count == 0 ? EINTR : errno, ==, EINTR);
    }
}

/* A write fails only when the counter is full, and then the edge is there already. */
void wi_poll_kick(struct wi_poll *poll)
{
    const int error = errno; /* a signal handler must not change it */
    const uint64_t one = 1;
    const ssize_t put = write(poll->kick_fd, &one, sizeof(one));
    wi_bug_unless(put > 0 || errno == EAGAIN);
    errno = error;
}

static short poll_bits(uint32_t interest)
{
    int bits = POLLRDHUP;
    if ((interest & WI_POLL_READ) != 0)
        bits |= POLLIN;
    if ((interest & WI_POLL_WRITE) != 0)
        bits |= POLLOUT;
    return (short)bits;
}

static int poll_ready(short bits)
{
    uint32_t ready = 0;
    if ((bits & POLLIN) != 0)
        ready |= WI_POLL_READ;
    if ((bits & POLLOUT) != 0)
        ready |= WI_POLL_WRITE;
    if ((bits & (POLLRDHUP | POLLHUP)) != 0)
        ready |= WI_POLL_HANGUP;
    if ((bits & POLLERR) != 0)
        ready |= WI_POLL_ERROR;
    return (int)ready;
}

int wi_poll_one(int fd, uint32_t interest, weir_time deadline)
{
    if (fd < 0)
        return WEIR_EBADF; /* poll(2) would take it for "nothing to watch" and sleep */
    for (;;) {
        struct pollfd one = { .fd = fd, .events = poll_bits(interest) };
        const int64_t ns = sleep_ns(deadline);
        const struct timespec timeout = { .tv_sec = ns / WEIR_NS_PER_S,
                                          .tv_nsec = ns % WEIR_NS_PER_S };
        const int count = ppoll(&one, 1, ns < 0 ? NULL : &timeout, NULL);
        if (count > 0)
            return (one.revents & POLLNVAL) != 0 ? WEIR_EBADF : poll_ready(one.revents);
        if (count == 0 && ns == 0)
            return WEIR_ETIMEDOUT;
        if (count < 0 && errno != EINTR)
            return wi_os_code();
    }
}

/* The kernel tells of each in a line of its own. */
int wi_poll_is_empty(const struct wi_poll *poll)
{
    char path[PATH_BYTES];
    char text[INFO_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", poll->fd);
    const int64_t bytes = wi_file_read_all(path, text, sizeof(text));
    if (bytes == WEIR_EMSGSIZE)
        return 0;
    if (bytes < 0)
        return WEIR_ENOTSUP;
    int others = 0;
    int kicks = 0;
    for (const char *line = strstr(text, "tfd:"); line != NULL; line = strstr(line + 4, "tfd:")) {
        const bool is_kick = strtol(line + 4, NULL, 10) == poll->kick_fd;
        kicks += is_kick;
        others += !is_kick;
    }
    if (kicks != 1)
        return WEIR_ENOTSUP; /* emulators say nothing here */
    return others == 0;
}
