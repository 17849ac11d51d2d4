/* SPDX-License-Identifier: MIT */
/* Goal: a request's deadline is the earlier of its route's and its client's, and nothing that a
 * client says puts it off.  Method: parsed heads against routes with and without a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "serve/deadline.h"

static const weir_time NOW = INT64_C(5000000000000);

static weir_time deadline_of(int64_t bound_ns, const char *fields)
{
    char text[512];
    struct wi_http_limits limits = { 0 };
    struct wi_http_request head;
    const struct wi_route route = { .opts.deadline_ns = bound_ns };
    wi_http_limits_fill(&limits);
    const int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    assert_in_range(len, 1, sizeof(text) - 1);
    assert_int_equal(wi_http_request_parse(text, (size_t)len, 0, &head, &limits), len);
    return wi_deadline_of_head(&route, &head, text, NOW);
}

static void the_earlier_of_both_holds(void **state)
{
    (void)state;
    const int64_t bound = 30 * WEIR_NS_PER_S;
    assert_int_equal(deadline_of(bound, ""), NOW + bound);
    assert_int_equal(deadline_of(-1, ""), WEIR_NO_DEADLINE);
    assert_int_equal(deadline_of(bound, "Weir-Timeout-Ms: 20\r\n"), NOW + 20 * WEIR_NS_PER_MS);
    assert_int_equal(deadline_of(-1, "grpc-timeout: 2S\r\n"), NOW + 2 * WEIR_NS_PER_S);
    assert_int_equal(deadline_of(bound, "Weir-Timeout-Ms: 0\r\n"), NOW);
    assert_int_equal(deadline_of(-1, "Weir-Timeout-Ms: -7\r\n"), NOW);
}

static void no_word_of_a_client_puts_it_off(void **state)
{
    (void)state;
    static const char *const lies[] = {
        "Weir-Timeout-Ms: 30001\r\n",
        "Weir-Timeout-Ms: 9223372036854775807\r\n",
        "Weir-Timeout-Ms: 99999999999999999999999999\r\n",
        "Weir-Timeout-Ms: forever\r\n",
        "Weir-Timeout-Ms: +1\r\n",
        "Weir-Timeout-Ms:\r\n",
        "grpc-timeout: 99999999H\r\n",
        "grpc-timeout: 999999999n\r\n",
        "X-Envoy-Expected-Rq-Timeout-Ms: 86400000\r\n",
    };
    const int64_t bound = 30 * WEIR_NS_PER_S;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        assert_int_equal(deadline_of(bound, lies[i]), NOW + bound);
    assert_int_equal(deadline_of(-1, lies[1]), WEIR_NO_DEADLINE);
    assert_int_equal(deadline_of(-1, lies[6]), WEIR_NO_DEADLINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earlier_of_both_holds),
        cmocka_unit_test(no_word_of_a_client_puts_it_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
