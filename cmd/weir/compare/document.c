/* SPDX-License-Identifier: MIT */
/* Reading the document that report.h describes, and the words that are made of it.
 *
 * Threads: one. */

#include "compare/document.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "compare/report.h"

#define WORDS_BYTES_FIRST 256
#define WORDS_BYTES_MAX ((size_t)1 << 20)

/* Multiples are written with few digits; this is far below the distance of two. */
#define MULTIPLE_SAME 1e-6

/* One core also carries what is there once per machine, and two figures differ by their spread. */
#define SPEED_UP_BEYOND_CORES 1.15

double figure_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value))
        return NAN;
    const double number = json_number_value(value);
    return isfinite(number) && number >= 0 ? number : (double)NAN;
}

const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

bool flag_of(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

const json_t *list_of(const json_t *object, const char *name)
{
    const json_t *list = json_object_get(object, name);
    return json_is_array(list) ? list : NULL;
}

const json_t *contestant_of(const json_t *report, const char *name)
{
    const json_t *all = list_of(report, "contestants");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *contestant = json_array_get(all, i);
        if (strcmp(text_of(contestant, "name"), name) == 0)
            return contestant;
    }
    return NULL;
}

const json_t *point_of(const json_t *row, const char *cores, double multiple)
{
    const json_t *points = list_of(row, "points");
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *point = json_array_get(points, i);
        /* An absent multiple is NAN, which is near nothing. */
        if (strcmp(text_of(point, "cores"), cores) == 0 &&
            fabs(figure_of(point, "multiple") - multiple) < MULTIPLE_SAME)
            return point;
    }
    return NULL;
}

double not_sent_of(const json_t *point)
{
    static const char *const parts[] = { "goodput", "shed", "late", "timeout", "error", "other" };
    double rest = figure_of(point, "offered");
    for (size_t i = 0; i < wi_count_of(parts); i++)
        rest -= figure_of(point, parts[i]);
    return rest < 0 ? 0 : rest;
}

bool is_void(const json_t *point)
{
    return json_object_get(point, "void") != NULL;
}

double speed_up_most(const json_t *report)
{
    const double cores = figure_of(json_object_get(report, "machine"), "cores");
    return isnan(cores) ? (double)INFINITY : cores * SPEED_UP_BEYOND_CORES;
}

/* -- Loading ---------------------------------------------------------------------------------- */

/* A list of objects whose members `name` are texts, each there once. */
static bool names_are_unique(const json_t *list, const char *name)
{
    if (!json_is_array(list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = text_of(json_array_get(list, i), name);
        if (text[0] == '\0')
            return false;
        for (size_t earlier = 0; earlier < i; earlier++) {
            if (strcmp(text, text_of(json_array_get(list, earlier), name)) == 0)
                return false;
        }
    }
    return true;
}

/* What is wrong with the shape, NULL when nothing is. */
static const char *wrong_shape(const json_t *report)
{
    if (!names_are_unique(json_object_get(report, "contestants"), "name"))
        return "its \"contestants\" are not a list of objects with a \"name\" of their own";
    const json_t *workloads = json_object_get(report, "workloads");
    if (!names_are_unique(workloads, "name"))
        return "its \"workloads\" are not a list of objects with a \"name\" of their own";
    for (size_t i = 0; i < json_array_size(workloads); i++) {
        const json_t *rows = json_object_get(json_array_get(workloads, i), "rows");
        if (!names_are_unique(rows, "contestant"))
            return "the \"rows\" of a workload are not a list with one row a \"contestant\"";
        for (size_t row = 0; row < json_array_size(rows); row++) {
            if (contestant_of(report, text_of(json_array_get(rows, row), "contestant")) == NULL)
                return "a row's \"contestant\" is not one of its \"contestants\"";
        }
    }
    return NULL;
}

json_t *report_load(const char *path, char *why, size_t why_bytes)
{
    json_error_t error;
    json_t *report = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (report == NULL) {
        if (error.line > 0)
            snprintf(why, why_bytes, "%s is not JSON: line %d, column %d: %s", path, error.line,
                     error.column, error.text);
        else
            snprintf(why, why_bytes, "%s", error.text);
        return NULL;
    }
    const json_t *version = json_object_get(report, "version");
    const char *wrong = NULL;
    if (!json_is_integer(version))
        snprintf(why, why_bytes, "%s is JSON, but not a report of `weir compare`: no \"version\"",
                 path);
    else if (json_integer_value(version) != REPORT_VERSION)
        snprintf(why, why_bytes,
                 "%s is a report of version %" JSON_INTEGER_FORMAT
                 ", and this program reads version %d: show it with the weir that wrote it%s%s",
                 path, json_integer_value(version), REPORT_VERSION,
                 text_of(report, "weir")[0] != '\0' ? ", " : "", text_of(report, "weir"));
    else if ((wrong = wrong_shape(report)) != NULL)
        snprintf(why, why_bytes, "%s is damaged: %s", path, wrong);
    else
        return report;
    json_decref(report);
    return NULL;
}

/* -- Words ------------------------------------------------------------------------------------ */

/* Makes room for `more` bytes and the end. */
static bool words_reserve(struct words *words, size_t more)
{
    const size_t wanted = words->bytes + more + 1;
    if (wanted <= words->capacity_bytes)
        return true;
    size_t capacity = words->capacity_bytes > 0 ? words->capacity_bytes : WORDS_BYTES_FIRST;
    while (capacity < wanted && capacity <= WORDS_BYTES_MAX)
        capacity *= 2;
    char *text = capacity <= WORDS_BYTES_MAX ? realloc(words->text, capacity) : NULL;
    if (text == NULL)
        return false;
    words->text = text;
    words->capacity_bytes = capacity;
    return true;
}

void words_say(struct words *words, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    const int bytes = vsnprintf(NULL, 0, format, values);
    va_end(values);
    if (words->failed || bytes < 0 || !words_reserve(words, (size_t)bytes)) {
        words->failed = true;
        return;
    }
    va_start(values, format);
    vsnprintf(words->text + words->bytes, (size_t)bytes + 1, format, values);
    va_end(values);
    words->bytes += (size_t)bytes;
}

void words_fini(struct words *words)
{
    free(words->text);
    *words = (struct words){ 0 };
}

const char *short_number(double value, char text[static 32])
{
    if (isnan(value))
        return "-";
    if (value >= 99.95 || value == floor(value))
        snprintf(text, 32, "%.0f", value);
    else if (value >= 9.995)
        snprintf(text, 32, "%.1f", value);
    else
        snprintf(text, 32, "%.2f", value);
    return text;
}

/* The length of the character at `text`, 0 if there is none: RFC 3629, section 4. */
static size_t character_bytes(const unsigned char *text)
{
    const unsigned char first = text[0];
    if (first < 0x80)
        return first >= ' ' && first != 0x7F;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    const size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    /* The second byte excludes what is too long, halves of UTF-16, beyond Unicode, and controls. */
    const unsigned char least = first == 0xC2 || first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (text[1] < least || text[1] > most)
        return 0;
    for (size_t i = 2; i < bytes; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    return bytes;
}

void clean_text(char *text)
{
    while (*text != '\0') {
        const size_t bytes = character_bytes((const unsigned char *)text);
        if (bytes == 0)
            *text = '?';
        text += bytes > 0 ? bytes : 1;
    }
}

json_t *clean_json(const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, bytes);
    clean_text(copy);
    json_t *json = json_string(copy);
    free(copy);
    return json;
}
