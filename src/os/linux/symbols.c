/* SPDX-License-Identifier: MIT */
/* Names of addresses: which loaded file each lies in (dl_iterate_phdr), then what that file says.
 * A file is mapped whole, read-only, once for all its places. */
#define _GNU_SOURCE 1
#include "os/symbols.h"

#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/linux/elf.h"
#include "os/linux/lines.h"

enum {
    MODULES_MAX = 256
};

static const char own_path[] = "/proc/self/exe";

struct module {
    char *path;
    uintptr_t low, high; /* of what is mapped from it */
    uintptr_t bias;
    void *bytes; /* NULL: not mapped */
    size_t size;
};

struct wi_symbols {
    int count;
    struct module modules[MODULES_MAX];
};

static int on_module(struct dl_phdr_info *info, size_t info_bytes, void *arg)
{
    (void)info_bytes;
    struct wi_symbols *symbols = arg;
    struct module module = { .low = UINTPTR_MAX, .bias = info->dlpi_addr };
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD)
            continue;
        const uintptr_t low = info->dlpi_addr + header->p_vaddr;
        if (low < module.low)
            module.low = low;
        if (low + header->p_memsz > module.high)
            module.high = low + header->p_memsz;
    }
    if (module.high == 0 || symbols->count == MODULES_MAX)
        return symbols->count == MODULES_MAX;
    module.path = wi_strdup(info->dlpi_name != NULL && info->dlpi_name[0] != '\0' ? info->dlpi_name
                                                                                  : own_path);
    if (module.path != NULL)
        symbols->modules[symbols->count++] = module;
    return 0;
}

/* What cannot be mapped (the kernel's own module, a file that was removed) has no names. */
static bool map_module(struct module *module)
{
    const int fd = open(module->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct stat about;
    void *bytes = MAP_FAILED;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
        module->size = (size_t)about.st_size;
        bytes = mmap(NULL, module->size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    (void)close(fd);
    if (bytes == MAP_FAILED)
        return false;
    module->bytes = bytes;
    return true;
}

static void find_in(struct module *module, struct wi_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        places[i].module = module->path;
        places[i].in_module = places[i].address - module->bias;
    }
    struct wi_elf elf;
    if (count == 0 || !map_module(module) || !wi_elf_open(&elf, module->bytes, module->size))
        return;
    wi_elf_functions(&elf, places, count);
    wi_lines_find(&elf, places, count);
}

int wi_symbols_find(struct wi_symbols **out, struct wi_place *places, size_t count)
{
    struct wi_symbols *symbols = wi_alloc_zeroed(1, sizeof(*symbols));
    if (symbols == NULL)
        return WEIR_ENOMEM;
    (void)dl_iterate_phdr(on_module, symbols);
    for (size_t i = 0; i < count; i++)
        places[i] = (struct wi_place){ .address = places[i].address };
    for (int k = 0; k < symbols->count; k++) {
        struct module *module = &symbols->modules[k];
        size_t first = 0;
        while (first < count && places[first].address < module->low)
            first++;
        size_t last = first;
        while (last < count && places[last].address < module->high)
            last++;
        find_in(module, places + first, last - first);
    }
    *out = symbols;
    return 0;
}

void wi_symbols_forget(struct wi_symbols *symbols)
{
    if (symbols == NULL)
        return;
    for (int k = 0; k < symbols->count; k++) {
        struct module *module = &symbols->modules[k];
        if (module->bytes != NULL)
            (void)munmap(module->bytes, module->size);
        wi_free(module->path);
    }
    wi_free(symbols);
}
