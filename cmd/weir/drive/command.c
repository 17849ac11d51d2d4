/* SPDX-License-Identifier: MIT */
/* Reading the command line of `weir load`.
 *
 * Threads: one. */

#include "drive/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"
#include "weir/time.h"

#define HOUR_NS (INT64_C(3600) * WEIR_NS_PER_S)
#define BODY_BYTES_MAX (INT64_C(64) << 20)
#define LIST_BYTES_MAX ((size_t)4 << 20)
#define CONNECTIONS_DEFAULT 16
#define RETRIES_MAX 10
#define BACKOFF_NS_DEFAULT (20 * WEIR_NS_PER_MS)
#define DEADLINE_NAME "Weir-Timeout-Ms"

bool load_command_complain(const char *what)
{
    fprintf(stderr, "weir load: %s; try: weir load --help\n", what);
    return false;
}

/* -- files that options name ------------------------------------------------------------------ */

/* A mistake in the file of the present option. */
static void wrong_line(struct options *o, const char *path, int number, const char *what)
{
    char line[400];
    snprintf(line, sizeof line, "line %d of '%.100s': %s", number, path, what);
    options_wrong(o, line);
}

/* Reads the file that the present option names.  NULL: it was reported. */
static const char *read_named(struct options *o, struct text *text, size_t bytes_max)
{
    const char *path = options_text(o);
    if (o->wrong)
        return NULL;
    text_free(text); /* of an earlier one: the last counts */
    const int rc = text_read(text, path, bytes_max);
    if (rc == 0)
        return path;
    char what[240];
    snprintf(what, sizeof what, "cannot read '%.100s': %s", path, text_why(rc));
    options_wrong(o, what);
    return NULL;
}

/* -- URLs ------------------------------------------------------------------------------------- */

static void add_word(struct load_command *c, const char *word, double weight)
{
    if (c->words.count == TARGETS_MAX) {
        options_wrong(&c->options, "1000 URLs are the most");
        return;
    }
    c->words.url[c->words.count] = word;
    c->words.fields_end[c->words.count] = c->words.field_count;
    c->words.weight[c->words.count++] = weight;
}

static void take_word(struct load_command *c)
{
    add_word(c, c->options.value, c->weight > 0 ? c->weight : 1);
    c->weight = 0;
}

/* A line "[WEIGHT] URL". */
static bool take_url_line(struct load_command *c, char *line)
{
    char *space = strpbrk(line, " \t");
    if (space == NULL) {
        add_word(c, line, 1);
        return true;
    }
    char *end;
    const double weight = strtod(line, &end);
    if (end != space || !(weight >= WEIGHT_MIN && weight <= WEIGHT_MAX))
        return false;
    add_word(c, space + strspn(space, " \t"), weight);
    return true;
}

static void take_urls(struct load_command *c)
{
    struct options *o = &c->options;
    if (c->urls_text.bytes != NULL) {
        options_wrong(o, "one such file is enough");
        return;
    }
    const char *path = read_named(o, &c->urls_text, LIST_BYTES_MAX);
    if (path == NULL)
        return;
    const int before = c->words.count;
    if (text_has_nul(&c->urls_text))
        options_wrong(o, "that is no text file");
    char *line;
    while (!o->wrong && (line = text_line(&c->urls_text)) != NULL) {
        if (!take_url_line(c, line))
            wrong_line(o, path, c->urls_text.number,
                       "it is [WEIGHT] URL, the weight a number from 0.001 to 1000000");
    }
    if (!o->wrong && c->words.count == before)
        options_wrong(o, "there is no URL in that file");
}

/* -- headers and bodies ----------------------------------------------------------------------- */

/* NULL, or what is wrong with the field. */
static const char *add_field(struct load_command *c, const char *field, char why[REQUEST_WHY_BYTES])
{
    if (c->request.field_count == FIELDS_MAX)
        return "64 headers are the most";
    if (request_field_check(field, why) < 0)
        return why;
    c->request.fields[c->request.field_count++] = field;
    return NULL;
}

static void take_field(struct load_command *c)
{
    char why[REQUEST_WHY_BYTES];
    const char *field = options_text(&c->options);
    const char *wrong = c->options.wrong ? NULL : add_field(c, field, why);
    if (wrong != NULL)
        options_wrong(&c->options, wrong);
}

/* A header of the URL that follows. */
static void take_own_field(struct load_command *c)
{
    char why[REQUEST_WHY_BYTES];
    const char *field = options_text(&c->options);
    if (c->options.wrong)
        return;
    if (c->words.field_count == OWN_FIELDS_MAX)
        options_wrong(&c->options, "256 such headers are the most");
    else if (request_field_check(field, why) < 0)
        options_wrong(&c->options, why);
    else
        c->words.fields[c->words.field_count++] = field;
}

static void take_fields(struct load_command *c)
{
    struct options *o = &c->options;
    if (c->fields_text.bytes != NULL) {
        options_wrong(o, "one such file is enough");
        return;
    }
    const char *path = read_named(o, &c->fields_text, LIST_BYTES_MAX);
    if (path == NULL)
        return;
    if (text_has_nul(&c->fields_text))
        options_wrong(o, "that is no text file");
    char *line;
    while (!o->wrong && (line = text_line(&c->fields_text)) != NULL) {
        char why[REQUEST_WHY_BYTES];
        const char *wrong = add_field(c, line, why);
        if (wrong != NULL)
            wrong_line(o, path, c->fields_text.number, wrong);
    }
}

static void take_body_file(struct load_command *c)
{
    if (read_named(&c->options, &c->body_text, (size_t)BODY_BYTES_MAX) == NULL)
        return;
    c->request.body = c->body_text.bytes;
    c->request.body_bytes = c->body_text.len;
}

static void take_body_bytes(struct load_command *c)
{
    const int64_t bytes = options_number(&c->options, 0, BODY_BYTES_MAX);
    if (c->options.wrong)
        return;
    text_free(&c->body_text);
    c->body_text.bytes = malloc((size_t)bytes + 1);
    if (c->body_text.bytes == NULL) {
        options_wrong(&c->options, "there is not so much memory");
        return;
    }
    memset(c->body_text.bytes, 'x', (size_t)bytes);
    c->request.body = c->body_text.bytes;
    c->request.body_bytes = (size_t)bytes;
}

static void take_deadline(struct load_command *c)
{
    const char *name = options_optional(&c->options, DEADLINE_NAME);
    char field[128];
    char why[REQUEST_WHY_BYTES];
    if (c->options.wrong)
        return;
    snprintf(field, sizeof field, "%.110s: 0", name);
    if (strchr(name, ':') != NULL)
        options_wrong(&c->options, "it wants the name of a header alone");
    else if (request_field_check(field, why) < 0)
        options_wrong(&c->options, why);
    c->request.deadline_name = name;
}

/* -- the schedule ----------------------------------------------------------------------------- */

static void take_rate(struct load_command *c)
{
    const char *text = options_text(&c->options);
    char why[PROFILE_WHY_BYTES];
    if (c->options.wrong)
        return;
    const int count = profile_parse(text, c->steps, why);
    if (count < 0)
        options_wrong(&c->options, why);
    else
        c->plan.schedule.step_count = count;
}

static void take_arrivals(struct load_command *c)
{
    const char *kind = options_text(&c->options);
    if (strcmp(kind, "even") == 0)
        c->plan.schedule.kind = ARRIVALS_EVEN;
    else if (strcmp(kind, "bursty") == 0)
        c->plan.schedule.kind = ARRIVALS_BURSTY;
    else if (strcmp(kind, "poisson") != 0)
        options_wrong(&c->options, "it is poisson, even or bursty");
}

static bool take_burst_option(struct load_command *c)
{
    struct options *o = &c->options;
    struct schedule *schedule = &c->plan.schedule;
    if (options_is(o, "burst-ratio"))
        schedule->burst_ratio = options_decimal(o, 1, 1000);
    else if (options_is(o, "burst-for"))
        schedule->burst_s = (double)options_duration(o, WEIR_NS_PER_MS, HOUR_NS) / 1e9;
    else if (options_is(o, "burst-every"))
        schedule->burst_every_s = (double)options_duration(o, WEIR_NS_PER_MS, HOUR_NS) / 1e9;
    else
        return false;
    c->burst_named = true;
    return true;
}

static void take_for(struct load_command *c)
{
    c->plan.for_ns = options_duration(&c->options, WEIR_NS_PER_MS, 24 * HOUR_NS);
    c->for_named = true;
}

static bool take_load_option(struct load_command *c)
{
    struct options *o = &c->options;
    if (options_is(o, "connections"))
        c->plan.connections = options_number(o, 1, 100000);
    else if (options_is(o, "rate"))
        take_rate(c);
    else if (options_is(o, "arrivals"))
        take_arrivals(c);
    else if (options_is(o, "seed"))
        c->plan.schedule.seed = (uint64_t)options_number(o, 0, INT64_MAX - 1);
    else if (options_is(o, "in-flight-max"))
        c->plan.in_flight_max = options_number(o, 1, 1000000);
    else if (options_is(o, "open-first"))
        c->plan.open_first = options_number(o, 0, 1000000);
    else if (options_is(o, "for"))
        take_for(c);
    else
        return take_burst_option(c);
    return true;
}

static void take_backoff(struct load_command *c)
{
    c->plan.backoff_ns = options_duration(&c->options, 0, 60 * WEIR_NS_PER_S);
    c->backoff_named = true;
}

static bool take_request_option(struct load_command *c)
{
    struct options *o = &c->options;
    if (o->name == NULL)
        take_word(c);
    else if (options_is(o, "weight"))
        c->weight = options_decimal(o, WEIGHT_MIN, WEIGHT_MAX);
    else if (options_is(o, "urls"))
        take_urls(c);
    else if (options_is(o, "method"))
        c->request.method = options_text(o);
    else if (options_is(o, "header"))
        take_field(c);
    else if (options_is(o, "url-header"))
        take_own_field(c);
    else if (options_is(o, "headers-file"))
        take_fields(c);
    else if (options_is(o, "body-bytes"))
        take_body_bytes(c);
    else if (options_is(o, "body-file"))
        take_body_file(c);
    else if (options_is(o, "deadline-header"))
        take_deadline(c);
    else if (options_is(o, "close"))
        c->request.close_each = options_flag(o);
    else if (options_is(o, "timeout"))
        c->plan.timeout_ns = options_duration(o, WEIR_NS_PER_MS, HOUR_NS);
    else if (options_is(o, "retries"))
        c->plan.retries = (int)options_number(o, 0, RETRIES_MAX);
    else if (options_is(o, "backoff"))
        take_backoff(c);
    else if (options_is(o, "late-max"))
        c->plan.late_ns_max = options_duration(o, WEIR_NS_PER_MS / 10, HOUR_NS);
    else
        return false;
    return true;
}

static void take_option(struct load_command *c)
{
    struct options *o = &c->options;
    if (take_request_option(c) || take_load_option(c))
        return;
    if (options_is(o, "help") || options_is(o, "h"))
        c->help = options_flag(o);
    else if (options_is(o, "json"))
        c->json = options_text(o);
    else if (options_is(o, "hist"))
        c->hist = options_text(o);
    else if (options_is(o, "series"))
        c->series = options_flag(o);
    else if (options_is(o, "bin"))
        c->plan.bin_ns = options_duration(o, BIN_NS_MIN, HOUR_NS);
    else if (options_is(o, "progress"))
        c->progress = options_flag(o);
    else if (options_is(o, "merge"))
        c->merge = options_flag(o);
    else if (options_is(o, "schedule"))
        c->schedule = options_flag(o);
    else
        options_wrong(o, "there is no such option");
}

/* -- the command as a whole ------------------------------------------------------------------- */

static bool complete_schedule(struct load_command *c)
{
    struct schedule *schedule = &c->plan.schedule;
    const bool steps = c->steps[0].seconds > 0;
    schedule->steps = c->steps;
    if (schedule->step_count > 0 && c->plan.connections > 0)
        return load_command_complain(
            "--rate (open loop) and --connections (closed loop) exclude each other");
    if (schedule->step_count == 0 && c->plan.open_first > 0)
        return load_command_complain("--open-first is of an open loop: it wants --rate");
    if (c->plan.open_first > 0 && c->request.close_each)
        return load_command_complain("--open-first and --close exclude each other");
    if (c->schedule && schedule->step_count == 0)
        return load_command_complain("--schedule shows that of an open loop: it wants --rate");
    if (steps && c->for_named)
        return load_command_complain("the steps of --rate have their own times: without --for");
    if (c->burst_named && schedule->kind != ARRIVALS_BURSTY)
        return load_command_complain("the options of bursts want --arrivals=bursty");
    if (schedule->burst_s >= schedule->burst_every_s)
        return load_command_complain("--burst-for is shorter than --burst-every");
    if (schedule->step_count == 0) {
        c->plan.connections = c->plan.connections > 0 ? c->plan.connections : CONNECTIONS_DEFAULT;
        return true;
    }
    if (!steps)
        c->steps[0].seconds = (double)c->plan.for_ns / 1e9;
    const double seconds = schedule_seconds(schedule);
    if (seconds > 24 * 3600)
        return load_command_complain("the steps of --rate are longer than a day together");
    c->plan.for_ns = (int64_t)(seconds * 1e9 + 0.5);
    return true;
}

static bool complete_targets(struct load_command *c)
{
    const int count = c->words.count;
    if (c->weight > 0)
        return load_command_complain("--weight belongs before the URL that it is for");
    if (c->words.field_count > (count > 0 ? c->words.fields_end[count - 1] : 0))
        return load_command_complain("--url-header belongs before the URL that it is for");
    if (count == 0)
        return load_command_complain("it wants an URL");
    if (c->request.method == NULL)
        c->request.method = c->request.body_bytes > 0 ? "POST" : "GET";
    char why[REQUEST_WHY_BYTES] = "";
    if (targets_init(&c->plan.targets, &c->words, &c->request, c->plan.schedule.seed, why) < 0)
        return load_command_complain(why);
    return true;
}

bool load_command_read(struct load_command *c, int argc, char **argv)
{
    *c = (struct load_command){
        .plan = {
            .for_ns = 5 * WEIR_NS_PER_S,
            .timeout_ns = WEIR_NS_PER_S,
            .late_ns_max = SEND_LATENESS_MAX_NS,
            .bin_ns = WEIR_NS_PER_S,
            .schedule = { .seed = 1, .burst_ratio = 10, .burst_s = 0.1, .burst_every_s = 1 },
        },
    };
    options_init(&c->options, "weir load", argc, argv);
    while (options_next(&c->options))
        take_option(c);
    if (c->options.wrong)
        return false;
    if (c->help)
        return true;
    if (c->merge)
        return c->words.count > 0 || load_command_complain("--merge wants files");
    if (stderr_is_terminal())
        c->plan.progress = PROGRESS_LIVE;
    else if (c->progress)
        c->plan.progress = PROGRESS_LINES;
    if (c->backoff_named && c->plan.retries == 0)
        return load_command_complain("--backoff is the pause before one of --retries");
    if (!c->backoff_named && c->plan.retries > 0)
        c->plan.backoff_ns = BACKOFF_NS_DEFAULT;
    return complete_schedule(c) && complete_targets(c);
}

void load_command_fini(struct load_command *c)
{
    targets_fini(&c->plan.targets);
    text_free(&c->urls_text);
    text_free(&c->fields_text);
    text_free(&c->body_text);
}
