/* SPDX-License-Identifier: MIT */
/* ELF files as bytes.  See elf.h.  Source: System V ABI, gABI chapters 4 and 5. */
#define _GNU_SOURCE 1
#include "os/linux/elf.h"

#include <elf.h>
#include <link.h>
#include <string.h>

typedef ElfW(Ehdr) file_header;
typedef ElfW(Shdr) section_header;
typedef ElfW(Sym) symbol;

enum {
    CLASS_OURS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32
};

static bool inside(const struct wi_elf *elf, uint64_t at, uint64_t bytes)
{
    return at <= elf->size && bytes <= elf->size - at;
}

/* Headers need not lie aligned in the file, so they are copied. */
static bool read_section(const struct wi_elf *elf, size_t index, section_header *out)
{
    if (index >= elf->section_count)
        return false;
    memcpy(out, elf->bytes + elf->sections_at + index * sizeof(*out), sizeof(*out));
    return true;
}

static struct wi_elf_part part_of(const struct wi_elf *elf, const section_header *section)
{
    struct wi_elf_part part = { NULL, 0 };
    if (section->sh_type == SHT_NOBITS || (section->sh_flags & SHF_COMPRESSED) != 0 ||
        !inside(elf, section->sh_offset, section->sh_size))
        return part;
    part.bytes = elf->bytes + section->sh_offset;
    part.size = section->sh_size;
    return part;
}

bool wi_elf_open(struct wi_elf *elf, const void *bytes, size_t size)
{
    *elf = (struct wi_elf){ .bytes = bytes, .size = size };
    file_header header;
    if (size < sizeof(header))
        return false;
    memcpy(&header, bytes, sizeof(header));
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != CLASS_OURS ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_shentsize != sizeof(section_header))
        return false;
    if (!inside(elf, header.e_shoff, (uint64_t)header.e_shnum * sizeof(section_header)))
        return false;
    elf->sections_at = header.e_shoff;
    elf->section_count = header.e_shnum;
    section_header names;
    if (read_section(elf, header.e_shstrndx, &names)) {
        const struct wi_elf_part part = part_of(elf, &names);
        elf->names_at = part.bytes != NULL ? (size_t)(part.bytes - elf->bytes) : 0;
        elf->names_size = part.size;
    }
    return true;
}

/* A text of a table that ends within it; "" if there is none. */
static const char *text_at(const uint8_t *table, size_t size, uint64_t at)
{
    if (at >= size || memchr(table + at, '\0', size - at) == NULL)
        return "";
    return (const char *)table + at;
}

struct wi_elf_part wi_elf_section(const struct wi_elf *elf, const char *name)
{
    section_header section;
    for (size_t i = 0; read_section(elf, i, &section); i++) {
        const char *text = text_at(elf->bytes + elf->names_at, elf->names_size, section.sh_name);
        if (strcmp(text, name) == 0)
            return part_of(elf, &section);
    }
    return (struct wi_elf_part){ NULL, 0 };
}

size_t wi_places_from(const struct wi_place *places, size_t count, uint64_t address)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (places[middle].in_module < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of symbols that overlap the one that begins nearest wins, and of equal ones the first. */
static void take_symbol(const symbol *sym, const char *name, struct wi_place *places, size_t count)
{
    const uint64_t end = sym->st_value + (sym->st_size != 0 ? sym->st_size : 1);
    for (size_t i = wi_places_from(places, count, sym->st_value);
         i < count && places[i].in_module < end; i++) {
        struct wi_place *place = &places[i];
        const uintptr_t offset = place->in_module - sym->st_value;
        if (place->function != NULL && place->offset <= offset)
            continue;
        place->function = name;
        place->offset = offset;
    }
}

void wi_elf_functions(const struct wi_elf *elf, struct wi_place *places, size_t count)
{
    struct wi_elf_part symbols = wi_elf_section(elf, ".symtab");
    struct wi_elf_part texts = wi_elf_section(elf, ".strtab");
    if (symbols.bytes == NULL) { /* stripped: what is exported is still named */
        symbols = wi_elf_section(elf, ".dynsym");
        texts = wi_elf_section(elf, ".dynstr");
    }
    for (size_t at = 0; at + sizeof(symbol) <= symbols.size; at += sizeof(symbol)) {
        symbol sym;
        memcpy(&sym, symbols.bytes + at, sizeof(sym));
        const unsigned type = ELF64_ST_TYPE(sym.st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || sym.st_shndx == SHN_UNDEF)
            continue;
        const char *name = text_at(texts.bytes, texts.size, sym.st_name);
        if (name[0] != '\0')
            take_symbol(&sym, name, places, count);
    }
}
