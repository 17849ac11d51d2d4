/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_DOCUMENT_H
#define WEIR_TOOL_COMPARE_DOCUMENT_H

/* Reading the document that report.h describes.  Whatever is absent, or not of the kind that it
 * should be, reads as absent: so what judges and shows it needs no further checks.
 *
 * Threads: one. */

#include <stdbool.h>

#include <jansson.h>

#include "weir/err.h"

/* The number of that name; NAN when it is absent, negative or no number. */
double figure_of(const json_t *object, const char *name);

/* The text of that name; "" when it is absent. */
const char *text_of(const json_t *object, const char *name);

bool flag_of(const json_t *object, const char *name);

/* The list of that name; NULL when it is absent, which json_array_size() takes for an empty one. */
const json_t *list_of(const json_t *object, const char *name);

/* The contestant of that name, NULL when there is none. */
const json_t *contestant_of(const json_t *report, const char *name);

/* The row's point at that multiple of its capacity, NULL when it was not measured.  cores is "one"
 * or "all". */
const json_t *point_of(const json_t *row, const char *cores, double multiple);

/* What was due at that point and is in none of its other parts: a generator that is a timeout
 * behind gives such requests up.  NAN when one of the parts is not known. */
double not_sent_of(const json_t *point);

/* Whether the generator could not keep its schedule there: such figures decide nothing. */
bool is_void(const json_t *point);

/* The largest speed-up that the machine's cores can give, with what measuring adds: beyond it the
 * figure on one core was disturbed.  INFINITY when the cores are not known. */
double speed_up_most(const json_t *report);

/* Text that grows as it is said.  After a failure (no memory) nothing is added any more. */
struct words {
    char *text; /* NULL while empty */
    size_t bytes;
    size_t capacity_bytes;
    bool failed;
};

void words_say(struct words *words, const char *format, ...) WEIR_PRINTF(2, 3);
void words_fini(struct words *words);

/* Makes a text that came from elsewhere (a log, a command line) fit for JSON and for a terminal, in
 * place: bytes that are not UTF-8, also a character that was cut, and controls become '?'. */
void clean_text(char *text);

/* A copy of the text, cleaned, as JSON; NULL without memory. */
json_t *clean_json(const char *text);

/* A figure with about three digits: 1840, 47.3, 0.52, 4.  "-" when it is absent. */
const char *short_number(double value, char text[static 32]);

#endif
