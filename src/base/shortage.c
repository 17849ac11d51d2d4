/* SPDX-License-Identifier: MIT */
/* Codes of shortage in words.  See shortage.h.  The table of codes cannot say this: EAGAIN is "not
 * ready now" from a socket, and a limit from fork(2) and pthread_create(3). */
#include "base/shortage.h"

#include "weir/err.h"

const char *wi_shortage_text(int code)
{
    switch (code) {
    case WEIR_EAGAIN:
        /* Also for want of address space for a stack. */
        return "no more threads or processes may be started; raise ulimit -u, ulimit -v, or "
               "pids.max of the cgroup";
    case WEIR_EMFILE:
        return "too many open files in this process; raise ulimit -n";
    case WEIR_ENFILE:
        return "too many open files in the system; raise fs.file-max";
    case WEIR_ENOMEM:
        return "out of memory; raise ulimit -v, or memory.max of the cgroup";
    default:
        return weir_err_text(code);
    }
}
