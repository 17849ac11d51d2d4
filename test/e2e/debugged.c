/* SPDX-License-Identifier: MIT */
/* What gdb_commands.py looks at: tasks that wait, three calls deep, for a channel, a mutex and each
 * other, one on a thread of its own, and one that runs and calls all_wait() when the rest waits.
 * The scheduler is the first argument; a second one asks for guards that gdb's own core files can
 * live with. */
#include <string.h>

#include "weir/weir.h"

static weir_chan *never;
static weir_mutex *held;
static weir_task *reader;

#define KEPT __attribute__((noinline, noclone))

/* Not a tail call, so that the caller keeps its frame. */
#define NOT_LAST() __asm__ volatile("" ::: "memory")

KEPT static int wait_here(int depth, int (*fn)(void))
{
    int rc;
    if (depth > 0)
        rc = wait_here(depth - 1, fn);
    else
        rc = fn();
    NOT_LAST();
    return rc;
}

static int receive(void)
{
    char byte;
    return weir_chan_recv(never, &byte, WEIR_NO_DEADLINE);
}

static int lock(void)
{
    return weir_mutex_lock(held, WEIR_NO_DEADLINE);
}

static int join(void)
{
    return weir_task_join(reader, NULL, WEIR_NO_DEADLINE);
}

static int read_never(void *arg)
{
    (void)arg;
    return wait_here(2, receive);
}

static int lock_held(void *arg)
{
    (void)arg;
    return wait_here(2, lock);
}

static int join_reader(void *arg)
{
    (void)arg;
    return wait_here(2, join);
}

KEPT void all_wait(void)
{
    NOT_LAST();
}

struct count {
    int waiting;
};

static void count_waiting(void *user, const char *text, size_t bytes)
{
    struct count *count = user;
    if (bytes > 4 && memcmp(text, "    has waited", 14) == 0)
        count->waiting++;
}

static int run(void *arg)
{
    struct count count = { 0 };
    (void)arg;
    if (weir_mutex_lock(held, WEIR_NO_DEADLINE) != 0 ||
        weir_task_start(&reader, read_never, NULL, .name = "reader") != 0 ||
        weir_go(lock_held, NULL, .name = "locker") != 0 ||
        weir_go(join_reader, NULL, .name = "joiner") != 0 ||
        weir_go(read_never, NULL, .name = "on a thread", .blocking = true) != 0)
        return 1;
    /* The main thread's wait counts too. */
    while (count.waiting < 5) {
        count.waiting = 0;
        if (weir_sleep(weir_in_ms(1)) != 0 ||
            weir_dump(count_waiting, &count, &(struct weir_dump_opts){ .bare = true }) != 0)
            return 1;
    }
    all_wait();
    (void)weir_chan_close(never);
    weir_mutex_unlock(held);
    return 0;
}

int main(int argc, char **argv)
{
    struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_TASKS, .workers = 2 };
    if (argc > 1 && strcmp(argv[1], "loop") == 0)
        opts.scheduler = WEIR_SCHEDULER_LOOP;
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        opts.scheduler = WEIR_SCHEDULER_THREADS;
    opts.old_kernel = argc > 2;
    int result = 1;
    if (weir_chan_create(&never, &(struct weir_chan_opts){ .elem_bytes = 1 }) != 0 ||
        weir_mutex_create(&held) != 0 || weir_open(&opts) != 0 || weir_run(run, NULL, &result) != 0)
        return 1;
    return weir_close(WEIR_NO_DEADLINE) == 0 ? result : 1;
}
