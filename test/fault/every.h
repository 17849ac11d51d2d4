/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAULT_EVERY_H
#define TEST_FAULT_EVERY_H

/* Runs a piece of a program once cleanly and then with its n-th system call failing, for every n.
 * After each run descriptors and threads are counted; a run that hangs is ended with a report of
 * which call had failed. */

#include <stdbool.h>

#include "os/fault/fault.h"
#include "support/run.h"

enum {
    EVERY_MAX = 1500 /* runs at most; a clean run makes fewer calls */
};

/* `run` returns whether everything worked; it must, whenever no fault happened. */
void every_call_fails(bool (*run)(void *arg), void *arg);

/* Whether the code is one that a failing system call may surface as. */
bool every_orderly(int rc);

#endif
