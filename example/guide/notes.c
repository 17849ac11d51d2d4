/* SPDX-License-Identifier: MIT */
/* A service with state: notes in memory, shared by all requests and guarded by one lock.
 *
 *     PUT    /notes/:number   stores the body (at most 4,000 bytes) and answers 204
 *     GET    /notes/:number   answers it, or 404
 *     GET    /notes           streams the numbers and sizes of all, a line each
 *
 * The notes are shared, so the app declares WEIR_STATE_LOCKED: `--model=cluster` is refused, since
 * each process would have notes of its own.  Guide: doc/guide/server.md, doc/guide/models.md. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#define NOTES_MAX 100
#define NOTE_BYTES_MAX 4000

/* guarded by lock */
struct notes {
    weir_mutex *lock; /* constant after the start */
    char *text[NOTES_MAX];
    size_t bytes[NOTES_MAX];
};

/* The number in the path, or -1; then the reply is on its way. */
static int number_of(weir_request *q, weir_reply *r)
{
    const char *text = weir_request_param(q, "number");
    char *end;
    const long number = strtol(text, &end, 10);
    if (end != text && *end == '\0' && number >= 0 && number < NOTES_MAX)
        return (int)number;
    (void)weir_reply_text(r, 400, "a note's number is 0 to %d, not \"%s\"\n", NOTES_MAX - 1, text);
    return -1;
}

/* Reads the whole body.  Its size, or a negative code, which the handler may just return: weir then
 * answers with the status that fits (413 for a body that is too long, 408 for one too slow). */
static int read_body(weir_request *q, char *data, size_t cap)
{
    size_t filled = 0;
    for (;;) {
        const int got = weir_request_read(q, data + filled, cap - filled, WEIR_NO_DEADLINE);
        if (got <= 0)
            return got < 0 ? got : (int)filled;
        filled += (size_t)got;
        if (filled == cap)
            return WEIR_EMSGSIZE;
    }
}

static int put_note(weir_request *q, weir_reply *r, void *user)
{
    struct notes *notes = user;
    const int number = number_of(q, r);
    if (number < 0)
        return 0;
    char data[NOTE_BYTES_MAX + 1];
    const int bytes = read_body(q, data, sizeof data);
    if (bytes < 0)
        return bytes;
    char *copy = malloc((size_t)bytes + 1);
    if (copy == NULL)
        return WEIR_ENOMEM;
    memcpy(copy, data, (size_t)bytes);

    int rc = weir_mutex_lock(notes->lock, WEIR_NO_DEADLINE);
    if (rc < 0) {
        free(copy);
        return rc;
    }
    free(notes->text[number]);
    notes->text[number] = copy;
    notes->bytes[number] = (size_t)bytes;
    weir_mutex_unlock(notes->lock);
    return 0; /* nothing was said: 204 */
}

static int get_note(weir_request *q, weir_reply *r, void *user)
{
    struct notes *notes = user;
    const int number = number_of(q, r);
    if (number < 0)
        return 0;

    /* Copied under the lock and sent after it: a client that reads slowly holds up nobody. */
    char *copy = weir_request_alloc(q, NOTE_BYTES_MAX);
    if (copy == NULL)
        return WEIR_ENOMEM;
    int rc = weir_mutex_lock(notes->lock, WEIR_NO_DEADLINE);
    if (rc < 0)
        return rc;
    const bool there = notes->text[number] != NULL;
    const size_t bytes = notes->bytes[number];
    if (there)
        memcpy(copy, notes->text[number], bytes);
    weir_mutex_unlock(notes->lock);

    if (!there)
        return weir_reply_text(r, 404, "there is no note %d\n", number);
    return weir_reply_data(r, 200, "text/plain", copy, bytes);
}

static int list_notes(weir_request *q, weir_reply *r, void *user)
{
    (void)q;
    struct notes *notes = user;
    int rc = weir_reply_begin(r, 200, "text/plain", -1); /* -1: chunked, the length is not known */
    for (int i = 0; rc == 0 && i < NOTES_MAX; i++) {
        char line[64];
        rc = weir_mutex_lock(notes->lock, WEIR_NO_DEADLINE);
        if (rc < 0)
            return rc;
        const bool there = notes->text[i] != NULL;
        const int bytes = snprintf(line, sizeof line, "%d %zu\n", i, notes->bytes[i]);
        weir_mutex_unlock(notes->lock);
        if (there)
            rc = weir_reply_write(r, line, (size_t)bytes); /* waits while the client reads slower */
    }
    return rc;
}

static int start(weir_app *app)
{
    struct notes *notes = weir_app_user(app);
    const struct weir_route_opts small = { .size = sizeof small, .body_bytes_max = NOTE_BYTES_MAX };
    int rc = weir_mutex_create(&notes->lock);
    if (rc == 0)
        rc = weir_app_route_with(app, "PUT", "/notes/:number", put_note, notes, &small);
    if (rc == 0)
        rc = weir_app_route(app, "GET", "/notes/:number", get_note, notes);
    if (rc == 0)
        rc = weir_app_route(app, "GET", "/notes", list_notes, notes);
    return rc;
}

static void stop(weir_app *app)
{
    struct notes *notes = weir_app_user(app);
    for (int i = 0; i < NOTES_MAX; i++)
        free(notes->text[i]);
    weir_mutex_destroy(notes->lock);
}

int main(int argc, char **argv)
{
    static struct notes notes;
    return weir_main(argc, argv,
                     &(struct weir_app_spec){ .name = "notes",
                                              .summary = "keeps notes in memory",
                                              .state = WEIR_STATE_LOCKED,
                                              .start = start,
                                              .stop = stop,
                                              .user = &notes });
}
