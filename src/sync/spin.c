/* SPDX-License-Identifier: MIT */
/* When to spin, and for how long; see spin.h. */
#include "sync/spin.h"

#include "arch/cpu.h"

enum {
    RELAXES = 4 /* of the CPU in a turn: a turn costs about as much as the clock read in it */
};

/* atomic; written while a runtime opens */
static wi_atomic_int threads_may_spin;
static wi_atomic_int tasks_may_spin;

void wi_spin_configure(int cores, int tasks_at_once)
{
    wi_store_relaxed(&threads_may_spin, cores > 1);
    wi_store_relaxed(&tasks_may_spin, cores > 1 && tasks_at_once > 1);
}

/* Nothing of the holder's record is read but its word: it may be given to somebody else now. */
bool wi_spin_may_help(const struct wi_parker *self, const struct wi_parker *holder)
{
    if (wi_load_relaxed(self->ops->on_worker ? &tasks_may_spin : &threads_may_spin) == 0)
        return false;
    return wi_load_relaxed(&holder->word) == WI_PARKER_EMPTY;
}

bool wi_spin_turn(struct wi_spin *spin, const struct wi_parker *self,
                  const struct wi_parker *holder)
{
    if (!wi_spin_may_help(self, holder) || spin->turns == WI_SPIN_TURNS_MAX)
        return false;
    const weir_time now = weir_now();
    if (spin->turns++ == 0)
        spin->until = now + WI_SPIN_NS;
    else if (now >= spin->until)
        return false;
    for (int i = 0; i < RELAXES; i++)
        wi_cpu_relax();
    return true;
}
