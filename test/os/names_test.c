/* SPDX-License-Identifier: MIT */
/* The system's own lookup.  Only names of /etc/hosts are asked for: what a name service says, and
 * when, is no matter of a test. */
#include "os/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    ADDRESSES = 8
};

static void localhost_is_this_machine(void **state)
{
    (void)state;
    struct wi_addr addrs[ADDRESSES];
    const char *why = NULL;
    const int found = wi_names_lookup("localhost", addrs, ADDRESSES, &why);
    assert_true(found > 0);
    for (int i = 0; i < found; i++) {
        char text[WI_ADDR_TEXT_BYTES];
        wi_addr_set_port(&addrs[i], 80);
        wi_addr_format(&addrs[i], text, sizeof(text));
        assert_true(strncmp(text, "127.", 4) == 0 || strcmp(text, "[::1]:80") == 0);
    }
}

static void no_more_are_given_than_there_is_room_for(void **state)
{
    (void)state;
    struct wi_addr addrs[2] = { { .bytes = 0 } };
    const char *why = NULL;
    assert_int_equal(wi_names_lookup("localhost", addrs, 1, &why), 1);
    assert_int_equal(addrs[1].bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localhost_is_this_machine),
        cmocka_unit_test(no_more_are_given_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
