/* SPDX-License-Identifier: MIT */
/* The timer wheel; what it promises is in wheel.h.
 *
 * A timer due at tick T (its deadline rounded up, so never early) lies on level 0 if T is less than
 * 64 ticks ahead, on level n if less than 64^(n+1); further ahead it lies on the last slot of the
 * highest level, one short of a whole turn, and is sorted anew from there.  Slot s of level n holds
 * the timers whose tick has s as its n-th base-64 digit.  advance() walks to the next occupied slot
 * by the bitmaps, so it costs by timers, not by time; a slot of a higher level is cascaded when its
 * first tick comes.
 *
 * Invariants, checked by wi_wheel_valid(): a bit of `occupied` is set exactly where the slot has
 * timers; no timer has a tick before now_tick; `next` is no later than the first deadline. */
#include "loop/wheel.h"

#include <stddef.h>

#include "base/check.h"

enum {
    SLOT_BITS = 6,
    SLOT_MASK = WI_WHEEL_SLOTS - 1
};

/* How far ahead the wheel reaches, some nine years: 63 slots of the highest level.  A whole turn
 * would come back to the slot that is due now, for ever. */
static const uint64_t TICKS_MAX = (uint64_t)SLOT_MASK << (SLOT_BITS * (WI_WHEEL_LEVELS - 1));

static uint64_t tick_up(weir_time time)
{
    uint64_t ns = time > 0 ? (uint64_t)time : 0;
    return (ns + (((uint64_t)1 << WI_WHEEL_TICK_SHIFT) - 1)) >> WI_WHEEL_TICK_SHIFT;
}

/* The instant at which a tick begins; WEIR_NO_DEADLINE for those that no clock reaches. */
static weir_time time_of(uint64_t tick)
{
    if (tick > ((uint64_t)INT64_MAX >> WI_WHEEL_TICK_SHIFT))
        return WEIR_NO_DEADLINE;
    return (weir_time)(tick << WI_WHEEL_TICK_SHIFT);
}

static uint64_t tick_down(weir_time time)
{
    return (time > 0 ? (uint64_t)time : 0) >> WI_WHEEL_TICK_SHIFT;
}

void wi_wheel_init(struct wi_wheel *wheel, weir_time now)
{
    wi_lock_init(&wheel->lock);
    wheel->now_tick = tick_down(now);
    wheel->count = 0;
    for (int level = 0; level < WI_WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < WI_WHEEL_SLOTS; slot++)
            wi_list_init(&wheel->slots[level][slot]);
    }
    wi_store_relaxed(&wheel->next, WEIR_NO_DEADLINE);
}

void wi_timer_init(struct wi_timer *timer, void (*fire)(struct wi_timer *timer))
{
    wi_list_init(&timer->node);
    timer->deadline = WEIR_NO_DEADLINE;
    wi_store_relaxed(&timer->wheel, NULL);
    timer->level = 0;
    timer->slot = 0;
    timer->fire = fire;
}

static void insert_locked(struct wi_wheel *wheel, struct wi_timer *timer)
{
    uint64_t tick = tick_up(timer->deadline);
    if (tick < wheel->now_tick)
        tick = wheel->now_tick;
    if (tick - wheel->now_tick > TICKS_MAX)
        tick = wheel->now_tick + TICKS_MAX;

    /* The level is where the tick's digits first differ from now's: a timer of level n waits for
     * digit n to come round. */
    uint64_t differing = tick ^ wheel->now_tick;
    int level = 0;
    if (differing >= WI_WHEEL_SLOTS)
        level = (63 - __builtin_clzll(differing)) / SLOT_BITS;
    if (level >= WI_WHEEL_LEVELS)
        level = WI_WHEEL_LEVELS - 1;
    int slot = (int)((tick >> (level * SLOT_BITS)) & SLOT_MASK);
    timer->level = (uint8_t)level;
    timer->slot = (uint8_t)slot;
    wi_list_push_back(&wheel->slots[level][slot], &timer->node);
    wheel->occupied[level] |= (uint64_t)1 << slot;
}

static void remove_locked(struct wi_wheel *wheel, struct wi_timer *timer)
{
    wi_list_remove(&timer->node);
    if (wi_list_empty(&wheel->slots[timer->level][timer->slot]))
        wheel->occupied[timer->level] &= ~((uint64_t)1 << timer->slot);
}

/* The first tick at or after now_tick at which a slot is due or must be cascaded; UINT64_MAX if the
 * wheel is empty. */
static uint64_t next_tick_locked(const struct wi_wheel *wheel)
{
    uint64_t best = UINT64_MAX;
    for (int level = 0; level < WI_WHEEL_LEVELS; level++) {
        uint64_t bits = wheel->occupied[level];
        if (bits == 0)
            continue;
        int shift = level * SLOT_BITS;
        uint64_t digit = (wheel->now_tick >> shift) & SLOT_MASK;
        uint64_t turned = bits >> digit | (digit != 0 ? bits << (WI_WHEEL_SLOTS - digit) : 0);
        uint64_t ahead = (uint64_t)__builtin_ctzll(turned);
        uint64_t start = ((wheel->now_tick >> shift) + ahead) << shift;
        if (start < wheel->now_tick)
            start = wheel->now_tick;
        if (start < best)
            best = start;
    }
    return best;
}

static void set_next_locked(struct wi_wheel *wheel)
{
    uint64_t tick = next_tick_locked(wheel);
    wi_store_seq_cst(&wheel->next, time_of(tick));
}

bool wi_timer_start(struct wi_timer *timer, struct wi_wheel *wheel, weir_time deadline)
{
    wi_lock(&wheel->lock);
    wi_bug_unless(!wi_list_linked(&timer->node));
    /* A wheel that nobody advanced while it was empty stands at an old tick. */
    if (wheel->count == 0) {
        uint64_t now_tick = tick_down(weir_now());
        if (now_tick > wheel->now_tick)
            wheel->now_tick = now_tick;
    }
    timer->deadline = deadline;
    wi_store_relaxed(&timer->wheel, wheel);
    insert_locked(wheel, timer);
    wheel->count++;
    weir_time before = wi_load_relaxed(&wheel->next);
    weir_time due = time_of(tick_up(deadline));
    bool first = due < before;
    if (first)
        wi_store_seq_cst(&wheel->next, due);
    wi_unlock(&wheel->lock);
    return first;
}

bool wi_timer_stop(struct wi_timer *timer)
{
    struct wi_wheel *wheel = wi_load_relaxed(&timer->wheel);
    if (wheel == NULL)
        return false;
    wi_lock(&wheel->lock);
    bool running = wi_list_linked(&timer->node);
    if (running) {
        remove_locked(wheel, timer);
        wheel->count--;
    }
    wi_unlock(&wheel->lock);
    /* `next` stays: an early hint costs one look, a recount would cost every stop. */
    return running;
}

bool wi_timer_running(struct wi_timer *timer)
{
    struct wi_wheel *wheel = wi_load_relaxed(&timer->wheel);
    if (wheel == NULL)
        return false;
    wi_lock(&wheel->lock);
    bool running = wi_list_linked(&timer->node);
    wi_unlock(&wheel->lock);
    return running;
}

/* Sorts the timers of a higher level's slot anew; some fall to level 0. */
static void cascade_locked(struct wi_wheel *wheel, int level, int slot)
{
    struct wi_list timers;
    wi_list_init(&timers);
    struct wi_list *head = &wheel->slots[level][slot];
    struct wi_list *node;
    while ((node = wi_list_pop_front(head)) != NULL)
        wi_list_push_back(&timers, node);
    wheel->occupied[level] &= ~((uint64_t)1 << slot);
    while ((node = wi_list_pop_front(&timers)) != NULL)
        insert_locked(wheel, wi_container_of(node, struct wi_timer, node));
}

/* Takes one timer that is due, moving now_tick up to the tick of `now`; NULL if none is. */
static struct wi_timer *take_due_locked(struct wi_wheel *wheel, uint64_t target)
{
    for (;;) {
        uint64_t tick = next_tick_locked(wheel);
        if (tick > target)
            break;
        wheel->now_tick = tick;
        for (int level = WI_WHEEL_LEVELS - 1; level > 0; level--) {
            int slot = (int)((tick >> (level * SLOT_BITS)) & SLOT_MASK);
            if ((wheel->occupied[level] >> slot & 1) != 0)
                cascade_locked(wheel, level, slot);
        }
        struct wi_list *head = &wheel->slots[0][tick & SLOT_MASK];
        if (wi_list_empty(head))
            continue;
        struct wi_timer *timer = wi_container_of(head->next, struct wi_timer, node);
        remove_locked(wheel, timer);
        wheel->count--;
        return timer;
    }
    if (target > wheel->now_tick)
        wheel->now_tick = target;
    return NULL;
}

int wi_wheel_fire(struct wi_wheel *wheel, weir_time now, int max)
{
    uint64_t target = tick_down(now);
    int fired = 0;
    wi_lock(&wheel->lock);
    while (fired < max) {
        struct wi_timer *timer = take_due_locked(wheel, target);
        if (timer == NULL)
            break;
        fired++;
        wi_unlock(&wheel->lock);
        timer->fire(timer);
        wi_lock(&wheel->lock);
    }
    set_next_locked(wheel);
    wi_unlock(&wheel->lock);
    return fired;
}

void wi_wheel_clear(struct wi_wheel *wheel)
{
    wi_lock(&wheel->lock);
    for (int level = 0; level < WI_WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < WI_WHEEL_SLOTS; slot++) {
            struct wi_list *node;
            while ((node = wi_list_pop_front(&wheel->slots[level][slot])) != NULL)
                wi_store_relaxed(&wi_container_of(node, struct wi_timer, node)->wheel, NULL);
        }
        wheel->occupied[level] = 0;
    }
    wheel->count = 0;
    wi_store_seq_cst(&wheel->next, WEIR_NO_DEADLINE);
    wi_unlock(&wheel->lock);
}

bool wi_wheel_valid(struct wi_wheel *wheel)
{
    bool valid = true;
    int64_t count = 0;
    wi_lock(&wheel->lock);
    weir_time next = wi_load_relaxed(&wheel->next);
    for (int level = 0; level < WI_WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < WI_WHEEL_SLOTS; slot++) {
            struct wi_list *head = &wheel->slots[level][slot];
            bool bit = (wheel->occupied[level] >> slot & 1) != 0;
            valid = valid && bit == !wi_list_empty(head);
            for (struct wi_list *node = head->next; node != head; node = node->next) {
                struct wi_timer *timer = wi_container_of(node, struct wi_timer, node);
                valid = valid && timer->level == level && timer->slot == slot;
                valid = valid && next <= time_of(tick_up(timer->deadline));
                count++;
            }
        }
    }
    valid = valid && count == wheel->count;
    wi_unlock(&wheel->lock);
    return valid;
}
