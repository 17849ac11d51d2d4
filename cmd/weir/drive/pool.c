/* SPDX-License-Identifier: MIT */
/* Idle connections.  See pool.h.
 *
 * Threads: one owner. */

#include "drive/pool.h"

#include <stdlib.h>

#include "base/check.h"

int pool_init(struct pool *pool, int64_t max, int hosts)
{
    *pool = (struct pool){
        .all = calloc((size_t)max, sizeof pool->all[0]),
        .hosts = calloc((size_t)hosts, sizeof pool->hosts[0]),
    };
    wi_list_init(&pool->free);
    wi_list_init(&pool->aged);
    if (pool->all == NULL || pool->hosts == NULL)
        return WEIR_ENOMEM;
    for (int i = 0; i < hosts; i++)
        wi_list_init(&pool->hosts[i]);
    for (int64_t i = 0; i < max; i++)
        wi_list_push_back(&pool->free, &pool->all[i].by_host);
    return 0;
}

void pool_fini(struct pool *pool)
{
    wi_bug_unless(wi_list_empty(&pool->aged));
    free(pool->all);
    free(pool->hosts);
}

static weir_stream *take(struct pool *pool, struct pooled *record)
{
    weir_stream *stream = record->stream;
    wi_list_remove(&record->by_host);
    wi_list_remove(&record->by_age);
    wi_list_push_front(&pool->free, &record->by_host);
    return stream;
}

weir_stream *pool_take(struct pool *pool, int host)
{
    struct wi_list *list = &pool->hosts[host];
    if (wi_list_empty(list))
        return NULL;
    return take(pool, wi_container_of(list->next, struct pooled, by_host));
}

weir_stream *pool_take_oldest(struct pool *pool)
{
    if (wi_list_empty(&pool->aged))
        return NULL;
    return take(pool, wi_container_of(pool->aged.next, struct pooled, by_age));
}

void pool_give(struct pool *pool, int host, weir_stream *stream)
{
    struct wi_list *node = wi_list_pop_front(&pool->free);
    wi_bug_unless(node != NULL);
    struct pooled *record = wi_container_of(node, struct pooled, by_host);
    record->stream = stream;
    wi_list_push_front(&pool->hosts[host], &record->by_host);
    wi_list_push_back(&pool->aged, &record->by_age);
}
