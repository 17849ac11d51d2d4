/* SPDX-License-Identifier: MIT */
/* Select: merging two channels, switching a case off, trying, timeout.
 * Guide: doc/guide/coming-from-go.md. */

#include "../guide/program.h"

struct range {
    int from, to;
    weir_chan *out;
};

static int count(void *arg)
{
    const struct range *range = arg;
    int rc = 0;
    for (int n = range->from; rc == 0 && n <= range->to; n++)
        rc = weir_chan_send_of(range->out, &n, WEIR_NO_DEADLINE);
    weir_chan_close(range->out);
    return rc;
}

static int merge(weir_chan *left, weir_chan *right)
{
    int n, sum = 0;
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_RECV, .ch = left, .msg = &n },
        { .op = WEIR_SELECT_RECV, .ch = right, .msg = &n },
    };
    while (cases[0].ch != NULL || cases[1].ch != NULL) {
        const int which = must(weir_select(cases, 2, WEIR_NO_DEADLINE));
        if (cases[which].result == WEIR_ECLOSED)
            cases[which].ch = NULL; /* never ready any more */
        sum += n;                   /* of a closed channel: 0 */
    }
    return sum;
}

static int program(void *arg)
{
    (void)arg;
    const struct weir_chan_opts ints = { .size = sizeof ints, .elem_bytes = sizeof(int) };
    weir_chan *left, *right, *never;
    must(weir_chan_create(&left, &ints));
    must(weir_chan_create(&right, &ints));
    must(weir_chan_create(&never, &ints));

    struct range low = { 1, 3, left }, high = { 10, 12, right };
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    must(weir_go(count, &low));
    must(weir_go(count, &high));
    printf("sum: %d\n", merge(left, right));
    must(weir_scope_close(scope, WEIR_NO_DEADLINE));

    int n;
    struct weir_select_case one = { .op = WEIR_SELECT_RECV, .ch = never, .msg = &n };
    if (weir_select(&one, 1, WEIR_DONT_WAIT) == WEIR_ETIMEDOUT)
        printf("nothing is ready\n");
    if (weir_select(&one, 1, weir_in_ms(1)) == WEIR_ETIMEDOUT)
        printf("timed out\n");

    weir_chan_destroy(never);
    weir_chan_destroy(right);
    weir_chan_destroy(left);
    return 0;
}
