/* SPDX-License-Identifier: MIT */
/* A byte-driven state machine; only chunk data is taken in one step.
 *
 * The lines of one chunk are short and bounded, so a byte at a time is fast enough, and it makes
 * every split of the input equal by construction: nothing is remembered but the state.
 *
 * The grammar, one state per place where a byte may stand:
 *   chunk-size *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted ) ] ) CRLF data CRLF
 *   "0" ... CRLF *( name ":" value CRLF ) CRLF
 *
 * Invariants: chunk_left > 0 only in DATA; body_bytes <= body_bytes_max < 2^63.
 * Bounds: sixteen size digits; extensions per line; extensions in total may outweigh the body by
 * OVERHEAD_SLACK only, so that a peer cannot make us parse much and carry little; trailers.
 * Source: RFC 9112 section 7.1.  Refused: white space between size and CRLF, an empty extension
 * name and a bare LF, each of which some parsers take and others do not. */
#include "http/chunked.h"

#include <string.h>

#include "base/check.h"
#include "http/chars.h"
#include "http/status.h"

enum {
    SIZE_DIGITS_MAX = 16,
    OVERHEAD_SLACK = 16384
};

enum state {
    SIZE_FIRST, /* the first digit of a size; must exist */
    SIZE,
    EXT_GAP,        /* white space after size, name or value: only ';' (or '=') may follow */
    EXT_NAME_FIRST, /* after ';' */
    EXT_NAME,
    EXT_NAME_GAP,    /* white space after a name */
    EXT_VALUE_FIRST, /* after '=' */
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED,   /* after '\' in a quoted string */
    EXT_QUOTE_END, /* after the closing quote */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST, /* at the start of a trailer line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
    FAILED,
};

static const char *const forbidden[8] = {
    "transfer-encoding", "content-length", "host",          "trailer", "te",
    "connection",        "expect",         "authorization",
};

void wi_http_chunked_init(struct wi_http_chunked *state, const struct wi_http_limits *limits)
{
    wi_bug_unless_cmp(limits->body_bytes_max, >, 0);
    *state = (struct wi_http_chunked){
        .body_bytes_max = limits->body_bytes_max,
        .extension_bytes_max = limits->chunk_extension_bytes_max,
        .trailer_bytes_max = limits->trailer_bytes_max,
        .state = SIZE_FIRST,
    };
}

/* One digit of a size: 0, or a verdict if the size is too long or beyond 2^63 - 1. */
static int size_digit(struct wi_http_chunked *s, int digit)
{
    if (s->line_bytes++ == SIZE_DIGITS_MAX)
        return WI_HTTP_BAD_CHUNK_SIZE;
    if (s->chunk_left > (uint64_t)INT64_MAX >> 4)
        return WI_HTTP_BAD_CHUNK_SIZE;
    s->chunk_left = s->chunk_left << 4 | (uint64_t)digit;
    return 0;
}

static int size_byte(struct wi_http_chunked *s, char c)
{
    const int digit = wi_http_hex_value(c);
    if (digit >= 0) {
        s->state = SIZE;
        return size_digit(s, digit);
    }
    if (s->state == SIZE_FIRST)
        return WI_HTTP_BAD_CHUNK_SIZE;
    s->line_bytes = 0;
    if (c == '\r')
        s->state = SIZE_LF;
    else if (c == ';')
        s->state = EXT_NAME_FIRST;
    else if (c == ' ' || c == '\t')
        s->state = EXT_GAP;
    else
        return c == '\n' ? WI_HTTP_BARE_LF : WI_HTTP_BAD_CHUNK_SIZE;
    return 0;
}

/* Where an extension's name or value ends at c, or -1 if it may not end there. */
static int extension_end(char c)
{
    switch (c) {
    case '\r':
        return SIZE_LF;
    case ';':
        return EXT_NAME_FIRST;
    case ' ':
    case '\t':
        return EXT_GAP;
    default:
        return -1;
    }
}

/* The state after c in an extension, or -1. */
static int extension_next(unsigned state, char c)
{
    const bool blank = c == ' ' || c == '\t';
    const bool token = wi_http_is(c, WI_HTTP_TOKEN);
    switch (state) {
    case EXT_GAP:
        return blank ? EXT_GAP : (c == ';' ? EXT_NAME_FIRST : -1);
    case EXT_NAME_FIRST:
        return blank ? EXT_NAME_FIRST : (token ? EXT_NAME : -1);
    case EXT_NAME:
        if (token)
            return EXT_NAME;
        if (blank)
            return EXT_NAME_GAP;
        return c == '=' ? EXT_VALUE_FIRST : extension_end(c);
    case EXT_NAME_GAP:
        if (blank)
            return EXT_NAME_GAP;
        return c == '=' ? EXT_VALUE_FIRST : (c == ';' ? EXT_NAME_FIRST : -1);
    case EXT_VALUE_FIRST:
        if (blank)
            return EXT_VALUE_FIRST;
        return c == '"' ? EXT_QUOTED : (token ? EXT_TOKEN : -1);
    case EXT_TOKEN:
        return token ? EXT_TOKEN : extension_end(c);
    case EXT_QUOTED:
        if (c == '"')
            return EXT_QUOTE_END;
        if (c == '\\')
            return EXT_ESCAPED;
        return wi_http_is(c, WI_HTTP_VALUE) ? EXT_QUOTED : -1;
    case EXT_ESCAPED:
        return wi_http_is(c, WI_HTTP_VALUE) ? EXT_QUOTED : -1;
    default:
        wi_bug_unless(state == EXT_QUOTE_END);
        return extension_end(c);
    }
}

static int extension_byte(struct wi_http_chunked *s, char c)
{
    const int next = extension_next(s->state, c);
    if (next < 0)
        return c == '\n' ? WI_HTTP_BARE_LF : WI_HTTP_BAD_CHUNK_EXTENSION;
    s->line_bytes++;
    s->overhead_bytes++;
    if (s->line_bytes > s->extension_bytes_max ||
        s->overhead_bytes > s->body_bytes + OVERHEAD_SLACK)
        return WI_HTTP_CHUNK_EXTENSION_TOO_LONG;
    s->state = (uint8_t)next;
    return 0;
}

/* The line with the size is complete. */
static int size_line_end(struct wi_http_chunked *s, char c)
{
    if (c != '\n')
        return WI_HTTP_BARE_CR;
    s->line_bytes = 0;
    if (s->chunk_left == 0) {
        s->state = TRAILER_FIRST;
        return 0;
    }
    if (s->chunk_left > s->body_bytes_max - s->body_bytes)
        return WI_HTTP_BODY_TOO_LARGE;
    s->body_bytes += s->chunk_left;
    s->state = DATA;
    return 0;
}

static int data_line_end(struct wi_http_chunked *s, char c)
{
    if (c != (s->state == DATA_CR ? '\r' : '\n'))
        return WI_HTTP_BAD_CHUNK_END;
    s->state = s->state == DATA_CR ? DATA_LF : SIZE_FIRST;
    return 0;
}

/* Drops the forbidden names that the name cannot become with c as its next byte. */
static void name_narrow(struct wi_http_chunked *s, char c)
{
    for (unsigned i = 0; i < wi_count_of(forbidden); i++) {
        const bool fits =
            s->name_at < strlen(forbidden[i]) && forbidden[i][s->name_at] == wi_http_lower(c);
        if (!fits)
            s->candidates &= (uint8_t) ~(1u << i);
    }
    if (s->name_at < UINT8_MAX)
        s->name_at++;
}

static bool name_is_forbidden(const struct wi_http_chunked *s)
{
    for (unsigned i = 0; i < wi_count_of(forbidden); i++) {
        if ((s->candidates & 1u << i) != 0 && s->name_at == strlen(forbidden[i]))
            return true;
    }
    return false;
}

static int trailer_name_byte(struct wi_http_chunked *s, char c)
{
    if (s->state == TRAILER_FIRST) {
        s->candidates = UINT8_MAX;
        s->name_at = 0;
    }
    if (s->state == TRAILER_FIRST && c == '\r') {
        s->state = END_LF;
        return 0;
    }
    if (wi_http_is(c, WI_HTTP_TOKEN)) {
        name_narrow(s, c);
        s->state = TRAILER_NAME;
        return 0;
    }
    if (c == '\n')
        return WI_HTTP_BARE_LF;
    if (c != ':' || s->state == TRAILER_FIRST)
        return WI_HTTP_BAD_TRAILER;
    s->state = TRAILER_VALUE;
    return name_is_forbidden(s) ? WI_HTTP_FORBIDDEN_TRAILER : 0;
}

static int trailer_byte(struct wi_http_chunked *s, char c)
{
    if (++s->trailer_bytes > s->trailer_bytes_max)
        return WI_HTTP_TRAILERS_TOO_LARGE;
    if (s->state == TRAILER_FIRST || s->state == TRAILER_NAME)
        return trailer_name_byte(s, c);
    if (s->state == TRAILER_VALUE) {
        if (c == '\r')
            s->state = TRAILER_LF;
        else if (!wi_http_is(c, WI_HTTP_VALUE))
            return c == '\n' ? WI_HTTP_BARE_LF : WI_HTTP_BAD_TRAILER;
        return 0;
    }
    if (c != '\n')
        return WI_HTTP_BARE_CR;
    s->state = s->state == END_LF ? DONE : TRAILER_FIRST;
    return 0;
}

/* One byte in any state but DATA, DONE and FAILED: 0 or a verdict. */
static int step(struct wi_http_chunked *s, char c)
{
    switch (s->state) {
    case SIZE_FIRST:
    case SIZE:
        return size_byte(s, c);
    case SIZE_LF:
        return size_line_end(s, c);
    case DATA_CR:
    case DATA_LF:
        return data_line_end(s, c);
    case TRAILER_FIRST:
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
    case END_LF:
        return trailer_byte(s, c);
    default:
        return extension_byte(s, c);
    }
}

int wi_http_chunked_decode(struct wi_http_chunked *state, const char *in, size_t in_len,
                           size_t *consumed, struct wi_http_piece *out)
{
    size_t pos = 0;
    *out = (struct wi_http_piece){ in, 0 };
    *consumed = 0;
    if (state->state == FAILED)
        return state->verdict;
    while (state->state != DONE && pos < in_len) {
        if (state->state == DATA) {
            const size_t left = in_len - pos;
            const size_t len = left < state->chunk_left ? left : (size_t)state->chunk_left;
            *out = (struct wi_http_piece){ in + pos, len };
            *consumed = pos + len;
            state->chunk_left -= len;
            if (state->chunk_left == 0)
                state->state = DATA_CR;
            return WI_HTTP_DECODE_DATA;
        }
        const int verdict = step(state, in[pos]);
        if (verdict < 0) {
            state->state = FAILED;
            state->verdict = verdict;
            *consumed = pos;
            return verdict;
        }
        pos++;
    }
    *consumed = pos;
    return state->state == DONE ? WI_HTTP_DECODE_DONE : WI_HTTP_DECODE_MORE;
}
