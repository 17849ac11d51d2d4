/* SPDX-License-Identifier: MIT */
/* Caught signals of the simulated system: wi_sim_signal() is who sends them. */
#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "os/poll.h"
#include "os/signal.h"
#include "os/sim/world.h"

static const char catcher_kind[] = "caught signals";

static struct {
    struct wi_sim_object object;
    bool open;
    bool readable;
    bool catching[WI_SIGNALS_MAX + 1];
    uint64_t count[WI_SIGNALS_MAX + 1];
} caught;

static uint32_t readiness(struct wi_sim_object *object)
{
    (void)object;
    return caught.readable ? WI_POLL_READ : 0;
}

static void destroy(struct wi_sim_object *object)
{
    (void)object;
    memset(&caught, 0, sizeof(caught));
}

int wi_signal_catch_open(void)
{
    wi_sim_enter();
    if (caught.open)
        return caught.object.fd;
    caught.object =
        (struct wi_sim_object){ .readiness = readiness, .destroy = destroy, .kind = catcher_kind };
    const int fd = wi_sim_object_open(&caught.object);
    caught.open = fd >= 0;
    return fd;
}

void wi_signal_catch_drain(void)
{
    caught.readable = false;
}

bool wi_signal_catchable(int signal)
{
    return signal >= 1 && signal <= WI_SIGNALS_MAX && signal != wi_signal_kill;
}

int wi_signal_catch(int signal)
{
    caught.catching[signal] = true;
    return 0;
}

void wi_signal_let_go(int signal)
{
    caught.catching[signal] = false;
}

uint64_t wi_signal_caught(int signal)
{
    return caught.count[signal];
}

static void arrive(uint64_t target, uint64_t signal)
{
    (void)target;
    wi_bug_unless(caught.catching[signal]); /* else the process would be gone */
    caught.count[signal]++;
    caught.readable = true;
    wi_sim_object_changed(&caught.object, WI_POLL_READ);
}

void wi_sim_signal(weir_time at, int signal)
{
    wi_sim_plan(at, arrive, 0, (uint64_t)signal);
}
