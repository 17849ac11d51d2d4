/* SPDX-License-Identifier: MIT */
/* Canned answers: they are byte for byte what the writer of heads makes of the same answer, with
 * whatever date and digit are put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/head.h"
#include "http/write.h"
#include "serve/canned.h"

static const char type[] = "text/plain; charset=utf-8";

/* What the writer makes of it. */
static size_t written(char *out, size_t cap, int status, const char *date, int retry_s,
                      const char *body)
{
    char retry[2] = { (char)('0' + retry_s), 0 };
    const struct wi_http_out_field fields[] = {
        { .name = "Content-Type", .name_len = 12, .value = type, .value_len = strlen(type) },
        { .name = "Retry-After", .name_len = 11, .value = retry, .value_len = 1 },
    };
    const struct wi_http_response_out head = { .status = status,
                                               .date = date,
                                               .fields = fields,
                                               .field_count = status == 503 ? 2 : 1,
                                               .content_length = strlen(body),
                                               .body = WI_HTTP_BODY_LENGTH };
    const int bytes = wi_http_response_write(out, cap, &head);
    assert_true(bytes > 0);
    memcpy(out + bytes, body, strlen(body));
    return (size_t)bytes + strlen(body);
}

static void check_same(int status, const char *body)
{
    struct wi_canned canned;
    char wanted[2048];
    char got[WI_CANNED_BYTES_MAX];
    char date[WI_HTTP_DATE_BYTES];
    assert_int_equal(wi_canned_make(&canned, status, type, body, strlen(body)), 0);
    for (int retry_s = 0; retry_s <= WI_CANNED_RETRY_MAX_S; retry_s++) {
        /* Also dates that begin and end as those do that the places were found with. */
        wi_http_date_format(1111111111 + retry_s * 86400, date);
        date[0] = (char)('0' + retry_s % 3);
        const size_t bytes = written(wanted, sizeof(wanted), status, date, retry_s, body);
        assert_int_equal(wi_canned_write(&canned, date, retry_s, got), bytes);
        assert_memory_equal(got, wanted, bytes);
    }
}

static void it_is_what_the_writer_writes(void **state)
{
    (void)state;
    check_same(503, "overloaded\n");
    check_same(503, "");
    check_same(200, "ok\n");
    check_same(200, "1111111111222222222211111111112222222222");
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    struct wi_canned canned;
    char body[WI_CANNED_BYTES_MAX];
    memset(body, 'x', sizeof(body));
    assert_int_equal(wi_canned_make(&canned, 200, type, body, sizeof(body)), WEIR_ENOSPC);
    size_t fits = sizeof(body);
    while (wi_canned_make(&canned, 200, type, body, fits) != 0)
        fits--;
    assert_int_equal(canned.bytes, WI_CANNED_BYTES_MAX);
}

static void a_type_that_would_split_the_answer_is_refused(void **state)
{
    (void)state;
    struct wi_canned canned;
    assert_int_equal(wi_canned_make(&canned, 200, "a/b\r\nX: y", "", 0), WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_the_writer_writes),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(a_type_that_would_split_the_answer_is_refused),
    };
    return cmocka_run_group_tests_name("canned", tests, NULL, NULL);
}
