/* SPDX-License-Identifier: MIT */
#ifndef TEST_ARCH_REGISTERS_H
#define TEST_ARCH_REGISTERS_H

/* What a context switch must keep and C cannot name; one implementation for each CPU. */

#include <stdint.h>

/* Loads the registers that a call must preserve with values made from `pattern`, switches to
 * *target, and gives how many came back wrong. */
int switch_with_pattern(void **save, void **target, uint64_t pattern);

/* The floating-point control word, and how a test changes it: `rounding` is 0 (to nearest) to 3. */
uint64_t rounding_mode(void);
void set_rounding_mode(uint64_t rounding);

#endif
