/* SPDX-License-Identifier: MIT */
#ifndef WEIR_UV_H
#define WEIR_UV_H

/* Lets a libuv loop turn an open `loop` runtime of weir.  These two functions are the whole of the
 * integration; copy them. */

#include <uv.h>

struct weir_uv {
    uv_poll_t poll;       /* weir has something to do */
    uv_prepare_t prepare; /* libuv is about to wait: for how long may it? */
    uv_timer_t timer;     /* that long */
};

/* 0, or a negative code of libuv or weir. */
int weir_uv_attach(struct weir_uv *glue, uv_loop_t *loop);

/* Before weir_close(); run the loop once more afterwards, so that libuv lets go of the handles. */
void weir_uv_detach(struct weir_uv *glue);

#endif
