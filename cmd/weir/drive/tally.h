/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_TALLY_H
#define WEIR_TOOL_DRIVE_TALLY_H

/* What came of the requests: in all, by step of the schedule, by URL, and in bins of time.
 *
 * A request may take several attempts.  Those are counted by outcome, under the step of their
 * request, and in the bin in which they themselves were due.
 *
 * Every request that was due has one outcome, and is counted in the step, under the URL and in the
 * bin in which it was due, whenever it was answered: so the outcomes of a bin add up to what was
 * due then.
 *
 * A bin has a histogram only for as long as one of its requests may still be answered in time; then
 * its percentiles are kept and the histogram serves a later bin.
 *
 * Invariant: of `all`, the steps, the URLs and the bins each sum to the same, and so do the
 * attempts; tally_valid().
 * Threads: one owner. */

#include <stdbool.h>
#include <stdint.h>

#include "base/hist.h"
#include "weir/err.h"

enum outcome {
    OUTCOME_OK,        /* status below 400, in time */
    OUTCOME_SHED,      /* 503, in time */
    OUTCOME_OTHER,     /* another status, in time */
    OUTCOME_LATE,      /* answered, but after the timeout */
    OUTCOME_TIMEOUT,   /* not answered within the timeout */
    OUTCOME_ERROR,     /* refused, reset, malformed */
    OUTCOME_ABANDONED, /* in flight when the run was interrupted */
    OUTCOME_OVER,      /* not sent: in_flight_max were in flight */
    OUTCOME_BEHIND,    /* not sent: the generator was later than the timeout at the end */
    OUTCOMES
};

struct counts {
    uint64_t of[OUTCOMES];
};

#define ERROR_KINDS_MAX 6
#define BINS_MAX 100000
#define BIN_NS_MIN (INT64_C(10) * 1000000)
#define BIN_HISTS_BYTES_MAX ((size_t)256 << 20)

struct step_tally {
    struct counts counts;
    uint64_t attempts;
    struct wi_hist ok_ns;   /* latency: open loop from the intended time, closed from sending */
    struct wi_hist shed_ns; /* the same of 503 */
    struct wi_hist send_ns; /* open loop: how late requests were sent */
    int64_t wall_ns;        /* how long it took; 0 until it is over */
    int64_t cpu_ns;         /* what this program used meanwhile */
};

struct url_tally {
    struct counts counts;
    struct wi_hist ok_ns;
};

struct bin {
    struct counts counts;
    uint64_t attempts;
    int64_t in_flight; /* the most at once */
    int64_t p50_ns;    /* of ok requests; -1: there was none */
    int64_t p99_ns;
};

struct series {
    int64_t bin_ns;
    struct bin *bins; /* owned */
    int count;
    int opened;             /* bins before this one have begun */
    struct wi_hist *recent; /* owned; bin i has recent[i % recent_count] until it is closed */
    int recent_count;
    int closed; /* bins before this one have their percentiles */
};

/* Where a request is counted. */
struct mark {
    int step;
    int url;
    int bin;
};

struct tally {
    struct counts all;
    struct counts attempts;
    struct step_tally *steps; /* owned */
    int step_count;
    struct url_tally *urls; /* owned */
    int url_count;
    struct series series;

    uint64_t exhausted;  /* errors that say: this machine has no more ports, files or memory */
    uint64_t reconnects; /* kept connections that the service had closed meanwhile */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t dialed;
    int64_t in_flight;
    int64_t in_flight_peak;
    int64_t connections; /* open now, or being opened */

    struct wi_hist ok_ns; /* of all steps; filled by tally_finish() */
    struct wi_hist shed_ns;
    struct wi_hist send_ns;

    struct {
        int code;
        uint64_t count;
    } errors[ERROR_KINDS_MAX]; /* the last one collects what does not fit */

    const char *no_address; /* an address that cannot be dialed; NULL: none */
    int64_t elapsed_ns;     /* of the schedule, or to the last answer of a closed loop */
    double cpu;             /* of this program, in cores */
    bool interrupted;
};

struct tally_opts {
    int steps;
    int urls;
    int64_t bin_ns;
    int64_t length_ns;  /* of the run */
    int64_t timeout_ns; /* a request that is later is not ok */
};

/* 0; WEIR_ENOMEM; WEIR_EOVERFLOW: more bins, or histograms of bins, than the bounds. */
WEIR_CHECK int tally_init(struct tally *tally, const struct tally_opts *opts);
void tally_fini(struct tally *tally);

/* Where a request counts that is due so long after the begin. */
struct mark tally_mark(struct tally *tally, int step, int url, int64_t at_ns);

/* A request goes on its way, so much later than it was due. */
void tally_launched(struct tally *tally, const struct mark *mark);

void tally_sent(struct tally *tally, const struct mark *mark, int64_t late_ns);

/* An attempt of it has ended, which was due so long after the begin; `code` is that of an error. */
void tally_tried(struct tally *tally, const struct mark *mark, int64_t at_ns, enum outcome outcome,
                 int code);

/* It has ended; `latency_ns` is used for those that were answered in time. */
void tally_ended(struct tally *tally, const struct mark *mark, enum outcome outcome,
                 int64_t latency_ns);

/* Counts the code of a request's error among the kinds of errors. */
void tally_error_kind(struct tally *tally, int code);

/* After the last one: closes the bins and sums up the steps. */
void tally_finish(struct tally *tally);

/* Of all outcomes, and of those that were not sent. */
uint64_t counts_due(const struct counts *counts);
uint64_t counts_not_sent(const struct counts *counts);

bool tally_valid(const struct tally *tally);

#endif
