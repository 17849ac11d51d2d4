/* SPDX-License-Identifier: MIT */
/* Dumps as text.  See dump.h.  For somebody who reads it at night: the runtime's own frames at both
 * ends of a stack are left out, times are rounded, and what is wrong stands at the end. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sync/time.h"
#include "task/cycle.h"
#include "task/dump.h"
#include "task/record.h"
#include "task/rt.h"
#include "weir/err.h"

enum {
    LINE_BYTES = 1024,
    SPAN_BYTES = 32,
    NAME_BYTES = 256,
    MEMBERS_TOLD = 10, /* of a group, each with a line; of the rest how many */
    DEPTH_SKIPPED_MAX = 12,
};

static void say(struct wi_dump *dump, const char *format, ...) WEIR_PRINTF(2, 3);

/* A line; what is too long is cut. */
static void say(struct wi_dump *dump, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    if (bytes < 0)
        return;
    if (bytes > LINE_BYTES - 2)
        bytes = LINE_BYTES - 2;
    line[bytes] = '\n';
    line[bytes + 1] = '\0';
    dump->write(dump->user, line, (size_t)bytes + 1);
}

/* "850 ms", "3.2 s", "5 min 10 s", "7 h 3 min". */
static const char *span(char *text, int64_t ns)
{
    const int64_t ms = ns > 0 ? ns / WEIR_NS_PER_MS : 0;
    const int64_t s = ms / 1000;
    if (s < 1)
        (void)snprintf(text, SPAN_BYTES, "%" PRId64 " ms", ms);
    else if (s < 60)
        (void)snprintf(text, SPAN_BYTES, "%" PRId64 ".%" PRId64 " s", s, ms % 1000 / 100);
    else if (s < 3600)
        (void)snprintf(text, SPAN_BYTES, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else
        (void)snprintf(text, SPAN_BYTES, "%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
    return text;
}

/* -- frames ----------------------------------------------------------------------------------- */

static const struct wi_place *place_of(const struct wi_dump *dump, const void *frame)
{
    const uintptr_t address = (uintptr_t)frame - 1;
    size_t low = 0;
    size_t high = dump->place_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (dump->places[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < dump->place_count ? &dump->places[low] : NULL;
}

static const char *function_of(const struct wi_dump *dump, const void *frame)
{
    const struct wi_place *place = place_of(dump, frame);
    return place != NULL && place->function != NULL ? place->function : "";
}

static bool is_one_of(const char *function, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(function, names[i]) == 0)
            return true;
    }
    return false;
}

/* Where the call into weir stands, below which only the runtime's own frames lie.  The compiler may
 * have made a jump of it, out of its caller's frame; then what waits stands for it. */
static int first_told(const struct wi_dump *dump, const struct wi_frames *frames)
{
    static const char *const parks[] = { "task_park", "vehicle_park", "foreign_park" };
    for (int i = 0; i < frames->count && i < DEPTH_SKIPPED_MAX; i++) {
        if (strncmp(function_of(dump, frames->at[i]), "weir_", 5) == 0)
            return i;
    }
    int first = 0;
    while (first < frames->count &&
           (strncmp(function_of(dump, frames->at[first]), "wi_", 3) == 0 ||
            is_one_of(function_of(dump, frames->at[first]), parks, wi_count_of(parks))))
        first++;
    return first;
}

/* Behind the last frame that is the program's: what called it is the runtime, or the start of the
 * program. */
static int end_told(const struct wi_dump *dump, const struct wi_frames *frames)
{
    static const char *const callers[] = { "wi_task_run", "task_entry", "vehicle_main" };
    for (int i = 0; i < frames->count; i++) {
        const char *function = function_of(dump, frames->at[i]);
        if (is_one_of(function, callers, wi_count_of(callers)))
            return i;
        if (strcmp(function, "main") == 0)
            return i + 1;
    }
    return frames->count;
}

/* Compilers that run in a folder of the build write the way out of it into names. */
static const char *without_way_up(const char *path)
{
    while (strncmp(path, "../", 3) == 0)
        path += 3;
    return path;
}

static void say_frame(struct wi_dump *dump, const void *frame)
{
    const struct wi_place *place = place_of(dump, frame);
    char name[NAME_BYTES] = "";
    if (place != NULL && place->function != NULL)
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(place->function, "."),
                       place->function); /* compilers mark their variants of it: ".part.0" */
    if (place == NULL || place->module == NULL)
        say(dump, "            %p", frame);
    else if (place->function == NULL)
        say(dump, "            %-28p %s+0x%" PRIxPTR, frame, place->module, place->in_module + 1);
    else if (place->file == NULL)
        say(dump, "            %-28s %s+0x%" PRIxPTR, name, place->module, place->in_module + 1);
    else
        say(dump, "            %-28s %s%s%s:%d", name, without_way_up(place->folder),
            place->folder[0] != '\0' ? "/" : "", without_way_up(place->file), place->line);
}

static void say_frames(struct wi_dump *dump, const struct wi_frames *frames)
{
    const int first = first_told(dump, frames);
    const int end = end_told(dump, frames);
    for (int i = first < end ? first : 0; i < end; i++)
        say_frame(dump, frames->at[i]);
    if (frames->count == WI_SEEN_FRAMES_MAX && end == frames->count)
        say(dump, "            ...");
}

/* -- tasks ------------------------------------------------------------------------------------ */

struct phrase {
    char text[LINE_BYTES / 2];
    size_t bytes;
};

static void append(struct phrase *phrase, const char *format, ...) WEIR_PRINTF(2, 3);

static void append(struct phrase *phrase, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const size_t room = sizeof(phrase->text) - phrase->bytes;
    const int bytes = vsnprintf(phrase->text + phrase->bytes, room, format, args);
    va_end(args);
    if (bytes > 0)
        phrase->bytes += (size_t)bytes < room ? (size_t)bytes : room - 1;
}

/* task 12 "reader" */
static void append_who(struct phrase *phrase, const struct wi_seen *seen)
{
    if (seen->state == WI_SEEN_OUTSIDER) {
        if (seen->id != 0)
            append(phrase, "thread %" PRIu64 ", which is no task", seen->id);
        else
            append(phrase, "the thread that opened the runtime and turns it");
        return;
    }
    append(phrase, "task %" PRIu64, seen->id);
    if (seen->name[0] != '\0')
        append(phrase, " \"%s\"", seen->name);
}

/* lock mutex 0x55d0a8 */
static void append_what(struct phrase *phrase, const struct wi_seen *seen)
{
    append(phrase, "%s", seen->waitable != NULL ? seen->waitable->what : "something");
    if (seen->number >= 0)
        append(phrase, " %" PRId64, seen->number);
    else if (seen->object != NULL)
        append(phrase, " %p", seen->object);
}

/* The holder may run, and so be known by its parker only. */
static void append_holder(struct phrase *phrase, const struct wi_seen *seen)
{
    if (seen->holder == NULL)
        return;
    const struct weir_task *task = wi_task_of_parker(seen->holder);
    const char *relation = seen->number >= 0 ? "" : ", held by";
    if (task == NULL) {
        append(phrase, "%s a thread that is no task", relation);
        return;
    }
    if (seen->number < 0)
        append(phrase, "%s task %" PRIu64, relation, wi_task_id(task));
    if (wi_task_name(task)[0] != '\0')
        append(phrase, " \"%s\"", wi_task_name(task));
}

static void append_state(struct phrase *phrase, const struct wi_seen *seen)
{
    char text[SPAN_BYTES];
    const weir_time now = weir_now();
    switch (seen->state) {
    case WI_SEEN_RUNNING:
        if (seen->worker >= 0)
            append(phrase, "runs on worker %d", seen->worker);
        else
            append(phrase, "runs on a thread that has no worker, because it has run long");
        break;
    case WI_SEEN_THREAD:
        append(phrase, "runs, or blocks outside weir, on a thread of its own");
        break;
    case WI_SEEN_READY:
        append(phrase, "is ready to run");
        break;
    case WI_SEEN_IN_LINE:
        append(phrase, "is in line for a thread");
        break;
    case WI_SEEN_WAITING:
    case WI_SEEN_OUTSIDER:
        append(phrase, "has waited");
        if (seen->since != 0)
            append(phrase, " for %s", span(text, now - seen->since));
        append(phrase, ": ");
        append_what(phrase, seen);
        append_holder(phrase, seen);
        if (seen->until != WEIR_NO_DEADLINE)
            append(phrase, ", for %s more at most", span(text, seen->until - now));
        break;
    }
    if (seen->cancel != 0)
        append(phrase, " (canceled: %s)", weir_err_name(seen->cancel));
}

static void say_alone(struct wi_dump *dump, const struct wi_seen *seen)
{
    struct phrase phrase = { .bytes = 0 };
    append_who(&phrase, seen);
    if (seen->site[0] != '\0')
        append(&phrase, ", spawned at %s", without_way_up(seen->site));
    say(dump, "%s", phrase.text);
    phrase.bytes = 0;
    append_state(&phrase, seen);
    say(dump, "    %s", phrase.text);
}

static void say_member(struct wi_dump *dump, const struct wi_seen *seen)
{
    struct phrase phrase = { .bytes = 0 };
    append(&phrase, seen->state == WI_SEEN_OUTSIDER ? "thread %" PRIu64 " " : "task %" PRIu64 " ",
           seen->id);
    append_state(&phrase, seen);
    say(dump, "    %s", phrase.text);
}

static void say_many(struct wi_dump *dump, const struct wi_dump_member *members, int count)
{
    const struct wi_seen *example = &members[0].seen;
    struct phrase phrase = { .bytes = 0 };
    if (example->state == WI_SEEN_OUTSIDER)
        append(&phrase, "%d threads that are no tasks", count);
    else
        append(&phrase, "%d tasks", count);
    if (example->name[0] != '\0')
        append(&phrase, " \"%s\"", example->name);
    if (example->site[0] != '\0')
        append(&phrase, ", spawned at %s", without_way_up(example->site));
    say(dump, "%s", phrase.text);
    for (int i = 0; i < count && i < MEMBERS_TOLD; i++)
        say_member(dump, &members[i].seen);
    if (count > MEMBERS_TOLD)
        say(dump, "    and %d more, up to %" PRIu64, count - MEMBERS_TOLD,
            members[count - 1].seen.id);
}

static void say_group(struct wi_dump *dump, const struct wi_dump_member *members,
                      const struct wi_dump_group *group)
{
    say(dump, "%s", "");
    if (group->count == 1)
        say_alone(dump, &members[0].seen);
    else
        say_many(dump, members, group->count);
    say_frames(dump, &group->frames);
}

/* -- circles ---------------------------------------------------------------------------------- */

/* A circle that is still there when looked at once more is one for ever. */
static bool still_waits(const struct wi_seen *seen)
{
    struct weir_task *task = wi_task_of_parker(seen->parker);
    if (task == NULL)
        return true; /* a thread: as good as the tasks of its circle */
    struct wi_seen again;
    struct wi_frames frames;
    return wi_see_task(task, &again, &frames) && again.id == seen->id &&
           again.since == seen->since && again.object == seen->object &&
           again.holder == seen->holder;
}

static void say_cycle(const int *indices, int count, void *arg)
{
    struct wi_dump *dump = arg;
    for (int i = 0; i < count; i++) {
        if (!still_waits(&dump->members[indices[i]].seen))
            return;
    }
    say(dump, "%s", "");
    say(dump, "DEADLOCK: %d %s in a circle and can never go on:", count,
        count == 1 ? "waits for itself" : "wait for each other");
    for (int i = 0; i < count; i++) {
        const struct wi_seen *seen = &dump->members[indices[i]].seen;
        struct phrase phrase = { .bytes = 0 };
        append_who(&phrase, seen);
        append(&phrase, " waits: ");
        append_what(&phrase, seen);
        append_holder(&phrase, seen);
        say(dump, "    %s", phrase.text);
    }
}

static void say_cycles(struct wi_dump *dump)
{
    const size_t count = (size_t)dump->member_count;
    struct wi_cycle_node *nodes = wi_alloc_zeroed(count + 1, sizeof(nodes[0]));
    int *indices = wi_alloc((count + 1) * sizeof(indices[0]));
    if (nodes != NULL && indices != NULL) {
        for (size_t i = 0; i < count; i++)
            nodes[i] = (struct wi_cycle_node){ .self = dump->members[i].seen.parker,
                                               .holder = dump->members[i].seen.holder,
                                               .index = (int)i };
        wi_cycles_find(nodes, (int)count, say_cycle, indices, dump);
    }
    wi_free(indices);
    wi_free(nodes);
}

/* -- the whole -------------------------------------------------------------------------------- */

static const char *scheduler_name(void)
{
    switch (wi_rt.scheduler) {
    case WEIR_SCHEDULER_TASKS:
        return "tasks";
    case WEIR_SCHEDULER_LOOP:
        return "loop";
    case WEIR_SCHEDULER_THREADS:
        break;
    }
    return "threads";
}

void wi_dump_write_text(struct wi_dump *dump, bool whole)
{
    if (whole)
        say(dump, "weir: %" PRId64 " %s (scheduler %s, %d %s)", dump->task_count,
            dump->task_count == 1 ? "task" : "tasks", scheduler_name(), wi_rt.worker_count,
            wi_rt.worker_count == 1 ? "worker" : "workers");
    for (int i = 0; i < dump->member_count;) {
        const struct wi_dump_group *group = &dump->groups[dump->members[i].group];
        say_group(dump, &dump->members[i], group);
        i += group->count;
    }
    if (dump->task_count > dump->told_count) {
        say(dump, "%s", "");
        say(dump, "and %" PRId64 " more tasks", dump->task_count - dump->told_count);
    }
    say_cycles(dump);
}
