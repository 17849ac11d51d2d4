/* SPDX-License-Identifier: MIT */
/* Addresses as text: what parses, what does not and why, and that formatting is its inverse. */
#include "os/socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void a_formatted_address_parses_to_itself(void **state)
{
    (void)state;
    const char *const texts[] = {
        "1.2.3.4:80",         "0.0.0.0:0",      "255.255.255.255:65535", "[::1]:8080",
        "[2001:db8::7]:1",    "unix:/tmp/x",    "unix:relative/path",    "unix:@name",
        "[::ffff:1.2.3.4]:9", "[fe80::1%lo]:5",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct wi_addr addr;
        char text[WI_ADDR_TEXT_BYTES];
        assert_int_equal(wi_addr_parse(texts[i], &addr, NULL), 0);
        wi_addr_format(&addr, text, sizeof(text));
        assert_string_equal(text, texts[i]);
    }
}

static uint64_t network_of(const char *text)
{
    struct wi_addr addr;
    assert_int_equal(wi_addr_parse(text, &addr, NULL), 0);
    return wi_addr_network(&addr);
}

static void a_network_is_a_host_or_64_bits(void **state)
{
    (void)state;
    assert_true(network_of("1.2.3.4:80") != 0);
    assert_true(network_of("1.2.3.4:80") == network_of("1.2.3.4:81"));
    assert_true(network_of("1.2.3.4:80") != network_of("1.2.3.5:80"));
    assert_true(network_of("1.2.3.4:80") == network_of("[::ffff:1.2.3.4]:9"));
    assert_true(network_of("[2001:db8::7]:1") == network_of("[2001:db8::8:9]:2"));
    assert_true(network_of("[2001:db8::7]:1") != network_of("[2001:db8:0:1::7]:1"));
    assert_true(network_of("[::1]:1") != 0);
    assert_true(network_of("unix:/tmp/x") == 0);
    const struct wi_addr nobody = { .bytes = 0 };
    assert_true(wi_addr_network(&nobody) == 0);
}

static void short_forms_mean_what_they_say(void **state)
{
    (void)state;
    const char *const pairs[][2] = { { "localhost:80", "127.0.0.1:80" },
                                     { "*:80", "[::]:80" },
                                     { ":80", "[::]:80" } };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct wi_addr addr;
        char text[WI_ADDR_TEXT_BYTES];
        assert_int_equal(wi_addr_parse(pairs[i][0], &addr, NULL), 0);
        wi_addr_format(&addr, text, sizeof(text));
        if (strcmp(pairs[i][1], "[::]:80") == 0 && strcmp(text, "0.0.0.0:80") == 0)
            continue; /* a machine without IPv6 */
        assert_string_equal(text, pairs[i][1]);
    }
}

static void wrong_texts_are_refused_with_a_reason(void **state)
{
    (void)state;
    char long_path[200] = "unix:/";
    memset(long_path + 6, 'x', sizeof(long_path) - 7);
    long_path[sizeof(long_path) - 1] = '\0';
    char long_host[200];
    memset(long_host, '1', sizeof(long_host));
    strcpy(long_host + 190, ":80");
    const char *const texts[] = {
        "",
        "80",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3:80",
        "1.2.3.4:8o",
        "::1:80",
        "[::1]",
        "[::1:80",
        "[::g]:80",
        "host:80",
        "unix:",
        "unix:@",
        long_path,
        long_host,
        "1.2.3.4: 80",
        "[]:80",
        "[::1]x:80",
        "[::1%nosuchif]:80",
        "1.2.3.4:99999999999999999999",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct wi_addr addr;
        const char *reason = NULL;
        assert_int_equal(wi_addr_parse(texts[i], &addr, &reason), WEIR_EINVAL);
        assert_non_null(reason);
    }
}

static void a_name_is_split_from_its_port(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port;
    } good[] = {
        { "db.internal:5432", "db.internal", 5432 },
        { "LOCALHOST:0", "localhost", 0 },
        { "a:65535", "a", 65535 },
        { "my_service:80", "my_service", 80 },
        { "example.com.:80", "example.com.", 80 },
        { "1.2.3.4a:80", "1.2.3.4a", 80 },
        { "xn--mnchen-3ya.de:1", "xn--mnchen-3ya.de", 1 },
    };
    static const char *const bad[] = {
        "",        ":80",         "a",       "a:",     "a:x",    "a:65536",
        ".:80",    ".a:80",       "a..b:80", "a b:80", "1.2:80", "a.1:80",
        "a.0x:80", "0X7F.0x1:80", "[a]:80",  "a/b:80", "a%b:80", "m\xc3\xbcnchen.de:80",
    };
    char host[WI_NAME_BYTES];
    int port = 0;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(wi_addr_split_name(good[i].text, host, &port), 0);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(wi_addr_split_name(bad[i], host, &port), WEIR_EINVAL);
}

static void names_are_as_long_as_dns_has_them(void **state)
{
    (void)state;
    char text[400];
    char host[WI_NAME_BYTES];
    int port = 0;
    memset(text, 'a', sizeof(text));
    strcpy(text + 63, ":80");
    assert_int_equal(wi_addr_split_name(text, host, &port), 0);
    memset(text, 'a', 64);
    strcpy(text + 64, ":80");
    assert_int_equal(wi_addr_split_name(text, host, &port), WEIR_EINVAL);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 2 == 0 ? 'a' : '.';
    strcpy(text + 254, ":80"); /* ends with a dot */
    assert_int_equal(wi_addr_split_name(text, host, &port), 0);
    assert_int_equal(strlen(host), 254);
    text[254] = 'a';
    strcpy(text + 255, ":80");
    assert_int_equal(wi_addr_split_name(text, host, &port), WEIR_EINVAL);
}

static void a_port_is_set_in_either_family(void **state)
{
    (void)state;
    static const char *const texts[][2] = { { "1.2.3.4:1", "1.2.3.4:65535" },
                                            { "[2001:db8::1]:1", "[2001:db8::1]:65535" } };
    for (size_t i = 0; i < 2; i++) {
        struct wi_addr addr;
        char text[WI_ADDR_TEXT_BYTES];
        assert_int_equal(wi_addr_parse(texts[i][0], &addr, NULL), 0);
        wi_addr_set_port(&addr, 65535);
        wi_addr_format(&addr, text, sizeof(text));
        assert_string_equal(text, texts[i][1]);
    }
}

static void kinds_are_told_apart(void **state)
{
    (void)state;
    struct wi_addr addr;
    assert_int_equal(wi_addr_parse("1.2.3.4:80", &addr, NULL), 0);
    assert_false(wi_addr_is_unix(&addr));
    assert_false(wi_addr_is_abstract(&addr));
    assert_int_equal(wi_addr_parse("unix:/a", &addr, NULL), 0);
    assert_true(wi_addr_is_unix(&addr));
    assert_false(wi_addr_is_abstract(&addr));
    assert_int_equal(wi_addr_parse("unix:@a", &addr, NULL), 0);
    assert_true(wi_addr_is_unix(&addr));
    assert_true(wi_addr_is_abstract(&addr));
}

static void formatting_never_writes_past_its_room(void **state)
{
    (void)state;
    struct wi_addr addr;
    assert_int_equal(wi_addr_parse("[2001:db8::7]:12345", &addr, NULL), 0);
    char text[8] = "sentry!";
    wi_addr_format(&addr, text, 4);
    assert_string_equal(text, "[20");
    assert_memory_equal(text + 4, "ry!", 4);

    const struct wi_addr none = { .bytes = 0 };
    char any[WI_ADDR_TEXT_BYTES];
    wi_addr_format(&none, any, sizeof(any));
    assert_string_equal(any, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_formatted_address_parses_to_itself),
        cmocka_unit_test(a_network_is_a_host_or_64_bits),
        cmocka_unit_test(short_forms_mean_what_they_say),
        cmocka_unit_test(wrong_texts_are_refused_with_a_reason),
        cmocka_unit_test(a_name_is_split_from_its_port),
        cmocka_unit_test(names_are_as_long_as_dns_has_them),
        cmocka_unit_test(a_port_is_set_in_either_family),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(formatting_never_writes_past_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
