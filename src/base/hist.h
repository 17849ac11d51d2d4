/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_HIST_H
#define WI_BASE_HIST_H

/* A log-linear histogram of durations: fixed memory, constant cost, bounded relative error.
 *
 * Values below 64 have a bucket each.  Every further power of two is cut into 32 equal buckets, so
 * a bucket is never wider than 1/32 of its values, and the value told for it, its middle, is off by
 * at most 1/64 (1.6 %).  Values are nanoseconds from 0 to 2^63-1; negative ones count as 0.
 *
 * Invariant: total equals the sum of all buckets, see wi_hist_valid().
 * Threads: one owner; merge or copy under the owner's lock.
 * Source: after HdrHistogram (Tene), with buckets of its own layout. */

#include <stdbool.h>
#include <stdint.h>

enum {
    WI_HIST_SPLIT_BITS = 5, /* 32 buckets for each power of two */
    WI_HIST_BUCKETS = (64 - WI_HIST_SPLIT_BITS) << WI_HIST_SPLIT_BITS,
};

struct wi_hist {
    uint64_t count[WI_HIST_BUCKETS];
    uint64_t total;
    int64_t min; /* exact; INT64_MAX while empty */
    int64_t max; /* exact; 0 while empty */
    double sum;
};

_Static_assert(sizeof(struct wi_hist) <= 32 * 1024, "one histogram stays within 32 KiB");

void wi_hist_init(struct wi_hist *hist);

void wi_hist_record(struct wi_hist *hist, int64_t value);

/* Records the same value `times` times. */
void wi_hist_record_times(struct wi_hist *hist, int64_t value, uint64_t times);

/* Adds everything that `from` holds. */
void wi_hist_merge(struct wi_hist *into, const struct wi_hist *from);

uint64_t wi_hist_count(const struct wi_hist *hist);
int64_t wi_hist_min(const struct wi_hist *hist); /* 0 while empty */
int64_t wi_hist_max(const struct wi_hist *hist);
double wi_hist_mean(const struct wi_hist *hist);

/* The smallest value told that at least `percent` of the records do not exceed: 50 is the median,
 * 100 the maximum (exact).  0 while empty. */
int64_t wi_hist_percentile(const struct wi_hist *hist, double percent);

/* Records whose bucket lies wholly at or below `value`: what a cumulative bucket of a metrics page
 * needs. */
uint64_t wi_hist_count_to(const struct wi_hist *hist, int64_t value);

/* The bucket of a value, and the lowest and highest value of a bucket below WI_HIST_BUCKETS: what
 * writing a histogram to a file and reading it back needs. */
uint32_t wi_hist_bucket(int64_t value);
int64_t wi_hist_lowest(uint32_t bucket);
int64_t wi_hist_highest(uint32_t bucket);

bool wi_hist_valid(const struct wi_hist *hist);

#endif
