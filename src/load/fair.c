/* SPDX-License-Identifier: MIT */
/* Shares of clients; see the header. */
#include "load/fair.h"

#include "base/rng.h"

/* Over which work is remembered: several requests of each of fifty clients. */
#define MEMORY_S 1.0

/* Of heavy_from: nobody is, because there is nothing, or because nobody can have more than all. */
#define NOTHING INT64_MAX
#define ALL (INT64_MAX - 1)

/* What marks a client as there: it fades within 64 ticks. */
#define PRESENT_US 64

static const wi_atomic_i64 *cell_of(const struct wi_fair *fair, int row, uint32_t client)
{
    /* Two independent bytes of one mix: clients that share one cell hardly share the other. */
    uint64_t state = client;
    const uint64_t mixed = wi_rng_split(&state);
    return &fair->cells[row][(mixed >> (8 * row)) % WI_FAIR_CELLS];
}

void wi_fair_init(struct wi_fair *fair, int expected)
{
    *fair = (struct wi_fair){ .expected = expected, .heavy_from = { NOTHING } };
}

bool wi_fair_is_heavy(const struct wi_fair *fair, uint32_t client)
{
    const int64_t from = wi_load_relaxed(&fair->heavy_from);
    for (int row = 0; row < WI_FAIR_ROWS; row++)
        if (wi_load_relaxed(cell_of(fair, row, client)) <= from)
            return false;
    return true;
}

void wi_fair_admitted(struct wi_fair *fair, uint32_t client, int64_t work_ns)
{
    for (int row = 0; row < WI_FAIR_ROWS; row++) {
        wi_atomic_i64 *cell = (wi_atomic_i64 *)cell_of(fair, row, client);
        (void)wi_add_relaxed(cell, work_ns / 1000 + 1);
    }
}

void wi_fair_refused(struct wi_fair *fair, uint32_t client)
{
    for (int row = 0; row < WI_FAIR_ROWS; row++) {
        wi_atomic_i64 *cell = (wi_atomic_i64 *)cell_of(fair, row, client);
        if (wi_load_relaxed(cell) < PRESENT_US)
            (void)wi_add_relaxed(cell, PRESENT_US);
    }
}

bool wi_fair_remembers(const struct wi_fair *fair)
{
    return wi_load_relaxed(&fair->heavy_from) != NOTHING;
}

/* Twice an even share of the `total` that `active` have.  Where that is all of it, what is given
 * until the next tick must not count as more. */
static int64_t heavy_from(int64_t total, int64_t active, int64_t reckoned)
{
    if (active == 0)
        return NOTHING;
    return reckoned <= 2 ? ALL : total * 2 / reckoned;
}

void wi_fair_tick(struct wi_fair *fair, double dt_s)
{
    const double fade = dt_s / (MEMORY_S + dt_s);
    int64_t total = 0;
    int64_t active = 0;
    for (int row = 0; row < WI_FAIR_ROWS; row++) {
        for (int i = 0; i < WI_FAIR_CELLS; i++) {
            wi_atomic_i64 *cell = &fair->cells[row][i];
            const int64_t work = wi_load_relaxed(cell);
            if (work == 0)
                continue;
            const int64_t faded = (int64_t)((double)work * fade) + 1;
            (void)wi_sub_relaxed(cell, faded < work ? faded : work);
            total += row == 0 ? work : 0;
            active += row == 0;
        }
    }
    wi_store_relaxed(&fair->heavy_from, heavy_from(total, active, active + fair->expected));
}
