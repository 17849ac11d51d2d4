/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_LINUX_CODE_H
#define WI_OS_LINUX_CODE_H

/* errno as a result code.  The one place where the system's numbers become weir's: they are the
 * same but for a few that mean something else above os/. */

#include <errno.h>

#include "weir/err.h"

/* A positive errno value as a code.  ETIMEDOUT from the kernel says that a peer did not answer; it
 * must not be mistaken for a deadline of weir's, which is WEIR_ETIMEDOUT. */
static inline int wi_os_code_of(int error)
{
    switch (error) {
    case ETIMEDOUT:
    case EHOSTDOWN:
        return WEIR_EHOSTUNREACH;
    case ENOTSOCK:
        return WEIR_EBADF;
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
        return WEIR_ENOTSUP;
    default:
        return -error;
    }
}

/* The code of the system call that has just failed. */
static inline int wi_os_code(void)
{
    return wi_os_code_of(errno);
}

#endif
