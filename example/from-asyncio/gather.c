/* SPDX-License-Identifier: MIT */
/* Several at once: all of them, all with their errors, the first, one by one as they end.
 * Guide: doc/guide/coming-from-asyncio.md. */

#include "../guide/program.h"

static int answer(void *arg)
{
    must(weir_yield());
    return *(int *)arg * 10;
}

static int fail(void *arg)
{
    (void)arg;
    return WEIR_EINVAL;
}

static int hang(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_NO_DEADLINE);
}

static int answer_after(void *arg)
{
    const int rc = weir_event_wait((weir_event *)arg, WEIR_NO_DEADLINE);
    return rc < 0 ? rc : 1;
}

static void one_by_one(void)
{
    weir_event *told;
    must(weir_event_create(&told));
    int n = 2;
    struct weir_call calls[] = { { answer_after, told, 0 }, { answer, &n, 0 } };
    weir_gathering *gathering;
    must(weir_gather_start(&gathering, calls, 2, NULL));
    int which;
    while ((which = weir_gather_next(gathering, WEIR_NO_DEADLINE)) >= 0) {
        printf("ended: %d\n", calls[which].result);
        weir_event_set(told);
    }
    weir_gather_end(gathering);
    weir_event_destroy(told);
}

static int program(void *arg)
{
    (void)arg;
    int n[] = { 1, 2, 3 };
    struct weir_call all[] = { { answer, &n[0], 0 }, { answer, &n[1], 0 }, { answer, &n[2], 0 } };
    must(weir_gather(all, 3, NULL, WEIR_NO_DEADLINE));
    printf("all: %d %d %d\n", all[0].result, all[1].result, all[2].result);

    struct weir_call some[] = { { answer, &n[0], 0 }, { fail, NULL, 0 } };
    const struct weir_gather_opts keep_going = { .size = sizeof keep_going, .keep_going = true };
    must(weir_gather(some, 2, &keep_going, WEIR_NO_DEADLINE));
    printf("failed: %s %s\n", some[0].result < 0 ? "True" : "False",
           some[1].result < 0 ? "True" : "False");

    struct weir_call race[] = { { hang, NULL, 0 }, { answer, &n[1], 0 } };
    const int winner = must(weir_race(race, 2, NULL, WEIR_NO_DEADLINE));
    printf("first: %d\n", race[winner].result);

    one_by_one();
    return 0;
}
