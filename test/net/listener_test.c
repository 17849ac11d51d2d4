/* SPDX-License-Identifier: MIT */
/* Listeners: several tasks accept on one, a connection goes to one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "support/run.h"
#include "weir/weir.h"

enum {
    ACCEPTERS = 4,
    CONNECTIONS = 64
};

static wi_atomic_int left; /* connections that nobody has promised to take yet */

/* Takes connections while there are some to take, so that nobody accepts when it is closed. */
static int accept_some(void *arg)
{
    int count = 0;
    while (wi_sub_relaxed(&left, 1) > 0) {
        weir_stream *stream = NULL;
        const int rc = weir_accept(arg, &stream, weir_in_ms(10000));
        if (rc != 0)
            return rc;
        if (weir_write(stream, "x", 1, NULL, weir_in_ms(5000)) != 0)
            return -1;
        weir_stream_close(stream);
        count++;
    }
    return count;
}

static int share(void *arg)
{
    weir_listener *listener = NULL;
    weir_task *tasks[ACCEPTERS];
    weir_stream *streams[CONNECTIONS];
    char address[128], byte;
    (void)arg;
    wi_store_relaxed(&left, CONNECTIONS);
    assert_int_equal(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    assert_int_equal(weir_listener_address(listener, address, sizeof(address)), 0);
    weir_stream *none = NULL;
    assert_int_equal(weir_accept(listener, &none, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    assert_int_equal(weir_accept(listener, &none, weir_in_ms(5)), WEIR_ETIMEDOUT);
    for (int i = 0; i < ACCEPTERS; i++)
        assert_int_equal(weir_task_start(&tasks[i], accept_some, listener), 0);
    for (int i = 0; i < CONNECTIONS; i++)
        assert_int_equal(weir_dial(&streams[i], address, weir_in_ms(5000)), 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(weir_read(streams[i], &byte, 1, weir_in_ms(5000)), 1);
        weir_stream_close(streams[i]);
    }
    int total = 0;
    for (int i = 0; i < ACCEPTERS; i++) {
        int count = -1;
        assert_int_equal(weir_task_join(tasks[i], &count, weir_in_ms(5000)), 0);
        assert_true(count >= 0);
        total += count;
    }
    assert_int_equal(total, CONNECTIONS);
    weir_listener_close(listener);
    assert_int_equal(weir_dial(&none, address, weir_in_ms(5000)), WEIR_ECONNREFUSED);
    return 0;
}

static void accepters_share_a_listener(void **state)
{
    (void)state;
    static const enum weir_scheduler kinds[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_TASKS,
                                                 WEIR_SCHEDULER_THREADS };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct weir_opts opts = { .scheduler = kinds[i] };
        int result = -1;
        assert_int_equal(weir_open(&opts), 0);
        assert_int_equal(weir_run(share, NULL, &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(weir_close(weir_in_ms(10000)), 0);
    }
}

static void it_needs_an_open_runtime(void **state)
{
    (void)state;
    weir_listener *listener = NULL;
    assert_int_equal(weir_listen(&listener, "127.0.0.1:0", 0), WEIR_ENOTOPEN);
}

static void close_twice(void)
{
    weir_listener *listener = NULL;
    IGNORE(weir_open(NULL));
    IGNORE(weir_listen(&listener, "127.0.0.1:0", 0));
    weir_listener_close(listener);
    weir_listener_close(listener);
}

static void a_listener_closed_twice_aborts(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_in_child(close_twice, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "listener.c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepters_share_a_listener),
        cmocka_unit_test(it_needs_an_open_runtime),
        cmocka_unit_test(a_listener_closed_twice_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
