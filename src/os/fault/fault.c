/* SPDX-License-Identifier: MIT */
/* The wrappers that count and fail calls of the os contracts; wrapped.txt lists the same names for
 * the linker, which calls a wrapper __wrap_NAME and what it stands in front of __real_NAME. */
#include "os/fault/fault.h"

#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "os/file.h"
#include "os/poll.h"
#include "os/process.h"
#include "os/signal.h"
#include "os/socket.h"
#include "os/thread.h"
#include "os/vm.h"

/* X(result, name, fitting code, parameters, arguments) */
#define WRAPPED(X)                                                                                 \
    X(int, wi_vm_map, WEIR_ENOMEM, (size_t bytes, void **out), (bytes, out))                       \
    X(int, wi_vm_map_shared, WEIR_ENOMEM, (size_t bytes, void **out), (bytes, out))                \
    X(int, wi_vm_guard_install, WEIR_ENOMEM, (void *address, size_t bytes, enum wi_vm_guard kind), \
      (address, bytes, kind))                                                                      \
    X(int, wi_os_thread_start, WEIR_EAGAIN,                                                        \
      (struct wi_os_thread * out, void (*fn)(void *), void *arg, size_t bytes, const char *name),  \
      (out, fn, arg, bytes, name))                                                                 \
    X(int, wi_os_thread_stack, WEIR_ENOMEM, (void **low, void **high), (low, high))                \
    X(int, wi_poll_open, WEIR_EMFILE, (struct wi_poll * out), (out))                               \
    X(int, wi_poll_add, WEIR_ENOSPC,                                                               \
      (struct wi_poll * poll, int fd, uint32_t interest, uint64_t token),                          \
      (poll, fd, interest, token))                                                                 \
    X(int, wi_signal_open, WEIR_EMFILE, (const int *signals), (signals))                           \
    X(int, wi_signal_catch_open, WEIR_EMFILE, (void), ())                                          \
    X(int, wi_process_fork, WEIR_EAGAIN, (void), ())                                               \
    X(int, wi_process_usage, WEIR_ENOENT, (int process_id, struct wi_process_usage *out),          \
      (process_id, out))                                                                           \
    X(int, wi_file_open, WEIR_EMFILE, (const char *path, enum wi_file_mode mode), (path, mode))    \
    X(int64_t, wi_file_read, WEIR_EIO, (int fd, void *data, size_t bytes), (fd, data, bytes))      \
    X(int64_t, wi_file_write, WEIR_ENOSPC, (int fd, const void *data, size_t bytes),               \
      (fd, data, bytes))                                                                           \
    X(int64_t, wi_file_read_all, WEIR_EIO, (const char *path, char *text, size_t bytes),           \
      (path, text, bytes))                                                                         \
    X(int, wi_pipe_open, WEIR_EMFILE, (int *fds, bool nonblocking), (fds, nonblocking))            \
    X(int, wi_fd_nonblocking, WEIR_EBADF, (int fd), (fd))                                          \
    X(int, wi_socket_listen, WEIR_EADDRINUSE, (const struct wi_addr *addr, int backlog),           \
      (addr, backlog))                                                                             \
    X(int, wi_socket_accept, WEIR_EMFILE, (int fd, struct wi_addr *peer), (fd, peer))              \
    X(int, wi_socket_connect, WEIR_ENETUNREACH, (const struct wi_addr *addr, bool *pending),       \
      (addr, pending))                                                                             \
    X(int, wi_socket_pair, WEIR_EMFILE, (int *fds), (fds))                                         \
    X(int64_t, wi_socket_read, WEIR_ECONNRESET, (int fd, void *data, size_t bytes),                \
      (fd, data, bytes))                                                                           \
    X(int64_t, wi_socket_write, WEIR_EPIPE, (int fd, const void *data, size_t bytes),              \
      (fd, data, bytes))                                                                           \
    X(int64_t, wi_socket_write_slices, WEIR_EPIPE,                                                 \
      (int fd, const struct wi_slice *slices, int count, bool more), (fd, slices, count, more))    \
    X(int, wi_socket_finish, WEIR_ENOTCONN, (int fd), (fd))                                        \
    X(int, wi_socket_local, WEIR_ENOBUFS, (int fd, struct wi_addr *out), (fd, out))                \
    X(int, wi_socket_listener_quiesce, WEIR_ENOTSUP, (int fd), (fd))

enum function {
#define ENUM(result, name, code, parameters, arguments) CALL_##name,
    WRAPPED(ENUM)
#undef ENUM
    FUNCTIONS
};

struct function_row {
    const char *name;
    int code; /* what a failure of it usually is */
};

static const struct function_row rows[FUNCTIONS] = {
#define ROW(result, name, code, parameters, arguments) [CALL_##name] = { #name, (code) },
    WRAPPED(ROW)
#undef ROW
};

static struct state {
    /* atomic; `n` is written last and read first, so that who sees it sees the others */
    wi_atomic_u64 n;    /* 0: not armed */
    wi_atomic_int only; /* the function that counts; FUNCTIONS: all */
    wi_atomic_int code;
    wi_atomic_u64 total;
    wi_atomic_u64 calls[FUNCTIONS];
    wi_atomic_int victim; /* plus one; 0: none yet */
} local, *fault = &local;

int __real_wi_vm_map_shared(size_t bytes, void **out);

int wi_fault_share(void)
{
    void *shared = NULL;
    if (fault != &local)
        return 0;
    const size_t page = wi_vm_page_bytes();
    const int rc =
        __real_wi_vm_map_shared((sizeof(struct state) + page - 1) / page * page, &shared);
    if (rc != 0)
        return rc;
    fault = shared; /* all zero: not armed */
    return 0;
}

static int find(const char *name)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return i;
    }
    wi_bug_misuse("os/fault", name, -1);
}

static void arm(int only, uint64_t n, int code)
{
    wi_bug_unless(code <= 0);
    wi_store_release(&fault->n, 0);
    wi_store_relaxed(&fault->only, only);
    wi_store_relaxed(&fault->code, code);
    wi_store_relaxed(&fault->total, 0);
    for (int i = 0; i < FUNCTIONS; i++)
        wi_store_relaxed(&fault->calls[i], 0);
    wi_store_relaxed(&fault->victim, 0);
    wi_store_release(&fault->n, n);
}

void wi_fault_arm(uint64_t n, int code)
{
    wi_bug_unless(n > 0);
    arm(FUNCTIONS, n, code);
}

void wi_fault_arm_named(const char *name, uint64_t n, int code)
{
    wi_bug_unless(n > 0);
    arm(find(name), n, code);
}

void wi_fault_disarm(void)
{
    arm(FUNCTIONS, 0, 0);
}

bool wi_fault_fired(void)
{
    return wi_load_relaxed(&fault->victim) != 0;
}

const char *wi_fault_victim(void)
{
    const int victim = wi_load_relaxed(&fault->victim);
    return victim == 0 ? NULL : rows[victim - 1].name;
}

uint64_t wi_fault_count(void)
{
    return wi_load_relaxed(&fault->total);
}

uint64_t wi_fault_count_of(const char *name)
{
    return wi_load_relaxed(&fault->calls[find(name)]);
}

/* Counts the call.  The code it shall fail with, or 0. */
static int failure_of(enum function function)
{
    const uint64_t total = wi_add_relaxed(&fault->total, 1) + 1;
    const uint64_t own = wi_add_relaxed(&fault->calls[function], 1) + 1;
    const uint64_t n = wi_load_acquire(&fault->n);
    const int only = wi_load_relaxed(&fault->only);
    const bool all = only == FUNCTIONS;
    if (n == 0 || (!all && only != (int)function) || (all ? total : own) != n)
        return 0;
    wi_store_relaxed(&fault->victim, (int)function + 1);
    const int code = wi_load_relaxed(&fault->code);
    return code != 0 ? code : rows[function].code;
}

#define WRAP(result, name, code, parameters, arguments)                                            \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        const int failure = failure_of(CALL_##name);                                               \
        return failure != 0 ? failure : __real_##name arguments;                                   \
    }
WRAPPED(WRAP)
#undef WRAP
