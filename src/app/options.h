/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_OPTIONS_H
#define WI_APP_OPTIONS_H

/* The options of a service: a table of rows, from which both the parser and --help work.  Pure:
 * the environment is a function.
 *
 * The command line wins over the environment; a variable that an option overrides is not even
 * looked at. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/models.h"
#include "app/text.h"
#include "base/log.h"

enum {
    WI_LISTEN_MAX = 16,
    WI_LISTEN_BYTES = 1024,
    WI_WAITING_MAX = 1000000
};
#define WI_DRAIN_NS_DEFAULT (INT64_C(10) * WEIR_NS_PER_S)

struct wi_options {
    struct wi_wish wish;
    int64_t waiting_max;    /* 0: not asked for */
    int64_t waiting_age_ns; /* 0: not asked for */
    bool admission_off;
    bool ignore_client_abort;
    const char *listen[WI_LISTEN_MAX]; /* addresses in the order they came */
    int listen_count;
    const char *admin; /* NULL: none */
    int64_t drain_ns;
    enum wi_log_level log_level;
    bool quit_stays; /* SIGQUIT prints the tasks, and that is all */
    bool old_kernel; /* WEIR_FORCE_OLD_KERNEL */
    bool help, version;
    char listen_text[WI_LISTEN_BYTES]; /* what listen[] points at if it came as one list */
};

struct wi_option_row {
    const char *name;     /* without the dashes */
    const char *env;      /* NULL: none */
    const char *value;    /* what it takes, for --help; NULL: nothing */
    const char *what;     /* for --help */
    const char *fallback; /* for --help; NULL: none */
    const char *group;    /* for --help: a heading; NULL: the one before */
    /* 0, or WEIR_EINVAL with what is allowed in *why. */
    int (*set)(struct wi_options *options, const char *value, struct wi_text *why);
};

/* Ends with a row without a name. */
extern const struct wi_option_row wi_option_rows[];

/* Reads argv[1] on, then the environment (`env` gives a variable or NULL).  The texts of argv and
 * of the environment are borrowed.
 * 0, or WEIR_EINVAL and one line (option, value, what is allowed; no full stop) in *why. */
WEIR_CHECK int wi_options_parse(struct wi_options *out, int argc, char **argv,
                                const char *(*env)(const char *name), struct wi_text *why);

/* "250ms", "10s", "2m", "1h"; a bare number is seconds.  ns, or WEIR_EINVAL; 0 is allowed. */
WEIR_CHECK int64_t wi_duration_parse(const char *text);

#endif
