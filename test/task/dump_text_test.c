/* SPDX-License-Identifier: MIT */
/* The words of a dump, for what was seen in every state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "task/dump.h"
#include "weir/time.h"

static char text[8192];

static void take(void *user, const char *line, size_t bytes)
{
    (void)user;
    strncat(text, line, bytes);
}

/* The text of a dump of one task. */
static const char *told(const struct wi_seen *seen)
{
    struct wi_dump_member member = { .seen = *seen };
    struct wi_dump_group group = { .count = 1, .example = *seen };
    struct wi_dump dump = { .write = take,
                            .members = &member,
                            .member_count = 1,
                            .groups = &group,
                            .group_count = 1,
                            .task_count = 1,
                            .told_count = 1 };
    text[0] = '\0';
    wi_dump_write_text(&dump, false);
    return text;
}

static struct wi_seen seen_in(enum wi_seen_state state)
{
    return (struct wi_seen){ .state = state,
                             .id = 12,
                             .name = "n",
                             .site = "../../s.c:3",
                             .worker = -1,
                             .number = -1,
                             .until = WEIR_NO_DEADLINE };
}

static void every_state_has_its_words(void **state)
{
    (void)state;
    struct wi_seen seen = seen_in(WI_SEEN_RUNNING);
    assert_string_equal(told(&seen), "\ntask 12 \"n\", spawned at s.c:3\n"
                                     "    runs on a thread that has no worker, because it has run "
                                     "long\n");
    seen.worker = 3;
    assert_non_null(strstr(told(&seen), "    runs on worker 3\n"));
    seen = seen_in(WI_SEEN_READY);
    assert_non_null(strstr(told(&seen), "    is ready to run\n"));
    seen = seen_in(WI_SEEN_IN_LINE);
    assert_non_null(strstr(told(&seen), "    is in line for a thread\n"));
    seen = seen_in(WI_SEEN_THREAD);
    seen.cancel = WEIR_ETIMEDOUT;
    seen.name = seen.site = "";
    assert_string_equal(told(&seen), "\ntask 12\n    runs, or blocks outside weir, on a thread of "
                                     "its own (canceled: WEIR_ETIMEDOUT)\n");
    seen = seen_in(WI_SEEN_OUTSIDER);
    seen.site = "";
    assert_string_equal(told(&seen), "\nthread 12, which is no task\n    has waited: something\n");
    seen.id = 0;
    assert_non_null(strstr(told(&seen), "\nthe thread that opened the runtime and turns it\n"));
}

static void a_wait_tells_what_and_who(void **state)
{
    (void)state;
    static const struct wi_waitable chan = { .what = "receive from channel" };
    struct wi_parker holder;
    struct wi_seen seen = seen_in(WI_SEEN_WAITING);
    seen.waitable = &chan;
    assert_non_null(strstr(told(&seen), "    has waited: receive from channel\n"));
    seen.object = (void *)0x1230;
    assert_non_null(strstr(told(&seen), ": receive from channel 0x1230\n"));
    seen.holder = &holder;
    assert_non_null(strstr(told(&seen), " 0x1230, held by a thread that is no task\n"));
    seen.holder = NULL;
    seen.number = 7;
    assert_non_null(strstr(told(&seen), ": receive from channel 7\n"));
}

static void times_are_rounded_for_people(void **state)
{
    (void)state;
    const struct {
        int64_t ns;
        const char *unit;
    } spans[] = {
        { 3200 * WEIR_NS_PER_MS, " s:" },
        { 3110 * WEIR_NS_PER_S, "for 51 min " },
        { 25380 * WEIR_NS_PER_S, "for 7 h 3 min:" },
    };
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        struct wi_seen seen = seen_in(WI_SEEN_WAITING);
        seen.since = weir_now() - spans[i].ns;
        assert_non_null(strstr(told(&seen), spans[i].unit));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_words),
        cmocka_unit_test(a_wait_tells_what_and_who),
        cmocka_unit_test(times_are_rounded_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
