/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_HELP_H
#define WI_APP_HELP_H

/* What --help prints.  Pure. */

#include "app/text.h"
#include "weir/app.h"

enum {
    WI_HELP_BYTES = 8192
};

/* The help of this app: at most 80 columns, made from the tables of models and options. */
void wi_help_write(struct wi_text *out, const struct weir_app_spec *spec);

#endif
