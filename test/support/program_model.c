/* SPDX-License-Identifier: MIT */
/* See program_model.h.  The model is what include/weir/chan.h says, written as plainly as possible:
 * a queue, a line of those that wait, and the rule that who comes serves the first in line. */
#include "support/program_model.h"

#include <string.h>

#include "support/run.h"

static uint32_t check_of(uint32_t sender, uint32_t serial)
{
    return sender * 2654435761u + serial * 40503u + 1;
}

struct program_message program_message(int sender, int serial)
{
    return (struct program_message){ .sender = (uint32_t)sender,
                                     .serial = (uint32_t)serial,
                                     .check = check_of((uint32_t)sender, (uint32_t)serial) };
}

bool program_message_whole(const struct program_message *message)
{
    return message->sender < PROGRAM_ACTORS_MAX && message->serial < PROGRAM_SERIALS_MAX &&
           message->check == check_of(message->sender, message->serial);
}

/* -- the sequential model ---------------------------------------------------------------------- */

static struct program_case *case_of(struct model *model, struct model_entry entry)
{
    return &model->actors[entry.actor].cases[entry.index];
}

/* The first in line that sends, or receives; -1 if none. */
static int first_in_line(const struct model *model, int channel, bool sends)
{
    const struct model_channel *ch = &model->channels[channel];
    for (int i = 0; i < ch->waiting_count; i++) {
        const struct model_entry entry = ch->waiting[i];
        if (model->actors[entry.actor].cases[entry.index].sends == sends)
            return i;
    }
    return -1;
}

static void leave_line(struct model_channel *ch, int actor)
{
    int kept = 0;
    for (int i = 0; i < ch->waiting_count; i++) {
        if (ch->waiting[i].actor != actor)
            ch->waiting[kept++] = ch->waiting[i];
    }
    ch->waiting_count = kept;
}

static void leave_lines(struct model *model, int actor)
{
    for (int i = 0; i < PROGRAM_CHANNELS_MAX; i++)
        leave_line(&model->channels[i], actor);
}

/* Ends somebody's wait. */
static void match(struct model *model, struct model_entry entry, int result,
                  const struct program_message *message)
{
    struct model_actor *actor = &model->actors[entry.actor];
    CHECK(actor->waits && actor->matched < 0);
    actor->matched = entry.index;
    actor->result = result;
    memset(&actor->message, 0, sizeof(actor->message));
    if (message != NULL)
        actor->message = *message;
    leave_lines(model, entry.actor);
}

int model_look(const struct model *model, const struct program_case *one)
{
    const struct model_channel *ch = &model->channels[one->channel];
    if (one->sends) {
        if (ch->closed)
            return WEIR_ECLOSED;
        const bool served = first_in_line(model, one->channel, false) >= 0;
        return served || ch->count < ch->cap ? 0 : WEIR_EAGAIN;
    }
    if (ch->count > 0 || first_in_line(model, one->channel, true) >= 0)
        return 0;
    return ch->closed ? WEIR_ECLOSED : WEIR_EAGAIN;
}

static void do_send(struct model *model, const struct program_case *one)
{
    struct model_channel *ch = &model->channels[one->channel];
    const int receiver = first_in_line(model, one->channel, false);
    if (receiver >= 0)
        match(model, ch->waiting[receiver], 0, &one->message);
    else
        ch->buffer[ch->count++] = one->message;
}

static void do_receive(struct model *model, const struct program_case *one,
                       struct program_message *message)
{
    struct model_channel *ch = &model->channels[one->channel];
    const int sender = first_in_line(model, one->channel, true);
    struct program_message from_sender = { 0 };
    if (sender >= 0) {
        from_sender = case_of(model, ch->waiting[sender])->message;
        match(model, ch->waiting[sender], 0, NULL);
    }
    if (ch->count == 0) {
        *message = from_sender;
        return;
    }
    *message = ch->buffer[0];
    memmove(&ch->buffer[0], &ch->buffer[1], sizeof(ch->buffer) - sizeof(ch->buffer[0]));
    ch->count--;
    if (sender >= 0)
        ch->buffer[ch->count++] = from_sender;
}

int model_do(struct model *model, const struct program_case *one, struct program_message *message)
{
    const int result = model_look(model, one);
    memset(message, 0, sizeof(*message));
    if (result != 0)
        return result;
    if (one->sends)
        do_send(model, one);
    else
        do_receive(model, one, message);
    return 0;
}

void model_wait(struct model *model, int actor, const struct program_case *cases, int count)
{
    struct model_actor *self = &model->actors[actor];
    CHECK(!self->waits);
    self->waits = true;
    self->matched = -1;
    self->count = count;
    memcpy(self->cases, cases, (size_t)count * sizeof(*cases));
    for (int i = 0; i < count; i++) {
        struct model_channel *ch = &model->channels[cases[i].channel];
        ch->waiting[ch->waiting_count++] = (struct model_entry){ .actor = actor, .index = i };
    }
}

bool model_give_up(struct model *model, int actor)
{
    struct model_actor *self = &model->actors[actor];
    CHECK(self->waits);
    self->waits = false;
    leave_lines(model, actor);
    return self->matched < 0;
}

int model_close(struct model *model, int channel)
{
    struct model_channel *ch = &model->channels[channel];
    if (ch->closed)
        return WEIR_ECLOSED;
    ch->closed = true;
    /* A select that has both is told of its receive. */
    for (int sends = 0; sends <= 1; sends++) {
        int first;
        while ((first = first_in_line(model, channel, sends == 1)) >= 0)
            match(model, ch->waiting[first], WEIR_ECLOSED, NULL);
    }
    return 0;
}

/* -- the history ------------------------------------------------------------------------------- */

/* Both ends of one message. */
struct passage {
    const struct program_event *sent;
    const struct program_event *received;
};

static void take_sent(struct passage *passage, const struct program_event *event)
{
    CHECK(passage->sent == NULL); /* serials are used once */
    passage->sent = event;
}

static void take_received(struct passage *passage, const struct program_event *event)
{
    CHECK(passage->received == NULL); /* else the message was doubled */
    passage->received = event;
}

static void collect(struct passage passages[][PROGRAM_SERIALS_MAX],
                    const struct program_history *history)
{
    for (int i = 0; i < history->count; i++) {
        const struct program_event *event = &history->events[i];
        if (event->result != 0)
            continue;
        CHECK(program_message_whole(&event->message));
        struct passage *passage = &passages[event->message.sender][event->message.serial];
        if (event->sends)
            take_sent(passage, event);
        else
            take_received(passage, event);
    }
}

/* If a was sent before b was begun to be sent, b is not received before a is begun to be. */
static void check_order(const struct passage *a, const struct passage *b)
{
    if (a->sent->channel != b->sent->channel || a->sent->ended > b->sent->began)
        return;
    CHECK(b->received->ended > a->received->began);
}

void history_check(const struct program_history *const *histories, int count)
{
    struct passage passages[PROGRAM_ACTORS_MAX][PROGRAM_SERIALS_MAX];
    memset(passages, 0, sizeof(passages));
    for (int i = 0; i < count; i++)
        collect(passages, histories[i]);

    const struct passage *all[PROGRAM_ACTORS_MAX * PROGRAM_SERIALS_MAX];
    int total = 0;
    for (int sender = 0; sender < PROGRAM_ACTORS_MAX; sender++) {
        for (int serial = 0; serial < PROGRAM_SERIALS_MAX; serial++) {
            const struct passage *passage = &passages[sender][serial];
            if (passage->sent == NULL && passage->received == NULL)
                continue;
            CHECK(passage->sent != NULL);     /* else it was made up, or a refused one delivered */
            CHECK(passage->received != NULL); /* else it was lost */
            CHECK_EQ(passage->sent->channel, passage->received->channel);
            CHECK(passage->sent->began < passage->received->ended);
            all[total++] = passage;
        }
    }
    for (int i = 0; i < total; i++) {
        for (int k = 0; k < total; k++)
            check_order(all[i], all[k]);
    }
}
