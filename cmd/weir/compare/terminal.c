/* SPDX-License-Identifier: MIT */
/* Texts on a terminal; see terminal.h.
 *
 * Threads: one. */

#include "compare/terminal.h"

#include <stdbool.h>
#include <string.h>

#include "compare/document.h"

int characters(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* Puts one character of UTF-8 and returns where the next begins. */
static const char *put_character(FILE *out, const char *at)
{
    const unsigned char first = (unsigned char)*at;
    const unsigned char second = (unsigned char)at[1];
    /* Below a space and 0x7F: controls of ASCII.  C2 80 to C2 9F: those of Unicode. */
    const bool control = first < ' ' || first == 0x7F || (first == 0xC2 && second < 0xA0);
    fputc(control ? '?' : *at, out);
    for (at++; ((unsigned char)*at & 0xC0) == 0x80; at++) {
        if (!control)
            fputc(*at, out);
    }
    return at;
}

static void put_spaces(FILE *out, int count)
{
    for (int i = 0; i < count; i++)
        fputc(' ', out);
}

void put_left(FILE *out, const char *text, int width)
{
    const bool cut = characters(text) > width;
    int used = 0;
    while (*text != '\0' && used < (cut ? width - 2 : width)) {
        text = put_character(out, text);
        used++;
    }
    if (cut)
        fputs("..", out);
    put_spaces(out, width - used - (cut ? 2 : 0));
}

void put_right(FILE *out, const char *text, int width)
{
    put_spaces(out, width - characters(text));
    while (*text != '\0')
        text = put_character(out, text);
}

void put_paragraph(FILE *out, const char *text, int indent, int rest, int columns)
{
    int used = 0;
    text += strspn(text, " ");
    while (*text != '\0') {
        const size_t bytes = strcspn(text, " ");
        int width = 0;
        for (size_t i = 0; i < bytes; i++)
            width += ((unsigned char)text[i] & 0xC0) != 0x80;
        if (used > 0 && used + 1 + width > columns) {
            fputc('\n', out);
            used = 0;
            indent = rest;
        }
        put_spaces(out, used == 0 ? indent : 1);
        used += (used == 0 ? indent : 1) + width;
        const char *const end = text + bytes;
        while (text < end)
            text = put_character(out, text);
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

void put_note(FILE *out, int columns, const char *name, const char *word, const char *text)
{
    struct words words = { 0 };
    words_say(&words, "%s%s%s%s", name, word, text[0] != '\0' ? ": " : "", text);
    if (!words.failed)
        put_paragraph(out, words.text, 2, 4, columns);
    words_fini(&words);
}
