/* SPDX-License-Identifier: MIT */
/* libuv turns weir: see weir_uv.h.
 *
 * A descriptor tells when weir has something to do; what it cannot tell is when a timer of weir
 * runs out, so before each wait of libuv a timer of libuv is set to weir's next one. */

#include "weir_uv.h"

#include <weir/weir.h>

/* One turn, which never waits: libuv does the waiting. */
static void turn(void)
{
    const int handled = weir_turn(WEIR_DONT_WAIT);
    (void)handled; /* how much was done; the next prepare looks whether there is more */
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
    turn();
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    turn();
}

static void before_wait(uv_prepare_t *prepare)
{
    struct weir_uv *glue = prepare->data;
    const weir_time next = weir_turn_deadline();
    if (next == WEIR_NO_DEADLINE) {
        uv_timer_stop(&glue->timer);
        return;
    }
    const weir_time now = weir_now();
    /* Rounded up: a millisecond too early would be a turn for nothing, and then another. */
    const weir_time wait_ms = next <= now ? 0 : (next - now + WEIR_NS_PER_MS - 1) / WEIR_NS_PER_MS;
    uv_update_time(prepare->loop);
    uv_timer_start(&glue->timer, on_timer, (uint64_t)wait_ms, 0);
}

int weir_uv_attach(struct weir_uv *glue, uv_loop_t *loop)
{
    const int fd = weir_pollfd();
    if (fd < 0)
        return fd;
    const int rc = uv_poll_init(loop, &glue->poll, fd);
    if (rc < 0)
        return rc;
    uv_prepare_init(loop, &glue->prepare);
    uv_timer_init(loop, &glue->timer);
    glue->prepare.data = glue;
    uv_prepare_start(&glue->prepare, before_wait);
    return uv_poll_start(&glue->poll, UV_READABLE, on_readable);
}

void weir_uv_detach(struct weir_uv *glue)
{
    uv_close((uv_handle_t *)&glue->poll, NULL);
    uv_close((uv_handle_t *)&glue->prepare, NULL);
    uv_close((uv_handle_t *)&glue->timer, NULL);
}
