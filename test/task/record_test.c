/* SPDX-License-Identifier: MIT */
/* Records of tasks: used again, given back when run and handle have let go, bounded, all found. */
#include "task/record.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static const struct weir_opts loop_opts = { .scheduler = WEIR_SCHEDULER_LOOP };

static int give_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void a_record_is_used_again_once_run_and_handle_let_go(void **state)
{
    (void)state;
    runtime_open(&loop_opts);
    weir_task *first;
    weir_task *second;
    assert_int_equal(weir_task_start(&first, give_nothing, NULL), 0);
    while (wi_task_count_live() > 0 && !wi_task_is(first, WI_TASK_FINISHED))
        IGNORE(weir_turn(WEIR_DONT_WAIT));
    assert_int_equal(weir_task_start(&second, give_nothing, NULL), 0);
    assert_ptr_not_equal(first, second); /* the handle keeps the record */
    const uint64_t number = wi_task_id(first);
    assert_int_equal(weir_task_join(first, NULL, WEIR_NO_DEADLINE), 0);
    assert_int_equal(weir_task_join(second, NULL, WEIR_NO_DEADLINE), 0);
    weir_task *third;
    assert_int_equal(weir_task_start(&third, give_nothing, NULL), 0);
    assert_true(third == first || third == second);
    assert_true(wi_task_id(third) > number);
    assert_int_equal(weir_task_join(third, NULL, WEIR_NO_DEADLINE), 0);
    assert_int_equal(wi_task_count_live(), 0);
    runtime_close();
}

/* Foreign threads and tasks take records and give them back in all combinations. */
static void *start_from_thread(void *arg)
{
    for (int i = 0; i < 500; i++) {
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, give_nothing, arg), 0);
        if (i % 2 == 0)
            CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        else
            weir_task_release(task);
    }
    return NULL;
}

static int start_from_task(void *arg)
{
    (void)start_from_thread(arg);
    return 0;
}

static void records_travel_between_workers_and_threads(void **state)
{
    (void)state;
    const struct weir_opts opts = { .workers = 2 };
    pthread_t threads[2];
    runtime_open(&opts);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weir_go(start_from_task, NULL), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, start_from_thread, NULL), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    while (wi_task_count_live() > 0)
        (void)weir_sleep(weir_in_ms(1));
    assert_int_equal(wi_task_count_started(), 2002);
    runtime_close();
}

static void there_are_no_more_records_than_tasks_max(void **state)
{
    (void)state;
    enum {
        TASKS = 3
    };
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP, .tasks_max = TASKS };
    /* The second runtime takes the chunks of the first over. */
    for (int round = 0; round < 2; round++) {
        weir_task *tasks[TASKS];
        weir_task *refused;
        runtime_open(&opts);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(weir_task_start(&tasks[i], give_nothing, NULL), 0);
        assert_int_equal(weir_task_start(&refused, give_nothing, NULL), WEIR_EOVERFLOW);
        assert_int_equal(weir_task_join(tasks[0], NULL, WEIR_NO_DEADLINE), 0);
        assert_int_equal(weir_task_start(&tasks[0], give_nothing, NULL), 0);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
        runtime_close();
    }
}

struct search {
    const struct weir_task *wanted;
    int seen;
    int found;
};

static bool look(struct weir_task *task, void *arg)
{
    struct search *search = arg;
    search->seen++;
    search->found += task == search->wanted;
    return search->found == 0 || search->wanted == NULL;
}

static void every_record_is_found_once_and_by_its_parker(void **state)
{
    (void)state;
    enum {
        TASKS = 1000 /* of several chunks */
    };
    static weir_task *tasks[TASKS];
    runtime_open(&loop_opts);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(weir_task_start(&tasks[i], give_nothing, NULL), 0);
    for (int i = 0; i < TASKS; i += 37) {
        struct search search = { .wanted = tasks[i] };
        wi_records_each(look, &search);
        assert_int_equal(search.found, 1);
        assert_ptr_equal(wi_task_of_parker(&tasks[i]->parker), tasks[i]);
    }
    struct search all = { .wanted = NULL };
    wi_records_each(look, &all);
    assert_true(all.seen >= TASKS);
    struct wi_parker nobodys;
    assert_null(wi_task_of_parker(&nobodys));
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
    runtime_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_used_again_once_run_and_handle_let_go),
        cmocka_unit_test(records_travel_between_workers_and_threads),
        cmocka_unit_test(there_are_no_more_records_than_tasks_max),
        cmocka_unit_test(every_record_is_found_once_and_by_its_parker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
