/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_NAMES_H
#define WI_OS_NAMES_H

/* Contract: the addresses of hosts by their names. */

#include "os/socket.h"
#include "weir/err.h"

/* Asks the system, in the order of its own configuration: on Linux the C library's getaddrinfo(),
 * and so /etc/hosts, DNS and what else /etc/nsswitch.conf names.  Blocks, for as long as they take.
 *
 *   host  a name, ends with NUL
 *   out   up to `max` addresses of streams, port 0, the one to be tried first first
 *   why   what the system says about a failure, static text
 *
 * How many, above 0; WEIR_ENOHOST (there is no such host, or it has no address), WEIR_ELOOKUP (who
 * would know gave no answer), WEIR_ENOMEM. */
WEIR_CHECK int wi_names_lookup(const char *host, struct wi_addr *out, int max, const char **why);

#endif
