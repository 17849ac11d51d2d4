/* SPDX-License-Identifier: MIT */
/* The journal.  See journal.h. */

#include "compare/journal.h"

#include <stdint.h>
#include <string.h>

#include "weir/err.h"

#define LINE_BYTES 262144

/* The next line as JSON; NULL at the end, or where a line is no JSON: the rest is not trusted. */
static json_t *read_line(FILE *file, char line[LINE_BYTES])
{
    if (fgets(line, LINE_BYTES, file) == NULL || strchr(line, '\n') == NULL)
        return NULL;
    return json_loads(line, 0, NULL);
}

/* The name of the first setting that differs, or NULL. */
static const char *difference(const json_t *before, const json_t *now)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)now, name, value)
    {
        if (!json_equal(json_object_get(before, name), value))
            return name;
    }
    return NULL;
}

static void read_results(struct journal *journal, FILE *file, char line[LINE_BYTES])
{
    json_t *entry;
    while ((entry = read_line(file, line)) != NULL) {
        const char *key = json_string_value(json_object_get(entry, "key"));
        json_t *result = json_object_get(entry, "result");
        if (key != NULL && json_is_object(result) &&
            json_object_set(journal->results, key, result) == 0)
            journal->found++;
        json_decref(entry);
    }
}

static void read_earlier(struct journal *journal, const json_t *settings, char said[REASON_BYTES])
{
    static char line[LINE_BYTES]; /* one thread; too large for a stack */
    FILE *file = fopen(journal->path, "r");
    if (file == NULL)
        return;
    json_t *before = read_line(file, line);
    const char *other = before != NULL ? difference(before, settings) : "form of the file";
    if (other == NULL)
        read_results(journal, file, line);
    else
        snprintf(said, REASON_BYTES,
                 "An earlier comparison there was interrupted, but differs in its %s: it is not "
                 "used, and all is measured anew.",
                 other);
    json_decref(before);
    (void)fclose(file);
}

static int write_line(struct journal *journal, const json_t *entry)
{
    if (json_dumpf(entry, journal->file, JSON_COMPACT) == 0 && fputc('\n', journal->file) != EOF &&
        fflush(journal->file) == 0)
        return 0;
    return WEIR_EIO;
}

static int write_result(struct journal *journal, const char *key, json_t *result)
{
    json_t *entry = json_pack("{s:s, s:O}", "key", key, "result", result);
    const int rc = entry == NULL ? WEIR_ENOMEM : write_line(journal, entry);
    json_decref(entry);
    return rc;
}

/* Writes all that was found again, which also drops a line that was cut off.  What was there before
 * is replaced once that has succeeded. */
static int rewrite(struct journal *journal, const json_t *settings)
{
    char temporary[sizeof journal->path + 8];
    snprintf(temporary, sizeof temporary, "%s.new", journal->path);
    journal->file = fopen(temporary, "w");
    if (journal->file == NULL)
        return WEIR_EIO;
    int rc = write_line(journal, settings);
    const char *key;
    json_t *result;
    json_object_foreach(journal->results, key, result)
    {
        if (rc == 0)
            rc = write_result(journal, key, result);
    }
    if (rc == 0 && rename(temporary, journal->path) == 0)
        return 0;
    (void)remove(temporary);
    return rc < 0 ? rc : WEIR_EIO;
}

int journal_open(struct journal *journal, const char *folder, const json_t *settings, bool fresh,
                 char said[REASON_BYTES])
{
    said[0] = '\0';
    *journal = (struct journal){ .results = json_object() };
    if (journal->results == NULL)
        return WEIR_ENOMEM;
    snprintf(journal->path, sizeof journal->path, "%s/journal.jsonl", folder);
    if (!fresh)
        read_earlier(journal, settings, said);
    return rewrite(journal, settings);
}

const json_t *journal_find(const struct journal *journal, const char *key)
{
    return json_object_get(journal->results, key);
}

int journal_add(struct journal *journal, const char *key, json_t *result)
{
    if (json_object_set(journal->results, key, result) != 0)
        return WEIR_ENOMEM;
    return write_result(journal, key, result);
}

void journal_close(struct journal *journal)
{
    if (journal->file != NULL)
        (void)fclose(journal->file); /* every line was flushed when it was written */
    json_decref(journal->results);
    *journal = (struct journal){ 0 };
}
