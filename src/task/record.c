/* SPDX-License-Identifier: MIT */
/* The stock of records; see record.h.  Chunks stay mapped for the life of the process; the next
 * runtime takes them over. */
#include "task/record.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "os/vm.h"

enum {
    CHUNK_BYTES = 65536,
    CHUNK_RECORDS = CHUNK_BYTES / sizeof(struct weir_task),
};

struct chunk {
    struct chunk *next;
    void *base;
};

static struct {
    struct wi_lock lock;
    /* guarded by lock */
    struct weir_task *free_tasks;
    struct chunk *chunks;
    struct chunk
        *kept; /* of runtimes that were closed: a late wake may still reach a parker there */
    int64_t records;
    int64_t records_max;
} slab;

static void timer_fired(struct wi_timer *timer)
{
    wi_wake(&wi_container_of(timer, struct weir_task, timer)->parker);
}

void wi_records_open(int64_t records_max)
{
    slab.records_max = records_max;
}

void wi_records_close(void)
{
    while (slab.chunks != NULL) {
        struct chunk *chunk = slab.chunks;
        slab.chunks = chunk->next;
        chunk->next = slab.kept;
        slab.kept = chunk;
    }
    slab.free_tasks = NULL;
    slab.records = 0;
}

static struct chunk *chunk_take_locked(void)
{
    struct chunk *chunk = slab.kept;
    if (chunk != NULL) {
        slab.kept = chunk->next;
        return chunk;
    }
    chunk = wi_alloc(sizeof(*chunk));
    if (chunk != NULL && wi_vm_map(CHUNK_BYTES, &chunk->base) != 0) {
        wi_free(chunk);
        return NULL;
    }
    return chunk;
}

static int grow_locked(void)
{
    if (slab.records >= slab.records_max)
        return WEIR_EOVERFLOW;
    struct chunk *chunk = chunk_take_locked();
    if (chunk == NULL)
        return WEIR_ENOMEM;
    chunk->next = slab.chunks;
    slab.chunks = chunk;
    struct weir_task *records = chunk->base;
    const int64_t left = slab.records_max - slab.records;
    const size_t count = left < (int64_t)CHUNK_RECORDS ? (size_t)left : (size_t)CHUNK_RECORDS;
    for (size_t i = count; i-- > 0;) {
        /* A timer that was about to fire when its task ended may still read these. */
        wi_timer_init(&records[i].timer, timer_fired);
        wi_list_init(&records[i].sibling);
        wi_list_init(&records[i].joiners);
        wi_lock_init(&records[i].lock);
        records[i].nap = NULL;
        records[i].next = slab.free_tasks;
        slab.free_tasks = &records[i];
    }
    slab.records += (int64_t)count;
    return 0;
}

int wi_records_take(int want, struct weir_task **out)
{
    struct weir_task *chain = NULL;
    int taken = 0;
    int rc = 0;
    wi_lock(&slab.lock);
    while (taken < want) {
        if (slab.free_tasks == NULL && (taken > 0 || (rc = grow_locked()) != 0))
            break;
        struct weir_task *task = slab.free_tasks;
        slab.free_tasks = task->next;
        task->next = chain;
        chain = task;
        taken++;
    }
    wi_unlock(&slab.lock);
    *out = chain;
    return taken > 0 ? taken : rc;
}

/* Chunks are put in front of the list and stay until the runtime is closed. */
static struct chunk *first_chunk(void)
{
    wi_lock(&slab.lock);
    struct chunk *chunk = slab.chunks;
    wi_unlock(&slab.lock);
    return chunk;
}

void wi_records_each(bool (*fn)(struct weir_task *task, void *arg), void *arg)
{
    for (struct chunk *chunk = first_chunk(); chunk != NULL; chunk = chunk->next) {
        struct weir_task *records = chunk->base;
        for (size_t i = 0; i < (size_t)CHUNK_RECORDS; i++) {
            if (!fn(&records[i], arg))
                return;
        }
    }
}

struct weir_task *wi_task_of_parker(struct wi_parker *parker)
{
    for (struct chunk *chunk = first_chunk(); chunk != NULL; chunk = chunk->next) {
        if ((uintptr_t)parker - (uintptr_t)chunk->base < CHUNK_RECORDS * sizeof(struct weir_task))
            return wi_container_of(parker, struct weir_task, parker);
    }
    return NULL;
}

void wi_records_give(struct weir_task *first, struct weir_task *last)
{
    wi_lock(&slab.lock);
    last->next = slab.free_tasks;
    slab.free_tasks = first;
    wi_unlock(&slab.lock);
}
