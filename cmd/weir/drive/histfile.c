/* SPDX-License-Identifier: MIT */
/* Histograms in a file.  See histfile.h.
 *
 * Threads: any. */

#include "drive/histfile.h"

#include <inttypes.h>
#include <string.h>

#include "drive/text.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define FIRST_LINE "weir-histograms 1"

static const char *const names[] = { "ok", "503", "send_late" };

#define HISTOGRAMS 3

static struct wi_hist *histogram_at(struct histograms *all, int index)
{
    struct wi_hist *const at[HISTOGRAMS] = { &all->ok, &all->shed, &all->send_late };
    return at[index];
}

void histograms_init(struct histograms *into)
{
    for (int i = 0; i < HISTOGRAMS; i++)
        wi_hist_init(histogram_at(into, i));
}

/* -- writing ---------------------------------------------------------------------------------- */

static void write_one(FILE *out, const char *name, const struct wi_hist *hist)
{
    fprintf(out, "histogram %s count %" PRIu64 " min %" PRId64 " max %" PRId64 " sum %.0f\n", name,
            wi_hist_count(hist), wi_hist_min(hist), wi_hist_max(hist), hist->sum);
    for (uint32_t i = 0; i < WI_HIST_BUCKETS; i++) {
        if (hist->count[i] > 0)
            fprintf(out, "%" PRId64 " %" PRId64 " %" PRIu64 "\n", wi_hist_lowest(i),
                    wi_hist_highest(i), hist->count[i]);
    }
}

void histfile_write(FILE *out, const struct histograms *histograms)
{
    fprintf(out, FIRST_LINE "\n");
    write_one(out, names[0], &histograms->ok);
    write_one(out, names[1], &histograms->shed);
    write_one(out, names[2], &histograms->send_late);
    fprintf(out, "end\n");
}

/* -- reading ---------------------------------------------------------------------------------- */

/* Reads the buckets that follow; `line` becomes the first line that is none.  False: a bucket is
 * not one of ours. */
static bool read_buckets(struct text *text, struct wi_hist *hist, char **line)
{
    while ((*line = text_line(text)) != NULL) {
        int64_t lowest;
        int64_t highest;
        uint64_t count;
        char more;
        if (sscanf(*line, "%" SCNd64 " %" SCNd64 " %" SCNu64 " %c", &lowest, &highest, &count,
                   &more) != 3)
            return true;
        const uint32_t bucket = wi_hist_bucket(lowest);
        if (wi_hist_lowest(bucket) != lowest || wi_hist_highest(bucket) != highest || count == 0 ||
            hist->count[bucket] > 0)
            return false;
        hist->count[bucket] = count;
    }
    return true;
}

/* One histogram, whose heading is *line.  NULL, or what is wrong. */
static const char *read_one(struct text *text, const char *name, struct wi_hist *hist, char **line)
{
    char found[16];
    char more;
    wi_hist_init(hist);
    if (*line == NULL)
        return "the file ends too early";
    if (sscanf(*line, "histogram %15s count %" SCNu64 " min %" SCNd64 " max %" SCNd64 " sum %lf %c",
               found, &hist->total, &hist->min, &hist->max, &hist->sum, &more) != 5 ||
        strcmp(found, name) != 0)
        return "not the heading of a histogram where one should be";
    if (hist->total == 0)
        hist->min = INT64_MAX;
    if (!read_buckets(text, hist, line))
        return "not a bucket of this version, or one that comes twice";
    return wi_hist_valid(hist) ? NULL : "its buckets do not add up to its heading";
}

static const char *read_all(struct text *text, struct histograms *into)
{
    char *line = text_line(text);
    if (line == NULL || strcmp(line, FIRST_LINE) != 0)
        return "it does not begin with '" FIRST_LINE "', as weir load --hist writes it";
    line = text_line(text);
    for (int i = 0; i < HISTOGRAMS; i++) {
        struct wi_hist hist;
        const char *wrong = read_one(text, names[i], &hist, &line);
        if (wrong != NULL)
            return wrong;
        wi_hist_merge(histogram_at(into, i), &hist);
    }
    if (line == NULL || strcmp(line, "end") != 0)
        return "it has no end: it was cut";
    return text_line(text) == NULL ? NULL : "something stands behind its end";
}

int histfile_add(const char *path, struct histograms *into, char why[HISTFILE_WHY_BYTES])
{
    struct text text;
    const int rc = text_read(&text, path, FILE_BYTES_MAX);
    if (rc < 0) {
        snprintf(why, HISTFILE_WHY_BYTES, "%s", text_why(rc));
        return rc;
    }
    const char *wrong = read_all(&text, into);
    if (wrong != NULL)
        snprintf(why, HISTFILE_WHY_BYTES, "line %d: %s", text.number, wrong);
    text_free(&text);
    return wrong == NULL ? 0 : WEIR_EINVAL;
}
