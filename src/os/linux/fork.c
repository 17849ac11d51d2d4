/* SPDX-License-Identifier: MIT */
/* Tells a runtime that it woke up in a forked child, where none of its threads exist. */
#include <pthread.h>

#include "base/check.h"
#include "os/process.h"

void wi_process_on_fork(void (*fn)(void))
{
    int rc = pthread_atfork(NULL, NULL, fn);
    wi_bug_unless_cmp(rc, ==, 0);
}
