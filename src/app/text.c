/* SPDX-License-Identifier: MIT */
/* Bounded text.  See text.h. */
#include "app/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

void wi_text_init(struct wi_text *text, char *data, size_t cap)
{
    wi_bug_unless(cap >= 1);
    *text = (struct wi_text){ .data = data, .cap = cap };
    data[0] = '\0';
}

void wi_text_add(struct wi_text *text, const char *format, ...)
{
    const size_t room = text->cap - text->bytes;
    va_list values;
    va_start(values, format);
    const int wanted = vsnprintf(text->data + text->bytes, room, format, values);
    va_end(values);
    if (wanted < 0 || (size_t)wanted >= room) {
        text->data[text->bytes] = '\0';
        text->cut = true;
        return;
    }
    text->bytes += (size_t)wanted;
}
