/* SPDX-License-Identifier: MIT */
/* The life of one server.  See server.h. */

#include "compare/server.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system_probe.h"
#include "weir/time.h"

#define PREPARE_MS_MAX 300000
#define PROBE_MS 2000
#define PROBE_BYTES 256
#define LOG_TAIL_BYTES 8192

/* A server that answers wrongly may be about to be ready; this long it is believed. */
#define WRONG_MS_MAX 2000

/* A server that has been measured owes nobody an answer. */
#define STOP_GRACE_MS 300
#define IDLE_WINDOW_MS 40
#define IDLE_SHARE 0.25
#define SETTLE_MS_MAX 3000

volatile sig_atomic_t compare_stopped;

/* -- what it wrote ---------------------------------------------------------------------------- */

/* The last part of the log, ended by a zero. */
static void read_tail(const char *path, char text[LOG_TAIL_BYTES])
{
    FILE *file = fopen(path, "r");
    size_t got = 0;
    if (file != NULL) {
        if (fseek(file, -(LOG_TAIL_BYTES - 1), SEEK_END) != 0)
            rewind(file);
        got = fread(text, 1, LOG_TAIL_BYTES - 1, file);
        (void)fclose(file);
    }
    text[got] = '\0';
}

/* Without the date and level that weir's log lines begin with: the row of a report is short. */
static const char *without_date(const char *line)
{
    if (!isdigit((unsigned char)line[0]) || strlen(line) < 32 || line[10] != 'T')
        return line;
    const char *after = strstr(line, ": ");
    return after != NULL ? after + 2 : line;
}

/* The last line that is not empty and, if a word is given, has it. */
static bool last_line(const char *path, const char *word, char line[REASON_BYTES])
{
    char text[LOG_TAIL_BYTES];
    line[0] = '\0';
    read_tail(path, text);
    char *rest = text;
    while (*rest != '\0') {
        const size_t length = strcspn(rest, "\n");
        const bool last = rest[length] == '\0';
        rest[length] = '\0';
        if (length > 0 && (word == NULL || strstr(rest, word) != NULL))
            snprintf(line, REASON_BYTES, "%.*s", REASON_BYTES - 1, without_date(rest));
        rest += length + !last;
    }
    return line[0] != '\0';
}

static void describe_end(const char *log, int status, const char *when, char why[REASON_BYTES])
{
    char line[REASON_BYTES];
    const bool spoke = last_line(log, NULL, line);
    if (status < 0)
        snprintf(why, REASON_BYTES, "ended by signal %d %s%s%.250s", -status, when,
                 spoke ? ": " : "", line);
    else
        snprintf(why, REASON_BYTES, "ended with status %d %s%s%.250s%s", status, when,
                 spoke ? ": " : "", line,
                 status == 0 ? "; if it went into the background, run it in the foreground" : "");
}

void describe_no_start(const char *what, int rc, const char *log, char why[REASON_BYTES])
{
    if (rc == WEIR_EIO)
        snprintf(why, REASON_BYTES, "%s: its log %.250s cannot be written", what, log);
    else
        snprintf(why, REASON_BYTES, "%s: %s", what, weir_err_text(rc));
}

bool server_ended(struct server *s, char why[REASON_BYTES])
{
    int status;
    if (!child_ended(&s->child, &status))
        return false;
    describe_end(s->log, status, "under load", why);
    return true;
}

/* -- preparing -------------------------------------------------------------------------------- */

static int wait_for_preparation(struct child *child, int *status)
{
    const weir_time end = weir_in_ms(PREPARE_MS_MAX);
    while (!child_ended(child, status)) {
        if (compare_stopped || weir_now() > end) {
            child_stop(child, 0);
            return compare_stopped ? CONTEST_STOPPED : WEIR_ETIMEDOUT;
        }
        pause_ms(20);
    }
    return 0;
}

static int build(struct server *s, struct contestant *who, const struct command_line *line,
                 char why[REASON_BYTES])
{
    struct child child;
    int status = 0;
    int rc = child_start(&child, &(struct child_opts){
                                     .command = line->arguments,
                                     .extra = line->extra,
                                     .folder = s->list->peers_folder,
                                     .log = s->log,
                                     .cores = s->build_cores,
                                 });
    if (rc < 0) {
        describe_no_start("it could not be built", rc, s->log, why);
        return CONTEST_FAILED;
    }
    rc = wait_for_preparation(&child, &status);
    if (rc == CONTEST_STOPPED)
        return rc;
    who->prepared = rc == 0 && status == 0;
    if (who->prepared)
        return 0;
    if (rc < 0)
        snprintf(why, REASON_BYTES, "it could not be built: that took too long");
    else
        describe_end(s->log, status, "while it was built", why);
    return CONTEST_FAILED;
}

/* Builds a peer, once. */
static int prepare(struct server *s, struct contestant *who, char why[REASON_BYTES])
{
    struct command_line line;
    if (who->prepared)
        return 0;
    const int rc = contestant_preparation(s->list, who, 1, &line);
    if (rc == WEIR_ENOENT) {
        who->prepared = true;
        return 0;
    }
    if (rc < 0) {
        snprintf(why, REASON_BYTES,
                 "its \"prepare\" or \"prepare_environment\" in peers.json is too long or wrong");
        return CONTEST_FAILED;
    }
    return build(s, who, &line, why);
}

/* -- starting --------------------------------------------------------------------------------- */

/* A user's program is asked for its one url, whatever the kind of work. */
const char *server_path(const struct server *s, int i, int *weight)
{
    *weight = 1;
    if (s->who->source == SOURCE_APP)
        return i == 0 ? s->list->choice->app_url : NULL;
    *weight = i < MIX_MAX ? s->workload->mix[i].weight : 0;
    return *weight > 0 ? s->workload->mix[i].path : NULL;
}

/* What to ask a server that has just been started. */
static const char *first_path(const struct server *s)
{
    int weight;
    return s->who->source == SOURCE_APP ? server_path(s, 0, &weight) : "/hello/x";
}

static void describe_silence(const struct server *s, int answer, char why[REASON_BYTES])
{
    const char *path = first_path(s);
    if (answer == WEIR_ECONNREFUSED)
        snprintf(why, REASON_BYTES, "it did not listen on its port within %d ms",
                 s->start_timeout_ms);
    else if (answer == WEIR_ETIMEDOUT)
        snprintf(why, REASON_BYTES, "it took the connection, but never answered %.200s", path);
    else if (answer == WEIR_ECLOSED)
        snprintf(why, REASON_BYTES, "it closed the connection instead of answering %.200s", path);
    else if (answer == WEIR_EPROTO)
        snprintf(why, REASON_BYTES, "what it answered to %.200s is not HTTP", path);
    else if (answer > 0)
        snprintf(why, REASON_BYTES, "it answered %.200s with status %d", path, answer);
    else
        snprintf(why, REASON_BYTES, "%.200s could not be asked: %s", path, weir_err_text(answer));
}

/* A refusal is status 2 and one line that says what does not fit; see weir_main(). */
static int judge_early_end(const struct server *s, int status, char why[REASON_BYTES])
{
    char line[REASON_BYTES];
    if (status == 2 && last_line(s->log, "not fit", line)) {
        const char *reason = strstr(line, "the app's state"); /* after the program's name */
        snprintf(why, REASON_BYTES, "%s", reason != NULL ? reason : line);
        return CONTEST_REFUSED;
    }
    describe_end(s->log, status, "at its start", why);
    return CONTEST_FAILED;
}

static int wait_until_it_answers(struct server *s, char why[REASON_BYTES])
{
    const weir_time began = weir_now();
    const weir_time end = weir_in_ms(s->start_timeout_ms);
    weir_time wrong_since = 0;
    int pause = 1;
    for (;;) {
        char body[PROBE_BYTES];
        int status;
        const int wait_ms = s->start_timeout_ms < PROBE_MS ? s->start_timeout_ms : PROBE_MS;
        const int answer = probe(s->port, "GET", first_path(s), wait_ms, body, sizeof body);
        if (answer >= 200 && answer < 400) {
            s->start_ms = (double)(weir_now() - began) / 1e6;
            return 0;
        }
        if (child_ended(&s->child, &status))
            return judge_early_end(s, status, why);
        if (compare_stopped)
            return CONTEST_STOPPED;
        const weir_time now = weir_now();
        if (answer != WEIR_ECONNREFUSED && wrong_since == 0)
            wrong_since = now;
        if (now >= end || (wrong_since > 0 && now > wrong_since + WRONG_MS_MAX * WEIR_NS_PER_MS)) {
            describe_silence(s, answer, why);
            return CONTEST_FAILED;
        }
        pause_ms(pause);
        pause = pause < 10 ? pause + 1 : 10;
    }
}

static int spawn(struct server *s, char why[REASON_BYTES])
{
    struct command_line line;
    if (!contestant_command(s->list, s->who, s->port, s->cores->count, s->workload->serve_option,
                            &line)) {
        snprintf(why, REASON_BYTES, "its command line is too long or wrong");
        return CONTEST_FAILED;
    }
    const int rc = child_start(
        &s->child, &(struct child_opts){
                       .command = line.arguments,
                       .extra = line.extra,
                       .folder = s->who->source == SOURCE_PEER ? s->list->peers_folder : NULL,
                       .log = s->log,
                       .cores = s->cores,
                   });
    if (rc == 0)
        return 0;
    describe_no_start("no process can be started", rc, s->log, why);
    return CONTEST_FAILED;
}

int server_restart(struct server *s, char why[REASON_BYTES])
{
    int rc = spawn(s, why);
    if (rc == 0)
        rc = wait_until_it_answers(s, why);
    if (rc < 0)
        server_stop(s);
    return rc;
}

static void name_log(struct server *s)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s", s->who->name);
    for (char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at))
            *at = '-';
    }
    snprintf(s->log, sizeof s->log, "%s/%s.log", s->log_folder, name);
}

int server_ensure(struct server *s, struct contestant *who, const struct workload *workload,
                  const struct cores *cores, char why[REASON_BYTES])
{
    if (s->who == who && s->workload == workload && s->cores == cores && s->child.pid != 0)
        return 0;
    server_stop(s);
    s->who = who;
    s->workload = workload;
    s->cores = cores;
    s->port = port_free();
    name_log(s);
    int rc = s->port > 0 ? prepare(s, who, why) : CONTEST_FAILED;
    if (s->port == 0)
        snprintf(why, REASON_BYTES, "there is no free port for it on 127.0.0.1");
    if (rc < 0) {
        server_stop(s);
        return rc;
    }
    (void)remove(s->log); /* so that its last line is of this start */
    return server_restart(s, why);
}

void server_stop(struct server *s)
{
    child_stop(&s->child, STOP_GRACE_MS);
    escaped_stop();
    s->who = NULL;
}

/* -- between loads ---------------------------------------------------------------------------- */

/* How many cores' worth of time it uses just now. */
static double busy_now(const struct server *s)
{
    struct usage before;
    struct usage after;
    tree_usage(s->child.pid, false, &before);
    pause_ms(IDLE_WINDOW_MS);
    tree_usage(s->child.pid, false, &after);
    return (double)(after.cpu_ns - before.cpu_ns) / (IDLE_WINDOW_MS * 1e6);
}

int server_settle(struct server *s, char why[REASON_BYTES])
{
    const weir_time end = weir_in_ms(SETTLE_MS_MAX);
    while (busy_now(s) > IDLE_SHARE) {
        if (compare_stopped)
            return CONTEST_STOPPED;
        if (weir_now() < end)
            continue;
        struct contestant *who = s->who;
        server_stop(s);
        s->who = who;
        return server_restart(s, why);
    }
    return compare_stopped ? CONTEST_STOPPED : 0;
}
