/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUPPORT_SOON_H
#define TEST_SUPPORT_SOON_H

/* Whether something wakes a task as soon as anything can.  How soon that is depends on what else
 * the machine has to do, so each try is followed by a plain wake in the same moment: a message to a
 * task that waits for one.  Both are late as often where the cores are taken by others; a wake that
 * waits for a tick, or is lost until somebody looks, is late where the plain one is not. */

#include <stdint.h>

#include "weir/time.h"

/* A wake that took longer is late. */
#define SOON_NS (5 * WEIR_NS_PER_MS)

/* Makes `tries` tries in each attempt; says under `what` how long they took.  `once` wakes a task
 * and gives the ns until it ran.  Checks that at most one in a hundred and two are late, besides
 * twice as many as plain wakes are, in one attempt of several at least.  In a task. */
void expect_soon(const char *what, int tries, int64_t (*once)(void *arg), void *arg);

#endif
