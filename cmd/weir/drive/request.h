/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_REQUEST_H
#define WEIR_TOOL_DRIVE_REQUEST_H

/* Where requests go and what they say.
 *
 * A request is the same bytes every time, made once; only the value of a deadline header is
 * written anew for each one, into a copy.
 *
 * Threads: a target is constant once made. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"

/* What fits into any socket's buffer: below it, writing first cannot deadlock.  A head is never
 * longer. */
#define WRITE_FIRST_BYTES_MAX ((size_t)16384)

#define FIELDS_MAX 64
#define REQUEST_WHY_BYTES 200

/* The value of a deadline header: right-aligned, so that its place has a fixed width.  White space
 * before a value means nothing (RFC 9110, 5.5). */
#define DEADLINE_DIGITS 10

/* What all requests share; the texts are borrowed until the last request was made. */
struct request_opts {
    const char *method;
    const char *fields[FIELDS_MAX]; /* "Name: value", checked by request_field_check() */
    int field_count;
    const char *deadline_name; /* of the deadline header; NULL: none */
    const char *body;          /* borrowed for as long as the targets live */
    size_t body_bytes;
    bool close_each; /* ask the service to close after every answer */
};

struct target {
    const char *url; /* as the user wrote it; borrowed */
    double weight;
    char address[512];    /* as weir_dial() takes it */
    int host;             /* number of its address: targets of one address share connections */
    char *request;        /* the head, and the body if both are small; owned */
    size_t request_bytes; /* <= WRITE_FIRST_BYTES_MAX */
    size_t deadline_at;   /* where DEADLINE_DIGITS bytes are to be filled in; 0: nowhere */
    const char *rest;     /* a large body; borrowed */
    size_t rest_bytes;
    bool to_head;    /* the method is HEAD: no body follows an answer */
    bool close_each; /* a connection carries one request, whatever the service would permit */
};

/* Whether a text is a field that a request may have.  0, or WEIR_EINVAL and the reason, which
 * holds nothing of the text that a terminal would act on. */
WEIR_CHECK int request_field_check(const char *field, char why[REQUEST_WHY_BYTES]);

/* Makes a target of an URL: http://HOST[:PORT]/PATH or unix:SOCKET:/PATH.
 * 0, or WEIR_EINVAL or WEIR_ENOTSUP with a reason in *why, or WEIR_ENOMEM. */
WEIR_CHECK int target_init(struct target *target, const char *url, const struct request_opts *opts,
                           const char **why);
void target_fini(struct target *target);

#endif
