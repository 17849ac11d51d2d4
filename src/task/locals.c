/* SPDX-License-Identifier: MIT */
/* Task-locals; see include/weir/local.h.  A key is a place in the table below; its index is that of
 * its value in the record of each task (extras.h).
 *
 * Threads: keys are added under the lock and never change or go; `count` is published after the
 * key, and read (acquire) by who copies or destroys all values. */
#include "base/check.h"
#include "base/sized.h"
#include "sync/lock.h"
#include "task/extras.h"

enum {
    DESTROY_PASSES_MAX = 4
};

struct weir_local {
    int index;
    struct weir_local_opts opts;
};

static struct {
    struct wi_lock lock;
    struct weir_local keys[WEIR_LOCALS_MAX]; /* constant below count */
    wi_atomic_int count;                     /* written under lock */
} table;

int weir_local_create(weir_local **out, const struct weir_local_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_local_opts wanted;
    const int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    wi_lock(&table.lock);
    const int index = wi_load_relaxed(&table.count);
    if (index == WEIR_LOCALS_MAX) {
        wi_unlock(&table.lock);
        return WEIR_EOVERFLOW;
    }
    struct weir_local *local = &table.keys[index];
    *local = (struct weir_local){ .index = index, .opts = wanted };
    wi_store_release(&table.count, index + 1);
    wi_unlock(&table.lock);
    *out = local;
    return 0;
}

void *weir_local_get(const weir_local *local)
{
    wi_bug_unless(local != NULL);
    const struct wi_extras *extras = *wi_extras_place();
    return extras != NULL ? extras->locals[local->index] : NULL;
}

int weir_local_set(weir_local *local, void *value)
{
    wi_bug_unless(local != NULL);
    if (value == NULL && *wi_extras_place() == NULL)
        return 0;
    struct wi_extras *extras = wi_extras_own();
    if (extras == NULL)
        return WEIR_ENOMEM;
    void *before = extras->locals[local->index];
    extras->locals[local->index] = value;
    if (before != NULL && before != value && local->opts.destroy != NULL)
        local->opts.destroy(before);
    return 0;
}

void wi_locals_inherit(void *const *from, void **to)
{
    const int count = wi_load_acquire(&table.count);
    for (int i = 0; i < count; i++) {
        const struct weir_local_opts *opts = &table.keys[i].opts;
        if (from[i] == NULL)
            continue;
        if (opts->inherit != NULL)
            to[i] = opts->inherit(from[i]);
        else if (opts->destroy == NULL)
            to[i] = from[i];
    }
}

void wi_locals_destroy(void **values)
{
    const int count = wi_load_acquire(&table.count);
    bool again = true;
    /* A hook may set another value; as with pthread keys, this comes to an end. */
    for (int pass = 0; again && pass < DESTROY_PASSES_MAX; pass++) {
        again = false;
        for (int i = 0; i < count; i++) {
            void *value = values[i];
            values[i] = NULL;
            if (value == NULL || table.keys[i].opts.destroy == NULL)
                continue;
            table.keys[i].opts.destroy(value);
            again = true;
        }
    }
}
