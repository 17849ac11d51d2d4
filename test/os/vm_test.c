/* SPDX-License-Identifier: MIT */
/* Pages and guards: real faults in forked children. */
#define _GNU_SOURCE 1
#include "os/vm.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

static bool store_kills(char *address)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* without a sanitizer's report */
        *(volatile char *)address = 1;
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void pages_are_zero_and_zero_again_after_a_trim(void **state)
{
    (void)state;
    const size_t bytes = 4 * wi_vm_page_bytes();
    char *memory;
    assert_int_equal(wi_vm_map(bytes, (void **)&memory), 0);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(memory[i], 0);
    memset(memory, 1, bytes);
    wi_vm_trim(memory + wi_vm_page_bytes(), wi_vm_page_bytes());
    assert_int_equal(memory[wi_vm_page_bytes() - 1], 1);
    assert_int_equal(memory[wi_vm_page_bytes()], 0);
    assert_int_equal(memory[2 * wi_vm_page_bytes()], 1);
    wi_vm_unmap(memory, bytes);
}

static void too_much_is_out_of_memory(void **state)
{
    (void)state;
    void *memory;
    assert_int_equal(wi_vm_map((size_t)1 << 60, &memory), WEIR_ENOMEM);
}

static void shared_pages_are_shared_and_private_ones_are_not(void **state)
{
    (void)state;
    const size_t bytes = wi_vm_page_bytes();
    volatile char *shared;
    volatile char *own;
    void *memory;
    assert_int_equal(wi_vm_map_shared(bytes, &memory), 0);
    shared = memory;
    assert_int_equal(wi_vm_map(bytes, &memory), 0);
    own = memory;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        *shared = 7;
        *own = 7;
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(*shared, 7);
    assert_int_equal(*own, 0);
    wi_vm_unmap((void *)(uintptr_t)shared, bytes);
    wi_vm_unmap((void *)(uintptr_t)own, bytes);
}

static void guard_of_the_probed_kind_faults(void)
{
    const enum wi_vm_guard kind = wi_vm_guard_kind();
    if (kind == WI_VM_GUARD_NONE)
        return;
    const size_t page = wi_vm_page_bytes();
    char *memory;
    assert_int_equal(wi_vm_map(4 * page, (void **)&memory), 0);
    assert_int_equal(wi_vm_guard_install(memory, 2 * page, kind), 0);
    assert_true(store_kills(memory));
    assert_true(store_kills(memory + 2 * page - 1));
    assert_false(store_kills(memory + 2 * page));
    wi_vm_trim(memory + 2 * page, 2 * page);
    assert_true(store_kills(memory + page)); /* a trim beside it leaves the guard */
    wi_vm_unmap(memory, 4 * page);
}

static void the_probed_guard_faults(void **state)
{
    (void)state;
    guard_of_the_probed_kind_faults();
}

static void an_old_kernel_has_no_light_guard_but_one_that_faults(void **state)
{
    (void)state;
    assert_false(wi_os_old_kernel_forced());
    wi_os_force_old_kernel(true);
    assert_true(wi_os_old_kernel_forced());
    assert_int_not_equal(wi_vm_guard_kind(), WI_VM_GUARD_INSTALL);
    guard_of_the_probed_kind_faults();
    wi_os_force_old_kernel(false);
}

static void no_kind_of_guard_is_not_supported(void **state)
{
    (void)state;
    void *memory;
    assert_int_equal(wi_vm_map(wi_vm_page_bytes(), &memory), 0);
    assert_int_equal(wi_vm_guard_install(memory, wi_vm_page_bytes(), WI_VM_GUARD_NONE),
                     WEIR_ENOTSUP);
    wi_vm_unmap(memory, wi_vm_page_bytes());
}

static void the_kernel_tells_its_limit_of_mappings(void **state)
{
    (void)state;
    assert_true(wi_vm_map_count_max() >= 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_zero_and_zero_again_after_a_trim),
        cmocka_unit_test(too_much_is_out_of_memory),
        cmocka_unit_test(shared_pages_are_shared_and_private_ones_are_not),
        cmocka_unit_test(the_probed_guard_faults),
        cmocka_unit_test(an_old_kernel_has_no_light_guard_but_one_that_faults),
        cmocka_unit_test(no_kind_of_guard_is_not_supported),
        cmocka_unit_test(the_kernel_tells_its_limit_of_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
