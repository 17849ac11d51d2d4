/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_DUMP_H
#define WI_TASK_DUMP_H

/* A dump in the making: what was seen, grouped, and how it is written.  See weir/dump.h.
 *
 * Three steps: everybody is looked at (dump.c); the addresses of all frames get their names at once
 * (os/symbols.h); the text is written (dump_text.c).  Only the first touches tasks. */

#include <stdbool.h>
#include <stddef.h>

#include "os/symbols.h"
#include "task/see.h"
#include "weir/dump.h"

struct weir_scope;

/* Tasks that do the same: same name, site, state, kind of wait and stack. */
struct wi_dump_group {
    uint64_t hash;
    uint64_t first; /* the least rank of its members */
    int count;      /* members that are told of */
    struct wi_seen example;
    struct wi_frames frames;
};

struct wi_dump_member {
    struct wi_seen seen;
    int group;
    uint64_t first; /* of its group */
};

struct wi_dump {
    weir_dump_write *write;
    void *user;
    struct wi_dump_member *members; /* sorted by group, then rank */
    int member_count;
    int members_max;
    struct wi_dump_group *groups;
    int group_count;
    int *buckets;            /* of groups by hash; -1: free */
    int64_t task_count;      /* living */
    int64_t told_count;      /* of these, members */
    struct wi_place *places; /* sorted by address */
    size_t place_count;
    struct wi_symbols *symbols;
};

struct wi_dump_request {
    weir_dump_write *write;
    void *user;
    struct weir_scope *scope; /* NULL: every task, and threads that wait */
    int tasks_max;
    bool bare;
};

/* 0 or WEIR_ENOMEM.  The runtime is open and stays so. */
WEIR_CHECK int wi_dump(const struct wi_dump_request *request);

void wi_dump_write_text(struct wi_dump *dump, bool whole);

#endif
