/* SPDX-License-Identifier: MIT */
/* Goal: the shared field section, the limits and the framing decision.  Method: small heads
 * through wi_http_fields_parse(); every control byte at every place of a value, so that the
 * wide scan is tried at every alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/head.h"
#include "http/status.h"

static struct wi_http_limits limits;

static int fill_limits(void **state)
{
    (void)state;
    limits = (struct wi_http_limits){ 0 };
    wi_http_limits_fill(&limits);
    return 0;
}

static int fields(const char *text, struct wi_http_head *head, struct wi_http_known *known)
{
    return wi_http_fields_parse(text, 0, strlen(text), &limits, head, known);
}

/* The verdict of the framing decision on these fields under HTTP/1.minor. */
static int framing(const char *text, uint8_t minor, struct wi_http_head *head)
{
    struct wi_http_known known;
    assert_true(fields(text, head, &known) > 0);
    head->version_minor = minor;
    return wi_http_framing(text, &limits, &known, head);
}

static void zeros_become_defaults_and_maxima_hold(void **state)
{
    (void)state;
    assert_int_equal(limits.head_bytes_max, 16384);
    assert_int_equal(limits.target_bytes_max, 8192);
    assert_int_equal(limits.fields_max, 100);
    assert_int_equal(limits.body_bytes_max, INT64_MAX);
    struct wi_http_limits big = { 1000000, 1000000, 1000, 1000000, 1000000, UINT64_MAX };
    wi_http_limits_fill(&big);
    assert_int_equal(big.head_bytes_max, WI_HTTP_HEAD_BYTES_MAX);
    assert_int_equal(big.target_bytes_max, WI_HTTP_HEAD_BYTES_MAX);
    assert_int_equal(big.fields_max, WI_HTTP_FIELDS_MAX);
    assert_int_equal(big.body_bytes_max, INT64_MAX);
    struct wi_http_limits small = { .head_bytes_max = 100 };
    wi_http_limits_fill(&small);
    assert_true(small.target_bytes_max <= 8192);
}

static void values_lose_the_white_space_around_them(void **state)
{
    (void)state;
    const char *text = "A: \t b c\t \r\nB:\r\nC:   \r\n\r\n";
    struct wi_http_head head;
    struct wi_http_known known;
    assert_int_equal(fields(text, &head, &known), strlen(text));
    assert_int_equal(head.field_count, 3);
    assert_int_equal(head.fields[0].value.len, 3);
    assert_memory_equal(text + head.fields[0].value.offset, "b c", 3);
    assert_int_equal(head.fields[1].value.len, 0);
    assert_int_equal(head.fields[2].value.len, 0);
}

static void a_control_byte_is_found_at_every_place_of_a_value(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 40; at++) {
            char text[64] = "X:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
            const size_t len = strlen(text);
            text[2 + at] = (char)byte;
            struct wi_http_head head;
            struct wi_http_known known;
            const int rc = wi_http_fields_parse(text, 0, len, &limits, &head, &known);
            const bool fine = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
            const int want = fine           ? (int)len
                             : byte == '\r' ? WI_HTTP_BARE_CR
                             : byte == '\n' ? WI_HTTP_BARE_LF
                                            : WI_HTTP_BAD_FIELD_VALUE;
            assert_int_equal(rc, want);
        }
    }
}

static void names_are_tokens_up_to_the_colon(void **state)
{
    (void)state;
    struct wi_http_head head;
    struct wi_http_known known;
    assert_int_equal(fields("X : a\r\n\r\n", &head, &known), WI_HTTP_SPACE_BEFORE_COLON);
    assert_int_equal(fields("X\t: a\r\n\r\n", &head, &known), WI_HTTP_SPACE_BEFORE_COLON);
    assert_int_equal(fields(" X: a\r\n\r\n", &head, &known), WI_HTTP_OBS_FOLD);
    assert_int_equal(fields("\tX: a\r\n\r\n", &head, &known), WI_HTTP_OBS_FOLD);
    assert_int_equal(fields(": a\r\n\r\n", &head, &known), WI_HTTP_BAD_FIELD_NAME);
    assert_int_equal(fields("X(: a\r\n\r\n", &head, &known), WI_HTTP_BAD_FIELD_NAME);
    assert_int_equal(fields("X\r\n\r\n", &head, &known), WI_HTTP_BAD_FIELD_NAME);
    assert_int_equal(fields("X\n\r\n", &head, &known), WI_HTTP_BARE_LF);
    assert_int_equal(fields("\n", &head, &known), WI_HTTP_BARE_LF);
    assert_int_equal(fields("\rX\r\n", &head, &known), WI_HTTP_BARE_CR);
}

static void a_line_is_judged_when_its_lf_has_arrived(void **state)
{
    (void)state;
    struct wi_http_head head;
    struct wi_http_known known;
    assert_int_equal(fields("X : a\r", &head, &known), 0);
    assert_int_equal(fields("X: a\x01", &head, &known), 0);
    assert_int_equal(fields("X: a\rb", &head, &known), 0);
    assert_int_equal(fields("X: a\x01\n", &head, &known), WI_HTTP_BAD_FIELD_VALUE);
    assert_int_equal(fields("X: a\r\n\r", &head, &known), 0);
    assert_int_equal(fields("", &head, &known), 0);
}

static void too_many_fields_are_counted_not_stored(void **state)
{
    (void)state;
    limits.fields_max = 2;
    struct wi_http_head head;
    struct wi_http_known known;
    assert_int_equal(fields("A:1\r\nB:2\r\n\r\n", &head, &known), 12);
    memset(&head, 0xa5, sizeof head);
    assert_int_equal(fields("A:1\r\nB:2\r\nC:3\r\n\r\n", &head, &known), WI_HTTP_TOO_MANY_FIELDS);
    assert_int_equal(head.fields[2].name.offset, 0xa5a5);
    assert_int_equal(fields("A:1\r\nB:2\r\nC:3\r\n", &head, &known), 0);
}

static void known_fields_are_recognised_in_any_case(void **state)
{
    (void)state;
    const char *text =
        "HOST: a\r\nexpect: b\r\nUpGrade: c\r\nCONNECTION: d\r\ncontent-LENGTH: 1\r\n"
        "Transfer-encoding: e\r\nhost: f\r\nHosts: g\r\nHose: h\r\nWeir-timeout-MS: i\r\n"
        "Weir-Timeout-Mz: j\r\nPrioritY: k\r\nPriorite: l\r\nX-Attempts: m\r\n\r\n";
    struct wi_http_head head;
    struct wi_http_known known;
    assert_true(fields(text, &head, &known) > 0);
    assert_int_equal(known.count[WI_HTTP_KNOWN_HOST], 2);
    assert_int_equal(known.first[WI_HTTP_KNOWN_HOST], 0);
    for (int i = 1; i < WI_HTTP_KNOWN_COUNT; i++)
        assert_int_equal(known.count[i], 1);
    assert_true(head.has_timeout);
    assert_true(head.has_class);
    assert_int_equal(wi_http_field_find(&head, text, "hOST", 0), 0);
    assert_int_equal(wi_http_field_find(&head, text, "host", 1), 6);
    assert_int_equal(wi_http_field_find(&head, text, "host", 7), -1);
    assert_int_equal(wi_http_field_find(&head, text, "missing", 0), -1);
}

static void framing_is_one_of_three_or_refused(void **state)
{
    (void)state;
    struct wi_http_head head;
    assert_int_equal(framing("\r\n", 1, &head), 0);
    assert_int_equal(head.body, WI_HTTP_BODY_NONE);
    assert_false(head.has_length);
    assert_int_equal(framing("Content-Length: 9223372036854775807\r\n\r\n", 1, &head), 0);
    assert_int_equal(head.body, WI_HTTP_BODY_LENGTH);
    assert_int_equal(head.content_length, INT64_MAX);
    assert_int_equal(framing("Transfer-Encoding: Chunked\r\n\r\n", 1, &head), 0);
    assert_int_equal(head.body, WI_HTTP_BODY_CHUNKED);

    static const struct {
        const char *text;
        uint8_t minor;
        int verdict;
    } table[] = {
        { "Content-Length: 9223372036854775808\r\n\r\n", 1, WI_HTTP_BAD_LENGTH },
        { "Content-Length: 18446744073709551617\r\n\r\n", 1, WI_HTTP_BAD_LENGTH },
        { "Content-Length:\r\n\r\n", 1, WI_HTTP_BAD_LENGTH },
        { "Content-Length: 1, 1\r\n\r\n", 1, WI_HTTP_BAD_LENGTH },
        { "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 1, WI_HTTP_LENGTH_REPEATED },
        { "Content-Length: 1\r\nTransfer-Encoding: x\r\n\r\n", 1, WI_HTTP_LENGTH_AND_CODING },
        { "Transfer-Encoding: chunked\r\n\r\n", 0, WI_HTTP_CODING_MISPLACED },
        { "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 1,
          WI_HTTP_CODING_REPEATED },
        { "Transfer-Encoding: gzip, chunked\r\n\r\n", 1, WI_HTTP_UNSUPPORTED_CODING },
        { "Transfer-Encoding: chunket\r\n\r\n", 1, WI_HTTP_UNSUPPORTED_CODING },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(framing(table[i].text, table[i].minor, &head), table[i].verdict);

    limits.body_bytes_max = 10;
    assert_int_equal(framing("Content-Length: 10\r\n\r\n", 1, &head), 0);
    assert_int_equal(framing("Content-Length: 11\r\n\r\n", 1, &head), WI_HTTP_BODY_TOO_LARGE);
}

static void lists_are_searched_by_whole_elements(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool has;
    } table[] = {
        { "close", true },    { "CLOSE", true },    { "a,close", true }, { "a ,\tclose\t,b", true },
        { ",,close", true },  { "", false },        { "closed", false }, { "xclose", false },
        { "close d", false }, { "a;close", false }, { "clos", false },   { " , ", false },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(wi_http_list_has(table[i].value, strlen(table[i].value), "close"),
                         table[i].has);
}

static void connection_options_are_read_from_all_its_fields(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t minor;
        bool keep;
        bool upgrade;
    } table[] = {
        { "\r\n", 1, true, false },
        { "\r\n", 0, false, false },
        { "Connection: close\r\n\r\n", 1, false, false },
        { "Connection: x\r\nA: b\r\nConnection: y\r\nConnection: z, close\r\n\r\n", 1, false,
          false },
        { "Connection: keep-alive\r\n\r\n", 0, true, false },
        { "Connection: keep-alive\r\nConnection: close\r\n\r\n", 0, false, false },
        { "Connection: upgrade\r\nUpgrade: x\r\n\r\n", 1, true, true },
        { "Connection: upgrade\r\nUpgrade: x\r\n\r\n", 0, false, false },
        { "Upgrade: x\r\n\r\n", 1, true, false },
        { "Connection: upgrade\r\n\r\n", 1, true, false },
        { "Connection: x\r\nUpgrade: x\r\n\r\n", 1, true, false },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wi_http_head head;
        struct wi_http_known known;
        assert_true(fields(table[i].text, &head, &known) > 0);
        head.version_minor = table[i].minor;
        wi_http_connection(table[i].text, &known, &head);
        assert_int_equal(head.keep_alive, table[i].keep);
        assert_int_equal(head.upgrade, table[i].upgrade);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(zeros_become_defaults_and_maxima_hold, fill_limits),
        cmocka_unit_test_setup(values_lose_the_white_space_around_them, fill_limits),
        cmocka_unit_test_setup(a_control_byte_is_found_at_every_place_of_a_value, fill_limits),
        cmocka_unit_test_setup(names_are_tokens_up_to_the_colon, fill_limits),
        cmocka_unit_test_setup(a_line_is_judged_when_its_lf_has_arrived, fill_limits),
        cmocka_unit_test_setup(too_many_fields_are_counted_not_stored, fill_limits),
        cmocka_unit_test_setup(known_fields_are_recognised_in_any_case, fill_limits),
        cmocka_unit_test_setup(framing_is_one_of_three_or_refused, fill_limits),
        cmocka_unit_test_setup(lists_are_searched_by_whole_elements, fill_limits),
        cmocka_unit_test_setup(connection_options_are_read_from_all_its_fields, fill_limits),
    };
    return cmocka_run_group_tests_name("http/head", tests, NULL, NULL);
}
