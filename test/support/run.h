/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUPPORT_RUN_H
#define TEST_SUPPORT_RUN_H

/* Opens the runtime for the model that $WEIR_TEST_MODEL names and runs bodies of tests as tasks.
 * Waiting in a test is for the event itself, never for a fixed time. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/weir.h"

/* loop, cluster, tasks (the default), threads, prefork. */
const char *model_name(void);
enum weir_scheduler model_scheduler(void);

/* Whether plain tasks of the model may run on several cores at once. */
bool model_is_parallel(void);

/* The model's options: 2 workers under `tasks`. */
struct weir_opts model_opts(void);

/* Opens with `opts` (NULL: the model's), fails the test otherwise; closes and checks that nothing
 * is left. */
void runtime_open(const struct weir_opts *opts);
void runtime_close(void);

/* Opens, runs the body as a task, closes. */
void run_body(weir_task_fn *body, void *arg);
void run_body_with(const struct weir_opts *opts, weir_task_fn *body, void *arg);

/* Declares a test whose body is a task: RUN(name) { ... return 0; }  In a task an assertion would
 * jump off the stack it stands on, so bodies use CHECK(), which reports and aborts. */
#define RUN(name)                                                                                  \
    static int name##_body(void *unused);                                                          \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        run_body(name##_body, NULL);                                                               \
    }                                                                                              \
    static int name##_body(void *unused __attribute__((unused)))

/* As RUN(), but the body runs as a task, and then on the thread that opened the runtime. */
#define BOTH(name)                                                                                 \
    static int name##_body(void *unused);                                                          \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        runtime_open(NULL);                                                                        \
        int result = 1;                                                                            \
        CHECK_EQ(weir_run(name##_body, NULL, &result), 0);                                         \
        CHECK_EQ(result, 0);                                                                       \
        CHECK_EQ(name##_body(NULL), 0);                                                            \
        runtime_close();                                                                           \
    }                                                                                              \
    static int name##_body(void *unused __attribute__((unused)))

/* For a call whose result must be looked at, where a test does not care. */
#define IGNORE(call)                                                                               \
    do {                                                                                           \
        const int ignored = (call);                                                                \
        (void)ignored;                                                                             \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_failed(__FILE__, __LINE__, #condition);                                          \
    } while (0)

#define CHECK_EQ(left, right)                                                                      \
    do {                                                                                           \
        const int64_t left_value = (int64_t)(left);                                                \
        const int64_t right_value = (int64_t)(right);                                              \
        if (left_value != right_value)                                                             \
            check_failed_values(__FILE__, __LINE__, #left " == " #right, left_value, right_value); \
    } while (0)

_Noreturn void check_failed(const char *file, int line, const char *condition);
_Noreturn void check_failed_values(const char *file, int line, const char *condition, int64_t left,
                                   int64_t right);

/* Waits (a task parks, a thread sleeps briefly between looks) until *word is `value` or more. */
void await(const int *word, int value);

/* Waits until so many callers wait for `what`, as a dump calls it ("acquire semaphore"). */
void await_waiters(const char *what, int count);

/* Adds to a counter that several threads share, and reads it. */
static inline int bump(int *word)
{
    return __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
}
static inline int peek(const int *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}
static inline void post(int *word, int value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* Spins without a weir call, as a computing task does. */
void burn_ms(int64_t ms);

/* Runs fn in a forked child and gives what it ended with: its exit status, or 128 plus the
 * signal.  What the child wrote to standard error is in `text` (ends with NUL). */
int run_in_child(void (*fn)(void), char *text, size_t text_bytes);

/* Whether a sanitizer of that name is compiled in. */
bool built_with_thread_sanitizer(void);
bool built_with_address_sanitizer(void);

/* The seed of this run: $WEIR_TEST_SEED, else from the clock; printed once. */
uint64_t test_seed(void);

/* 64 random bits from a state that the caller keeps (splitmix64). */
uint64_t draw(uint64_t *state);
static inline int draw_below(uint64_t *state, int count)
{
    return (int)(draw(state) % (uint64_t)count);
}

#endif
