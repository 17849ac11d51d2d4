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
#include "os/linux/code.h"

int wi_futex_wait(wi_atomic_u32 *word, uint32_t expected, weir_time deadline)
{
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
    if (rc == 0 || errno == EINTR)
        return 0;
    if (errno == EAGAIN)
        return WEIR_EAGAIN;
    wi_bug_unless_cmp(errno, ==, ETIMEDOUT);
    return WEIR_ETIMEDOUT;
}

/* Errors are ignored: EFAULT means that the object's page is gone, and then nobody sleeps there. */
void wi_futex_wake(wi_atomic_u32 *word, int count)
{
    (void)syscall(SYS_futex, &word->value, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}
