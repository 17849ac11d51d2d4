/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_SELECTABLES_H
#define WI_TASK_SELECTABLES_H

/* What task/ adds to the kinds of things that select can wait for; see sync/select.h. */

#include "sync/select.h"

extern const struct wi_selectable wi_fd_selectable;     /* fdwait.c */
extern const struct wi_selectable wi_join_selectable;   /* selectables.c */
extern const struct wi_selectable wi_signal_selectable; /* signals.c */
extern const struct wi_selectable wi_timer_selectable;  /* timer.c */

/* The runtime is not open any more: afterwards nobody uses its poller for a descriptor. */
void wi_fd_waits_close(void);

/* All of them, by op. */
extern const struct wi_selectable *const wi_selectables[WI_SELECT_OPS];

#endif
