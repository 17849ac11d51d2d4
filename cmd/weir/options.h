/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_OPTIONS_H
#define WEIR_TOOL_OPTIONS_H

/* Reading the command line: --name=value, --name value, --flag, and plain words.
 *
 * A mistake is reported once, to standard error, as one line that names the option and says what
 * it wants; the caller then ends with status 2.
 *
 * Threads: one. */

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *command; /* "weir load", for messages */
    int argc;
    char **argv;
    int next;          /* index of the next argument */
    const char *name;  /* of the present option, without dashes; NULL for a plain word */
    const char *value; /* what follows '=', or the plain word; NULL without one */
    bool wrong;        /* a mistake was reported */
};

void options_init(struct options *o, const char *command, int argc, char **argv);

/* Steps to the next argument.  False at the end, or once something was wrong. */
bool options_next(struct options *o);

/* Whether the present argument is this option. */
bool options_is(const struct options *o, const char *name);

/* The present option's value: after '=', else the next argument. */
const char *options_text(struct options *o);

/* The value after '=', or what stands for none: --name and --name=value. */
const char *options_optional(struct options *o, const char *otherwise);

/* The value as a whole number in [min, max]. */
int64_t options_number(struct options *o, int64_t min, int64_t max);

/* The value as a number with an optional fraction, in [min, max]. */
double options_decimal(struct options *o, double min, double max);

/* The value as a duration ("250ms", "5s", "2m", plain seconds without a unit), in ns: from
 * min_ns to max_ns. */
int64_t options_duration(struct options *o, int64_t min_ns, int64_t max_ns);

/* The same of any text; false: it is no duration. */
bool options_parse_duration(const char *text, int64_t *ns);

/* A flag: true; a value is a mistake. */
bool options_flag(struct options *o);

/* Reports a mistake of the present argument. */
void options_wrong(struct options *o, const char *what);

#endif
