/* SPDX-License-Identifier: MIT */
/* Dumps as people read them: every task is there by name and site, with what it does, what it waits
 * for and its stack; who waits for each other is told; under every model.
 *
 * Tests wait until everybody has come to rest by dumping again: a dump is what says so. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    TEXT_BYTES = 256 * 1024
};

static struct {
    char text[TEXT_BYTES];
    size_t bytes;
} dump;

static void take(void *user, const char *text, size_t bytes)
{
    CHECK(user == &dump);
    CHECK(bytes > 0);
    CHECK_EQ(text[bytes - 1], '\n');
    if (dump.bytes + bytes >= TEXT_BYTES)
        return;
    memcpy(dump.text + dump.bytes, text, bytes);
    dump.bytes += bytes;
    dump.text[dump.bytes] = '\0';
}

static const char *take_dump(const struct weir_dump_opts *opts)
{
    dump.bytes = 0;
    CHECK_EQ(weir_dump(take, &dump, opts), 0);
    return dump.text;
}

/* The place of the first line that has both texts; NULL: none. */
static const char *line_with(const char *text, const char *one, const char *other)
{
    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n');
        const size_t bytes = end != NULL ? (size_t)(end - line) : strlen(line);
        char copy[1024];
        const size_t kept = bytes < sizeof(copy) ? bytes : sizeof(copy) - 1;
        memcpy(copy, line, kept);
        copy[kept] = '\0';
        if (strstr(copy, one) != NULL && strstr(copy, other) != NULL)
            return line;
        line += bytes + (end != NULL);
    }
    return NULL;
}

/* Dumps, without reading files, until a line has both texts. */
static const char *await_line(const char *one, const char *other)
{
    const struct weir_dump_opts bare = { .bare = true };
    const char *found;
    while ((found = line_with(take_dump(&bare), one, other)) == NULL)
        (void)weir_sleep(weir_in_ms(1));
    return found;
}

static int await_count(const char *what, int count)
{
    for (;;) {
        int found = 0;
        const struct weir_dump_opts bare = { .bare = true };
        for (const char *at = take_dump(&bare); (at = strstr(at, what)) != NULL; at++)
            found++;
        if (found >= count)
            return found;
        (void)weir_sleep(weir_in_ms(1));
    }
}

/* -- who and where ---------------------------------------------------------------------------- */

static weir_chan *open_chan(void)
{
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(&ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }), 0);
    return ch;
}

__attribute__((noinline)) static int read_the_channel(weir_chan *ch)
{
    int value = 0;
    const int rc = weir_chan_recv(ch, &value, WEIR_NO_DEADLINE);
    return rc == WEIR_ECLOSED ? value : rc;
}

static int reader(void *arg)
{
    CHECK_EQ(read_the_channel(arg), 0);
    return 0;
}

RUN(a_waiting_task_is_told_with_name_site_object_time_and_stack)
{
    weir_scope *scope;
    weir_chan *ch = open_chan();
    char object[32];
    (void)snprintf(object, sizeof(object), "channel %p", (void *)ch);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(reader, ch, .name = "the reader"), 0);
    CHECK(await_line("has waited for", object) != NULL);
    const char *heading = line_with(take_dump(NULL), "\"the reader\", spawned at ", "dump_test.c:");
    CHECK(heading != NULL);
    /* Under its heading stands its stack, and nobody else's. */
    char part[2048];
    (void)snprintf(part, sizeof(part), "%s", heading);
    char *end = strstr(part, "\n\n");
    if (end != NULL)
        *end = '\0';
    CHECK(strstr(part, object) != NULL);
    CHECK(line_with(part, "read_the_channel ", "dump_test.c:") != NULL);
    CHECK(line_with(part, "reader ", "dump_test.c:") != NULL);
    CHECK(strstr(part, "wi_task_run") == NULL);
    CHECK_EQ(weir_chan_close(ch), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    while (strstr(take_dump(NULL), "the reader") != NULL) /* it has told its scope, and ends */
        (void)weir_yield();
    weir_chan_destroy(ch);
    return 0;
}

RUN(the_caller_is_told_as_running_with_its_stack)
{
    const char *text = take_dump(NULL);
    CHECK(line_with(text, "task ", " \"main\", spawned at weir_run") != NULL);
    CHECK(strstr(text, "    runs") != NULL);
    CHECK(line_with(text, "weir_dump ", "dump.c:") != NULL);
    CHECK(line_with(text, "the_caller_is_told_as_running_with_its_stack_body ", "dump_test.c:") !=
          NULL);
    CHECK(strncmp(text, "weir: 1 task (scheduler ", 24) == 0);
    return 0;
}

RUN(tasks_with_one_stack_stand_together)
{
    enum {
        READERS = 25
    };
    weir_scope *scope;
    weir_chan *ch = open_chan();
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < READERS; i++)
        CHECK_EQ(weir_go(reader, ch, .name = "alike"), 0);
    do {
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
        CHECK(await_line("25 tasks \"alike\", spawned at ", "dump_test.c:") != NULL);
    } while (strstr(dump.text, " has waited for ") == NULL);
    CHECK(strstr(dump.text, "    and 15 more, up to ") != NULL);
    int stacks = 0;
    for (const char *at = take_dump(NULL); (at = strstr(at, "read_the_channel ")) != NULL; at++)
        stacks++;
    CHECK_EQ(stacks, 1);
    CHECK_EQ(weir_chan_close(ch), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(ch);
    return 0;
}

static int sleep_until_canceled(void *arg)
{
    (void)arg;
    CHECK_EQ(weir_sleep(weir_in_ms(3600 * 1000)), WEIR_ECANCELED);
    return 0;
}

RUN(a_deadline_is_told)
{
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, sleep_until_canceled, NULL, .name = "sleeper"), 0);
    CHECK(await_line("has waited for ", "sleep, for 59 min ") != NULL);
    weir_task_cancel(task, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static int wait_for_bytes(void *arg)
{
    const int *fds = arg;
    CHECK_EQ(weir_fd_wait(fds[0], WEIR_FD_READ, WEIR_NO_DEADLINE), WEIR_FD_READ);
    return 0;
}

RUN(a_descriptor_is_told_by_its_number)
{
    int fds[2];
    char what[32];
    weir_task *task;
    CHECK_EQ(pipe(fds), 0);
    (void)snprintf(what, sizeof(what), "descriptor %d", fds[0]);
    CHECK_EQ(weir_task_start(&task, wait_for_bytes, fds, .name = "poller"), 0);
    CHECK(await_line("has waited for ", what) != NULL);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(close(fds[0]), 0);
    CHECK_EQ(close(fds[1]), 0);
    return 0;
}

static int wait_for_word(void *arg)
{
    while (peek(arg) == 0)
        (void)poll(NULL, 0, 1);
    return 0;
}

RUN(a_task_that_blocks_on_a_thread_is_told_as_such)
{
    int word = 0;
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, wait_for_word, &word, .name = "blocker", .blocking = true), 0);
    CHECK(await_line("runs, or blocks outside weir, on a thread of its own", "") != NULL);
    CHECK(line_with(dump.text, "\"blocker\", spawned at ", "") != NULL);
    post(&word, 1);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* -- circles ---------------------------------------------------------------------------------- */

struct pair {
    weir_mutex *first;
    weir_mutex *second;
    int *holding;
};

/* Takes one lock, and when all have theirs the other's: until the deadline that is a deadlock. */
static int take_both(void *arg)
{
    const struct pair *pair = arg;
    CHECK_EQ(weir_mutex_lock(pair->first, WEIR_NO_DEADLINE), 0);
    bump(pair->holding);
    await(pair->holding, 2);
    while (weir_mutex_lock(pair->second, weir_in_ms(20)) != 0) {
        if (peek(pair->holding) < 3)
            continue;
        weir_mutex_unlock(pair->first);
        return 0;
    }
    weir_mutex_unlock(pair->second);
    weir_mutex_unlock(pair->first);
    return 0;
}

RUN(tasks_that_wait_for_each_other_are_told_at_the_end)
{
    weir_mutex *a;
    weir_mutex *b;
    weir_scope *scope;
    int holding = 0;
    CHECK_EQ(weir_mutex_create(&a), 0);
    CHECK_EQ(weir_mutex_create(&b), 0);
    struct pair left = { a, b, &holding };
    struct pair right = { b, a, &holding };
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(take_both, &left, .name = "left"), 0);
    CHECK_EQ(weir_go(take_both, &right, .name = "right"), 0);
    const char *circle = await_line("DEADLOCK: 2 wait for each other in a circle", "");
    char held[64];
    (void)snprintf(held, sizeof(held), "lock mutex %p, held by task ", (void *)b);
    CHECK(line_with(circle, "\"left\" waits: ", held) != NULL);
    CHECK(line_with(circle, "\"left\" waits: ", "\"right\"") != NULL);
    (void)snprintf(held, sizeof(held), "lock mutex %p, held by task ", (void *)a);
    CHECK(line_with(circle, "\"right\" waits: ", held) != NULL);
    bump(&holding);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK(strstr(take_dump(NULL), "DEADLOCK") == NULL);
    weir_mutex_destroy(a);
    weir_mutex_destroy(b);
    return 0;
}

struct joins {
    weir_task *other; /* set before `ready` */
    int *ready;
};

static int join_other(void *arg)
{
    const struct joins *joins = arg;
    await(joins->ready, 1);
    int rc;
    while ((rc = weir_task_join(joins->other, NULL, weir_in_ms(50))) == WEIR_ETIMEDOUT) {
        if (peek(joins->ready) > 1)
            return 0;
    }
    return rc;
}

RUN(tasks_that_join_each_other_are_told)
{
    int ready = 0;
    struct joins one = { .ready = &ready };
    struct joins two = { .ready = &ready };
    weir_task *first;
    weir_task *second;
    CHECK_EQ(weir_task_start(&first, join_other, &one, .name = "one"), 0);
    CHECK_EQ(weir_task_start(&second, join_other, &two, .name = "two"), 0);
    one.other = second;
    two.other = first;
    post(&ready, 1);
    const char *circle = await_line("DEADLOCK: 2 wait for each other in a circle", "");
    CHECK(line_with(circle, "\"one\" waits: join task ", " \"two\"") != NULL);
    CHECK(line_with(circle, "\"two\" waits: join task ", " \"one\"") != NULL);
    /* Both wait with deadlines, look again, and end: one has joined the other or let go. */
    post(&ready, 2);
    while (line_with(take_dump(NULL), "\"one\"", "") != NULL ||
           line_with(dump.text, "\"two\"", "") != NULL)
        (void)weir_sleep(weir_in_ms(1));
    return 0;
}

/* -- bounds and misuse ------------------------------------------------------------------------ */

RUN(what_exceeds_the_bound_is_counted)
{
    weir_scope *scope;
    weir_chan *ch = open_chan();
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weir_go(reader, ch, .name = "one of ten"), 0);
    (void)await_count("has waited for ", 10);
    const char *text = take_dump(&(struct weir_dump_opts){ .tasks_max = 4 });
    CHECK(strncmp(text, "weir: 11 tasks ", 15) == 0);
    CHECK(strstr(text, "and 7 more tasks\n") != NULL);
    CHECK_EQ(weir_dump(take, &dump, &(struct weir_dump_opts){ .tasks_max = -1 }), WEIR_EINVAL);
    CHECK_EQ(weir_chan_close(ch), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(ch);
    return 0;
}

RUN(a_bare_dump_has_addresses)
{
    const char *text = take_dump(&(struct weir_dump_opts){ .bare = true });
    CHECK(strstr(text, "            0x") != NULL);
    CHECK(strstr(text, "weir_dump") == NULL);
    return 0;
}

static void without_a_runtime_it_refuses(void **state)
{
    (void)state;
    assert_int_equal(weir_dump(take, &dump, NULL), WEIR_ENOTOPEN);
}

/* -- beside running tasks --------------------------------------------------------------------- */

struct swarm {
    weir_chan *ch;
    int stop;
    int dumps;
};

static int ping(void *arg)
{
    struct swarm *swarm = arg;
    int value = 0;
    while (peek(&swarm->stop) == 0) {
        CHECK_EQ(weir_chan_send(swarm->ch, &value, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_chan_recv(swarm->ch, &value, WEIR_NO_DEADLINE), 0);
    }
    /* Whoever still receives gets one more. */
    IGNORE(weir_chan_send(swarm->ch, &value, weir_in_ms(1)));
    (void)weir_chan_close(swarm->ch);
    return 0;
}

static int pong(void *arg)
{
    struct swarm *swarm = arg;
    int value = 0;
    while (weir_chan_recv(swarm->ch, &value, WEIR_NO_DEADLINE) == 0) {
        if (weir_chan_send(swarm->ch, &value, WEIR_NO_DEADLINE) != 0)
            break;
    }
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int spawner(void *arg)
{
    struct swarm *swarm = arg;
    while (peek(&swarm->stop) == 0) {
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, nothing, NULL, .name = "brief"), 0);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    }
    return 0;
}

static void *dump_often(void *arg)
{
    struct swarm *swarm = arg;
    char *scratch = malloc(1);
    for (int i = 0; i < 30; i++)
        take_dump(&(struct weir_dump_opts){ .bare = i % 10 != 0 });
    free(scratch);
    post(&swarm->stop, 1);
    return NULL;
}

/* From a plain thread, while tasks park, wake, begin and end all the time: none is lost. */
RUN(tasks_go_on_while_they_are_looked_at)
{
    struct swarm swarm = { .ch = open_chan() };
    weir_scope *scope;
    pthread_t thread;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(ping, &swarm, .name = "ping"), 0);
    CHECK_EQ(weir_go(pong, &swarm, .name = "pong"), 0);
    CHECK_EQ(weir_go(spawner, &swarm, .name = "spawner"), 0);
    CHECK_EQ(pthread_create(&thread, NULL, dump_often, &swarm), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    weir_chan_destroy(swarm.ch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_waiting_task_is_told_with_name_site_object_time_and_stack),
        cmocka_unit_test(the_caller_is_told_as_running_with_its_stack),
        cmocka_unit_test(tasks_with_one_stack_stand_together),
        cmocka_unit_test(a_deadline_is_told),
        cmocka_unit_test(a_descriptor_is_told_by_its_number),
        cmocka_unit_test(a_task_that_blocks_on_a_thread_is_told_as_such),
        cmocka_unit_test(tasks_that_wait_for_each_other_are_told_at_the_end),
        cmocka_unit_test(tasks_that_join_each_other_are_told),
        cmocka_unit_test(what_exceeds_the_bound_is_counted),
        cmocka_unit_test(a_bare_dump_has_addresses),
        cmocka_unit_test(without_a_runtime_it_refuses),
        cmocka_unit_test(tasks_go_on_while_they_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
