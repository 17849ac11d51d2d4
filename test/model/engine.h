/* SPDX-License-Identifier: MIT */
#ifndef TEST_MODEL_ENGINE_H
#define TEST_MODEL_ENGINE_H

/* What explore.c, memory.c and system.c share.  All state lies in one block of the heap, because
 * the program's own data is put back to its beginnings before each execution. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/explore.h"

enum {
    THREADS_MAX = 6,
    TRACE_MAX = 20000,
    STEPS_MAX = 20000,
    STACK_BYTES = 65536,
    LOCALS_BYTES = 512,  /* thread-locals of the program, at most */
    FRAMES_BYTES = 1024, /* of a thread, where waits have their frames */
    ARENA_BYTES = 1 << 20,
    ARENA_UNIT = 16,
};

/* A vector clock: what of each thread's past one knows of. */
struct clock {
    uint16_t at[THREADS_MAX];
};

enum thread_state {
    RUNNING,
    BLOCKED,
    PAUSED,
    ENDED
};

struct thread {
    int number;
    enum thread_state state;
    void *context;
    uint8_t *stack;
    const uint8_t *top; /* the lowest address of its frames that is alive */
    void (*run)(void *arg);
    void *arg;
    struct clock clock;
    uint8_t locals[LOCALS_BYTES]; /* its thread-locals, while another thread runs */
    /* while BLOCKED */
    const char *what;
    bool (*ready)(void *arg);
    void *ready_arg;
    weir_time deadline;
    bool timed_out;
    uint64_t paused_at; /* the count of writes then */
};

/* A point where the execution could go on in several ways. */
struct choice {
    uint8_t taken;
    uint8_t count;
};

enum budget {
    PREEMPTIONS,
    STALE,
    BUDGETS
};

struct engine {
    /* of the whole run */
    void *main_context;
    uint8_t *locals; /* the thread-locals of the one OS thread */
    size_t locals_bytes;
    void (*at_start)(void); /* every thread begins with it; of one execution */
    uint8_t *arena;
    uint8_t *arena_freed; /* per ARENA_UNIT bytes: 1 after wi_free() */
    const struct explore_scenario *scenario;
    bool random;
    uint64_t random_state;
    bool telling; /* prints each step */
    struct choice trace[TRACE_MAX];
    int trace_count; /* of choices prescribed; in an execution those made */
    int budgets[BUDGETS];
    uint32_t seen;        /* outcomes of the scenario, a bit each */
    const char *weakened; /* "function:operation:object", or NULL */
    /* of one execution */
    struct thread threads[THREADS_MAX];
    int thread_count;
    struct thread *running;
    int depth;
    int left[BUDGETS];
    long steps;
    uint64_t writes;
    weir_time now;
    weir_time deadline;
    size_t arena_used;
    struct clock kernel; /* what its futexes have been told */
    bool no_barrier;
    bool failed;
    char message[512];
};

extern struct engine *engine;

/* One of `count` ways; each but the first costs from a budget unless that is BUDGETS. */
int engine_choose(enum budget budget, int count);

/* Before each operation: another thread may come first. */
void engine_step(const void *frame);

/* A line of the story; only while telling. */
__attribute__((format(printf, 1, 2))) void engine_tell(const char *format, ...);

/* memory.c */
void memory_reset(void);
void memory_start(struct thread *child, struct thread *parent);
void memory_join(struct thread *parent, const struct thread *child);
void memory_futex_wake(void);
uint64_t memory_futex_look(const void *address, size_t bytes);
void memory_access(const void *address, size_t bytes, bool write);

/* system.c */
void system_reset(void);

#endif
