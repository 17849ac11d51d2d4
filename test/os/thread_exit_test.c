/* SPDX-License-Identifier: MIT */
/* What a thread leaves to run at its end: in reverse order, whoever made the thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "os/thread.h"

/* The order in which the calls ran. */
struct record {
    int count;
    int order[8];
};

struct call {
    struct record *record;
    int number;
};

static void note(void *arg)
{
    const struct call *call = arg;
    call->record->order[call->record->count++] = call->number;
}

static void again(void *arg)
{
    wi_os_thread_at_exit(note, arg);
}

static void leave_three(void *arg)
{
    struct call *calls = arg;
    wi_os_thread_at_exit(note, &calls[0]);
    wi_os_thread_at_exit(again, &calls[1]);
    wi_os_thread_at_exit(note, &calls[2]);
}

static void *leave_three_posix(void *arg)
{
    leave_three(arg);
    return NULL;
}

static void expect_order(const struct record *record)
{
    assert_int_equal(record->count, 3);
    assert_int_equal(record->order[0], 2);
    assert_int_equal(record->order[1], 0);
    assert_int_equal(record->order[2], 1); /* left by a call at the end itself */
}

static void calls_run_in_reverse_order_at_the_end_of_our_threads(void **state)
{
    (void)state;
    struct record record = { .count = 0 };
    struct call calls[] = { { &record, 0 }, { &record, 1 }, { &record, 2 } };
    struct wi_os_thread thread;
    assert_int_equal(wi_os_thread_start(&thread, leave_three, calls, 0, "exit"), 0);
    wi_os_thread_join(&thread);
    expect_order(&record);
}

static void and_of_threads_that_others_made(void **state)
{
    (void)state;
    struct record record = { .count = 0 };
    struct call calls[] = { { &record, 0 }, { &record, 1 }, { &record, 2 } };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, leave_three_posix, calls), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    expect_order(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_run_in_reverse_order_at_the_end_of_our_threads),
        cmocka_unit_test(and_of_threads_that_others_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
