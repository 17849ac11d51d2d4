/* SPDX-License-Identifier: MIT */
/* Models, axes and states: every combination that a start may meet. */
#include "app/models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

static struct wi_wish nothing(void)
{
    return (struct wi_wish){ .scheduler = -1 };
}

static int plan(struct wi_plan *out, const struct wi_wish *wish, enum weir_state state, int usable)
{
    static char buffer[1024];
    struct wi_text why;
    wi_text_init(&why, buffer, sizeof(buffer));
    const int rc = wi_plan_make(out, wish, state, usable, &why);
    assert_false(why.cut);
    assert_int_equal(rc == 0, why.bytes == 0);
    return rc;
}

static void every_name_and_alias_finds_its_model(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        { "loop", "loop" },
        { "node", "loop" },
        { "asyncio", "loop" },
        { "cluster", "cluster" },
        { "node-cluster", "cluster" },
        { "tasks", "tasks" },
        { "go", "tasks" },
        { "threads", "threads" },
        { "python-threads", "threads" },
        { "prefork", "prefork" },
        { "gunicorn", "prefork" },
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_non_null(wi_model_find(names[i][0]));
        assert_string_equal(wi_model_find(names[i][0])->name, names[i][1]);
    }
    assert_null(wi_model_find("Loop"));
    assert_null(wi_model_find(""));
}

/* rows: models; columns: NONE, LOCKED, PER_PROCESS, LOOP_ONLY. */
static void the_state_decides_which_models_may_run(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        bool allowed[4];
    } table[] = {
        { "loop", { true, true, true, true } },      { "cluster", { true, false, true, false } },
        { "tasks", { true, true, false, false } },   { "threads", { true, true, false, false } },
        { "prefork", { true, false, true, false } },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int s = 0; s < 4; s++) {
            struct wi_wish wish = nothing();
            struct wi_plan made;
            wish.model = wi_model_find(table[i].model);
            const int rc = plan(&made, &wish, (enum weir_state)(WEIR_STATE_NONE + s), 4);
            assert_int_equal(rc, table[i].allowed[s] ? 0 : WEIR_EINVAL);
            if (rc == 0)
                assert_string_equal(made.model, table[i].model);
        }
    }
}

static void without_a_wish_the_state_s_own_default_runs(void **state)
{
    (void)state;
    static const char *const expected[] = { "tasks", "tasks", "cluster", "loop" };
    for (int s = 0; s < 4; s++) {
        const struct wi_wish wish = nothing();
        struct wi_plan made;
        assert_int_equal(plan(&made, &wish, (enum weir_state)(WEIR_STATE_NONE + s), 4), 0);
        assert_string_equal(made.model, expected[s]);
    }
}

static void an_undeclared_state_is_refused_and_told_how_to_declare(void **state)
{
    (void)state;
    char buffer[1024];
    const struct wi_wish wish = nothing();
    struct wi_plan made;
    static const int states[] = { 0, -1, 5, 1000 };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct wi_text why;
        wi_text_init(&why, buffer, sizeof(buffer));
        assert_int_equal(wi_plan_make(&made, &wish, (enum weir_state)states[i], 2, &why),
                         WEIR_EINVAL);
        assert_non_null(strstr(buffer, "WEIR_STATE_NONE"));
    }
}

static void a_misfit_says_why_and_what_is_possible(void **state)
{
    (void)state;
    char buffer[1024];
    struct wi_text why;
    struct wi_plan made;
    struct wi_wish wish = nothing();
    wi_text_init(&why, buffer, sizeof(buffer));
    wish.model = wi_model_find("cluster");
    assert_int_equal(wi_plan_make(&made, &wish, WEIR_STATE_LOCKED, 2, &why), WEIR_EINVAL);
    assert_non_null(strstr(buffer, "model cluster does not fit"));
    assert_non_null(strstr(buffer, "WEIR_STATE_LOCKED"));
    assert_non_null(strstr(buffer, "possible: loop, tasks, threads"));
    assert_null(strchr(buffer, '\n'));

    wi_text_init(&why, buffer, sizeof(buffer));
    wish = nothing();
    wish.processes = 2;
    assert_int_equal(wi_plan_make(&made, &wish, WEIR_STATE_LOCKED, 2, &why), WEIR_EINVAL);
    assert_non_null(strstr(buffer, "2 processes of scheduler tasks do not fit"));
}

static void presets_fill_the_cores_and_never_exceed_them(void **state)
{
    (void)state;
    for (int i = 0; i < WI_MODELS; i++) {
        for (int cores = 1; cores <= 64; cores++) {
            struct wi_wish wish = nothing();
            struct wi_plan made;
            wish.model = &wi_models[i];
            assert_int_equal(plan(&made, &wish, WEIR_STATE_NONE, cores), 0);
            assert_true(made.processes * made.workers <= cores);
            assert_int_equal(made.processes, wi_models[i].per_core ? cores : 1);
            if (made.scheduler == WEIR_SCHEDULER_TASKS)
                assert_int_equal(made.workers, cores);
            assert_int_equal(made.running_max, strcmp(made.model, "prefork") == 0 ? 1 : 0);
            assert_int_equal(made.supervised, wi_models[i].per_core);
        }
    }
}

static void the_axes_override_the_preset(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int scheduler, processes, cores;
        int64_t running;
        /* expected, on 4 usable cores */
        const char *name;
        bool supervised;
        int got_processes, got_workers;
    } table[] = {
        { NULL, -1, 0, 1, 0, "tasks", false, 1, 1 },
        { NULL, -1, 2, 0, 0, "custom", true, 2, 2 }, /* a cluster of tasks */
        { NULL, -1, 8, 0, 0, "custom", true, 8, 1 }, /* asked for: more than the cores */
        { NULL, -1, 3, 0, 0, "custom", true, 3, 1 }, /* 3 x 1 <= 4 */
        { "tasks", WEIR_SCHEDULER_LOOP, 0, 0, 0, "loop", false, 1, 1 },
        { "loop", -1, 3, 0, 0, "cluster", true, 3, 1 },
        { "cluster", -1, 1, 0, 0, "cluster", true, 1, 1 },
        { "cluster", -1, 0, 0, 1, "prefork", true, 4, 1 },
        { "cluster", -1, 0, 2, 0, "cluster", true, 2, 1 },
        { "prefork", -1, 0, 0, 8, "cluster", true, 4, 1 },
        { "loop", -1, 0, 0, 1, "loop", false, 1, 1 },
        { "cluster", WEIR_SCHEDULER_THREADS, 0, 0, 0, "custom", true, 4, 1 },
        { "tasks", -1, 0, 16, 0, "tasks", false, 1, 16 },
        { "cluster", -1, 0, 1024, 0, "cluster", true, WI_PROCESSES_MAX, 1 },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct wi_plan made;
        const struct wi_wish wish = {
            .model = table[i].model != NULL ? wi_model_find(table[i].model) : NULL,
            .scheduler = table[i].scheduler,
            .processes = table[i].processes,
            .cores = table[i].cores,
            .running_max = table[i].running,
        };
        assert_int_equal(plan(&made, &wish, WEIR_STATE_NONE, 4), 0);
        assert_string_equal(made.model, table[i].name);
        assert_int_equal(made.supervised, table[i].supervised);
        assert_int_equal(made.processes, table[i].got_processes);
        assert_int_equal(made.workers, table[i].got_workers);
    }
}

static void a_plan_is_described_in_a_few_words(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int processes, cores;
        const char *text;
    } table[] = {
        { "tasks", 0, 2, "tasks on 2 cores" },
        { "tasks", 0, 1, "tasks on 1 core" },
        { "loop", 0, 2, "loop" },
        { "cluster", 0, 2, "cluster of 2 processes" },
        { "prefork", 1, 2, "prefork of 1 process" },
        { "tasks", 2, 4, "custom of 2 processes (tasks) on 2 cores each" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char buffer[256];
        struct wi_text text;
        struct wi_plan made;
        struct wi_wish wish = nothing();
        wi_text_init(&text, buffer, sizeof(buffer));
        wish.model = wi_model_find(table[i].model);
        wish.processes = table[i].processes;
        wish.cores = table[i].cores;
        assert_int_equal(plan(&made, &wish, WEIR_STATE_NONE, 4), 0);
        wi_plan_describe(&made, &text);
        assert_string_equal(buffer, table[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_and_alias_finds_its_model),
        cmocka_unit_test(the_state_decides_which_models_may_run),
        cmocka_unit_test(without_a_wish_the_state_s_own_default_runs),
        cmocka_unit_test(an_undeclared_state_is_refused_and_told_how_to_declare),
        cmocka_unit_test(a_misfit_says_why_and_what_is_possible),
        cmocka_unit_test(presets_fill_the_cores_and_never_exceed_them),
        cmocka_unit_test(the_axes_override_the_preset),
        cmocka_unit_test(a_plan_is_described_in_a_few_words),
    };
    return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}
