/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ERR_H
#define WEIR_ERR_H

/* Result codes, and the marks that every public declaration carries.
 *
 * A call that can fail returns an int: 0 or more on success, a negative code otherwise.  A code
 * that the operating system has is its errno value negated; states that only weir knows have
 * numbers below every errno.  One table (WEIR_ERR_TABLE) gives code, name and text. */

#if defined(__GNUC__)
#define WEIR_EXPORT __attribute__((visibility("default")))
#define WEIR_CHECK __attribute__((warn_unused_result))
#define WEIR_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define WEIR_EXPORT
#define WEIR_CHECK
#define WEIR_PRINTF(text, first)
#endif

#ifdef __cplusplus
#define WEIR_API extern "C" WEIR_EXPORT
#else
#define WEIR_API WEIR_EXPORT
#endif

/* X(name, number, text).  Numbers are Linux errno values, negated; own codes start at -4001. */
#define WEIR_ERR_TABLE(X)                                                                          \
    X(WEIR_EPERM, -1, "operation not permitted")                                                   \
    X(WEIR_ENOENT, -2, "no such file or directory")                                                \
    X(WEIR_EINTR, -4, "interrupted by a signal")                                                   \
    X(WEIR_EIO, -5, "input or output error")                                                       \
    X(WEIR_EBADF, -9, "bad file descriptor")                                                       \
    X(WEIR_EAGAIN, -11, "not ready now")                                                           \
    X(WEIR_ENOMEM, -12, "out of memory")                                                           \
    X(WEIR_EACCES, -13, "permission denied")                                                       \
    X(WEIR_EEXIST, -17, "exists already")                                                          \
    X(WEIR_EINVAL, -22, "invalid argument")                                                        \
    X(WEIR_ENFILE, -23, "too many open files in the system")                                       \
    X(WEIR_EMFILE, -24, "too many open files in this process")                                     \
    X(WEIR_ENOSPC, -28, "no space left")                                                           \
    X(WEIR_EPIPE, -32, "broken pipe")                                                              \
    X(WEIR_ERANGE, -34, "out of range")                                                            \
    X(WEIR_EDEADLK, -35, "would wait for itself")                                                  \
    X(WEIR_EPROTO, -71, "protocol error")                                                          \
    X(WEIR_EMSGSIZE, -90, "message too long")                                                      \
    X(WEIR_ENOTSUP, -95, "not supported here")                                                     \
    X(WEIR_EADDRINUSE, -98, "address in use")                                                      \
    X(WEIR_EADDRNOTAVAIL, -99, "address not available")                                            \
    X(WEIR_ENETUNREACH, -101, "network unreachable")                                               \
    X(WEIR_ECONNABORTED, -103, "connection aborted")                                               \
    X(WEIR_ECONNRESET, -104, "connection reset by peer")                                           \
    X(WEIR_ENOBUFS, -105, "no buffer space")                                                       \
    X(WEIR_ENOTCONN, -107, "not connected")                                                        \
    X(WEIR_EHOSTUNREACH, -113, "host unreachable")                                                 \
    X(WEIR_ECONNREFUSED, -111, "connection refused")                                               \
    X(WEIR_EALREADY, -114, "already done")                                                         \
    X(WEIR_EINPROGRESS, -115, "in progress")                                                       \
    X(WEIR_ECLOSED, -4001, "closed")                                                               \
    X(WEIR_ECANCELED, -4002, "canceled")                                                           \
    X(WEIR_ETIMEDOUT, -4003, "deadline passed")                                                    \
    X(WEIR_ESHED, -4004, "rejected: overloaded")                                                   \
    X(WEIR_EDRAINING, -4005, "rejected: draining")                                                 \
    X(WEIR_EBROKEN, -4006, "broken: the other side died")                                          \
    X(WEIR_ENOTOPEN, -4007, "the runtime is not open")                                             \
    X(WEIR_EFORKED, -4008, "not available in a forked child")                                      \
    X(WEIR_EOVERFLOW, -4009, "a limit was reached")                                                \
    X(WEIR_EEOF, -4010, "end of the stream")                                                       \
    X(WEIR_ENOHOST, -4011, "no host of that name")                                                 \
    X(WEIR_ELOOKUP, -4012, "the name of the host could not be looked up")

enum weir_err {
#define WEIR_ERR_ENUM(name, number, text) name = (number),
    WEIR_ERR_TABLE(WEIR_ERR_ENUM)
#undef WEIR_ERR_ENUM
};

/* The name of a code, such as "WEIR_ECLOSED".  A code that the table lacks gives "WEIR_E?".
 * Callers: any, also signal handlers; never waits.  The text is static. */
WEIR_API const char *weir_err_name(int code);

/* What the code means, in lower case without a full stop.  An unknown code gives "unknown error".
 * Callers: any, also signal handlers; never waits.  The text is static. */
WEIR_API const char *weir_err_text(int code);

#endif
