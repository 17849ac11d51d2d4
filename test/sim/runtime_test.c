/* SPDX-License-Identifier: MIT */
/* The runtime on a virtual clock: the bodies of the behaviour suite where hours cost nothing and
 * instants are exact.  Each runs from many seeds; the same seed gives the same run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/world.h"

/* A timer may come one tick of the wheel late, and each look at the clock takes a moment. */
static const int64_t LATE_NS = WEIR_NS_PER_MS;
static const int64_t HOUR_NS = 3600 * WEIR_NS_PER_S;

static int64_t span_below(uint64_t *random, int64_t bound_ns)
{
    return (int64_t)(draw(random) % (uint64_t)bound_ns);
}

static weir_chan *make_chan(size_t cap_elems)
{
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(&ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int64_t),
                                                             .cap_elems = cap_elems }),
             0);
    return ch;
}

/* -- sleep ------------------------------------------------------------------------------------- */

enum {
    SLEEPERS = 50
};

struct sleeper {
    weir_time until;
    weir_time woken;
    int place; /* in the order of waking */
    int *turn;
};

static int sleep_long(void *arg)
{
    struct sleeper *sleeper = arg;
    CHECK_EQ(weir_sleep(sleeper->until), 0);
    sleeper->woken = weir_now();
    sleeper->place = bump(sleeper->turn);
    return 0;
}

static int sleep_for_hours(void *arg)
{
    uint64_t *random = arg;
    struct sleeper sleepers[SLEEPERS];
    weir_scope *scope;
    int turn = 0;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        const int64_t span = span_below(random, i % 5 == 0 ? WEIR_NS_PER_MS : 48 * HOUR_NS);
        sleepers[i] = (struct sleeper){ .until = weir_now() + span, .turn = &turn };
        CHECK_EQ(weir_go(sleep_long, &sleepers[i]), 0);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK(sleepers[i].woken >= sleepers[i].until);
        CHECK(sleepers[i].woken <= sleepers[i].until + LATE_NS);
        for (int k = 0; k < SLEEPERS; k++) {
            if (sleepers[i].until + LATE_NS < sleepers[k].until)
                CHECK(sleepers[i].place < sleepers[k].place);
        }
    }
    return 0;
}

static void sleepers_wake_in_order_over_hours_that_take_no_time(void **state)
{
    (void)state;
    const int64_t start = world_real_ns();
    world_each_seed(world_calm, sleep_for_hours);
    /* Some 9,000 hours. */
    assert_true(world_real_ns() - start < 60 * WEIR_NS_PER_S);
}

/* -- channels ---------------------------------------------------------------------------------- */

enum {
    ITEMS = 60,
    ENDS = 3
};

struct traffic {
    weir_chan *ch;
    uint64_t random;
    int64_t sent;
    int64_t received;
    int64_t timed_out;
};

static int send_now_and_then(void *arg)
{
    struct traffic *traffic = arg;
    for (int64_t i = 1; i <= ITEMS;) {
        CHECK_EQ(weir_sleep(weir_now() + span_below(&traffic->random, WEIR_NS_PER_S)), 0);
        const weir_time until = weir_now() + span_below(&traffic->random, WEIR_NS_PER_S);
        const int rc = weir_chan_send(traffic->ch, &i, until);
        if (rc == WEIR_ETIMEDOUT) {
            CHECK(weir_now() >= until);
            CHECK(weir_now() <= until + LATE_NS);
            traffic->timed_out++;
            continue;
        }
        CHECK_EQ(rc, 0);
        traffic->sent += i++;
    }
    return 0;
}

static int receive_now_and_then(void *arg)
{
    struct traffic *traffic = arg;
    for (;;) {
        int64_t item = 0;
        const weir_time until = weir_now() + span_below(&traffic->random, WEIR_NS_PER_S);
        const int rc = weir_chan_recv(traffic->ch, &item, until);
        if (rc == WEIR_ECLOSED)
            return 0;
        if (rc == WEIR_ETIMEDOUT) {
            CHECK(weir_now() >= until);
            traffic->timed_out++;
            continue;
        }
        CHECK_EQ(rc, 0);
        traffic->received += item;
        CHECK_EQ(weir_sleep(weir_now() + span_below(&traffic->random, WEIR_NS_PER_S)), 0);
    }
}

static int exchange(void *arg)
{
    uint64_t *random = arg;
    struct traffic traffic = { .random = draw(random) };
    weir_task *senders[ENDS];
    weir_scope *scope;
    traffic.ch = make_chan((size_t)draw_below(random, 4));
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < ENDS; i++) {
        CHECK_EQ(weir_task_start(&senders[i], send_now_and_then, &traffic), 0);
        CHECK_EQ(weir_go(receive_now_and_then, &traffic), 0);
    }
    for (int i = 0; i < ENDS; i++)
        CHECK_EQ(weir_task_join(senders[i], NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_chan_close(traffic.ch), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(traffic.sent, (int64_t)ENDS * ITEMS * (ITEMS + 1) / 2);
    CHECK_EQ(traffic.received, traffic.sent);
    weir_chan_destroy(traffic.ch);
    return 0;
}

static void channels_lose_nothing_whatever_the_deadlines(void **state)
{
    (void)state;
    world_each_seed(world_calm, exchange);
}

/* -- select ------------------------------------------------------------------------------------ */

struct later {
    weir_chan *ch;
    weir_time at;
    int64_t item;
};

static int send_at(void *arg)
{
    struct later *later = arg;
    CHECK_EQ(weir_sleep(later->at), 0);
    return weir_chan_send(later->ch, &later->item, WEIR_NO_DEADLINE);
}

/* Three senders at random instants and a deadline: what comes first is known beforehand. */
static int select_with_a_deadline(void *arg)
{
    uint64_t *random = arg;
    enum {
        SOURCES = 3
    };
    for (int round = 0; round < 10; round++) {
        struct later laters[SOURCES];
        struct weir_select_case cases[SOURCES];
        int64_t items[SOURCES] = { 0 };
        weir_time first = WEIR_NO_DEADLINE;
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        const weir_time now = weir_now();
        for (int i = 0; i < SOURCES; i++) {
            laters[i] = (struct later){ .ch = make_chan(1),
                                        .at = now + span_below(random, 10 * WEIR_NS_PER_S),
                                        .item = i + 10 };
            first = laters[i].at < first ? laters[i].at : first;
            cases[i] = (struct weir_select_case){ .op = WEIR_SELECT_RECV,
                                                  .ch = laters[i].ch,
                                                  .msg = &items[i] };
            CHECK_EQ(weir_go(send_at, &laters[i]), 0);
        }
        const weir_time until = now + span_below(random, 10 * WEIR_NS_PER_S);
        const int chosen = weir_select(cases, SOURCES, until);
        if (chosen == WEIR_ETIMEDOUT) {
            CHECK(weir_now() >= until && weir_now() <= until + LATE_NS);
            CHECK(first + LATE_NS >= until);
        } else {
            CHECK(chosen >= 0 && chosen < SOURCES);
            CHECK_EQ(cases[chosen].result, 0);
            CHECK_EQ(items[chosen], chosen + 10);
            CHECK(laters[chosen].at <= first + LATE_NS);
            CHECK(first <= until + LATE_NS);
        }
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
        for (int i = 0; i < SOURCES; i++) {
            CHECK_EQ(weir_chan_len(laters[i].ch), i == chosen ? 0 : 1);
            weir_chan_destroy(laters[i].ch);
        }
    }
    return 0;
}

static void select_does_what_comes_first(void **state)
{
    (void)state;
    world_each_seed(world_calm, select_with_a_deadline);
}

/* -- scopes ------------------------------------------------------------------------------------ */

struct child {
    weir_time works_until;
    weir_time ended;
    int result;
    int cause;
};

static int work(void *arg)
{
    struct child *child = arg;
    child->result = weir_sleep(child->works_until);
    child->cause = weir_cancel_cause();
    child->ended = weir_now();
    return 0;
}

enum {
    CHILDREN = 8
};

static void start_children(struct child *children, uint64_t *random)
{
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = (struct child){ .works_until = weir_now() + span_below(random, 2 * HOUR_NS) };
        CHECK_EQ(weir_go(work, &children[i]), 0);
    }
}

static void expect_cut(const struct child *child, weir_time deadline)
{
    if (child->works_until + LATE_NS < deadline) {
        CHECK_EQ(child->result, 0);
    } else if (child->works_until > deadline + LATE_NS) {
        CHECK_EQ(child->result, WEIR_ECANCELED);
        CHECK_EQ(child->cause, WEIR_ETIMEDOUT);
        CHECK(child->ended >= deadline && child->ended <= deadline + LATE_NS);
    }
}

static int scopes_with_deadlines(void *arg)
{
    uint64_t *random = arg;
    struct child children[CHILDREN];
    weir_scope *scope;

    /* An ambient deadline of the children. */
    weir_time deadline = weir_now() + HOUR_NS;
    CHECK_EQ(weir_scope_open(&scope, &(struct weir_scope_opts){ .deadline = deadline }), 0);
    start_children(children, random);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < CHILDREN; i++)
        expect_cut(&children[i], deadline);

    /* A deadline of the close. */
    deadline = weir_now() + HOUR_NS;
    weir_time last = 0;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    start_children(children, random);
    const int rc = weir_scope_close(scope, deadline);
    for (int i = 0; i < CHILDREN; i++) {
        expect_cut(&children[i], deadline);
        last = children[i].works_until > last ? children[i].works_until : last;
    }
    if (last > deadline + LATE_NS)
        CHECK_EQ(rc, WEIR_ETIMEDOUT);
    else if (last + LATE_NS < deadline)
        CHECK_EQ(rc, 0);
    return 0;
}

static void scopes_end_at_their_deadlines(void **state)
{
    (void)state;
    world_each_seed(world_calm, scopes_with_deadlines);
}

/* -- deadlock ---------------------------------------------------------------------------------- */

struct knot {
    weir_task *task;
    int deadlocks;
};

static int wait_for_nobody(void *arg)
{
    weir_chan *ch = make_chan(0);
    int64_t item;
    (void)arg;
    CHECK_EQ(weir_chan_recv(ch, &item, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_cancel_cause(), WEIR_EDEADLK);
    weir_chan_destroy(ch);
    return 0;
}

static void cut_the_knot(void *user)
{
    struct knot *knot = user;
    if (knot->deadlocks++ == 0)
        weir_task_cancel(knot->task, WEIR_EDEADLK);
}

static int tie_a_knot(void *arg)
{
    struct knot *knot = arg;
    CHECK_EQ(weir_task_start(&knot->task, wait_for_nobody, NULL), 0);
    CHECK_EQ(weir_task_join(knot->task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void waits_that_can_never_end_are_noticed(void **state)
{
    (void)state;
    struct knot knot = { .deadlocks = 0 };
    const struct wi_sim_opts opts = { .on_deadlock = cut_the_knot, .user = &knot };
    (void)world_run(&opts, tie_a_knot, &knot);
    assert_int_equal(knot.deadlocks, 1);
}

/* -- replay ------------------------------------------------------------------------------------ */

static int everything(void *arg)
{
    CHECK_EQ(sleep_for_hours(arg), 0);
    CHECK_EQ(exchange(arg), 0);
    CHECK_EQ(select_with_a_deadline(arg), 0);
    return scopes_with_deadlines(arg);
}

static void a_seed_repeats_its_run(void **state)
{
    (void)state;
    world_replays(world_calm, everything);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleepers_wake_in_order_over_hours_that_take_no_time),
        cmocka_unit_test(channels_lose_nothing_whatever_the_deadlines),
        cmocka_unit_test(select_does_what_comes_first),
        cmocka_unit_test(scopes_end_at_their_deadlines),
        cmocka_unit_test(waits_that_can_never_end_are_noticed),
        cmocka_unit_test(a_seed_repeats_its_run),
    };
    return cmocka_run_group_tests_name("sim/runtime", tests, NULL, NULL);
}
