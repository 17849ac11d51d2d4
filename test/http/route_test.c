/* SPDX-License-Identifier: MIT */
/* Goal: a path finds the most literal route, its parameters, or the right refusal.  Method: a
 * router with routes that overlap on purpose, and a table of paths with the expected answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/route.h"

static struct wi_http_route routes[64];
static struct wi_http_route_node nodes[64];
static struct wi_http_router router;

static int add(const char *method, const char *pattern)
{
    return wi_http_router_add(&router, method, pattern, (void *)(uintptr_t)pattern);
}

static int setup(void **state)
{
    (void)state;
    static const char *const list[][2] = {
        { "GET", "/" },
        { "GET", "/hello/:name" },
        { "POST", "/echo" },
        { "GET", "/users/me" },
        { "GET", "/users/:id" },
        { "DELETE", "/users/:id" },
        { "HEAD", "/users/me" },
        { "GET", "/users/:id/posts/:post" },
        { "PUT", "/users/me/posts/new" },
        { "GET", "/static/*rest" },
        { "GET", "/static/special" },
        { "*", "/any" },
        { "GET", "/any" },
        { "GET", "/slash/" },
        { "GET", "/a b" },
        { "GET", "/deep/:x/c" },
        { "GET", "/deep/b/d" },
        { "GET", "/deep/*all" },
        { "OPTIONS", "/caf\xc3\xa9" },
    };
    wi_http_router_init(&router, routes, 64, nodes, 64);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        assert_int_equal(add(list[i][0], list[i][1]), 0);
    return 0;
}

static int match(const char *method, const char *path, struct wi_http_match *out)
{
    return wi_http_router_match(&router, wi_http_method_of(method, strlen(method)), path,
                                strlen(path), out);
}

static void paths_find_their_route(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *path;
        const char *pattern;
        const char *param; /* the last one */
    } table[] = {
        { "GET", "/", "/", NULL },
        { "GET", "", "/", NULL },
        { "GET", "/hello/bob", "/hello/:name", "bob" },
        { "GET", "/hello/a%2Fb", "/hello/:name", "a%2Fb" },
        { "GET", "/h%65llo/x", "/hello/:name", "x" },
        { "HEAD", "/hello/bob", "/hello/:name", "bob" },
        { "GET", "/users/me", "/users/me", NULL },
        { "HEAD", "/users/me", "/users/me", NULL },
        { "GET", "/users/m%65", "/users/me", NULL },
        { "GET", "/users/you", "/users/:id", "you" },
        { "GET", "/users/mee", "/users/:id", "mee" },
        { "DELETE", "/users/me", "/users/:id", "me" },
        { "GET", "/users/me/posts/new", "/users/:id/posts/:post", "new" },
        { "PUT", "/users/me/posts/new", "/users/me/posts/new", NULL },
        { "GET", "/static/", "/static/*rest", "" },
        { "GET", "/static/a/b/", "/static/*rest", "a/b/" },
        { "GET", "/static//", "/static/*rest", "/" },
        { "GET", "/static/special", "/static/special", NULL },
        { "GET", "/static/special/x", "/static/*rest", "special/x" },
        { "GET", "/any", "/any", NULL },
        { "PATCH", "/any", "/any", NULL },
        { "BREW", "/any", "/any", NULL },
        { "GET", "/slash/", "/slash/", NULL },
        { "GET", "/a%20b", "/a b", NULL },
        { "GET", "/deep/b/d", "/deep/b/d", NULL },
        { "GET", "/deep/b/c", "/deep/:x/c", "b" },
        { "GET", "/deep/b/e", "/deep/*all", "b/e" },
        { "OPTIONS", "/caf%C3%A9", "/caf\xc3\xa9", NULL },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wi_http_match out;
        const int rc = match(table[i].method, table[i].path, &out);
        if (rc != 200)
            fail_msg("%s %s: %d", table[i].method, table[i].path, rc);
        assert_string_equal(out.route->pattern, table[i].pattern);
        assert_ptr_equal(out.route->user, out.route->pattern);
        if (table[i].param == NULL) {
            assert_int_equal(out.param_count, 0);
            continue;
        }
        assert_true(out.param_count > 0);
        const struct wi_http_slice value = out.params[out.param_count - 1].value;
        assert_int_equal(value.len, strlen(table[i].param));
        assert_memory_equal(table[i].path + value.offset, table[i].param, value.len);
    }
}

static void other_paths_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *path;
        int status;
        const char *allow;
    } table[] = {
        { "GET", "/nowhere", 404, "" },
        { "GET", "/hello", 404, "" },
        { "GET", "/hello/", 404, "" },
        { "GET", "/hello/a/b", 404, "" },
        { "GET", "/hello%2Fbob", 404, "" },
        { "GET", "//hello/bob", 404, "" },
        { "GET", "/slash", 404, "" },
        { "GET", "/static", 404, "" },
        { "GET", "hello/bob", 404, "" },
        { "GET", "*", 404, "" },
        { "GET", "/ech", 404, "" },
        { "GET", "/h%zz", 404, "" },
        { "GET", "/echo", 405, "POST" },
        { "HEAD", "/echo", 405, "POST" },
        { "POST", "/hello/bob", 405, "GET, HEAD" },
        { "POST", "/users/me", 405, "GET, HEAD, DELETE" },
        { "BREW", "/users/me", 501, "GET, HEAD, DELETE" },
        { "POST", "/static/x", 405, "GET, HEAD" },
        { "BREW", "/nowhere", 404, "" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wi_http_match out;
        char allow[WI_HTTP_ALLOW_BYTES_MAX];
        assert_int_equal(match(table[i].method, table[i].path, &out), table[i].status);
        assert_null(out.route);
        const size_t len = wi_http_allow_write(out.allow, allow);
        assert_int_equal(len, strlen(table[i].allow));
        assert_memory_equal(allow, table[i].allow, len);
    }
}

static void parameters_are_found_by_name(void **state)
{
    (void)state;
    struct wi_http_match out;
    struct wi_http_slice value;
    assert_int_equal(match("GET", "/users/7/posts/42", &out), 200);
    assert_int_equal(out.param_count, 2);
    assert_true(wi_http_match_param(&out, "id", &value));
    assert_int_equal(value.offset, 7);
    assert_int_equal(value.len, 1);
    assert_true(wi_http_match_param(&out, "post", &value));
    assert_int_equal(value.offset, 15);
    assert_false(wi_http_match_param(&out, "name", &value));
    assert_int_equal(value.len, 0);
}

static void bad_patterns_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "a",  "/%41",     "/:",
        "/a/:/b", "/*", "/*rest/b", "/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(add("GET", bad[i]), WEIR_EINVAL);
    assert_int_equal(add("get", "/x"), WEIR_EINVAL);
    assert_int_equal(add("", "/x"), WEIR_EINVAL);
    assert_int_equal(add("GET", "/users/:other"), WEIR_EEXIST);
    assert_int_equal(add("*", "/any"), WEIR_EEXIST);
    assert_int_equal(add("GET", "/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p"), 0);
    struct wi_http_match out;
    assert_int_equal(match("GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", &out), 200);
    assert_int_equal(out.param_count, 16);
}

static void a_pattern_that_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    struct wi_http_route_node few_nodes[3];
    char refused[] = "/a/b/c/d";
    wi_http_router_init(&router, routes, 2, few_nodes, 3);
    assert_int_equal(add("GET", refused), WEIR_EOVERFLOW);
    memset(refused, '?', sizeof(refused)); /* its text is the caller's again */
    assert_int_equal(router.node_count, 1);
    assert_int_equal(add("GET", "/a/b"), 0);
    struct wi_http_match out;
    assert_int_equal(match("GET", "/a/b", &out), 200);
    assert_int_equal(match("GET", "/?/?", &out), 404);
}

static void a_full_router_says_so_and_still_matches(void **state)
{
    (void)state;
    struct wi_http_route_node few_nodes[3];
    wi_http_router_init(&router, routes, 2, few_nodes, 3);
    assert_int_equal(add("GET", "/a/b"), 0);
    assert_int_equal(add("GET", "/a/c"), WEIR_EOVERFLOW);
    assert_int_equal(add("GET", "/:x"), WEIR_EOVERFLOW);
    assert_int_equal(add("POST", "/a/b"), 0);
    assert_int_equal(add("PUT", "/a/b"), WEIR_EOVERFLOW);
    struct wi_http_match out;
    assert_int_equal(match("POST", "/a/b", &out), 200);
    assert_int_equal(match("GET", "/a/c", &out), 404);
    assert_int_equal(match("GET", "/a", &out), 404);
}

/* A thousand literals below one node and as many below others, so that buckets are shared. */
static void a_thousand_siblings_are_told_apart(void **state)
{
    (void)state;
    enum {
        MANY = 1000
    };
    static struct wi_http_route many_routes[2 * MANY];
    static struct wi_http_route_node many_nodes[2 * MANY + 2];
    static char patterns[2 * MANY][24];
    wi_http_router_init(&router, many_routes, 2 * MANY, many_nodes, 2 * MANY + 2);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(patterns[i], sizeof patterns[i], "/item%d", i);
        (void)snprintf(patterns[MANY + i], sizeof patterns[i], "/deep/item%d", i);
        assert_int_equal(add("GET", patterns[i]), 0);
        assert_int_equal(add("GET", patterns[MANY + i]), 0);
    }
    for (int i = 0; i < 2 * MANY; i++) {
        struct wi_http_match out;
        assert_int_equal(match("GET", patterns[i], &out), 200);
        assert_ptr_equal(out.route->pattern, patterns[i]);
        char escaped[40];
        (void)snprintf(escaped, sizeof escaped, "%s/%%69tem%d", i < MANY ? "" : "/deep", i % MANY);
        assert_int_equal(match("GET", escaped, &out), 200);
        assert_ptr_equal(out.route->pattern, patterns[i]);
    }
    struct wi_http_match out;
    assert_int_equal(match("GET", "/item1000", &out), 404);
    assert_int_equal(match("GET", "/deep/deep", &out), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(paths_find_their_route, setup),
        cmocka_unit_test_setup(other_paths_are_refused, setup),
        cmocka_unit_test_setup(parameters_are_found_by_name, setup),
        cmocka_unit_test_setup(bad_patterns_are_refused, setup),
        cmocka_unit_test_setup(a_pattern_that_does_not_fit_leaves_nothing_behind, setup),
        cmocka_unit_test_setup(a_full_router_says_so_and_still_matches, setup),
        cmocka_unit_test(a_thousand_siblings_are_told_apart),
    };
    return cmocka_run_group_tests_name("http/route", tests, NULL, NULL);
}
