/* SPDX-License-Identifier: MIT */
/* Depth of the queue by load.
 *
 * Above capacity: M/M/1/K with load r idles (r - 1) / (r^(K+1) - 1) of the time; for 0.5 % that is
 * K(r) below.  Costs vary less within a route than exponentially, as a rule, so K is on the safe
 * side; it is not less than four requests per server, because requests come in batches, one for
 * each look at the sockets.
 *
 * Below capacity the queue is long enough never to matter but for what would be too late anyway:
 * 100 ms, or 12 requests where those take longer, up to 500 ms (clients give up after 1 s).  From a
 * load of 1.1 on it is half of that at most, or six requests. */
#include "load/depth.h"

#include "base/check.h"

static const struct {
    double load;
    double requests;
} points[] = {
    { 1.0, 200.0 }, { 1.01, 110.4 }, { 1.02, 81.27 }, { 1.05, 49.15 }, { 1.1, 31.94 },
    { 1.2, 20.37 }, { 1.3, 15.67 },  { 1.5, 11.38 },  { 2.0, 7.65 },   { 3.0, 5.46 },
    { 5.0, 4.15 },  { 10.0, 3.26 },  { 20.0, 2.75 },
};

double wi_depth_requests(double load)
{
    const int last = (int)wi_count_of(points) - 1;
    if (load <= points[0].load)
        return points[0].requests;
    for (int i = 1; i <= last; i++) {
        if (load < points[i].load) {
            const double part = (load - points[i - 1].load) / (points[i].load - points[i - 1].load);
            return points[i - 1].requests + part * (points[i].requests - points[i - 1].requests);
        }
    }
    return points[last].requests;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

double wi_depth_s(double load, double cost_s, double servers)
{
    const double request_s = cost_s / servers;
    const double patient = clamp(12.0 * request_s, 0.1, WI_DEPTH_MAX_S);
    if (load <= 1.0)
        return patient;
    const double brisk = clamp(6.0 * request_s, 0.05, WI_DEPTH_MAX_S);
    const double most = load < 1.1 ? patient + (brisk - patient) * (load - 1.0) / 0.1 : brisk;
    const double requests = wi_depth_requests(load);
    return clamp((requests > 4.0 ? requests : 4.0) * request_s, 0.002, most);
}
