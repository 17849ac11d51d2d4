/* SPDX-License-Identifier: MIT */
/* The field section, read once from left to right.
 *
 * Names are scanned by table, values sixteen bytes at a time: a value is long and nearly always
 * clean.  The few names that matter for framing are told apart by length before any comparison.
 *
 * Invariant: every offset stored is below head_bytes_max <= 65535, so it fits sixteen bits.
 * Source: RFC 9112 sections 2.2, 5 and 6, read strictly: no bare CR or LF, no obs-fold, no white
 * space before a colon, one framing or none.  Refused: skipping or repairing such lines, which
 * the RFC allows to some recipients; repair is what request smuggling lives on. */
#include "http/head.h"

#include <string.h>

#include "base/check.h"
#include "http/chars.h"
#include "http/status.h"

static uint32_t bounded(uint32_t value, uint32_t usual, uint32_t most)
{
    if (value == 0)
        return usual;
    return value < most ? value : most;
}

void wi_http_limits_fill(struct wi_http_limits *limits)
{
    limits->head_bytes_max = bounded(limits->head_bytes_max, 16384, WI_HTTP_HEAD_BYTES_MAX);
    limits->target_bytes_max = bounded(limits->target_bytes_max, 8192, limits->head_bytes_max);
    limits->fields_max = bounded(limits->fields_max, WI_HTTP_FIELDS_MAX, WI_HTTP_FIELDS_MAX);
    limits->chunk_extension_bytes_max = bounded(limits->chunk_extension_bytes_max, 256, 65535);
    limits->trailer_bytes_max = bounded(limits->trailer_bytes_max, 4096, 65535);
    if (limits->body_bytes_max == 0 || limits->body_bytes_max > INT64_MAX)
        limits->body_bytes_max = INT64_MAX;
}

int wi_http_judge(const char *buf, size_t pos, size_t len, int verdict)
{
    return memchr(buf + pos, '\n', len - pos) != NULL ? verdict : 0;
}

int wi_http_line_end(const char *buf, size_t pos, size_t len)
{
    if (pos == len)
        return 0;
    if (buf[pos] == '\n')
        return WI_HTTP_BARE_LF;
    if (pos + 1 == len)
        return 0;
    if (buf[pos + 1] != '\n')
        return wi_http_judge(buf, pos, len, WI_HTTP_BARE_CR);
    return (int)(pos + 2);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest address is the lowest byte");

/* The top bit of each byte of the eight that is below 0x20 or 0x7f.  A borrow can raise false
 * flags only above a true one, so the lowest flag is right. */
static uint64_t control_flags(const char *eight)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, eight, sizeof word);
    const uint64_t del = word ^ (ones * 0x7f);
    const uint64_t low = (word - ones * 0x20) & ~word;
    return (low | ((del - ones) & ~del)) & tops;
}

/* The position of the first byte at or after pos that may not stand in a value, or len. */
static size_t value_end(const char *buf, size_t pos, size_t len)
{
    while (len - pos >= 16) {
        const uint64_t first = control_flags(buf + pos);
        const uint64_t second = control_flags(buf + pos + 8);
        if ((first | second) == 0) {
            pos += 16;
            continue;
        }
        pos += (unsigned)(first != 0 ? __builtin_ctzll(first) : 64 + __builtin_ctzll(second)) / 8;
        if (buf[pos] != '\t')
            return pos;
        pos++;
    }
    while (pos < len && wi_http_is(buf[pos], WI_HTTP_VALUE))
        pos++;
    return pos;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool named(const char *name, const char *lower, size_t len)
{
    return wi_http_same_text(name, lower, len);
}

/* Which known name this is, or WI_HTTP_KNOWN_COUNT. */
static unsigned known_name(const char *name, size_t len)
{
    switch (len) {
    case 4:
        return named(name, "host", 4) ? WI_HTTP_KNOWN_HOST : WI_HTTP_KNOWN_COUNT;
    case 6:
        return named(name, "expect", 6) ? WI_HTTP_KNOWN_EXPECT : WI_HTTP_KNOWN_COUNT;
    case 7:
        return named(name, "upgrade", 7) ? WI_HTTP_KNOWN_UPGRADE : WI_HTTP_KNOWN_COUNT;
    case 8:
        return named(name, "priority", 8) ? WI_HTTP_KNOWN_CLASS : WI_HTTP_KNOWN_COUNT;
    case 9:
        return named(name, "x-attempt", 9) ? WI_HTTP_KNOWN_CLASS : WI_HTTP_KNOWN_COUNT;
    case 10:
        return named(name, "connection", 10) ? WI_HTTP_KNOWN_CONNECTION : WI_HTTP_KNOWN_COUNT;
    case 12:
        return named(name, "grpc-timeout", 12) ? WI_HTTP_KNOWN_TIMEOUT : WI_HTTP_KNOWN_COUNT;
    case 14:
        return named(name, "content-length", 14) ? WI_HTTP_KNOWN_CONTENT_LENGTH
                                                 : WI_HTTP_KNOWN_COUNT;
    case 15:
        return named(name, "weir-timeout-ms", 15) ? WI_HTTP_KNOWN_TIMEOUT : WI_HTTP_KNOWN_COUNT;
    case 17:
        return named(name, "transfer-encoding", 17) ? WI_HTTP_KNOWN_TRANSFER_ENCODING
                                                    : WI_HTTP_KNOWN_COUNT;
    case 30:
        return named(name, "x-envoy-expected-rq-timeout-ms", 30) ? WI_HTTP_KNOWN_TIMEOUT
                                                                 : WI_HTTP_KNOWN_COUNT;
    default:
        return WI_HTTP_KNOWN_COUNT;
    }
}

/* Why a name that ended at buf[pos], not at a colon, is wrong. */
static int name_verdict(const char *buf, size_t start, size_t pos)
{
    if (buf[pos] == '\n')
        return WI_HTTP_BARE_LF;
    if (is_blank(buf[pos]))
        return pos == start ? WI_HTTP_OBS_FOLD : WI_HTTP_SPACE_BEFORE_COLON;
    return WI_HTTP_BAD_FIELD_NAME;
}

/* The position of the first byte at or after pos that may not stand in a name, or len.  Four
 * bytes per branch, since branches that a name's length decides are the ones that are missed. */
static size_t name_end(const char *buf, size_t pos, size_t len)
{
    while (len - pos >= 4) {
        const unsigned char *four = (const unsigned char *)buf + pos;
        const unsigned all = wi_http_class[four[0]] & wi_http_class[four[1]] &
                             wi_http_class[four[2]] & wi_http_class[four[3]];
        if ((all & WI_HTTP_TOKEN) == 0)
            break;
        pos += 4;
    }
    while (pos < len && wi_http_is(buf[pos], WI_HTTP_TOKEN))
        pos++;
    return pos;
}

/* Parses one field line at pos, which is not the empty line.  Returns like wi_http_line_end. */
static int field_parse(const char *buf, size_t pos, size_t len, struct wi_http_field *out)
{
    const size_t name = pos;
    pos = name_end(buf, pos, len);
    if (pos == len)
        return 0;
    if (buf[pos] != ':')
        return wi_http_judge(buf, pos, len, name_verdict(buf, name, pos));
    if (pos == name)
        return wi_http_judge(buf, pos, len, WI_HTTP_BAD_FIELD_NAME);
    out->name = (struct wi_http_slice){ (uint16_t)name, (uint16_t)(pos - name) };

    pos++;
    while (pos < len && is_blank(buf[pos]))
        pos++;
    const size_t value = pos;
    pos = value_end(buf, pos, len);
    if (pos == len)
        return 0;
    if (buf[pos] != '\r' && buf[pos] != '\n')
        return wi_http_judge(buf, pos, len, WI_HTTP_BAD_FIELD_VALUE);

    size_t end = pos;
    while (end > value && is_blank(buf[end - 1]))
        end--;
    out->value = (struct wi_http_slice){ (uint16_t)value, (uint16_t)(end - value) };
    return wi_http_line_end(buf, pos, len);
}

int wi_http_fields_parse(const char *buf, size_t pos, size_t len,
                         const struct wi_http_limits *limits, struct wi_http_head *head,
                         struct wi_http_known *known)
{
    uint32_t count = 0;
    memset(known, 0, sizeof *known);
    while (pos < len && buf[pos] != '\r') {
        struct wi_http_field spare;
        struct wi_http_field *field = count < limits->fields_max ? &head->fields[count] : &spare;
        const int next = field_parse(buf, pos, len, field);
        if (next <= 0)
            return next;
        const unsigned id = known_name(buf + field->name.offset, field->name.len);
        if (id != WI_HTTP_KNOWN_COUNT && known->count[id]++ == 0)
            known->first[id] = (uint16_t)count;
        count++;
        pos = (size_t)next;
    }
    const int end = wi_http_line_end(buf, pos, len);
    if (end <= 0)
        return end;
    head->field_count = (uint16_t)count;
    head->has_timeout = known->count[WI_HTTP_KNOWN_TIMEOUT] > 0;
    head->has_class = known->count[WI_HTTP_KNOWN_CLASS] > 0;
    return count > limits->fields_max ? WI_HTTP_TOO_MANY_FIELDS : end;
}

/* The position after the last LF before `end`, or 0. */
static size_t line_start(const char *buf, size_t end)
{
    while (end > 0 && buf[end - 1] != '\n')
        end--;
    return end;
}

int wi_http_head_resume(const char *buf, size_t len, size_t scanned,
                        const struct wi_http_limits *limits, struct wi_http_head *head)
{
    if (memchr(buf + scanned, '\n', len - scanned) == NULL)
        return WI_HTTP_RESUME_WAIT;
    const size_t start = line_start(buf, scanned);
    const bool in_start_line = start == 0 || (start == 2 && buf[0] == '\r');
    if (in_start_line)
        return WI_HTTP_RESUME_PARSE;
    struct wi_http_known known;
    const int end = wi_http_fields_parse(buf, start, len, limits, head, &known);
    /* Too many of the new fields alone: the parse from the start says so, in its own order. */
    if (end > 0 || end == WI_HTTP_TOO_MANY_FIELDS)
        return WI_HTTP_RESUME_PARSE;
    return end == 0 ? WI_HTTP_RESUME_WAIT : end;
}

/* Digits only, no sign, no list, at most 2^63 - 1.  Leading zeros are digits. */
static bool parse_length(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        const uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

int wi_http_framing(const char *buf, const struct wi_http_limits *limits,
                    const struct wi_http_known *known, struct wi_http_head *head)
{
    const unsigned lengths = known->count[WI_HTTP_KNOWN_CONTENT_LENGTH];
    const unsigned codings = known->count[WI_HTTP_KNOWN_TRANSFER_ENCODING];
    head->content_length = 0;
    head->has_length = lengths > 0;
    head->body = WI_HTTP_BODY_NONE;
    if (lengths > 1)
        return WI_HTTP_LENGTH_REPEATED;
    if (lengths > 0 && codings > 0)
        return WI_HTTP_LENGTH_AND_CODING;
    if (lengths > 0) {
        const uint16_t at = known->first[WI_HTTP_KNOWN_CONTENT_LENGTH];
        const struct wi_http_slice value = head->fields[at].value;
        if (!parse_length(buf + value.offset, value.len, &head->content_length))
            return WI_HTTP_BAD_LENGTH;
        head->body = WI_HTTP_BODY_LENGTH;
        return head->content_length > limits->body_bytes_max ? WI_HTTP_BODY_TOO_LARGE : 0;
    }
    if (codings == 0)
        return 0;
    /* HTTP/1.0 knows no codings: its framing cannot be what both ends think it is. */
    if (head->version_minor == 0)
        return WI_HTTP_CODING_MISPLACED;
    if (codings > 1)
        return WI_HTTP_CODING_REPEATED;
    const struct wi_http_slice coding =
        head->fields[known->first[WI_HTTP_KNOWN_TRANSFER_ENCODING]].value;
    if (coding.len != 7 || !wi_http_same_text(buf + coding.offset, "chunked", 7))
        return WI_HTTP_UNSUPPORTED_CODING;
    head->body = WI_HTTP_BODY_CHUNKED;
    return 0;
}

bool wi_http_list_has(const char *value, size_t len, const char *token)
{
    const size_t token_len = strlen(token);
    size_t pos = 0;
    while (pos < len) {
        while (pos < len && (value[pos] == ',' || is_blank(value[pos])))
            pos++;
        const size_t start = pos;
        while (pos < len && value[pos] != ',')
            pos++;
        size_t end = pos;
        while (end > start && is_blank(value[end - 1]))
            end--;
        if (end - start == token_len && wi_http_same_text(value + start, token, token_len))
            return true;
    }
    return false;
}

int wi_http_field_find(const struct wi_http_head *head, const char *buf, const char *name, int from)
{
    const size_t len = strlen(name);
    for (int i = from; i < head->field_count; i++) {
        const struct wi_http_slice slice = head->fields[i].name;
        if (slice.len == len && wi_http_same_text(buf + slice.offset, name, len))
            return i;
    }
    return -1;
}

/* Whether any of the Connection fields lists the option. */
static bool connection_has(const char *buf, const struct wi_http_known *known,
                           const struct wi_http_head *head, const char *option)
{
    int at = known->first[WI_HTTP_KNOWN_CONNECTION];
    for (unsigned left = known->count[WI_HTTP_KNOWN_CONNECTION]; left > 0; left--) {
        const struct wi_http_slice value = head->fields[at].value;
        if (wi_http_list_has(buf + value.offset, value.len, option))
            return true;
        if (left > 1)
            at = wi_http_field_find(head, buf, "connection", at + 1);
    }
    return false;
}

void wi_http_connection(const char *buf, const struct wi_http_known *known,
                        struct wi_http_head *head)
{
    const bool old = head->version_minor == 0;
    head->keep_alive = !old;
    head->upgrade = false;
    if (known->count[WI_HTTP_KNOWN_CONNECTION] == 0)
        return;
    if (connection_has(buf, known, head, "close"))
        head->keep_alive = false;
    else if (old)
        head->keep_alive = connection_has(buf, known, head, "keep-alive");
    if (!old && known->count[WI_HTTP_KNOWN_UPGRADE] > 0)
        head->upgrade = connection_has(buf, known, head, "upgrade");
}
