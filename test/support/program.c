/* SPDX-License-Identifier: MIT */
/* See program.h.  Actors draw their steps as they go, each from a state of its own, so that what an
 * actor does depends on the seed and on what it saw, not on who runs when. */
#include "support/program.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/program_model.h"
#include "support/run.h"

enum {
    ROOTS_MAX = 8, /* actors that the program starts; each may start one child */
    MAIN = PROGRAM_ACTORS_MAX - 1,
    MUTEXES = 2,
    PERMITS = 3,
    STEPS_MAX = 12
};

enum patience {
    TRIES,
    WAITS_SHORTLY,
    WAITS
};

struct actor {
    struct program *program;
    int number;
    uint64_t random;
    int serial;
    bool closed_for_sends[PROGRAM_CHANNELS_MAX]; /* it was told so */
    bool closed_for_receives[PROGRAM_CHANNELS_MAX];
    bool told_canceled;
    bool may_be_canceled;
    bool has_child;
    struct program_history history;
};

struct guarded {
    weir_mutex *mutex;
    int holder; /* guarded by mutex; 0 or an actor's number + 1 */
    int visits;
};

struct program {
    const struct program_opts *opts;
    int root_count;
    int channel_count;
    weir_chan *channels[PROGRAM_CHANNELS_MAX];
    size_t caps[PROGRAM_CHANNELS_MAX];
    struct guarded guarded[MUTEXES];
    weir_semaphore *semaphore;
    struct model model; /* only if opts->exact */
    struct actor actors[PROGRAM_ACTORS_MAX];
    weir_task *tasks[ROOTS_MAX]; /* set before anybody runs who may cancel */
    pthread_t threads[ROOTS_MAX];
    bool is_thread[ROOTS_MAX];
    /* shared */
    int started; /* 1 once all roots are */
    uint64_t clock;
    int visits; /* of guarded parts, in all */
    int permits_out;
    int closes[PROGRAM_CHANNELS_MAX];
    int cancels[ROOTS_MAX]; /* begun */
    int ended;              /* actors */
    int threads_ended;
};

static uint64_t stamp(struct program *program)
{
    return __atomic_fetch_add(&program->clock, 1, __ATOMIC_SEQ_CST) + 1;
}

static weir_time deadline_of(struct actor *self, enum patience patience)
{
    if (patience == TRIES)
        return WEIR_DONT_WAIT;
    if (patience == WAITS_SHORTLY)
        return weir_in_ns(draw_below(&self->random, 300) * WEIR_NS_PER_US);
    return WEIR_NO_DEADLINE;
}

/* -- what one operation may give --------------------------------------------------------------- */

static bool was_canceled(struct actor *self)
{
    return self->number < ROOTS_MAX && peek(&self->program->cancels[self->number]) > 0;
}

static void take_canceled(struct actor *self)
{
    CHECK(was_canceled(self));
    self->told_canceled = true;
}

static void take_closed(struct actor *self, const struct program_case *one)
{
    CHECK(peek(&self->program->closes[one->channel]) > 0);
    if (one->sends)
        self->closed_for_sends[one->channel] = true;
    else
        self->closed_for_receives[one->channel] = true;
}

/* A result that a channel gave; `message` is what was received. */
static void take_result(struct actor *self, const struct program_case *one, int result,
                        const struct program_message *message, uint64_t began)
{
    static const struct program_message zeroes;
    CHECK(result == 0 || result == WEIR_ECLOSED);
    if (result == WEIR_ECLOSED) {
        take_closed(self, one);
        CHECK(one->sends || memcmp(message, &zeroes, sizeof(zeroes)) == 0);
        return;
    }
    CHECK(!(one->sends ? self->closed_for_sends : self->closed_for_receives)[one->channel]);
    CHECK(self->history.count < PROGRAM_EVENTS_MAX);
    self->history.events[self->history.count++] = (struct program_event){
        .channel = one->channel,
        .sends = one->sends,
        .result = 0,
        .message = one->sends ? one->message : *message,
        .began = began,
        .ended = stamp(self->program),
    };
}

/* -- operations -------------------------------------------------------------------------------- */

/* The call for these cases: one alone as send or receive, several as a select.  The case that was
 * done, its result in *result, or a code. */
static int call(struct actor *self, const struct program_case *cases, int count,
                struct program_message *received, weir_time deadline, int *result)
{
    struct program *program = self->program;
    struct program_message messages[PROGRAM_CASES_MAX];
    struct weir_select_case choices[PROGRAM_CASES_MAX];
    memset(messages, 0xee, sizeof(messages));
    for (int i = 0; i < count; i++) {
        if (cases[i].sends)
            messages[i] = cases[i].message;
        choices[i] = (struct weir_select_case){
            .op = cases[i].sends ? WEIR_SELECT_SEND : WEIR_SELECT_RECV,
            .ch = program->channels[cases[i].channel],
            .msg = &messages[i],
        };
    }
    int rc;
    if (count > 1) {
        rc = weir_select(choices, count, deadline);
        if (rc >= 0)
            *result = choices[rc].result;
    } else {
        rc = cases[0].sends ? weir_chan_send(choices[0].ch, &messages[0], deadline)
                            : weir_chan_recv(choices[0].ch, &messages[0], deadline);
        if (rc == 0 || rc == WEIR_ECLOSED) {
            *result = rc;
            rc = 0;
        }
    }
    if (rc >= 0)
        *received = messages[rc];
    else
        CHECK(rc == WEIR_ETIMEDOUT || rc == WEIR_ECANCELED);
    return rc;
}

/* With one thread nobody comes between a call that does not wait and our look at the model. */
static void check_try(struct actor *self, const struct program_case *cases, int count, int rc,
                      int result, const struct program_message *received)
{
    struct model *model = &self->program->model;
    CHECK(rc != WEIR_ECANCELED); /* who only tries need not be stopped */
    if (rc == WEIR_ETIMEDOUT) {
        for (int i = 0; i < count; i++)
            CHECK_EQ(model_look(model, &cases[i]), WEIR_EAGAIN);
    } else if (rc >= 0) {
        struct program_message expected;
        CHECK_EQ(model_do(model, &cases[rc], &expected), result);
        CHECK(cases[rc].sends || memcmp(&expected, received, sizeof(expected)) == 0);
    }
    for (int i = 0; i < count; i++) {
        const struct model_channel *ch = &model->channels[cases[i].channel];
        CHECK_EQ(weir_chan_len(self->program->channels[cases[i].channel]), ch->count);
    }
}

static void check_wait(struct actor *self, const struct program_case *cases, int rc, int result,
                       const struct program_message *received)
{
    struct model *model = &self->program->model;
    const struct model_actor *expected = &model->actors[self->number];
    if (rc < 0) {
        CHECK(model_give_up(model, self->number)); /* else a peer had ended it */
        CHECK(rc != WEIR_ECANCELED || expected->canceled);
        return;
    }
    CHECK(!model_give_up(model, self->number)); /* else nobody had */
    CHECK_EQ(expected->matched, rc);
    CHECK_EQ(expected->result, result);
    CHECK(cases[rc].sends || memcmp(&expected->message, received, sizeof(*received)) == 0);
}

/* The same as `call`, first as a try: what that has to give is known exactly. */
static int call_exactly(struct actor *self, const struct program_case *cases, int count,
                        struct program_message *received, weir_time deadline, int *result)
{
    struct model *model = &self->program->model;
    if (deadline != WEIR_DONT_WAIT && model->actors[self->number].canceled) {
        CHECK_EQ(call(self, cases, count, received, deadline, result), WEIR_ECANCELED);
        return WEIR_ECANCELED;
    }
    int rc = call(self, cases, count, received, WEIR_DONT_WAIT, result);
    check_try(self, cases, count, rc, *result, received);
    if (rc != WEIR_ETIMEDOUT || deadline == WEIR_DONT_WAIT)
        return rc;
    model_wait(model, self->number, cases, count);
    rc = call(self, cases, count, received, deadline, result);
    check_wait(self, cases, rc, *result, received);
    return rc;
}

static void operate(struct actor *self, const struct program_case *cases, int count,
                    enum patience patience)
{
    struct program_message received;
    int result = 0;
    const uint64_t began = stamp(self->program);
    const weir_time deadline = deadline_of(self, patience);
    const int rc = self->program->opts->exact
                       ? call_exactly(self, cases, count, &received, deadline, &result)
                       : call(self, cases, count, &received, deadline, &result);
    if (rc == WEIR_ECANCELED) {
        CHECK(patience != TRIES);
        take_canceled(self);
        return;
    }
    /* Cancellation stays; only a try is let through. */
    CHECK(!self->told_canceled || patience == TRIES);
    if (rc >= 0)
        take_result(self, &cases[rc], result, &received, began);
    else
        CHECK(patience != WAITS);
}

static struct program_case draw_case(struct actor *self)
{
    struct program_case one = {
        .channel = draw_below(&self->random, self->program->channel_count),
        .sends = draw_below(&self->random, 2) == 0,
    };
    if (one.sends)
        one.message = program_message(self->number, self->serial++);
    return one;
}

static enum patience draw_patience(struct actor *self)
{
    return (enum patience)draw_below(&self->random, 3);
}

static void pass_message(struct actor *self)
{
    const struct program_case one = draw_case(self);
    operate(self, &one, 1, draw_patience(self));
}

static void choose(struct actor *self)
{
    struct program_case cases[PROGRAM_CASES_MAX];
    const int count = 2 + draw_below(&self->random, PROGRAM_CASES_MAX - 1);
    for (int i = 0; i < count; i++)
        cases[i] = draw_case(self);
    operate(self, cases, count, draw_patience(self));
}

static void close_channel(struct actor *self, int channel)
{
    struct program *program = self->program;
    (void)bump(&program->closes[channel]);
    const int rc = weir_chan_close(program->channels[channel]);
    CHECK(rc == 0 || rc == WEIR_ECLOSED);
    if (program->opts->exact)
        CHECK_EQ(rc, model_close(&program->model, channel));
    self->closed_for_sends[channel] = true;
}

static void lock(struct actor *self)
{
    struct program *program = self->program;
    struct guarded *guarded = &program->guarded[draw_below(&self->random, MUTEXES)];
    const enum patience patience = draw_patience(self);
    const int rc = weir_mutex_lock(guarded->mutex, deadline_of(self, patience));
    if (rc != 0) {
        CHECK_EQ(rc, WEIR_ETIMEDOUT);
        CHECK(patience != WAITS);
        return;
    }
    CHECK_EQ(guarded->holder, 0);
    guarded->holder = self->number + 1;
    guarded->visits++;
    (void)bump(&program->visits);
    if (draw_below(&self->random, 2) == 0)
        IGNORE(weir_yield());
    CHECK_EQ(guarded->holder, self->number + 1);
    guarded->holder = 0;
    weir_mutex_unlock(guarded->mutex);
}

/* Permits that are out are never more than there are; who gives up has none. */
static void use_permits(struct actor *self)
{
    struct program *program = self->program;
    const enum patience patience = draw_patience(self);
    const int permits = 1 + draw_below(&self->random, PERMITS);
    const int rc = weir_semaphore_acquire(program->semaphore, permits, deadline_of(self, patience));
    if (rc == WEIR_ECANCELED) {
        CHECK(patience != TRIES);
        take_canceled(self);
        return;
    }
    CHECK(!self->told_canceled || patience == TRIES);
    if (rc != 0) {
        CHECK_EQ(rc, WEIR_ETIMEDOUT);
        CHECK(patience != WAITS);
        return;
    }
    for (int i = 0; i < permits; i++)
        CHECK(bump(&program->permits_out) <= PERMITS);
    if (draw_below(&self->random, 2) == 0)
        IGNORE(weir_yield());
    (void)__atomic_sub_fetch(&program->permits_out, permits, __ATOMIC_SEQ_CST);
    weir_semaphore_release(program->semaphore, permits);
}

static void cancel(struct actor *self)
{
    struct program *program = self->program;
    const int target = draw_below(&self->random, program->root_count);
    if (!program->actors[target].may_be_canceled || peek(&program->started) == 0)
        return;
    (void)bump(&program->cancels[target]);
    if (program->opts->exact)
        program->model.actors[target].canceled = true;
    weir_task_cancel(program->tasks[target], WEIR_ECANCELED);
}

static void rest(struct actor *self)
{
    const bool sleeps = draw_below(&self->random, 2) == 0;
    const weir_time until = weir_in_ns(draw_below(&self->random, 200) * WEIR_NS_PER_US);
    const int rc = sleeps ? weir_sleep(until) : weir_yield();
    CHECK(rc == 0 || rc == WEIR_ECANCELED);
    if (rc != 0)
        take_canceled(self);
    CHECK(!sleeps || rc != 0 || weir_now() >= until);
}

static int run_actor(void *arg);

/* A child in a scope of its own: it has ended when the scope is closed. */
static void open_scope(struct actor *self)
{
    struct program *program = self->program;
    if (!self->has_child)
        return;
    self->has_child = false;
    struct actor *child = &program->actors[ROOTS_MAX + self->number];
    weir_scope *scope;
    const int ended = peek(&program->ended);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(run_actor, child), 0);
    pass_message(self);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK(peek(&program->ended) > ended);
}

static void take_step(struct actor *self)
{
    const int kind = draw_below(&self->random, 100);
    if (kind < 40)
        pass_message(self);
    else if (kind < 60)
        choose(self);
    else if (kind < 75)
        rest(self);
    else if (kind < 82)
        lock(self);
    else if (kind < 88)
        use_permits(self);
    else if (kind < 92)
        cancel(self);
    else if (kind < 98)
        open_scope(self);
    else
        close_channel(self, draw_below(&self->random, self->program->channel_count));
}

static int run_actor(void *arg)
{
    struct actor *self = arg;
    const int bound = self->program->opts->steps_max;
    int steps = 3 + draw_below(&self->random, STEPS_MAX - 2);
    if (bound > 0 && bound < steps)
        steps = bound;
    for (int i = 0; i < steps; i++)
        take_step(self);
    (void)bump(&self->program->ended);
    return self->number;
}

static void *run_outsider(void *arg)
{
    (void)run_actor(arg);
    (void)bump(&((struct actor *)arg)->program->threads_ended);
    return NULL;
}

/* -- the program ------------------------------------------------------------------------------- */

static void set_up(struct program *program, uint64_t *random)
{
    program->root_count = 2 + draw_below(random, ROOTS_MAX - 1);
    program->channel_count = 1 + draw_below(random, PROGRAM_CHANNELS_MAX);
    for (int i = 0; i < program->channel_count; i++) {
        const int cap = draw_below(random, PROGRAM_CAP_MAX + 1);
        const size_t bytes = sizeof(struct program_message);
        const bool grows = cap > 0 && draw_below(random, 3) == 0;
        const struct weir_chan_opts opts = { .elem_bytes = bytes,
                                             .cap_elems = grows ? 0 : (size_t)cap,
                                             .grow_bytes_max = grows ? (size_t)cap * bytes : 0 };
        CHECK_EQ(weir_chan_create(&program->channels[i], &opts), 0);
        program->model.channels[i].cap = cap;
    }
    const struct weir_semaphore_opts permits = { .permits = PERMITS };
    CHECK_EQ(weir_semaphore_create(&program->semaphore, &permits), 0);
    for (int i = 0; i < MUTEXES; i++)
        CHECK_EQ(weir_mutex_create(&program->guarded[i].mutex), 0);
    for (int i = 0; i < PROGRAM_ACTORS_MAX; i++) {
        struct actor *actor = &program->actors[i];
        actor->program = program;
        actor->number = i;
        actor->random = draw(random);
        actor->has_child = i < program->root_count && draw_below(random, 3) == 0;
    }
}

/* Roots are children of the scope that is open; a canceled one would cancel its own child too, so
 * who has one is not canceled. */
static void start_roots(struct program *program, uint64_t *random)
{
    for (int i = 0; i < program->root_count; i++) {
        struct actor *actor = &program->actors[i];
        program->is_thread[i] = program->opts->outsiders && draw_below(random, 3) == 0;
        actor->may_be_canceled = !program->is_thread[i] && !actor->has_child;
    }
    for (int i = 0; i < program->root_count; i++) {
        struct actor *actor = &program->actors[i];
        if (program->is_thread[i])
            CHECK_EQ(pthread_create(&program->threads[i], NULL, run_outsider, actor), 0);
        else
            CHECK_EQ(weir_task_start(&program->tasks[i], run_actor, actor), 0);
    }
    post(&program->started, 1);
}

/* Whoever still waits is told that nobody will come any more. */
static void close_all(struct program *program)
{
    for (int i = 0; i < program->channel_count; i++)
        close_channel(&program->actors[MAIN], i);
}

static void join_roots(struct program *program, weir_scope *scope)
{
    int threads = 0;
    for (int i = 0; i < program->root_count; i++)
        threads += program->is_thread[i];
    /* Joining blocks this thread, which may be the one that others need. */
    await(&program->threads_ended, threads);
    for (int i = 0; i < program->root_count; i++) {
        if (program->is_thread[i])
            CHECK_EQ(pthread_join(program->threads[i], NULL), 0);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < program->root_count; i++) {
        int result = -1;
        if (!program->is_thread[i]) {
            CHECK_EQ(weir_task_join(program->tasks[i], &result, WEIR_DONT_WAIT), 0);
            CHECK_EQ(result, i);
        }
    }
    CHECK(peek(&program->ended) >= program->root_count);
}

/* What is left in the buffers is received by the program itself. */
static void drain(struct program *program)
{
    struct actor *self = &program->actors[MAIN];
    for (int i = 0; i < program->channel_count; i++) {
        const size_t left = weir_chan_len(program->channels[i]);
        const int before = self->history.count;
        const struct program_case one = { .channel = i };
        while (!self->closed_for_receives[i])
            operate(self, &one, 1, TRIES);
        CHECK_EQ(self->history.count - before, left);
    }
}

static void tear_down(struct program *program)
{
    int visits = 0;
    for (int i = 0; i < MUTEXES; i++) {
        CHECK_EQ(program->guarded[i].holder, 0);
        visits += program->guarded[i].visits;
        weir_mutex_destroy(program->guarded[i].mutex);
    }
    CHECK_EQ(visits, program->visits);
    CHECK_EQ(weir_semaphore_available(program->semaphore), PERMITS);
    weir_semaphore_destroy(program->semaphore);
    for (int i = 0; i < program->channel_count; i++)
        weir_chan_destroy(program->channels[i]);
}

void program_run(const struct program_opts *opts)
{
    struct program *program = calloc(1, sizeof(*program));
    CHECK(program != NULL);
    program->opts = opts;
    uint64_t random = opts->seed;
    weir_scope *scope;
    set_up(program, &random);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    start_roots(program, &random);
    for (int steps = draw_below(&random, 6); steps > 0; steps--)
        rest(&program->actors[MAIN]);
    close_all(program);
    join_roots(program, scope);
    drain(program);
    const struct program_history *histories[PROGRAM_ACTORS_MAX];
    for (int i = 0; i < PROGRAM_ACTORS_MAX; i++)
        histories[i] = &program->actors[i].history;
    history_check(histories, PROGRAM_ACTORS_MAX);
    tear_down(program);
    free(program);
}
