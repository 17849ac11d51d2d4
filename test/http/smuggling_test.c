/* SPDX-License-Identifier: MIT */
/* Goal: every row of test/e2e/smuggling.tsv has the statuses and the fate that it names, however
 * its bytes are cut.  Method: a server made of the codec alone (parse, route, decode the body,
 * next) eats each row whole and byte by byte; a live server is sent the same rows elsewhere.
 * The table is looked for under $WEIR_SOURCE, else under the working directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/body.h"
#include "http/chars.h"
#include "http/request.h"
#include "http/route.h"
#include "http/status.h"

enum {
    BYTES_MAX = 65536,
    ANSWERS_MAX = 8,
    ROWS_MIN = 120
};

struct row {
    char name[128];
    char bytes[BYTES_MAX];
    size_t len;
    char statuses[64];
    char fate[16];
};

struct outcome {
    char answers[128]; /* in the table's notation */
    bool closed;
    bool stuck; /* waits for more bytes in the middle of a request */
};

static struct wi_http_limits limits;
static struct wi_http_route routes[4];
static struct wi_http_route_node nodes[8];
static struct wi_http_router router;

/* Decodes one escape or plain byte at *text and moves behind it. */
static char unescape(const char **text)
{
    const char c = *(*text)++;
    if (c != '\\')
        return c;
    const char kind = *(*text)++;
    switch (kind) {
    case 'r':
        return '\r';
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case '0':
        return '\0';
    case 'x': {
        const int value = wi_http_hex_value((*text)[0]) * 16 + wi_http_hex_value((*text)[1]);
        *text += 2;
        return (char)value;
    }
    default:
        assert_true(kind == '\\' || kind == '"');
        return kind;
    }
}

/* Expands the table's notation; returns the number of bytes. */
static size_t expand(const char *text, char *out)
{
    size_t len = 0;
    while (*text != '\0') {
        if (*text != '{') {
            out[len++] = unescape(&text);
            continue;
        }
        char *after = NULL;
        const unsigned long count = strtoul(text + 1, &after, 10);
        assert_int_equal(*after, '*');
        const char *unit = after + 1;
        for (unsigned long i = 0; i < count; i++) {
            text = unit;
            while (*text != '}') {
                assert_true(len < BYTES_MAX);
                out[len++] = unescape(&text);
            }
        }
        text++;
    }
    return len;
}

static void answer(struct outcome *out, const char *status)
{
    const size_t used = strlen(out->answers);
    snprintf(out->answers + used, sizeof out->answers - used, "%s%s", used > 0 ? "," : "", status);
}

static void answer_number(struct outcome *out, int status)
{
    char text[16];
    snprintf(text, sizeof text, "%d", status);
    answer(out, text);
}

static int status_of(const struct wi_http_request *q, const char *buf)
{
    struct wi_http_match found;
    if (q->target_form == WI_HTTP_TARGET_ASTERISK)
        return 204;
    return wi_http_router_match(&router, q->method, buf + q->path.offset, q->path.len, &found);
}

/* What of the bytes has been taken in: `visible` of them have arrived, `pos` are used up. */
struct source {
    const char *bytes;
    size_t len;
    size_t visible;
    size_t pos;
    size_t step;
};

/* Lets more bytes arrive; false when there are no more. */
static bool arrive(struct source *in)
{
    if (in->visible == in->len)
        return false;
    in->visible += in->step;
    if (in->visible > in->len)
        in->visible = in->len;
    return true;
}

static int head_read(struct source *in, struct wi_http_request *q)
{
    size_t scanned = 0;
    for (;;) {
        const size_t have = in->visible - in->pos;
        const int rc = wi_http_request_parse(in->bytes + in->pos, have, scanned, q, &limits);
        if (rc != 0)
            return rc;
        scanned = have;
        if (!arrive(in))
            return 0;
    }
}

/* DONE, a verdict, or MORE when the bytes ran out; *any tells whether data came before. */
static int body_read(struct source *in, const struct wi_http_request *q, bool *any)
{
    struct wi_http_body body;
    wi_http_body_init(&body, &q->head, &limits);
    *any = false;
    for (;;) {
        size_t used = 0;
        struct wi_http_piece piece;
        const int rc =
            wi_http_body_decode(&body, in->bytes + in->pos, in->visible - in->pos, &used, &piece);
        in->pos += used;
        *any |= rc == WI_HTTP_DECODE_DATA;
        if (rc == WI_HTTP_DECODE_MORE && !arrive(in))
            return rc;
        if (rc == WI_HTTP_DECODE_DONE || rc < 0)
            return rc;
    }
}

static void serve(const struct row *row, size_t step, struct outcome *out)
{
    struct source in = { .bytes = row->bytes, .len = row->len, .step = step };
    *out = (struct outcome){ 0 };
    arrive(&in);
    while (!out->closed && (in.pos < in.visible || arrive(&in))) {
        struct wi_http_request q;
        const int head = head_read(&in, &q);
        if (head == 0) {
            /* Blank bytes behind a body that are no request yet are nothing to wait for. */
            out->stuck = in.len - in.pos > 2;
            return;
        }
        if (head < 0) {
            answer_number(out, wi_http_verdict_status(head));
            out->closed = true;
            return;
        }
        const char *buf = in.bytes + in.pos;
        in.pos += (size_t)head;
        bool any = false;
        const int body = body_read(&in, &q, &any);
        if (body == WI_HTTP_DECODE_MORE) {
            out->stuck = true;
            return;
        }
        if (body < 0) {
            char text[16];
            snprintf(text, sizeof text, any ? "200|%d" : "%d", wi_http_verdict_status(body));
            answer(out, text);
        } else {
            answer_number(out, status_of(&q, buf));
        }
        out->closed = body < 0 || !q.head.keep_alive;
    }
}

/* Whether the answer is one of the row's alternatives, or the other way round. */
static bool same_answers(const char *want, const char *have)
{
    if (strcmp(want, have) == 0)
        return true;
    const char *bar = strchr(want, '|');
    return bar != NULL && strchr(have, '|') == NULL && strstr(want, have) != NULL;
}

static void copy_text(char *target, size_t target_bytes, const char *text)
{
    assert_true(strlen(text) < target_bytes);
    memcpy(target, text, strlen(text) + 1);
}

static bool row_read(FILE *file, struct row *row)
{
    static char line[BYTES_MAX];
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        line[strcspn(line, "\n")] = '\0';
        char *columns[4] = { line, NULL, NULL, NULL };
        for (int i = 1; i < 4; i++) {
            columns[i] = strchr(columns[i - 1], '\t');
            assert_non_null(columns[i]);
            *columns[i]++ = '\0';
        }
        copy_text(row->name, sizeof row->name, columns[0]);
        row->len = expand(columns[1], row->bytes);
        copy_text(row->statuses, sizeof row->statuses, columns[2]);
        copy_text(row->fate, sizeof row->fate, columns[3]);
        return true;
    }
    return false;
}

static FILE *table_open(void)
{
    const char *source = getenv("WEIR_SOURCE");
    char path[4096];
    snprintf(path, sizeof path, "%s/test/e2e/smuggling.tsv", source != NULL ? source : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot read %s", path);
    return file;
}

/* Runs the table with bytes arriving `step` at a time; returns the number of rows. */
static int run_table(size_t step)
{
    static struct row row;
    FILE *file = table_open();
    int rows = 0;
    int wrong = 0;
    while (row_read(file, &row)) {
        struct outcome out;
        serve(&row, step, &out);
        const char *fate = out.stuck ? "stuck" : (out.closed ? "close" : "keep");
        rows++;
        if (same_answers(row.statuses, out.answers) && strcmp(fate, row.fate) == 0)
            continue;
        wrong++;
        print_error("%s: want %s %s, have %s %s\n", row.name, row.statuses, row.fate, out.answers,
                    fate);
    }
    fclose(file);
    assert_int_equal(wrong, 0);
    return rows;
}

static int setup(void **state)
{
    (void)state;
    limits = (struct wi_http_limits){ 0 };
    wi_http_limits_fill(&limits);
    wi_http_router_init(&router, routes, 4, nodes, 8);
    assert_int_equal(wi_http_router_add(&router, "GET", "/hello/:name", NULL), 0);
    assert_int_equal(wi_http_router_add(&router, "POST", "/echo", NULL), 0);
    return 0;
}

static void every_row_holds_when_it_arrives_whole(void **state)
{
    (void)state;
    assert_true(run_table(BYTES_MAX) >= ROWS_MIN);
}

static void every_row_holds_when_it_arrives_byte_by_byte(void **state)
{
    (void)state;
    assert_true(run_table(1) >= ROWS_MIN);
}

static void every_row_holds_when_it_arrives_in_sevens(void **state)
{
    (void)state;
    assert_true(run_table(7) >= ROWS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_row_holds_when_it_arrives_whole, setup),
        cmocka_unit_test_setup(every_row_holds_when_it_arrives_byte_by_byte, setup),
        cmocka_unit_test_setup(every_row_holds_when_it_arrives_in_sevens, setup),
    };
    return cmocka_run_group_tests_name("http/smuggling", tests, NULL, NULL);
}
