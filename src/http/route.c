/* SPDX-License-Identifier: MIT */
/* A tree of segments in an array.  Literal children are found through one hash table of all of
 * them, so that a thousand routes below one node cost no more than one; its buckets begin in the
 * nodes' own slots.
 *
 * Matching walks down segment by segment and tries the kinds of children in order; it returns
 * upwards only when a deeper segment does not fit.  A node stands at one depth, so it is visited
 * at most once per match, and the depth is bounded by the deepest pattern.
 *
 * Invariants: index 0 is the root and no child; a path of patterns ends at one node, so equal
 * patterns meet there; parameter names belong to the route, not to the node.
 * Threads: written at start by one thread, then constant.
 * Source: own. */
#include "http/route.h"

#include <string.h>

#include "base/check.h"
#include "http/uri.h"

enum kind {
    LITERAL,
    PARAM,
    REST
};

void wi_http_router_init(struct wi_http_router *router, struct wi_http_route *routes,
                         uint16_t route_cap, struct wi_http_route_node *nodes, uint16_t node_cap)
{
    wi_bug_unless(node_cap > 0);
    *router = (struct wi_http_router){
        .routes = routes,
        .nodes = nodes,
        .route_cap = route_cap,
        .node_cap = node_cap,
        .node_count = 1,
    };
    memset(nodes, 0, node_cap * sizeof nodes[0]);
}

/* The end of the segment that begins at pos. */
static size_t segment_end(const char *text, size_t pos, size_t len)
{
    const char *slash = memchr(text + pos, '/', len - pos);
    return slash != NULL ? (size_t)(slash - text) : len;
}

static enum kind segment_kind(const char *segment, size_t len)
{
    if (len > 0 && segment[0] == ':')
        return PARAM;
    return len > 0 && segment[0] == '*' ? REST : LITERAL;
}

/* The number of parameters of a pattern, or WEIR_EINVAL. */
static int pattern_check(const char *pattern, size_t len)
{
    int params = 0;
    if (len == 0 || len > UINT16_MAX || pattern[0] != '/' || memchr(pattern, '%', len) != NULL)
        return WEIR_EINVAL;
    for (size_t pos = 1; pos <= len;) {
        const size_t end = segment_end(pattern, pos, len);
        const enum kind kind = segment_kind(pattern + pos, end - pos);
        if (kind != LITERAL) {
            params++;
            if (end - pos == 1 || (kind == REST && end < len))
                return WEIR_EINVAL;
        }
        pos = end + 1;
    }
    return params <= WI_HTTP_PARAMS_MAX ? params : WEIR_EINVAL;
}

/* The byte at pos as it stands unescaped in a pattern, and in *step what it takes of the path; -1
 * for a broken escape. */
static int decoded(const char *segment, size_t len, size_t pos, size_t *step)
{
    *step = 1;
    if (segment[pos] != '%')
        return (unsigned char)segment[pos];
    *step = 3;
    char byte;
    if (len - pos < 3 || wi_http_percent_decode(segment + pos, 3, false, &byte, 1) != 1)
        return -1;
    return (unsigned char)byte;
}

/* FNV-1a over the unescaped segment, scaled to a slot.  The patterns are the program's own, so
 * nobody outside can choose what collides in the table. */
static uint16_t slot_of(const struct wi_http_router *router, uint16_t parent, const char *segment,
                        size_t len)
{
    uint32_t hash = 2166136261u ^ parent;
    size_t step;
    for (size_t pos = 0; pos < len; pos += step)
        hash = (hash ^ (uint32_t)decoded(segment, len, pos, &step)) * 16777619u;
    return (uint16_t)(((uint64_t)hash * router->node_cap) >> 32);
}

/* Whether the segment of a path, unescaped, is the node's text. */
static bool segment_is(const char *segment, size_t len, const struct wi_http_route_node *node)
{
    if (len == node->text_len && memcmp(segment, node->text, len) == 0)
        return true;
    size_t at = 0;
    size_t step;
    for (size_t pos = 0; pos < len; pos += step, at++) {
        const int byte = decoded(segment, len, pos, &step);
        if (byte < 0 || at == node->text_len || byte != (unsigned char)node->text[at])
            return false;
    }
    return at == node->text_len;
}

/* The literal child for a segment of a path or a pattern (which has no escapes), 0 if none. */
static uint16_t literal_find(const struct wi_http_router *router, uint16_t parent,
                             const char *segment, size_t len)
{
    if (!router->nodes[parent].has_literals)
        return 0;
    uint16_t child = router->nodes[slot_of(router, parent, segment, len)].bucket;
    while (child != 0) {
        const struct wi_http_route_node *node = &router->nodes[child];
        if (node->parent == parent && segment_is(segment, len, node))
            break;
        child = node->next;
    }
    return child;
}

/* The child for this segment of a pattern, 0 if there is none. */
static uint16_t child_find(const struct wi_http_router *router, uint16_t parent,
                           const char *segment, size_t len)
{
    const enum kind kind = segment_kind(segment, len);
    if (kind == LITERAL)
        return literal_find(router, parent, segment, len);
    return kind == PARAM ? router->nodes[parent].param : router->nodes[parent].rest;
}

/* Makes the child that child_find() has not found. */
static uint16_t child_make(struct wi_http_router *router, uint16_t parent, const char *segment,
                           size_t len)
{
    struct wi_http_route_node *node = &router->nodes[parent];
    const enum kind kind = segment_kind(segment, len);
    uint16_t *link = kind == PARAM ? &node->param : &node->rest;
    wi_bug_unless_cmp(router->node_count, <, router->node_cap);

    const uint16_t made = router->node_count++;
    struct wi_http_route_node *child = &router->nodes[made];
    child->text = segment;
    child->text_len = (uint16_t)len;
    child->parent = parent;
    if (kind == LITERAL) {
        node->has_literals = true;
        link = &router->nodes[slot_of(router, parent, segment, len)].bucket;
        child->next = *link;
    }
    *link = made;
    return made;
}

/* Whether there is room for the nodes that the pattern needs and that are not there yet.  Asked
 * before the first is made: a node borrows the pattern's text, which a caller that is refused takes
 * back. */
static bool nodes_fit(const struct wi_http_router *router, const char *pattern, size_t len)
{
    size_t missing = 0;
    uint16_t node = 0;
    for (size_t pos = 1; pos <= len;) {
        const size_t end = segment_end(pattern, pos, len);
        if (missing == 0)
            node = child_find(router, node, pattern + pos, end - pos);
        if (node == 0)
            missing++;
        pos = end + 1;
    }
    return missing <= (size_t)(router->node_cap - router->node_count);
}

/* Notes where the names of the parameters stand, once, for every match to come. */
static void names_find(struct wi_http_route *route, size_t len)
{
    for (size_t pos = 1; pos <= len;) {
        const size_t end = segment_end(route->pattern, pos, len);
        if (segment_kind(route->pattern + pos, end - pos) != LITERAL)
            route->names[route->param_count++] =
                (struct wi_http_slice){ (uint16_t)(pos + 1), (uint16_t)(end - pos - 1) };
        pos = end + 1;
    }
}

int wi_http_router_add(struct wi_http_router *router, const char *method, const char *pattern,
                       void *user)
{
    const size_t len = strlen(pattern);
    const int params = pattern_check(pattern, len);
    const unsigned number = wi_http_method_of(method, strlen(method));
    if (params < 0 || (number == WI_HTTP_METHOD_OTHER && strcmp(method, "*") != 0))
        return WEIR_EINVAL;
    if (router->route_count == router->route_cap || !nodes_fit(router, pattern, len))
        return WEIR_EOVERFLOW;

    uint16_t node = 0;
    for (size_t pos = 1; pos <= len;) {
        const size_t end = segment_end(pattern, pos, len);
        const uint16_t found = child_find(router, node, pattern + pos, end - pos);
        node = found != 0 ? found : child_make(router, node, pattern + pos, end - pos);
        pos = end + 1;
    }
    if (router->nodes[node].route[number] != 0)
        return WEIR_EEXIST;
    struct wi_http_route *route = &router->routes[router->route_count++];
    *route = (struct wi_http_route){
        .pattern = pattern,
        .user = user,
        .node = node,
        .method = (uint8_t)number,
    };
    names_find(route, len);
    wi_bug_unless_cmp(route->param_count, ==, params);
    router->nodes[node].route[number] = router->route_count;
    return 0;
}

/* One match in progress: where the parameters on the way down were found. */
struct walk {
    const struct wi_http_router *router;
    const char *path;
    size_t len;
    unsigned method;
    uint16_t allow;
    uint16_t depth; /* values in use */
    struct wi_http_slice values[WI_HTTP_PARAMS_MAX];
};

/* The route of the node for the method: its own, GET's for HEAD, or any's.  0 for none. */
static uint16_t node_route(struct walk *walk, uint16_t index)
{
    const uint16_t *route = walk->router->nodes[index].route;
    if (route[walk->method] != 0)
        return route[walk->method];
    if (walk->method == WI_HTTP_HEAD && route[WI_HTTP_GET] != 0)
        return route[WI_HTTP_GET];
    if (route[WI_HTTP_METHOD_OTHER] != 0)
        return route[WI_HTTP_METHOD_OTHER];
    for (unsigned i = 0; i < WI_HTTP_METHOD_OTHER; i++) {
        if (route[i] != 0)
            walk->allow |= (uint16_t)(1u << i);
    }
    return 0;
}

/* The route for the path from pos on, below the node; 0 for none.  pos is the start of a
 * segment, or len + 1 behind the last one. */
static uint16_t descend(struct walk *walk, uint16_t index, size_t pos)
{
    if (pos > walk->len)
        return node_route(walk, index);
    const struct wi_http_route_node *node = &walk->router->nodes[index];
    const size_t end = segment_end(walk->path, pos, walk->len);

    const uint16_t literal = literal_find(walk->router, index, walk->path + pos, end - pos);
    if (literal != 0) {
        const uint16_t route = descend(walk, literal, end + 1);
        if (route != 0)
            return route;
    }
    if (node->param != 0 && end > pos) {
        walk->values[walk->depth++] =
            (struct wi_http_slice){ (uint16_t)pos, (uint16_t)(end - pos) };
        const uint16_t route = descend(walk, node->param, end + 1);
        if (route != 0)
            return route;
        walk->depth--;
    }
    if (node->rest == 0)
        return 0;
    walk->values[walk->depth++] =
        (struct wi_http_slice){ (uint16_t)pos, (uint16_t)(walk->len - pos) };
    const uint16_t route = node_route(walk, node->rest);
    if (route == 0)
        walk->depth--;
    return route;
}

/* Joins the values on the way with the names in the route's own pattern. */
static void params_fill(const struct walk *walk, struct wi_http_match *out)
{
    wi_bug_unless_cmp(walk->depth, ==, out->route->param_count);
    for (; out->param_count < walk->depth; out->param_count++) {
        out->params[out->param_count] = (struct wi_http_param){
            .name = out->route->names[out->param_count],
            .value = walk->values[out->param_count],
        };
    }
}

int wi_http_router_match(const struct wi_http_router *router, unsigned method, const char *path,
                         size_t path_len, struct wi_http_match *out)
{
    wi_bug_unless_cmp(method, <, WI_HTTP_METHOD_COUNT);
    wi_bug_unless_cmp(path_len, <=, UINT16_MAX);
    struct walk walk = { .router = router, .path = path, .len = path_len, .method = method };
    if (path_len == 0) {
        walk.path = "/";
        walk.len = 1;
    }
    out->route = NULL;
    out->param_count = 0;
    out->allow = 0;
    if (walk.path[0] != '/')
        return 404;
    const uint16_t route = descend(&walk, 0, 1);
    if (route != 0) {
        out->route = &router->routes[route - 1];
        params_fill(&walk, out);
        return 200;
    }
    out->allow = walk.allow;
    if (walk.allow == 0)
        return 404;
    return method == WI_HTTP_METHOD_OTHER ? 501 : 405;
}

bool wi_http_match_param(const struct wi_http_match *match, const char *name,
                         struct wi_http_slice *value)
{
    const size_t len = strlen(name);
    for (unsigned i = 0; i < match->param_count; i++) {
        const struct wi_http_slice slice = match->params[i].name;
        if (slice.len == len && memcmp(match->route->pattern + slice.offset, name, len) == 0) {
            *value = match->params[i].value;
            return true;
        }
    }
    *value = (struct wi_http_slice){ 0 };
    return false;
}

size_t wi_http_allow_write(uint16_t allow, char buf[WI_HTTP_ALLOW_BYTES_MAX])
{
    size_t filled = 0;
    if ((allow & 1u << WI_HTTP_GET) != 0)
        allow |= (uint16_t)(1u << WI_HTTP_HEAD);
    for (unsigned i = 0; i < WI_HTTP_METHOD_OTHER; i++) {
        if ((allow & 1u << i) == 0)
            continue;
        const char *name = wi_http_method_name(i);
        const size_t len = strlen(name);
        wi_bug_unless_cmp(filled + len + 2, <=, WI_HTTP_ALLOW_BYTES_MAX);
        if (filled > 0) {
            memcpy(buf + filled, ", ", 2);
            filled += 2;
        }
        memcpy(buf + filled, name, len);
        filled += len;
    }
    return filled;
}
