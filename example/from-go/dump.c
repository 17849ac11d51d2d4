/* SPDX-License-Identifier: MIT */
/* What every task does now, as text.  Guide: doc/guide/coming-from-go.md. */

#include "../guide/program.h"

struct text {
    char data[1 << 16];
    size_t bytes;
};

static int reader(void *arg)
{
    int n;
    return weir_chan_recv_of((weir_chan *)arg, &n, WEIR_NO_DEADLINE);
}

static void append(void *user, const char *data, size_t bytes)
{
    struct text *text = user;
    if (bytes < sizeof text->data - text->bytes) {
        memcpy(text->data + text->bytes, data, bytes);
        text->bytes += bytes;
    }
}

static const char *dump(void)
{
    static struct text text;
    text = (struct text){ 0 };
    must(weir_dump(append, &text, NULL));
    return text.data;
}

static int program(void *arg)
{
    (void)arg;
    weir_chan *in;
    weir_scope *scope;
    must(weir_chan_create(&in, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }));
    must(weir_scope_open(&scope, NULL));
    must(weir_go(reader, in, .name = "reads"));
    const char *text = dump();
    while (strstr(text, "receive") == NULL) { /* it is on its way there */
        must(weir_yield());
        text = dump();
    }
    printf("names the function: %s\n", yes_or_no(strstr(text, "reader") != NULL));
    fputs(text, stderr);
    weir_chan_close(in);
    const int rc = weir_scope_close(scope, WEIR_NO_DEADLINE);
    weir_chan_destroy(in);
    return rc == WEIR_ECLOSED ? 0 : rc; /* the reader's error */
}
