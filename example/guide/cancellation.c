/* SPDX-License-Identifier: MIT */
/* What ends waits, what the waits say, and what goes on all the same.  Guide:
 * doc/guide/cancellation.md, which has what this prints. */

#include "program.h"

#define FOREVER WEIR_NO_DEADLINE

static weir_chan *ch;
static weir_mutex *mutex;

static void say(const char *what, int rc)
{
    printf("    %-44s %s\n", what, rc == 0 ? "0" : weir_err_name(rc));
}

static int receive(weir_time deadline)
{
    int n;
    return weir_chan_recv_of(ch, &n, deadline);
}

static int save(void *arg)
{
    (void)arg;
    say("a wait in a shield", weir_sleep(weir_in_ms(1)));
    return 0;
}

static void clean_up(void *arg)
{
    (void)arg;
    say("a wait in a deferred handler", weir_sleep(weir_in_ms(1)));
}

static int succeed(void *arg)
{
    (void)arg;
    return 0;
}

static int be_canceled(void *arg)
{
    (void)arg;
    must(weir_defer(clean_up, NULL));
    say("the wait", receive(FOREVER));
    say("weir_cancel_cause()", weir_cancel_cause());
    say("the next wait", weir_sleep(FOREVER));
    say("a try", receive(WEIR_DONT_WAIT));
    say("a spawn", weir_go(succeed, NULL));
    say("a lock", weir_mutex_lock(mutex, FOREVER));
    weir_mutex_unlock(mutex);
    must(weir_shield(save, NULL, weir_in_ms(60000)));
    say("after the shield", receive(FOREVER));
    return WEIR_ECANCELED;
}

static void cancel_a_scope(void)
{
    printf("the scope is canceled because of overload:\n");
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    must(weir_go(be_canceled, NULL));
    weir_scope_cancel(scope, WEIR_ESHED);
    say("weir_scope_close()", weir_scope_close(scope, FOREVER));
}

static int receive_one(void *arg)
{
    int n;
    return weir_chan_recv_of((weir_chan *)arg, &n, FOREVER);
}

static void cancel_a_task(void)
{
    printf("one task is canceled:\n");
    weir_task *task;
    int result;
    must(weir_task_start(&task, receive_one, ch));
    weir_task_cancel(task, WEIR_ECANCELED);
    say("weir_task_join()", weir_task_join(task, &result, FOREVER));
    say("what the task returned", result);
}

static int fail(void *arg)
{
    (void)arg;
    return WEIR_EIO;
}

static void fail_in_a_scope(void)
{
    printf("a sibling fails:\n");
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    must(weir_go(fail, NULL));
    say("a wait in the scope's body", receive(FOREVER));
    say("weir_scope_close()", weir_scope_close(scope, FOREVER));
    say("the next wait", weir_sleep(weir_in_ms(1)));
}

static void time_out(void)
{
    printf("a timeout of 1 ms:\n");
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, weir_in_ms(1));
    const int rc = receive(FOREVER);
    say("the wait", rc);
    say("weir_cancel_cause()", weir_cancel_cause());
    say("weir_timeout_end()", weir_timeout_end(&timeout, rc));
    say("the next wait", weir_sleep(weir_in_ms(1)));
}

static void pass_a_deadline(void)
{
    printf("a deadline of the call's own:\n");
    say("the wait", receive(weir_in_ms(1)));
    say("weir_cancel_cause()", weir_cancel_cause());
    say("the next wait", weir_sleep(weir_in_ms(1)));
}

/* A receiver is canceled while somebody sends: it has the message, or the channel still does. */
static void lose_nothing(void)
{
    weir_chan *buffered;
    int there = 0;
    must(weir_chan_create(&buffered,
                          &(struct weir_chan_opts){ .elem_bytes = sizeof(int), .cap_elems = 1 }));
    for (int i = 0; i < 100; i++) {
        weir_task *task;
        int result, n;
        must(weir_task_start(&task, receive_one, buffered));
        must(weir_yield());
        weir_task_cancel(task, WEIR_ECANCELED);
        must(weir_chan_send_of(buffered, &i, FOREVER));
        must(weir_task_join(task, &result, FOREVER));
        there += result == 0 || weir_chan_recv_of(buffered, &n, WEIR_DONT_WAIT) == 0;
    }
    weir_chan_destroy(buffered);
    printf("of 100 messages sent to receivers that are canceled, %d are there\n", there);
}

static void close_the_channel(void)
{
    printf("the channel is closed:\n");
    weir_chan_close(ch);
    say("a wait on it", receive(FOREVER));
    say("the next wait on something else", weir_sleep(weir_in_ms(1)));
}

static int program(void *arg)
{
    (void)arg;
    must(weir_chan_create(&ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }));
    must(weir_mutex_create(&mutex));
    cancel_a_scope();
    cancel_a_task();
    fail_in_a_scope();
    time_out();
    pass_a_deadline();
    close_the_channel();
    lose_nothing();
    weir_mutex_destroy(mutex);
    weir_chan_destroy(ch);
    return 0;
}
