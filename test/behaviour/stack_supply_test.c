/* SPDX-License-Identifier: MIT */
/* Stacks by the million and stacks that are not to be had, under every model.
 *
 * A million tasks spawn, run and end where guards are made by mprotect alone, as on kernels before
 * 6.13; more tasks than the kernel permits guards wait at once.  Where the address space ends, a
 * task that was accepted starts when another has ended, and none is lost; under `threads` the
 * system's limit refuses a task when it is spawned.
 * ctest: timeout=120 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    MILLION = 1000000,
    THREADS = 2000, /* in the place of a million, where each task is one */
    WATCHED = 3000, /* the same, where a sanitizer looks at each */
    PARKED = 20000, /* more than a quarter of the 65,530 mappings that kernels allow by default */
    PARKED_WATCHED = 500,
    SCARCE = 1500
};

struct crowd {
    int count;
    int accepted;
    int ran;     /* atomic */
    int arrived; /* atomic: tasks that have run as far as the gate */
    weir_chan *gate;
};

static bool under_sanitizer(void)
{
    return built_with_address_sanitizer() || built_with_thread_sanitizer() ||
           getenv("WEIR_UNDER_VALGRIND") != NULL;
}

static struct weir_opts old_kernel_opts(void)
{
    struct weir_opts opts = model_opts();
    opts.old_kernel = true;
    return opts;
}

static void check_guard(const char *wanted)
{
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    weir_runtime_stats_read(&stats);
    if (model_scheduler() != WEIR_SCHEDULER_THREADS && strcmp(stats.stack_guard, "canary") != 0)
        CHECK(strcmp(stats.stack_guard, wanted) == 0);
}

/* -- a million --------------------------------------------------------------------------------- */

static int count_myself(void *arg)
{
    struct crowd *crowd = arg;
    __atomic_add_fetch(&crowd->ran, 1, __ATOMIC_RELAXED);
    return 0;
}

static int spawn_all(void *arg)
{
    struct crowd *crowd = arg;
    weir_scope *scope;
    check_guard("mprotect");
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < crowd->count; i++)
        CHECK_EQ(weir_go(count_myself, crowd), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void a_million_tasks_run_and_end_where_guards_are_made_by_mprotect(void **state)
{
    (void)state;
    const struct weir_opts opts = old_kernel_opts();
    struct crowd crowd = { .count = under_sanitizer() ? WATCHED : MILLION };
    if (model_scheduler() == WEIR_SCHEDULER_THREADS)
        crowd.count = THREADS;
    run_body_with(&opts, spawn_all, &crowd);
    assert_int_equal(crowd.ran, crowd.count);
}

/* -- more than there are guards ---------------------------------------------------------------- */

static int pass_gate(void *arg)
{
    struct crowd *crowd = arg;
    char item;
    bump(&crowd->arrived);
    CHECK_EQ(weir_chan_recv(crowd->gate, &item, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    bump(&crowd->ran);
    return 0;
}

static void make_gate(struct crowd *crowd)
{
    CHECK_EQ(weir_chan_create(&crowd->gate, &(struct weir_chan_opts){ .elem_bytes = 1 }), 0);
}

static int park_all(void *arg)
{
    struct crowd *crowd = arg;
    weir_scope *scope;
    make_gate(crowd);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < crowd->count; i++)
        CHECK_EQ(weir_go(pass_gate, crowd), 0);
    await(&crowd->arrived, crowd->count);
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    weir_runtime_stats_read(&stats);
    CHECK(stats.stacks_in_use >= crowd->count);
    CHECK_EQ(weir_chan_close(crowd->gate), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(crowd->gate);
    return 0;
}

static void more_tasks_than_there_are_guards_wait_at_once(void **state)
{
    (void)state;
    if (model_scheduler() == WEIR_SCHEDULER_THREADS) {
        printf("SKIP: under threads stacks and their guards are the C library's\n");
        skip();
    }
    const struct weir_opts opts = old_kernel_opts();
    struct crowd crowd = { .count = under_sanitizer() ? PARKED_WATCHED : PARKED };
    run_body_with(&opts, park_all, &crowd);
    assert_int_equal(crowd.ran, crowd.count);
}

/* -- no stacks left ---------------------------------------------------------------------------- */

enum {
    ROOM_BYTES = 24 << 20,
    LOOKS_ALIKE = 30
};

static size_t address_space_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK_EQ(fscanf(file, "%llu", &pages), 1);
    CHECK_EQ(fclose(file), 0);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_address_space(void)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = address_space_bytes() + ROOM_BYTES;
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

/* Until as many have arrived as can: the number stays for a while. */
static void await_shortage(struct crowd *crowd)
{
    int before = -1;
    for (int alike = 0; alike < LOOKS_ALIKE; alike++) {
        CHECK_EQ(weir_sleep(weir_in_ms(2)), 0);
        const int now = peek(&crowd->arrived);
        if (now != before)
            alike = 0;
        before = now;
    }
}

/* What is accepted runs, sooner or later; what is refused never does. */
static int exhaust_stacks(void *arg)
{
    struct crowd *crowd = arg;
    weir_scope *scope;
    make_gate(crowd);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    limit_address_space();
    for (int i = 0; i < crowd->count; i++) {
        const int rc = weir_go(pass_gate, crowd);
        CHECK(rc == 0 || rc == WEIR_EAGAIN || rc == WEIR_ENOMEM);
        crowd->accepted += rc == 0;
    }
    await_shortage(crowd);
    CHECK(peek(&crowd->arrived) > 0);
    CHECK(peek(&crowd->arrived) < crowd->count);
    CHECK(peek(&crowd->arrived) <= crowd->accepted);
    if (model_scheduler() == WEIR_SCHEDULER_THREADS)
        CHECK(crowd->accepted < crowd->count);
    /* Under loop all are spawned before the first stack is needed.  Under tasks the stacks may have
     * left no room for the records of the last ones. */
    if (model_scheduler() == WEIR_SCHEDULER_LOOP)
        CHECK_EQ(crowd->accepted, crowd->count);
    CHECK_EQ(peek(&crowd->ran), 0);
    CHECK_EQ(weir_chan_close(crowd->gate), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(peek(&crowd->ran), crowd->accepted);
    /* And it goes on as before. */
    const int before = crowd->ran;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weir_go(count_myself, crowd), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(peek(&crowd->ran), before + 10);
    weir_chan_destroy(crowd->gate);
    return 0;
}

static void exhaust_in_child(void)
{
    struct crowd crowd = { .count = SCARCE };
    run_body(exhaust_stacks, &crowd);
}

static void without_stacks_left_accepted_tasks_wait_for_one_and_none_is_lost(void **state)
{
    (void)state;
    if (under_sanitizer()) {
        printf("SKIP: sanitizers need address space without a limit\n");
        skip();
    }
    char text[2048];
    const int status = run_in_child(exhaust_in_child, text, sizeof(text));
    if (status != 0)
        fprintf(stderr, "status %d: %s\n", status, text);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_stacks_left_accepted_tasks_wait_for_one_and_none_is_lost),
        cmocka_unit_test(a_million_tasks_run_and_end_where_guards_are_made_by_mprotect),
        cmocka_unit_test(more_tasks_than_there_are_guards_wait_at_once),
    };
    return cmocka_run_group_tests_name("stack_supply", tests, NULL, NULL);
}
