/* SPDX-License-Identifier: MIT */
/* What runs when a thread of any origin ends: a list for each thread, walked by the destructor of
 * one pthread key.  A destructor that registers again is called again by pthreads, a bounded
 * number of times. */
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "os/thread.h"

struct exit_call {
    struct exit_call *next;
    void (*fn)(void *);
    void *arg;
};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void run_exit_calls(void *list)
{
    struct exit_call *call = list;
    while (call != NULL) {
        struct exit_call *next = call->next;
        call->fn(call->arg);
        wi_free(call);
        call = next;
    }
}

static void make_key(void)
{
    int rc = pthread_key_create(&key, run_exit_calls);
    wi_bug_unless_cmp(rc, ==, 0);
}

void wi_os_thread_at_exit(void (*fn)(void *), void *arg)
{
    pthread_once(&key_once, make_key);
    struct exit_call *call = wi_alloc(sizeof(*call));
    wi_bug_unless(call != NULL);
    call->next = pthread_getspecific(key);
    call->fn = fn;
    call->arg = arg;
    int rc = pthread_setspecific(key, call);
    wi_bug_unless_cmp(rc, ==, 0);
}
