/* SPDX-License-Identifier: MIT */
/* Reading files.  See text.h.
 *
 * Threads: any. */

#include "drive/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)65536)

/* Makes room for one more piece and the NUL. */
static int grow(struct text *text, size_t *cap)
{
    if (*cap - text->len > PIECE_BYTES)
        return 0;
    const size_t wanted = *cap == 0 ? 2 * PIECE_BYTES : *cap * 2;
    char *bytes = realloc(text->bytes, wanted);
    if (bytes == NULL)
        return WEIR_ENOMEM;
    text->bytes = bytes;
    *cap = wanted;
    return 0;
}

static int read_all(struct text *text, FILE *file, size_t bytes_max)
{
    size_t cap = 0;
    for (;;) {
        const int rc = grow(text, &cap);
        if (rc < 0)
            return rc;
        const size_t got = fread(text->bytes + text->len, 1, PIECE_BYTES, file);
        text->len += got;
        text->bytes[text->len] = '\0';
        if (text->len > bytes_max)
            return WEIR_EOVERFLOW;
        if (got == 0)
            return ferror(file) ? WEIR_EIO : 0;
    }
}

int text_read(struct text *text, const char *path, size_t bytes_max)
{
    *text = (struct text){ 0 };
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return WEIR_EIO;
    const int rc = read_all(text, file, bytes_max);
    (void)fclose(file);
    if (rc < 0)
        text_free(text);
    return rc;
}

void text_free(struct text *text)
{
    free(text->bytes);
    text->bytes = NULL;
}

const char *text_why(int rc)
{
    switch (rc) {
    case WEIR_EIO:
        return "it is not there, no file, or not readable";
    case WEIR_EOVERFLOW:
        return "it is too large";
    default:
        return weir_err_text(rc);
    }
}

bool text_has_nul(const struct text *text)
{
    return memchr(text->bytes, '\0', text->len) != NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

char *text_line(struct text *text)
{
    while (text->at < text->len) {
        char *line = text->bytes + text->at;
        char *end = memchr(line, '\n', text->len - text->at);
        if (end == NULL)
            end = text->bytes + text->len;
        text->at = (size_t)(end - text->bytes) + 1;
        text->number++;
        while (end > line && is_space(end[-1]))
            end--;
        *end = '\0';
        while (is_space(*line))
            line++;
        if (*line != '\0' && *line != '#')
            return line;
    }
    return NULL;
}
