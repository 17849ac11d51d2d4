/* SPDX-License-Identifier: MIT */
/* What clients say of urgency, and what they say that means nothing. */
#include "http/urgency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/request.h"

static const struct wi_http_head *parse(char *buf, size_t bytes, const char *fields)
{
    static struct wi_http_request request;
    struct wi_http_limits limits = { 0 };
    wi_http_limits_fill(&limits);
    const int len = snprintf(buf, bytes, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    assert_true(len > 0 && (size_t)len < bytes);
    assert_int_equal(wi_http_request_parse(buf, (size_t)len, 0, &request, &limits), len);
    return &request.head;
}

static void check_urgency(const char *fields, int urgency)
{
    char buf[1024];
    const struct wi_http_head *head = parse(buf, sizeof(buf), fields);
    assert_int_equal(wi_http_urgency(head, buf), urgency);
    assert_int_equal(head->has_class, strstr(fields, ":") != NULL);
}

static void the_urgency_is_a_digit(void **state)
{
    (void)state;
    check_urgency("", 3);
    check_urgency("Priority: u=0\r\n", 0);
    check_urgency("priority:u=7\r\n", 7);
    check_urgency("Priority: i, u=5\r\n", 5);
    check_urgency("Priority: u=5;x=1, i\r\n", 5);
    check_urgency("Priority: u=1 , u=6\r\n", 6);
    check_urgency("Priority: u=1\r\nPriority: u=2\r\n", 2);
}

static void what_is_none_counts_as_not_said(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",    "u",    "u=",   "u=8",  "u=-1", "u=10", "U=7",
        "v=7", "u=7x", "u =7", "u= 7", ",,,",  "xu=7", "\"u=7\""
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char fields[64];
        (void)snprintf(fields, sizeof(fields), "Priority: %s\r\n", values[i]);
        check_urgency(fields, WI_HTTP_URGENCY_DEFAULT);
    }
}

static void check_attempt(const char *fields, int attempt)
{
    char buf[1024];
    const struct wi_http_head *head = parse(buf, sizeof(buf), fields);
    assert_int_equal(wi_http_attempt(head, buf), attempt);
}

static void the_number_of_an_attempt_is_told(void **state)
{
    (void)state;
    check_attempt("", 0);
    check_attempt("X-Attempt: 0\r\n", 0);
    check_attempt("X-Attempt: 000\r\n", 0);
    check_attempt("x-attempt: 1\r\n", 1);
    check_attempt("X-Attempt: 0012\r\n", 12);
    check_attempt("X-Attempt: 99\r\n", WI_HTTP_ATTEMPT_MAX);
    check_attempt("X-Attempt: 100\r\n", WI_HTTP_ATTEMPT_MAX);
    check_attempt("X-Attempt: 99999999999999999999999999\r\n", WI_HTTP_ATTEMPT_MAX);
    check_attempt("X-Attempt: 2\r\nX-Attempt: 1\r\n", 2);
    check_attempt("X-Attempts: 1\r\n", 0);
}

static void an_attempt_that_is_no_number_says_nothing(void **state)
{
    (void)state;
    check_attempt("X-Attempt:\r\n", 0);
    check_attempt("X-Attempt: -1\r\n", 0);
    check_attempt("X-Attempt: +1\r\n", 0);
    check_attempt("X-Attempt: 1.5\r\n", 0);
    check_attempt("X-Attempt: 1 2\r\n", 0);
    check_attempt("X-Attempt: 1, 2\r\n", 0);
    check_attempt("X-Attempt: 1\r\nX-Attempt: one\r\n", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_urgency_is_a_digit),
        cmocka_unit_test(what_is_none_counts_as_not_said),
        cmocka_unit_test(the_number_of_an_attempt_is_told),
        cmocka_unit_test(an_attempt_that_is_no_number_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
