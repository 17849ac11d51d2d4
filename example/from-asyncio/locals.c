/* SPDX-License-Identifier: MIT */
/* Task-locals: a task begins with its creator's values and changes its own.
 * Guide: doc/guide/coming-from-asyncio.md. */

#include "../guide/program.h"

static weir_local *user;

static const char *get_user(void)
{
    const char *name = weir_local_get(user);
    return name != NULL ? name : "nobody";
}

static void print_in_thread(void *arg)
{
    (void)arg;
    printf("its thread has %s\n", get_user());
}

static int work(void *arg)
{
    (void)arg;
    printf("the task began with %s\n", get_user());
    must(weir_local_set(user, "eve"));
    printf("the task has %s\n", get_user());
    return weir_blocking(NULL, print_in_thread, NULL, WEIR_NO_DEADLINE);
}

static int program(void *arg)
{
    (void)arg;
    weir_task *task;
    must(weir_local_create(&user, NULL));
    printf("at first %s\n", get_user());
    must(weir_local_set(user, "ada"));
    must(weir_task_start(&task, work, NULL));
    must(weir_task_join(task, NULL, WEIR_NO_DEADLINE));
    printf("its creator has %s\n", get_user());
    return 0;
}
