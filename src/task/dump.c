/* SPDX-License-Identifier: MIT */
/* Dumps: who is looked at, and how what was seen is put together.  See dump.h. */
#include "task/dump.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "task/record.h"
#include "task/rt.h"
#include "task/runtime.h"
#include "task/scope.h"

enum {
    TASKS_MAX_DEFAULT = 10000,
    GROUPS_MAX = 1024, /* different stacks, sites and states */
    GROUPS_BARE = 128, /* of these without a stack, when too many are different */
    BUCKETS = 4 * GROUPS_MAX,
};

/* Threads that are no tasks stand after all tasks. */
static uint64_t rank_of(const struct wi_seen *seen)
{
    return seen->state == WI_SEEN_OUTSIDER ? seen->id | UINT64_C(1) << 63 : seen->id;
}

/* -- groups ----------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

static uint64_t hash_of(const struct wi_seen *seen, const struct wi_frames *frames)
{
    uint64_t hash = mix(0, seen->state);
    hash = mix(hash, (uintptr_t)seen->name);
    hash = mix(hash, (uintptr_t)seen->site);
    hash = mix(hash, (uintptr_t)seen->waitable);
    for (int i = 0; i < frames->count; i++)
        hash = mix(hash, (uintptr_t)frames->at[i]);
    return hash;
}

static bool is_like(const struct wi_dump_group *group, const struct wi_seen *seen,
                    const struct wi_frames *frames)
{
    const struct wi_seen *example = &group->example;
    return example->state == seen->state && example->name == seen->name &&
           example->site == seen->site && example->waitable == seen->waitable &&
           group->frames.count == frames->count &&
           memcmp(group->frames.at, frames->at, (size_t)frames->count * sizeof(frames->at[0])) == 0;
}

/* The group for what was seen, a new one if need be: without a stack when few are left, -1 when
 * none is. */
static int group_for(struct wi_dump *dump, const struct wi_seen *seen, struct wi_frames *frames)
{
    if (dump->group_count >= GROUPS_MAX - GROUPS_BARE)
        frames->count = 0;
    const uint64_t hash = hash_of(seen, frames);
    size_t bucket = hash % BUCKETS;
    while (dump->buckets[bucket] >= 0) {
        const int at = dump->buckets[bucket];
        if (dump->groups[at].hash == hash && is_like(&dump->groups[at], seen, frames))
            return at;
        bucket = (bucket + 1) % BUCKETS;
    }
    if (dump->group_count == GROUPS_MAX)
        return -1;
    const int fresh = dump->group_count++;
    dump->buckets[bucket] = fresh;
    dump->groups[fresh] = (struct wi_dump_group){
        .hash = hash, .first = UINT64_MAX, .example = *seen, .frames = *frames
    };
    return fresh;
}

static void add(struct wi_dump *dump, const struct wi_seen *seen, struct wi_frames *frames)
{
    if (seen->state != WI_SEEN_OUTSIDER)
        dump->task_count++;
    if (dump->member_count == dump->members_max)
        return;
    const int at = group_for(dump, seen, frames);
    if (at < 0)
        return;
    struct wi_dump_member *member = &dump->members[dump->member_count++];
    member->seen = *seen;
    if (seen->state != WI_SEEN_OUTSIDER)
        dump->told_count++;
    member->group = at;
    struct wi_dump_group *group = &dump->groups[at];
    group->count++;
    if (rank_of(seen) < group->first)
        group->first = rank_of(seen);
}

static int by_group(const void *left, const void *right)
{
    const struct wi_dump_member *a = left;
    const struct wi_dump_member *b = right;
    const uint64_t x = a->first != b->first ? a->first : rank_of(&a->seen);
    const uint64_t y = a->first != b->first ? b->first : rank_of(&b->seen);
    return (x > y) - (x < y);
}

/* -- looking ---------------------------------------------------------------------------------- */

static bool look_at_task(struct weir_task *task, void *arg)
{
    struct wi_dump *dump = arg;
    /* Beyond what is told of only the count matters: their number costs no look. */
    if (dump->member_count == dump->members_max)
        return false;
    struct wi_seen seen;
    struct wi_frames frames;
    if (wi_see_task(task, &seen, &frames))
        add(dump, &seen, &frames);
    return true;
}

static void look_at_nap(const struct wi_thread_nap *nap, void *arg)
{
    struct wi_seen seen;
    struct wi_frames frames;
    wi_see_nap(nap, &seen, &frames);
    add(arg, &seen, &frames);
}

static void look_at_all(struct wi_dump *dump)
{
    wi_records_each(look_at_task, dump);
    if (dump->member_count == dump->members_max) {
        dump->task_count = wi_task_count_live();
        return;
    }
    wi_thread_naps(look_at_nap, dump);
    struct wi_seen seen;
    struct wi_frames none = { .count = 0 };
    if (wi_see_opener(&seen))
        add(dump, &seen, &none);
}

/* -- names of frames -------------------------------------------------------------------------- */

static int by_address(const void *left, const void *right)
{
    const struct wi_place *a = left;
    const struct wi_place *b = right;
    return (a->address > b->address) - (a->address < b->address);
}

/* A return address may be that of the next function or line: what called it lies before. */
static int name_frames(struct wi_dump *dump)
{
    size_t count = 0;
    for (int i = 0; i < dump->group_count; i++)
        count += (size_t)dump->groups[i].frames.count;
    if (count == 0)
        return 0;
    dump->places = wi_alloc_zeroed(count, sizeof(dump->places[0]));
    if (dump->places == NULL)
        return WEIR_ENOMEM;
    size_t at = 0;
    for (int i = 0; i < dump->group_count; i++) {
        for (int k = 0; k < dump->groups[i].frames.count; k++)
            dump->places[at++].address = (uintptr_t)dump->groups[i].frames.at[k] - 1;
    }
    qsort(dump->places, count, sizeof(dump->places[0]), by_address);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || dump->places[i].address != dump->places[dump->place_count - 1].address)
            dump->places[dump->place_count++].address = dump->places[i].address;
    }
    return wi_symbols_find(&dump->symbols, dump->places, dump->place_count);
}

/* -- the whole -------------------------------------------------------------------------------- */

static int prepare(struct wi_dump *dump, const struct wi_dump_request *request)
{
    int64_t max = request->scope != NULL ? wi_scope_children(request->scope) : wi_task_count_live();
    max += 64; /* threads, and tasks that come meanwhile */
    dump->members_max = max < request->tasks_max ? (int)max : request->tasks_max;
    dump->members = wi_alloc_zeroed((size_t)dump->members_max, sizeof(dump->members[0]));
    dump->groups = wi_alloc_zeroed(GROUPS_MAX, sizeof(dump->groups[0]));
    dump->buckets = wi_alloc(BUCKETS * sizeof(dump->buckets[0]));
    if (dump->members == NULL || dump->groups == NULL || dump->buckets == NULL)
        return WEIR_ENOMEM;
    for (int i = 0; i < BUCKETS; i++)
        dump->buckets[i] = -1;
    return 0;
}

int wi_dump(const struct wi_dump_request *request)
{
    struct wi_dump dump = { .write = request->write, .user = request->user };
    int rc = prepare(&dump, request);
    if (rc != 0)
        goto undo;
    if (request->scope != NULL) {
        wi_scope_each_child(request->scope, look_at_task, &dump);
        dump.task_count = wi_scope_children(request->scope);
    } else {
        look_at_all(&dump);
    }
    for (int i = 0; i < dump.member_count; i++)
        dump.members[i].first = dump.groups[dump.members[i].group].first;
    qsort(dump.members, (size_t)dump.member_count, sizeof(dump.members[0]), by_group);
    if (!request->bare)
        rc = name_frames(&dump);
    if (rc == 0)
        wi_dump_write_text(&dump, request->scope == NULL);

undo:
    wi_symbols_forget(dump.symbols);
    wi_free(dump.places);
    wi_free(dump.buckets);
    wi_free(dump.groups);
    wi_free(dump.members);
    return rc;
}

int weir_dump(weir_dump_write *write, void *user, const struct weir_dump_opts *opts)
{
    wi_bug_unless(write != NULL);
    struct weir_dump_opts wanted;
    int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    if (wanted.tasks_max < 0)
        return WEIR_EINVAL;
    /* Closing waits for whoever is on his way through the runtime. */
    (void)wi_add_acq_rel(&wi_rt.outsiders, 1);
    rc = wi_runtime_check();
    if (rc == 0)
        rc = wi_dump(&(struct wi_dump_request){
            .write = write,
            .user = user,
            .tasks_max = wanted.tasks_max > 0 ? wanted.tasks_max : TASKS_MAX_DEFAULT,
            .bare = wanted.bare,
        });
    (void)wi_sub_acq_rel(&wi_rt.outsiders, 1);
    return rc;
}
