/* SPDX-License-Identifier: MIT */
#ifndef WI_CLUSTER_FORK_H
#define WI_CLUSTER_FORK_H

/* What the supervised form (primary.c) shares with weir_cluster_fork(): who this process is. */

/* Makes the calling process worker `index`; it stays one.  Callers: a child just forked. */
void wi_cluster_become_worker(int index);

#endif
