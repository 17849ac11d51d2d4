/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_SYMBOLS_H
#define WI_OS_SYMBOLS_H

/* Contract: what code addresses are called: function, file and line, as far as the program and its
 * libraries carry symbols and line tables.  Reads the files that the process was loaded from. */

#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

struct wi_place {
    uintptr_t address; /* in: of an instruction, not of what follows it */
    /* out; texts live until wi_symbols_forget() */
    const char *module;   /* the file's path; NULL: in none */
    uintptr_t in_module;  /* the address as that file counts */
    const char *function; /* NULL: not known */
    uintptr_t offset;     /* into the function */
    const char *folder;   /* of `file`, "" if that is whole */
    const char *file;     /* NULL: not known */
    int line;
};

/* What keeps the texts. */
struct wi_symbols;

/* Fills in the places, which must be sorted by address.  0, or WEIR_ENOMEM with nothing filled in.
 * What cannot be read stays unknown.
 * Callers: any thread; reads files. */
WEIR_CHECK int wi_symbols_find(struct wi_symbols **out, struct wi_place *places, size_t count);
void wi_symbols_forget(struct wi_symbols *symbols);

#endif
