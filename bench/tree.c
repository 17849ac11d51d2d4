/* SPDX-License-Identifier: MIT */
/* A tree of tasks that compute, and the same tree of plain threads: bench/tree.py compares how much
 * faster a second core makes either.
 *
 *     tree tasks|pthreads LEVELS WORKERS        prints milliseconds and the result
 *
 * Each inner node starts one half of its tree as a task or thread of its own, does the other half
 * itself, and joins the first.  A leaf computes for about a millisecond, at most twice as long as
 * another, depending on its number alone.  WORKERS is weir's; threads have as many cores as the
 * caller leaves them.  No memory is shared but the result of a half, which its node reads.
 *
 * Threads: each node is a task or a thread; struct half belongs to it until it is joined. */

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define LEVELS_MAX 12
#define WORKERS_MAX 64
#define LEAF_STEPS 250000u

struct half {
    int levels;      /* below it; a leaf has none */
    uint32_t number; /* of the node, as in a heap: the root is 1 */
    uint64_t result;
};

static void need(const char *what, int code)
{
    if (code >= 0)
        return;
    fprintf(stderr, "tree: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

/* Each step needs the one before it, so that nothing but the core's clock decides. */
static uint64_t leaf(uint32_t number)
{
    const uint32_t more = number * 2654435761u % LEAF_STEPS;
    uint64_t state = number;
    for (uint32_t i = 0; i < LEAF_STEPS + more; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    return state;
}

static struct half below(const struct half *half, unsigned which)
{
    return (struct half){ half->levels - 1, half->number * 2 + which, 0 };
}

static int as_tasks(void *arg)
{
    struct half *half = arg;
    if (half->levels == 0) {
        half->result = leaf(half->number);
        return 0;
    }
    struct half left = below(half, 0);
    struct half right = below(half, 1);
    weir_task *task;
    need("start", weir_task_start(&task, as_tasks, &left));
    (void)as_tasks(&right);
    need("join", weir_task_join(task, NULL, WEIR_NO_DEADLINE));
    half->result = left.result + right.result;
    return 0;
}

static void *as_threads(void *arg)
{
    struct half *half = arg;
    if (half->levels == 0) {
        half->result = leaf(half->number);
        return NULL;
    }
    struct half left = below(half, 0);
    struct half right = below(half, 1);
    pthread_t thread;
    need("thread", -pthread_create(&thread, NULL, as_threads, &left));
    (void)as_threads(&right);
    need("join", -pthread_join(thread, NULL));
    half->result = left.result + right.result;
    return NULL;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: tree tasks|pthreads LEVELS WORKERS\nLEVELS: 0 to %d; WORKERS: 1 to %d\n",
            LEVELS_MAX, WORKERS_MAX);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return usage();
    const bool tasks = strcmp(argv[1], "tasks") == 0;
    const long levels = strtol(argv[2], NULL, 10);
    const long workers = strtol(argv[3], NULL, 10);
    if ((!tasks && strcmp(argv[1], "pthreads") != 0) || levels < 0 || levels > LEVELS_MAX ||
        workers < 1 || workers > WORKERS_MAX)
        return usage();

    struct half root = { (int)levels, 1, 0 };
    if (tasks)
        need("open", weir_open(&(struct weir_opts){ .workers = (int)workers }));
    const weir_time begin = weir_now();
    if (tasks)
        need("run", weir_run(as_tasks, &root, NULL));
    else
        (void)as_threads(&root);
    const weir_time end = weir_now();
    if (tasks)
        need("close", weir_close(weir_in_ms(10000)));
    printf("%.3f %llx\n", (double)(end - begin) / (double)WEIR_NS_PER_MS,
           (unsigned long long)root.result);
    return 0;
}
