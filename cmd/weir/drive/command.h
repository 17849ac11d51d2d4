/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_COMMAND_H
#define WEIR_TOOL_DRIVE_COMMAND_H

/* The command line of `weir load`, read and completed.
 *
 * Threads: one. */

#include <stdbool.h>

#include "drive/drive.h"
#include "drive/profile.h"
#include "drive/text.h"
#include "options.h"

/* Large: it holds the lists that the user may write. */
struct load_command {
    struct options options;
    struct url_list words; /* URLs; with --merge files */
    double weight;         /* of the next URL; 0: none was named */
    struct request_opts request;
    struct text urls_text; /* what urls, fields and the body point into */
    struct text fields_text;
    struct text body_text;
    struct step steps[STEPS_MAX];
    struct plan plan;
    const char *json; /* a file, "-", or NULL */
    const char *hist;
    bool for_named;
    bool burst_named;
    bool backoff_named;
    bool progress;
    bool series;
    bool merge;
    bool schedule;
    bool help;
};

/* Reads it.  False: the mistake was reported, in one line.  The plan's targets are made unless
 * help or merge is asked for. */
bool load_command_read(struct load_command *c, int argc, char **argv);
void load_command_fini(struct load_command *c);

/* One line about the command as a whole; false. */
bool load_command_complain(const char *what);

#endif
