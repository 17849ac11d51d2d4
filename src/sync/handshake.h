/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_HANDSHAKE_H
#define WI_SYNC_HANDSHAKE_H

/* The lopsided handshake: "store mine, then look at yours" (Dekker's), whose two sides run
 * unequally often.
 *
 *   often:   wi_store_light(&A, 1);                            then  wi_load_seq_cst(&B)
 *   seldom:  wi_store_seq_cst(&B, 1); wi_handshake_barrier();  then  wi_load_seq_cst(&A)
 *
 * At least one of the two loads sees the other side's store.  Where the kernel can make all threads
 * pass a barrier on demand (os/barrier.h) the often side pays a plain store, else a sequentially
 * consistent one.  Nothing else depends on which: the seldom side asks the kernel wherever it can.
 *
 * Source: asymmetric Dekker synchronization (Dice, Huang, Yang 2001), here as in userspace RCU
 * (Desnoyers et al. 2012), which made membarrier(2).
 *
 * Threads: any.  wi_handshake_open() runs while nobody is inside a handshake. */

#include <stdbool.h>

#include "base/atomic.h"

/* 1: the often side's store is a plain one. */
extern wi_atomic_u32 wi_handshake_lopsided;

/* Finds out what the kernel has; with `even`, the often side pays in any case. */
void wi_handshake_open(bool even);

/* The seldom side, between its store and its load: some microseconds. */
void wi_handshake_barrier(void);

/* The often side's store, a release in any case. */
#define wi_store_light(a, v)                                                                       \
    do {                                                                                           \
        if (wi_load_relaxed(&wi_handshake_lopsided) != 0) {                                        \
            wi_store_release((a), (v));                                                            \
            wi_compiler_barrier();                                                                 \
        } else {                                                                                   \
            wi_store_seq_cst((a), (v));                                                            \
        }                                                                                          \
    } while (0)

#endif
