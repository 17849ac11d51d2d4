/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_UNCACHED_H
#define WI_BASE_UNCACHED_H

/* Of a function that reads a thread-local: never inlined nor seen through, so that no caller keeps
 * its answer, or the address behind it, over a switch after which it runs on another thread
 * (doc/guide/thread-locals.md shows the failure). */
#if defined(__clang__)
#define WI_UNCACHED __attribute__((noinline, optnone))
#else
#define WI_UNCACHED __attribute__((noipa))
#endif

#endif
