/* SPDX-License-Identifier: MIT */
/* Names of hosts: a table of what was found, and one lookup at a time for each name; see names.h.
 *
 *   a: who asks finds the name fresh, or waits in its line; the first there has it looked up.
 *   b: a thread of the pool looks it up.
 *   c: then it writes what it found and lets everybody go on who waits; they copy it.  Where the
 *      pool takes no more, the first in line tells them that.
 *
 * What was found counts for FRESH_NS, since getaddrinfo() does not tell for how long it holds; that
 * a name is not known, or that nobody knew, for FAILED_NS, so that a caller who tries again and
 * again does not flood the name service.
 *
 * A full table forgets the name that was not asked for for longest.  One that is being looked up,
 * or that somebody is about to copy, is not forgotten: `users` counts them.
 *
 * Invariant under the lock: a name has waiters only while it is being looked up.
 * Threads: any; the lock is held over no wait, no lookup, and no call of the pool. */
#include "net/names.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "os/names.h"
#include "os/process.h"
#include "pool/post.h"
#include "sync/lock.h"
#include "sync/wait.h"
#include "weir/pool.h"

enum {
    THREADS_MAX = 4, /* that wait for the system at once */
    LOOKUPS_MAX = 64,
};

#define FRESH_NS (30 * WEIR_NS_PER_S)
#define FAILED_NS WEIR_NS_PER_S

struct name {
    /* constant after init */
    char host[WI_NAME_BYTES];
    /* guarded by the table's lock */
    struct wi_list node;    /* the latest that was asked for first */
    struct wi_list waiters; /* wi_waiter.node */
    int users;
    bool looking;
    weir_time until; /* what is below counts */
    int found;       /* addresses, or a code */
    struct wi_addr addrs[WI_NAMES_ADDRESSES_MAX];
};

/* guarded by lock */
static struct {
    struct wi_lock lock;
    int process_id; /* whose table this is */
    bool watched;   /* own_lock_in_child() is known to the system */
    weir_pool *pool;
    struct wi_list names;
    int count;
} table;

static const struct wi_waitable name_waitable = { .what = "look up host", .outside = true };

static struct name *name_of(struct wi_list *node)
{
    return wi_container_of(node, struct name, node);
}

/* Whoever held it at the fork is not there to let it go. */
static void own_lock_in_child(void)
{
    wi_lock_init(&table.lock);
}

/* In a forked child the lookups of its parent never end: it begins anew, and leaves alone what they
 * may have been at work on. */
static int begin_table_locked(void)
{
    const int process_id = wi_process_id();
    if (table.process_id == process_id)
        return 0;
    if (!table.watched)
        wi_process_on_fork(own_lock_in_child);
    table.watched = true;
    const struct weir_pool_opts opts = { .size = sizeof(opts),
                                         .name = "weir-names",
                                         .threads_max = THREADS_MAX,
                                         .waiting_max = LOOKUPS_MAX };
    const int rc = weir_pool_create(&table.pool, &opts);
    if (rc != 0)
        return rc;
    wi_list_init(&table.names);
    table.count = 0;
    table.process_id = process_id;
    return 0;
}

static bool forget_oldest_locked(void)
{
    for (struct wi_list *node = table.names.prev; node != &table.names; node = node->prev) {
        struct name *name = name_of(node);
        if (name->users > 0)
            continue;
        wi_list_remove(&name->node);
        table.count--;
        wi_free(name);
        return true;
    }
    return false;
}

/* The name's record, the first of the table now. */
static int take_locked(struct name **out, const char *host)
{
    for (struct wi_list *node = table.names.next; node != &table.names; node = node->next) {
        struct name *name = name_of(node);
        if (strcmp(name->host, host) != 0)
            continue;
        wi_list_remove(&name->node);
        wi_list_push_front(&table.names, &name->node);
        *out = name;
        return 0;
    }
    if (table.count >= WI_NAMES_MAX && !forget_oldest_locked())
        return WEIR_EOVERFLOW;
    struct name *name = wi_alloc_zeroed(1, sizeof(*name));
    if (name == NULL)
        return WEIR_ENOMEM;
    memcpy(name->host, host, strlen(host) + 1);
    wi_list_init(&name->waiters);
    wi_list_push_front(&table.names, &name->node);
    table.count++;
    *out = name;
    return 0;
}

/* c: `found` counts until then. */
static void tell(struct name *name, int found, const struct wi_addr *addrs, weir_time until)
{
    struct wi_list waiters;
    wi_list_init(&waiters);
    wi_lock(&table.lock);
    name->found = found;
    name->until = until;
    if (found > 0)
        memcpy(name->addrs, addrs, (size_t)found * sizeof(addrs[0]));
    name->looking = false;
    wi_waitlist_claim_all(&name->waiters, &waiters);
    name->users--;
    wi_unlock(&table.lock);
    wi_waitlist_finish(&waiters, 0);
}

/* b */
static void look_up(void *arg)
{
    struct name *name = arg;
    struct wi_addr addrs[WI_NAMES_ADDRESSES_MAX];
    const char *why = "";
    const int found = wi_names_lookup(name->host, addrs, WI_NAMES_ADDRESSES_MAX, &why);
    const weir_time now = weir_now();
    if (found < 0)
        wi_log(WI_LOG_WARN,
               "host \"%s\" was not found: %s; the system looks it up, see /etc/hosts and "
               "/etc/resolv.conf",
               name->host, why);
    tell(name, found, addrs, now + (found > 0 ? FRESH_NS : FAILED_NS));
}

/* Who began the lookup, with no lock held: the pool may start a thread.  What the pool refuses is
 * nothing to be remembered. */
static void begin_lookup(weir_pool *pool, struct name *name)
{
    const int rc = wi_pool_post(pool, look_up, name);
    if (rc != 0)
        tell(name, rc, NULL, 0);
}

static int copy_locked(const struct name *name, struct wi_addr *addrs)
{
    if (name->found > 0)
        memcpy(addrs, name->addrs, (size_t)name->found * sizeof(addrs[0]));
    return name->found;
}

/* a, with the lock held, which is released.  In line before the lookup begins: its end is not
 * missed. */
static int await(struct name *name, struct wi_addr *addrs, weir_time deadline)
{
    weir_pool *pool = table.pool;
    const bool begins = !name->looking;
    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, &name_waitable, name, NULL);
    wi_list_push_back(&name->waiters, &self.node);
    name->users++;
    if (begins) {
        name->looking = true;
        name->users++;
        wi_unlock(&table.lock);
        begin_lookup(pool, name);
        wi_lock(&table.lock);
    }
    int rc = wi_wait_single(&self, &table.lock, deadline, WI_WAIT_CANCELABLE);
    wi_lock(&table.lock);
    if (rc == 0)
        rc = copy_locked(name, addrs);
    name->users--;
    wi_unlock(&table.lock);
    return rc;
}

int wi_names_find(const char *text, struct wi_addr *addrs, weir_time deadline)
{
    char host[WI_NAME_BYTES];
    int port;
    int rc = wi_addr_split_name(text, host, &port);
    if (rc != 0)
        return rc;
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    const weir_time now = weir_now();
    struct name *name = NULL;
    wi_lock(&table.lock);
    rc = begin_table_locked();
    if (rc == 0)
        rc = take_locked(&name, host);
    if (rc == 0 && now >= name->until) {
        rc = await(name, addrs, deadline);
    } else {
        rc = rc != 0 ? rc : copy_locked(name, addrs);
        wi_unlock(&table.lock);
    }
    for (int i = 0; i < rc; i++)
        wi_addr_set_port(&addrs[i], port);
    return rc;
}

void wi_names_forget(void)
{
    wi_lock(&table.lock);
    if (table.process_id == wi_process_id()) {
        while (forget_oldest_locked()) {
        }
    }
    wi_unlock(&table.lock);
}
