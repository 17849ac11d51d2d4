/* SPDX-License-Identifier: MIT */
/* A pipeline: numbers, three workers that square them, a sum.
 * Guide: doc/guide/coming-from-go.md. */

#include "../guide/program.h"

static weir_chan *numbers, *squares;

static int produce(void *arg)
{
    (void)arg;
    int rc = 0;
    for (int n = 1; rc == 0 && n <= 100; n++)
        rc = weir_chan_send_of(numbers, &n, WEIR_NO_DEADLINE);
    weir_chan_close(numbers);
    return rc;
}

static int work(void *arg)
{
    (void)arg;
    int n, rc = 0;
    while (rc == 0 && weir_chan_recv_of(numbers, &n, WEIR_NO_DEADLINE) == 0) {
        n *= n;
        rc = weir_chan_send_of(squares, &n, WEIR_NO_DEADLINE);
    }
    return rc;
}

static int run_workers(void *arg)
{
    (void)arg;
    weir_scope *workers;
    int rc = weir_scope_open(&workers, NULL);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        must(weir_go(work, NULL));
    rc = weir_scope_close(workers, WEIR_NO_DEADLINE);
    weir_chan_close(squares);
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    const struct weir_chan_opts ints = { .elem_bytes = sizeof(int), .cap_elems = 8 };
    must(weir_chan_create(&numbers, &ints));
    must(weir_chan_create(&squares, &ints));
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    must(weir_go(produce, NULL));
    must(weir_go(run_workers, NULL));
    int n, sum = 0;
    while (weir_chan_recv_of(squares, &n, WEIR_NO_DEADLINE) == 0)
        sum += n;
    must(weir_scope_close(scope, WEIR_NO_DEADLINE));
    printf("sum of squares: %d\n", sum);
    weir_chan_destroy(squares);
    weir_chan_destroy(numbers);
    return 0;
}
