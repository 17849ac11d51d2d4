/* SPDX-License-Identifier: MIT */
/* Sleep on a word on Linux: futex(2).  FUTEX_WAIT_BITSET takes the absolute monotonic deadline that
 * weir uses everywhere, so a wait that is repeated never drifts. */
#define _GNU_SOURCE 1
#include "os/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "os/clock.h"
#include "os/linux/code.h"

#if defined(__SANITIZE_THREAD__)
#define FUTEX_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FUTEX_TSAN 1
#endif
#endif

/* ThreadSanitizer puts off the handler of a signal until the thread makes a call that it knows of,
 * which this one is not: under it such a call follows each sleep.  Every sleep has an end, since
 * one without is begun anew when a signal has come; and after a while for a signal that came right
 * before it. */
#ifdef FUTEX_TSAN
static weir_time sleep_end(weir_time deadline)
{
    const weir_time end = wi_clock_now() + 30 * WEIR_NS_PER_S;
    return end < deadline ? end : deadline;
}
static void let_handlers_run(void)
{
    (void)usleep(0);
}
#else
static weir_time sleep_end(weir_time deadline)
{
    return deadline;
}
static void let_handlers_run(void)
{
}
#endif

int wi_futex_wait(wi_atomic_u32 *word, uint32_t expected, weir_time deadline_asked)
{
    const weir_time deadline = sleep_end(deadline_asked);
    struct timespec until;
    struct timespec *timeout = NULL;
    if (deadline != WEIR_NO_DEADLINE) {
        const weir_time at = deadline > 0 ? deadline : 0;
        until.tv_sec = at / WEIR_NS_PER_S;
        until.tv_nsec = at % WEIR_NS_PER_S;
        timeout = &until;
    }
    const long rc = syscall(SYS_futex, &word->value, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
                            expected, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
    const int error = rc == 0 ? EINTR : errno;
    let_handlers_run();
    if (error == EINTR)
        return 0;
    if (error == EAGAIN)
        return WEIR_EAGAIN;
    wi_bug_unless_cmp(error, ==, ETIMEDOUT);
    return deadline == deadline_asked ? WEIR_ETIMEDOUT : 0;
}

/* Errors are ignored: EFAULT means that the object's page is gone, and then nobody sleeps there. */
void wi_futex_wake(wi_atomic_u32 *word, int count)
{
    (void)syscall(SYS_futex, &word->value, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}
