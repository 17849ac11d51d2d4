/* SPDX-License-Identifier: MIT */
/* Addresses of this program and of libraries get their names. */
#include "os/symbols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HERE __LINE__

static const int line_of_named = HERE + 2;
__attribute__((noinline)) static int a_named_function(int number)
{
    return number * 3;
}

static int by_address(const void *left, const void *right)
{
    const struct wi_place *a = left;
    const struct wi_place *b = right;
    return (a->address > b->address) - (a->address < b->address);
}

static void own_functions_have_name_file_and_line(void **state)
{
    (void)state;
    struct wi_symbols *symbols = NULL;
    struct wi_place places[] = {
        { .address = (uintptr_t)a_named_function },
        { .address = (uintptr_t)own_functions_have_name_file_and_line },
        { .address = (uintptr_t)wi_symbols_find },
    };
    qsort(places, 3, sizeof(places[0]), by_address);
    assert_int_equal(wi_symbols_find(&symbols, places, 3), 0);
    int found = 0;
    for (int i = 0; i < 3; i++) {
        const struct wi_place *place = &places[i];
        assert_non_null(place->function);
        assert_int_equal(place->offset, 0);
        assert_non_null(place->file);
        assert_true(place->line > 0);
        if (strcmp(place->function, "a_named_function") == 0) {
            found++;
            assert_non_null(strstr(place->file, "symbols_test.c"));
            assert_in_range(place->line, line_of_named - 1, line_of_named + 3);
        }
        if (strcmp(place->function, "wi_symbols_find") == 0) {
            found++;
            assert_non_null(strstr(place->file, "symbols.c"));
        }
    }
    assert_int_equal(found, 2);
    assert_int_equal(a_named_function(2), 6);
    wi_symbols_forget(symbols);
}

/* qsort() is in the C library, whose file has no line tables but names what it exports.  (In a
 * static program it is one of ours.) */
static void functions_of_libraries_have_a_name(void **state)
{
    (void)state;
    struct wi_symbols *symbols = NULL;
    struct wi_place place = { .address = (uintptr_t)qsort };
    assert_int_equal(wi_symbols_find(&symbols, &place, 1), 0);
    assert_non_null(place.module);
    wi_symbols_forget(symbols);
}

static void what_lies_nowhere_stays_unknown(void **state)
{
    (void)state;
    static int data;
    struct wi_symbols *symbols = NULL;
    struct wi_place places[] = { { .address = 16, .line = 7 }, { .address = (uintptr_t)&data } };
    assert_int_equal(wi_symbols_find(&symbols, places, 2), 0);
    assert_null(places[0].module);
    assert_null(places[0].function);
    assert_int_equal(places[0].line, 0);
    assert_non_null(places[1].module);
    assert_null(places[1].function);
    assert_null(places[1].file);
    wi_symbols_forget(symbols);
    assert_int_equal(wi_symbols_find(&symbols, places, 0), 0);
    wi_symbols_forget(symbols);
    wi_symbols_forget(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_functions_have_name_file_and_line),
        cmocka_unit_test(functions_of_libraries_have_a_name),
        cmocka_unit_test(what_lies_nowhere_stays_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
