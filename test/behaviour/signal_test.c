/* SPDX-License-Identifier: MIT */
/* Signals to wait for: what arrives is told once, with its number of times, to every object that
 * lists it; afterwards the dispositions are what they were. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

static weir_signals *open_for(int first, int second)
{
    const int list[] = { first, second };
    weir_signals *signals;
    CHECK_EQ(weir_signals_open(&signals, list, second != 0 ? 2 : 1), 0);
    return signals;
}

static void send(int signal)
{
    CHECK_EQ(kill(getpid(), signal), 0);
}

BOTH(a_signal_is_waited_for)
{
    weir_signals *signals = open_for(SIGUSR1, SIGUSR2);
    struct weir_signal_event event = { 0 };
    CHECK_EQ(weir_signals_wait(signals, &event, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_signals_wait(signals, &event, weir_in_ms(1)), WEIR_ETIMEDOUT);
    send(SIGUSR2);
    CHECK_EQ(weir_signals_wait(signals, &event, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(event.signal, SIGUSR2);
    CHECK_EQ(event.count, 1);
    send(SIGUSR1);
    CHECK_EQ(weir_signals_wait(signals, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_signals_wait(signals, NULL, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    weir_signals_close(signals);
    return 0;
}

/* One at a time, because the kernel merges what it has not delivered yet. */
BOTH(what_nobody_took_is_counted_and_each_signal_gets_its_turn)
{
    weir_signals *signals = open_for(SIGUSR1, SIGHUP);
    weir_signals *witness = open_for(SIGUSR1, 0);
    for (int i = 0; i < 5; i++) {
        send(SIGUSR1);
        CHECK_EQ(weir_signals_wait(witness, NULL, WEIR_NO_DEADLINE), 0);
    }
    send(SIGHUP);
    int64_t users = 0;
    int hangups = 0;
    for (int i = 0; i < 2; i++) {
        struct weir_signal_event event = { 0 };
        CHECK_EQ(weir_signals_wait(signals, &event, WEIR_NO_DEADLINE), 0);
        users += event.signal == SIGUSR1 ? event.count : 0;
        hangups += event.signal == SIGHUP;
    }
    CHECK_EQ(users, 5);
    CHECK_EQ(hangups, 1);
    weir_signals_close(signals);
    weir_signals_close(witness);
    return 0;
}

BOTH(a_signal_is_a_case_of_select)
{
    weir_signals *signals = open_for(SIGUSR1, 0);
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(&ch, NULL), 0);
    for (int i = 0; i < 10; i++) {
        struct weir_signal_event event = { 0 };
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_RECV, .ch = ch },
            { .op = WEIR_SELECT_SIGNAL, .signals = signals, .msg = &event },
            { .op = WEIR_SELECT_SIGNAL, .signals = NULL },
        };
        CHECK_EQ(weir_select(cases, 3, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        send(SIGUSR1);
        CHECK_EQ(weir_select(cases, 3, WEIR_NO_DEADLINE), 1);
        CHECK_EQ(cases[1].result, 0);
        CHECK_EQ(event.signal, SIGUSR1);
    }
    weir_chan_destroy(ch);
    weir_signals_close(signals);
    return 0;
}

struct waiting {
    weir_signals *signals;
    int began;
    struct weir_signal_event event;
};

static int wait_for_signal(void *arg)
{
    struct waiting *waiting = arg;
    bump(&waiting->began);
    CHECK_EQ(weir_signals_wait(waiting->signals, &waiting->event, WEIR_NO_DEADLINE), 0);
    weir_signals_close(waiting->signals); /* whoever was woken may close at once */
    return 0;
}

BOTH(every_object_that_lists_a_signal_hears_of_it)
{
    struct waiting waiting[3];
    weir_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        waiting[i] = (struct waiting){ .signals = open_for(SIGUSR1, i == 1 ? SIGUSR2 : 0) };
        CHECK_EQ(weir_task_start(&tasks[i], wait_for_signal, &waiting[i]), 0);
        while (peek(&waiting[i].began) == 0)
            CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
    }
    send(SIGUSR1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(weir_task_join(tasks[i], NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(waiting[i].event.signal, SIGUSR1);
        CHECK_EQ(waiting[i].event.count, 1);
    }
    return 0;
}

static volatile sig_atomic_t handled;

static void note(int signal)
{
    handled = signal;
}

BOTH(closing_restores_the_disposition)
{
    struct sigaction own = { .sa_handler = note, .sa_flags = SA_RESTART };
    struct sigaction now;
    sigemptyset(&own.sa_mask);
    sigaddset(&own.sa_mask, SIGWINCH);
    CHECK_EQ(sigaction(SIGUSR1, &own, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
    weir_signals *first = open_for(SIGUSR1, SIGUSR2);
    weir_signals *second = open_for(SIGUSR1, 0);
    weir_signals_close(first);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler != note); /* one more object lists it */
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
    weir_signals_close(second);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == note);
    CHECK_EQ(sigismember(&now.sa_mask, SIGWINCH), 1);
    handled = 0;
    CHECK_EQ(raise(SIGWINCH), 0); /* ignored by default: not ours */
    CHECK_EQ(signal(SIGUSR1, SIG_DFL) == note, 1);
    return 0;
}

RUN(what_cannot_be_caught_is_refused_and_changes_nothing)
{
    static const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGABRT, 0, -1, 65, 1000 };
    weir_signals *signals = NULL;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const int list[] = { SIGUSR1, refused[i] };
        CHECK_EQ(weir_signals_open(&signals, list, 2), WEIR_EINVAL);
    }
    const int none[] = { SIGUSR1 };
    CHECK_EQ(weir_signals_open(&signals, none, 0), WEIR_EINVAL);
    CHECK_EQ(weir_signals_open(&signals, none, -1), WEIR_EINVAL);
    struct sigaction now;
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
    return 0;
}

static int wait_canceled(void *arg)
{
    CHECK_EQ(weir_signals_wait(arg, NULL, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

BOTH(a_canceled_wait_takes_no_signal)
{
    weir_signals *signals = open_for(SIGUSR1, 0);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, wait_canceled, signals), 0);
    await_waiters("signal", 1);
    weir_task_cancel(task, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    send(SIGUSR1);
    CHECK_EQ(weir_signals_wait(signals, NULL, WEIR_NO_DEADLINE), 0);
    weir_signals_close(signals);
    return 0;
}

static void objects_outlive_the_runtime_that_watched_for_them(void **state)
{
    (void)state;
    const int list[] = { SIGUSR1 };
    weir_signals *signals;
    CHECK_EQ(weir_signals_open(&signals, list, 1), WEIR_ENOTOPEN);
    runtime_open(NULL);
    signals = open_for(SIGUSR1, 0);
    runtime_close();
    send(SIGUSR1); /* still caught */
    runtime_open(NULL);
    CHECK_EQ(weir_signals_wait(signals, NULL, WEIR_NO_DEADLINE), 0);
    weir_signals *fresh = open_for(SIGUSR1, 0);
    send(SIGUSR1);
    CHECK_EQ(weir_signals_wait(fresh, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_signals_wait(signals, NULL, WEIR_NO_DEADLINE), 0);
    weir_signals_close(fresh);
    weir_signals_close(signals);
    runtime_close();
}

static void a_forked_child_lets_go_of_what_its_parent_has_opened(void **state)
{
    (void)state;
    runtime_open(NULL);
    weir_signals *signals = open_for(SIGUSR1, 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        weir_signals_close(signals);
        struct sigaction now;
        CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
        _exit(now.sa_handler == SIG_DFL ? 0 : 1);
    }
    int status = 1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    send(SIGUSR1); /* still caught here */
    CHECK_EQ(weir_signals_wait(signals, NULL, WEIR_NO_DEADLINE), 0);
    weir_signals_close(signals);
    runtime_close();
}

/* ThreadSanitizer holds a signal back until its thread next calls the C library, which one that
 * sleeps in the runtime does not.  There another thread takes the signals. */
static int ended;

static void *take_signals(void *unused)
{
    sigset_t set;
    sigemptyset(&set);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
    while (peek(&ended) == 0)
        IGNORE(poll(NULL, 0, 1));
    return unused;
}

static pthread_t leave_signals_to_another(void)
{
    sigset_t set;
    pthread_t thread;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGHUP);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, take_signals, NULL), 0);
    return thread;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_is_waited_for),
        cmocka_unit_test(what_nobody_took_is_counted_and_each_signal_gets_its_turn),
        cmocka_unit_test(a_signal_is_a_case_of_select),
        cmocka_unit_test(every_object_that_lists_a_signal_hears_of_it),
        cmocka_unit_test(closing_restores_the_disposition),
        cmocka_unit_test(what_cannot_be_caught_is_refused_and_changes_nothing),
        cmocka_unit_test(a_canceled_wait_takes_no_signal),
        cmocka_unit_test(objects_outlive_the_runtime_that_watched_for_them),
        cmocka_unit_test(a_forked_child_lets_go_of_what_its_parent_has_opened),
    };
    if (!built_with_thread_sanitizer())
        return cmocka_run_group_tests(tests, NULL, NULL);
    const pthread_t thread = leave_signals_to_another();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    post(&ended, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return failed;
}
