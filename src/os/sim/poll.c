/* SPDX-License-Identifier: MIT */
/* Descriptors of the simulated system, and readiness as epoll tells it.
 *
 * As in the kernel, a change puts a watch on its poller's ready list when the changed bits are of
 * interest; a wait takes watches off, asks their objects for the bits of that moment, and tells
 * those that have any.  A level-triggered watch goes back to the end of the list as long as it is
 * ready.  So an edge is told once, two changes before a wait are one event, and a change that was
 * undone before the wait is not told.
 *
 * Descriptors begin far above the system's, so that one is never taken for the other; like there,
 * the lowest free number is given out, so stale numbers are soon somebody else's. */
#include "os/poll.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "os/clock.h"
#include "os/sim/world.h"

enum {
    FD_BASE = 1 << 20,
    OBJECTS_MAX = 1 << 16
};

#define ALWAYS_TOLD ((uint32_t)(WI_POLL_HANGUP | WI_POLL_ERROR))
#define LEVEL_KINDS ((uint32_t)(WI_POLL_LEVEL | WI_POLL_EXCLUSIVE))

struct watch {
    struct wi_list of_object;
    struct wi_list of_poller;
    struct wi_list ready; /* linked while it waits to be told */
    struct poller *poller;
    struct wi_sim_object *object;
    uint32_t interest;
    uint64_t token;
};

struct poller {
    struct wi_sim_object object;
    struct wi_list watches;
    struct wi_list ready;
    bool kicked;
};

static struct {
    struct wi_sim_object *objects[OBJECTS_MAX];
    uint32_t generation[OBJECTS_MAX];
    int first_free; /* no descriptor below it is free */
    int open;
} table;

static const char poller_kind[] = "poller";

/* Objects */

int wi_sim_object_open(struct wi_sim_object *object)
{
    int i = table.first_free;
    while (i < OBJECTS_MAX && table.objects[i] != NULL)
        i++;
    if (i == OBJECTS_MAX)
        return WEIR_EMFILE;
    table.first_free = i + 1;
    table.objects[i] = object;
    table.generation[i]++;
    table.open++;
    wi_list_init(&object->watches);
    object->fd = FD_BASE + i;
    object->key = ((uint64_t)table.generation[i] << 32) | (uint32_t)i;
    return object->fd;
}

static void end_watch(struct watch *watch)
{
    wi_list_remove(&watch->of_object);
    wi_list_remove(&watch->of_poller);
    wi_list_remove(&watch->ready);
    free(watch);
}

void wi_sim_object_close(struct wi_sim_object *object)
{
    while (!wi_list_empty(&object->watches))
        end_watch(wi_container_of(object->watches.next, struct watch, of_object));
    const int i = object->fd - FD_BASE;
    table.objects[i] = NULL;
    table.open--;
    if (i < table.first_free)
        table.first_free = i;
}

struct wi_sim_object *wi_sim_object_at(int fd)
{
    const int i = fd - FD_BASE;
    return i >= 0 && i < OBJECTS_MAX ? table.objects[i] : NULL;
}

struct wi_sim_object *wi_sim_object_by_key(uint64_t key)
{
    struct wi_sim_object *object = table.objects[(uint32_t)key];
    return object != NULL && object->key == key ? object : NULL;
}

/* An exclusive watch takes the wake for itself: the others of its kind hear nothing of it. */
void wi_sim_object_changed(struct wi_sim_object *object, uint32_t bits)
{
    bool exclusive_told = false;
    for (struct wi_list *at = object->watches.next; at != &object->watches; at = at->next) {
        struct watch *watch = wi_container_of(at, struct watch, of_object);
        const bool exclusive = (watch->interest & WI_POLL_EXCLUSIVE) != 0;
        if ((bits & (watch->interest | ALWAYS_TOLD)) == 0 || (exclusive && exclusive_told))
            continue;
        exclusive_told = exclusive_told || exclusive;
        if (!wi_list_linked(&watch->ready))
            wi_list_push_back(&watch->poller->ready, &watch->ready);
    }
}

void wi_sim_objects_reset(void)
{
    for (int i = 0; i < OBJECTS_MAX && table.open > 0; i++) {
        struct wi_sim_object *object = table.objects[i];
        if (object == NULL)
            continue;
        wi_sim_object_close(object);
        object->destroy(object);
    }
    table.first_free = 0;
}

int wi_sim_open_count(void)
{
    return table.open;
}

/* Pollers */

static uint32_t told_bits(const struct watch *watch)
{
    return watch->object->readiness(watch->object) & (watch->interest | ALWAYS_TOLD);
}

static uint32_t poller_readiness(struct wi_sim_object *object)
{
    struct poller *poller = wi_container_of(object, struct poller, object);
    for (struct wi_list *at = poller->ready.next; at != &poller->ready; at = at->next) {
        if (told_bits(wi_container_of(at, struct watch, ready)) != 0)
            return WI_POLL_READ;
    }
    return poller->kicked ? WI_POLL_READ : 0;
}

static void poller_destroy(struct wi_sim_object *object)
{
    struct poller *poller = wi_container_of(object, struct poller, object);
    while (!wi_list_empty(&poller->watches))
        end_watch(wi_container_of(poller->watches.next, struct watch, of_poller));
    free(poller);
}

static struct poller *poller_of(const struct wi_poll *poll)
{
    struct wi_sim_object *object = wi_sim_object_at(poll->fd);
    wi_bug_unless(object != NULL);
    wi_bug_unless(object->kind == poller_kind);
    return wi_container_of(object, struct poller, object);
}

int wi_poll_open(struct wi_poll *out)
{
    wi_sim_enter();
    struct poller *poller = calloc(1, sizeof(*poller));
    if (poller == NULL)
        return WEIR_ENOMEM;
    poller->object.readiness = poller_readiness;
    poller->object.destroy = poller_destroy;
    poller->object.kind = poller_kind;
    wi_list_init(&poller->watches);
    wi_list_init(&poller->ready);
    const int fd = wi_sim_object_open(&poller->object);
    if (fd < 0) {
        free(poller);
        return fd;
    }
    *out = (struct wi_poll){ .fd = fd, .kick_fd = fd };
    return 0;
}

void wi_poll_close(struct wi_poll *poll)
{
    wi_sim_enter();
    struct poller *poller = poller_of(poll);
    wi_sim_object_close(&poller->object);
    poller_destroy(&poller->object);
    *poll = (struct wi_poll){ .fd = -1, .kick_fd = -1 };
}

static struct watch *find_watch(const struct poller *poller, struct wi_sim_object *object)
{
    for (struct wi_list *at = object->watches.next; at != &object->watches; at = at->next) {
        struct watch *watch = wi_container_of(at, struct watch, of_object);
        if (watch->poller == poller)
            return watch;
    }
    return NULL;
}

static int add(struct poller *poller, int fd, uint32_t interest, uint64_t token)
{
    struct wi_sim_object *object = wi_sim_object_at(fd);
    if (object == NULL)
        return WEIR_EBADF;
    if (object->kind == poller_kind)
        return WEIR_EINVAL; /* pollers in pollers are not simulated */
    if (find_watch(poller, object) != NULL)
        return WEIR_EEXIST;
    struct watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return WEIR_ENOMEM;
    watch->poller = poller;
    watch->object = object;
    watch->interest = interest;
    watch->token = token;
    wi_list_init(&watch->ready);
    wi_list_push_back(&object->watches, &watch->of_object);
    wi_list_push_back(&poller->watches, &watch->of_poller);
    if (told_bits(watch) != 0)
        wi_list_push_back(&poller->ready, &watch->ready);
    return 0;
}

int wi_poll_add(struct wi_poll *poll, int fd, uint32_t interest, uint64_t token)
{
    wi_sim_enter();
    wi_bug_unless(token != UINT64_MAX);
    int rc = wi_sim_fault(WI_SIM_POLL_ADD);
    if (rc == 0)
        rc = add(poller_of(poll), fd, interest, token);
    return (int)wi_sim_note(WI_SIM_POLL_ADD, fd, rc);
}

int wi_poll_remove(struct wi_poll *poll, int fd)
{
    wi_sim_enter();
    struct wi_sim_object *object = wi_sim_object_at(fd);
    if (object == NULL)
        return WEIR_EBADF;
    struct watch *watch = find_watch(poller_of(poll), object);
    if (watch == NULL)
        return WEIR_ENOENT;
    end_watch(watch);
    return 0;
}

/* Takes each watch off the list once; level-triggered ones that are ready go back to its end and
 * stay there for the next wait. */
static int fetch(struct poller *poller, struct wi_poll_event *events, int max)
{
    struct wi_list again;
    wi_list_init(&again);
    int count = 0;
    while (count < max && !wi_list_empty(&poller->ready)) {
        struct watch *watch =
            wi_container_of(wi_list_pop_front(&poller->ready), struct watch, ready);
        const uint32_t ready = told_bits(watch);
        if (ready == 0)
            continue;
        events[count++] = (struct wi_poll_event){ .token = watch->token, .ready = ready };
        if ((watch->interest & LEVEL_KINDS) != 0)
            wi_list_push_back(&again, &watch->ready);
    }
    while (!wi_list_empty(&again))
        wi_list_push_back(&poller->ready, wi_list_pop_front(&again));
    return count;
}

int wi_poll_wait(struct wi_poll *poll, struct wi_poll_event *events, int max, weir_time deadline)
{
    wi_sim_enter();
    wi_bug_unless_cmp(max, >, 0);
    wi_bug_unless_cmp(max, <=, WI_POLL_BATCH_MAX);
    struct poller *poller = poller_of(poll);
    wi_sim_settle();
    for (;;) {
        const int count = fetch(poller, events, max);
        const bool kicked = poller->kicked;
        poller->kicked = false;
        if (count > 0 || kicked)
            return (int)wi_sim_note(WI_SIM_CALL_COUNT, poll->fd, count);
        if (deadline <= wi_sim_now() || !wi_sim_wait(deadline))
            return 0;
    }
}

void wi_poll_kick(struct wi_poll *poll)
{
    wi_sim_enter();
    poller_of(poll)->kicked = true;
}

int wi_poll_one(int fd, uint32_t interest, weir_time deadline)
{
    wi_sim_enter();
    wi_sim_settle();
    for (;;) {
        struct wi_sim_object *object = wi_sim_object_at(fd);
        if (object == NULL)
            return WEIR_EBADF;
        const uint32_t ready = object->readiness(object) & (interest | ALWAYS_TOLD);
        if (ready != 0)
            return (int)ready;
        if (deadline <= wi_sim_now() || !wi_sim_wait(deadline))
            return WEIR_ETIMEDOUT;
    }
}

/* The simulated world knows by itself when nothing can happen any more. */
int wi_poll_is_empty(const struct wi_poll *poll)
{
    (void)poll;
    return WEIR_ENOTSUP;
}
