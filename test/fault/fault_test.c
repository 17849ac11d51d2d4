/* SPDX-License-Identifier: MIT */
/* The fault wrappers: they count, they fail the n-th call and no other, and a small piece of code
 * that undoes rightly survives every n. */
#include "os/fault/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "os/file.h"
#include "os/poll.h"
#include "os/socket.h"
#include "os/vm.h"

static void an_unarmed_wrapper_only_counts(void **state)
{
    (void)state;
    int fds[2];
    char byte;
    wi_fault_disarm();
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_socket_write(fds[0], "x", 1), 1);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(wi_fault_count(), 3);
    assert_int_equal(wi_fault_count_of("wi_socket_read"), 1);
    assert_int_equal(wi_fault_count_of("wi_socket_accept"), 0);
    assert_false(wi_fault_fired());
    assert_null(wi_fault_victim());
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

static void the_nth_call_fails_once_with_its_fitting_code(void **state)
{
    (void)state;
    void *memory;
    wi_fault_arm(2, 0);
    assert_int_equal(wi_vm_map(wi_vm_page_bytes(), &memory), 0);
    wi_vm_unmap(memory, wi_vm_page_bytes());
    assert_int_equal(wi_vm_map(wi_vm_page_bytes(), &memory), WEIR_ENOMEM);
    assert_true(wi_fault_fired());
    assert_string_equal(wi_fault_victim(), "wi_vm_map");
    assert_int_equal(wi_vm_map(wi_vm_page_bytes(), &memory), 0);
    wi_vm_unmap(memory, wi_vm_page_bytes());
}

static void a_named_fault_counts_its_function_alone(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    wi_fault_arm_named("wi_socket_write", 2, WEIR_ENOBUFS);
    char byte;
    assert_int_equal(wi_socket_read(fds[0], &byte, 1), WEIR_EAGAIN);
    assert_int_equal(wi_socket_write(fds[0], "x", 1), 1);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), 1);
    assert_int_equal(wi_socket_write(fds[0], "x", 1), WEIR_ENOBUFS);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), WEIR_EAGAIN); /* it has done nothing */
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

/* Calls from inside the library go through the wrappers too. */
static void calls_inside_the_library_are_wrapped(void **state)
{
    (void)state;
    wi_fault_arm_named("wi_file_read_all", 1, 0);
    assert_true(wi_vm_map_count_max() >= 1024); /* the default, when it cannot be read */
    assert_true(wi_fault_fired());
}

/* Opens four things and closes what it has opened when one fails. */
static int open_and_close(void)
{
    struct wi_poll poll;
    int fds[2];
    void *memory;
    int rc = wi_poll_open(&poll);
    if (rc != 0)
        return rc;
    rc = wi_socket_pair(fds);
    if (rc != 0)
        goto undo_poll;
    rc = wi_poll_add(&poll, fds[0], WI_POLL_READ, 1);
    if (rc != 0)
        goto undo_pair;
    rc = wi_vm_map(wi_vm_page_bytes(), &memory);
    if (rc == 0)
        wi_vm_unmap(memory, wi_vm_page_bytes());
undo_pair:
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
undo_poll:
    wi_poll_close(&poll);
    return rc;
}

static void every_nth_failure_is_passed_on_and_leaks_nothing(void **state)
{
    (void)state;
    wi_fault_disarm();
    const int before = wi_file_open_count();
    uint64_t n = 1;
    for (;; n++) {
        wi_fault_arm(n, 0);
        const int rc = open_and_close();
        const bool fired = wi_fault_fired();
        wi_fault_disarm();
        assert_int_equal(rc < 0, fired);
        assert_int_equal(wi_file_open_count(), before);
        if (!fired)
            break;
    }
    assert_int_equal(n, 5); /* four calls can fail */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unarmed_wrapper_only_counts),
        cmocka_unit_test(the_nth_call_fails_once_with_its_fitting_code),
        cmocka_unit_test(a_named_fault_counts_its_function_alone),
        cmocka_unit_test(calls_inside_the_library_are_wrapped),
        cmocka_unit_test(every_nth_failure_is_passed_on_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
