/* SPDX-License-Identifier: MIT */
/* A watcher of memory is told of stacks; without one the calls do nothing.  Under valgrind
 * test/valgrind/memcheck.py runs this program too, where an unknown stack would be reported. */
#include "os/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/vm.h"

static void handles_are_given_only_to_a_watcher(void **state)
{
    (void)state;
    const size_t bytes = 4 * wi_vm_page_bytes();
    void *low = NULL;
    assert_int_equal(wi_vm_map(bytes, &low), 0);
    const uint32_t handle = wi_watch_stack(low, bytes);
    assert_int_equal(handle != 0, getenv("WEIR_UNDER_VALGRIND") != NULL);
    memset(low, 7, bytes);
    wi_watch_stack_fresh(low, bytes);
    memset(low, 0, bytes);
    if (handle != 0)
        wi_watch_stack_forget(handle);
    wi_vm_unmap(low, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_are_given_only_to_a_watcher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
