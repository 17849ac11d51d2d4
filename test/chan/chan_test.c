/* SPDX-License-Identifier: MIT */
/* A channel from inside: its invariants hold after every step of random programs, and waiters of
 * every kind are served in the order in which they were queued. */
#include "chan/chan.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static const struct wi_waitable test_waitable = { .what = "test" };

static struct weir_chan *make(size_t cap_elems)
{
    weir_chan *ch;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int), .cap_elems = cap_elems };
    CHECK_EQ(weir_chan_create(&ch, &opts), 0);
    return ch;
}

/* -- against a plain array --------------------------------------------------------------------- */

enum {
    CAP_MAX = 9
};

static void a_buffer_is_a_plain_queue(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (size_t cap = 0; cap <= CAP_MAX; cap++) {
        struct weir_chan *ch = make(cap);
        int model[CAP_MAX + 1];
        size_t count = 0;
        int next = 0;
        for (int step = 0; step < 3000; step++) {
            struct wi_waiter *served = NULL;
            int value = next;
            if (draw_below(&seed, 2) == 0) {
                const int rc = wi_chan_send_locked(ch, &value, &served);
                assert_int_equal(rc, count < cap ? 0 : WEIR_EAGAIN);
                if (rc == 0)
                    model[count++] = next++;
            } else {
                const int rc = wi_chan_recv_locked(ch, &value, &served);
                assert_int_equal(rc, count > 0 ? 0 : WEIR_EAGAIN);
                if (rc == 0) {
                    assert_int_equal(value, model[0]);
                    count--;
                    memmove(model, model + 1, count * sizeof(model[0]));
                }
            }
            assert_null(served);
            assert_int_equal(weir_chan_len(ch), count);
            assert_true(wi_chan_valid(ch));
        }
        weir_chan_destroy(ch);
    }
}

/* -- waiters ----------------------------------------------------------------------------------- */

enum {
    WAITERS = 8
};

struct waiting {
    struct weir_chan *ch;
    bool sends;
    int value;
    weir_time deadline;
    int rc;
};

static int wait_in_channel(void *arg)
{
    struct waiting *self = arg;
    self->rc = self->sends ? weir_chan_send(self->ch, &self->value, self->deadline)
                           : weir_chan_recv(self->ch, &self->value, self->deadline);
    return 0;
}

static void *wait_on_thread(void *arg)
{
    (void)wait_in_channel(arg);
    return NULL;
}

static size_t queued(struct weir_chan *ch, bool senders)
{
    size_t count = 0;
    wi_lock(&ch->lock);
    const struct wi_list *queue = senders ? &ch->senders : &ch->receivers;
    for (const struct wi_list *node = queue->next; node != queue; node = node->next)
        count++;
    wi_unlock(&ch->lock);
    return count;
}

static void await_queued(struct weir_chan *ch, bool senders, size_t count)
{
    while (queued(ch, senders) < count)
        (void)weir_sleep(weir_in_ns(50000));
}

/* Queues tasks and plain threads in turn, and waits until each is in the queue before the next. */
static void queue_up(struct weir_chan *ch, struct waiting *waiting, weir_task **tasks,
                     pthread_t *threads, bool sends)
{
    for (size_t i = 0; i < WAITERS; i++) {
        waiting[i] = (struct waiting){
            .ch = ch, .sends = sends, .value = (int)i, .deadline = WEIR_NO_DEADLINE
        };
        if (i % 2 == 0)
            CHECK_EQ(weir_task_start(&tasks[i], wait_in_channel, &waiting[i]), 0);
        else
            CHECK_EQ(pthread_create(&threads[i], NULL, wait_on_thread, &waiting[i]), 0);
        await_queued(ch, sends, i + 1);
        CHECK(wi_chan_valid(ch));
    }
}

static void join_all(weir_task **tasks, pthread_t *threads)
{
    for (int i = 0; i < WAITERS; i++) {
        if (i % 2 == 0)
            CHECK_EQ(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
        else
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
}

static int receivers_in_order(void *arg)
{
    (void)arg;
    struct weir_chan *ch = make(0);
    struct waiting waiting[WAITERS];
    weir_task *tasks[WAITERS];
    pthread_t threads[WAITERS];
    queue_up(ch, waiting, tasks, threads, false);
    for (int i = 0; i < WAITERS; i++) {
        const int value = 100 + i;
        CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
        CHECK(wi_chan_valid(ch));
    }
    join_all(tasks, threads);
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(waiting[i].rc, 0);
        CHECK_EQ(waiting[i].value, 100 + i);
    }
    weir_chan_destroy(ch);
    return 0;
}

static int senders_in_order(void *arg)
{
    const size_t *cap = arg;
    struct weir_chan *ch = make(*cap);
    struct waiting waiting[WAITERS];
    weir_task *tasks[WAITERS];
    pthread_t threads[WAITERS];
    for (size_t i = 0; i < *cap; i++) {
        const int value = -1;
        CHECK_EQ(weir_chan_send(ch, &value, WEIR_DONT_WAIT), 0);
    }
    queue_up(ch, waiting, tasks, threads, true);
    CHECK_EQ(weir_chan_len(ch), *cap); /* waiting senders are not in the buffer */
    for (size_t i = 0; i < *cap + WAITERS; i++) {
        int value = -2;
        CHECK_EQ(weir_chan_recv(ch, &value, WEIR_DONT_WAIT), 0);
        CHECK_EQ(value, i < *cap ? -1 : (int)(i - *cap));
        CHECK(wi_chan_valid(ch));
    }
    join_all(tasks, threads);
    weir_chan_destroy(ch);
    return 0;
}

static const enum weir_scheduler schedulers[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_TASKS,
                                                  WEIR_SCHEDULER_THREADS };

static void under_every_scheduler(weir_task_fn *body, void *arg)
{
    for (size_t i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++) {
        const struct weir_opts opts = { .scheduler = schedulers[i], .workers = 2 };
        run_body_with(&opts, body, arg);
    }
}

static void receivers_of_every_kind_are_served_first_come_first(void **state)
{
    (void)state;
    under_every_scheduler(receivers_in_order, NULL);
}

static void senders_of_every_kind_are_served_first_come_first(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 3; cap++)
        under_every_scheduler(senders_in_order, &cap);
}

/* A receiver that gave up may still be queued when a sender comes: it is skipped. */
static void a_waiter_that_gave_up_is_skipped_and_gone(void **state)
{
    (void)state;
    struct weir_chan *ch = make(1);
    struct wi_wait wait;
    struct wi_waiter waiter;
    int value = 0;
    wi_wait_init(&wait, &test_waitable, NULL);
    wi_waiter_init(&waiter, &wait, 0, &value);
    wi_list_push_back(&ch->receivers, &waiter.node);
    assert_int_equal(wi_wait(&wait, WEIR_DONT_WAIT, WI_WAIT_CANCELABLE), WEIR_ETIMEDOUT);
    assert_true(wi_chan_valid(ch));
    const int sent = 9;
    assert_int_equal(weir_chan_send(ch, &sent, WEIR_DONT_WAIT), 0);
    assert_int_equal(value, 0);
    assert_int_equal(weir_chan_len(ch), 1);
    wi_list_remove(&waiter.node);
    assert_int_equal(weir_chan_recv(ch, &value, WEIR_DONT_WAIT), 0);
    assert_int_equal(value, 9);
    weir_chan_destroy(ch);
}

/* Destroying a channel somebody waits on is a bug of the caller. */
static void destroy_under_a_waiter(void)
{
    struct weir_chan *ch = make(0);
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init(&wait, &test_waitable, NULL);
    wi_waiter_init(&waiter, &wait, 0, NULL);
    wi_list_push_back(&ch->senders, &waiter.node);
    weir_chan_destroy(ch);
}

static void destroying_under_a_waiter_aborts(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_in_child(destroy_under_a_waiter, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "senders"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_is_a_plain_queue),
        cmocka_unit_test(receivers_of_every_kind_are_served_first_come_first),
        cmocka_unit_test(senders_of_every_kind_are_served_first_come_first),
        cmocka_unit_test(a_waiter_that_gave_up_is_skipped_and_gone),
        cmocka_unit_test(destroying_under_a_waiter_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
