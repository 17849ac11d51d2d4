/* SPDX-License-Identifier: MIT */
/* Which form the lopsided handshake has in this process; see handshake.h. */
#include "sync/handshake.h"

#include "os/barrier.h"

wi_atomic_u32 wi_handshake_lopsided;

void wi_handshake_open(bool even)
{
    const bool can = wi_barrier_register();
    wi_store_seq_cst(&wi_handshake_lopsided, can && !even ? 1 : 0);
}

void wi_handshake_barrier(void)
{
    wi_barrier_all_threads();
}
