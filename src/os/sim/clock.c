/* SPDX-License-Identifier: MIT */
/* The virtual clock, what happens when, and the control of the simulated world.
 *
 * Events wait in a binary heap ordered by time and then by number.  Nothing but wi_sim_wait() and
 * the small step of each reading moves the clock, so a run depends on the seed and the calls alone.
 *
 * Source: own; the idea of a whole system on one seed after FoundationDB's and TigerBeetle's. */
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/rng.h"
#include "os/signal.h"
#include "os/sim/world.h"

enum {
    EVENTS_MAX = 1 << 20,
    EVENTS_FIRST = 256,
    BUFFER_BYTES = 64 * 1024,
    CLOCK_STEP_NS = 20
};

#define START_NS WEIR_NS_PER_S                        /* of the monotonic clock */
#define WALL_AT_START_NS (1577836800 * WEIR_NS_PER_S) /* 2020-01-01 */

struct fault {
    enum wi_sim_call call;
    uint64_t at; /* the number of the call that fails */
    int code;
};

static struct {
    bool ready;
    struct wi_sim_opts opts;
    struct wi_rng rng;
    weir_time now;
    uint64_t jumps;
    uint64_t trace;
    uint64_t next_number;
    struct wi_sim_event *heap;
    size_t count;
    size_t room;
    uint64_t calls[WI_SIM_CALL_COUNT];
    struct fault faults[WI_SIM_FAULTS_MAX];
    size_t fault_count;
    const void *thread; /* whose world it is */
} world;

/* Its address tells threads apart without a system call. */
static _Thread_local char thread_mark;

void wi_sim_reset(const struct wi_sim_opts *opts)
{
    struct wi_sim_event *heap = world.heap;
    const size_t room = world.room;
    if (world.ready) {
        wi_sim_sockets_reset();
        wi_sim_objects_reset();
    }
    memset(&world, 0, sizeof(world));
    world.heap = heap;
    world.room = room;
    if (opts != NULL)
        world.opts = *opts;
    if (world.opts.buffer_bytes == 0)
        world.opts.buffer_bytes = BUFFER_BYTES;
    if (world.opts.clock_step_ns == 0)
        world.opts.clock_step_ns = CLOCK_STEP_NS;
    wi_rng_init(&world.rng, world.opts.seed);
    world.now = START_NS;
    world.thread = &thread_mark;
    world.ready = true;
}

static void begin_if_needed(void)
{
    if (!world.ready)
        wi_sim_reset(NULL);
}

void wi_sim_enter(void)
{
    begin_if_needed();
    if (world.thread != &thread_mark)
        wi_bug_misuse("os/sim", "a second thread entered the simulated system", 2);
}

const struct wi_sim_opts *wi_sim_options(void)
{
    return &world.opts;
}

weir_time wi_sim_now(void)
{
    return world.now;
}

uint64_t wi_sim_random(uint64_t count)
{
    wi_bug_unless(count > 0);
    return wi_rng_next(&world.rng) % count;
}

bool wi_sim_short(void)
{
    return world.opts.short_permille > 0 && wi_sim_random(1000) < world.opts.short_permille;
}

weir_time wi_sim_arrival(weir_time floor)
{
    weir_time at = world.now + world.opts.latency_ns;
    if (world.opts.jitter_ns > 0)
        at += (weir_time)wi_sim_random((uint64_t)world.opts.jitter_ns + 1);
    return at > floor ? at : floor;
}

/* Events */

static bool before(const struct wi_sim_event *a, const struct wi_sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void swap(size_t i, size_t j)
{
    const struct wi_sim_event event = world.heap[i];
    world.heap[i] = world.heap[j];
    world.heap[j] = event;
}

static void sift_up(size_t i)
{
    while (i > 0 && before(&world.heap[i], &world.heap[(i - 1) / 2])) {
        swap(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void sift_down(size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < world.count; child++) {
            if (before(&world.heap[child], &world.heap[least]))
                least = child;
        }
        if (least == i)
            return;
        swap(i, least);
        i = least;
    }
}

static void make_room(void)
{
    if (world.count < world.room)
        return;
    world.room = world.room == 0 ? EVENTS_FIRST : 2 * world.room;
    wi_bug_unless_cmp(world.room, <=, EVENTS_MAX);
    world.heap = realloc(world.heap, world.room * sizeof(world.heap[0]));
    wi_bug_unless(world.heap != NULL);
}

void wi_sim_plan(weir_time at, void (*happen)(uint64_t, uint64_t), uint64_t target, uint64_t detail)
{
    wi_bug_unless(at >= world.now);
    make_room();
    world.heap[world.count] = (struct wi_sim_event){
        .at = at,
        .number = world.next_number++,
        .happen = happen,
        .target = target,
        .detail = detail,
    };
    sift_up(world.count++);
}

static struct wi_sim_event take_first(void)
{
    const struct wi_sim_event first = world.heap[0];
    world.heap[0] = world.heap[--world.count];
    sift_down(0);
    return first;
}

void wi_sim_settle(void)
{
    while (world.count > 0 && world.heap[0].at <= world.now) {
        const struct wi_sim_event event = take_first();
        event.happen(event.target, event.detail);
    }
}

static void jump(weir_time to)
{
    if (to > world.now) {
        world.now = to;
        world.jumps++;
    }
}

static void deadlock(void)
{
    if (world.opts.on_deadlock != NULL) {
        world.opts.on_deadlock(world.opts.user);
        return;
    }
    wi_signal_write("weir: simulated deadlock: everybody waits and nothing will happen\n");
    abort();
}

bool wi_sim_wait(weir_time deadline)
{
    if (world.count > 0 && world.heap[0].at <= deadline) {
        jump(world.heap[0].at);
        wi_sim_settle();
        return true;
    }
    if (deadline == WEIR_NO_DEADLINE)
        deadlock();
    else
        jump(deadline);
    return false;
}

/* Control */

void wi_sim_advance(int64_t ns)
{
    begin_if_needed();
    wi_bug_unless(ns >= 0);
    world.now += ns;
}

uint64_t wi_sim_trace(void)
{
    return world.trace;
}

uint64_t wi_sim_jumps(void)
{
    return world.jumps;
}

void wi_sim_fail(enum wi_sim_call call, uint64_t n, int code)
{
    begin_if_needed();
    wi_bug_unless(n > 0);
    wi_bug_unless(code < 0);
    wi_bug_unless_cmp(world.fault_count, <, WI_SIM_FAULTS_MAX);
    world.faults[world.fault_count++] =
        (struct fault){ .call = call, .at = world.calls[call] + n, .code = code };
}

int wi_sim_fault(enum wi_sim_call call)
{
    world.calls[call]++;
    for (size_t i = 0; i < world.fault_count; i++) {
        if (world.faults[i].call == call && world.faults[i].at == world.calls[call]) {
            const int code = world.faults[i].code;
            world.faults[i] = world.faults[--world.fault_count];
            return code;
        }
    }
    return 0;
}

int64_t wi_sim_note(uint32_t call, int fd, int64_t result)
{
    uint64_t mixed = world.trace ^ ((uint64_t)call << 56) ^ ((uint64_t)(uint32_t)fd << 32) ^
                     (uint64_t)result ^ (uint64_t)world.now;
    world.trace = wi_rng_split(&mixed);
    return result;
}

/* The contract */

weir_time wi_clock_now(void)
{
    begin_if_needed();
    if (world.opts.clock_step_ns > 0)
        world.now += world.opts.clock_step_ns;
    return world.now;
}

weir_time wi_clock_coarse(void)
{
    return wi_clock_now();
}

int64_t wi_clock_wall(void)
{
    return WALL_AT_START_NS + (wi_clock_now() - START_NS);
}

/* There is one thread and it is never taken off its CPU, but it sleeps while the clock jumps; what
 * a program measures with these is how long it computed, and for that they run alike. */
int64_t wi_clock_thread_cpu(void)
{
    return wi_clock_now() - START_NS;
}

int64_t wi_clock_process_cpu(void)
{
    return wi_clock_now() - START_NS;
}
