/* SPDX-License-Identifier: MIT */
/* One HTML file that shows the whole document and needs nothing else.
 *
 * page.html is the page with everything but its content; where a line of it is <!--weir:NAME-->,
 * this file puts in
 *
 *   title    the title's words
 *   words    verdicts and advice as plain HTML, for readers whose browser runs no scripts
 *   report   the document, for the page's own script
 *   chart    Chart.js
 *
 * Whatever comes from the document may say anything ("</script>", quotes, markup).  As HTML it is
 * escaped character by character.  As JSON inside a script element it is pure ASCII, with < > and &
 * as \u escapes, so the parser of HTML finds no end and no comment in it; the page's script then
 * puts texts in as texts, never as markup.
 *
 * Threads: one. */

#include "compare/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "compare/document.h"

#define MARK_OPEN "<!--weir:"
#define MARK_CLOSE "-->"

/* Made from page.html and Chart.js when weir is built (cmake/embed.cmake). */
extern const unsigned char embedded_page[];
extern const size_t embedded_page_bytes;
extern const unsigned char embedded_chart[];
extern const size_t embedded_chart_bytes;

static void put_html(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void put_title(FILE *out, const json_t *report)
{
    fputs("<title>weir compare", out);
    const char *app = text_of(json_object_get(report, "app"), "command");
    if (app[0] != '\0') {
        fputs(": ", out);
        put_html(out, app);
    }
    fputs("</title>\n", out);
}

static void put_words(FILE *out, const json_t *report)
{
    fputs("<p>", out);
    put_html(out, text_of(report, "advice"));
    fputs("</p>\n<dl>\n", out);
    const json_t *workloads = list_of(report, "workloads");
    for (size_t i = 0; i < json_array_size(workloads); i++) {
        const json_t *workload = json_array_get(workloads, i);
        fputs("<dt>", out);
        put_html(out, text_of(workload, "name"));
        fputs(": ", out);
        put_html(out, text_of(workload, "what"));
        fputs("</dt><dd>", out);
        put_html(out, text_of(json_object_get(workload, "verdict"), "words"));
        fputs("</dd>\n", out);
    }
    fputs("</dl>\n<p>Made by: ", out);
    put_html(out, text_of(report, "command"));
    fputs("</p>\n", out);
}

static int put_json(const char *text, size_t bytes, void *file)
{
    FILE *out = file;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '<' || text[i] == '>' || text[i] == '&')
            fprintf(out, "\\u%04x", (unsigned)(unsigned char)text[i]);
        else
            fputc(text[i], out);
    }
    return ferror(out) ? -1 : 0;
}

/* 0 or WEIR_EIO: jansson fails only when put_json() does, or without memory. */
static int put_report(FILE *out, const json_t *report)
{
    fputs("<script type=\"application/json\" id=\"report\">", out);
    const int rc = json_dump_callback(report, put_json, out,
                                      JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
    fputs("</script>\n", out);
    return rc == 0 ? 0 : WEIR_EIO;
}

static void put_chart(FILE *out)
{
    fputs("<script>", out);
    fwrite(embedded_chart, 1, embedded_chart_bytes, out);
    fputs("</script>\n", out);
}

/* Fills the place of that name. */
static int put_content(FILE *out, const json_t *report, const char *name, size_t bytes)
{
    const struct {
        const char *name;
        void (*put)(FILE *out, const json_t *report);
    } contents[] = { { "title", put_title }, { "words", put_words } };
    for (size_t i = 0; i < wi_count_of(contents); i++) {
        if (strlen(contents[i].name) == bytes && memcmp(name, contents[i].name, bytes) == 0) {
            contents[i].put(out, report);
            return 0;
        }
    }
    if (bytes == strlen("chart") && memcmp(name, "chart", bytes) == 0) {
        put_chart(out);
        return 0;
    }
    wi_bug_unless(bytes == strlen("report") && memcmp(name, "report", bytes) == 0);
    return put_report(out, report);
}

/* The place of a text in the bytes from `at` on, or their end. */
static const char *find(const char *at, const char *end, const char *text)
{
    const size_t bytes = strlen(text);
    while ((size_t)(end - at) >= bytes) {
        if (memcmp(at, text, bytes) == 0)
            return at;
        at++;
    }
    return end;
}

int page_write(FILE *out, const json_t *report)
{
    const char *at = (const char *)embedded_page;
    const char *const end = at + embedded_page_bytes;
    int rc = 0;
    while (rc == 0) {
        const char *mark = find(at, end, MARK_OPEN);
        fwrite(at, 1, (size_t)(mark - at), out);
        if (mark == end)
            break;
        const char *name = mark + strlen(MARK_OPEN);
        const char *close = find(name, end, MARK_CLOSE);
        wi_bug_unless(close != end);
        rc = put_content(out, report, name, (size_t)(close - name));
        at = close + strlen(MARK_CLOSE);
    }
    /* What stands in the buffer has not been refused yet. */
    if (fflush(out) != 0 || ferror(out))
        return WEIR_EIO;
    return rc;
}
