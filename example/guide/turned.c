/* SPDX-License-Identifier: MIT */
/* A program with a loop of its own, poll(2) by hand, that turns a weir runtime.
 *
 * The host counts lines on its standard input, as it always did; weir's tasks run in between, on
 * the same thread.  It ends when the input does.  Guide: doc/guide/embedding.md. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <weir/weir.h>

static int ticks;

/* A task in blocking style; it runs whenever the host turns weir. */
static int tick(void *arg)
{
    (void)arg;
    while (weir_sleep(weir_in_ms(10)) == 0)
        ticks++;
    return 0; /* canceled by weir_close() */
}

/* How long poll(2) may wait, in ms, rounded up: waking early would spin. */
static int patience_ms(void)
{
    const weir_time until = weir_turn_deadline();
    if (until == WEIR_NO_DEADLINE)
        return -1;
    const weir_time left = until - weir_now();
    if (left <= 0)
        return 0;
    return left > 1000 * WEIR_NS_PER_MS ? 1000
                                        : (int)((left + WEIR_NS_PER_MS - 1) / WEIR_NS_PER_MS);
}

/* The host's own work.  False at the end of the input. */
static bool take_input(int *lines)
{
    char data[512];
    const ssize_t got = read(STDIN_FILENO, data, sizeof data);
    for (ssize_t i = 0; i < got; i++)
        *lines += data[i] == '\n';
    return got > 0;
}

static int run_host(void)
{
    const int fd = weir_pollfd();
    if (fd < 0)
        return fd;
    int lines = 0;
    for (bool more = true; more;) {
        struct pollfd watched[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
                                     { .fd = fd, .events = POLLIN } };
        if (poll(watched, 2, patience_ms()) < 0 && errno != EINTR)
            return -errno;
        if (watched[0].revents != 0)
            more = take_input(&lines);
        const int turned = weir_turn(WEIR_DONT_WAIT); /* readable, or a timer is due */
        if (turned < 0)
            return turned;
    }
    printf("%d lines, %s\n", lines, ticks > 0 ? "and weir ticked" : "and weir never ticked");
    return 0;
}

int main(void)
{
    const struct weir_opts opts = { .size = sizeof opts, .scheduler = WEIR_SCHEDULER_LOOP };
    int rc = weir_open(&opts);
    if (rc == 0)
        rc = weir_go(tick, NULL, .name = "tick");
    if (rc == 0)
        rc = run_host();
    if (rc < 0)
        fprintf(stderr, "turned: %s\n", weir_err_text(rc));
    const int closed = weir_is_open() ? weir_close(weir_in_ms(1000)) : 0;
    return rc == 0 && closed == 0 ? 0 : 1;
}
