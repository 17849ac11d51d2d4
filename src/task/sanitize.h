/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_SANITIZE_H
#define WI_TASK_SANITIZE_H

/* Tells AddressSanitizer and ThreadSanitizer of stack switches.  In builds without them every
 * function is empty.
 *
 * A context that can be switched to has a wi_fiber: what the sanitizers must know of it. */

#include <stddef.h>

#if defined(__SANITIZE_THREAD__)
#define WI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WI_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WI_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WI_ASAN 1
#endif
#endif

#if defined(WI_TSAN) || defined(WI_ASAN)
struct wi_fiber {
    void *thread_fiber; /* ThreadSanitizer's */
    void *fake_stack;   /* AddressSanitizer's, while it does not run */
    const void *stack_low;
    size_t stack_bytes;
};

/* A struct's member of that type, and where it is. */
#define WI_FIBER_MEMBER struct wi_fiber fiber;
#define wi_fiber_of(owner) (&(owner)->fiber)

/* The stack that the context is on. */
static inline void wi_fiber_on(struct wi_fiber *fiber, const void *low, size_t bytes)
{
    fiber->fake_stack = NULL;
    fiber->stack_low = low;
    fiber->stack_bytes = bytes;
}
#else
struct wi_fiber {
    char nothing;
};
#define WI_FIBER_MEMBER
#define wi_fiber_of(owner) ((void)(owner), (struct wi_fiber *)NULL)

static inline void wi_fiber_on(struct wi_fiber *fiber, const void *low, size_t bytes)
{
    (void)fiber;
    (void)low;
    (void)bytes;
}
#endif

/* A function between wi_fiber_leave() and the switch: ThreadSanitizer keeps calls and returns in
 * the books of the context that runs, which is another one when it returns. */
#if defined(WI_TSAN)
#define WI_TSAN_BLIND __attribute__((no_sanitize("thread")))
#else
#define WI_TSAN_BLIND
#endif

#if defined(WI_TSAN)
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

static inline void wi_tsan_adopt(struct wi_fiber *fiber)
{
    fiber->thread_fiber = __tsan_get_current_fiber();
}
/* ThreadSanitizer's fiber of a stack, for one task after the other: making one takes 100 us.  It is
 * made anew after some, because the calls that a task's end leaves open stay in it. */
struct wi_tsan_fiber {
    void *fiber;
    unsigned uses;
};
#define WI_TSAN_MEMBER struct wi_tsan_fiber tsan;
enum {
    WI_TSAN_USES_MAX = 64,
};

/* Of a new stack; before the first run of a task on it, and after its last. */
#define wi_tsan_init(stack) ((stack)->tsan = (struct wi_tsan_fiber){ 0 })
#define wi_tsan_begin(of, stack) wi_tsan_begin_on(of, &(stack)->tsan)
#define wi_tsan_end(stack) wi_tsan_end_on(&(stack)->tsan)
/* The stack goes. */
#define wi_tsan_forget(stack) wi_tsan_forget_in(&(stack)->tsan)

static inline void wi_tsan_forget_in(struct wi_tsan_fiber *kept)
{
    if (kept->fiber != NULL)
        __tsan_destroy_fiber(kept->fiber);
    kept->fiber = NULL;
}
static inline void wi_tsan_begin_on(struct wi_fiber *fiber, struct wi_tsan_fiber *kept)
{
    if (kept->fiber == NULL) {
        kept->fiber = __tsan_create_fiber(0);
        kept->uses = 0;
    }
    fiber->thread_fiber = kept->fiber;
}
static inline void wi_tsan_end_on(struct wi_tsan_fiber *kept)
{
    if (++kept->uses == WI_TSAN_USES_MAX)
        wi_tsan_forget_in(kept);
}
static inline void wi_tsan_switch(struct wi_fiber *fiber)
{
    __tsan_switch_to_fiber(fiber->thread_fiber, 0);
}
#else
static inline void wi_tsan_adopt(struct wi_fiber *fiber)
{
    (void)fiber;
}
#define WI_TSAN_MEMBER
#define wi_tsan_init(stack) ((void)(stack))
#define wi_tsan_begin(of, stack) ((void)(of), (void)(stack))
#define wi_tsan_end(stack) ((void)(stack))
#define wi_tsan_forget(stack) ((void)(stack))
static inline void wi_tsan_switch(struct wi_fiber *fiber)
{
    (void)fiber;
}
#endif

#if defined(WI_ASAN)
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old,
                                     size_t *size_old);
void __asan_unpoison_memory_region(void const volatile *address, size_t bytes);

static inline void wi_asan_start(struct wi_fiber *from, const struct wi_fiber *to)
{
    __sanitizer_start_switch_fiber(from != NULL ? &from->fake_stack : NULL, to->stack_low,
                                   to->stack_bytes);
}
static inline void wi_asan_finish(struct wi_fiber *now)
{
    __sanitizer_finish_switch_fiber(now->fake_stack, NULL, NULL);
}
static inline void wi_asan_clear(const void *low, size_t bytes)
{
    __asan_unpoison_memory_region(low, bytes);
}
#else
static inline void wi_asan_start(struct wi_fiber *from, const struct wi_fiber *to)
{
    (void)from;
    (void)to;
}
static inline void wi_asan_finish(struct wi_fiber *now)
{
    (void)now;
}
static inline void wi_asan_clear(const void *low, size_t bytes)
{
    (void)low;
    (void)bytes;
}
#endif

/* Right before the switch; `from` NULL: the leaving context never runs again. */
static inline void wi_fiber_leave(struct wi_fiber *from, struct wi_fiber *to)
{
    wi_asan_start(from, to);
    wi_tsan_switch(to);
}

/* Right after it, on the coming context. */
static inline void wi_fiber_arrive(struct wi_fiber *now)
{
    wi_asan_finish(now);
}

#endif
