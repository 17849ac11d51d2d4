/* SPDX-License-Identifier: MIT */
/* Threads: mask, stack, alternate signal stack, name. */
#define _GNU_SOURCE 1
#include "os/thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "os/file.h"

/* What a thread saw of itself. */
struct view {
    char name[16];
    sigset_t mask;
    stack_t altstack;
    uintptr_t low;
    uintptr_t high;
    uintptr_t local;
    int id;
    bool alone;
};

static void look_around(void *arg)
{
    struct view *view = arg;
    void *low;
    void *high;
    char local = 0;
    prctl(PR_GET_NAME, view->name);
    pthread_sigmask(SIG_SETMASK, NULL, &view->mask);
    sigaltstack(NULL, &view->altstack);
    view->low = wi_os_thread_stack(&low, &high) == 0 ? (uintptr_t)low : 0;
    view->high = (uintptr_t)high;
    view->local = (uintptr_t)&local;
    view->id = wi_os_thread_id();
    view->alone = wi_os_thread_alone();
}

static struct view view_of_a_thread(size_t stack_bytes, const char *name)
{
    struct view view = { .id = 0 };
    struct wi_os_thread thread;
    assert_int_equal(wi_os_thread_start(&thread, look_around, &view, stack_bytes, name), 0);
    wi_os_thread_join(&thread);
    return view;
}

static void a_thread_blocks_all_but_its_own_faults(void **state)
{
    (void)state;
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    const struct view view = view_of_a_thread(0, "mask");
    const int blocked[] = { SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGPIPE, SIGALRM, SIGHUP };
    const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
        assert_int_equal(sigismember(&view.mask, blocked[i]), 1);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        assert_int_equal(sigismember(&view.mask, open[i]), 0);

    sigset_t after;
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signal = 1; signal < 32; signal++)
        assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

static void step_back(void *arg)
{
    int *nice = arg;
    nice[0] = wi_os_thread_nice();
    wi_os_thread_be_nice(nice[0] + 3);
    nice[1] = wi_os_thread_nice();
    wi_os_thread_be_nice(1000);
    nice[2] = wi_os_thread_nice();
}

static void a_thread_steps_back_alone(void **state)
{
    (void)state;
    const int before = wi_os_thread_nice();
    int nice[3] = { -100, -100, -100 };
    struct wi_os_thread thread;
    assert_int_equal(wi_os_thread_start(&thread, step_back, nice, 0, "nice"), 0);
    wi_os_thread_join(&thread);
    assert_int_equal(nice[0], before);
    assert_int_equal(nice[1], before + 3 < 19 ? before + 3 : 19);
    assert_int_equal(nice[2], 19);
    assert_int_equal(wi_os_thread_nice(), before);
}

static void a_thread_has_the_stack_it_was_given(void **state)
{
    (void)state;
    const size_t sizes[] = { 0, 128 * 1024, 1024 * 1024 };
    for (size_t i = 0; i < 3; i++) {
        const size_t wanted = sizes[i] == 0 ? 256 * 1024 : sizes[i];
        const struct view view = view_of_a_thread(sizes[i], "stack");
        assert_true(view.low != 0);
        /* The C library may hand out a larger one that it kept from a thread before. */
        assert_in_range(view.high - view.low, wanted, 2 * 1024 * 1024);
#ifndef __SANITIZE_ADDRESS__ /* which may keep locals elsewhere */
        assert_in_range(view.local, view.low, view.high);
#endif
    }
}

static void a_thread_has_an_alternate_signal_stack(void **state)
{
    (void)state;
    const struct view view = view_of_a_thread(0, "alt");
    assert_int_equal(view.altstack.ss_flags & SS_DISABLE, 0);
    assert_true(view.altstack.ss_size >= 32 * 1024);
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    assert_string_equal(view_of_a_thread(0, "short").name, "short");
    assert_string_equal(view_of_a_thread(0, "a-name-of-more-than-15").name, "a-name-of-more-");
}

static void threads_have_ids_of_their_own(void **state)
{
    (void)state;
    const struct view view = view_of_a_thread(0, "id");
    assert_int_equal(wi_os_thread_id(), getpid());
    assert_int_not_equal(view.id, getpid());
    assert_false(view.alone);
}

static void the_main_thread_knows_its_stack(void **state)
{
    (void)state;
    struct view view;
    look_around(&view);
    assert_true(view.low != 0);
    assert_in_range((uintptr_t)__builtin_frame_address(0), view.low, view.high);
}

/* Mappings of this process; a leak of one for each thread shows. */
static long count_mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    assert_non_null(file);
    long lines = 0;
    for (int byte = fgetc(file); byte != EOF; byte = fgetc(file))
        lines += byte == '\n';
    fclose(file);
    return lines;
}

static void *foreign(void *arg)
{
    stack_t stack;
    wi_os_thread_altstack();
    wi_os_thread_altstack();
    *(bool *)arg = sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0;
    return NULL;
}

static void a_foreign_thread_gets_its_stack_and_nothing_leaks(void **state)
{
    (void)state;
    long before = 0;
    for (int i = 0; i < 300; i++) {
        bool has = false;
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, foreign, &has), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(has);
        (void)view_of_a_thread(0, "leak");
        if (i == 50)
            before = count_mappings();
    }
    assert_true(count_mappings() < before + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_blocks_all_but_its_own_faults),
        cmocka_unit_test(a_thread_steps_back_alone),
        cmocka_unit_test(a_thread_has_the_stack_it_was_given),
        cmocka_unit_test(a_thread_has_an_alternate_signal_stack),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(threads_have_ids_of_their_own),
        cmocka_unit_test(the_main_thread_knows_its_stack),
        cmocka_unit_test(a_foreign_thread_gets_its_stack_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
