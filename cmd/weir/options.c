/* SPDX-License-Identifier: MIT */
/* Reading the command line.
 *
 * Invariant: once `wrong` is set every reader returns its smallest value and reports nothing, so
 * one mistake gives one line, whatever the caller still asks. */

#include "options.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void options_init(struct options *o, const char *command, int argc, char **argv)
{
    *o = (struct options){ .command = command, .argc = argc, .argv = argv, .next = 1 };
}

/* A value may hold anything; the line stays one line and does nothing to a terminal. */
static void print_tame(char *line)
{
    for (char *at = line; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    }
    fprintf(stderr, "%s\n", line);
}

void options_wrong(struct options *o, const char *what)
{
    if (o->wrong)
        return;
    o->wrong = true;
    char line[1024];
    if (o->name != NULL)
        snprintf(line, sizeof line, "%s: --%.100s: %s; try: %s --help", o->command, o->name, what,
                 o->command);
    else
        snprintf(line, sizeof line, "%s: '%.400s': %s; try: %s --help", o->command, o->value, what,
                 o->command);
    print_tame(line);
}

bool options_next(struct options *o)
{
    if (o->wrong || o->next >= o->argc)
        return false;
    char *word = o->argv[o->next++];
    o->name = NULL;
    o->value = word;
    if (word[0] != '-' || word[1] == '\0')
        return true;
    o->name = word + (word[1] == '-' ? 2 : 1);
    char *equals = strchr(word, '=');
    o->value = equals == NULL ? NULL : equals + 1;
    if (equals != NULL)
        *equals = '\0'; /* argv is ours to write; the name ends here */
    return true;
}

bool options_is(const struct options *o, const char *name)
{
    return o->name != NULL && strcmp(o->name, name) == 0;
}

const char *options_text(struct options *o)
{
    if (o->value == NULL && o->next < o->argc)
        o->value = o->argv[o->next++];
    if (o->value == NULL || o->value[0] == '\0') {
        options_wrong(o, "it wants a value");
        return "";
    }
    return o->value;
}

const char *options_optional(struct options *o, const char *otherwise)
{
    return o->value == NULL ? otherwise : options_text(o);
}

/* Reports the value, which does not fit, together with what would. */
static void wrong_value(struct options *o, const char *wanted)
{
    char what[192];
    snprintf(what, sizeof what, "'%.60s' is not %s", o->value, wanted);
    options_wrong(o, what);
}

int64_t options_number(struct options *o, int64_t min, int64_t max)
{
    const char *text = options_text(o);
    if (o->wrong)
        return min;
    char *end;
    const long long value = strtoll(text, &end, 10);
    /* A number too large for the type comes back as its end, which the range refuses. */
    if (*end == '\0' && end != text && value >= min && value <= max && value != LLONG_MAX)
        return value;
    char wanted[96];
    snprintf(wanted, sizeof wanted, "a whole number from %" PRId64 " to %" PRId64, min, max);
    wrong_value(o, wanted);
    return min;
}

double options_decimal(struct options *o, double min, double max)
{
    const char *text = options_text(o);
    if (o->wrong)
        return min;
    char *end;
    const double value = strtod(text, &end);
    if (*end == '\0' && end != text && value >= min && value <= max)
        return value;
    char wanted[96];
    snprintf(wanted, sizeof wanted, "a number from %.10g to %.10g", min, max);
    wrong_value(o, wanted);
    return min;
}

static const struct {
    const char *unit;
    double ns;
} units[] = {
    { "", 1e9 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 }, { "us", 1e3 },
};

bool options_parse_duration(const char *text, int64_t *ns)
{
    char *end;
    const double value = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof units[0]; i++) {
        const double exact = value * units[i].ns;
        if (strcmp(end, units[i].unit) != 0 || !(exact >= 0 && exact < (double)INT64_MAX))
            continue;
        *ns = (int64_t)exact;
        return true;
    }
    return false;
}

int64_t options_duration(struct options *o, int64_t min_ns, int64_t max_ns)
{
    const char *text = options_text(o);
    if (o->wrong)
        return min_ns;
    int64_t ns;
    if (options_parse_duration(text, &ns) && ns >= min_ns && ns <= max_ns)
        return ns;
    char wanted[96];
    snprintf(wanted, sizeof wanted, "a time such as 250ms, 5s or 2m, from %g s to %g s",
             (double)min_ns / 1e9, (double)max_ns / 1e9);
    wrong_value(o, wanted);
    return min_ns;
}

bool options_flag(struct options *o)
{
    if (o->value != NULL)
        options_wrong(o, "it takes no value");
    return true;
}
