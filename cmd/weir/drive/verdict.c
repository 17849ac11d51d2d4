/* SPDX-License-Identifier: MIT */
/* Whether the figures of a run count.  See verdict.h.
 *
 * Threads: one. */

#include "drive/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "weir/time.h"

/* Over a shorter step the account of CPU time says little. */
#define STEP_JUDGED_NS WEIR_NS_PER_S

static void add(struct verdict *verdict, const char *format, ...) WEIR_PRINTF(2, 3);

static void add(struct verdict *verdict, const char *format, ...)
{
    wi_bug_unless_cmp(verdict->count, <, REASONS_MAX);
    va_list values;
    va_start(values, format);
    (void)vsnprintf(verdict->reasons[verdict->count++], VERDICT_REASON_BYTES, format, values);
    va_end(values);
}

double step_cpu(const struct step_tally *step)
{
    return step->wall_ns > 0 ? (double)step->cpu_ns / (double)step->wall_ns : 0;
}

/* The busiest step that lasted long enough, or the run as a whole. */
static void judge_cpu(struct verdict *verdict, const struct tally *t)
{
    int worst = -1;
    double most = t->cpu;
    for (int i = 0; i < t->step_count; i++) {
        if (t->steps[i].wall_ns >= STEP_JUDGED_NS && step_cpu(&t->steps[i]) > most) {
            most = step_cpu(&t->steps[i]);
            worst = i;
        }
    }
    if (most <= CPU_MAX)
        return;
    if (worst < 0 || t->step_count == 1)
        add(verdict, "the generator used %.0f %% of its core; %.0f %% is the most that it may",
            most * 100, CPU_MAX * 100);
    else
        add(verdict, "the generator used %.0f %% of its core in step %d; %.0f %% is the most",
            most * 100, worst + 1, CPU_MAX * 100);
}

static void judge_schedule(struct verdict *verdict, const struct plan *plan, const struct tally *t)
{
    const int64_t late_ns = wi_hist_percentile(&t->send_ns, 99);
    if (late_ns > plan->late_ns_max)
        add(verdict, "1 %% of the requests were sent %.1f ms late or more; %g ms is the most",
            (double)late_ns / 1e6, (double)plan->late_ns_max / 1e6);
    judge_cpu(verdict, t);
    if (t->all.of[OUTCOME_OVER] > 0)
        add(verdict,
            "%" PRIu64 " requests were not sent: %" PRId64 " were in flight (--in-flight-max)",
            t->all.of[OUTCOME_OVER], plan->in_flight_max);
    if (t->all.of[OUTCOME_BEHIND] > 0)
        add(verdict, "%" PRIu64 " requests were not sent: the generator was a timeout behind",
            t->all.of[OUTCOME_BEHIND]);
}

void verdict_of(struct verdict *verdict, const struct plan *plan, const struct tally *tally)
{
    verdict->count = 0;
    if (is_open_loop(plan))
        judge_schedule(verdict, plan, tally);
    if (tally->exhausted > 0)
        add(verdict,
            "%" PRIu64 " request%s failed because this machine ran out of ports, open files "
            "or memory",
            tally->exhausted, tally->exhausted == 1 ? "" : "s");
}
