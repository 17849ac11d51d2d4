/* SPDX-License-Identifier: MIT */
/* Tasks and threads side by side; see crowd.h. */
#include "support/crowd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

void crowd_task(struct crowd *crowd, weir_task_fn *fn, void *arg)
{
    CHECK(crowd->task_count < CROWD_MAX);
    CHECK_EQ(weir_task_start(&crowd->tasks[crowd->task_count++], fn, arg), 0);
}

static void *run_on_thread(void *arg)
{
    struct crowd_thread *self = arg;
    self->result = self->fn(self->arg);
    post(&self->ended, 1);
    return NULL;
}

void crowd_thread(struct crowd *crowd, weir_task_fn *fn, void *arg)
{
    CHECK(crowd->thread_count < CROWD_MAX);
    struct crowd_thread *thread = &crowd->threads[crowd->thread_count++];
    thread->fn = fn;
    thread->arg = arg;
    CHECK_EQ(pthread_create(&thread->thread, NULL, run_on_thread, thread), 0);
}

void crowd_start(struct crowd *crowd, int tasks, int threads, weir_task_fn *fn, void *arg)
{
    for (int i = 0; i < tasks; i++)
        crowd_task(crowd, fn, arg);
    for (int i = 0; i < threads; i++)
        crowd_thread(crowd, fn, arg);
}

void crowd_join(struct crowd *crowd)
{
    for (int i = 0; i < crowd->task_count; i++) {
        int result = 1;
        CHECK_EQ(weir_task_join(crowd->tasks[i], &result, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(result, 0);
    }
    for (int i = 0; i < crowd->thread_count; i++) {
        await(&crowd->threads[i].ended, 1); /* parks: joining blocks a thread that others need */
        CHECK_EQ(pthread_join(crowd->threads[i].thread, NULL), 0);
        CHECK_EQ(crowd->threads[i].result, 0);
    }
    *crowd = (struct crowd){ .task_count = 0 };
}

static weir_task_fn *misuse; /* what the child does */

static void commit_misuse(void)
{
    run_body(misuse, NULL);
}

void expect_misuse_of(weir_task_fn *body, const char *what)
{
    char text[4096];
    misuse = body;
    const int status = run_in_child(commit_misuse, text, sizeof(text));
    const bool as_expected = status == 128 + SIGABRT && strstr(text, what) != NULL;
    if (!as_expected)
        fprintf(stderr, "status %d, standard error:\n%s", status, text);
    CHECK(as_expected);
}
