/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_TERMINAL_H
#define WEIR_TOOL_COMPARE_TERMINAL_H

/* Texts in columns and paragraphs.  They may come from anywhere: control characters, which a
 * terminal would obey, are printed as '?'.
 *
 * Threads: one. */

#include <stdio.h>

/* Characters, as far as a terminal counts them: continuation bytes of UTF-8 take no room. */
int characters(const char *text);

/* At most `width` characters, filled up with spaces; what is cut ends in "..". */
void put_left(FILE *out, const char *text, int width);

/* All of it, after so many spaces that it ends `width` characters on. */
void put_right(FILE *out, const char *text, int width);

/* A paragraph: words wrapped at `columns`, the first line indented by `indent`, further ones by
 * `rest`. */
void put_paragraph(FILE *out, const char *text, int indent, int rest, int columns);

/* One line of a list, wrapped: the name, a word about it, and what is to be said. */
void put_note(FILE *out, int columns, const char *name, const char *word, const char *text);

#endif
