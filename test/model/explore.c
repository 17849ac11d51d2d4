/* SPDX-License-Identifier: MIT */
/* The explorer's engine: threads as coroutines on one OS thread, and the walk through all orders.
 *
 * Every atomic operation of the code under test is a call here (swap/base/atomic.h).  Before it,
 * the engine may let another thread go first; a load may have several values to choose from
 * (memory.c).  Each such point is a choice; an execution is the list of its choices.  The walk is
 * depth first: run to the end, take the last choice that has another way, run again from the
 * start.  It is bounded as CHESS is (Musuvathi and Qadeer 2007): a switch away from a thread that
 * could go on costs one of `preemptions`, a load of an old value one of `stale`; what a thread must
 * do (it blocks, it ends) costs nothing.  Bounds grow from 0, so the first failure has the fewest
 * surprises.  After that come random executions without bounds, from a printed seed.
 *
 * Why an explorer and no model in a language of its own: what is checked is the source that ships,
 * so it cannot drift from it.  Why no partial-order reduction: the bounds keep these small
 * scenarios within seconds, and faults of such protocols show with two or three preemptions.
 *
 * The program's data is put back before each execution: everything between the linker's
 * __data_start and _end; thread-locals are each thread's own, and begin as zeroes.  Therefore the
 * engine keeps its own on the heap.  Code under test is compiled with -fsanitize=thread but linked
 * without its library: the calls that the compiler puts before each plain access end in memory.c,
 * which finds data races and late touches. */
#include "model/engine.h"

#include <inttypes.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch/context.h"

struct engine *engine;

/* Of planted.c: why an edit of edits.txt does not apply any more, or NULL. */
extern const char *const explore_misplanted;

extern char __data_start[];
extern char _end[];
static char *initial_data; /* a copy; set before it is made */

void engine_tell(const char *format, ...)
{
    if (!engine->telling)
        return;
    va_list args;
    va_start(args, format);
    printf("    t%d  ", engine->running->number);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

/* -- choices ----------------------------------------------------------------------------------- */

static uint64_t random_next(void)
{
    uint64_t x = engine->random_state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int choose_at_random(enum budget budget, int count)
{
    /* What surprises is rarer than what does not. */
    if (budget != BUDGETS && random_next() % 4 != 0)
        return 0;
    return (int)(random_next() % (uint64_t)count);
}

int engine_choose(enum budget budget, int count)
{
    if (budget != BUDGETS && engine->left[budget] == 0)
        return 0;
    if (count <= 1)
        return 0;
    if (engine->depth == TRACE_MAX)
        explore_fail("more than %d choices", TRACE_MAX);
    struct choice *choice = &engine->trace[engine->depth];
    if (engine->depth >= engine->trace_count) {
        choice->taken = (uint8_t)(engine->random ? choose_at_random(budget, count) : 0);
        choice->count = (uint8_t)count;
        engine->trace_count = engine->depth + 1;
    } else if (choice->count == 0) {
        choice->count = (uint8_t)count; /* from a replay string */
    }
    if (choice->count != count)
        explore_fail("the scenario is not deterministic: %d ways, %d before", count, choice->count);
    engine->depth++;
    if (choice->taken != 0 && budget != BUDGETS)
        engine->left[budget]--;
    return choice->taken;
}

int explore_choose(int count)
{
    const int taken = engine_choose(BUDGETS, count);
    engine_tell("chooses %d of %d", taken, count);
    return taken;
}

void explore_saw(int outcome)
{
    engine->seen |= 1u << outcome;
}

/* -- threads ----------------------------------------------------------------------------------- */

_Noreturn static void back_to_main(void)
{
    void *abandoned;
    wi_context_switch(&abandoned, engine->main_context);
    abort();
}

void explore_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(engine->message, sizeof(engine->message), format, args);
    va_end(args);
    engine->failed = true;
    back_to_main();
}

int explore_self(void)
{
    return engine->running->number;
}

/* How a thread could go on now: 0 not, 1 as it is, 2 by its deadline or for no reason. */
static int readiness(struct thread *thread)
{
    switch (thread->state) {
    case RUNNING:
        return 1;
    case PAUSED:
        return engine->writes != thread->paused_at ? 1 : 0;
    case BLOCKED:
        if (thread->ready(thread->ready_arg))
            return 1;
        return thread->deadline != WEIR_NO_DEADLINE ? 2 : 0;
    case ENDED:
        break;
    }
    return 0;
}

static void switch_to(struct thread *next)
{
    struct thread *self = engine->running;
    if (next->state == BLOCKED && readiness(next) == 2) {
        next->timed_out = true;
        if (engine->now < next->deadline)
            engine->now = next->deadline;
    }
    next->state = RUNNING;
    if (next == self)
        return;
    engine->running = next;
    if (engine->telling)
        printf("    --  t%d goes on\n", next->number);
    memcpy(self->locals, engine->locals, engine->locals_bytes);
    memcpy(engine->locals, next->locals, engine->locals_bytes);
    wi_context_switch(&self->context, next->context);
}

static void say_what_blocks(char *text, size_t bytes)
{
    size_t used = 0;
    for (int i = 0; i < engine->thread_count && used < bytes; i++) {
        const struct thread *thread = &engine->threads[i];
        if (thread->state == BLOCKED)
            used += (size_t)snprintf(text + used, bytes - used, "%st%d: %s", used > 0 ? ", " : "",
                                     i, thread->what);
    }
}

/* The running thread cannot or need not go on: lets another one, or itself, do so.  `stays`: it
 * could, so that leaving it costs. */
static void reschedule(bool stays)
{
    struct thread *self = engine->running;
    struct thread *others[THREADS_MAX];
    int count = 0;
    if (stays)
        others[count++] = self;
    /* First those that need no surprise, then those whose time is up. */
    for (int kind = 1; kind <= 2; kind++) {
        for (int i = 0; i < engine->thread_count; i++) {
            struct thread *thread = &engine->threads[i];
            if ((!stays || thread != self) && readiness(thread) == kind)
                others[count++] = thread;
        }
    }
    for (int i = 0; i < engine->thread_count && count == 0; i++) {
        if (engine->threads[i].state == PAUSED)
            others[count++] = &engine->threads[i];
    }
    if (count == 0) {
        char blocked[400] = "";
        say_what_blocks(blocked, sizeof(blocked));
        explore_fail("deadlock: %s", blocked);
    }
    const bool first_is_free = readiness(others[0]) != 2;
    int free_count = 0;
    while (free_count < count && readiness(others[free_count]) != 2)
        free_count++;
    int taken;
    if (stays)
        taken = engine_choose(PREEMPTIONS, count);
    else if (!first_is_free || engine->left[PREEMPTIONS] == 0)
        taken = engine_choose(BUDGETS, first_is_free ? free_count : count);
    else {
        taken = engine_choose(BUDGETS, count);
        if (taken >= free_count)
            engine->left[PREEMPTIONS]--;
    }
    switch_to(others[taken]);
}

/* The lowest frame of the thread's own stack that is alive; a runtime's thread may be on a task's
 * stack, then all of its own below is. */
static void note_top(struct thread *self, const void *frame)
{
    if ((uintptr_t)frame - (uintptr_t)self->stack < STACK_BYTES)
        self->top = frame;
}

void engine_step(const void *frame)
{
    struct thread *self = engine->running;
    note_top(self, frame);
    if (++engine->steps > STEPS_MAX)
        explore_fail("no end after %d steps: threads wait for each other in a loop", STEPS_MAX);
    reschedule(true);
}

void explore_block(const char *what, bool (*ready)(void *arg), void *arg, weir_time deadline)
{
    struct thread *self = engine->running;
    note_top(self, __builtin_frame_address(0));
    self->what = what;
    self->ready = ready;
    self->ready_arg = arg;
    self->deadline = deadline;
    self->timed_out = false;
    self->state = BLOCKED;
    engine_tell("blocks: %s", what);
    reschedule(false);
}

void explore_pause(void)
{
    struct thread *self = engine->running;
    note_top(self, __builtin_frame_address(0));
    self->state = PAUSED;
    self->paused_at = engine->writes;
    reschedule(false);
}

static void thread_entry(void *arg)
{
    struct thread *self = arg;
    if (self->number != 0 && engine->at_start != NULL)
        engine->at_start();
    self->run(self->arg);
    /* Its frames are gone: whoever touches them without having been ordered before this, races. */
    memory_access(self->stack + STACK_BYTES - FRAMES_BYTES, FRAMES_BYTES - 128, true);
    self->state = ENDED;
    self->top = self->stack + STACK_BYTES;
    if (self->number == 0)
        back_to_main();
    reschedule(false);
    abort();
}

static struct thread *add_thread(void (*run)(void *arg), void *arg)
{
    if (engine->thread_count == THREADS_MAX)
        explore_fail("more than %d threads", THREADS_MAX);
    struct thread *thread = &engine->threads[engine->thread_count];
    thread->number = engine->thread_count++;
    thread->state = RUNNING;
    thread->run = run;
    thread->arg = arg;
    thread->top = thread->stack;
    memset(&thread->clock, 0, sizeof(thread->clock));
    memset(thread->locals, 0, sizeof(thread->locals));
    thread->context = wi_context_make(thread->stack + STACK_BYTES, thread_entry, thread);
    return thread;
}

int explore_start(void (*run)(void *arg), void *arg)
{
    struct thread *thread = add_thread(run, arg);
    memory_start(thread, engine->running);
    return thread->number;
}

void explore_at_start(void (*hook)(void))
{
    engine->at_start = hook;
}

static bool all_ended(void *arg)
{
    (void)arg;
    for (int i = 1; i < engine->thread_count; i++) {
        if (engine->threads[i].state != ENDED)
            return false;
    }
    return true;
}

void explore_join(void)
{
    explore_block("join", all_ended, NULL, WEIR_NO_DEADLINE);
    for (int i = 1; i < engine->thread_count; i++)
        memory_join(&engine->threads[0], &engine->threads[i]);
}

/* -- executions -------------------------------------------------------------------------------- */

static void run_scenario(void *arg)
{
    (void)arg;
    engine->scenario->run();
}

/* One execution by the prescribed choices, then by defaults.  False: it failed. */
static bool execute(void)
{
    memcpy(__data_start, initial_data, (size_t)(_end - __data_start));
    engine->thread_count = 0;
    engine->depth = 0;
    engine->steps = 0;
    engine->writes = 0;
    engine->now = 1000;
    engine->deadline = WEIR_NO_DEADLINE;
    engine->failed = false;
    engine->at_start = NULL;
    engine->no_barrier = false;
    memset(&engine->kernel, 0, sizeof(engine->kernel));
    if (engine->locals_bytes > 0)
        memset(engine->locals, 0, engine->locals_bytes);
    for (int i = 0; i < BUDGETS; i++)
        engine->left[i] = engine->budgets[i];
    memory_reset();
    system_reset();
    struct thread *first = add_thread(run_scenario, NULL);
    first->clock.at[0] = 1;
    engine->running = first;
    wi_context_switch(&engine->main_context, first->context);
    engine->trace_count = engine->depth;
    return !engine->failed;
}

/* Prepares the next execution of the walk; false when there is none. */
static bool advance(void)
{
    while (engine->trace_count > 0) {
        struct choice *last = &engine->trace[engine->trace_count - 1];
        if (last->taken + 1 < last->count) {
            last->taken++;
            return true;
        }
        engine->trace_count--;
    }
    return false;
}

static void set_budgets(int preemptions, int stale)
{
    engine->budgets[PREEMPTIONS] = preemptions;
    engine->budgets[STALE] = stale;
}

struct outcome {
    long executions;
    long of_walk;
    int reached[BUDGETS]; /* bounds that were walked to their end */
    long whole;           /* executions that took */
    bool failed;
};

/* True: the walk is through, or failed. */
static bool walk(struct outcome *outcome, long executions_max)
{
    engine->trace_count = 0;
    for (;;) {
        const bool passed = execute();
        outcome->executions++;
        outcome->failed = !passed;
        if (!passed || !advance())
            return true;
        if (outcome->executions >= executions_max)
            return false;
    }
}

static void wander(struct outcome *outcome, long executions, uint64_t seed)
{
    set_budgets(1 << 20, 1 << 20);
    engine->random = true;
    for (long i = 0; i < executions && !outcome->failed; i++) {
        engine->random_state = seed + (uint64_t)i * 0x2545f4914f6cdd1du;
        engine->trace_count = 0;
        outcome->failed = !execute();
        outcome->executions++;
    }
    engine->random = false;
}

static void print_schedule(void)
{
    printf("  schedule: %s/%d,%d/", engine->scenario->name, engine->budgets[PREEMPTIONS],
           engine->budgets[STALE]);
    for (int i = 0; i < engine->trace_count; i++)
        printf("%s%d", i > 0 ? "." : "", engine->trace[i].taken);
    printf("\n");
}

/* Runs the failing choices once more, telling them.  False: another outcome. */
static bool tell_failure(bool in_full)
{
    char message[sizeof(engine->message)];
    memcpy(message, engine->message, sizeof(message));
    print_schedule();
    engine->telling = in_full;
    const bool passed = execute();
    engine->telling = false;
    printf("  failed: %s\n", message);
    if (!passed && strcmp(message, engine->message) == 0)
        return true;
    printf("  but its replay did not: %s\n", passed ? "it passed" : engine->message);
    return false;
}

static int bound_of(int wanted, int otherwise)
{
    return wanted < 0 ? 0 : wanted == 0 ? otherwise : wanted;
}

static struct outcome explore_one(const struct explore_scenario *scenario, bool deep, uint64_t seed)
{
    struct outcome outcome = { .reached = { -1, -1 } };
    engine->scenario = scenario;
    engine->seen = 0;
    long executions_max = scenario->executions_max > 0 ? scenario->executions_max : 6000;
    int preemptions = bound_of(scenario->preemptions, 2);
    const int stale = bound_of(scenario->stale, 2);
    if (deep) {
        preemptions++;
        executions_max *= 20;
    }
    /* Bounds grow by turns. */
    int bounds[BUDGETS] = { 0, 0 };
    for (;;) {
        set_budgets(bounds[PREEMPTIONS], bounds[STALE]);
        if (!walk(&outcome, executions_max) || outcome.failed)
            break;
        memcpy(outcome.reached, bounds, sizeof(bounds));
        outcome.whole = outcome.executions;
        if (bounds[PREEMPTIONS] >= preemptions && bounds[STALE] >= stale)
            break;
        const bool more_stale = bounds[PREEMPTIONS] > bounds[STALE];
        if ((more_stale || bounds[PREEMPTIONS] >= preemptions) && bounds[STALE] < stale)
            bounds[STALE]++;
        else
            bounds[PREEMPTIONS]++;
    }
    outcome.of_walk = outcome.executions;
    if (!outcome.failed)
        wander(&outcome, executions_max / 4, seed);
    return outcome;
}

static int replay(const struct explore_scenario *scenarios, int count, const char *text)
{
    const size_t name_length = strcspn(text, "/");
    for (int i = 0; i < count; i++) {
        if (strlen(scenarios[i].name) == name_length &&
            strncmp(scenarios[i].name, text, name_length) == 0)
            engine->scenario = &scenarios[i];
    }
    if (engine->scenario == NULL) {
        printf("no scenario of that name\n");
        return 2;
    }
    const char *at = text + name_length;
    int budgets[2] = { 0, 0 };
    int used = 0;
    if (sscanf(at, "/%d,%d/%n", &budgets[0], &budgets[1], &used) != 2) {
        printf("a schedule is SCENARIO/PREEMPTIONS,STALE/CHOICES\n");
        return 2;
    }
    set_budgets(budgets[0], budgets[1]);
    char *end;
    for (at += used; *at != '\0' && engine->trace_count < TRACE_MAX;
         at = *end == '.' ? end + 1 : end)
        engine->trace[engine->trace_count++] =
            (struct choice){ .taken = (uint8_t)strtoul(at, &end, 10) };
    engine->telling = true;
    const bool passed = execute();
    printf("%s%s\n", passed ? "passed" : "failed: ", passed ? "" : engine->message);
    return passed ? 0 : 1;
}

/* Threads share one OS thread, so each brings its thread-locals along. */
static int find_locals(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            engine->locals = info->dlpi_tls_data;
            engine->locals_bytes = info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1; /* the first is the program itself */
}

/* A wild jump or pointer is a failure like any other. */
static void on_crash(int number)
{
    explore_fail("crashed by signal %d", number);
}

static void catch_crashes(void)
{
    static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
    const stack_t stack = { .ss_sp = aligned_alloc(64, STACK_BYTES), .ss_size = STACK_BYTES };
    struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER };
    if (stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0)
        abort();
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
}

static void make_engine(void)
{
    engine = calloc(1, sizeof(*engine));
    if (engine == NULL)
        abort();
    catch_crashes();
    (void)dl_iterate_phdr(find_locals, NULL);
    if (engine->locals_bytes > LOCALS_BYTES)
        abort();
    engine->arena = aligned_alloc(64, ARENA_BYTES);
    engine->arena_freed = calloc(ARENA_BYTES / ARENA_UNIT, 1);
    for (int i = 0; i < THREADS_MAX; i++)
        engine->threads[i].stack = aligned_alloc(64, STACK_BYTES);
    memory_reset();
    initial_data = malloc((size_t)(_end - __data_start));
    if (engine->arena == NULL || engine->arena_freed == NULL || initial_data == NULL)
        abort();
    memcpy(initial_data, __data_start, (size_t)(_end - __data_start));
}

static bool saw_all(void)
{
    bool all = true;
    for (int i = 0; i < engine->scenario->outcomes; i++) {
        if ((engine->seen & 1u << i) != 0)
            continue;
        printf("  failed: no execution had outcome %d\n", i);
        all = false;
    }
    return all;
}

/* One line, and the failure if there is one.  False: the failure does not repeat. */
static bool report(const struct outcome *outcome, uint64_t seed, bool in_full)
{
    printf("%-44s %8ld executions, %ld of them all with %d preemptions and %d old values at most\n",
           engine->scenario->name, outcome->executions, outcome->whole,
           outcome->reached[PREEMPTIONS], outcome->reached[STALE]);
    if (!outcome->failed)
        return true;
    if (outcome->executions > outcome->of_walk)
        printf("  seed %" PRIu64 "\n", seed);
    return tell_failure(in_full);
}

static uint64_t seed_of_run(void)
{
    const char *given = getenv("WEIR_TEST_SEED");
    return given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
}

/* Every scenario must pass; where a fault was planted at least one must fail, and fail again. */
int explore_main(const struct explore_scenario *scenarios, int count, int argc, char **argv)
{
    const char *fault = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--fault") == 0)
            fault = argv[i + 1];
    }
    const char *only = getenv("WEIR_EXPLORE");
    const bool deep = getenv("WEIR_HEAVY") != NULL;
    const uint64_t seed = seed_of_run();
    if (explore_misplanted != NULL) {
        printf("%s\n", explore_misplanted);
        return 1;
    }
    make_engine();
    engine->weakened = getenv("WEIR_EXPLORE_WEAKEN");
    if (only != NULL && strchr(only, '/') != NULL)
        return replay(scenarios, count, only);

    printf("random part from WEIR_TEST_SEED=%" PRIu64 "\n", seed);
    int failures = 0;
    bool repeats = true;
    for (int i = 0; i < count; i++) {
        if (only != NULL && strcmp(only, scenarios[i].name) != 0)
            continue;
        const struct outcome outcome = explore_one(&scenarios[i], deep, seed);
        repeats = report(&outcome, seed, fault == NULL) && repeats;
        failures += outcome.failed || !saw_all();
        if (outcome.failed && fault != NULL)
            break;
    }
    if (fault == NULL)
        return failures == 0 && repeats ? 0 : 1;
    printf("the planted fault \"%s\" was %s\n", fault, failures > 0 ? "found" : "NOT found");
    return failures > 0 && repeats ? 0 : 1;
}
