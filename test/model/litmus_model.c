/* SPDX-License-Identifier: MIT */
/* The explorer itself: what C11 allows happens in some execution, what it forbids in none.  The
 * names are those of the litmus tests in the literature.
 *
 * explores: nothing */
#include "model/explore.h"

#include <stddef.h>

#include "base/atomic.h"

static wi_atomic_u32 x;
static wi_atomic_u32 y;
static uint32_t r[4];

static void run(void (*first)(void *), void (*second)(void *))
{
    wi_store_relaxed(&x, 0);
    wi_store_relaxed(&y, 0);
    explore_start(first, NULL);
    explore_start(second, NULL);
    explore_join();
}

/* -- store buffering --------------------------------------------------------------------------- */

static void sb_first(void *arg)
{
    (void)arg;
    wi_store_release(&x, 1);
    r[0] = wi_load_acquire(&y);
}

static void sb_second(void *arg)
{
    (void)arg;
    wi_store_release(&y, 1);
    r[1] = wi_load_acquire(&x);
}

static void store_buffering_shows_both_old(void)
{
    run(sb_first, sb_second);
    explore_saw((int)(2 * r[0] + r[1]));
}

static void sb_first_seq_cst(void *arg)
{
    (void)arg;
    wi_store_seq_cst(&x, 1);
    r[0] = wi_load_seq_cst(&y);
}

static void sb_second_seq_cst(void *arg)
{
    (void)arg;
    wi_store_seq_cst(&y, 1);
    r[1] = wi_load_seq_cst(&x);
}

static void seq_cst_shows_one_of_both(void)
{
    run(sb_first_seq_cst, sb_second_seq_cst);
    explore_check(r[0] + r[1] > 0);
    explore_saw((int)(r[0] + r[1] - 1));
}

static void sb_first_relaxed(void *arg)
{
    (void)arg;
    wi_store_relaxed(&x, 1);
    r[0] = wi_load_relaxed(&y);
}

static void sb_second_barrier(void *arg)
{
    (void)arg;
    wi_store_relaxed(&y, 1);
    explore_membarrier();
    r[1] = wi_load_relaxed(&x);
}

static void a_barrier_in_all_threads_needs_one_side_only(void)
{
    run(sb_first_relaxed, sb_second_barrier);
    explore_check(r[0] + r[1] > 0);
    explore_saw((int)(r[0] + r[1] - 1));
}

/* -- message passing --------------------------------------------------------------------------- */

static void mp_write_release(void *arg)
{
    (void)arg;
    wi_store_relaxed(&x, 1);
    wi_store_release(&y, 1);
}

static void mp_write_relaxed(void *arg)
{
    (void)arg;
    wi_store_relaxed(&x, 1);
    wi_store_relaxed(&y, 1);
}

static void mp_read_acquire(void *arg)
{
    (void)arg;
    r[0] = wi_load_acquire(&y);
    r[1] = wi_load_relaxed(&x);
}

static void a_message_passes_with_release_and_acquire(void)
{
    run(mp_write_release, mp_read_acquire);
    explore_check(r[0] == 0 || r[1] == 1);
    explore_saw((int)r[0]);
}

static void a_message_is_lost_without_release(void)
{
    run(mp_write_relaxed, mp_read_acquire);
    explore_saw(r[0] == 1 && r[1] == 0);
}

/* A read-modify-write of a third thread hands on what the release before it carried. */
static void add_relaxed(void *arg)
{
    (void)arg;
    (void)wi_add_relaxed(&y, 1);
}

static void read_two(void *arg)
{
    (void)arg;
    r[0] = wi_load_acquire(&y);
    r[1] = wi_load_relaxed(&x);
}

static void a_release_sequence_hands_on(void)
{
    wi_store_relaxed(&x, 0);
    wi_store_relaxed(&y, 0);
    explore_start(mp_write_release, NULL);
    explore_start(add_relaxed, NULL);
    explore_start(read_two, NULL);
    explore_join();
    explore_check(r[0] != 2 || r[1] == 1);
    explore_saw((int)r[0]);
}

/* -- coherence --------------------------------------------------------------------------------- */

static void write_twice(void *arg)
{
    (void)arg;
    wi_store_relaxed(&x, 1);
    wi_store_relaxed(&x, 2);
}

static void read_twice(void *arg)
{
    (void)arg;
    r[0] = wi_load_relaxed(&x);
    r[1] = wi_load_relaxed(&x);
}

static void reads_of_one_object_do_not_go_back(void)
{
    run(write_twice, read_twice);
    explore_check(r[1] >= r[0]);
    explore_saw((int)r[0]);
}

/* -- independent reads ------------------------------------------------------------------------- */

static void write_x(void *arg)
{
    (void)arg;
    wi_store_release(&x, 1);
}

static void write_y(void *arg)
{
    (void)arg;
    wi_store_release(&y, 1);
}

static void read_x_then_y(void *arg)
{
    (void)arg;
    r[0] = wi_load_acquire(&x);
    r[1] = wi_load_acquire(&y);
}

static void read_y_then_x(void *arg)
{
    (void)arg;
    r[2] = wi_load_acquire(&y);
    r[3] = wi_load_acquire(&x);
}

static void independent_reads_may_disagree(void)
{
    wi_store_relaxed(&x, 0);
    wi_store_relaxed(&y, 0);
    explore_start(write_x, NULL);
    explore_start(write_y, NULL);
    explore_start(read_x_then_y, NULL);
    explore_start(read_y_then_x, NULL);
    explore_join();
    explore_saw(r[0] == 1 && r[1] == 0 && r[2] == 1 && r[3] == 0);
}

EXPLORE_MAIN(EXPLORE_WITH(store_buffering_shows_both_old, .outcomes = 4),
             EXPLORE_WITH(seq_cst_shows_one_of_both, .outcomes = 2),
             EXPLORE_WITH(a_barrier_in_all_threads_needs_one_side_only, .outcomes = 2),
             EXPLORE_WITH(a_message_passes_with_release_and_acquire, .outcomes = 2),
             EXPLORE_WITH(a_message_is_lost_without_release, .outcomes = 2),
             EXPLORE_WITH(a_release_sequence_hands_on, .outcomes = 3),
             EXPLORE_WITH(reads_of_one_object_do_not_go_back, .outcomes = 3),
             EXPLORE_WITH(independent_reads_may_disagree, .outcomes = 2))
