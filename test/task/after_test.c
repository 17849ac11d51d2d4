/* SPDX-License-Identifier: MIT */
/* The records that registrations keep: they count against tasks_max, and all come back. */
#include "task/after.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    TASKS_MAX = 40
};

static int runs;

static void count(void *arg)
{
    (void)arg;
    bump(&runs);
}

/* As many as there is room for beside the task that runs this. */
static int fill(weir_scope *scope, weir_after **afters)
{
    int made = 0;
    int rc;
    while ((rc = weir_after_cancel(&afters[made], scope, count, NULL)) == 0) {
        CHECK(!afters[made]->started);
        made++;
        CHECK(made < TASKS_MAX);
    }
    CHECK_EQ(rc, WEIR_EOVERFLOW);
    return made;
}

static int give_back_every_record(void *arg)
{
    (void)arg;
    weir_after *afters[TASKS_MAX];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    const int room = fill(scope, afters);
    CHECK(room > 0);
    for (int i = 0; i < room; i++)
        CHECK(weir_after_stop(afters[i])); /* one by one */
    CHECK_EQ(fill(scope, afters), room);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0); /* with the scope */
    CHECK_EQ(runs, 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(fill(scope, afters), room);
    weir_scope_cancel(scope, WEIR_EPERM); /* with the tasks, though no other could start */
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), WEIR_EPERM);
    CHECK_EQ(runs, room);
    return 0;
}

static void every_record_comes_back(void **state)
{
    (void)state;
    const enum weir_scheduler schedulers[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_THREADS };
    for (int i = 0; i < 2; i++) {
        const struct weir_opts opts = { .scheduler = schedulers[i], .tasks_max = TASKS_MAX };
        runs = 0;
        run_body_with(&opts, give_back_every_record, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
