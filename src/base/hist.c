/* SPDX-License-Identifier: MIT */
/* The log-linear histogram; its layout is told in hist.h. */
#include "base/hist.h"

#include <string.h>

#include "base/check.h"

enum {
    SPLIT = 1 << WI_HIST_SPLIT_BITS
};

/* For values of 2 * SPLIT and more, `shift` drops all but the top WI_HIST_SPLIT_BITS + 1 bits; the
 * top bit is known, so the rest numbers the bucket within its power of two. */
uint32_t wi_hist_bucket(int64_t value)
{
    const uint64_t word = value > 0 ? (uint64_t)value : 0;
    if (word < 2 * SPLIT)
        return (uint32_t)word;
    const int shift = 63 - __builtin_clzll(word) - WI_HIST_SPLIT_BITS;
    return (uint32_t)(shift * SPLIT) + (uint32_t)(word >> shift);
}

static int shift_of(uint32_t bucket)
{
    return bucket < 2 * SPLIT ? 0 : (int)(bucket / SPLIT) - 1;
}

int64_t wi_hist_lowest(uint32_t bucket)
{
    const int shift = shift_of(bucket);
    return (int64_t)(((uint64_t)bucket - (uint64_t)shift * SPLIT) << shift);
}

int64_t wi_hist_highest(uint32_t bucket)
{
    return wi_hist_lowest(bucket) + (int64_t)(((uint64_t)1 << shift_of(bucket)) - 1);
}

static int64_t middle_of(uint32_t bucket)
{
    const int64_t lowest = wi_hist_lowest(bucket);
    return lowest + (wi_hist_highest(bucket) - lowest) / 2;
}

void wi_hist_init(struct wi_hist *hist)
{
    memset(hist, 0, sizeof(*hist));
    hist->min = INT64_MAX;
}

void wi_hist_record(struct wi_hist *hist, int64_t value)
{
    wi_hist_record_times(hist, value, 1);
}

void wi_hist_record_times(struct wi_hist *hist, int64_t value, uint64_t times)
{
    if (times == 0)
        return;
    const int64_t counted = value > 0 ? value : 0;
    hist->count[wi_hist_bucket(counted)] += times;
    hist->total += times;
    hist->sum += (double)counted * (double)times;
    if (counted < hist->min)
        hist->min = counted;
    if (counted > hist->max)
        hist->max = counted;
}

void wi_hist_merge(struct wi_hist *into, const struct wi_hist *from)
{
    for (uint32_t i = 0; i < WI_HIST_BUCKETS; i++)
        into->count[i] += from->count[i];
    into->total += from->total;
    into->sum += from->sum;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t wi_hist_count(const struct wi_hist *hist)
{
    return hist->total;
}

int64_t wi_hist_min(const struct wi_hist *hist)
{
    return hist->total == 0 ? 0 : hist->min;
}

int64_t wi_hist_max(const struct wi_hist *hist)
{
    return hist->max;
}

double wi_hist_mean(const struct wi_hist *hist)
{
    return hist->total == 0 ? 0.0 : hist->sum / (double)hist->total;
}

static int64_t clamp(const struct wi_hist *hist, int64_t value)
{
    if (value > hist->max)
        return hist->max;
    return value < hist->min ? hist->min : value;
}

int64_t wi_hist_percentile(const struct wi_hist *hist, double percent)
{
    wi_bug_unless(percent >= 0.0);
    wi_bug_unless(percent <= 100.0);
    if (hist->total == 0)
        return 0;
    const double wanted = (double)hist->total * percent / 100.0;
    const uint64_t whole = (uint64_t)wanted;
    const uint64_t rank = whole + ((double)whole < wanted || whole == 0 ? 1 : 0); /* rounded up */
    if (rank >= hist->total)
        return hist->max;

    uint64_t seen = 0;
    for (uint32_t i = 0; i < WI_HIST_BUCKETS; i++) {
        seen += hist->count[i];
        if (seen >= rank)
            return clamp(hist, middle_of(i));
    }
    return hist->max;
}

uint64_t wi_hist_count_to(const struct wi_hist *hist, int64_t value)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < WI_HIST_BUCKETS && wi_hist_highest(i) <= value; i++)
        seen += hist->count[i];
    return seen;
}

bool wi_hist_valid(const struct wi_hist *hist)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < WI_HIST_BUCKETS; i++)
        seen += hist->count[i];
    if (seen != hist->total)
        return false;
    if (seen == 0)
        return hist->max == 0 && hist->min == INT64_MAX;
    return hist->min <= hist->max && hist->count[wi_hist_bucket(hist->max)] > 0 &&
           hist->count[wi_hist_bucket(hist->min)] > 0;
}
