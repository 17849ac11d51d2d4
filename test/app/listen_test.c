/* SPDX-License-Identifier: MIT */
/* Listeners: all are opened, or none. */
#include "app/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "os/file.h"

static struct wi_listeners listeners;
static char why_text[512];

static int open_all(const char *const *addresses, int count, const char *admin)
{
    struct wi_text why;
    wi_text_init(&why, why_text, sizeof(why_text));
    return wi_listeners_open(&listeners, addresses, count, admin, 0, &why);
}

static void close_all(void)
{
    wi_listeners_unlink(&listeners);
    wi_listeners_unlink_admin(&listeners);
    wi_listeners_close(&listeners);
    wi_listeners_close_admin(&listeners);
}

static void port_zero_becomes_a_real_one(void **state)
{
    (void)state;
    const char *const addresses[] = { "127.0.0.1:0", "[::1]:0" };
    assert_int_equal(open_all(addresses, 1, "127.0.0.1:0"), 0);
    char buffer[256];
    struct wi_text text;
    wi_text_init(&text, buffer, sizeof(buffer));
    wi_listener_describe(&listeners.serve[0], &text);
    assert_ptr_equal(strstr(buffer, "http://127.0.0.1:"), buffer);
    assert_null(strstr(buffer, ":0"));
    assert_true(listeners.admin.fd >= 0);
    close_all();
    assert_int_equal(listeners.serve[0].fd, -1);
}

static void a_malformed_address_opens_nothing(void **state)
{
    (void)state;
    const int before = wi_file_open_count();
    const char *const addresses[] = { "127.0.0.1:0", "127.0.0.1:http" };
    assert_int_equal(open_all(addresses, 2, NULL), WEIR_EINVAL);
    assert_ptr_equal(strstr(why_text, "--listen=127.0.0.1:http: "), why_text);
    assert_int_equal(wi_file_open_count(), before);
    assert_int_equal(open_all(addresses, 1, "nothing"), WEIR_EINVAL);
    assert_ptr_equal(strstr(why_text, "--admin=nothing: "), why_text);
    assert_int_equal(wi_file_open_count(), before);
}

static void an_address_in_use_closes_those_before_it(void **state)
{
    (void)state;
    struct wi_addr addr;
    const char *reason;
    char taken[WI_ADDR_TEXT_BYTES];
    assert_int_equal(wi_addr_parse("127.0.0.1:0", &addr, &reason), 0);
    const int fd = wi_socket_listen(&addr, 1);
    assert_true(fd >= 0);
    assert_int_equal(wi_socket_local(fd, &addr), 0);
    wi_addr_format(&addr, taken, sizeof(taken));

    const int before = wi_file_open_count();
    char path[96];
    (void)snprintf(path, sizeof(path), "unix:/tmp/weir-listen-test-%s", strrchr(taken, ':') + 1);
    const char *const addresses[] = { path, taken };
    assert_int_equal(open_all(addresses, 2, NULL), WEIR_EADDRINUSE);
    assert_non_null(strstr(why_text, "address in use"));
    assert_int_equal(wi_file_open_count(), before);
    assert_int_equal(wi_file_remove(path + strlen("unix:")), WEIR_ENOENT);
    wi_socket_close(fd);
}

static void a_unix_path_is_removed_an_abstract_name_has_none(void **state)
{
    (void)state;
    char path[96];
    (void)snprintf(path, sizeof(path), "unix:/tmp/weir-listen-test-%p", (void *)&listeners);
    const char *const addresses[] = { path, "unix:@weir-listen-test" };
    assert_int_equal(open_all(addresses, 2, NULL), 0);
    char buffer[256];
    struct wi_text text;
    wi_text_init(&text, buffer, sizeof(buffer));
    wi_listener_describe(&listeners.serve[0], &text);
    assert_string_equal(buffer, path);
    close_all();
    assert_int_equal(wi_file_remove(path + strlen("unix:")), WEIR_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_zero_becomes_a_real_one),
        cmocka_unit_test(a_malformed_address_opens_nothing),
        cmocka_unit_test(an_address_in_use_closes_those_before_it),
        cmocka_unit_test(a_unix_path_is_removed_an_abstract_name_has_none),
    };
    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
