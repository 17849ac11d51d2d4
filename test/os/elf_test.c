/* SPDX-License-Identifier: MIT */
/* Sections and symbols are found in whole files, and nothing is read beyond broken ones. */
#include "os/linux/elf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elf.h>
#include <link.h>

#include <cmocka.h>

#include "elf_image.h"
#include "support/run.h"

static const ElfW(Sym) symbols[] = {
    { .st_name = 0 },
    { .st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x100, .st_size = 0x20 },
    { .st_name = 7, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x110, .st_size = 4 },
    { .st_name = 13, .st_info = STT_OBJECT, .st_shndx = 1, .st_value = 0x118, .st_size = 4 },
    { .st_name = 20, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x200 },
    { .st_name = 999, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x300, .st_size = 4 },
};
static const char texts[] = "\0outer\0inner\0object\0sizeless";

static void make(struct image *image, const char *table, const char *strings)
{
    image_begin(image);
    image_add(image, ".empty", SHT_NOBITS, 0, NULL, 0);
    image_add(image, table, SHT_SYMTAB, 0, symbols, sizeof(symbols));
    image_add(image, strings, SHT_STRTAB, 0, texts, sizeof(texts));
    image_add(image, ".packed", SHT_PROGBITS, SHF_COMPRESSED, texts, sizeof(texts));
    image_end(image);
}

static void check_functions(const char *table, const char *strings)
{
    static struct image image;
    struct wi_elf elf;
    make(&image, table, strings);
    assert_true(wi_elf_open(&elf, image.bytes, image.size));
    struct wi_place places[] = { { .in_module = 0xff },  { .in_module = 0x100 },
                                 { .in_module = 0x111 }, { .in_module = 0x118 },
                                 { .in_module = 0x120 }, { .in_module = 0x200 },
                                 { .in_module = 0x201 }, { .in_module = 0x301 } };
    wi_elf_functions(&elf, places, 8);
    assert_null(places[0].function);
    assert_string_equal(places[1].function, "outer");
    assert_string_equal(places[2].function, "inner"); /* the nearest of two */
    assert_int_equal(places[2].offset, 1);
    assert_string_equal(places[3].function, "outer"); /* an object is no function */
    assert_int_equal(places[3].offset, 0x18);
    assert_null(places[4].function);
    assert_string_equal(places[5].function, "sizeless");
    assert_null(places[6].function);
    assert_null(places[7].function); /* its name lies outside the texts */
}

static void functions_are_found_by_address(void **state)
{
    (void)state;
    check_functions(".symtab", ".strtab");
}

static void a_stripped_file_still_names_what_it_exports(void **state)
{
    (void)state;
    check_functions(".dynsym", ".dynstr");
}

static void sections_are_found_by_name(void **state)
{
    (void)state;
    static struct image image;
    struct wi_elf elf;
    make(&image, ".symtab", ".strtab");
    assert_true(wi_elf_open(&elf, image.bytes, image.size));
    assert_int_equal(wi_elf_section(&elf, ".strtab").size, sizeof(texts));
    assert_memory_equal(wi_elf_section(&elf, ".strtab").bytes, texts, sizeof(texts));
    assert_null(wi_elf_section(&elf, ".str").bytes);
    assert_null(wi_elf_section(&elf, ".empty").bytes);
    assert_null(wi_elf_section(&elf, ".packed").bytes);
}

static void no_other_file_is_opened(void **state)
{
    (void)state;
    static struct image image;
    struct wi_elf elf;
    make(&image, ".symtab", ".strtab");
    assert_false(wi_elf_open(&elf, "", 0));
    assert_false(wi_elf_open(&elf, image.bytes, image.size - 1)); /* headers are the last part */
    image.bytes[0] = 'x';
    assert_false(wi_elf_open(&elf, image.bytes, image.size));
}

/* Under AddressSanitizer a read beyond the bytes, which end with their allocation, is told. */
static void broken_files_are_read_within_their_bounds(void **state)
{
    (void)state;
    static struct image image;
    uint64_t seed = test_seed();
    make(&image, ".symtab", ".strtab");
    for (int round = 0; round < 20000; round++) {
        uint8_t *bytes = malloc(image.size);
        assert_non_null(bytes);
        memcpy(bytes, image.bytes, image.size);
        for (int i = draw_below(&seed, 8); i >= 0; i--)
            bytes[draw_below(&seed, (int)image.size)] = (uint8_t)draw(&seed);
        struct wi_elf elf;
        struct wi_place place = { .in_module = 0x111 };
        if (wi_elf_open(&elf, bytes, image.size)) {
            wi_elf_functions(&elf, &place, 1);
            if (place.function != NULL)
                assert_true(strlen(place.function) < image.size);
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_found_by_address),
        cmocka_unit_test(a_stripped_file_still_names_what_it_exports),
        cmocka_unit_test(sections_are_found_by_name),
        cmocka_unit_test(no_other_file_is_opened),
        cmocka_unit_test(broken_files_are_read_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
