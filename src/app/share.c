/* SPDX-License-Identifier: MIT */
/* Reading what processes show.  See share.h. */
#include "app/share.h"

/* The process's own numbers with those that its server keeps elsewhere filled in. */
static struct wi_numbers whole(struct wi_share *process)
{
    struct wi_numbers numbers = process->numbers;
    struct weir_server_stats stats = { .size = sizeof(stats) };
    wi_server_counters_read(&process->serve, &stats);
    wi_numbers_take_server(&numbers, &stats);
    return numbers;
}

void wi_share_add(struct wi_numbers *sum, struct wi_share *process)
{
    const struct wi_numbers numbers = whole(process);
    wi_numbers_add(sum, &numbers);
}

void wi_share_fold(void *total, const void *dead)
{
    /* The counters are only read; their reader takes them as it takes living ones. */
    struct wi_share copy = *(const struct wi_share *)dead;
    const struct wi_numbers numbers = whole(&copy);
    wi_numbers_fold(&((struct wi_share *)total)->numbers, &numbers);
}
