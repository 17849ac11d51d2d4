/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_ROUTE_H
#define WI_HTTP_ROUTE_H

/* Routes: from method and path to a number that the caller gave.
 *
 * A pattern is an absolute path whose segments are
 *   literal   the decoded text of a segment: "/caf\xc3\xa9" is reached by /caf%C3%A9
 *   :name     any one segment that is not empty
 *   *name     last only: the rest of the path, perhaps empty, with its slashes
 * Segments are cut before they are decoded, so %2F never separates.  Empty segments and a slash
 * at the end count: "/a" and "/a/" are two paths.  In each place a literal is tried before a
 * :name and that before a *name; if what follows does not match, the next kind is tried.
 * HEAD finds a GET route where no HEAD route is.  A route whose method is "*" takes every method
 * that has no route of its own there.
 *
 * The router holds no memory of its own; it is filled at start and then only read, by any number
 * of threads.  Patterns are borrowed and must outlive it. */

#include "http/request.h"

#define WI_HTTP_PARAMS_MAX 16

/* Constant after the last add. */
struct wi_http_route {
    const char *pattern;
    void *user;
    uint16_t node;
    uint8_t method; /* enum wi_http_method; METHOD_OTHER for "*" */
    uint8_t param_count;
    struct wi_http_slice names[WI_HTTP_PARAMS_MAX]; /* of the parameters, in the pattern */
};

/* A node of the tree of segments; index 0 is the root and also stands for "none". */
struct wi_http_route_node {
    const char *text; /* the segment's text in a pattern, without ':' or '*' */
    uint16_t text_len;
    uint16_t parent;
    uint16_t bucket; /* of the hash table: this slot's first node */
    uint16_t next;   /* in the bucket of this node */
    bool has_literals;
    uint16_t param;                       /* the child that takes any segment */
    uint16_t rest;                        /* the child that takes everything */
    uint16_t route[WI_HTTP_METHOD_COUNT]; /* index + 1 per method, 0 for none */
};

struct wi_http_router {
    struct wi_http_route *routes;
    struct wi_http_route_node *nodes;
    uint16_t route_count;
    uint16_t route_cap;
    uint16_t node_count;
    uint16_t node_cap;
};

/* Where a ":name" or "*name" begins and ends in the path that was matched; still escaped. */
struct wi_http_param {
    struct wi_http_slice name;  /* in the route's pattern */
    struct wi_http_slice value; /* in the path */
};

struct wi_http_match {
    const struct wi_http_route *route;
    uint16_t allow; /* for 405: bit 1 << enum wi_http_method for each method that has a route */
    uint16_t param_count;
    struct wi_http_param params[WI_HTTP_PARAMS_MAX];
};

/* Gives the router its memory.  One node is needed per distinct segment, and one for the root. */
void wi_http_router_init(struct wi_http_router *router, struct wi_http_route *routes,
                         uint16_t route_cap, struct wi_http_route_node *nodes, uint16_t node_cap);

/* Adds a route.
 *
 *   method    upper-case name out of enum wi_http_method, or "*"
 *   pattern   borrowed, NUL-terminated; two routes may name a parameter differently
 *   user      given back by the match
 *
 *   0               added
 *   WEIR_EINVAL     unknown method; pattern without leading '/', with '%', an unnamed parameter,
 *                   something behind a *name, or more than WI_HTTP_PARAMS_MAX parameters
 *   WEIR_EEXIST     method and pattern (names of parameters aside) are there already
 *   WEIR_EOVERFLOW  no room for the route or its segments; nothing was added */
WEIR_CHECK int wi_http_router_add(struct wi_http_router *router, const char *method,
                                  const char *pattern, void *user);

/* Finds the route of a request.
 *
 *   method    enum wi_http_method
 *   path      as in struct wi_http_request: checked, still escaped; empty means "/"
 *
 *   200   out->route and its parameters
 *   404   no route has that path
 *   405   the path has routes, but none for the method; out->allow says for which
 *   501   the path has routes, and the method is none that weir knows
 *
 * Callers: any thread; never waits.  Cost: linear in the path for trees without backtracking, at
 * worst the number of nodes times the longest segment. */
int wi_http_router_match(const struct wi_http_router *router, unsigned method, const char *path,
                         size_t path_len, struct wi_http_match *out);

/* The value of the parameter of that name, or { 0, 0 } with false. */
bool wi_http_match_param(const struct wi_http_match *match, const char *name,
                         struct wi_http_slice *value);

#define WI_HTTP_ALLOW_BYTES_MAX 80

/* Writes the value of an Allow field, such as "GET, HEAD", and returns its length.  HEAD is
 * added where GET is. */
size_t wi_http_allow_write(uint16_t allow, char buf[WI_HTTP_ALLOW_BYTES_MAX]);

#endif
