/* SPDX-License-Identifier: MIT */
#ifndef WI_NET_NAMES_H
#define WI_NET_NAMES_H

/* The addresses of hosts by their names, remembered for a while.
 *
 * The system's own means (os/names.h) block, so they run on threads of a pool for that alone.  Who
 * asks for a name that is being looked up already waits for the same answer; who gives up leaves
 * the lookup to the others, and to those who ask next.
 *
 * Threads: any. */

#include <stddef.h>

#include "os/socket.h"
#include "weir/err.h"
#include "weir/time.h"

enum {
    WI_NAMES_ADDRESSES_MAX = 8, /* of a host; more are not tried */
    WI_NAMES_MAX = 256,         /* hosts that are remembered */
};

/* Finds the addresses of "NAME:PORT".
 *
 *   text   as weir_dial() takes it, and is no address itself
 *   addrs  room for WI_NAMES_ADDRESSES_MAX
 *
 * How many, above 0; WEIR_EINVAL (no NAME:PORT), WEIR_ENOHOST, WEIR_ELOOKUP, WEIR_ETIMEDOUT,
 * WEIR_ECANCELED, WEIR_EOVERFLOW (too many names are asked for at once), WEIR_EAGAIN (no thread),
 * WEIR_ENOMEM.
 * Callers: task (parks), thread (blocks). */
WEIR_CHECK int wi_names_find(const char *text, struct wi_addr *addrs, weir_time deadline);

/* Forgets every name that is not being looked up: for tests. */
void wi_names_forget(void);

#endif
