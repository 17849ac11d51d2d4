/* SPDX-License-Identifier: MIT */
/* The scheduler: wakes from everywhere find a sleeping worker, and a worker is taken only from a
 * thread that is outside the runtime. */
#include "task/worker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "chan/chan.h"
#include "support/run.h"
#include "task/rt.h"

static int count_run(void *arg)
{
    bump(arg);
    return 0;
}

/* -- waking ------------------------------------------------------------------------------------ */

/* Every worker goes to sleep between any two of these; a lost wake would hang here. */
static void *wake_from_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        weir_task *task;
        int ran = 0;
        CHECK_EQ(weir_task_start(&task, count_run, &ran), 0);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(ran, 1);
    }
    return NULL;
}

static void sleeping_workers_hear_of_every_task(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        const struct weir_opts opts = { .workers = workers };
        pthread_t threads[2];
        runtime_open(&opts);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, wake_from_thread, NULL), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        runtime_close();
    }
}

/* What a waker leaves in its worker's slot waits for the waker to park.  Where slices are long, a
 * worker that sleeps is sent for it at once: when the send returns it is on its way, or it has been
 * there. */
static int receive_one(void *arg)
{
    int value;
    return weir_chan_recv(arg, &value, WEIR_NO_DEADLINE);
}

static int wake_in_a_long_slice(void *arg)
{
    struct weir_chan *ch = arg;
    const int value = 1;
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, receive_one, ch), 0);
    for (bool waits = false; !waits;) {
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
        wi_lock(&ch->lock);
        waits = !wi_list_empty(&ch->receivers);
        wi_unlock(&ch->lock);
    }
    /* Both workers sleep if the monitor took this one from a task that it found too long. */
    while (wi_load_seq_cst(&wi_rt.idle_count) == 0 || wi_load_seq_cst(&wi_rt.searching) != 0) {
    }
    struct wi_worker *worker = wi_worker_enter();
    if (worker != NULL)
        worker->slice_mean_ns = WEIR_NS_PER_MS;
    wi_worker_leave(worker);
    CHECK_EQ(weir_chan_send(ch, &value, WEIR_NO_DEADLINE), 0);
    const bool sent_for = wi_load_seq_cst(&wi_rt.searching) != 0;
    /* Without a worker (a long pause of the machine made it a hog) there is nothing to see. */
    CHECK(worker == NULL || sent_for || wi_load_seq_cst(&worker->next) == NULL);
    return weir_task_join(task, NULL, WEIR_NO_DEADLINE);
}

static void a_long_slice_sends_for_a_sleeping_worker(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        const struct weir_opts opts = { .workers = 2 };
        const struct weir_chan_opts chan_opts = { .elem_bytes = sizeof(int) };
        weir_chan *ch;
        assert_int_equal(weir_chan_create(&ch, &chan_opts), 0);
        run_body_with(&opts, wake_in_a_long_slice, ch);
        weir_chan_destroy(ch);
    }
}

/* -- ownership --------------------------------------------------------------------------------- */

static int enter_and_leave(void *arg)
{
    (void)arg;
    struct wi_worker *worker = wi_worker_enter();
    CHECK(worker != NULL);
    struct wi_worker *other = &wi_rt.workers[1 - worker->index];
    struct wi_thread *thread = wi_thread_self();
    CHECK(wi_load_relaxed(&worker->holder) == thread);
    CHECK_EQ(wi_load_relaxed(&thread->state), WI_STATE_RUNTIME);
    CHECK(wi_worker_enter() == worker); /* nests */
    wi_worker_leave(worker);
    CHECK_EQ(wi_load_relaxed(&thread->state), WI_STATE_RUNTIME);
    wi_worker_leave(worker);
    CHECK_EQ(wi_load_relaxed(&thread->state), WI_STATE_USER);
    CHECK(!wi_worker_take(other)); /* idle: its holder is inside the runtime */
    return 0;
}

static void the_state_is_runtime_inside_and_user_outside(void **state)
{
    (void)state;
    assert_null(wi_worker_enter());
    const struct weir_opts opts = { .workers = 2 };
    run_body_with(&opts, enter_and_leave, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeping_workers_hear_of_every_task),
        cmocka_unit_test(a_long_slice_sends_for_a_sleeping_worker),
        cmocka_unit_test(the_state_is_runtime_inside_and_user_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
