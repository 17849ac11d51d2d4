/* SPDX-License-Identifier: MIT */
/* Parsing of options.  See options.h. */
#include "app/options.h"

#include <string.h>

#include "app/nearest.h"
#include "base/check.h"
#include "weir/time.h"

enum {
    ROWS_MAX = 32,
    NAME_BYTES = 64,
    PIECE_BYTES = 64
};
#define DURATION_MAX_NS (INT64_C(24) * 3600 * WEIR_NS_PER_S)

/* -- values ----------------------------------------------------------------------------------- */

/* Digits only: no sign, no space, no 0x.  The number, or -1 (also when it exceeds `max`); *end is
 * where the digits stop. */
static int64_t digits(const char *text, int64_t max, const char **end)
{
    int64_t number = 0;
    const char *at = text;
    *end = text;
    while (*at >= '0' && *at <= '9') {
        number = number * 10 + (*at - '0');
        if (number > max)
            return -1;
        at++;
    }
    *end = at;
    return at == text ? -1 : number;
}

static int whole_number(const char *value, int64_t max, int64_t *out, struct wi_text *why)
{
    const char *end;
    const int64_t number = digits(value, max, &end);
    if (number < 1 || *end != '\0') {
        wi_text_add(why, "a whole number from 1 to %lld is needed", (long long)max);
        return WEIR_EINVAL;
    }
    *out = number;
    return 0;
}

int64_t wi_duration_parse(const char *text)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {
        { "", WEIR_NS_PER_S },  { "us", WEIR_NS_PER_US },    { "ms", WEIR_NS_PER_MS },
        { "s", WEIR_NS_PER_S }, { "m", 60 * WEIR_NS_PER_S }, { "h", 3600 * WEIR_NS_PER_S },
    };
    const char *end;
    const int64_t number = digits(text, DURATION_MAX_NS, &end);
    if (number < 0)
        return WEIR_EINVAL;
    for (size_t i = 0; i < wi_count_of(units); i++) {
        if (strcmp(end, units[i].unit) == 0)
            return number <= DURATION_MAX_NS / units[i].ns ? number * units[i].ns : WEIR_EINVAL;
    }
    return WEIR_EINVAL;
}

/* Takes the next piece of a comma-separated list; false at its end.  A piece that is too long
 * comes out empty, which no caller accepts. */
static bool next_piece(const char **rest, char *piece, size_t bytes)
{
    if (*rest == NULL)
        return false;
    const char *comma = strchr(*rest, ',');
    const size_t length = comma != NULL ? (size_t)(comma - *rest) : strlen(*rest);
    const size_t kept = length < bytes ? length : 0;
    memcpy(piece, *rest, kept);
    piece[kept] = '\0';
    *rest = comma != NULL ? comma + 1 : NULL;
    return true;
}

/* -- one function for each option -------------------------------------------------------------- */

static int set_model(struct wi_options *options, const char *value, struct wi_text *why)
{
    options->wish.model = wi_model_find(value);
    if (options->wish.model != NULL)
        return 0;
    const char *names[WI_MODELS * (1 + WI_MODEL_ALIASES_MAX)];
    size_t count = 0;
    for (int i = 0; i < WI_MODELS; i++) {
        names[count++] = wi_models[i].name;
        for (int j = 0; j < WI_MODEL_ALIASES_MAX && wi_models[i].aliases[j] != NULL; j++)
            names[count++] = wi_models[i].aliases[j];
    }
    const char *nearest = wi_nearest(value, names, count);
    wi_text_add(why, "no such model");
    if (nearest != NULL)
        wi_text_add(why, ", did you mean %s?  There", nearest);
    else
        wi_text_add(why, "; there");
    wi_text_add(why, " are loop, cluster, tasks, threads, prefork");
    return WEIR_EINVAL;
}

static int set_scheduler(struct wi_options *options, const char *value, struct wi_text *why)
{
    options->wish.scheduler = wi_scheduler_find(value);
    if (options->wish.scheduler >= 0)
        return 0;
    wi_text_add(why, "no such scheduler; there are loop, tasks, threads");
    return WEIR_EINVAL;
}

static int set_processes(struct wi_options *options, const char *value, struct wi_text *why)
{
    int64_t number = 0;
    const int rc = whole_number(value, WI_PROCESSES_MAX, &number, why);
    options->wish.processes = (int)number;
    return rc;
}

static int set_cores(struct wi_options *options, const char *value, struct wi_text *why)
{
    int64_t number = 0;
    const int rc = whole_number(value, WI_CORES_MAX, &number, why);
    options->wish.cores = (int)number;
    return rc;
}

static int set_max_running(struct wi_options *options, const char *value, struct wi_text *why)
{
    return whole_number(value, WI_WAITING_MAX, &options->wish.running_max, why);
}

/* A count, an age, or both: the one with a unit is the age. */
static int set_max_waiting(struct wi_options *options, const char *value, struct wi_text *why)
{
    char piece[PIECE_BYTES];
    const char *rest = value;
    int64_t count = 0;
    int64_t age_ns = 0;
    while (next_piece(&rest, piece, sizeof(piece))) {
        const char *end;
        const int64_t number = digits(piece, WI_WAITING_MAX, &end);
        const int64_t duration = wi_duration_parse(piece);
        if (number >= 1 && *end == '\0' && count == 0)
            count = number;
        else if (duration > 0 && *end != '\0' && age_ns == 0)
            age_ns = duration;
        else
            goto wrong;
    }
    options->waiting_max = count;
    options->waiting_age_ns = age_ns;
    return 0;

wrong:
    wi_text_add(why, "a count (200), an age (500ms) or both (200,500ms) are needed");
    return WEIR_EINVAL;
}

static int set_admission(struct wi_options *options, const char *value, struct wi_text *why)
{
    options->admission_off = strcmp(value, "off") == 0;
    if (options->admission_off || strcmp(value, "on") == 0)
        return 0;
    wi_text_add(why, "on or off is needed");
    return WEIR_EINVAL;
}

static int set_client_abort(struct wi_options *options, const char *value, struct wi_text *why)
{
    options->ignore_client_abort = strcmp(value, "ignore") == 0;
    if (options->ignore_client_abort || strcmp(value, "cancel") == 0)
        return 0;
    wi_text_add(why, "cancel or ignore is needed");
    return WEIR_EINVAL;
}

static int set_listen(struct wi_options *options, const char *value, struct wi_text *why)
{
    if (value[0] == '\0') {
        wi_text_add(why, "an address is needed: HOST:PORT, :PORT, [IPv6]:PORT or unix:PATH");
        return WEIR_EINVAL;
    }
    if (options->listen_count == WI_LISTEN_MAX) {
        wi_text_add(why, "at most %d addresses", WI_LISTEN_MAX);
        return WEIR_EINVAL;
    }
    options->listen[options->listen_count++] = value;
    return 0;
}

static int set_admin(struct wi_options *options, const char *value, struct wi_text *why)
{
    (void)why; /* the address is judged with those of --listen, when they are opened */
    options->admin = value;
    return 0;
}

static int set_drain_timeout(struct wi_options *options, const char *value, struct wi_text *why)
{
    options->drain_ns = wi_duration_parse(value);
    if (options->drain_ns >= 0)
        return 0;
    wi_text_add(why, "a time is needed, as 500ms, 10s or 2m, at most 24h");
    return WEIR_EINVAL;
}

static int set_sigquit(struct wi_options *options, const char *value, struct wi_text *why)
{
    options->quit_stays = strcmp(value, "stay") == 0;
    if (options->quit_stays || strcmp(value, "exit") == 0)
        return 0;
    wi_text_add(why, "exit or stay is needed");
    return WEIR_EINVAL;
}

static int set_log(struct wi_options *options, const char *value, struct wi_text *why)
{
    for (int level = WI_LOG_ERROR; level <= WI_LOG_DEBUG; level++) {
        if (strcmp(value, wi_log_level_name((enum wi_log_level)level)) == 0) {
            options->log_level = (enum wi_log_level)level;
            return 0;
        }
    }
    wi_text_add(why, "error, warn, info or debug is needed");
    return WEIR_EINVAL;
}

static int set_help(struct wi_options *options, const char *value, struct wi_text *why)
{
    (void)value;
    (void)why;
    options->help = true;
    return 0;
}

static int set_version(struct wi_options *options, const char *value, struct wi_text *why)
{
    (void)value;
    (void)why;
    options->version = true;
    return 0;
}

const struct wi_option_row wi_option_rows[] = {
    { "model", "WEIR_MODEL", "NAME", "how requests become CPU time; see above", NULL, "What runs",
      set_model },
    { "cores", "WEIR_CORES", "N", "cores to fill", "all usable", NULL, set_cores },
    { "processes", "WEIR_PROCESSES", "N", "processes that share the listeners", "the model's", NULL,
      set_processes },
    { "scheduler", "WEIR_SCHEDULER", "NAME", "inside each: loop, tasks, threads", "the model's",
      NULL, set_scheduler },
    { "listen", "WEIR_LISTEN", "ADDRESS",
      "HOST:PORT, :PORT, [V6]:PORT or unix:PATH;\nrepeatable (in the variable: commas)", NULL,
      "Where", set_listen },
    { "admin", "WEIR_ADMIN", "ADDRESS", "serve /healthz, /readyz, /metrics, /tasks there",
      "nowhere", NULL, set_admin },
    { "max-running", "WEIR_MAX_RUNNING", "N", "requests at once in each process", "the scheduler's",
      "How much (beyond: 503 and Retry-After)", set_max_running },
    { "max-waiting", "WEIR_MAX_WAITING", "N,AGE", "requests that may wait, and how long", "1024,1s",
      NULL, set_max_waiting },
    { "admission", "WEIR_ADMISSION", "WORD", "refuse what the cores cannot do in time: on or off",
      "on", NULL, set_admission },
    { "client-abort", "WEIR_CLIENT_ABORT", "WORD",
      "when a client leaves: cancel its handler, or ignore it", "cancel", "Else",
      set_client_abort },
    { "drain-timeout", "WEIR_DRAIN_TIMEOUT", "TIME", "for requests in flight, after SIGTERM", "10s",
      NULL, set_drain_timeout },
    { "sigquit", "WEIR_SIGQUIT", "WORD", "after SIGQUIT has printed all tasks: exit or stay",
      "exit", NULL, set_sigquit },
    { "log", "WEIR_LOG", "LEVEL", "error, warn, info or debug", "info", NULL, set_log },
    { "version", NULL, NULL, "print the version", NULL, NULL, set_version },
    { "help", NULL, NULL, "print this", NULL, NULL, set_help },
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};

/* -- the command line ------------------------------------------------------------------------- */

static int find_row(const char *name)
{
    for (int i = 0; wi_option_rows[i].name != NULL; i++) {
        if (strcmp(wi_option_rows[i].name, name) == 0)
            return i;
    }
    return -1;
}

static int refuse_unknown(const char *name, struct wi_text *why)
{
    const char *names[ROWS_MAX];
    size_t count = 0;
    while (wi_option_rows[count].name != NULL) {
        wi_bug_unless_cmp(count, <, ROWS_MAX);
        names[count] = wi_option_rows[count].name;
        count++;
    }
    const char *nearest = wi_nearest(name, names, count);
    wi_text_add(why, "--%s: no such option", name);
    if (nearest != NULL)
        wi_text_add(why, ", did you mean --%s?", nearest);
    else
        wi_text_add(why, "; --help shows them");
    return WEIR_EINVAL;
}

/* Calls the row's function, and puts "--name=value: " before what it complains of. */
static int apply(struct wi_options *options, const struct wi_option_row *row, const char *source,
                 const char *value, struct wi_text *why)
{
    char reason_text[256];
    struct wi_text reason;
    wi_text_init(&reason, reason_text, sizeof(reason_text));
    const int rc = row->set(options, value, &reason);
    if (rc != 0)
        wi_text_add(why, "%s=%.100s: %s", source, value, reason.data);
    return rc;
}

struct command_line {
    int argc;
    char **argv;
    int at; /* the argument to look at next */
    bool seen[ROWS_MAX];
};

/* One option, with its value behind '=' or in the next argument. */
static int take_option(struct wi_options *options, struct command_line *line, struct wi_text *why)
{
    const char *argument = line->argv[line->at++];
    if (strcmp(argument, "-h") == 0)
        argument = "--help";
    if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0') {
        wi_text_add(why, "%.100s: not an option; --help shows them", argument);
        return WEIR_EINVAL;
    }

    const char *equals = strchr(argument, '=');
    const size_t length = equals != NULL ? (size_t)(equals - argument) - 2 : strlen(argument + 2);
    char name[NAME_BYTES] = "";
    memcpy(name, argument + 2, length < sizeof(name) ? length : sizeof(name) - 1);
    const int index = find_row(name);
    if (index < 0)
        return refuse_unknown(name, why);
    const struct wi_option_row *row = &wi_option_rows[index];
    line->seen[index] = true;

    const char *value = equals != NULL ? equals + 1 : "";
    if (row->value == NULL && equals != NULL) {
        wi_text_add(why, "--%s takes no value", name);
        return WEIR_EINVAL;
    }
    if (row->value != NULL && equals == NULL) {
        if (line->at == line->argc) {
            wi_text_add(why, "--%s needs a value: --%s=%s", name, name, row->value);
            return WEIR_EINVAL;
        }
        value = line->argv[line->at++];
    }
    char source[NAME_BYTES + 2] = "--";
    memcpy(source + 2, name, strlen(name) + 1);
    return apply(options, row, source, value, why);
}

/* A list of addresses in one variable. */
static int apply_listen_list(struct wi_options *options, const struct wi_option_row *row,
                             const char *value, struct wi_text *why)
{
    const size_t bytes = strlen(value) + 1;
    if (bytes > sizeof(options->listen_text)) {
        wi_text_add(why, "%s: longer than %d bytes", row->env, WI_LISTEN_BYTES - 1);
        return WEIR_EINVAL;
    }
    memcpy(options->listen_text, value, bytes);
    int rc = 0;
    for (char *at = options->listen_text; at != NULL && rc == 0;) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma = '\0';
        rc = apply(options, row, row->env, at, why);
        at = comma != NULL ? comma + 1 : NULL;
    }
    return rc;
}

static int take_environment(struct wi_options *options, const struct command_line *line,
                            const char *(*env)(const char *name), struct wi_text *why)
{
    for (int i = 0; wi_option_rows[i].name != NULL; i++) {
        const struct wi_option_row *row = &wi_option_rows[i];
        const char *value = row->env != NULL && !line->seen[i] ? env(row->env) : NULL;
        if (value == NULL || value[0] == '\0')
            continue;
        const int rc = row->set == set_listen ? apply_listen_list(options, row, value, why)
                                              : apply(options, row, row->env, value, why);
        if (rc != 0)
            return rc;
    }
    const char *old_kernel = env("WEIR_FORCE_OLD_KERNEL");
    options->old_kernel = old_kernel != NULL && strcmp(old_kernel, "1") == 0;
    return 0;
}

int wi_options_parse(struct wi_options *out, int argc, char **argv,
                     const char *(*env)(const char *name), struct wi_text *why)
{
    *out = (struct wi_options){
        .wish = { .scheduler = -1 },
        .drain_ns = WI_DRAIN_NS_DEFAULT,
        .log_level = WI_LOG_INFO,
    };
    struct command_line line = { .argc = argc, .argv = argv, .at = 1 };
    while (line.at < argc) {
        const int rc = take_option(out, &line, why);
        if (rc != 0)
            return rc;
        if (out->help || out->version)
            return 0; /* whatever else is there, the question is answered */
    }
    return take_environment(out, &line, env, why);
}
