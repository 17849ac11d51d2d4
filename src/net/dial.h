/* SPDX-License-Identifier: MIT */
#ifndef WI_NET_DIAL_H
#define WI_NET_DIAL_H

/* Connecting, for those who measure it. */

#include <stdint.h>

#include "weir/net.h"

/* As weir_dial(); *lookup_ns is what of its time went into finding the host, -1 if it was not
 * found. */
WEIR_CHECK int wi_dial(weir_stream **out, const char *address, int64_t *lookup_ns,
                       weir_time deadline);

#endif
