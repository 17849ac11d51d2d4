/* SPDX-License-Identifier: MIT */
/* Goal: URLs, authorities, escapes, queries and routes hold their promises for any bytes.
 *
 * Properties: parts lie inside the text and put together give it again; decoding is never longer,
 * the same in place, and refuses %00; pairs of a query are disjoint and in order; a match's
 * parameters lie in the path and its literals decode to the pattern's.  The first line of the
 * input is used as a pattern of a route, the rest as the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/chars.h"
#include "http/route.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_url(const char *text, size_t len)
{
    struct wi_http_url url;
    struct wi_http_authority authority;
    if (wi_http_authority_parse(text, len, &authority) == 0) {
        wi_bug_unless_cmp(authority.host_len, >, 0);
        wi_bug_unless_cmp(authority.host_len, <=, len);
        wi_bug_unless_cmp(authority.port, <=, 65535);
    }
    if (wi_http_url_parse(text, len, &url) != 0)
        return;
    const size_t scheme = url.https ? 8 : 7;
    const size_t query = url.query != NULL ? url.query_len + 1 : 0;
    wi_bug_unless_cmp(scheme + url.authority_len + url.path_len + query, ==, len);
    wi_bug_unless(url.path_len == 0 || url.path[0] == '/');
    wi_bug_unless_cmp(url.host_len, >, 0);
    wi_bug_unless(memchr(url.host, '@', url.host_len) == NULL);
}

static void check_decoding(const char *text, size_t len)
{
    for (int plus = 0; plus < 2; plus++) {
        char *out = malloc(len + 1);
        wi_bug_unless(out != NULL);
        const int64_t rc = wi_http_percent_decode(text, len, plus != 0, out, len);
        wi_bug_unless(rc == WEIR_EINVAL || (rc >= 0 && (size_t)rc <= len));
        if (rc > 0) {
            char *place = malloc(len);
            wi_bug_unless(place != NULL);
            memcpy(place, text, len);
            wi_bug_unless_cmp(wi_http_percent_decode(place, len, plus != 0, place, len), ==, rc);
            wi_bug_unless(memcmp(place, out, (size_t)rc) == 0);
            wi_bug_unless_cmp(wi_http_percent_decode(text, len, plus != 0, place, (size_t)rc - 1),
                              ==, WEIR_ENOSPC);
            free(place);
        }
        free(out);
    }
}

static void check_query(const char *text, size_t len)
{
    const char *rest = text;
    size_t left = len;
    struct wi_http_pair pair;
    const char *last = text;
    while (wi_http_query_next(&rest, &left, &pair)) {
        wi_bug_unless(pair.name >= last);
        wi_bug_unless(pair.value >= pair.name + pair.name_len);
        wi_bug_unless(pair.value + pair.value_len == rest);
        wi_bug_unless(rest + left == text + len);
        last = rest;
    }
    wi_bug_unless_cmp(left, ==, 0);
}

static void check_routes(const char *pattern, const char *path, size_t len)
{
    struct wi_http_route routes[8];
    struct wi_http_route_node nodes[24];
    struct wi_http_router router;
    static const char *const fixed[] = { "/a", "/a/:x/b", "/a/*r", "/:y/b", "/hello/:name" };
    wi_http_router_init(&router, routes, 8, nodes, 24);
    for (size_t i = 0; i < wi_count_of(fixed); i++)
        wi_bug_unless(wi_http_router_add(&router, "GET", fixed[i], NULL) == 0);
    const int added = wi_http_router_add(&router, "*", pattern, &router);
    wi_bug_unless(added == 0 || added == WEIR_EINVAL || added == WEIR_EOVERFLOW);
    if (len > UINT16_MAX)
        return;
    for (unsigned method = 0; method < WI_HTTP_METHOD_COUNT; method++) {
        struct wi_http_match match;
        const int rc = wi_http_router_match(&router, method, path, len, &match);
        wi_bug_unless((rc == 200) == (match.route != NULL));
        wi_bug_unless(rc != 404 || match.allow == 0);
        wi_bug_unless(rc == 200 || rc == 404 || match.allow != 0);
        for (unsigned i = 0; i < match.param_count; i++) {
            const struct wi_http_slice value = match.params[i].value;
            wi_bug_unless_cmp(value.offset + value.len, <=, len > 0 ? len : 1);
            const bool rest = value.offset + value.len == len;
            wi_bug_unless(rest || memchr(path + value.offset, '/', value.len) == NULL);
        }
    }
    /* A pattern without parameters is reached by itself where a path may be written so. */
    const bool plain = added == 0 && strpbrk(pattern, ":*") == NULL;
    struct wi_http_match match;
    if (plain)
        wi_bug_unless_cmp(
            wi_http_router_match(&router, WI_HTTP_PUT, pattern, strlen(pattern), &match), ==, 200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *line = bytes > 0 ? memchr(data, '\n', bytes) : NULL;
    const size_t pattern_len = line != NULL ? (size_t)(line - data) : 0;
    const size_t skip = line != NULL ? pattern_len + 1 : 0;
    const size_t len = bytes - skip;
    char *pattern = malloc(pattern_len + 1);
    char *text = malloc(len + (len == 0));
    wi_bug_unless(pattern != NULL);
    wi_bug_unless(text != NULL);
    if (pattern_len > 0)
        memcpy(pattern, data, pattern_len);
    pattern[pattern_len] = '\0';
    if (len > 0)
        memcpy(text, data + skip, len);

    check_url(text, len);
    check_decoding(text, len);
    check_query(text, len);
    const int path = wi_http_path_check(text, len);
    char *decoded = malloc(len + 1);
    wi_bug_unless(decoded != NULL);
    if (path == 0)
        wi_bug_unless(wi_http_percent_decode(text, len, false, decoded, len) >= 0);
    free(decoded);
    check_routes(pattern, text, len);
    free(pattern);
    free(text);
    return 0;
}
