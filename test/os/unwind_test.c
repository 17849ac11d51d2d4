/* SPDX-License-Identifier: MIT */
/* Frames of the caller, of a context that was left, and of one that is held by another thread: by
 * comparing the functions that return addresses lie in. */
#include "os/unwind.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unwind.h>

#include <cmocka.h>

#include "arch/context.h"
#include "support/run.h"
#include "task/sanitize.h"

enum {
    FRAMES_MAX = 64,
    STACK_BYTES = 256 * 1024
};

void wi_context_begin(void);

struct trace {
    void *pcs[FRAMES_MAX];
    int count;
};

static bool is_in(const void *pc, void (*function)(void))
{
    void *start = _Unwind_FindEnclosingFunction((char *)(uintptr_t)pc - 1);
    return start == (void *)(uintptr_t)function;
}

static int find(const struct trace *trace, void (*function)(void))
{
    for (int i = 0; i < trace->count; i++) {
        if (is_in(trace->pcs[i], function))
            return i;
    }
    return -1;
}

#define FUNCTION(name) ((void (*)(void))(uintptr_t)(name))

static void take(void *arg)
{
    struct trace *trace = arg;
    trace->count = wi_unwind_beyond(FUNCTION(wi_context_visit), trace->pcs, FRAMES_MAX);
}

/* -- here ------------------------------------------------------------------------------------- */

__attribute__((noinline)) static int inner(struct trace *trace)
{
    trace->count = wi_unwind_beyond(NULL, trace->pcs, FRAMES_MAX);
    return trace->count;
}

__attribute__((noinline)) static int outer(struct trace *trace)
{
    return inner(trace) + 1;
}

static void the_callers_frames_come_innermost_first(void **state)
{
    (void)state;
    struct trace trace;
    assert_true(outer(&trace) > 3);
    assert_int_equal(find(&trace, FUNCTION(inner)), 0);
    assert_int_equal(find(&trace, FUNCTION(outer)), 1);
    assert_int_equal(find(&trace, FUNCTION(the_callers_frames_come_innermost_first)), 2);
}

static void frames_stop_at_the_room_that_there_is(void **state)
{
    (void)state;
    void *pcs[3] = { NULL, NULL, (void *)state };
    assert_int_equal(wi_unwind_beyond(NULL, pcs, 2), 2);
    assert_ptr_equal(pcs[2], (void *)state);
    assert_int_equal(wi_unwind_beyond(FUNCTION(exit), pcs, 2), 0); /* not among the callers */
}

/* -- a context that was left ------------------------------------------------------------------ */

static struct {
    void *own;
    void *other;
    struct wi_fiber own_fiber;
    struct wi_fiber other_fiber;
    WI_TSAN_MEMBER
    bool ends;
} pair;

__attribute__((noinline)) static void leave_deep(int depth)
{
    if (depth > 0) {
        leave_deep(depth - 1);
        __asm__ volatile("" ::: "memory"); /* no tail call */
        return;
    }
    wi_fiber_leave(pair.ends ? NULL : &pair.other_fiber, &pair.own_fiber);
    wi_context_switch(&pair.other, pair.own);
    wi_fiber_arrive(&pair.other_fiber);
}

static void other_entry(void *arg)
{
    wi_fiber_arrive(&pair.other_fiber);
    leave_deep(*(int *)arg);
    pair.ends = true;
    leave_deep(0);
}

static void enter(void)
{
    wi_fiber_leave(&pair.own_fiber, &pair.other_fiber);
    wi_context_switch(&pair.own, pair.other);
    wi_fiber_arrive(&pair.own_fiber);
}

static void a_context_that_was_left_is_walked_to_its_beginning(void **state)
{
    (void)state;
    struct trace trace;
    int depth = 5;
    void *stack = NULL;
    pair.ends = false;
    assert_int_equal(posix_memalign(&stack, 64, STACK_BYTES), 0);
    pair.other = wi_context_make((char *)stack + STACK_BYTES, other_entry, &depth);
    wi_fiber_on(&pair.other_fiber, stack, STACK_BYTES);
    wi_tsan_adopt(&pair.own_fiber);
    wi_tsan_begin(&pair.other_fiber, &pair);
    enter();

    wi_context_visit(pair.other, take, &trace);
    assert_int_equal(find(&trace, FUNCTION(leave_deep)), 0);
    int deep = 0;
    for (int i = 0; i < trace.count; i++)
        deep += is_in(trace.pcs[i], FUNCTION(leave_deep));
    assert_in_range(deep, 1, depth + 1); /* a compiler may inline some */
    assert_true(find(&trace, FUNCTION(other_entry)) > 0);
    assert_int_equal(find(&trace, FUNCTION(wi_context_begin)), trace.count - 1);

    enter(); /* nothing was changed: it goes on */
    assert_true(pair.ends);
    wi_tsan_forget(&pair);
    free(stack);
}

/* A context that has not run yet has no caller, and begins where every context does. */
static void a_fresh_context_has_one_frame(void **state)
{
    (void)state;
    struct trace trace;
    static _Alignas(64) char stack[4096];
    void *fresh = wi_context_make(stack + sizeof(stack), other_entry, NULL);
    wi_context_visit(fresh, take, &trace);
    assert_true(trace.count <= 1);
}

/* -- a context that is held ------------------------------------------------------------------- */

static struct {
    sem_t held;
    sem_t seen;
    void *context;
    long kept;
} other;

static void while_held(void *context, void *arg)
{
    assert_ptr_equal(arg, &other);
    other.context = context;
    sem_post(&other.held);
    while (sem_wait(&other.seen) != 0) {
    }
}

__attribute__((noinline)) static void hold(long value)
{
    volatile long kept = value;
    wi_context_hold(while_held, &other);
    other.kept = kept + value;
}

static void *hold_in_thread(void *arg)
{
    hold(*(long *)arg);
    return arg;
}

static void a_context_held_by_another_thread_is_walked_from_its_caller(void **state)
{
    (void)state;
    struct trace trace;
    pthread_t thread;
    long value = 21;
    assert_int_equal(sem_init(&other.held, 0, 0), 0);
    assert_int_equal(sem_init(&other.seen, 0, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_in_thread, &value), 0);
    while (sem_wait(&other.held) != 0) {
    }
    wi_context_visit(other.context, take, &trace);
    assert_int_equal(find(&trace, FUNCTION(hold)), 0);
    assert_int_equal(find(&trace, FUNCTION(hold_in_thread)), 1);
    sem_post(&other.seen);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.kept, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_callers_frames_come_innermost_first),
        cmocka_unit_test(frames_stop_at_the_room_that_there_is),
        cmocka_unit_test(a_context_that_was_left_is_walked_to_its_beginning),
        cmocka_unit_test(a_fresh_context_has_one_frame),
        cmocka_unit_test(a_context_held_by_another_thread_is_walked_from_its_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
