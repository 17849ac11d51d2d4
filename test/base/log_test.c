/* SPDX-License-Identifier: MIT */
/* The log's ring: order, bounds, counted drops, many writers. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

enum {
    KEPT = 1024
};

/* What the sink was handed. */
static struct {
    int count;
    enum wi_log_level level[KEPT];
    int64_t stamp[KEPT];
    size_t bytes[KEPT];
    char text[KEPT][WI_LOG_LINE_BYTES];
} heard;

static void hear(const struct wi_log_line *line, void *user)
{
    assert_ptr_equal(user, &heard);
    assert_true(heard.count < KEPT);
    assert_int_equal(strlen(line->text), line->bytes);
    heard.level[heard.count] = line->level;
    heard.stamp[heard.count] = line->stamp;
    heard.bytes[heard.count] = line->bytes;
    memcpy(heard.text[heard.count], line->text, line->bytes + 1);
    heard.count++;
}

static int drain_at(weir_time now)
{
    heard.count = 0;
    return wi_log_drain(now, hear, &heard);
}

static int64_t clock_of_test(void)
{
    return 1234;
}

static int set_up(void **state)
{
    (void)state;
    wi_log_reset();
    wi_log_threshold_set(WI_LOG_INFO);
    wi_log_open(clock_of_test);
    return 0;
}

static void lines_come_out_in_order_with_level_and_stamp(void **state)
{
    (void)state;
    wi_log(WI_LOG_ERROR, "first %d", 1);
    wi_log(WI_LOG_INFO, "second");
    assert_int_equal(drain_at(1), 2);
    assert_string_equal(heard.text[0], "first 1");
    assert_int_equal(heard.level[0], WI_LOG_ERROR);
    assert_int_equal(heard.stamp[0], 1234);
    assert_string_equal(heard.text[1], "second");
    assert_int_equal(drain_at(2), 0);
}

static void the_threshold_cuts(void **state)
{
    (void)state;
    wi_log(WI_LOG_DEBUG, "no");
    assert_false(wi_log_enabled(WI_LOG_DEBUG));
    wi_log_threshold_set(WI_LOG_DEBUG);
    wi_log(WI_LOG_DEBUG, "yes");
    wi_log_threshold_set(WI_LOG_ERROR);
    wi_log(WI_LOG_WARN, "no");
    assert_int_equal(drain_at(1), 1);
    assert_string_equal(heard.text[0], "yes");
    assert_int_equal(wi_log_dropped(), 0);
    assert_string_equal(wi_log_level_name(WI_LOG_WARN), "warn");
}

static void a_long_line_is_cut_and_control_characters_are_shown_as_marks(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    wi_log(WI_LOG_INFO, "%s", text);
    wi_log(WI_LOG_INFO, "path=%s", "/x\r\n2024 forged\x7f\x1b[31m");
    assert_int_equal(drain_at(1), 2);
    assert_int_equal(heard.bytes[0], WI_LOG_LINE_BYTES - 1);
    assert_string_equal(heard.text[1], "path=/x??2024 forged??[31m");
}

static void a_full_ring_drops_the_newest_and_says_how_many(void **state)
{
    (void)state;
    for (int i = 0; i < WI_LOG_LINES + 10; i++)
        wi_log(WI_LOG_INFO, "%d", i);
    assert_int_equal(wi_log_dropped(), 10);
    assert_int_equal(drain_at(1), WI_LOG_LINES + 1);
    assert_string_equal(heard.text[0], "0");
    assert_string_equal(heard.text[WI_LOG_LINES - 1], "255");
    assert_string_equal(heard.text[WI_LOG_LINES], "10 log lines were dropped");
    wi_log(WI_LOG_INFO, "again");
    assert_int_equal(drain_at(2), 1);
}

static void drops_are_told_at_most_once_a_second(void **state)
{
    (void)state;
    const weir_time start = 5 * WEIR_NS_PER_S;
    int told = 0;
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < WI_LOG_LINES + 1; i++)
            wi_log(WI_LOG_INFO, "x");
        told += drain_at(start + round * WEIR_NS_PER_S / 10) - WI_LOG_LINES;
    }
    assert_int_equal(told, 3);
    assert_int_equal(drain_at(start + 10 * WEIR_NS_PER_S), 1);
    assert_string_equal(heard.text[0], "9 log lines were dropped"); /* rounds 21 to 29 */
    assert_int_equal(wi_log_dropped(), 30);
}

static void without_a_drainer_lines_are_only_counted(void **state)
{
    (void)state;
    heard.count = 0;
    wi_log(WI_LOG_INFO, "left");
    wi_log_close(1, hear, &heard);
    assert_int_equal(heard.count, 1);
    wi_log(WI_LOG_INFO, "lost");
    wi_log(WI_LOG_DEBUG, "below the threshold");
    assert_int_equal(wi_log_dropped(), 1);
    wi_log_open(NULL);
    assert_int_equal(drain_at(10 * WEIR_NS_PER_S), 1);
    assert_string_equal(heard.text[0], "1 log lines were dropped");
}

static void a_limited_message_passes_once_a_second_with_its_count(void **state)
{
    (void)state;
    struct wi_log_limit limit = { .next = { 0 } };
    struct wi_log_limit other = { .next = { 0 } };
    const weir_time start = 100 * WEIR_NS_PER_S;
    for (int i = 0; i < 50; i++)
        wi_log_limited(&limit, start + i, WI_LOG_WARN, "no descriptor left");
    wi_log_limited(&other, start, WI_LOG_WARN, "another");
    wi_log_limited(&limit, start + WEIR_NS_PER_S, WI_LOG_WARN, "no descriptor left");
    wi_log_limited(&limit, start + 2 * WEIR_NS_PER_S, WI_LOG_WARN, "no descriptor left");
    assert_int_equal(drain_at(1), 4);
    assert_string_equal(heard.text[0], "no descriptor left");
    assert_string_equal(heard.text[1], "another");
    assert_string_equal(heard.text[2], "no descriptor left (49 more)");
    assert_string_equal(heard.text[3], "no descriptor left");
}

static void the_count_fits_even_a_long_limited_line(void **state)
{
    (void)state;
    struct wi_log_limit limit = { .next = { 0 } };
    char text[2000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    wi_log_limited(&limit, 1, WI_LOG_WARN, "%s", text);
    wi_log_limited(&limit, 2, WI_LOG_WARN, "%s", text);
    wi_log_limited(&limit, 2 * WEIR_NS_PER_S, WI_LOG_WARN, "%s", text);
    assert_int_equal(drain_at(1), 2);
    assert_int_equal(heard.bytes[1], WI_LOG_LINE_BYTES - 1);
    assert_non_null(strstr(heard.text[1], "aaa (1 more)"));
}

enum {
    WRITERS = 3,
    LINES_EACH = 20000
};

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES_EACH; i++)
        wi_log(WI_LOG_INFO, "writer %d line %d of a text that is copied whole", *(int *)arg, i);
    return NULL;
}

struct count {
    int lines;
    int last[WRITERS];
};

static void check_line(const struct wi_log_line *line, void *user)
{
    struct count *count = user;
    int writer;
    int number;
    int end = 0;
    if (sscanf(line->text, "writer %d line %d of a text that is copied whole%n", &writer, &number,
               &end) != 2)
        return; /* the report of drops */
    assert_int_equal(end, line->bytes);
    assert_true(number > count->last[writer]);
    count->last[writer] = number;
    count->lines++;
}

static void every_line_of_many_writers_is_heard_whole_or_counted(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    struct count count = { 0, { -1, -1, -1 } };
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    while ((uint64_t)count.lines + wi_log_dropped() < WRITERS * LINES_EACH) {
        if (wi_log_drain(0, check_line, &count) == 0)
            sched_yield();
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wi_log_drain(0, check_line, &count), 0);
    assert_true(count.lines > 0);
    assert_int_equal((uint64_t)count.lines + wi_log_dropped(), WRITERS * LINES_EACH);
}

int main(void)
{
#define FIXTURE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        FIXTURE(lines_come_out_in_order_with_level_and_stamp),
        FIXTURE(the_threshold_cuts),
        FIXTURE(a_long_line_is_cut_and_control_characters_are_shown_as_marks),
        FIXTURE(a_full_ring_drops_the_newest_and_says_how_many),
        FIXTURE(drops_are_told_at_most_once_a_second),
        FIXTURE(without_a_drainer_lines_are_only_counted),
        FIXTURE(a_limited_message_passes_once_a_second_with_its_count),
        FIXTURE(the_count_fits_even_a_long_limited_line),
        FIXTURE(every_line_of_many_writers_is_heard_whole_or_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
