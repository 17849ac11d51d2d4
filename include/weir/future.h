/* SPDX-License-Identifier: MIT */
#ifndef WEIR_FUTURE_H
#define WEIR_FUTURE_H

/* Future: a value that will be there, or an error.  Whoever makes it holds the promise; whoever
 * wants it holds a future, as many as like.
 *
 *     weir_promise *promise;                    for the maker
 *     weir_future *future;                      for the taker
 *     rc = weir_future_create(&promise, &future, sizeof(struct page));
 *
 * It is PENDING until its promise is started or kept; RUNNING once started, from when on it cannot
 * be canceled; then DONE, or CANCELED, for ever.
 *
 * The promise and each future count as a reference; the last one that goes frees the value. */

#include <stddef.h>

#include "weir/err.h"
#include "weir/time.h"

#define WEIR_FUTURE_VALUE_BYTES_MAX ((size_t)65536)

typedef struct weir_promise weir_promise;
typedef struct weir_future weir_future;

enum weir_future_state {
    WEIR_FUTURE_PENDING = 0,
    WEIR_FUTURE_RUNNING,
    WEIR_FUTURE_DONE,     /* with a value or an error */
    WEIR_FUTURE_CANCELED, /* by weir_future_cancel() */
};

/* Makes a promise and its first future.
 *
 *   value_bytes  size of the value; 0: it only happens
 *
 * 0; WEIR_EINVAL (value_bytes above WEIR_FUTURE_VALUE_BYTES_MAX); WEIR_ENOMEM.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_future_create(weir_promise **promise, weir_future **future,
                                           size_t value_bytes);

/* -- the promise ------------------------------------------------------------------------------ */

/* Says that the work begins, from when on it cannot be canceled.
 *
 *   0              it is RUNNING
 *   WEIR_ECANCELED it was canceled: the work is not wanted any more
 *   WEIR_EALREADY  it is RUNNING or DONE
 *
 * Callers: any thread, several at once too: one of them gets 0; never waits. */
WEIR_API WEIR_CHECK int weir_promise_start(weir_promise *promise);

/* Keeps the promise: wakes all that wait, then runs the callbacks, before it returns.
 *
 *   value  value_bytes, copied
 *
 *   0               DONE with this value
 *   WEIR_ECANCELED  it was canceled; nobody sees the value
 *   WEIR_EALREADY   it was DONE before, and stays as it was
 *
 * Callers: any thread, several at once too: one of them gets 0; never waits, but in callbacks. */
WEIR_API int weir_promise_set(weir_promise *promise, const void *value);

/* As weir_promise_set(), with an error instead: a negative code, else it aborts.
 * Callers: as weir_promise_set(). */
WEIR_API int weir_promise_fail(weir_promise *promise, int error);

/* Gives the promise back.  If it was neither kept nor canceled, it fails with WEIR_EBROKEN, so that
 * nobody waits for what will not come.
 * Callers: any thread, once; never waits, but in callbacks. */
WEIR_API void weir_promise_destroy(weir_promise *promise);

/* -- the future ------------------------------------------------------------------------------- */

/* One more reference: `future`, for somebody else to release.  Callers: any thread that has one;
 * never waits. */
WEIR_API weir_future *weir_future_retain(weir_future *future);

/* Gives a reference back.  The work goes on; weir_future_cancel() says that it is not wanted.
 * Callers: any thread that has one; never waits. */
WEIR_API void weir_future_release(weir_future *future);

/* Waits until it is DONE or CANCELED.
 *
 *   0               it is
 *   WEIR_ETIMEDOUT  the deadline came first
 *   WEIR_ECANCELED  the calling task was canceled first
 *
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_future_wait(weir_future *future, weir_time deadline);

/* What has become of it.
 *
 *   value  value_bytes are written if it is 0, else nothing; may be NULL
 *
 *   0               DONE with a value
 *   the error       DONE with an error; WEIR_EBROKEN if the promise was given up
 *   WEIR_ECANCELED  CANCELED
 *   WEIR_EAGAIN     not yet
 *
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_future_result(const weir_future *future, void *value);

/* weir_future_wait(), then weir_future_result(): the first code of them that is not 0.  Where the
 * error may be one of those of the wait, weir_future_state() tells them apart.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_future_get(weir_future *future, void *value, weir_time deadline);

/* Which it is now.  Callers: any thread; never waits. */
WEIR_API enum weir_future_state weir_future_state(const weir_future *future);

/* Cancels it while it is PENDING: all that wait are woken, callbacks run before it returns.
 *
 *   0                 CANCELED, now or before
 *   WEIR_EINPROGRESS  RUNNING: too late
 *   WEIR_EALREADY     DONE: too late
 *
 * Callers: any thread; never waits, but in callbacks. */
WEIR_API int weir_future_cancel(weir_future *future);

/* Has fn(future, arg) called once, when it is DONE or CANCELED: by whoever brings that about, in
 * the order of adding, after those that wait were woken and outside all locks; at once, by the
 * caller, if it is so already.  `future` is borrowed by fn for the call.
 *
 *   0            fn will be called, or was
 *   WEIR_ENOMEM  it will not
 *
 * Callers: any thread; never waits, but in fn. */
WEIR_API WEIR_CHECK int weir_future_on_done(weir_future *future,
                                            void (*fn)(weir_future *future, void *arg), void *arg);

#endif
