/* SPDX-License-Identifier: MIT */
/* The gate before a modelled service, in virtual time: that it does as much at ten times its load
 * as at one, refuses nobody below, and is itself again when trouble is over; and that the same rows
 * fail without it, so that they would tell.
 *
 * By hand:   gate_model_test table [law]     steady loads, all workloads
 *            gate_model_test rows [law]      the other rows
 *            gate_model_test slow [law]      a slow route beside a cheap one
 *            gate_model_test capacity        what model_work.c has as usable
 * where law is gate (as shipped), none, fixed, codel, or the gate without a part of it:
 * no-correction, no-brake, no-ranks, no-doubt (all are measured by samples).
 *
 * ctest: timeout=120 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "load/gate.h"
#include "rows.h"

enum {
    SEEDS = 2
};

static const enum model_work works[] = {
    MODEL_CPU2, MODEL_W0, MODEL_W1, MODEL_W2, MODEL_W3, MODEL_MIXED,
};

/* For 99 % of the answers: what a median request may take.  Of w3 and mixed the rare requests take
 * 25 ms by themselves, so there is a tenth on top. */
static double objective_ms(enum model_work work)
{
    const double alone = model_work_alone_ms(work);
    const double most = 10.0 * alone > alone + 100.0 ? 10.0 * alone : alone + 100.0;
    return work == MODEL_W3 || work == MODEL_MIXED ? 1.1 * most : most;
}

static struct row_setting setting(enum model_work work, uint64_t seed)
{
    return (struct row_setting){ .control = MODEL_GATE, .work = work, .seed = seed };
}

/* -- claims ----------------------------------------------------------------------------------- */

static void expect(bool holds, const char *what, const struct row_setting *s, double got)
{
    if (!holds)
        fail_msg("%s, seed %d: %s: %g", model_work_name(s->work), (int)s->seed, what, got);
}

static void below_capacity_nobody_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < wi_count_of(works); i++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct row_setting s = setting(works[i], seed);
            struct row_steady row = row_steady(&s, 0.9, 10.0);
            expect(row.refused <= 0.001, "refused at 0.9", &s, row.refused);
            row = row_steady(&s, 0.95, 10.0);
            expect(row.refused <= 0.003, "refused at 0.95", &s, row.refused);
            expect(row.p99_ms <= objective_ms(works[i]), "p99 at 0.95", &s, row.p99_ms);
        }
    }
}

static void goodput_holds_at_any_load(void **state)
{
    (void)state;
    const double loads[] = { 1.0, 1.3, 2.0, 5.0, 10.0 };
    for (size_t i = 0; i < wi_count_of(works); i++) {
        struct row_setting s = setting(works[i], 1 + i % SEEDS);
        for (size_t j = 0; j < wi_count_of(loads); j++) {
            const struct row_steady row = row_steady(&s, loads[j], 5.0);
            /* A refusal costs 10 us of the worker, whatever the law. */
            const double refusing = (loads[j] - 1.0) * 10e3 / model_work_cost_ns(works[i]);
            expect(row.goodput >= 0.94 - refusing, "goodput", &s, row.goodput);
            expect(row.late <= 0.001, "late", &s, row.late);
            if (loads[j] >= 1.3)
                expect(row.p99_ms <= objective_ms(works[i]), "p99", &s, row.p99_ms);
        }
    }
}

static void two_milliseconds_of_processor_keep_95_percent(void **state)
{
    (void)state;
    const double loads[] = { 1.0, 1.1, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0 };
    for (size_t j = 0; j < wi_count_of(loads); j++) {
        const struct row_setting s = setting(MODEL_CPU2, j);
        const struct row_steady row = row_steady(&s, loads[j], 5.0);
        expect(row.goodput >= (loads[j] > 5.0 ? 0.93 : 0.95), "goodput", &s, row.goodput);
    }
}

static void more_workers_change_nothing(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W2, MODEL_W3 };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        struct row_setting s = setting(some[i], 3);
        s.workers = 4;
        expect(row_steady(&s, 0.9, 3.0).refused <= 0.001, "refused at 0.9", &s, 0);
        const struct row_steady row = row_steady(&s, 3.0, 3.0);
        expect(row.goodput >= 0.93, "goodput", &s, row.goodput);
        expect(row.p99_ms <= objective_ms(some[i]), "p99", &s, row.p99_ms);
    }
}

static void long_waits_take_no_capacity(void **state)
{
    (void)state;
    const struct row_setting s = setting(MODEL_W4, 1);
    expect(row_steady(&s, 0.9, 6.0).refused <= 0.001, "refused at 0.9", &s, 0);
    /* One of seven sleeps longer than the client waits: that is no fault of the gate. */
    const struct row_steady row = row_steady(&s, 2.0, 6.0);
    expect(row.goodput >= 0.9 * 0.865, "goodput", &s, row.goodput);
}

static void a_step_is_mastered_and_forgotten(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const struct row_setting s = setting(MODEL_CPU2, seed);
        const struct row_step row = row_step(&s, seed % 2 == 0 ? 5.0 : 10.0);
        expect(row.early >= 0.9, "goodput from 0.2 s on", &s, row.early);
        expect(row.goodput >= 0.95, "goodput", &s, row.goodput);
        expect(row.worst_ms <= objective_ms(MODEL_CPU2), "worst from 0.5 s on", &s, row.worst_ms);
        expect(row.refused_after == 0, "refused 1 s after", &s, (double)row.refused_after);
        expect(row.worst_after_ms <= 1.5 * row.worst_before_ms + 10.0, "worst 1 s after", &s,
               row.worst_after_ms);
    }
    for (size_t i = 0; i < wi_count_of(works); i++) {
        const struct row_setting s = setting(works[i], 5);
        const struct row_step row = row_step(&s, 5.0);
        expect(row.goodput >= 0.85, "goodput", &s, row.goodput);
        expect(row.refused_after == 0, "refused 1 s after", &s, (double)row.refused_after);
    }
}

static void a_cold_start_is_mastered(void **state)
{
    (void)state;
    for (size_t i = 0; i < wi_count_of(works); i++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            const struct row_setting s = setting(works[i], seed);
            const double goodput = row_cold(&s, 5.0);
            expect(goodput >= 0.8, "goodput", &s, goodput);
        }
    }
}

static void a_retry_storm_ends_with_its_cause(void **state)
{
    (void)state;
    for (size_t i = 0; i < wi_count_of(works); i++) {
        const struct row_setting s = setting(works[i], 1 + i % SEEDS);
        const struct row_storm row = row_storm(&s);
        expect(row.recovered >= 0.95, "answered of offered", &s, row.recovered);
        expect(row.attempts <= 1.05, "attempts", &s, row.attempts);
    }
}

static void interactive_requests_pass_before_batch(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W0, MODEL_W3 };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        const struct row_setting s = setting(some[i], 1);
        const struct row_two row = row_classes(&s);
        expect(row.first_ok >= 0.995, "interactive answered", &s, row.first_ok);
        expect(row.goodput >= 0.95, "goodput", &s, row.goodput);
    }
}

static void one_client_cannot_crowd_out_the_others(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W0, MODEL_W3 };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        struct row_setting s = setting(some[i], 1);
        const struct row_two row = row_hog(&s);
        expect(row.first_ok >= 0.995, "light clients answered", &s, row.first_ok);
        s.rankless = true;
        const struct row_two without = row_hog(&s);
        expect(without.first_ok < 0.5, "light clients answered without ranks", &s,
               without.first_ok);
    }
}

static void who_is_alone_is_known_before_others_come(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W0, MODEL_W3 };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        const struct row_setting s = setting(some[i], 1);
        const struct row_two row = row_hog_first(&s);
        expect(row.first_ok >= 0.999, "light clients answered", &s, row.first_ok);
    }
}

static void cheap_routes_flow_beside_a_slow_one(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W1, MODEL_W3 };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        const struct row_setting s = setting(some[i], 1);
        struct row_slow row = row_slow_route(&s, 0.5);
        expect(row.cheap_ok >= 0.95, "cheap answered at 0.7", &s, row.cheap_ok);
        for (double load = 5.0; load < 100.0; load *= 10.0) {
            row = row_slow_route(&s, load);
            expect(row.cheap_ok >= 0.99, "cheap answered", &s, row.cheap_ok);
            expect(row.slow_goodput >= 0.75, "goodput of the slow", &s, row.slow_goodput);
            expect(row.slow_late <= 0.001, "slow late", &s, row.slow_late);
        }
    }
}

static void a_pause_is_nobodys_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < wi_count_of(works); i++) {
        const struct row_setting s = setting(works[i], 1);
        const double row = row_pause(&s);
        expect(row <= 0.001, "refused", &s, row);
    }
    struct row_setting s = setting(MODEL_CPU2, 1);
    s.stall_blind = true;
    const double blind = row_pause(&s);
    expect(blind > 0.002, "refused where nobody notices", &s, blind);
}

static void halved_processors_are_followed(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W0, MODEL_W1 };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        const struct row_setting s = setting(some[i], 1);
        const struct row_halved row = row_halved(&s);
        expect(row.goodput >= 0.9, "goodput", &s, row.goodput);
        expect(row.refused_after == 0, "refused 1 s after", &s, (double)row.refused_after);
    }
}

static void hopeless_requests_are_not_started(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W0, MODEL_W1 };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        const struct row_setting s = setting(some[i], 1);
        for (double load = 0.9; load < 4.0; load *= 2.0) {
            const double row = row_deadlines(&s, load);
            expect(row <= 0.01, "useless", &s, row);
        }
    }
}

static void one_slot_is_kept_busy(void **state)
{
    (void)state;
    struct row_setting s = setting(MODEL_WAIT50, 1);
    s.slots = 1;
    for (double load = 0.9; load < 12.0; load *= 2.2) {
        const struct row_steady row = row_steady(&s, load, 60.0);
        if (load < 1.0)
            expect(row.refused <= 0.002, "refused", &s, row.refused);
        else
            expect(row.goodput >= 1.2, "goodput", &s, row.goodput); /* of 1.29 at saturation */
        expect(row.late <= 0.001, "late", &s, row.late);
        expect(row.p99_ms <= 560.0, "p99", &s, row.p99_ms);
    }
    s = setting(MODEL_CPU2, 1);
    s.slots = 1;
    expect(row_steady(&s, 0.9, 10.0).refused <= 0.001, "refused at 0.9", &s, 0);
    const struct row_steady row = row_steady(&s, 5.0, 10.0);
    expect(row.goodput >= 0.95, "goodput", &s, row.goodput);
    expect(row.p99_ms <= objective_ms(MODEL_CPU2), "p99", &s, row.p99_ms);
}

static void processes_may_share_a_core(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W1, MODEL_W2 };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        struct row_setting s = setting(some[i], 1);
        s.processes = 4;
        expect(row_steady(&s, 0.9, 10.0).refused <= 0.001, "refused at 0.9", &s, 0);
        for (double load = 1.3; load < 10.0; load *= 2.0) {
            const struct row_steady row = row_steady(&s, load, 6.0);
            const double refusing = (load - 1.0) * 10e3 / model_work_cost_ns(some[i]);
            expect(row.goodput >= 0.94 - refusing, "goodput", &s, row.goodput);
            /* The processes know nothing of each other: their queues add up on the core. */
            expect(row.p99_ms <= 1.25 * objective_ms(some[i]), "p99", &s, row.p99_ms);
        }
    }
}

static void a_thread_for_each_request_is_no_different(void **state)
{
    (void)state;
    struct row_setting s = setting(MODEL_CPU2, 1);
    s.threads = true;
    expect(row_steady(&s, 0.9, 6.0).refused <= 0.001, "refused at 0.9", &s, 0);
    for (double load = 1.3; load < 10.0; load *= 2.0) {
        const struct row_steady row = row_steady(&s, load, 6.0);
        expect(row.goodput >= 0.95, "goodput", &s, row.goodput);
        expect(row.p99_ms <= objective_ms(MODEL_CPU2), "p99", &s, row.p99_ms);
    }
}

static void time_in_nobodys_account_is_noticed(void **state)
{
    (void)state;
    struct row_setting s = setting(MODEL_W1, 1);
    s.unseen_us = 100.0;
    const struct row_steady with = row_steady(&s, 1.1, 10.0);
    expect(with.goodput >= 0.94, "goodput", &s, with.goodput);
    expect(with.p99_ms <= 2.5 * objective_ms(MODEL_W1), "p99", &s, with.p99_ms);
    s.without = WI_GATE_WITHOUT_BRAKE;
    const struct row_steady without = row_steady(&s, 1.1, 10.0);
    expect(without.p99_ms > 2.0 * with.p99_ms, "p99 without the brake", &s, without.p99_ms);
}

static void correction_keeps_waits_short(void **state)
{
    (void)state;
    struct row_setting s = setting(MODEL_W3, 1);
    const double with_ms = row_steady(&s, 2.0, 10.0).p99_ms;
    s.without = WI_GATE_WITHOUT_CORRECTION;
    const double without_ms = row_steady(&s, 2.0, 10.0).p99_ms;
    expect(without_ms > 1.5 * with_ms, "p99 without correction", &s, without_ms);
}

/* Measured by samples, also where requests are far dearer than those that the gate believes. */
static void samples_are_enough(void **state)
{
    (void)state;
    const enum model_work some[] = { MODEL_CPU2, MODEL_W0, MODEL_W1, MODEL_MIXED };
    for (size_t i = 0; i < wi_count_of(some); i++) {
        struct row_setting s = setting(some[i], 1);
        s.without = WI_GATE_WITHOUT_DOUBT;
        struct row_steady row = row_steady(&s, 0.95, 10.0);
        expect(row.refused <= 0.003, "refused at 0.95", &s, row.refused);
        expect(row.p99_ms <= objective_ms(some[i]), "p99 at 0.95", &s, row.p99_ms);
        row = row_steady(&s, 1.3, 5.0);
        expect(row.goodput >= 0.94, "goodput at 1.3", &s, row.goodput);
        expect(row.p99_ms <= objective_ms(some[i]), "p99 at 1.3", &s, row.p99_ms);
        const struct row_step step = row_step(&s, 5.0);
        expect(step.goodput >= 0.85, "goodput of a step", &s, step.goodput);
        expect(step.refused_after == 0, "refused 1 s after", &s, (double)step.refused_after);
        const struct row_storm storm = row_storm(&s);
        expect(storm.recovered >= 0.95, "answered after a storm", &s, storm.recovered);
    }
}

static void without_control_the_rows_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < wi_count_of(works); i++) {
        struct row_setting s = setting(works[i], 1);
        s.control = MODEL_NONE;
        const struct row_steady row = row_steady(&s, 2.0, 6.0);
        expect(row.goodput < 0.5, "goodput at 2", &s, row.goodput);
        const struct row_storm storm = row_storm(&s);
        expect(storm.recovered < 0.5, "answered after a storm", &s, storm.recovered);
    }
}

static void the_model_repeats_itself(void **state)
{
    (void)state;
    const struct row_setting s = setting(MODEL_W3, 7);
    const struct row_steady first = row_steady(&s, 1.2, 2.0);
    const struct row_steady second = row_steady(&s, 1.2, 2.0);
    assert_memory_equal(&first, &second, sizeof(first));
}

/* -- by hand ---------------------------------------------------------------------------------- */

static const struct law {
    const char *name;
    enum model_control control;
    uint32_t without;
    bool rankless;
} laws[] = {
    { "gate", MODEL_GATE, 0, false },
    { "none", MODEL_NONE, 0, false },
    { "fixed", MODEL_FIXED, 0, false },
    { "codel", MODEL_CODEL, 0, false },
    { "no-correction", MODEL_GATE, WI_GATE_WITHOUT_CORRECTION, false },
    { "no-brake", MODEL_GATE, WI_GATE_WITHOUT_BRAKE, false },
    { "no-ranks", MODEL_GATE, 0, true },
    { "no-doubt", MODEL_GATE, WI_GATE_WITHOUT_DOUBT, false },
};

static struct row_setting by_hand(const struct law *law, enum model_work work, uint64_t seed)
{
    return (struct row_setting){
        .control = law->control,
        .without = law->without,
        .rankless = law->rankless,
        .work = work,
        .seed = seed,
    };
}

static void print_table(const struct law *law)
{
    const double loads[] = { 0.9, 0.95, 1.0, 1.1, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0 };
    printf("%s: %% refused / goodput / p99 ms\n%-6s", law->name, "load");
    for (size_t j = 0; j < wi_count_of(loads); j++)
        printf(" %14.2f", loads[j]);
    for (int work = 0; work < MODEL_WORKS; work++) {
        if (work == MODEL_WAIT50 || work == MODEL_SLOW)
            continue;
        printf("\n%-6s", model_work_name((enum model_work)work));
        for (size_t j = 0; j < wi_count_of(loads); j++) {
            const struct row_setting s = by_hand(law, (enum model_work)work, 1);
            const struct row_steady row = row_steady(&s, loads[j], 20.0);
            printf(" %5.2f %4.2f %3.0f", 100.0 * row.refused, row.goodput, row.p99_ms);
        }
        fflush(stdout);
    }
    printf("\n");
}

static void print_rows(const struct law *law)
{
    printf("%s\n%-6s %9s %9s %9s %7s %7s %8s %8s %7s %7s %8s %8s\n", law->name, "", "step 5",
           "step 10", "refused", "cold 5", "storm", "classes", "hog", "pause", "halved", "useless",
           "unseen");
    printf("%-6s %9s %9s %9s %7s %7s %8s %8s %7s %7s %8s %8s\n", "", "goodput", "goodput",
           "1 s after", "goodput", "of off.", "% ok", "% ok", "% ref.", "goodput", "% at 2",
           "p99 ms");
    for (int work = 0; work < MODEL_WORKS; work++) {
        if (work == MODEL_WAIT50 || work == MODEL_W4 || work == MODEL_SLOW)
            continue;
        const struct row_setting s = by_hand(law, (enum model_work)work, 1);
        const struct row_step five = row_step(&s, 5.0);
        const struct row_step ten = row_step(&s, 10.0);
        printf("%-6s %9.2f %9.2f %9d %7.2f %7.2f", model_work_name((enum model_work)work),
               five.goodput, ten.goodput, (int)(five.refused_after + ten.refused_after),
               row_cold(&s, 5.0), row_storm(&s).recovered);
        struct row_setting unseen = s;
        unseen.unseen_us = 100.0;
        printf(" %8.2f %8.2f %7.2f %7.2f %8.2f %8.0f\n", 100.0 * row_classes(&s).first_ok,
               100.0 * row_hog(&s).first_ok, 100.0 * row_pause(&s), row_halved(&s).goodput,
               100.0 * row_deadlines(&s, 2.0), row_steady(&unseen, 1.1, 20.0).p99_ms);
        fflush(stdout);
    }
}

static void print_slow(const struct law *law)
{
    const double loads[] = { 0.5, 1.0, 1.5, 2.0, 5.0, 50.0 };
    for (int work = 0; work < MODEL_WORKS; work++) {
        if (work != MODEL_CPU2 && work != MODEL_W1 && work != MODEL_W3)
            continue;
        for (size_t j = 0; j < wi_count_of(loads); j++) {
            const struct row_setting s = by_hand(law, (enum model_work)work, 1);
            const struct row_slow row = row_slow_route(&s, loads[j]);
            printf(
                "%-6s %4.1f: cheap ok %6.2f %%, slow %4.2f C, late %4.2f, p50 %3.0f p99 %4.0f ms\n",
                model_work_name((enum model_work)work), loads[j], 100.0 * row.cheap_ok,
                row.slow_goodput, row.slow_late, row.p50_ms, row.p99_ms);
        }
    }
}

static void print_capacity(void)
{
    const struct law none = { "none", MODEL_NONE, 0, false };
    for (int work = 0; work < MODEL_WORKS; work++) {
        if (work == MODEL_W4 || work == MODEL_SLOW)
            continue; /* always has answers later than its clients wait */
        double sum = 0.0;
        for (uint64_t seed = 1; seed <= 5; seed++) {
            double low = 0.5;
            double high = 1.2;
            for (int i = 0; i < 7; i++) {
                const struct row_setting s = by_hand(&none, (enum model_work)work, seed);
                const double load = (low + high) / 2;
                const struct row_steady row = row_steady(&s, load, 40.0);
                const bool good = row.late <= 0.001 && row.p99_ms <= objective_ms(s.work);
                *(good ? &low : &high) = load;
            }
            sum += low * model_work_usable((enum model_work)work);
        }
        printf("%-6s %.3f\n", model_work_name((enum model_work)work), sum / 5);
    }
}

static int run_by_hand(int argc, char **argv)
{
    const struct law *law = &laws[0];
    for (size_t i = 0; argc > 2 && i < wi_count_of(laws); i++)
        if (strcmp(argv[2], laws[i].name) == 0)
            law = &laws[i];
    if (strcmp(argv[1], "table") == 0)
        print_table(law);
    else if (strcmp(argv[1], "rows") == 0)
        print_rows(law);
    else if (strcmp(argv[1], "slow") == 0)
        print_slow(law);
    else if (strcmp(argv[1], "capacity") == 0)
        print_capacity();
    else
        return 2;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return run_by_hand(argc, argv);
    const char *sanitize = getenv("WEIR_SANITIZE");
    if (sanitize != NULL && strstr(sanitize, "thread") != NULL) {
        printf("SKIP: the model has one thread, ThreadSanitizer would see nothing in it\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_capacity_nobody_is_refused),
        cmocka_unit_test(goodput_holds_at_any_load),
        cmocka_unit_test(two_milliseconds_of_processor_keep_95_percent),
        cmocka_unit_test(more_workers_change_nothing),
        cmocka_unit_test(long_waits_take_no_capacity),
        cmocka_unit_test(a_step_is_mastered_and_forgotten),
        cmocka_unit_test(a_cold_start_is_mastered),
        cmocka_unit_test(a_retry_storm_ends_with_its_cause),
        cmocka_unit_test(interactive_requests_pass_before_batch),
        cmocka_unit_test(one_client_cannot_crowd_out_the_others),
        cmocka_unit_test(who_is_alone_is_known_before_others_come),
        cmocka_unit_test(cheap_routes_flow_beside_a_slow_one),
        cmocka_unit_test(a_pause_is_nobodys_fault),
        cmocka_unit_test(halved_processors_are_followed),
        cmocka_unit_test(hopeless_requests_are_not_started),
        cmocka_unit_test(one_slot_is_kept_busy),
        cmocka_unit_test(processes_may_share_a_core),
        cmocka_unit_test(a_thread_for_each_request_is_no_different),
        cmocka_unit_test(time_in_nobodys_account_is_noticed),
        cmocka_unit_test(correction_keeps_waits_short),
        cmocka_unit_test(samples_are_enough),
        cmocka_unit_test(without_control_the_rows_fail),
        cmocka_unit_test(the_model_repeats_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
