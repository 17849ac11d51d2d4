/* SPDX-License-Identifier: MIT */
/* The ring of log lines.
 *
 * Protocol; each slot's turn counts what happens to it, slot i of lap n:
 *   a. turn == position: free for the writer that wins `tail` at that position (compare-and-swap).
 *   b. The writer formats into the slot and stores turn = position + 1 (release).
 *   c. The drainer sees position + 1 (acquire, pairs with b), hands the line over and stores
 *      turn = position + WI_LOG_LINES (release), which frees the slot for the next lap; pairs with
 *      the acquire load in a.
 * A writer that is preempted inside b holds back the lines behind it, not the other writers: these
 * go on until the ring is full.
 * To let all-zero memory be a valid start, turns are stored less the slot's number.
 *
 * Source: Vyukov's bounded queue, with one reader. */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

struct slot {
    wi_atomic_u64 turn; /* less the slot's number */
    /* owner: whoever the turn says */
    int64_t stamp;
    enum wi_log_level level;
    uint32_t bytes;
    char text[WI_LOG_LINE_BYTES];
};

static struct {
    /* atomic */
    wi_atomic_u64 tail;    /* the next position to write */
    wi_atomic_u64 dropped; /* lines lost */
    wi_atomic_int open;    /* whether somebody drains */
    wi_atomic_ptr clock;
    /* owner: the drainer */
    uint64_t head; /* the next position to read */
    uint64_t reported;
    weir_time next_report;
    struct slot slots[WI_LOG_LINES];
} ring;

static wi_atomic_int threshold = { WI_LOG_INFO };

/* A function pointer through a void pointer, as POSIX allows. */
union clock_ptr {
    int64_t (*fn)(void);
    void *raw;
};

static struct slot *slot_of(uint64_t position)
{
    return &ring.slots[position % WI_LOG_LINES];
}

static uint64_t turn_of(const struct slot *slot)
{
    return wi_load_acquire(&slot->turn) + (uint64_t)(slot - ring.slots);
}

static void set_turn(struct slot *slot, uint64_t turn)
{
    wi_store_release(&slot->turn, turn - (uint64_t)(slot - ring.slots));
}

/* Wins a position to write at, or false if the ring is full.  A lost race is somebody else's
 * progress, so the loop ends. */
static bool claim(uint64_t *out)
{
    uint64_t position = wi_load_relaxed(&ring.tail);
    for (;;) {
        const int64_t lead = (int64_t)(turn_of(slot_of(position)) - position); /* step a */
        if (lead < 0)
            return false;
        if (lead > 0) {
            position = wi_load_relaxed(&ring.tail);
            continue;
        }
        if (wi_cas_acq_rel(&ring.tail, &position, position + 1)) {
            *out = position;
            return true;
        }
    }
}

static void make_plain(char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == 0x7f)
            text[i] = '?';
    }
}

/* Formats into the slot, then appends the count of suppressed lines if there are any. */
static uint32_t fill(char *text, uint64_t suppressed, const char *format, va_list args)
{
    int bytes = vsnprintf(text, WI_LOG_LINE_BYTES, format, args);
    if (bytes < 0)
        bytes = snprintf(text, WI_LOG_LINE_BYTES, "(a line that cannot be formatted)");
    size_t used = (size_t)bytes < WI_LOG_LINE_BYTES ? (size_t)bytes : WI_LOG_LINE_BYTES - 1;
    make_plain(text, used);
    if (suppressed > 0) {
        char tail[48];
        const int tail_bytes = snprintf(tail, sizeof(tail), " (%" PRIu64 " more)", suppressed);
        const size_t room = WI_LOG_LINE_BYTES - 1 - (size_t)tail_bytes;
        used = used < room ? used : room;
        memcpy(text + used, tail, (size_t)tail_bytes + 1);
        used += (size_t)tail_bytes;
    }
    return (uint32_t)used;
}

static int64_t stamp_now(void)
{
    const union clock_ptr clock = { .raw = wi_load_acquire(&ring.clock) };
    return clock.raw == NULL ? 0 : clock.fn();
}

static void put(enum wi_log_level level, uint64_t suppressed, const char *format, va_list args)
{
    uint64_t position;
    if (wi_load_acquire(&ring.open) == 0 || !claim(&position)) {
        wi_add_relaxed(&ring.dropped, 1);
        return;
    }
    struct slot *slot = slot_of(position);
    slot->level = level;
    slot->stamp = stamp_now();
    slot->bytes = fill(slot->text, suppressed, format, args);
    set_turn(slot, position + 1); /* step b */
}

void wi_log(enum wi_log_level level, const char *format, ...)
{
    if (!wi_log_enabled(level))
        return;
    va_list args;
    va_start(args, format);
    put(level, 0, format, args);
    va_end(args);
}

void wi_log_limited(struct wi_log_limit *limit, weir_time now, enum wi_log_level level,
                    const char *format, ...)
{
    if (!wi_log_enabled(level))
        return;
    int64_t next = wi_load_relaxed(&limit->next);
    if (now < next || !wi_cas_acq_rel(&limit->next, &next, now + WEIR_NS_PER_S)) {
        wi_add_relaxed(&limit->suppressed, 1);
        return;
    }
    const uint64_t suppressed = wi_swap_acq_rel(&limit->suppressed, 0);
    va_list args;
    va_start(args, format);
    put(level, suppressed, format, args);
    va_end(args);
}

void wi_log_threshold_set(enum wi_log_level level)
{
    wi_store_relaxed(&threshold, (int)level);
}

bool wi_log_enabled(enum wi_log_level level)
{
    return (int)level <= wi_load_relaxed(&threshold);
}

const char *wi_log_level_name(enum wi_log_level level)
{
    static const char *const names[] = {
        [WI_LOG_ERROR] = "error",
        [WI_LOG_WARN] = "warn",
        [WI_LOG_INFO] = "info",
        [WI_LOG_DEBUG] = "debug",
    };
    wi_bug_unless_cmp((int)level, <, (int)wi_count_of(names));
    return names[level];
}

void wi_log_open(int64_t (*clock)(void))
{
    const union clock_ptr stored = { .fn = clock };
    wi_store_release(&ring.clock, stored.raw);
    wi_store_release(&ring.open, 1);
}

/* Hands over the line at the head; false if it is not ready. */
static bool drain_one(wi_log_sink *sink, void *user)
{
    struct slot *slot = slot_of(ring.head);
    if (turn_of(slot) != ring.head + 1) /* step c */
        return false;
    const struct wi_log_line line = {
        .level = slot->level, .stamp = slot->stamp, .text = slot->text, .bytes = slot->bytes
    };
    sink(&line, user);
    set_turn(slot, ring.head + WI_LOG_LINES);
    ring.head++;
    return true;
}

static bool report_drops(wi_log_sink *sink, void *user)
{
    const uint64_t dropped = wi_load_relaxed(&ring.dropped);
    if (dropped == ring.reported)
        return false;
    char text[64];
    const int bytes =
        snprintf(text, sizeof(text), "%" PRIu64 " log lines were dropped", dropped - ring.reported);
    const struct wi_log_line line = {
        .level = WI_LOG_WARN, .stamp = stamp_now(), .text = text, .bytes = (size_t)bytes
    };
    ring.reported = dropped;
    sink(&line, user);
    return true;
}

static int drain_lines(wi_log_sink *sink, void *user)
{
    int count = 0;
    while (count < WI_LOG_LINES && drain_one(sink, user))
        count++;
    return count;
}

int wi_log_drain(weir_time now, wi_log_sink *sink, void *user)
{
    int count = drain_lines(sink, user);
    if (now >= ring.next_report && report_drops(sink, user)) {
        ring.next_report = now + WEIR_NS_PER_S;
        count++;
    }
    return count;
}

void wi_log_close(weir_time now, wi_log_sink *sink, void *user)
{
    wi_store_release(&ring.open, 0);
    (void)drain_lines(sink, user);
    (void)report_drops(sink, user);
    ring.next_report = now + WEIR_NS_PER_S;
}

void wi_log_reset(void)
{
    memset(&ring, 0, sizeof(ring));
}

uint64_t wi_log_dropped(void)
{
    return wi_load_relaxed(&ring.dropped);
}
