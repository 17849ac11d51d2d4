/* SPDX-License-Identifier: MIT */
/* The text of /metrics, checked against the format's own rules. */
#include "app/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

static char buffer[81920];

static uint32_t named = 2;

static struct wi_text write_view(int processes, size_t cap)
{
    static struct wi_metrics_process list[WI_PROCESSES_MAX + 1];
    static const struct wi_plan plan = { .model = "cluster",
                                         .supervised = true,
                                         .processes = 2,
                                         .scheduler = WEIR_SCHEDULER_LOOP,
                                         .workers = 1 };
    static struct wi_charge_costs costs;
    for (int i = 0; i < WI_CHARGE_NAMES; i++) {
        (void)snprintf(costs.names[i], sizeof(costs.names[i]), "GET /%050d", i);
        wi_store_relaxed(&costs.work_ns[i], 2000000);
    }
    (void)snprintf(costs.names[1], sizeof(costs.names[1]), "*/\"a\\/:b");
    costs.names[2][0] = '\0';
    wi_store_relaxed(&costs.work_ns[3], 0);
    wi_store_relaxed(&costs.held_ns[1], 50000000);
    wi_store_release(&costs.named, named);
    struct wi_numbers numbers = { .stack_guard = "install", .poller = "ep\"o\\ll\n" };
    wi_store_relaxed(&numbers.value[WI_N_REQUESTS], 12);
    wi_store_relaxed(&numbers.value[WI_N_SHED_AGE], 5);
    wi_store_relaxed(&numbers.value[WI_N_SHED_WORK_BATCH], 6);
    wi_store_relaxed(&numbers.value[WI_N_LOAD], 12034);
    wi_store_relaxed(&numbers.value[WI_N_LOOP_LAG], 1500000);
    for (int i = 0; i < processes; i++)
        list[i] = (struct wi_metrics_process){
            .index = i - 1,
            .usage = { .cpu_ns = 2500000000, .resident_bytes = 4096, .threads = 3 },
        };
    const struct wi_metrics_view view = {
        .version = "1.2.3",
        .plan = &plan,
        .numbers = &numbers,
        .costs = &costs,
        .ready = true,
        .up_ns = 3000000001,
        .alive = 2,
        .ready_count = 1,
        .respawns = 4,
        .processes = list,
        .process_count = processes,
    };
    struct wi_text text;
    wi_text_init(&text, buffer, cap);
    wi_metrics_write(&text, &view);
    return text;
}

static void values_stand_where_they_belong(void **state)
{
    (void)state;
    assert_false(write_view(2, sizeof(buffer)).cut);
    static const char *const lines[] = {
        "weir_build_info{version=\"1.2.3\"} 1\n",
        "weir_model_info{model=\"cluster\",scheduler=\"loop\",processes=\"2\",workers=\"1\"} 1\n",
        "weir_ready 1\n",
        "weir_up_seconds 3.000000001\n",
        "weir_processes{state=\"wanted\"} 2\n",
        "weir_processes{state=\"ready\"} 1\n",
        "weir_respawns_total 4\n",
        "weir_requests_total{model=\"cluster\"} 12\n",
        "weir_sheds_total{model=\"cluster\",reason=\"age\"} 5\n",
        "weir_sheds_total{model=\"cluster\",reason=\"work\",class=\"batch\"} 6\n",
        "weir_admission_load{model=\"cluster\"} 12.034\n",
        "weir_loop_lag_seconds{model=\"cluster\"} 0.001500000\n",
        "weir_process_cpu_seconds_total{process=\"primary\"} 2.500000000\n",
        "weir_process_resident_bytes{process=\"0\"} 4096\n",
        "weir_route_cost_seconds{route=\"*/\\\"a\\\\/:b\"} 0.002000000\n",
        "weir_route_held_seconds{route=\"*/\\\"a\\\\/:b\"} 0.050000000\n",
        "weir_poller_info{kind=\"ep\\\"o\\\\ll\\n\"} 1\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_non_null(strstr(buffer, lines[i]));
}

static void only_routes_with_a_name_and_a_cost_are_shown(void **state)
{
    (void)state;
    (void)write_view(2, sizeof(buffer));
    int shown = 0;
    for (const char *at = buffer; (at = strstr(at, "\nweir_route_cost_seconds{")) != NULL; at++)
        shown++;
    assert_int_equal(shown, WI_CHARGE_NAMES - 2);
    assert_null(strstr(buffer, "route=\"\""));
    /* While somebody still writes them there are none. */
    named = 1;
    (void)write_view(2, sizeof(buffer));
    named = 2;
    assert_null(strstr(buffer, "weir_route_"));
}

static void every_metric_has_help_and_type_once_before_its_samples(void **state)
{
    (void)state;
    (void)write_view(3, sizeof(buffer));
    char metric[128] = "";
    static char seen[sizeof(buffer)];
    seen[0] = '\0';
    for (char *line = strtok(buffer, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char name[128];
        if (sscanf(line, "# HELP %127s", name) == 1) {
            char marked[160];
            (void)snprintf(marked, sizeof(marked), " %s ", name);
            assert_null(strstr(seen, marked)); /* no metric comes twice */
            (void)strcat(seen, marked);
            (void)snprintf(metric, sizeof(metric), "%s", name);
            assert_true(strlen(line) > strlen("# HELP ") + strlen(name) + 1);
            line = strtok(NULL, "\n");
            assert_non_null(line);
            assert_int_equal(sscanf(line, "# TYPE %127s", name), 1);
            assert_string_equal(name, metric);
            continue;
        }
        assert_int_equal(strncmp(line, metric, strlen(metric)), 0);
        const char after = line[strlen(metric)];
        assert_true(after == ' ' || after == '{');
    }
}

static void as_many_processes_as_are_allowed_fit_an_answer(void **state)
{
    (void)state;
    assert_false(write_view(WI_PROCESSES_MAX + 1, sizeof(buffer)).cut);
    assert_true(write_view(2, 1000).cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_where_they_belong),
        cmocka_unit_test(only_routes_with_a_name_and_a_cost_are_shown),
        cmocka_unit_test(every_metric_has_help_and_type_once_before_its_samples),
        cmocka_unit_test(as_many_processes_as_are_allowed_fit_an_answer),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
