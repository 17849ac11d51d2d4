/* SPDX-License-Identifier: MIT */
#ifndef TEST_OS_ELF_IMAGE_H
#define TEST_OS_ELF_IMAGE_H

/* Makes small ELF files in memory, section by section. */

#include <stddef.h>
#include <stdint.h>

enum {
    IMAGE_BYTES = 8192,
    IMAGE_SECTIONS_MAX = 8
};

struct image {
    uint8_t bytes[IMAGE_BYTES];
    size_t size;
    int count;
    struct {
        const char *name;
        uint32_t type;
        uint64_t flags;
        size_t at, size;
    } sections[IMAGE_SECTIONS_MAX];
};

void image_begin(struct image *image);
void image_add(struct image *image, const char *name, uint32_t type, uint64_t flags,
               const void *bytes, size_t size);
/* Writes names and headers; nothing can be added after it. */
void image_end(struct image *image);

/* The program's own file; *size bytes, to be freed. */
uint8_t *image_of_self(size_t *size);

#endif
