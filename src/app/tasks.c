/* SPDX-License-Identifier: MIT */
/* Dumps of a service.  See tasks.h. */
#include "app/tasks.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "os/poll.h"
#include "os/signal.h"
#include "weir/dump.h"
#include "weir/time.h"

enum {
    STANDARD_ERROR = 2,
    PRINTED_BYTES_MAX = 4 << 20,
    PIECE_BYTES = 4096, /* what a pipe takes whole when it is ready */
    LAST_BYTES = 64     /* room for the line that says what is missing */
};
#define PATIENCE_NS WEIR_NS_PER_S

static const char cut_line[] = "... (the rest does not fit)\n";

static void take(void *user, const char *text, size_t bytes)
{
    struct wi_text *out = user;
    if (!out->cut && out->bytes + bytes + LAST_BYTES < out->cap)
        wi_text_add(out, "%.*s", (int)bytes, text);
    else
        out->cut = true;
}

void wi_tasks_write(struct wi_text *out)
{
    const int rc = weir_dump(take, out, NULL);
    if (rc != 0)
        wi_text_add(out, "the tasks cannot be told: %s\n", weir_err_name(rc));
    if (!out->cut)
        return;
    out->cut = false;
    wi_text_add(out, "%s", cut_line);
}

/* All of it in a row, so that processes that print at once stay apart as far as pipes let them. */
static void print_text(const char *text, size_t bytes)
{
    const weir_time until = weir_in_ns(PATIENCE_NS);
    for (size_t at = 0; at < bytes;) {
        if (wi_poll_one(STANDARD_ERROR, WI_POLL_WRITE, until) <= 0)
            return;
        char piece[PIECE_BYTES + 1];
        const size_t now = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
        memcpy(piece, text + at, now);
        piece[now] = '\0';
        wi_signal_write(piece);
        at += now;
    }
}

void wi_tasks_print(const char *name)
{
    char *data = wi_alloc(PRINTED_BYTES_MAX);
    if (data == NULL) {
        wi_signal_write("no memory to tell what the tasks do\n");
        return;
    }
    struct wi_text text;
    wi_text_init(&text, data, PRINTED_BYTES_MAX);
    wi_text_add(&text, "%s: what every task does now\n", name);
    wi_tasks_write(&text);
    wi_text_add(&text, "%s: that was every task\n", name);
    print_text(text.data, text.bytes);
    wi_free(data);
}
