/* SPDX-License-Identifier: MIT */
/* Line tables of every version that compilers write are read, and broken ones within their
 * bounds. */
#include "os/linux/lines.h"

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

struct bytes {
    uint8_t data[1024];
    size_t size;
};

static void add(struct bytes *bytes, const void *data, size_t size)
{
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void add_number(struct bytes *bytes, uint64_t number, int size)
{
    for (int i = 0; i < size; i++)
        bytes->data[bytes->size++] = (uint8_t)(number >> (8 * i));
}

static void add_text(struct bytes *bytes, const char *text)
{
    add(bytes, text, strlen(text) + 1);
}

/* Folders "where" (the compiler's own), "sub"; files a.c in the first, b.h in the second. */
static void add_tables(struct bytes *bytes, int version, bool wide)
{
    if (version < 5) {
        add_text(bytes, "sub");
        add_number(bytes, 0, 1);
        add_text(bytes, "a.c");
        add(bytes, "\0\0\0", 3);
        add_text(bytes, "b.h");
        add(bytes, "\1\0\0", 3);
        add_number(bytes, 0, 1);
        return;
    }
    add(bytes, "\1\1\x1f", 3); /* one column: a path, in .debug_line_str */
    add_number(bytes, 2, 1);
    add_number(bytes, 0, wide ? 8 : 4);    /* "where" */
    add_number(bytes, 6, wide ? 8 : 4);    /* "sub" */
    add(bytes, "\3\1\x08\2\x0b\5\x1e", 7); /* a path here, a folder, a checksum */
    add_number(bytes, 3, 1);
    for (int i = 0; i < 3; i++) {
        add_text(bytes, i < 2 ? "a.c" : "b.h");
        add_number(bytes, i < 2 ? 0 : 1, 1);
        add(bytes, "0123456789abcdef", 16);
    }
}

/* 0x1000: a.c:11; 0x1004: a.c:12; 0x1008: b.h:5; ends at 0x1010; then a dropped function at 0. */
static void add_program(struct bytes *bytes)
{
    add(bytes, "\0\x09\2", 3);
    add_number(bytes, 0x1000, 8);
    add(bytes, "\3\x0a\1", 3);                 /* line + 10, row */
    add_number(bytes, 13 + 5 + 1 + 4 * 14, 1); /* special: address + 4, line + 1 */
    add(bytes, "\4\2\2\4\3\x79\1", 7);         /* file 2, address + 4, line - 7, row */
    add(bytes, "\2\x08\0\1\1", 5);             /* address + 8, end */
    add(bytes, "\0\x09\2", 3);
    add_number(bytes, 0, 8);
    add(bytes, "\1\2\x7f\0\1\1", 6);
}

static void make_lines(struct bytes *out, int version, bool wide)
{
    struct bytes tables = { .size = 0 };
    struct bytes body = { .size = 0 };
    add_number(&tables, 1, 1); /* bytes of the least instruction */
    if (version >= 4)
        add_number(&tables, 1, 1);
    add(&tables, "\1\xfb\x0e\x0d\0\1\1\1\1\0\0\0\1\0\0\1", 16); /* base -5, range 14, opcodes 13 */
    add_tables(&tables, version, wide);
    add_number(&body, (uint64_t)version, 2);
    if (version >= 5)
        add_number(&body, 8, 2);
    add_number(&body, tables.size, wide ? 8 : 4);
    add(&body, tables.data, tables.size);
    add_program(&body);
    if (wide)
        add_number(out, 0xffffffff, 4);
    add_number(out, body.size, wide ? 8 : 4);
    add(out, body.data, body.size);
}

static void make(struct image *image, int version, bool wide)
{
    struct bytes lines = { .size = 0 };
    /* A unit of a version that nobody knows comes first, and is passed over. */
    add_number(&lines, 6, 4);
    add_number(&lines, 99, 2);
    add_number(&lines, 0, 4);
    make_lines(&lines, version, wide);
    image_begin(image);
    image_add(image, ".debug_line", SHT_PROGBITS, 0, lines.data, lines.size);
    image_add(image, ".debug_line_str", SHT_PROGBITS, 0, "where\0sub", 10);
    image_end(image);
}

static void check_place(const struct wi_place *place, const char *folder, const char *file,
                        int line)
{
    assert_non_null(place->file);
    assert_string_equal(place->folder, folder);
    assert_string_equal(place->file, file);
    assert_int_equal(place->line, line);
}

static void check_version(int version, bool wide)
{
    static struct image image;
    struct wi_elf elf;
    make(&image, version, wide);
    assert_true(wi_elf_open(&elf, image.bytes, image.size));
    struct wi_place places[] = { { .in_module = 0 },      { .in_module = 1 },
                                 { .in_module = 0xfff },  { .in_module = 0x1000 },
                                 { .in_module = 0x1003 }, { .in_module = 0x1004 },
                                 { .in_module = 0x1008 }, { .in_module = 0x100f },
                                 { .in_module = 0x1010 } };
    wi_lines_find(&elf, places, 9);
    for (int i = 0; i < 3; i++)
        assert_null(places[i].file);
    check_place(&places[3], "", "a.c", 11);
    check_place(&places[4], "", "a.c", 11);
    check_place(&places[5], "", "a.c", 12);
    check_place(&places[6], "sub", "b.h", 5);
    check_place(&places[7], "sub", "b.h", 5);
    assert_null(places[8].file);
}

static void every_version_is_read(void **state)
{
    (void)state;
    for (int version = 2; version <= 5; version++) {
        check_version(version, false);
        check_version(version, true);
    }
}

/* Under AddressSanitizer a read beyond the bytes, which end with their allocation, is told. */
static void broken_tables_are_read_within_their_bounds(void **state)
{
    (void)state;
    static struct image image;
    uint64_t seed = test_seed();
    for (int round = 0; round < 20000; round++) {
        make(&image, 2 + draw_below(&seed, 4), draw_below(&seed, 2) == 1);
        uint8_t *bytes = malloc(image.size);
        assert_non_null(bytes);
        memcpy(bytes, image.bytes, image.size);
        for (int i = draw_below(&seed, 6); i >= 0; i--)
            bytes[64 + draw_below(&seed, (int)image.size - 64)] = (uint8_t)draw(&seed);
        struct wi_elf elf;
        struct wi_place places[] = { { .in_module = 0x1003 }, { .in_module = 0x1009 } };
        if (wi_elf_open(&elf, bytes, image.size)) {
            wi_lines_find(&elf, places, 2);
            if (places[0].file != NULL)
                assert_true(strlen(places[0].file) + strlen(places[0].folder) < 2 * image.size);
        }
        free(bytes);
    }
}

/* What the compiler really writes: the table of this program. */
static void the_table_of_a_real_program_is_read(void **state)
{
    (void)state;
    size_t size = 0;
    uint8_t *bytes = image_of_self(&size);
    struct wi_elf elf;
    assert_true(wi_elf_open(&elf, bytes, size));
    const struct wi_elf_part lines = wi_elf_section(&elf, ".debug_line");
    if (lines.bytes == NULL) {
        free(bytes);
        puts("SKIP: the tests are built without line tables");
        skip();
    }
    ElfW(Ehdr) header;
    memcpy(&header, bytes, sizeof(header));
    struct wi_place places[4096];
    memset(places, 0, sizeof(places));
    for (size_t i = 0; i < 4096; i++)
        places[i].in_module = header.e_entry + 4 * i;
    wi_lines_find(&elf, places, 4096);
    int found = 0;
    for (size_t i = 0; i < 4096; i++)
        found += places[i].file != NULL && strchr(places[i].file, '.') != NULL;
    assert_true(found > 100);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_is_read),
        cmocka_unit_test(broken_tables_are_read_within_their_bounds),
        cmocka_unit_test(the_table_of_a_real_program_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
