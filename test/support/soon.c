/* SPDX-License-Identifier: MIT */
/* How soon a task wakes, beside a plain wake; see soon.h. */
#include "support/soon.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/run.h"

enum {
    ATTEMPTS = 5
};

struct sample {
    int64_t *took;
    int count;
    int late;
};

struct listener {
    weir_chan *ch;
    int started;
    weir_time woken;
};

static int listen_once(void *arg)
{
    struct listener *listener = arg;
    int item = 0;
    bump(&listener->started);
    CHECK_EQ(weir_chan_recv(listener->ch, &item, WEIR_NO_DEADLINE), 0);
    listener->woken = weir_now();
    return 0;
}

static int64_t wake_plainly(weir_chan *ch)
{
    struct listener listener = { .ch = ch };
    weir_task *task;
    const int item = 1;
    CHECK_EQ(weir_task_start(&task, listen_once, &listener), 0);
    await(&listener.started, 1);
    CHECK_EQ(weir_yield(), 0);
    const weir_time before = weir_now();
    CHECK_EQ(weir_chan_send(ch, &item, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return listener.woken - before;
}

static void add(struct sample *sample, int64_t took)
{
    sample->took[sample->count++] = took;
    sample->late += took > SOON_NS;
}

static int by_value(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void say(const char *what, struct sample *sample)
{
    qsort(sample->took, (size_t)sample->count, sizeof(sample->took[0]), by_value);
    printf("%s: %s: p50 %.1f us, p99 %.1f us, %d of %d above 5 ms\n", model_name(), what,
           (double)sample->took[sample->count / 2] / 1e3,
           (double)sample->took[sample->count - 1 - sample->count / 100] / 1e3, sample->late,
           sample->count);
}

static bool attempt(const char *what, int tries, int64_t (*once)(void *arg), void *arg)
{
    struct sample tried = { .took = calloc((size_t)tries, sizeof(int64_t)) };
    struct sample plain = { .took = calloc((size_t)tries, sizeof(int64_t)) };
    weir_chan *ch;
    CHECK(tried.took != NULL && plain.took != NULL);
    CHECK_EQ(weir_chan_create(&ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }), 0);
    for (int i = 0; i < tries; i++) {
        add(&tried, once(arg));
        add(&plain, wake_plainly(ch));
    }
    say(what, &tried);
    say("  a plain wake beside it", &plain);
    const bool soon = tried.late <= tries / 100 + 2 + 2 * plain.late;
    weir_chan_destroy(ch);
    free(plain.took);
    free(tried.took);
    return soon;
}

void expect_soon(const char *what, int tries, int64_t (*once)(void *arg), void *arg)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        if (attempt(what, tries, once, arg))
            return;
    }
    check_failed(__FILE__, __LINE__, "it comes as soon as a plain wake");
}
