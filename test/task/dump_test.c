/* SPDX-License-Identifier: MIT */
/* What is gathered: the tasks of one scope alone, and no more kinds than there is room for.  What
 * users see of dumps is in test/behaviour/dump_test.c. */
#include "task/dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static struct {
    char text[1 << 20];
    size_t bytes;
} dump;

static void take(void *user, const char *text, size_t bytes)
{
    CHECK(user == &dump);
    CHECK(dump.bytes + bytes < sizeof(dump.text));
    memcpy(dump.text + dump.bytes, text, bytes);
    dump.bytes += bytes;
    dump.text[dump.bytes] = '\0';
}

static int wait_to_be_canceled(void *arg)
{
    (void)arg;
    (void)weir_sleep(WEIR_NO_DEADLINE);
    return 0;
}

RUN(of_a_scope_only_its_children_are_told)
{
    weir_scope *scope;
    weir_task *other;
    CHECK_EQ(weir_task_start(&other, wait_to_be_canceled, NULL, .name = "elsewhere"), 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(wait_to_be_canceled, NULL, .name = "inside"), 0);
    CHECK_EQ(weir_go(wait_to_be_canceled, NULL, .name = "inside"), 0);
    const struct wi_dump_request request = {
        .write = take, .user = &dump, .scope = scope, .tasks_max = 100, .bare = true
    };
    dump.bytes = 0;
    CHECK_EQ(wi_dump(&request), 0);
    CHECK(strstr(dump.text, "\"inside\"") != NULL);
    CHECK(strstr(dump.text, "elsewhere") == NULL);
    CHECK(strstr(dump.text, "\"main\"") == NULL);
    weir_scope_cancel(scope, WEIR_ECANCELED);
    IGNORE(weir_scope_close(scope, WEIR_NO_DEADLINE));
    weir_task_cancel(other, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(other, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* Each task has a site of its own, so each is a kind of its own. */
RUN(more_kinds_than_there_is_room_for_are_counted)
{
    enum {
        TASKS = 1500
    };
    static char sites[TASKS][24];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < TASKS; i++) {
        (void)snprintf(sites[i], sizeof(sites[i]), "site %d", i);
        const struct weir_task_opts opts = { .site = sites[i] };
        CHECK_EQ(weir_go_with(wait_to_be_canceled, NULL, &opts), 0);
    }
    dump.bytes = 0;
    CHECK_EQ(weir_dump(take, &dump, &(struct weir_dump_opts){ .bare = true }), 0);
    CHECK(strncmp(dump.text, "weir: 1501 tasks ", 17) == 0);
    int kinds = 0;
    for (const char *at = dump.text; (at = strstr(at, ", spawned at site ")) != NULL; at++)
        kinds++;
    CHECK(kinds > 1000);
    CHECK(kinds < 1100);
    const int told = kinds + (strstr(dump.text, "\"main\"") != NULL);
    char rest[64];
    (void)snprintf(rest, sizeof(rest), "and %d more tasks\n", TASKS + 1 - told);
    CHECK(strstr(dump.text, rest) != NULL);
    weir_scope_cancel(scope, WEIR_ECANCELED);
    IGNORE(weir_scope_close(scope, WEIR_NO_DEADLINE));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_scope_only_its_children_are_told),
        cmocka_unit_test(more_kinds_than_there_is_room_for_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
