/* SPDX-License-Identifier: MIT */
/* The runtime under test; see run.h. */
#include "support/run.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

const char *model_name(void)
{
    const char *name = getenv("WEIR_TEST_MODEL");
    return name != NULL && name[0] != '\0' ? name : "tasks";
}

enum weir_scheduler model_scheduler(void)
{
    const char *name = model_name();
    if (strcmp(name, "tasks") == 0)
        return WEIR_SCHEDULER_TASKS;
    if (strcmp(name, "threads") == 0)
        return WEIR_SCHEDULER_THREADS;
    const bool loop =
        strcmp(name, "loop") == 0 || strcmp(name, "cluster") == 0 || strcmp(name, "prefork") == 0;
    if (!loop) {
        fprintf(stderr, "WEIR_TEST_MODEL=%s is no model\n", name);
        exit(1);
    }
    return WEIR_SCHEDULER_LOOP;
}

bool model_is_parallel(void)
{
    return model_scheduler() != WEIR_SCHEDULER_LOOP;
}

struct weir_opts model_opts(void)
{
    struct weir_opts opts = { .size = sizeof(opts), .scheduler = model_scheduler() };
    if (opts.scheduler == WEIR_SCHEDULER_TASKS)
        opts.workers = 2;
    return opts;
}

void runtime_open(const struct weir_opts *opts)
{
    const struct weir_opts own = model_opts();
    CHECK_EQ(weir_open(opts != NULL ? opts : &own), 0);
}

void runtime_close(void)
{
    CHECK_EQ(weir_close(WEIR_NO_DEADLINE), 0);
    CHECK(!weir_is_open());
}

void run_body_with(const struct weir_opts *opts, weir_task_fn *body, void *arg)
{
    runtime_open(opts);
    int result = 1;
    CHECK_EQ(weir_run(body, arg, &result), 0);
    CHECK_EQ(result, 0);
    runtime_close();
}

void run_body(weir_task_fn *body, void *arg)
{
    run_body_with(NULL, body, arg);
}

_Noreturn void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: CHECK failed under %s: %s\n", file, line, model_name(), condition);
    fflush(NULL);
    abort();
}

_Noreturn void check_failed_values(const char *file, int line, const char *condition, int64_t left,
                                   int64_t right)
{
    fprintf(stderr, "%s:%d: CHECK failed under %s: %s (%lld, %lld)\n", file, line, model_name(),
            condition, (long long)left, (long long)right);
    fflush(NULL);
    abort();
}

void await(const int *word, int value)
{
    while (peek(word) < value) {
        if (weir_task_id() != 0)
            (void)weir_yield();
        else
            (void)poll(NULL, 0, 1);
    }
}

struct waiters {
    char what[64];
    int count;
};

/* Every line ends with '\n', and none of them is cut. */
static void count_waiters(void *user, const char *text, size_t bytes)
{
    struct waiters *waiters = user;
    const size_t length = strlen(waiters->what);
    for (size_t at = 0; at + length <= bytes; at++) {
        if (memcmp(text + at, waiters->what, length) == 0)
            waiters->count++;
    }
}

void await_waiters(const char *what, int count)
{
    const struct weir_dump_opts bare = { .bare = true };
    for (;;) {
        struct waiters waiters = { .count = 0 };
        (void)snprintf(waiters.what, sizeof(waiters.what), ": %s", what);
        CHECK_EQ(weir_dump(count_waiters, &waiters, &bare), 0);
        if (waiters.count >= count)
            return;
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
    }
}

void burn_ms(int64_t ms)
{
    const weir_time until = weir_in_ms(ms);
    while (weir_now() < until) {
    }
}

static int status_of(int wait_status)
{
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/* The child ends at once in a crash: no core, no sanitizer's report of the signal. */
static void become_child(int error_fd)
{
    const struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)dup2(error_fd, STDERR_FILENO);
    (void)signal(SIGABRT, SIG_DFL);
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
}

int run_in_child(void (*fn)(void), char *text, size_t text_bytes)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    fflush(NULL);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        become_child(fds[1]);
        fn();
        /* At its end memcheck would take for lost what only threads of the parent point at. */
        if (getenv("WEIR_UNDER_VALGRIND") != NULL)
            (void)execl("/bin/true", "true", (char *)NULL);
        _exit(0);
    }
    close(fds[1]);
    size_t bytes = 0;
    char rest[512];
    for (;;) {
        const bool room = bytes + 1 < text_bytes;
        const ssize_t got = room ? read(fds[0], text + bytes, text_bytes - 1 - bytes)
                                 : read(fds[0], rest, sizeof(rest));
        if (got <= 0)
            break;
        bytes += room ? (size_t)got : 0;
    }
    text[bytes] = '\0';
    close(fds[0]);
    int wait_status = 0;
    CHECK_EQ(waitpid(child, &wait_status, 0), child);
    return status_of(wait_status);
}

bool built_with_thread_sanitizer(void)
{
#if defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

bool built_with_address_sanitizer(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

uint64_t test_seed(void)
{
    static uint64_t seed;
    if (seed != 0)
        return seed;
    const char *text = getenv("WEIR_TEST_SEED");
    seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000003u + 1;
    printf("seed: WEIR_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

uint64_t draw(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = *state;
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}
