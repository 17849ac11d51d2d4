/* SPDX-License-Identifier: MIT */
/* The explorer's memory: what a load may read, and which plain accesses race.
 *
 * The model is the operational one of relacy and loom.  Each atomic object keeps its stores in
 * modification order.  A load may read any store that is not older than one the thread knows of:
 * one that it, or somebody whose past it has acquired, has written or read.  Vector clocks say who
 * knows what: a release store carries its writer's clock, an acquire load of it joins that; a
 * read-modify-write reads the newest store and hands on what that carried (release sequences).
 * Sequentially consistent operations happen in the order of the execution: a seq_cst load does not
 * read what is older than the last store that a seq_cst operation wrote or read.
 *
 * Found so: every outcome of store buffering, of messages passed without release or acquire, and of
 * independent reads that disagree.  Not found: outcomes that need a load to read a store of the
 * future (load buffering), and two threads' relaxed stores to one object in another order than that
 * of the execution.  Neither shows on x86-64.
 *
 * Plain accesses are checked by epochs (FastTrack, Flanagan and Freund 2009), byte by byte: two by
 * different threads, one of them a write, must be ordered by what the clocks say. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "model/engine.h"

enum {
    STORES_MAX = 16,      /* of one object that a load may still read */
    LOCATIONS_MAX = 4096, /* powers of two */
    BLOCKS_MAX = 16384,
    BLOCK_BYTES = 8
};

struct store {
    uint64_t value;
    struct clock carried;        /* what an acquire load joins */
    uint16_t known[THREADS_MAX]; /* since when each thread knows of it; 0: not */
};

struct location {
    uintptr_t address;
    uint32_t era;
    bool stale_memory; /* a plain access wrote it: its value is what lies in memory */
    int count;         /* of stores so far; the last STORES_MAX are kept */
    int seq_cst_floor;
    struct store stores[STORES_MAX];
};

struct cell {
    uint16_t written;
    uint16_t read[THREADS_MAX];
    uint8_t writer;
};

/* Eight bytes: two cells, of four bytes each, until somebody touches a part of one; then eight. */
struct block {
    uintptr_t address;
    uint32_t era;
    bool split;
    struct cell cells[BLOCK_BYTES]; /* not split: those of bytes 0 and 4 stand for all */
};

struct memory {
    uint32_t era; /* of the execution; older entries are empty */
    int locations_used;
    int blocks_used;
    struct location locations[LOCATIONS_MAX];
    struct block blocks[BLOCKS_MAX];
};

static struct memory *memory; /* set once, before the program's data is copied */

void memory_reset(void)
{
    if (memory == NULL)
        memory = calloc(1, sizeof(*memory));
    if (memory == NULL)
        abort();
    memory->era++;
    memory->locations_used = 0;
    memory->blocks_used = 0;
}

/* -- clocks ------------------------------------------------------------------------------------ */

static void join(struct clock *clock, const struct clock *other)
{
    for (int i = 0; i < THREADS_MAX; i++) {
        if (clock->at[i] < other->at[i])
            clock->at[i] = other->at[i];
    }
}

static void tick(struct thread *thread)
{
    if (++thread->clock.at[thread->number] == UINT16_MAX)
        explore_fail("too long for the clocks");
}

void memory_start(struct thread *child, struct thread *parent)
{
    child->clock = parent->clock;
    child->clock.at[child->number] = 1;
    tick(parent);
}

void memory_join(struct thread *parent, const struct thread *child)
{
    join(&parent->clock, &child->clock);
}

/* What the others did before happens before what the caller does now, and what the caller did
 * before happens before what the others will do. */
void explore_membarrier(void)
{
    engine_step(__builtin_frame_address(0));
    struct thread *self = engine->running;
    engine_tell("membarrier");
    const struct clock before = self->clock;
    for (int i = 0; i < engine->thread_count; i++) {
        struct thread *other = &engine->threads[i];
        if (other == self)
            continue;
        join(&self->clock, &other->clock);
        join(&other->clock, &before);
        tick(other);
    }
    tick(self);
}

/* -- where an access may go -------------------------------------------------------------------- */

/* Freed memory, and frames of other threads that have returned. */
static void check_alive(uintptr_t address)
{
    const uintptr_t arena = (uintptr_t)engine->arena;
    if (address - arena < ARENA_BYTES) {
        if (engine->arena_freed[(address - arena) / ARENA_UNIT])
            explore_fail("t%d touches memory that was freed", engine->running->number);
        return;
    }
    for (int i = 0; i < engine->thread_count; i++) {
        const struct thread *owner = &engine->threads[i];
        if (address - (uintptr_t)owner->stack >= STACK_BYTES)
            continue;
        if (owner != engine->running && address < (uintptr_t)owner->top)
            explore_fail("t%d touches a frame of t%d that has returned", engine->running->number,
                         i);
        return;
    }
}

static size_t slot_of(uintptr_t key, size_t count)
{
    return (size_t)((uint64_t)key * 0x9e3779b97f4a7c15u >> 40) & (count - 1);
}

/* -- plain accesses ---------------------------------------------------------------------------- */

static struct block *block_at(uintptr_t address)
{
    for (size_t i = slot_of(address, BLOCKS_MAX);; i = (i + 1) & (BLOCKS_MAX - 1)) {
        struct block *block = &memory->blocks[i];
        if (block->era == memory->era && block->address == address)
            return block;
        if (block->era == memory->era)
            continue;
        if (++memory->blocks_used > BLOCKS_MAX * 3 / 4)
            explore_fail("too much memory for the explorer");
        memset(block, 0, sizeof(*block));
        block->address = address;
        block->era = memory->era;
        return block;
    }
}

static struct location *find_location(uintptr_t address, bool make);

static void check_cell(struct cell *cell, bool write, uintptr_t address)
{
    const struct thread *self = engine->running;
    const int me = self->number;
    int other = -1;
    if (cell->written != 0 && cell->writer != me && cell->written > self->clock.at[cell->writer])
        other = cell->writer;
    for (int i = 0; write && i < engine->thread_count; i++) {
        if (i != me && cell->read[i] > self->clock.at[i])
            other = i;
    }
    if (other >= 0)
        explore_fail("data race: t%d %s %#" PRIxPTR " while t%d may still be at it", me,
                     write ? "writes" : "reads", address, other);
    if (write) {
        cell->written = self->clock.at[me];
        cell->writer = (uint8_t)me;
    } else {
        cell->read[me] = self->clock.at[me];
    }
}

static void split(struct block *block)
{
    block->split = true;
    for (int i = 0; i < BLOCK_BYTES; i++)
        block->cells[i] = block->cells[i / 4 * 4];
}

/* The part of an access that falls into one block. */
static void access_block(uintptr_t from, uintptr_t to, bool write)
{
    struct block *block = block_at(from & ~(uintptr_t)(BLOCK_BYTES - 1));
    if (!block->split && ((from | to) & 3) != 0)
        split(block);
    const uintptr_t step = block->split ? 1 : 4;
    for (uintptr_t at = from; at < to; at += step) {
        check_cell(&block->cells[at % BLOCK_BYTES], write, at);
        if (!write || at % 4 != 0)
            continue;
        struct location *location = find_location(at, false);
        if (location != NULL)
            location->stale_memory = true;
    }
}

void memory_access(const void *address, size_t bytes, bool write)
{
    if (engine == NULL || engine->running == NULL || bytes == 0)
        return;
    uintptr_t from = (uintptr_t)address;
    const uintptr_t end = from + bytes;
    if (from - (uintptr_t)engine->locals < engine->locals_bytes)
        return;
    check_alive(from);
    while (from < end) {
        const uintptr_t next = (from | (BLOCK_BYTES - 1)) + 1;
        access_block(from, next < end ? next : end, write);
        from = next;
    }
}

/* -- atomic objects ---------------------------------------------------------------------------- */

static uint64_t raw_load(const void *address, size_t bytes)
{
    uint32_t narrow;
    uint64_t wide;
    if (bytes == sizeof(narrow)) {
        memcpy(&narrow, address, bytes);
        return narrow;
    }
    memcpy(&wide, address, sizeof(wide));
    return wide;
}

static void raw_store(void *address, size_t bytes, uint64_t value)
{
    const uint32_t narrow = (uint32_t)value;
    memcpy(address, bytes == sizeof(narrow) ? (const void *)&narrow : &value, bytes);
}

static struct location *find_location(uintptr_t address, bool make)
{
    for (size_t i = slot_of(address, LOCATIONS_MAX);; i = (i + 1) & (LOCATIONS_MAX - 1)) {
        struct location *location = &memory->locations[i];
        if (location->era == memory->era && location->address == address)
            return location;
        if (location->era == memory->era)
            continue;
        if (!make)
            return NULL;
        if (++memory->locations_used > LOCATIONS_MAX * 3 / 4)
            explore_fail("too many atomic objects for the explorer");
        location->address = address;
        location->era = memory->era;
        location->stale_memory = true;
        return location;
    }
}

static struct store *newest(struct location *location)
{
    return &location->stores[(location->count - 1) % STORES_MAX];
}

static struct store *append(struct location *location, uint64_t value)
{
    struct store *store = &location->stores[location->count++ % STORES_MAX];
    memset(store, 0, sizeof(*store));
    store->value = value;
    const struct thread *self = engine->running;
    store->known[self->number] = self->clock.at[self->number];
    return store;
}

static struct location *location_at(const void *address, size_t bytes)
{
    struct location *location = find_location((uintptr_t)address, true);
    if (location->stale_memory) {
        location->stale_memory = false;
        location->count = 0;
        location->seq_cst_floor = 0;
        struct store *store = append(location, raw_load(address, bytes));
        for (int i = 0; i < THREADS_MAX; i++)
            store->known[i] = 1; /* written before anybody shared it */
    }
    return location;
}

static enum explore_order order_of(const struct explore_site *site)
{
    if (engine->weakened == NULL)
        return site->order;
    char name[256];
    (void)snprintf(name, sizeof(name), "%s:%s:%s", site->function, site->operation, site->object);
    return strcmp(name, engine->weakened) == 0 ? EXPLORE_RELAXED : site->order;
}

static bool acquires(enum explore_order order)
{
    return order == EXPLORE_ACQUIRE || order >= EXPLORE_ACQ_REL;
}

static bool releases(enum explore_order order)
{
    return order >= EXPLORE_RELEASE;
}

/* The oldest store that whoever knows of `clock` may read. */
static int floor_of(const struct location *location, const struct clock *clock,
                    enum explore_order order)
{
    int lowest = location->count > STORES_MAX ? location->count - STORES_MAX : 0;
    if (order == EXPLORE_SEQ_CST && lowest < location->seq_cst_floor)
        lowest = location->seq_cst_floor;
    for (int index = location->count - 1; index > lowest; index--) {
        const struct store *store = &location->stores[index % STORES_MAX];
        for (int i = 0; i < THREADS_MAX; i++) {
            if (store->known[i] != 0 && store->known[i] <= clock->at[i])
                return index;
        }
    }
    return lowest;
}

static uint64_t read_store(struct location *location, int index, enum explore_order order)
{
    struct thread *self = engine->running;
    struct store *store = &location->stores[index % STORES_MAX];
    if (store->known[self->number] == 0)
        store->known[self->number] = self->clock.at[self->number];
    if (acquires(order))
        join(&self->clock, &store->carried);
    if (order == EXPLORE_SEQ_CST && location->seq_cst_floor < index)
        location->seq_cst_floor = index;
    return store->value;
}

static void tell(const struct explore_site *site, const char *how, uint64_t value)
{
    engine_tell("%s:%d %s: %s(%s)%s %" PRIu64, site->file, site->line, site->function,
                site->operation, site->object, how, value);
}

static struct location *begin(const void *address, size_t bytes, const void *frame)
{
    engine_step(frame);
    check_alive((uintptr_t)address);
    return location_at(address, bytes);
}

uint64_t explore_load(const struct explore_site *site, const void *address, size_t bytes)
{
    struct location *location = begin(address, bytes, __builtin_frame_address(0));
    const enum explore_order order = order_of(site);
    const int lowest = floor_of(location, &engine->running->clock, order);
    const int back = engine_choose(STALE, location->count - lowest);
    const uint64_t value = read_store(location, location->count - 1 - back, order);
    tell(site, back > 0 ? " reads the old" : " reads", value);
    tick(engine->running);
    return value;
}

/* Writes what the running thread has to say; `carried` is what a store before it handed on. */
static void write_store(struct location *location, void *address, size_t bytes, uint64_t value,
                        enum explore_order order, const struct clock *carried)
{
    struct thread *self = engine->running;
    struct store *store = append(location, value);
    if (carried != NULL)
        store->carried = *carried;
    if (releases(order))
        join(&store->carried, &self->clock);
    if (order == EXPLORE_SEQ_CST)
        location->seq_cst_floor = location->count - 1;
    raw_store(address, bytes, value);
    engine->writes++;
}

void explore_store(const struct explore_site *site, void *address, size_t bytes, uint64_t value)
{
    struct location *location = begin(address, bytes, __builtin_frame_address(0));
    if (bytes == sizeof(uint32_t))
        value = (uint32_t)value;
    write_store(location, address, bytes, value, order_of(site), NULL);
    tell(site, " writes", value);
    tick(engine->running);
}

static uint64_t result_of(enum explore_rmw kind, uint64_t before, uint64_t operand)
{
    switch (kind) {
    case EXPLORE_SWAP:
        return operand;
    case EXPLORE_ADD:
        return before + operand;
    case EXPLORE_SUB:
        return before - operand;
    case EXPLORE_OR:
        return before | operand;
    case EXPLORE_AND:
        return before & operand;
    }
    abort();
}

uint64_t explore_rmw(const struct explore_site *site, void *address, size_t bytes,
                     enum explore_rmw kind, uint64_t operand)
{
    struct location *location = begin(address, bytes, __builtin_frame_address(0));
    const enum explore_order order = order_of(site);
    const uint64_t before = read_store(location, location->count - 1, order);
    const struct clock carried = newest(location)->carried;
    uint64_t value = result_of(kind, before, operand);
    if (bytes == sizeof(uint32_t))
        value = (uint32_t)value;
    write_store(location, address, bytes, value, order, &carried);
    tell(site, " finds", before);
    tick(engine->running);
    return before;
}

/* The store that a compare-and-swap looks at: the newest, or, since one that fails is but a load,
 * an older one that differs from what is wanted. */
static int choose_for_cas(const struct location *location, uint64_t wanted,
                          enum explore_order order)
{
    int places[STORES_MAX];
    int count = 0;
    places[count++] = location->count - 1;
    const int lowest = floor_of(location, &engine->running->clock, order);
    for (int index = location->count - 2; index >= lowest && count < STORES_MAX; index--) {
        if (location->stores[index % STORES_MAX].value != wanted)
            places[count++] = index;
    }
    return places[engine_choose(STALE, count)];
}

bool explore_cas(const struct explore_site *site, void *address, size_t bytes, void *expected,
                 uint64_t value)
{
    struct location *location = begin(address, bytes, __builtin_frame_address(0));
    const enum explore_order order = order_of(site);
    const uint64_t wanted = raw_load(expected, bytes);
    const int index = choose_for_cas(location, wanted, order);
    const uint64_t before = read_store(location, index, order);
    const bool swaps = before == wanted;
    if (bytes == sizeof(uint32_t))
        value = (uint32_t)value;
    if (swaps) {
        const struct clock carried = newest(location)->carried;
        write_store(location, address, bytes, value, order, &carried);
    } else {
        raw_store(expected, bytes, before);
    }
    tell(site, swaps ? " succeeds on" : " fails on", before);
    tick(engine->running);
    return swaps;
}

/* -- the kernel -------------------------------------------------------------------------------- */

/* A wake passes a full barrier before it looks for sleepers, and a sleeper looks at the word after
 * it has queued itself: so it does not miss what a wake that came too early had been told.  That
 * orders the look and nothing of the program's. */
void memory_futex_wake(void)
{
    join(&engine->kernel, &engine->running->clock);
}

uint64_t memory_futex_look(const void *address, size_t bytes)
{
    struct clock clock = engine->running->clock;
    join(&clock, &engine->kernel);
    struct location *location = location_at(address, bytes);
    const int lowest = floor_of(location, &clock, EXPLORE_RELAXED);
    const int back = engine_choose(STALE, location->count - lowest);
    return read_store(location, location->count - 1 - back, EXPLORE_RELAXED);
}
