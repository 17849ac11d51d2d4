/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_FAULT_FAULT_H
#define WI_OS_FAULT_FAULT_H

/* Makes the n-th call of the os contracts fail, for tests that try every n.
 *
 * The linker puts a wrapper in front of each function of wrapped.txt (its option --wrap), so the
 * code under test is the code that ships.  A wrapper counts the call, and fails it or forwards it.
 * A failed call has done nothing.  Only functions whose contract allows failure are wrapped.
 *
 * Usual loop: arm(1), run, arm(2), run, ... until wi_fault_fired() stays false.
 *
 * Threads: any; counts are atomic.  Arm and disarm while nothing else runs. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/err.h"

/* The n-th call from now (1 is the next) of any wrapped function fails with `code`, or with 0 by
 * the code that fits the function (a read: WEIR_ECONNRESET, an accept: WEIR_EMFILE, ...).
 * Counts begin at 0 again.  One fault at a time. */
void wi_fault_arm(uint64_t n, int code);

/* As wi_fault_arm(), but only calls of this function count for n: "wi_socket_read". */
void wi_fault_arm_named(const char *name, uint64_t n, int code);

/* From now on counts and fault are one for this process and all that it forks: the n-th call of any
 * of them fails, and only that.  For good.  0, or WEIR_ENOMEM. */
WEIR_CHECK int wi_fault_share(void);

/* No fault any more; counts begin at 0 again. */
void wi_fault_disarm(void);

/* Whether the armed fault has happened, and to which function: its name, or NULL. */
bool wi_fault_fired(void);
const char *wi_fault_victim(void);

/* Calls since the last arm or disarm, of all wrapped functions or of one. */
uint64_t wi_fault_count(void);
uint64_t wi_fault_count_of(const char *name);

#endif
