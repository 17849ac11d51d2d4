/* SPDX-License-Identifier: MIT */
/* Goal: each verdict carries a status that refuses, a name and a text; reasons are RFC 9110's.
 * Method: walk the verdict table and compare with known phrases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/chars.h"
#include "http/status.h"
#include "weir/err.h"

static const int verdicts[] = {
#define VERDICT(name, number, status, text) name,
    WI_HTTP_VERDICT_TABLE(VERDICT)
#undef VERDICT
};

static void every_verdict_has_a_refusing_status_a_name_and_a_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        const int status = wi_http_verdict_status(verdicts[i]);
        assert_in_range(status, 400, 505);
        assert_string_not_equal(wi_http_reason(status), "Unknown");
        assert_string_not_equal(wi_http_verdict_text(verdicts[i]), "unknown verdict");
        assert_memory_equal(wi_http_verdict_name(verdicts[i]), "WI_HTTP_", 8);
    }
}

static void verdicts_are_distinct_and_no_result_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        assert_string_equal(weir_err_name(verdicts[i]), "WEIR_E?");
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(verdicts[i], verdicts[k]);
    }
}

static void a_number_that_is_no_verdict_is_an_internal_error(void **state)
{
    (void)state;
    assert_int_equal(wi_http_verdict_status(-1), 500);
    assert_string_equal(wi_http_verdict_text(0), "unknown verdict");
    assert_string_equal(wi_http_verdict_name(7), "WI_HTTP_?");
}

static void reasons_are_the_registered_phrases(void **state)
{
    (void)state;
    assert_string_equal(wi_http_reason(200), "OK");
    assert_string_equal(wi_http_reason(404), "Not Found");
    assert_string_equal(wi_http_reason(413), "Content Too Large");
    assert_string_equal(wi_http_reason(503), "Service Unavailable");
    assert_string_equal(wi_http_reason(299), "Unknown");
    for (int status = 0; status < 700; status++) {
        const char *reason = wi_http_reason(status);
        assert_true(wi_http_all_of(reason, strlen(reason), WI_HTTP_VALUE));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict_has_a_refusing_status_a_name_and_a_text),
        cmocka_unit_test(verdicts_are_distinct_and_no_result_codes),
        cmocka_unit_test(a_number_that_is_no_verdict_is_an_internal_error),
        cmocka_unit_test(reasons_are_the_registered_phrases),
    };
    return cmocka_run_group_tests_name("http/status", tests, NULL, NULL);
}
