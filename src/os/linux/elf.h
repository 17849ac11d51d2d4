/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_LINUX_ELF_H
#define WI_OS_LINUX_ELF_H

/* Sections and function symbols of an ELF file of this machine's kind, given as bytes.
 *
 * Pure, and safe whatever the bytes are: what does not fit the file's size is not there. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/symbols.h"

struct wi_elf {
    const uint8_t *bytes;
    size_t size;
    size_t sections_at; /* of the section headers */
    size_t section_count;
    size_t names_at; /* of the sections' names */
    size_t names_size;
};

struct wi_elf_part {
    const uint8_t *bytes; /* NULL: there is none */
    size_t size;
};

/* False if it is no such file. */
bool wi_elf_open(struct wi_elf *elf, const void *bytes, size_t size);

/* A section by name, as it lies in the file; none if it is compressed. */
struct wi_elf_part wi_elf_section(const struct wi_elf *elf, const char *name);

/* Fills in function and offset of the places, which are sorted by in_module and lie in this file;
 * texts point into the bytes. */
void wi_elf_functions(const struct wi_elf *elf, struct wi_place *places, size_t count);

/* The first of the sorted places with in_module >= address; count if none. */
size_t wi_places_from(const struct wi_place *places, size_t count, uint64_t address);

#endif
