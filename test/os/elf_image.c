/* SPDX-License-Identifier: MIT */
/* See elf_image.h. */
#include "elf_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elf.h>
#include <link.h>

#include <cmocka.h>

void image_begin(struct image *image)
{
    memset(image, 0, sizeof(*image));
    image->size = sizeof(ElfW(Ehdr));
    image->count = 1; /* section 0 is none */
}

static size_t put(struct image *image, const void *bytes, size_t size)
{
    const size_t at = image->size;
    assert_true(size <= IMAGE_BYTES - at);
    if (size > 0)
        memcpy(image->bytes + at, bytes, size);
    image->size += size;
    return at;
}

void image_add(struct image *image, const char *name, uint32_t type, uint64_t flags,
               const void *bytes, size_t size)
{
    assert_true(image->count < IMAGE_SECTIONS_MAX);
    image->sections[image->count].name = name;
    image->sections[image->count].type = type;
    image->sections[image->count].flags = flags;
    image->sections[image->count].at = put(image, bytes, size);
    image->sections[image->count].size = size;
    image->count++;
}

void image_end(struct image *image)
{
    char names[256] = "";
    size_t used = 1;
    uint32_t name_at[IMAGE_SECTIONS_MAX] = { 0 };
    image_add(image, ".shstrtab", SHT_STRTAB, 0, names, sizeof(names));
    for (int i = 1; i < image->count; i++) {
        name_at[i] = (uint32_t)used;
        const size_t bytes = strlen(image->sections[i].name) + 1;
        memcpy(names + used, image->sections[i].name, bytes);
        used += bytes;
    }
    memcpy(image->bytes + image->sections[image->count - 1].at, names, sizeof(names));

    ElfW(Ehdr) header = { .e_shoff = image->size,
                          .e_shentsize = sizeof(ElfW(Shdr)),
                          .e_shnum = (uint16_t)image->count,
                          .e_shstrndx = (uint16_t)(image->count - 1) };
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    for (int i = 0; i < image->count; i++) {
        const ElfW(Shdr) section = { .sh_name = name_at[i],
                                     .sh_type = image->sections[i].type,
                                     .sh_flags = image->sections[i].flags,
                                     .sh_offset = image->sections[i].at,
                                     .sh_size = image->sections[i].size };
        (void)put(image, &section, sizeof(section));
    }
    memcpy(image->bytes, &header, sizeof(header));
}

uint8_t *image_of_self(size_t *size)
{
    FILE *file = fopen("/proc/self/exe", "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}
