/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAULT_LIFE_H
#define TEST_FAULT_LIFE_H

/* The life of a whole service under a model, from weir_main() to its end by SIGTERM, with its n-th
 * system call failing, in whichever of its processes that is.  A few clients' worth of requests are
 * asked meanwhile: kept connections, a body that streams, a wait, a blocking handler, and a head
 * that never ends.  Each time the service refuses to start, saying so, or serves: then every
 * request is answered once it is asked again, at most LIFE_BROKEN_MAX connections broke, and it
 * ends in order, with as many descriptors and threads as it began with and no process left. */

enum {
    LIFE_BROKEN_MAX = 2
};

/* For n = first, first + stride, ... until a life has no n-th call. */
void life_under(const char *model, unsigned first, unsigned stride);

#endif
