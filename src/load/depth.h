/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_DEPTH_H
#define WI_LOAD_DEPTH_H

/* How long a queue has to be for a given load: pure functions; vqueue.h has what for. */

/* Requests that must be let wait so that at load `load` > 1 servers idle for no more than 0.5 % of
 * the time: ln(1 + (load - 1) / 0.005) / ln(load), interpolated. */
double wi_depth_requests(double load);

#define WI_DEPTH_MAX_S 0.5

/* The depth in s for a load offered to `servers`, by requests of `cost_s` each; at most
 * WI_DEPTH_MAX_S. */
double wi_depth_s(double load, double cost_s, double servers);

#endif
