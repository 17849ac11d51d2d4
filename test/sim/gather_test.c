/* SPDX-License-Identifier: MIT */
/* Gather and race under a virtual clock: calls that end well or not, a deadline and a cancellation
 * from outside at few instants, so that several often fall on one.  What is told is held against
 * what the instants allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

static const int64_t TICK_NS = 60 * WEIR_NS_PER_S;

enum {
    CALLS_MAX = 6,
    TICKS = 5,
    NEVER = 1000
};

/* A call ends at its instant with its end, unless it was canceled before. */
struct part {
    weir_time start;
    int at;
    int end;
    bool below; /* it waits for a child of its own, uncancelably */
    bool made;
    int canceled; /* the cause, 0 */
};

struct plan {
    struct weir_call calls[CALLS_MAX];
    struct part parts[CALLS_MAX];
    int count;
    struct weir_gather_opts opts;
    weir_time start;
    int deadline;
    int cancel_at;
    weir_task *caller;
    int result;
    int ended;
};

static int told[8]; /* how often which end was seen */
enum {
    WELL,
    AN_ERROR,
    TIME_UP,
    CANCELED
};

/* Instants are whole ticks after the start of the plan.  The clock moves on a little as things are
 * done, which a tick swallows. */
static weir_time instant(weir_time start, int tick)
{
    return tick == NEVER ? WEIR_NO_DEADLINE : start + tick * TICK_NS;
}

static int tick_now(weir_time start)
{
    return (int)((weir_now() - start) / TICK_NS);
}

static int sleep_to_the_end(void *arg)
{
    struct part *part = arg;
    if (weir_sleep(instant(part->start, part->at)) == 0)
        return part->end;
    part->canceled = weir_cancel_cause();
    return WEIR_ECANCELED;
}

/* The caller of this one does not look: cancellation has to come down by itself. */
static int have_it_done_below(struct part *part)
{
    weir_scope *scope;
    weir_task *task;
    int result = 0;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .keep_going = true }), 0);
    const int rc = weir_task_start(&task, sleep_to_the_end, part);
    if (rc == 0)
        CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    else
        part->canceled = weir_cancel_cause();
    const int closed = weir_scope_close(scope, WEIR_NO_DEADLINE);
    CHECK(closed == 0 || closed == part->end || weir_cancel_cause() != 0);
    return rc == 0 ? result : rc;
}

static int play(void *arg)
{
    struct part *part = arg;
    part->made = true;
    return part->below ? have_it_done_below(part) : sleep_to_the_end(part);
}

static int draw_tick(uint64_t *random)
{
    return 1 + draw_below(random, TICKS);
}

static void draw_plan(struct plan *plan, uint64_t *random, int well_percent)
{
    const weir_time start = weir_now();
    *plan = (struct plan){ .count = 1 + draw_below(random, CALLS_MAX),
                           .start = start,
                           .deadline = NEVER,
                           .cancel_at = NEVER };
    for (int i = 0; i < plan->count; i++) {
        const bool well = draw_below(random, 100) < well_percent;
        plan->parts[i] = (struct part){ .start = start,
                                        .at = draw_tick(random),
                                        .end = well ? i : WEIR_EIO - i,
                                        .below = draw_below(random, 3) == 0 };
        plan->calls[i] = (struct weir_call){ .fn = play, .arg = &plan->parts[i] };
    }
    if (draw_below(random, 3) == 0)
        plan->deadline = draw_tick(random);
    if (draw_below(random, 3) == 0)
        plan->cancel_at = draw_tick(random);
}

static int cancel_caller(void *arg)
{
    struct plan *plan = arg;
    if (weir_sleep(instant(plan->start, plan->cancel_at)) == 0)
        weir_task_cancel(plan->caller, WEIR_EPERM);
    return 0;
}

/* Has `fn` carry out the plan in a task that is canceled at its instant. */
static void carry_out(struct plan *plan, weir_task_fn *fn)
{
    weir_task *canceller = NULL;
    CHECK_EQ(weir_task_start(&plan->caller, fn, plan), 0);
    if (plan->cancel_at != NEVER)
        CHECK_EQ(weir_task_start(&canceller, cancel_caller, plan), 0);
    if (canceller != NULL)
        CHECK_EQ(weir_task_join(canceller, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_join(plan->caller, NULL, WEIR_NO_DEADLINE), 0);
}

static int earlier(int a, int b)
{
    return a < b ? a : b;
}

/* The first instant at which the calls may have been ended from outside of them. */
static int stopped_at(const struct plan *plan)
{
    return earlier(plan->deadline, plan->cancel_at);
}

/* Each result is the call's own, or that it was canceled, which can be no earlier than `stop` and
 * no later than its end. */
static void check_results(const struct plan *plan, int stop)
{
    for (int i = 0; i < plan->count; i++) {
        const struct part *part = &plan->parts[i];
        const int result = plan->calls[i].result;
        CHECK(result == part->end || result == WEIR_ECANCELED);
        if (result == WEIR_ECANCELED)
            CHECK(stop <= part->at);
        else
            CHECK(part->made && part->at <= stop);
        CHECK_EQ(part->made && result == WEIR_ECANCELED, part->canceled != 0);
    }
}

static void check_stop(const struct plan *plan, int result)
{
    if (result == WEIR_ETIMEDOUT) {
        CHECK_EQ(plan->ended, plan->deadline);
        told[TIME_UP]++;
    } else if (result == WEIR_ECANCELED) {
        CHECK(plan->cancel_at <= plan->ended);
        told[CANCELED]++;
    }
}

static void check_every_end_was_seen(void)
{
    printf("well %d, an error %d, time up %d, canceled %d\n", told[WELL], told[AN_ERROR],
           told[TIME_UP], told[CANCELED]);
    for (int i = WELL; getenv("WEIR_TEST_SEED") == NULL && i <= CANCELED; i++)
        assert_true(told[i] > 0);
    for (int i = WELL; i <= CANCELED; i++)
        told[i] = 0;
}

/* -- all --------------------------------------------------------------------------------------- */

static int gather_plan(void *arg)
{
    struct plan *plan = arg;
    plan->result = weir_gather(plan->calls, (size_t)plan->count, &plan->opts,
                               instant(plan->start, plan->deadline));
    plan->ended = tick_now(plan->start);
    return 0;
}

static int end_of_all(const struct plan *plan)
{
    int last = 0;
    for (int i = 0; i < plan->count; i++)
        last = plan->parts[i].at > last ? plan->parts[i].at : last;
    return last;
}

static int first_error(const struct plan *plan)
{
    int first = NEVER;
    for (int i = 0; i < plan->count; i++)
        first = plan->parts[i].end < 0 ? earlier(first, plan->parts[i].at) : first;
    return first;
}

static int gather_once(void *arg)
{
    uint64_t *random = arg;
    struct plan plan;
    draw_plan(&plan, random, 80);
    plan.opts.keep_going = draw_below(random, 2) == 0;
    carry_out(&plan, gather_plan);
    const int error = plan.opts.keep_going ? NEVER : first_error(&plan);
    const int stop = earlier(stopped_at(&plan), error);
    check_results(&plan, stop);
    CHECK_EQ(plan.ended, earlier(stop, end_of_all(&plan)));
    if (plan.result == 0) {
        CHECK(end_of_all(&plan) <= stopped_at(&plan));
        told[WELL]++;
    } else if (plan.result != WEIR_ETIMEDOUT && plan.result != WEIR_ECANCELED) {
        CHECK_EQ(plan.ended, error);
        int failed = 0;
        for (int i = 0; i < plan.count; i++)
            failed += plan.calls[i].result == plan.result && plan.parts[i].at == error;
        CHECK_EQ(failed, 1);
        told[AN_ERROR]++;
    }
    check_stop(&plan, plan.result);
    return 0;
}

static void a_gathering_tells_what_came_first(void **state)
{
    (void)state;
    world_each_seed(world_calm, gather_once);
    check_every_end_was_seen();
}

/* -- the first --------------------------------------------------------------------------------- */

static int race_plan(void *arg)
{
    struct plan *plan = arg;
    plan->result = weir_race(plan->calls, (size_t)plan->count, &plan->opts,
                             instant(plan->start, plan->deadline));
    plan->ended = tick_now(plan->start);
    return 0;
}

static int first_win(const struct plan *plan)
{
    int first = NEVER;
    for (int i = 0; i < plan->count; i++) {
        if (plan->opts.any_end || plan->parts[i].end >= 0)
            first = earlier(first, plan->parts[i].at);
    }
    return first;
}

static int race_once(void *arg)
{
    uint64_t *random = arg;
    struct plan plan;
    draw_plan(&plan, random, 30);
    plan.opts.any_end = draw_below(random, 4) == 0;
    carry_out(&plan, race_plan);
    const int win = first_win(&plan);
    const int stop = earlier(stopped_at(&plan), win);
    check_results(&plan, stop);
    CHECK_EQ(plan.ended, earlier(stop, end_of_all(&plan)));
    if (plan.result >= 0) {
        CHECK(plan.result < plan.count);
        const struct part *winner = &plan.parts[plan.result];
        CHECK_EQ(plan.calls[plan.result].result, winner->end);
        CHECK_EQ(winner->at, win);
        CHECK(win <= stopped_at(&plan));
        told[WELL]++;
    } else if (plan.result != WEIR_ETIMEDOUT && plan.result != WEIR_ECANCELED) {
        CHECK_EQ(win, NEVER); /* nobody could win: the error that came first */
        bool failed = false;
        for (int i = 0; i < plan.count; i++)
            failed = failed || (plan.calls[i].result == plan.result &&
                                plan.parts[i].at == first_error(&plan));
        CHECK(failed);
        told[AN_ERROR]++;
    }
    check_stop(&plan, plan.result);
    return 0;
}

static void a_race_is_won_by_one_that_was_first(void **state)
{
    (void)state;
    world_each_seed(world_calm, race_once);
    check_every_end_was_seen();
}

/* -- one by one -------------------------------------------------------------------------------- */

static int take_one_by_one(void *arg)
{
    uint64_t *random = arg;
    struct plan plan;
    draw_plan(&plan, random, 50);
    weir_gathering *gathering;
    bool seen[CALLS_MAX] = { false };
    int last = 0;
    CHECK_EQ(weir_gather_start(&gathering, plan.calls, (size_t)plan.count, NULL), 0);
    for (int i = 0; i < plan.count;) {
        const int until = tick_now(plan.start) + draw_tick(random);
        const int index = weir_gather_next(gathering, instant(plan.start, until));
        if (index == WEIR_ETIMEDOUT) {
            CHECK_EQ(tick_now(plan.start), until);
            continue;
        }
        CHECK(index >= 0 && index < plan.count && !seen[index]);
        seen[index] = true;
        CHECK_EQ(plan.calls[index].result, plan.parts[index].end);
        CHECK(plan.parts[index].at >= last);
        last = plan.parts[index].at;
        CHECK_EQ(tick_now(plan.start), last);
        i++;
    }
    CHECK_EQ(weir_gather_next(gathering, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    weir_gather_end(gathering);
    return 0;
}

static void calls_are_told_one_by_one_at_the_instants_of_their_ends(void **state)
{
    (void)state;
    world_each_seed(world_calm, take_one_by_one);
}

static void a_seed_gives_the_same_run_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t traces[2];
        for (int i = 0; i < 2; i++) {
            const struct wi_sim_opts opts = world_calm(seed);
            uint64_t random = seed;
            traces[i] = world_run(&opts, gather_once, &random);
        }
        assert_true(traces[0] == traces[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gathering_tells_what_came_first),
        cmocka_unit_test(a_race_is_won_by_one_that_was_first),
        cmocka_unit_test(calls_are_told_one_by_one_at_the_instants_of_their_ends),
        cmocka_unit_test(a_seed_gives_the_same_run_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
