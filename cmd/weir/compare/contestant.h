/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_CONTESTANT_H
#define WEIR_TOOL_COMPARE_CONTESTANT_H

/* Who is compared: weir's demo service, or the user's program, under each model, and the reference
 * servers in other languages that peers.json describes.
 *
 * peers.json is an array of
 *   { "name", "family", "model", "guarded", "shares_memory", "supervised",
 *     "needs": [ { "command", "package" } ],     without one of them it is left out
 *     "prepare": [ "..." ], "prepare_environment": { } or [ "NAME=value" ],    once, before it runs
 *     "run": [ "..." ], "environment": as above, "settings": [ "..." ] }
 * in whose texts {port}, {cores}, {peers} (the folder of that file) and {work} (a folder to write
 * to) stand for themselves.  Other members are for people.
 *
 * Threads: one. */

#include <stdbool.h>

#include <jansson.h>

#include "system_machine.h"
#include "weir/err.h"

#define CONTESTANTS_MAX 64
#define NAME_BYTES 64
#define REASON_BYTES 400
#define ARGUMENTS_MAX 64

enum source {
    SOURCE_WEIR,
    SOURCE_APP,
    SOURCE_PEER,
};

struct contestant {
    /* constant after contestants_list() */
    enum source source;
    char name[NAME_BYTES];
    const char *family;
    const char *model;  /* in the article's terms */
    const char *option; /* for --model; NULL for a peer */
    bool guarded;
    bool shares_memory;
    bool supervised;             /* starts a crashed process again by itself */
    const json_t *manifest;      /* of a peer; borrowed from the list */
    char left_out[REASON_BYTES]; /* why it cannot run; empty: it can */

    bool prepared;
};

/* Which ones are wanted. */
struct choice {
    const char *models;       /* a list with commas; NULL: all */
    const char *peers;        /* "all", "none", or a list of names and families; NULL: all */
    const char *peers_folder; /* NULL: where weir was installed or built */
    const char *app;          /* a program of weir_main(); NULL: none */
    const char *app_url;      /* its path */
    char *const *app_arguments;
    int app_argument_count;
    bool with_weir; /* the demo service too */
};

struct contestants {
    struct contestant all[CONTESTANTS_MAX];
    int count;
    json_t *manifest;                    /* all of peers.json; owned */
    char manifest_path[PATH_BYTES + 16]; /* empty: there is none */
    char peers_folder[PATH_BYTES];
    char work_folder[PATH_BYTES];
    char executable[PATH_BYTES];
    const struct choice *choice;
};

/* Lists whom the choice names, each under a name of its own.  work_folder is where peers are built.
 * 0; WEIR_EINVAL with a line in `why`: the choice names nobody, or peers.json is wrong. */
WEIR_CHECK int contestants_list(struct contestants *out, const struct choice *choice,
                                const char *work_folder, char why[REASON_BYTES]);
void contestants_fini(struct contestants *list);

/* A command line and what it adds to the environment, both ended by NULL. */
struct command_line {
    char *arguments[ARGUMENTS_MAX + 1];
    char *extra[ARGUMENTS_MAX + 1];
    char text[8192]; /* what both point into */
    size_t used;
};

/* How it is started on that many cores.  `serve_option` is one more argument of `weir serve`; may
 * be NULL.  False: too long. */
bool contestant_command(const struct contestants *list, const struct contestant *who, int port,
                        int cores, const char *serve_option, struct command_line *out);

/* How it is built.
 * 0; WEIR_ENOENT: nothing is to be done; WEIR_EINVAL: what peers.json says is too long or wrong. */
WEIR_CHECK int contestant_preparation(const struct contestants *list, const struct contestant *who,
                                      int cores, struct command_line *out);

/* What had to be set for it, as texts; a new reference, NULL without memory. */
json_t *contestant_settings(const struct contestants *list, const struct contestant *who);

#endif
