/* SPDX-License-Identifier: MIT */
/* Goal: C++ exceptions are right across waits: a task that waits inside a catch block, or in a
 * destructor while an exception is on its way, has its own exceptions afterwards, on whatever
 * thread that is; pinned or not, under each scheduler.
 * Method: many tasks throw exceptions that carry their number, wait among each other in every place
 * where the C++ library has noted something for the thread, and look at what it says then. */
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <memory>
#include <unistd.h>
#include <weir/weir.h>

namespace
{

constexpr int tasks = 16;
constexpr int rounds = 60;

struct numbered {
    int number;
};

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);          \
            std::abort();                                                                          \
        }                                                                                          \
    } while (0)

int moved; /* atomic: waits after which a task was on another thread */

/* A wait in which others run, and after which another worker may have the task. */
void wait_for_others(int round)
{
    const pid_t before = gettid();
    if (round % 3 == 0)
        MUST(weir_sleep(weir_in_ns(20000)) == 0);
    else
        MUST(weir_yield() == 0);
    if (gettid() != before)
        __atomic_add_fetch(&moved, 1, __ATOMIC_RELAXED);
}

/* Waits while the exception that destroys it is on its way. */
struct waits_when_destroyed {
    int round;
    ~waits_when_destroyed()
    {
        MUST(std::uncaught_exceptions() == 1);
        wait_for_others(round);
        MUST(std::uncaught_exceptions() == 1);
    }
};

void throw_past_a_destructor(int number, int round)
{
    const waits_when_destroyed waits{ round };
    throw numbered{ number };
}

/* A second exception inside the handler of the first. */
void catch_inside_a_handler(int number, int round)
{
    try {
        throw numbered{ -number };
    } catch (const numbered &inner) {
        MUST(inner.number == -number);
        wait_for_others(round);
        MUST(inner.number == -number);
    }
}

void rethrow_after_waits(int number, int round)
{
    try {
        throw_past_a_destructor(number, round);
    } catch (const numbered &caught) {
        MUST(caught.number == number);
        MUST(std::uncaught_exceptions() == 0);
        const std::exception_ptr before = std::current_exception();
        wait_for_others(round);
        MUST(std::current_exception() == before);
        catch_inside_a_handler(number, round);
        MUST(std::current_exception() == before);
        wait_for_others(round + 1);
        throw; /* what this task caught, and nobody else's */
    }
}

int throw_and_wait(void *arg)
{
    const int number = *static_cast<int *>(arg);
    for (int round = 0; round < rounds; round++) {
        bool caught = false;
        try {
            rethrow_after_waits(number, round);
        } catch (const numbered &again) {
            caught = again.number == number;
        }
        MUST(caught);
        MUST(std::current_exception() == nullptr);
        wait_for_others(round);
        MUST(std::current_exception() == nullptr);
    }
    return 0;
}

int run_tasks(void *arg)
{
    const bool pinned = *static_cast<bool *>(arg);
    int numbers[tasks];
    weir_scope *scope = nullptr;
    MUST(weir_scope_open(&scope, nullptr) == 0);
    for (int i = 0; i < tasks; i++) {
        numbers[i] = i + 1;
        weir_task_opts options{};
        options.pinned = pinned;
        options.stack_bytes = 256 << 10; /* unwinding is not sparing with it */
        MUST(weir_go_with(throw_and_wait, &numbers[i], &options) == 0);
    }
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

/* The opener itself may be in a handler when it runs the tasks. */
void run_from_a_handler(weir_scheduler scheduler, bool pinned)
{
    weir_opts options{};
    options.scheduler = scheduler;
    options.workers = scheduler == WEIR_SCHEDULER_TASKS ? 2 : 0;
    MUST(weir_open(&options) == 0);
    bool caught = false;
    try {
        try {
            throw numbered{ 1000 };
        } catch (const numbered &) {
            int result = 1;
            MUST(weir_run(run_tasks, &pinned, &result) == 0);
            MUST(result == 0);
            throw;
        }
    } catch (const numbered &again) {
        caught = again.number == 1000;
    }
    MUST(caught);
    MUST(weir_close(WEIR_NO_DEADLINE) == 0);
}

} // namespace

int main()
{
    for (const bool pinned : { true, false }) {
        for (const weir_scheduler scheduler :
             { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_THREADS, WEIR_SCHEDULER_TASKS })
            run_from_a_handler(scheduler, pinned);
    }
    /* Without it nothing was shown of tasks that go on elsewhere. */
    for (int i = 0; i < 100 && __atomic_load_n(&moved, __ATOMIC_RELAXED) == 0; i++)
        run_from_a_handler(WEIR_SCHEDULER_TASKS, false);
    MUST(moved > 0);
    std::printf("%d waits ended on another thread\n", moved);
    return 0;
}
