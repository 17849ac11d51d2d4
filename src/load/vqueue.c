/* SPDX-License-Identifier: MIT */
/* The slow side of a virtual queue: what a tick measures and sets. */
#include "load/vqueue.h"

#include "load/depth.h"

/* Offered load is averaged twice, and both must say overload.  One over what the depth is below
 * capacity, so that it tells soon that it is over; one over so many times that, which keeps chance
 * bunches of arrivals from being taken for it. */
#define SLOWER 10.0

/* Of the depth that the lower half of the ranks may use: at the first moment of overload, when the
 * load of each rank is not known yet, the upper half finds room. */
#define LOWER_PART 0.75

static int64_t ns(double s)
{
    return (int64_t)(s * 1e9);
}

static void set_rate(struct wi_vqueue *queue, double rate)
{
    const double unit = (double)(1 << WI_VQUEUE_RATE_SHIFT);
    wi_store_relaxed(&queue->ns_per_cost, (int64_t)(unit / rate + 0.5));
}

void wi_vqueue_init(struct wi_vqueue *queue, double servers, weir_time now)
{
    *queue = (struct wi_vqueue){ .servers = servers };
    wi_store_relaxed(&queue->done_at, now);
    const double patient = wi_depth_s(0.0, 0.0, servers);
    for (int rank = 0; rank < WI_RANKS; rank++)
        wi_store_relaxed(&queue->depth[rank], ns(patient));
    wi_store_relaxed(&queue->cost_max, ns(patient));
    set_rate(queue, servers);
}

int64_t wi_vqueue_backlog(const struct wi_vqueue *queue, weir_time now)
{
    const int64_t ahead = wi_load_relaxed(&queue->done_at) - now;
    return ahead > 0 ? ahead : 0;
}

void wi_vqueue_rein(struct wi_vqueue *queue, int64_t done_at, weir_time now)
{
    /* Who lost the race has seen a word that is being changed: the next ask looks again. */
    (void)wi_cas_acq_rel(&queue->done_at, &done_at, now + WI_VQUEUE_AHEAD_MAX_NS);
}

double wi_vqueue_cost_s(const struct wi_vqueue *queue)
{
    double work = 0.0;
    for (int rank = 0; rank < WI_RANKS; rank++)
        work += queue->work_rate[rank];
    return queue->count_rate > 0.0 ? work / queue->count_rate : 0.0;
}

/* What a request that finds another one at work will find, as a rule: the mean weighted by cost, if
 * those that are dear and those that are not have one cost each. */
static double grain_s(const struct wi_vqueue *queue)
{
    double work = 0.0;
    for (int rank = 0; rank < WI_RANKS; rank++)
        work += queue->work_rate[rank];
    const double cheap = work - queue->dear_rate;
    const double cheap_count = queue->count_rate - queue->dear_count_rate;
    if (queue->dear_count_rate <= 0.0 || cheap <= 0.0 || cheap_count <= 0.0)
        return wi_vqueue_cost_s(queue);
    return (queue->dear_rate * queue->dear_rate / queue->dear_count_rate +
            cheap * cheap / cheap_count) /
           work;
}

void wi_vqueue_tick(struct wi_vqueue *queue, double dt_s, double capacity, double rate)
{
    const double tau_s = wi_depth_s(0.0, grain_s(queue), queue->servers);
    const double weight = dt_s / (tau_s + dt_s);
    const double slow_weight = dt_s / (SLOWER * tau_s + dt_s);
    double count = 0.0;
    for (int rank = 0; rank < WI_RANKS; rank++) {
        const uint64_t offered = wi_swap_acq_rel(&queue->offered[rank], 0);
        count += wi_tally_count(offered);
        queue->work_rate[rank] += weight * (wi_tally_s(offered) / dt_s - queue->work_rate[rank]);
        queue->slow_rate[rank] +=
            slow_weight * (wi_tally_s(offered) / dt_s - queue->slow_rate[rank]);
    }
    queue->count_rate += weight * (count / dt_s - queue->count_rate);

    const uint64_t dear = wi_swap_acq_rel(&queue->dear, 0);
    queue->dear_rate += weight * (wi_tally_s(dear) / dt_s - queue->dear_rate);
    queue->dear_count_rate += weight * (wi_tally_count(dear) / dt_s - queue->dear_count_rate);

    wi_store_relaxed(&queue->mean, ns(wi_vqueue_cost_s(queue)));
    const double cost_s = grain_s(queue);
    double fast = 0.0;
    double slow = 0.0;
    for (int rank = WI_RANKS - 1; rank >= 0; rank--) {
        fast += queue->work_rate[rank] / capacity;
        slow += queue->slow_rate[rank] / capacity;
        const double load = fast < slow ? fast : slow;
        wi_store_relaxed(&queue->load_m[rank], (int64_t)(load < 1e6 ? load * 1e3 : 1e9));
        const double depth_s = wi_depth_s(load, cost_s, queue->servers);
        const double part = rank < WI_RANKS / 2 ? LOWER_PART : 1.0;
        wi_store_relaxed(&queue->depth[rank], ns(depth_s * part));
    }
    wi_store_relaxed(&queue->cost_max, ns(wi_depth_s(0.0, cost_s, queue->servers)));
    set_rate(queue, rate);
}
