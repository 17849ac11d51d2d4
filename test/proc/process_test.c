/* SPDX-License-Identifier: MIT */
/* weir_process: a function in a process of its own. */
#include "weir/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/poll.h"
#include "os/process.h"
#include "os/signal.h"
#include "weir/runtime.h"
#include "weir/task.h"

static int give(void *arg)
{
    return *(int *)arg;
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    wi_atomic_u32 word = { 0 };
    while (wi_load_relaxed(&word) == 0)
        (void)wi_futex_wait(&word, 0, WEIR_NO_DEADLINE);
    return 0;
}

static void the_result_is_the_exit_status_cut_to_a_byte(void **state)
{
    (void)state;
    static const struct {
        int result, status;
    } cases[] = { { 0, 0 }, { 1, 1 }, { 255, 255 }, { 256, 0 }, { 300, 44 }, { -1, 255 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        weir_process *process;
        int result = cases[i].result;
        int status = -1000;
        assert_int_equal(weir_process_start(&process, give, &result), 0);
        assert_true(weir_process_id(process) > 0);
        assert_int_equal(weir_process_join(process, &status, weir_in_ms(10000)), 0);
        assert_int_equal(status, cases[i].status);
    }
}

static int count_up(void *arg)
{
    int *number = arg;
    (*number)++;
    return *number;
}

static void memory_is_a_copy(void **state)
{
    (void)state;
    weir_process *process;
    int number = 41;
    int status;
    assert_int_equal(weir_process_start(&process, count_up, &number), 0);
    assert_int_equal(weir_process_join(process, &status, weir_in_ms(10000)), 0);
    assert_int_equal(status, 42);
    assert_int_equal(number, 41);
}

static void a_signal_is_told_as_its_negative(void **state)
{
    (void)state;
    weir_process *process;
    int status;
    assert_int_equal(weir_process_start(&process, sleep_for_ever, NULL), 0);
    assert_int_equal(weir_process_join(process, &status, weir_in_ms(20)), WEIR_ETIMEDOUT);
    assert_int_equal(weir_process_join(process, &status, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    assert_int_equal(wi_process_signal(weir_process_id(process), wi_signal_kill), 0);
    assert_int_equal(weir_process_join(process, &status, weir_in_ms(10000)), 0);
    assert_int_equal(status, -wi_signal_kill);
}

struct family {
    int told[2]; /* the child tells its own child's id */
    int held[2]; /* ends when the grandchild does */
};

static int be_parent(void *arg)
{
    struct family *family = arg;
    weir_process *inner;
    if (weir_process_start(&inner, sleep_for_ever, NULL) != 0)
        return 1;
    const int id = weir_process_id(inner);
    if (wi_file_write(family->told[1], &id, sizeof(id)) != (int64_t)sizeof(id))
        return 1;
    return sleep_for_ever(NULL);
}

static void a_child_does_not_outlive_its_killed_parent(void **state)
{
    (void)state;
    struct family family;
    weir_process *process;
    int inner_id = 0;
    int status;
    char byte;
    assert_int_equal(wi_pipe_open(family.told, false), 0);
    assert_int_equal(wi_pipe_open(family.held, false), 0);
    assert_int_equal(weir_process_start(&process, be_parent, &family), 0);
    wi_file_close(family.held[1]);
    assert_int_equal(wi_file_read(family.told[0], &inner_id, sizeof(inner_id)), sizeof(inner_id));
    assert_int_equal(wi_process_signal(weir_process_id(process), wi_signal_kill), 0);
    assert_int_equal(weir_process_join(process, &status, weir_in_ms(10000)), 0);
    /* Both held the write end; its end is the end of both. */
    assert_true(wi_poll_one(family.held[0], WI_POLL_READ, weir_in_ms(10000)) > 0);
    assert_int_equal(wi_file_read(family.held[0], &byte, 1), 0);
    wi_file_close(family.held[0]);
    wi_file_close(family.told[0]);
    wi_file_close(family.told[1]);
}

struct join {
    weir_process *process;
    int status;
    int others; /* how often the other task ran meanwhile */
    bool joined;
};

static int tick(void *arg)
{
    struct join *join = arg;
    while (!join->joined) {
        join->others++;
        if (join->others == 5)
            (void)wi_process_signal(weir_process_id(join->process), wi_signal_kill);
        if (weir_sleep(weir_in_ms(1)) != 0)
            break;
    }
    return 0;
}

static int join_in_task(void *arg)
{
    struct join *join = arg;
    const int rc = weir_process_join(join->process, &join->status, weir_in_ms(10000));
    join->joined = true;
    return rc;
}

static int join_beside_a_ticker(void *arg)
{
    if (weir_go(tick, arg) != 0)
        return -1;
    return join_in_task(arg);
}

static void a_task_parks_in_join(void **state)
{
    (void)state;
    struct join join = { 0 };
    int result = -1;
    assert_int_equal(weir_process_start(&join.process, sleep_for_ever, NULL), 0);
    assert_int_equal(weir_open(&(struct weir_opts){ .scheduler = WEIR_SCHEDULER_LOOP }), 0);
    assert_int_equal(weir_run(join_beside_a_ticker, &join, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(join.status, -wi_signal_kill);
    assert_true(join.others >= 5);
    assert_int_equal(weir_close(weir_in_ms(10000)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_result_is_the_exit_status_cut_to_a_byte),
        cmocka_unit_test(memory_is_a_copy),
        cmocka_unit_test(a_signal_is_told_as_its_negative),
        cmocka_unit_test(a_child_does_not_outlive_its_killed_parent),
        cmocka_unit_test(a_task_parks_in_join),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
