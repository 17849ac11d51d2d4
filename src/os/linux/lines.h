/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_LINUX_LINES_H
#define WI_OS_LINUX_LINES_H

/* The line table of a program: which source line an instruction comes from.
 *
 * Reads DWARF versions 2 to 5 as compilers write it (.debug_line, .debug_line_str, .debug_str).
 * Pure, and safe whatever the bytes are: a unit that makes no sense is passed over. */

#include "os/linux/elf.h"

/* Fills in folder, file and line of the places, which are sorted by in_module and lie in this file;
 * texts point into the bytes. */
void wi_lines_find(const struct wi_elf *elf, struct wi_place *places, size_t count);

#endif
