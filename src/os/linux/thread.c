/* SPDX-License-Identifier: MIT */
/* Threads on Linux: POSIX threads, and the alternate signal stack that each of them has.
 *
 * The stack for signals is a mapping of its own below whose start one page faults, so a handler
 * that runs over ends in a fault and not in somebody's memory.  A thread that had one already (a
 * sanitizer gives its threads some) gets it back before it ends. */
#define _GNU_SOURCE 1
#include "os/thread.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "os/file.h"
#include "os/linux/code.h"
#include "os/signal.h"
#include "os/vm.h"

enum {
    STACK_BYTES_DEFAULT = 256 * 1024,
    STACK_BYTES_MIN = 64 * 1024,
    ALTSTACK_BYTES_MIN =
        64 * 1024, /* room for the frames of a chained sanitizer or crash reporter */
    ALTSTACK_FRAMES = 4,
    NAME_BYTES = 16, /* the kernel's limit, NUL included */
    STATUS_BYTES = 4096,
};

struct altstack {
    void *base; /* NULL: none of ours */
    size_t bytes;
    stack_t before;
};

/* What a new thread takes over; freed by it. */
struct start {
    void (*fn)(void *);
    void *arg;
    char name[NAME_BYTES];
};

/* The foreign threads' alternate stacks, freed by the key's destructor at thread end. */
static pthread_key_t foreign_key;
static pthread_once_t foreign_once = PTHREAD_ONCE_INIT;
static int foreign_rc; /* written inside foreign_once */

static size_t round_to_pages(size_t bytes)
{
    const size_t page = wi_vm_page_bytes();
    return (bytes + page - 1) / page * page;
}

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51 /* Linux 5.14; the C library's headers may be older */
#endif

/* The kernel says how large the frame of a signal is, which depends on the CPU's vector registers;
 * 0 from kernels that do not say.  (musl has no _SC_SIGSTKSZ.) */
static size_t altstack_bytes(void)
{
    const size_t wanted = ALTSTACK_FRAMES * (size_t)getauxval(AT_MINSIGSTKSZ);
    const size_t bytes = wanted > ALTSTACK_BYTES_MIN ? wanted : ALTSTACK_BYTES_MIN;
    return round_to_pages(bytes) + wi_vm_page_bytes();
}

/* Without memory for it the thread goes on without one: a stack overflow is then not reported. */
static void altstack_install(struct altstack *out)
{
    *out = (struct altstack){ .base = NULL };
    const size_t bytes = altstack_bytes();
    const size_t page = wi_vm_page_bytes();
    void *base;
    if (wi_vm_map(bytes, &base) != 0)
        return;
    if (mprotect(base, page, PROT_NONE) != 0)
        goto undo_map;
    const stack_t stack = { .ss_sp = (char *)base + page, .ss_size = bytes - page };
    if (sigaltstack(&stack, &out->before) != 0)
        goto undo_map;
    out->base = base;
    out->bytes = bytes;
    return;

undo_map:
    wi_vm_unmap(base, bytes);
}

static void altstack_remove(struct altstack *stack)
{
    if (stack->base == NULL)
        return;
    stack_t before = stack->before;
    before.ss_flags &= SS_DISABLE; /* other bits are not for setting */
    (void)sigaltstack(&before, NULL);
    wi_vm_unmap(stack->base, stack->bytes);
    stack->base = NULL;
}

/* What a wi_os_thread holds. */
struct handle {
    pthread_t thread;
    wi_atomic_u64 filled; /* 1: wi_os_thread_start() is through with it */
};

_Static_assert(sizeof(struct handle) <= sizeof(struct wi_os_thread), "the contract has room");

static struct handle *handle_of(struct wi_os_thread *thread)
{
    return (struct handle *)(void *)thread->opaque;
}

static void *run(void *arg)
{
    const struct start start = *(struct start *)arg;
    wi_free(arg);
    (void)prctl(PR_SET_NAME, start.name);

    struct altstack altstack;
    altstack_install(&altstack);
    start.fn(start.arg);
    altstack_remove(&altstack);
    return NULL;
}

/* PTHREAD_STACK_MIN depends on the CPU and is asked for at run time. */
static size_t stack_bytes_of(size_t wanted)
{
    const size_t bytes = wanted == 0 ? STACK_BYTES_DEFAULT : wanted;
    const long system_min = sysconf(_SC_THREAD_STACK_MIN);
    const size_t min = system_min > STACK_BYTES_MIN ? (size_t)system_min : STACK_BYTES_MIN;
    return round_to_pages(bytes > min ? bytes : min);
}

static int create(pthread_t *out, size_t stack_bytes, struct start *start)
{
    pthread_attr_t attr;
    int error = pthread_attr_init(&attr);
    if (error != 0)
        return error;
    error = pthread_attr_setstacksize(&attr, stack_bytes_of(stack_bytes));
    if (error == 0)
        error = pthread_create(out, &attr, run, start);
    pthread_attr_destroy(&attr);
    return error;
}

int wi_os_thread_start(struct wi_os_thread *out, void (*fn)(void *), void *arg, size_t stack_bytes,
                       const char *name)
{
    wi_bug_unless(fn != NULL);
    struct start *start = wi_alloc(sizeof(*start));
    if (start == NULL)
        return WEIR_ENOMEM;
    *start = (struct start){ .fn = fn, .arg = arg };
    strncpy(start->name, name, NAME_BYTES - 1);

    /* The new thread inherits the mask, so that no signal reaches it even before it runs. */
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    wi_signal_block_all();
    wi_atomic_u64 *filled = &handle_of(out)->filled;
    wi_store_relaxed(filled, 0);
    pthread_t thread;
    const int error = create(&thread, stack_bytes, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        wi_free(start);
        return wi_os_code_of(error);
    }
    /* The thread may have run to its end by now, and somebody may be about to join it: the last
     * touch of `out` is the word that the joiner waits for. */
    handle_of(out)->thread = thread;
    wi_store_release(filled, 1);
    return 0;
}

void wi_os_thread_join(struct wi_os_thread *thread)
{
    struct handle *handle = handle_of(thread);
    while (wi_load_acquire(&handle->filled) == 0) /* pairs with wi_os_thread_start() */
        (void)sched_yield();
    const int error = pthread_join(handle->thread, NULL);
    wi_bug_unless_cmp(error, ==, 0);
}

int wi_os_thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

void wi_os_thread_yield(void)
{
    (void)sched_yield();
}

/* On Linux the value is a thread's own, though POSIX has it be the process's. */
int wi_os_thread_nice(void)
{
    return getpriority(PRIO_PROCESS, 0); /* of oneself: it cannot fail */
}

void wi_os_thread_be_nice(int nice)
{
    (void)setpriority(PRIO_PROCESS, 0, nice);
}

/* ThreadSanitizer keeps a thread of its own once a thread was made or the process was forked. */
#if defined(__SANITIZE_THREAD__)
enum {
    THREADS_ALONE = 2
};
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum {
    THREADS_ALONE = 2
};
#else
enum {
    THREADS_ALONE = 1
};
#endif
#else
enum {
    THREADS_ALONE = 1
};
#endif

static long count_all(void)
{
    char text[STATUS_BYTES];
    if (wi_file_read_all("/proc/self/status", text, sizeof(text)) < 0)
        return -1;
    const char *line = strstr(text, "\nThreads:");
    return line != NULL ? strtol(line + strlen("\nThreads:"), NULL, 10) : -1;
}

bool wi_os_thread_alone(void)
{
    const long threads = count_all();
    return threads >= 1 && threads <= THREADS_ALONE;
}

int wi_os_thread_count(void)
{
    const long threads = count_all();
    if (threads < 1)
        return -1;
    return threads <= THREADS_ALONE ? 1 : (int)threads - (THREADS_ALONE - 1);
}

int wi_os_thread_stack(void **low, void **high)
{
    pthread_attr_t attr;
    int error = pthread_getattr_np(pthread_self(), &attr);
    if (error != 0)
        return wi_os_code_of(error);
    void *base;
    size_t bytes;
    error = pthread_attr_getstack(&attr, &base, &bytes);
    pthread_attr_destroy(&attr);
    if (error != 0)
        return wi_os_code_of(error);
    *low = base;
    *high = (char *)base + bytes;
    return 0;
}

static void foreign_end(void *arg)
{
    struct altstack *stack = arg;
    altstack_remove(stack);
    wi_free(stack);
}

static void foreign_init(void)
{
    foreign_rc = pthread_key_create(&foreign_key, foreign_end);
}

static bool has_altstack(void)
{
    stack_t now;
    return sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0;
}

void wi_os_thread_altstack(void)
{
    if (has_altstack())
        return;
    pthread_once(&foreign_once, foreign_init);
    if (foreign_rc != 0)
        return;
    struct altstack *stack = wi_alloc(sizeof(*stack));
    if (stack == NULL)
        return;
    altstack_install(stack);
    if (stack->base != NULL && pthread_setspecific(foreign_key, stack) == 0)
        return;
    altstack_remove(stack);
    wi_free(stack);
}
