/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_SIGNALS_H
#define WI_TASK_SIGNALS_H

/* The runtime closes: its loop is not to be watched for signals any more.  Objects that are still
 * open keep their dispositions until they are closed, and hear nothing. */
void wi_signals_forget(void);

#endif
