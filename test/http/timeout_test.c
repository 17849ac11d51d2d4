/* SPDX-License-Identifier: MIT */
/* Goal: a client's timeout is what it says, whatever it says.  Method: both forms of a value from a
 * table of good, odd and lying ones; whole heads through the field section's parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/timeout.h"
#include "weir/time.h"

#define NONE WI_HTTP_NO_TIMEOUT
#define MS WEIR_NS_PER_MS
#define S WEIR_NS_PER_S

static void milliseconds_are_whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } table[] = {
        { "1", MS },
        { "250", 250 * MS },
        { "0010", 10 * MS },
        { "9223372036854", INT64_C(9223372036854) * MS },
        /* Already late. */
        { "0", 0 },
        { "-0", 0 },
        { "-1", 0 },
        { "-99999999999999999999999999", 0 },
        /* As long as fits. */
        { "9223372036855", INT64_MAX },
        { "9223372036854775807", INT64_MAX },
        { "9223372036854775808", INT64_MAX },
        { "18446744073709551616", INT64_MAX },
        { "99999999999999999999999999999999999999999999999999", INT64_MAX },
        /* No number. */
        { "", NONE },
        { "-", NONE },
        { "--1", NONE },
        { "+5", NONE },
        { " 5", NONE },
        { "5 ", NONE },
        { "5ms", NONE },
        { "5.0", NONE },
        { "5,7", NONE },
        { "1e3", NONE },
        { "0x10", NONE },
        { "NaN", NONE },
        { "inf", NONE },
        { "\xd9\xa3", NONE },
        { "1_000", NONE },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(wi_http_timeout_of_ms(table[i].text, strlen(table[i].text)), table[i].ns);
}

static void grpc_values_have_eight_digits_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } table[] = {
        { "1H", 3600 * S },
        { "2M", 120 * S },
        { "3S", 3 * S },
        { "4m", 4 * MS },
        { "5u", 5000 },
        { "6n", 6 },
        { "00000007S", 7 * S },
        { "99999999n", 99999999 },
        { "2562047H", INT64_C(2562047) * 3600 * S },
        { "2562048H", INT64_MAX },
        { "99999999H", INT64_MAX },
        { "99999999M", INT64_C(99999999) * 60 * S },
        { "0S", 0 },
        { "-1m", 0 },
        { "-99999999H", 0 },
        { "100000000n", NONE },
        { "-100000000n", NONE },
        { "", NONE },
        { "S", NONE },
        { "-S", NONE },
        { "-", NONE },
        { "5", NONE },
        { "5s", NONE },
        { "5h", NONE },
        { "5ms", NONE },
        { "5 S", NONE },
        { "+5S", NONE },
        { "1.5S", NONE },
        { "S5", NONE },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(wi_http_timeout_of_grpc(table[i].text, strlen(table[i].text)),
                         table[i].ns);
}

static int64_t timeout_of(const char *text)
{
    struct wi_http_limits limits = { 0 };
    struct wi_http_head head;
    struct wi_http_known known;
    wi_http_limits_fill(&limits);
    assert_true(wi_http_fields_parse(text, 0, strlen(text), &limits, &head, &known) > 0);
    const int64_t timeout = wi_http_timeout(&head, text);
    if (timeout != NONE)
        assert_true(head.has_timeout);
    if (!head.has_timeout)
        assert_int_equal(timeout, NONE);
    return timeout;
}

static void the_shortest_field_counts(void **state)
{
    (void)state;
    assert_int_equal(timeout_of("Host: a\r\nGrpc: 1S\r\n\r\n"), NONE);
    assert_int_equal(timeout_of("weir-timeout-ms: \t70 \r\n\r\n"), 70 * MS);
    assert_int_equal(timeout_of("WEIR-TIMEOUT-MS:8\r\nA: b\r\n\r\n"), 8 * MS);
    assert_int_equal(timeout_of("Grpc-Timeout: 9m\r\n\r\n"), 9 * MS);
    assert_int_equal(timeout_of("X-Envoy-Expected-Rq-Timeout-Ms: 11\r\n\r\n"), 11 * MS);
    assert_int_equal(timeout_of("Weir-Timeout-Ms: 30\r\ngrpc-timeout: 20m\r\n"
                                "X-Envoy-Expected-Rq-Timeout-Ms: 40\r\n\r\n"),
                     20 * MS);
    assert_int_equal(timeout_of("Weir-Timeout-Ms: 9\r\nWeir-Timeout-Ms: 5\r\n"
                                "Weir-Timeout-Ms: 7\r\n\r\n"),
                     5 * MS);
    /* Garbage does not stand in the way of a number, nor a number of garbage's form in that of
     * another field. */
    assert_int_equal(timeout_of("Weir-Timeout-Ms: soon\r\nWeir-Timeout-Ms: 6\r\n\r\n"), 6 * MS);
    assert_int_equal(timeout_of("Weir-Timeout-Ms:\r\ngrpc-timeout: 5\r\n\r\n"), NONE);
    assert_int_equal(timeout_of("Weir-Timeout-Ms: 99999999999999999999\r\n"
                                "grpc-timeout: 1S\r\n\r\n"),
                     S);
    assert_int_equal(timeout_of("Weir-Timeout-Ms: 1000\r\ngrpc-timeout: -1S\r\n\r\n"), 0);
    /* Names of the same length, which the parser tells apart. */
    assert_int_equal(timeout_of("Accept-Encoding: 5\r\nContent-Type: 5S\r\n"
                                "X-Envoy-Expected-Rq-Timeout-Mz: 5\r\n\r\n"),
                     NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(milliseconds_are_whole_numbers),
        cmocka_unit_test(grpc_values_have_eight_digits_and_a_unit),
        cmocka_unit_test(the_shortest_field_counts),
    };
    return cmocka_run_group_tests_name("http/timeout", tests, NULL, NULL);
}
