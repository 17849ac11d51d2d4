/* SPDX-License-Identifier: MIT */
/* Dialing by name while a call of the system fails: what is of an address leads to the next one,
 * what is of this process ends it, and the next dial is as good as ever.  The lookup of names is
 * stood in for (support/names.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "os/fault/fault.h"
#include "support/names.h"
#include "support/run.h"

int wi_names_lookup(const char *host, struct wi_addr *out, int max, const char **why)
{
    return names_answer(host, out, max, why);
}

static int dial(const char *address)
{
    weir_stream *stream;
    const int rc = weir_dial(&stream, address, WEIR_NO_DEADLINE);
    if (rc == 0)
        weir_stream_close(stream);
    return rc;
}

RUN(another_address_is_tried_if_the_failure_is_of_the_first)
{
    static const int of_the_address[] = { WEIR_ENETUNREACH, WEIR_EADDRNOTAVAIL, WEIR_EACCES };
    static const int of_the_process[] = { WEIR_EMFILE, WEIR_ENFILE, WEIR_ENOMEM };
    weir_listener *listener;
    char own[64];
    char address[80];
    CHECK_EQ(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    CHECK_EQ(weir_listener_address(listener, own, sizeof(own)), 0);
    (void)snprintf(address, sizeof(address), "two.test%s", strrchr(own, ':'));
    for (int i = 0; i < 3; i++) {
        wi_fault_arm_named("wi_socket_connect", 1, of_the_address[i]);
        CHECK_EQ(dial(address), 0);
        CHECK(wi_fault_fired());
        wi_fault_arm_named("wi_socket_connect", 1, of_the_process[i]);
        CHECK_EQ(dial(address), of_the_process[i]);
        CHECK_EQ(wi_fault_count_of("wi_socket_connect"), 1);
        wi_fault_disarm();
    }
    CHECK_EQ(dial(address), 0);
    weir_listener_close(listener);
    return 0;
}

/* Two dials, each of which needs a thread: the pool is new. */
RUN(a_thread_that_cannot_be_started_fails_the_dial_that_needs_it_and_no_other)
{
    wi_fault_arm_named("wi_os_thread_start", 1, WEIR_EAGAIN);
    CHECK_EQ(dial("nobody.test:80"), WEIR_EAGAIN);
    CHECK(wi_fault_fired());
    wi_fault_disarm();
    CHECK_EQ(names_asked(), 0);
    CHECK_EQ(dial("nobody.test:80"), WEIR_ENOHOST);
    CHECK_EQ(names_asked(), 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_cannot_be_started_fails_the_dial_that_needs_it_and_no_other),
        cmocka_unit_test(another_address_is_tried_if_the_failure_is_of_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
