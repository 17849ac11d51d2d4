/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_ANSWER_H
#define WI_SERVE_ANSWER_H

/* Answers of the edge: small, whole, sent with one write. */

#include <stdbool.h>

#include "serve/canned.h"
#include "serve/conn.h"

/* What the edge says by itself is text, and this to whoever comes when there is no room. */
#define WI_ANSWER_TYPE "text/plain; charset=utf-8"
#define WI_ANSWER_OVERLOADED "overloaded\n"

struct wi_answer {
    int status;                     /* a 503 gets Retry-After */
    const char *text;               /* the body */
    const char *type;               /* NULL: WI_ANSWER_TYPE */
    const char *allow;              /* of a 405, or NULL */
    const struct wi_canned *canned; /* the same, made ahead for the usual client, or NULL */
    bool close;
    bool bodiless;   /* the request was HEAD */
    bool old_client; /* it was HTTP/1.0 */
};

/* Sends and counts it.  False: it did not go out whole.  Callers: the connection's owner; never
 * waits. */
bool wi_answer_send(struct wi_conn *conn, const struct wi_answer *answer);

#endif
