/* SPDX-License-Identifier: MIT */
/* Numbers: sums over the living, totals over the dead. */
#include "app/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t get(const struct wi_numbers *numbers, enum wi_number number)
{
    return wi_load_relaxed(&numbers->value[number]);
}

static struct wi_numbers filled(int64_t value)
{
    struct wi_numbers numbers = { 0 };
    for (int i = 0; i < WI_NUMBERS; i++)
        wi_store_relaxed(&numbers.value[i], value);
    return numbers;
}

static void the_dead_leave_their_counters_and_no_gauge(void **state)
{
    (void)state;
    struct wi_numbers total = { 0 };
    const struct wi_numbers dead = filled(7);
    wi_numbers_fold(&total, &dead);
    wi_numbers_fold(&total, &dead);
    assert_int_equal(get(&total, WI_N_REQUESTS), 14);
    assert_int_equal(get(&total, WI_N_LOOP_BLOCKED), 14);
    assert_int_equal(get(&total, WI_N_RUNNING), 0);
    assert_int_equal(get(&total, WI_N_CONNECTIONS), 0);
    assert_int_equal(get(&total, WI_N_LOOP_LAG), 0);
}

static void the_living_are_summed_and_the_worst_lag_kept(void **state)
{
    (void)state;
    struct wi_numbers sum = { 0 };
    struct wi_numbers left = filled(3);
    struct wi_numbers right = filled(5);
    (void)strcpy(left.poller, "epoll");
    (void)strcpy(right.stack_guard, "install");
    wi_numbers_add(&sum, &left);
    wi_numbers_add(&sum, &right);
    assert_int_equal(get(&sum, WI_N_REQUESTS), 8);
    assert_int_equal(get(&sum, WI_N_RUNNING), 8);
    assert_int_equal(get(&sum, WI_N_LOOP_LAG), 5);
    assert_string_equal(sum.poller, "epoll");
    assert_string_equal(sum.stack_guard, "install");
}

static void what_server_and_runtime_tell_lands_in_its_row(void **state)
{
    (void)state;
    struct wi_numbers numbers = { 0 };
    wi_numbers_take_server(
        &numbers, &(struct weir_server_stats){
                      .requests = 1, .shed_age = 2, .idle_connections = 3, .bytes_out = 4 });
    wi_numbers_take_runtime(&numbers, &(struct weir_runtime_stats){
                                          .tasks_live = 5,
                                          .hogs_relieved = 6,
                                          .log_lines_dropped = 7,
                                          .stack_guard = "canary",
                                          .poller = "a very long name of a poller that is cut",
                                      });
    assert_int_equal(get(&numbers, WI_N_REQUESTS), 1);
    assert_int_equal(get(&numbers, WI_N_SHED_AGE), 2);
    assert_int_equal(get(&numbers, WI_N_IDLE_CONNECTIONS), 3);
    assert_int_equal(get(&numbers, WI_N_BYTES_OUT), 4);
    assert_int_equal(get(&numbers, WI_N_TASKS_LIVE), 5);
    assert_int_equal(get(&numbers, WI_N_HOGS_RELIEVED), 6);
    assert_int_equal(get(&numbers, WI_N_LOG_DROPPED), 7);
    assert_string_equal(numbers.stack_guard, "canary");
    assert_int_equal(strlen(numbers.poller), WI_KIND_TEXT_BYTES - 1);
}

static void rows_of_one_metric_stand_together(void **state)
{
    (void)state;
    for (int i = 1; i < WI_NUMBERS; i++) {
        for (int j = 0; j < i - 1; j++) {
            if (strcmp(wi_number_rows[i].metric, wi_number_rows[j].metric) == 0)
                assert_string_equal(wi_number_rows[i].metric, wi_number_rows[i - 1].metric);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dead_leave_their_counters_and_no_gauge),
        cmocka_unit_test(the_living_are_summed_and_the_worst_lag_kept),
        cmocka_unit_test(what_server_and_runtime_tell_lands_in_its_row),
        cmocka_unit_test(rows_of_one_metric_stand_together),
    };
    return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
