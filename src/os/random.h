/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_RANDOM_H
#define WI_OS_RANDOM_H

/* Contract: entropy for seeds; os/sim gives a seeded sequence. */

#include <stdint.h>

uint64_t wi_random_seed(void);

#endif
