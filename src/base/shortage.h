/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_SHORTAGE_H
#define WI_BASE_SHORTAGE_H

/* What to tell a person when a start fails because the system gives no more of something.
 *
 * Threads: a pure function. */

/* The code's meaning where threads, processes, descriptors or memory were asked for, with the limit
 * to raise; of any other code its plain text. */
const char *wi_shortage_text(int code);

#endif
