/* SPDX-License-Identifier: MIT */
/* The Date field: its text is made once a second and copied for each answer.
 *
 * Protocol (a sequence lock with atomic words, so that a torn copy is seen, not undefined).
 *   writer: a: sequence even -> odd by compare-and-swap; who fails leaves it to the winner.
 *           b: stores each word and `next`, release, so that who sees one sees a;
 *           c: sequence odd -> even, release.
 *   reader: d: loads sequence, acquire (pairs with c); e: loads them, acquire, so that f comes
 *              after; f: the sequence is the same even value: good.  Otherwise formats a
 *              text of its own: rare, once a second at most.
 *
 * Threads: any. */
#include <string.h>

#include "base/check.h"
#include "net/transport.h"
#include "serve/server.h"

static void store_words(struct wi_stamp *stamp, const char *text)
{
    uint64_t words[wi_count_of(stamp->words)] = { 0 };
    memcpy(words, text, WI_HTTP_DATE_BYTES);
    for (size_t i = 0; i < wi_count_of(words); i++)
        wi_store_release(&stamp->words[i], words[i]);
}

/* Formats afresh, and publishes unless another thread is at it. */
static void refresh(struct wi_stamp *stamp, weir_time now, char text[WI_HTTP_DATE_BYTES])
{
    const int64_t wall = wi_transport_wall();
    wi_http_date_format(wall / WEIR_NS_PER_S, text);
    uint32_t sequence = wi_load_relaxed(&stamp->sequence);
    if ((sequence & 1u) != 0 || !wi_cas_acq_rel(&stamp->sequence, &sequence, sequence + 1)) /* a */
        return;
    store_words(stamp, text);                                                   /* b */
    wi_store_release(&stamp->next, now + WEIR_NS_PER_S - wall % WEIR_NS_PER_S); /* b */
    wi_store_release(&stamp->sequence, sequence + 2);                           /* c */
}

void wi_stamp_read(struct wi_stamp *stamp, weir_time now, char text[WI_HTTP_DATE_BYTES])
{
    const uint32_t before = wi_load_acquire(&stamp->sequence);       /* d */
    if ((before & 1u) == 0 && now < wi_load_acquire(&stamp->next)) { /* e */
        uint64_t words[wi_count_of(stamp->words)];
        for (size_t i = 0; i < wi_count_of(words); i++)
            words[i] = wi_load_acquire(&stamp->words[i]);  /* e */
        if (wi_load_relaxed(&stamp->sequence) == before) { /* f */
            memcpy(text, words, WI_HTTP_DATE_BYTES);
            return;
        }
    }
    refresh(stamp, now, text);
}
