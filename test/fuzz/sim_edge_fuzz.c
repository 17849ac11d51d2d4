/* SPDX-License-Identifier: MIT */
/* Goal: what a client gets from a whole server depends on its bytes, not on how they were cut.
 *
 * Method: a fresh simulated world for each input, in it a server whose every route tells what it
 * understood, and two clients.  One sends the bytes at once over a perfect network, the other in
 * pieces over an uneven one.  The server ends both connections
 * by itself, in virtual time.  The answers must be the same bytes, but for the interim answer to
 * Expect, which depends on whether the body is there already, and for the date.  After both the
 * server drains and nothing is left.
 *
 * The first byte is the seed of the cuts and of the uneven network; the rest is what is sent. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "os/sim/sim.h"
#include "weir/weir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum {
    SENT_MAX = 20000,     /* more than a head may have */
    GOT_MAX = 256 * 1024, /* the answers to so many bytes, each at most some hundred */
    PIECES_MAX = 64,      /* with a pause behind each, which all end before the head's limit */
    PAUSE_NS = 10000000,
};

struct talk {
    const char *sent;
    size_t sent_bytes;
    uint64_t random; /* 0: in one piece */
    weir_stream *stream;
    char *got;
    size_t got_bytes;
    char address[64];
};

static void must(int rc)
{
    wi_bug_unless_cmp(rc, ==, 0);
}

/* Answers with what was understood, the body as its length and a sum over each byte's place. */
static int tell(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char piece[100];
    uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a */
    uint64_t total = 0;
    int got;
    while ((got = weir_request_read(request, piece, sizeof(piece), WEIR_NO_DEADLINE)) > 0) {
        for (int i = 0; i < got; i++)
            sum = (sum ^ (uint8_t)piece[i]) * UINT64_C(1099511628211);
        total += (uint64_t)got;
    }
    if (got < 0)
        return got;
    const char *field = weir_request_header(request, "X");
    return weir_reply_text(reply, 200, "%s %.300s [%.300s] %llu %016llx\n",
                           weir_request_method(request), weir_request_target(request),
                           field != NULL ? field : "-", (unsigned long long)total,
                           (unsigned long long)sum);
}

static weir_server *open_server(char *address, size_t bytes)
{
    weir_server *server;
    const struct weir_server_opts opts = { .body_bytes_max = 4096, .idle_ns_max = WEIR_NS_PER_S };
    must(weir_server_create(&server, &opts));
    must(weir_server_route(server, NULL, "/*rest", tell, NULL, NULL));
    must(weir_server_listen(server, "127.0.0.1:0"));
    must(weir_server_address(server, 0, address, bytes));
    must(weir_server_start(server));
    return server;
}

static size_t piece_bytes(struct talk *talk, size_t left)
{
    if (talk->random == 0)
        return left;
    /* Marsaglia 2003, xorshift64. */
    talk->random ^= talk->random << 13;
    talk->random ^= talk->random >> 7;
    talk->random ^= talk->random << 17;
    const size_t even = 2 * talk->sent_bytes / PIECES_MAX + 1;
    const size_t count = 1 + (size_t)(talk->random % even);
    return count < left ? count : left;
}

/* Sends until the server has had enough, while the other task reads. */
static int send_all(void *arg)
{
    struct talk *talk = arg;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < talk->sent_bytes) {
        const size_t count = piece_bytes(talk, talk->sent_bytes - at);
        rc = weir_write(talk->stream, talk->sent + at, count, NULL, WEIR_NO_DEADLINE);
        at += count;
        if (rc == 0 && talk->random != 0)
            rc = weir_sleep(weir_in_ns(PAUSE_NS));
    }
    return 0;
}

static int converse(void *arg)
{
    struct talk *talk = arg;
    weir_task *sender;
    weir_server *server = open_server(talk->address, sizeof(talk->address));
    must(weir_dial(&talk->stream, talk->address, WEIR_NO_DEADLINE));
    must(weir_task_start(&sender, send_all, talk));
    int got;
    do {
        wi_bug_unless_cmp(talk->got_bytes, <, GOT_MAX);
        got = weir_read(talk->stream, talk->got + talk->got_bytes, GOT_MAX - talk->got_bytes,
                        WEIR_NO_DEADLINE);
        talk->got_bytes += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    must(weir_task_join(sender, NULL, WEIR_NO_DEADLINE));
    weir_stream_close(talk->stream);
    must(weir_server_drain(server, weir_in_ms(60000)));
    struct weir_server_stats stats = { .size = sizeof(stats) };
    weir_server_stats_read(server, &stats);
    wi_bug_unless_cmp(stats.connections, ==, 0);
    wi_bug_unless_cmp(stats.running, ==, 0);
    wi_bug_unless_cmp(stats.waiting, ==, 0);
    weir_server_destroy(server);
    return 0;
}

static void run(struct talk *talk, const struct wi_sim_opts *world)
{
    const struct weir_opts runtime = { .scheduler = WEIR_SCHEDULER_LOOP };
    wi_sim_reset(world);
    must(weir_open(&runtime));
    must(weir_run(converse, talk, NULL));
    must(weir_close(WEIR_NO_DEADLINE));
    wi_bug_unless_cmp(wi_sim_open_count(), ==, 0);
}

/* Takes out each occurrence of what begins so, up to and with `end`. */
static size_t without(char *text, size_t bytes, const char *begin, const char *end)
{
    size_t kept = 0;
    size_t at = 0;
    while (at < bytes) {
        const size_t left = bytes - at;
        if (left >= strlen(begin) && memcmp(text + at, begin, strlen(begin)) == 0) {
            const char *behind = memmem(text + at, left, end, strlen(end));
            at = behind != NULL ? (size_t)(behind - text) + strlen(end) : bytes;
            continue;
        }
        text[kept++] = text[at++];
    }
    return kept;
}

/* Leaves status, type, length and body of each final answer; whether the server said that it would
 * close, which it says in its last answer only, is given back. */
static bool normalise(struct talk *talk)
{
    static const char close[] = "Connection: close\r\n";
    talk->got_bytes = without(talk->got, talk->got_bytes, "HTTP/1.1 100 ", "\r\n\r\n");
    talk->got_bytes = without(talk->got, talk->got_bytes, "\nDate: ", "\r");
    const size_t before = talk->got_bytes;
    talk->got_bytes = without(talk->got, talk->got_bytes, close, "\n");
    return talk->got_bytes < before;
}

/* An answer that comes before its request's body has ended keeps the connection where the rest has
 * arrived and closes it otherwise, so one conversation may end earlier than the other: but only
 * having said so, and as far as it goes it is the same. */
static void check_same(struct talk *whole, struct talk *cut)
{
    const bool whole_closes = normalise(whole);
    const bool cut_closes = normalise(cut);
    const struct talk *shorter = whole->got_bytes < cut->got_bytes ? whole : cut;
    const bool same_start = memcmp(whole->got, cut->got, shorter->got_bytes) == 0;
    const bool said_so = shorter == whole ? whole_closes : cut_closes;
    if (same_start && (whole->got_bytes == cut->got_bytes || said_so))
        return;
    fprintf(stderr, "in one piece: %.*s\nin pieces: %.*s\n", (int)whole->got_bytes, whole->got,
            (int)cut->got_bytes, cut->got);
    abort(); /* the answers depend on how the request was cut */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static char got[2][GOT_MAX];
    if (bytes < 2 || bytes > SENT_MAX)
        return 0;
    const char *sent = (const char *)data + 1;
    const struct wi_sim_opts calm = { .seed = 1 };
    const struct wi_sim_opts rough = { .seed = data[0],
                                       .latency_ns = 200 * WEIR_NS_PER_US,
                                       .jitter_ns = WEIR_NS_PER_MS,
                                       .buffer_bytes = 16384 };
    struct talk whole = { .sent = sent, .sent_bytes = bytes - 1, .got = got[0] };
    struct talk cut = { .sent = sent, .sent_bytes = bytes - 1, .got = got[1] };
    cut.random = UINT64_C(0x9E3779B97F4A7C15) * (data[0] + 1U);
    run(&whole, &calm);
    run(&cut, &rough);
    check_same(&whole, &cut);
    return 0;
}
