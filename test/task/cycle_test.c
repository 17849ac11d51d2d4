/* SPDX-License-Identifier: MIT */
/* Circles of waiting are found, each once, and nothing else is. */
#include "task/cycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    NODES = 16
};

static struct {
    char text[256];
} told;

static void tell(const int *indices, int count, void *arg)
{
    assert_ptr_equal(arg, &told);
    char *end = told.text + strlen(told.text);
    for (int i = 0; i < count; i++)
        end += sprintf(end, "%d%s", indices[i], i + 1 < count ? ">" : ";");
}

/* holders[i] is whom i waits for; -1: nobody, NODES: somebody outside. */
static const char *circles(const int *holders, int count)
{
    static const char who[NODES + 1];
    struct wi_cycle_node nodes[NODES];
    int indices[NODES];
    for (int i = 0; i < count; i++)
        nodes[i] = (struct wi_cycle_node){ .self = &who[i],
                                           .holder = holders[i] < 0 ? NULL : &who[holders[i]],
                                           .index = i };
    told.text[0] = '\0';
    wi_cycles_find(nodes, count, tell, indices, &told);
    return told.text;
}

static void chains_are_no_circles(void **state)
{
    (void)state;
    assert_string_equal(circles((int[]){ 1, 2, 3, -1 }, 4), "");
    assert_string_equal(circles((int[]){ 3, 0, 1, NODES }, 4), "");
    assert_string_equal(circles((int[]){ -1, 0, 0, 0 }, 4), "");
    assert_string_equal(circles(NULL, 0), "");
}

static void a_circle_is_told_once_in_the_order_of_waiting(void **state)
{
    (void)state;
    assert_string_equal(circles((int[]){ 1, 0 }, 2), "0>1;");
    assert_string_equal(circles((int[]){ 2, 0, 1 }, 3), "0>2>1;");
    assert_string_equal(circles((int[]){ 0 }, 1), "0;");
}

static void who_waits_for_a_member_is_not_in_the_circle(void **state)
{
    (void)state;
    assert_string_equal(circles((int[]){ 1, 2, 3, 2, 0 }, 5), "2>3;");
    assert_string_equal(circles((int[]){ 1, 0, 3, 2, 0 }, 5), "0>1;2>3;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_are_no_circles),
        cmocka_unit_test(a_circle_is_told_once_in_the_order_of_waiting),
        cmocka_unit_test(who_waits_for_a_member_is_not_in_the_circle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
