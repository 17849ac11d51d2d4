/* SPDX-License-Identifier: MIT */
/* The law of an adaptive limit; see limit.h. */
#include "load/limit.h"

#include "base/check.h"

#define WINDOW_NS (100 * WEIR_NS_PER_MS)
#define LIFT_NS (10 * WEIR_NS_PER_S)
/* What a reading may be behind the last one before that is a step of the clock. */
#define STEP_NS WEIR_NS_PER_S
#define ROUND_NS_MIN WEIR_NS_PER_MS
#define ROUND_NS_MAX (10 * WEIR_NS_PER_S)

enum {
    SIGNS_PERCENT = 5, /* more than these are evidence */
    CUT_PERCENT = 70,
    GROW_PERCENT = 5,
    ROUND_SHARE = 8, /* of a new measurement in the smoothed round: one part in so many */
};

bool wi_limit_holds(const struct wi_limit *limit)
{
    return limit->allowed < limit->most_max;
}

static void begin_window(struct wi_limit *limit, weir_time now)
{
    limit->window_since = now;
    limit->window_calls = 0;
    limit->window_signs = 0;
    limit->window_most = limit->running;
}

/* A clock that was set back would let windows and rounds last until it has caught up: all instants
 * begin anew.  But a caller who was held up between his reading and the lock around the law is no
 * such clock: where many end at once there is one in every window, and none would come to its end.
 */
static void read_clock(struct wi_limit *limit, weir_time now)
{
    if (now >= limit->last_reading - STEP_NS && now < limit->last_reading)
        return;
    if (now < limit->last_reading) {
        begin_window(limit, now);
        limit->changed = now;
        limit->cut = now;
        limit->sign = now;
    }
    limit->last_reading = now;
}

static int64_t within(const struct wi_limit *limit, int64_t allowed)
{
    if (allowed < limit->least)
        return limit->least;
    return allowed < limit->most_max ? allowed : limit->most_max;
}

static void cut(struct wi_limit *limit, weir_time now)
{
    const int64_t ran = limit->window_most < limit->allowed ? limit->window_most : limit->allowed;
    const int64_t before = limit->allowed;
    limit->allowed = within(limit, ran * CUT_PERCENT / 100);
    if (limit->allowed > before)
        limit->allowed = before;
    limit->changed = now;
    limit->cut = now;
}

static void grow(struct wi_limit *limit, weir_time now)
{
    const int64_t more = limit->allowed * GROW_PERCENT / 100;
    limit->allowed = within(limit, limit->allowed + (more > 1 ? more : 1));
    limit->changed = now;
}

/* Ends a window that is over, and does what it shows. */
static void judge(struct wi_limit *limit, weir_time now)
{
    if (now - limit->window_since >= WINDOW_NS) {
        const bool evidence = limit->window_signs * 100 > limit->window_calls * SIGNS_PERCENT;
        const bool in_time = !wi_limit_holds(limit) || now - limit->changed >= limit->round_ns;
        if (evidence && in_time)
            cut(limit, now);
        begin_window(limit, now);
    }
    if (wi_limit_holds(limit) && now - limit->sign >= LIFT_NS)
        limit->allowed = limit->most_max;
}

void wi_limit_init(struct wi_limit *limit, int64_t least, int64_t most_max, weir_time now)
{
    wi_bug_unless_cmp(least, >=, 1);
    wi_bug_unless_cmp(least, <=, most_max);
    *limit = (struct wi_limit){
        .least = least,
        .most_max = most_max,
        .allowed = most_max,
        .round_ns = ROUND_NS_MIN,
        .window_since = now,
        .changed = now,
        .cut = now,
        .sign = now,
        .last_reading = now,
    };
}

bool wi_limit_begin(struct wi_limit *limit, weir_time now)
{
    read_clock(limit, now);
    judge(limit, now);
    if (limit->running >= limit->allowed)
        return false;
    limit->running++;
    if (limit->running > limit->window_most)
        limit->window_most = limit->running;
    return true;
}

static void learn_times(struct wi_limit *limit, enum wi_limit_end how, int64_t took_ns)
{
    if (took_ns > ROUND_NS_MAX)
        took_ns = ROUND_NS_MAX;
    if (limit->pace_ns == 0)
        limit->pace_ns = took_ns;
    limit->pace_ns += (took_ns - limit->pace_ns) / ROUND_SHARE;
    if (how != WI_LIMIT_GOOD)
        return;
    if (took_ns < ROUND_NS_MIN)
        took_ns = ROUND_NS_MIN;
    limit->round_ns += (took_ns - limit->round_ns) / ROUND_SHARE;
}

void wi_limit_end(struct wi_limit *limit, enum wi_limit_end how, int64_t took_ns, weir_time now)
{
    wi_bug_unless_cmp(limit->running, >, 0);
    read_clock(limit, now);
    limit->running--;
    const bool news = took_ns < 0 || took_ns <= now - limit->cut;
    if (how != WI_LIMIT_UNKNOWN && news)
        limit->window_calls++;
    if (how == WI_LIMIT_OVERLOAD) {
        limit->window_signs += news;
        limit->sign = now;
    }
    if (how != WI_LIMIT_UNKNOWN && took_ns >= 0)
        learn_times(limit, how, took_ns);
    judge(limit, now);
    const bool clean = now - limit->sign >= limit->round_ns;
    const bool in_time = now - limit->changed >= limit->round_ns;
    if (how == WI_LIMIT_GOOD && wi_limit_holds(limit) && clean && in_time)
        grow(limit, now);
}

int64_t wi_limit_wait_ns(const struct wi_limit *limit, int64_t place)
{
    /* As many as are allowed go in each time that a call takes. */
    const double turns = (double)place / (double)limit->allowed;
    const double wait_ns = turns * (double)limit->pace_ns;
    return wait_ns < (double)INT64_MAX / 2 ? (int64_t)wait_ns : INT64_MAX / 2;
}
