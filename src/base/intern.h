/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_INTERN_H
#define WI_BASE_INTERN_H

/* Texts that stay: of equal texts one copy is kept until the process ends.
 *
 * For names which others read without a say in how long they live: a report on a task reads the
 * task's name while the task, and whoever gave it the name, may be ending.
 *
 * Bound: WI_INTERN_BYTES_MAX in all, in memory that is not touched before it is needed.
 *
 * Threads: any; never waits. */

enum {
    WI_INTERN_BYTES_MAX = 1024 * 1024
};

/* The copy that stays, or NULL when the bound is reached. */
const char *wi_intern(const char *text);

#endif
