/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_LISTEN_H
#define WI_APP_LISTEN_H

/* The listeners of a service, opened before anything forks or any thread starts, so that a wrong
 * address or one in use ends a start of which nothing has happened yet.
 *
 * Threads: the only one. */

#include "app/options.h"
#include "app/text.h"
#include "os/socket.h"

struct wi_listener {
    int fd;                        /* -1: not open */
    bool path_ours;                /* a unix path that is ours to remove */
    struct wi_addr addr;           /* as asked for */
    char text[WI_ADDR_TEXT_BYTES]; /* as bound: port 0 has become a real one */
};

struct wi_listeners {
    struct wi_listener serve[WI_LISTEN_MAX];
    int count;
    struct wi_listener admin;
};

/* Judges all addresses, then opens all.
 *
 *   0
 *   WEIR_EINVAL   an address is malformed; nothing was opened
 *   other codes   one could not be opened; those before it are closed again
 *
 * In the last two cases one line is in *why. */
WEIR_CHECK int wi_listeners_open(struct wi_listeners *out, const char *const *addresses, int count,
                                 const char *admin, int backlog, struct wi_text *why);

/* Removes the unix paths that are ours, once: a successor may make them anew.  When nobody accepts
 * any more. */
void wi_listeners_unlink(struct wi_listeners *listeners);
void wi_listeners_unlink_admin(struct wi_listeners *listeners);

/* A server has taken the listeners: it removes their paths. */
void wi_listeners_give(struct wi_listeners *listeners);

/* Closes those of serve that are open; those of the admin. */
void wi_listeners_close(struct wi_listeners *listeners);
void wi_listeners_close_admin(struct wi_listeners *listeners);

/* "http://127.0.0.1:8080" or "unix:/run/app.sock". */
void wi_listener_describe(const struct wi_listener *listener, struct wi_text *out);

#endif
