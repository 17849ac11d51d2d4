/* SPDX-License-Identifier: MIT */
/* Goal: what is written is well formed, complete or refused, and never more than the buffer
 * holds.  Method: exact expected bytes; each head at every capacity; every forbidden byte in every
 * place where a caller's text goes; what is written is parsed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/request.h"
#include "http/response.h"
#include "http/status.h"
#include "http/write.h"

static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";

static struct wi_http_out_field field(const char *name, const char *value)
{
    return (struct wi_http_out_field){ name, strlen(name), value, strlen(value), false };
}

static void assert_response(const struct wi_http_response_out *out, const char *want)
{
    char buf[512];
    const int rc = wi_http_response_write(buf, sizeof buf, out);
    assert_int_equal(rc, strlen(want));
    assert_memory_equal(buf, want, strlen(want));
}

static void a_response_is_written_with_one_framing(void **state)
{
    (void)state;
    const struct wi_http_out_field type = field("Content-Type", "text/plain");
    struct wi_http_response_out out = {
        .status = 200,
        .date = date,
        .fields = &type,
        .field_count = 1,
        .body = WI_HTTP_BODY_LENGTH,
        .content_length = 14,
    };
    assert_response(&out, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n"
                          "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                          "Content-Type: text/plain\r\n\r\n");
    out = (struct wi_http_response_out){ .status = 503,
                                         .body = WI_HTTP_BODY_CHUNKED,
                                         .connection = WI_HTTP_OUT_CLOSE };
    assert_response(&out, "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n"
                          "Connection: close\r\n\r\n");
    out = (struct wi_http_response_out){ .status = 404, .reason = "Gone Fishing" };
    assert_response(&out, "HTTP/1.1 404 Gone Fishing\r\nContent-Length: 0\r\n\r\n");
    out = (struct wi_http_response_out){ .status = 200,
                                         .body = WI_HTTP_BODY_UNTIL_CLOSE,
                                         .old_client = true };
    assert_response(&out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    out = (struct wi_http_response_out){ .status = 200, .old_client = true };
    assert_response(&out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

static void a_status_without_body_gets_no_framing(void **state)
{
    (void)state;
    struct wi_http_response_out out = { .status = 204 };
    assert_response(&out, "HTTP/1.1 204 No Content\r\n\r\n");
    out.status = 100;
    assert_response(&out, "HTTP/1.1 100 Continue\r\n\r\n");
    out.old_client = true;
    assert_response(&out, "HTTP/1.1 100 Continue\r\n\r\n");
    const struct wi_http_out_field upgrade = field("Upgrade", "websocket");
    out = (struct wi_http_response_out){
        .status = 101, .fields = &upgrade, .field_count = 1, .connection = WI_HTTP_OUT_UPGRADE
    };
    assert_response(&out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                          "Upgrade: websocket\r\n\r\n");
    out = (struct wi_http_response_out){ .status = 304 };
    assert_response(&out, "HTTP/1.1 304 Not Modified\r\n\r\n");
    out.body = WI_HTTP_BODY_LENGTH;
    out.content_length = 7;
    assert_response(&out, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");

    char buf[200];
    out.status = 204;
    assert_int_equal(wi_http_response_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out.content_length = 0;
    assert_true(wi_http_response_write(buf, sizeof buf, &out) > 0);
    out.body = WI_HTTP_BODY_CHUNKED;
    assert_int_equal(wi_http_response_write(buf, sizeof buf, &out), WEIR_EINVAL);
}

static void a_response_is_refused_rather_than_malformed(void **state)
{
    (void)state;
    char buf[200];
    struct wi_http_response_out out = { .status = 99 };
    assert_int_equal(wi_http_response_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out.status = 1000;
    assert_int_equal(wi_http_response_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out = (struct wi_http_response_out){ .status = 200, .reason = "O\r\nK" };
    assert_int_equal(wi_http_response_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out = (struct wi_http_response_out){ .status = 200,
                                         .body = WI_HTTP_BODY_CHUNKED,
                                         .old_client = true };
    assert_int_equal(wi_http_response_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out = (struct wi_http_response_out){ .status = 200, .body = 77 };
    assert_int_equal(wi_http_response_write(buf, sizeof buf, &out), WEIR_EINVAL);
}

static int write_field(const char *name, size_t name_len, const char *value, size_t value_len)
{
    char buf[200];
    const struct wi_http_out_field one = { name, name_len, value, value_len, false };
    const struct wi_http_response_out out = { .status = 200, .fields = &one, .field_count = 1 };
    return wi_http_response_write(buf, sizeof buf, &out);
}

static void no_byte_of_a_field_can_end_a_line(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text[3] = { 'a', (char)byte, 'b' };
        const bool value_fine = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        const bool name_fine = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                               (byte >= 'A' && byte <= 'Z') ||
                               (byte > 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
        assert_int_equal(write_field("x", 1, text, 3) > 0, value_fine);
        assert_int_equal(write_field(text, 3, "x", 1) > 0, name_fine);
    }
    assert_int_equal(write_field("", 0, "x", 1), WEIR_EINVAL);
}

static void the_writers_own_fields_are_refused(void **state)
{
    (void)state;
    static const char *const own[] = { "content-length", "Transfer-Encoding", "CONNECTION",
                                       "Date" };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        assert_int_equal(write_field(own[i], strlen(own[i]), "1", 1), WEIR_EINVAL);
    assert_true(write_field("Host", 4, "1", 1) > 0);
    assert_true(write_field("Content-Lengths", 15, "1", 1) > 0);
}

static void a_head_that_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    const struct wi_http_out_field type = field("Content-Type", "text/plain");
    const struct wi_http_response_out out = { .status = 404,
                                              .date = date,
                                              .fields = &type,
                                              .field_count = 1,
                                              .body = WI_HTTP_BODY_LENGTH,
                                              .content_length = 12345 };
    char buf[512];
    const int len = wi_http_response_write(buf, sizeof buf, &out);
    assert_true(len > 0);
    for (int cap = 0; cap <= len; cap++) {
        char *exact = malloc((size_t)cap + (cap == 0));
        assert_int_equal(wi_http_response_write(exact, (size_t)cap, &out),
                         cap == len ? len : WEIR_ENOSPC);
        free(exact);
    }
}

static struct wi_http_request_out request_out(void)
{
    return (struct wi_http_request_out){
        .method = "POST", .target = "/a?b", .target_len = 4, .host = "h:81", .host_len = 4
    };
}

static void a_request_goes_round_through_the_parser(void **state)
{
    (void)state;
    struct wi_http_limits limits = { 0 };
    wi_http_limits_fill(&limits);
    const struct wi_http_out_field accept = field("Accept", "*/*");
    struct wi_http_request_out out = request_out();
    out.fields = &accept;
    out.field_count = 1;
    out.connection = WI_HTTP_OUT_CLOSE;
    for (uint8_t body = WI_HTTP_BODY_NONE; body <= WI_HTTP_BODY_CHUNKED; body++) {
        char buf[300];
        struct wi_http_request q;
        out.body = body;
        out.content_length = 77;
        const int len = wi_http_request_write(buf, sizeof buf, &out);
        assert_true(len > 0);
        assert_int_equal(wi_http_request_parse(buf, (size_t)len, 0, &q, &limits), len);
        assert_int_equal(q.method, WI_HTTP_POST);
        assert_int_equal(q.target.len, 4);
        assert_int_equal(q.host.len, 4);
        assert_int_equal(q.head.body, body);
        assert_int_equal(q.head.content_length, body == WI_HTTP_BODY_LENGTH ? 77 : 0);
        assert_false(q.head.keep_alive);
        assert_true(wi_http_field_find(&q.head, buf, "accept", 0) >= 0);
    }
    out.target_len = 0;
    char buf[300];
    assert_true(wi_http_request_write(buf, sizeof buf, &out) > 0);
    assert_memory_equal(buf, "POST / HTTP/1.1\r\nHost: h:81\r\n", 29);
}

static void a_request_is_refused_rather_than_malformed(void **state)
{
    (void)state;
    char buf[300];
    struct wi_http_request_out out = request_out();
    out.method = "";
    assert_int_equal(wi_http_request_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out.method = "GET /";
    assert_int_equal(wi_http_request_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out = request_out();
    out.target = "/ b ";
    assert_int_equal(wi_http_request_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out = request_out();
    out.host = "h\r\nX";
    assert_int_equal(wi_http_request_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out = request_out();
    out.body = WI_HTTP_BODY_UNTIL_CLOSE;
    assert_int_equal(wi_http_request_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out = request_out();
    const struct wi_http_out_field host = field("hoST", "g");
    out.fields = &host;
    out.field_count = 1;
    assert_int_equal(wi_http_request_write(buf, sizeof buf, &out), WEIR_EINVAL);
    out = request_out();
    assert_int_equal(wi_http_request_write(buf, 20, &out), WEIR_ENOSPC);
}

static void numbers_are_written_in_full(void **state)
{
    (void)state;
    char buf[WI_HTTP_CHUNK_HEAD_BYTES_MAX];
    assert_int_equal(wi_http_chunk_head_write(buf, 1), 3);
    assert_memory_equal(buf, "1\r\n", 3);
    assert_int_equal(wi_http_chunk_head_write(buf, 0xabc0), 6);
    assert_memory_equal(buf, "abc0\r\n", 6);
    assert_int_equal(wi_http_chunk_head_write(buf, UINT64_MAX), 18);
    char digits[20];
    assert_int_equal(wi_http_decimal_write(digits, 0), 1);
    assert_int_equal(digits[0], '0');
    assert_int_equal(wi_http_decimal_write(digits, UINT64_MAX), 20);
    assert_memory_equal(digits, "18446744073709551615", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_written_with_one_framing),
        cmocka_unit_test(a_status_without_body_gets_no_framing),
        cmocka_unit_test(a_response_is_refused_rather_than_malformed),
        cmocka_unit_test(no_byte_of_a_field_can_end_a_line),
        cmocka_unit_test(the_writers_own_fields_are_refused),
        cmocka_unit_test(a_head_that_does_not_fit_is_not_cut),
        cmocka_unit_test(a_request_goes_round_through_the_parser),
        cmocka_unit_test(a_request_is_refused_rather_than_malformed),
        cmocka_unit_test(numbers_are_written_in_full),
    };
    return cmocka_run_group_tests_name("http/write", tests, NULL, NULL);
}
