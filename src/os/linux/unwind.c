/* SPDX-License-Identifier: MIT */
/* Frames by the unwinder that comes with the compiler (libgcc, or LLVM's): the Itanium C++ ABI,
 * level I. */
#define _GNU_SOURCE 1
#include "os/unwind.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unwind.h>

#ifndef __GLIBC__
/* Debian's musl-gcc links glibc's build of libgcc, which asks a function of glibc's for the table
 * of the file that an address lies in.  On other systems nobody calls this one.  Layout and name:
 * dlfcn.h of glibc 2.35. */
struct found_object {
    unsigned long long flags;
    void *map_start, *map_end;
    struct link_map *link_map;
    void *eh_frame;
};

struct search {
    uintptr_t address;
    struct found_object *out;
};

static int look_in(struct dl_phdr_info *info, size_t info_bytes, void *arg)
{
    (void)info_bytes;
    const struct search *search = arg;
    bool inside = false;
    void *eh_frame = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME)
            eh_frame = (void *)start;
        if (header->p_type == PT_LOAD && search->address - start < header->p_memsz) {
            inside = true;
            search->out->map_start = (void *)start;
            search->out->map_end = (void *)(start + header->p_memsz);
        }
    }
    search->out->eh_frame = eh_frame;
    return inside && eh_frame != NULL;
}

int _dl_find_object(void *address, struct found_object *out);
__attribute__((weak, visibility("hidden"))) int _dl_find_object(void *address,
                                                                struct found_object *out)
{
    struct search search = { (uintptr_t)address, out };
    *out = (struct found_object){ .flags = 0 };
    return dl_iterate_phdr(look_in, &search) != 0 ? 0 : -1;
}
#endif

struct walk {
    uintptr_t start_after; /* the function whose frame was not passed yet; 0: it was */
    void **pcs;
    int count;
    int max;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    const uintptr_t pc = _Unwind_GetIP(context);
    if (pc == 0)
        return _URC_END_OF_STACK;
    if (walk->start_after != 0) {
        if (_Unwind_GetRegionStart(context) == walk->start_after)
            walk->start_after = 0;
        return _URC_NO_REASON;
    }
    if (walk->count == walk->max)
        return _URC_END_OF_STACK;
    walk->pcs[walk->count++] = (void *)pc;
    return _URC_NO_REASON;
}

__attribute__((noinline)) int wi_unwind_beyond(void (*function)(void), void **pcs, int pcs_max)
{
    struct walk walk = { .pcs = pcs, .max = pcs_max };
    void (*const self)(void) = (void (*)(void))(uintptr_t)wi_unwind_beyond;
    /* Where no information is found even for this function (a static program that was linked
     * without --eh-frame-hdr) the unwinder would abort. */
    if (_Unwind_FindEnclosingFunction((char *)(uintptr_t)self + 1) == NULL)
        return 0;
    walk.start_after = (uintptr_t)(function != NULL ? function : self);
    (void)_Unwind_Backtrace(on_frame, &walk);
    return walk.count;
}
