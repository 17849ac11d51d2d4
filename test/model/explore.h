/* SPDX-License-Identifier: MIT */
#ifndef TEST_MODEL_EXPLORE_H
#define TEST_MODEL_EXPLORE_H

/* The interleaving explorer: runs a few threads of product code in every order that a bound admits,
 * under C11's memory model, and says which order broke a claim.  How it works: explore.c, and
 * memory.c for what a load may read.  test/model/CMakeLists.txt says how a model is built and how a
 * fault is planted.
 *
 * A scenario runs as thread 0: it sets up, starts threads, joins them, and checks.  It must be
 * deterministic but for explore_choose().  Plain accesses of model and product code are checked for
 * data races; memory from wi_alloc() is checked for use after wi_free(), and the frame of a
 * function for use after it has returned. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/time.h"

struct explore_scenario {
    const char *name;
    void (*run)(void);
    int preemptions;     /* bound of the exhaustive part; 0: 2, negative: none */
    int stale;           /* loads that may read an old value; 0: 2, negative: none */
    long executions_max; /* of the exhaustive part in `make test`; 0: 6,000 */
    int outcomes;        /* explore_saw() must be told of each number below */
};

#define EXPLORE(its_name)                                                                          \
    {                                                                                              \
        .name = #its_name, .run = its_name                                                         \
    }
#define EXPLORE_WITH(its_name, ...)                                                                \
    {                                                                                              \
        .name = #its_name, .run = its_name, __VA_ARGS__                                            \
    }

/* Runs the scenarios as the command line says; main()'s result. */
int explore_main(const struct explore_scenario *scenarios, int count, int argc, char **argv);

#define EXPLORE_MAIN(...)                                                                          \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct explore_scenario scenarios[] = { __VA_ARGS__ };                        \
        return explore_main(scenarios, (int)(sizeof(scenarios) / sizeof(scenarios[0])), argc,      \
                            argv);                                                                 \
    }

/* Starts a thread; its number.  Thread 0 only. */
int explore_start(void (*run)(void *arg), void *arg);

/* Every thread that is started from now on begins with it. */
void explore_at_start(void (*hook)(void));

/* Waits until every started thread has ended.  Thread 0 only. */
void explore_join(void);

/* The number of the running thread. */
int explore_self(void);

/* Any number below count: every one is tried. */
int explore_choose(int count);

/* Some execution has this outcome: that a claim holds because nothing happens is no proof. */
void explore_saw(int outcome);

/* It is so late. */
void explore_now(weir_time now);

/* From now on a reading of the clock, or a sleep with that deadline, may find it passed. */
void explore_deadline(weir_time at);

/* Ends the execution as failed. */
_Noreturn __attribute__((format(printf, 1, 2))) void explore_fail(const char *format, ...);

#define explore_check(condition)                                                                   \
    do {                                                                                           \
        if (!(condition))                                                                          \
            explore_fail("%s:%d: expected %s", __FILE__, __LINE__, #condition);                    \
    } while (0)

#define explore_check_eq(left, right)                                                              \
    do {                                                                                           \
        const long long left_value = (long long)(left);                                            \
        const long long right_value = (long long)(right);                                          \
        if (left_value != right_value)                                                             \
            explore_fail("%s:%d: expected %s == %s, have %lld and %lld", __FILE__, __LINE__,       \
                         #left, #right, left_value, right_value);                                  \
    } while (0)

/* Blocks the running thread until `ready(arg)` holds; looked at after each step of others, without
 * being a step itself.  For stand-ins of the system. */
void explore_block(const char *what, bool (*ready)(void *arg), void *arg, weir_time deadline);

/* The running thread goes on once another one has written something, or all others are blocked. */
void explore_pause(void);

/* membarrier(2): every thread passes a full fence while the caller is inside. */
void explore_membarrier(void);

/* The kernel of this execution has no membarrier(2). */
void explore_without_membarrier(void);

#endif
