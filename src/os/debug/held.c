/* SPDX-License-Identifier: MIT */
/* Which mutexes a thread holds: in Debug builds the functions below stand in front of those of the
 * C library (interposed.txt), because the linker finds them first.  What the program's own code, C
 * or C++, calls comes here, and with the static library also what other shared objects call.  The C
 * library's use of its own locks does not.
 *
 * A condition variable's wait gives the mutex back and takes it again within one call, on one
 * thread: nothing to note.  Mutexes beyond HELD_MAX are counted and not known by name.
 *
 * Threads: each keeps its own list.  A mutex that one thread locks and another unlocks, which POSIX
 * does not allow, stays on the list of the first. */
#define _GNU_SOURCE 1
#include "os/held.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/atomic.h"
#include "base/check.h"

enum {
    HELD_MAX = 16
};

static _Thread_local struct {
    int count;
    struct wi_held held[HELD_MAX]; /* in the order in which they were taken */
} own __attribute__((tls_model("initial-exec")));

/* A function of the C library that one of ours hides. */
struct hidden {
    wi_atomic_ptr function;
    const char *name;
};

static void *behind(struct hidden *hidden)
{
    void *function = wi_load_acquire(&hidden->function);
    if (function != NULL)
        return function;
    function = dlsym(RTLD_NEXT, hidden->name);
    wi_bug_unless(function != NULL);
    wi_store_release(&hidden->function, function);
    return function;
}

/* The code of a lock's taking: 0, or EOWNERDEAD, after which the caller holds it too. */
static int note_taken(int code, const pthread_mutex_t *mutex, const void *place)
{
    if (code != 0 && code != EOWNERDEAD)
        return code;
    if (own.count < HELD_MAX)
        own.held[own.count] = (struct wi_held){ .mutex = mutex, .place = place };
    own.count++;
    return code;
}

static void note_given_back(const pthread_mutex_t *mutex)
{
    const int known = own.count < HELD_MAX ? own.count : HELD_MAX;
    for (int i = known; i-- > 0;) {
        if (own.held[i].mutex != mutex)
            continue;
        memmove(&own.held[i], &own.held[i + 1], (size_t)(known - i - 1) * sizeof(own.held[0]));
        own.count--;
        return;
    }
    if (own.count > HELD_MAX)
        own.count--;
}

/* -- in front of the C library ----------------------------------------------------------------- */

#define INTERPOSED __attribute__((visibility("default")))

INTERPOSED int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static struct hidden hidden = { .name = "pthread_mutex_lock" };
    int (*lock)(pthread_mutex_t *);
    *(void **)&lock = behind(&hidden);
    return note_taken(lock(mutex), mutex, __builtin_return_address(0));
}

INTERPOSED int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    static struct hidden hidden = { .name = "pthread_mutex_trylock" };
    int (*lock)(pthread_mutex_t *);
    *(void **)&lock = behind(&hidden);
    return note_taken(lock(mutex), mutex, __builtin_return_address(0));
}

INTERPOSED int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    static struct hidden hidden = { .name = "pthread_mutex_timedlock" };
    int (*lock)(pthread_mutex_t *, const struct timespec *);
    *(void **)&lock = behind(&hidden);
    return note_taken(lock(mutex, until), mutex, __builtin_return_address(0));
}

INTERPOSED int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                       const struct timespec *until)
{
    static struct hidden hidden = { .name = "pthread_mutex_clocklock" };
    int (*lock)(pthread_mutex_t *, clockid_t, const struct timespec *);
    *(void **)&lock = behind(&hidden);
    return note_taken(lock(mutex, clock, until), mutex, __builtin_return_address(0));
}

INTERPOSED int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static struct hidden hidden = { .name = "pthread_mutex_unlock" };
    int (*unlock)(pthread_mutex_t *);
    *(void **)&unlock = behind(&hidden);
    const int code = unlock(mutex);
    if (code == 0)
        note_given_back(mutex);
    return code;
}

/* -- questions --------------------------------------------------------------------------------- */

__attribute__((noinline)) bool wi_held_newest(struct wi_held *out)
{
    wi_compiler_barrier();
    if (own.count == 0)
        return false;
    *out = own.count <= HELD_MAX ? own.held[own.count - 1] : (struct wi_held){ .mutex = NULL };
    return true;
}

void wi_held_describe(const void *place, char *text, size_t bytes)
{
    Dl_info info;
    if (place == NULL || dladdr(place, &info) == 0 || info.dli_fname == NULL) {
        (void)snprintf(text, bytes, "%p", place);
        return;
    }
    const uintptr_t address = (uintptr_t)place;
    const char *slash = strrchr(info.dli_fname, '/');
    const char *file = slash != NULL ? slash + 1 : info.dli_fname;
    const unsigned long in_file = (unsigned long)(address - (uintptr_t)info.dli_fbase);
    if (info.dli_sname != NULL)
        (void)snprintf(text, bytes, "%s+0x%lx (%s+0x%lx)", info.dli_sname,
                       (unsigned long)(address - (uintptr_t)info.dli_saddr), file, in_file);
    else
        (void)snprintf(text, bytes, "%s+0x%lx", file, in_file);
}
