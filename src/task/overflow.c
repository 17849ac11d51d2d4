/* SPDX-License-Identifier: MIT */
/* Stack overflows have names: the fault handler runs on the thread's alternate stack and reads only
 * the running task's record.  Async-signal-safe: formats by hand, writes once. */
#include "task/overflow.h"

#include <stddef.h>
#include <stdint.h>

#include "os/signal.h"
#include "os/thread.h"
#include "os/vm.h"
#include "task/task.h"
#include "task/worker.h"

enum {
    REPORT_BYTES = 512
};

/* Of a thread's stack, as the C library makes it: a page, of 4 KiB to 64 KiB.  Constant once
 * somebody watches; the handler asks nobody. */
static size_t thread_guard_bytes;

struct report {
    char text[REPORT_BYTES];
    size_t bytes;
};

static void add_text(struct report *report, const char *text)
{
    while (*text != '\0' && report->bytes + 1 < REPORT_BYTES)
        report->text[report->bytes++] = *text++;
    report->text[report->bytes] = '\0';
}

static void add_number(struct report *report, uint64_t number)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    add_text(report, digits + at);
}

/* The bytes of the stack below whose low end the address lies; 0 if it lies elsewhere.  A task on
 * an OS thread has the thread's stack: its bounds may or may not count the guard page in. */
static size_t overflowed_bytes(const struct wi_thread *thread, const void *address)
{
    const struct weir_task *task = wi_load_relaxed(&thread->task);
    if (task->stack != NULL)
        return wi_stack_guards(task->stack, address) ? wi_stack_bytes(task->stack) : 0;
    const uintptr_t low = (uintptr_t)thread->stack_low;
    const uintptr_t at = (uintptr_t)address;
    const bool below = at < low + thread_guard_bytes && at + WI_STACK_GUARD_BYTES >= low;
    return below ? thread->stack_bytes : 0;
}

static void report_fault(const void *address)
{
    const struct wi_thread *thread = wi_thread_self();
    if (thread == NULL || wi_load_relaxed(&thread->task) == NULL)
        return;
    const struct weir_task *task = wi_load_relaxed(&thread->task);
    const size_t bytes = overflowed_bytes(thread, address);
    if (bytes == 0)
        return;
    struct report report = { .bytes = 0 };
    add_text(&report, "weir: stack overflow in task \"");
    add_text(&report, wi_task_name(task));
    add_text(&report, "\" (number ");
    add_number(&report, wi_task_id(task));
    add_text(&report, ", spawned at ");
    add_text(&report, wi_task_site(task));
    add_text(&report, "): its stack has ");
    add_number(&report, bytes);
    add_text(&report, task->stack != NULL ? " bytes; ask for more with .stack_bytes\n"
                                          : " bytes, as every task on a thread of its own\n");
    wi_signal_write(report.text);
}

int wi_overflow_watch(void)
{
    /* Threads of the runtime have a signal stack from birth.  Under `loop` tasks run on the
     * opener's thread, which is not ours. */
    wi_os_thread_altstack();
    thread_guard_bytes = wi_vm_page_bytes();
    return wi_signal_on_fault(report_fault);
}
