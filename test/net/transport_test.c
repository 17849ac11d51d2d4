/* SPDX-License-Identifier: MIT */
/* The plain transport: addresses as text, files of Unix listeners, peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/transport.h"

static void a_tcp_listener_tells_its_address(void **state)
{
    (void)state;
    char text[WI_ADDR_TEXT_BYTES], small[8];
    const int fd = wi_transport_listen("127.0.0.1:0", 16);
    assert_true(fd >= 0);
    assert_int_equal(wi_transport_local(fd, text, sizeof(text)), 0);
    assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
    assert_int_equal(wi_transport_local(fd, small, sizeof(small)), WEIR_EMSGSIZE);
    assert_int_equal(wi_transport_accept(fd, NULL), WEIR_EAGAIN);
    assert_int_equal(wi_transport_listen(text, 16), WEIR_EADDRINUSE);
    wi_transport_unlink(fd);
    wi_transport_close(fd);
    assert_int_equal(wi_transport_listen("nowhere", 16), WEIR_EINVAL);
    assert_int_equal(wi_transport_adopt(-1), WEIR_EBADF);
}

static void a_unix_listener_leaves_no_file(void **state)
{
    (void)state;
    char address[64], text[WI_ADDR_TEXT_BYTES];
    const char *path = address + 5;
    snprintf(address, sizeof(address), "unix:/tmp/weir-transport-%d", (int)getpid());
    const int fd = wi_transport_listen(address, 16);
    assert_true(fd >= 0);
    assert_int_equal(access(path, F_OK), 0);
    struct wi_addr addr;
    const char *reason = NULL;
    bool pending = false;
    assert_int_equal(wi_addr_parse(address, &addr, &reason), 0);
    const int client = wi_socket_connect(&addr, &pending);
    assert_true(client >= 0);
    struct wi_addr peer;
    const int served = wi_transport_accept(fd, &peer);
    assert_true(served >= 0);
    wi_transport_peer(&peer, text, sizeof(text));
    assert_string_equal(text, "unix");
    assert_int_equal(wi_transport_write(client, "abc", 3), 3);
    assert_int_equal(wi_transport_finish(client), 0);
    assert_int_equal(wi_transport_read(served, text, sizeof(text)), 3);
    assert_int_equal(wi_transport_read(served, text, sizeof(text)), 0);
    wi_transport_close(client);
    wi_transport_close(served);
    wi_transport_unlink(fd);
    assert_int_equal(access(path, F_OK), -1);
    wi_transport_close(fd);
}

static void limits_clock_and_seeds_are_plausible(void **state)
{
    (void)state;
    assert_true(wi_transport_descriptors() > 10);
    assert_true(wi_transport_wall() > INT64_C(1600000000) * 1000000000);
    assert_true(wi_transport_seed() != wi_transport_seed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tcp_listener_tells_its_address),
        cmocka_unit_test(a_unix_listener_leaves_no_file),
        cmocka_unit_test(limits_clock_and_seeds_are_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
