/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUPPORT_NAMES_H
#define TEST_SUPPORT_NAMES_H

/* Stands in for the system's lookup of names in a program that has
 *
 *     int wi_names_lookup(const char *host, struct wi_addr *out, int max, const char **why)
 *     {
 *         return names_answer(host, out, max, why);
 *     }
 *
 * The linker takes what it finds first, so the library's own (os/names.h) is left out.
 *
 *   nobody.test  there is no such host
 *   down.test    the name service gives no answer
 *   two.test     127.0.0.2, where nobody listens who does not ask for it, and then 127.0.0.1
 *   held*        as all others, but not before names_let_go()
 *   all others   127.0.0.1 */

#include "os/names.h"

int names_answer(const char *host, struct wi_addr *out, int max, const char **why);

/* Lookups so far. */
int names_asked(void);

void names_hold(void);
void names_let_go(void);

#endif
