/* SPDX-License-Identifier: MIT */
/* Streams under each scheduler: echo, deadlines that lose no bytes, cancellation, closing while
 * another waits, the ends of a connection.  Method: both ends are tasks of one runtime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/stream.h"
#include "support/run.h"
#include "weir/weir.h"

struct pair {
    weir_stream *left;
    weir_stream *right;
};

static int dial_left(void *arg)
{
    struct pair *pair = arg;
    char address[128];
    weir_listener *listener = NULL;
    assert_int_equal(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    assert_int_equal(weir_listener_address(listener, address, sizeof(address)), 0);
    assert_int_equal(weir_dial(&pair->left, address, weir_in_ms(5000)), 0);
    assert_int_equal(weir_accept(listener, &pair->right, weir_in_ms(5000)), 0);
    weir_listener_close(listener);
    return 0;
}

static void close_pair(struct pair *pair)
{
    weir_stream_close(pair->left);
    weir_stream_close(pair->right);
}

static int echo(void *arg)
{
    weir_stream *stream = arg;
    char data[3000];
    int got;
    while ((got = weir_read(stream, data, sizeof(data), WEIR_NO_DEADLINE)) > 0) {
        if (weir_write(stream, data, (size_t)got, NULL, WEIR_NO_DEADLINE) != 0)
            return -1;
    }
    (void)weir_finish(stream);
    return got == WEIR_EEOF ? 0 : got;
}

enum {
    BULK = 3 * 1024 * 1024
};

static int send_bulk(void *arg)
{
    weir_stream *stream = arg;
    char *data = malloc(BULK);
    for (size_t i = 0; i < BULK; i++)
        data[i] = (char)(i * 7 + i / 1000);
    size_t written = 0;
    const int rc = weir_write(stream, data, BULK, &written, WEIR_NO_DEADLINE);
    free(data);
    if (rc == 0 && written == BULK)
        (void)weir_finish(stream);
    return rc;
}

static int bulk(void *arg)
{
    struct pair pair;
    weir_scope *scope = NULL;
    (void)arg;
    dial_left(&pair);
    assert_int_equal(weir_scope_open(&scope, NULL), 0);
    assert_int_equal(weir_go(echo, pair.right), 0);
    assert_int_equal(weir_go(send_bulk, pair.left), 0);
    char data[5000];
    size_t total = 0;
    int got;
    while ((got = weir_read(pair.left, data, sizeof(data), weir_in_ms(10000))) > 0) {
        for (int i = 0; i < got; i++, total++)
            if (data[i] != (char)(total * 7 + total / 1000))
                return -1;
    }
    assert_int_equal(got, WEIR_EEOF);
    assert_int_equal(total, BULK);
    assert_int_equal(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    close_pair(&pair);
    return 0;
}

static int deadlines(void *arg)
{
    struct pair pair;
    char data[16] = { 0 };
    (void)arg;
    dial_left(&pair);
    assert_int_equal(weir_read(pair.left, data, sizeof(data), WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    const weir_time until = weir_in_ms(20);
    assert_int_equal(weir_read(pair.left, data, sizeof(data), until), WEIR_ETIMEDOUT);
    assert_true(weir_now() >= until);
    assert_int_equal(weir_write(pair.right, "abcdef", 6, NULL, weir_in_ms(5000)), 0);
    assert_int_equal(weir_read(pair.left, data, 0, weir_in_ms(5000)), 0);
    assert_int_equal(weir_read(pair.left, data, 3, WEIR_DONT_WAIT), 3);
    /* Readable still, though no event came since. */
    assert_int_equal(weir_read(pair.left, data + 3, 0, weir_in_ms(5000)), 0);
    assert_int_equal(weir_read(pair.left, data + 3, 9, WEIR_DONT_WAIT), 3);
    assert_string_equal(data, "abcdef");

    /* A write that times out tells how much went out, and that is what arrives. */
    char *much = calloc(1, 32 * 1024 * 1024);
    size_t written = 0;
    assert_int_equal(weir_write(pair.right, much, 32 * 1024 * 1024, &written, weir_in_ms(20)),
                     WEIR_ETIMEDOUT);
    assert_true(written > 0);
    assert_int_equal(weir_finish(pair.right), 0);
    size_t total = 0;
    int got;
    while ((got = weir_read(pair.left, much, 65536, weir_in_ms(5000))) > 0)
        total += (size_t)got;
    assert_int_equal(got, WEIR_EEOF);
    assert_int_equal(total, written);
    free(much);
    close_pair(&pair);
    return 0;
}

static int read_one(void *arg)
{
    char byte;
    return weir_read(arg, &byte, 1, WEIR_NO_DEADLINE);
}

/* Until somebody waits for the stream to become readable. */
static void await_reader(weir_stream *stream)
{
    bool waits = false;
    while (!waits) {
        wi_lock(&stream->io.lock);
        waits = !wi_list_empty(&stream->io.readers);
        wi_unlock(&stream->io.lock);
        if (!waits)
            assert_int_equal(weir_sleep(weir_in_ms(1)), 0);
    }
}

static int ends(void *arg)
{
    struct pair pair;
    weir_task *task = NULL;
    int result = 0;
    (void)arg;
    dial_left(&pair);
    /* Cancellation ends a wait. */
    assert_int_equal(weir_task_start(&task, read_one, pair.left), 0);
    await_reader(pair.left);
    weir_task_cancel(task, WEIR_ECANCELED);
    assert_int_equal(weir_task_join(task, &result, weir_in_ms(5000)), 0);
    assert_int_equal(result, WEIR_ECANCELED);
    /* So does closing. */
    assert_int_equal(weir_task_start(&task, read_one, pair.left), 0);
    await_reader(pair.left);
    weir_stream_close(pair.left);
    assert_int_equal(weir_task_join(task, &result, weir_in_ms(5000)), 0);
    assert_int_equal(result, WEIR_ECLOSED);
    char byte;
    assert_int_equal(weir_read(pair.right, &byte, 1, weir_in_ms(5000)), WEIR_EEOF);
    weir_stream_close(pair.right);

    dial_left(&pair);
    weir_stream_abort(pair.left);
    assert_int_equal(weir_read(pair.right, &byte, 1, weir_in_ms(5000)), WEIR_ECONNRESET);
    weir_stream_close(pair.right);

    /* A port that was free a moment ago. */
    char address[128];
    weir_stream *none = NULL;
    weir_listener *listener = NULL;
    assert_int_equal(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    assert_int_equal(weir_listener_address(listener, address, sizeof(address)), 0);
    weir_listener_close(listener);
    assert_int_equal(weir_dial(&none, address, weir_in_ms(5000)), WEIR_ECONNREFUSED);
    assert_int_equal(weir_dial(&none, "bad address", weir_in_ms(5000)), WEIR_EINVAL);
    return 0;
}

static void under_every_scheduler(int (*fn)(void *))
{
    static const enum weir_scheduler kinds[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_TASKS,
                                                 WEIR_SCHEDULER_THREADS };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct weir_opts opts = { .scheduler = kinds[i] };
        int result = -1;
        assert_int_equal(weir_open(&opts), 0);
        assert_int_equal(weir_run(fn, NULL, &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(weir_close(weir_in_ms(10000)), 0);
    }
}

static void much_goes_through_whole(void **state)
{
    (void)state;
    under_every_scheduler(bulk);
}

static void deadlines_lose_no_byte(void **state)
{
    (void)state;
    under_every_scheduler(deadlines);
}

static void every_end_has_its_code(void **state)
{
    (void)state;
    under_every_scheduler(ends);
}

static void plain_threads_may_use_streams_too(void **state)
{
    (void)state;
    assert_int_equal(weir_open(NULL), 0);
    assert_int_equal(bulk(NULL), 0);
    assert_int_equal(deadlines(NULL), 0);
    assert_int_equal(weir_close(weir_in_ms(10000)), 0);
}

static void close_twice(void)
{
    struct pair pair;
    IGNORE(weir_open(NULL));
    dial_left(&pair);
    weir_stream_close(pair.left);
    weir_stream_abort(pair.left);
}

static void a_stream_closed_twice_aborts(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_in_child(close_twice, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "stream.c"));
    assert_non_null(strstr(text, "references"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(much_goes_through_whole),
        cmocka_unit_test(deadlines_lose_no_byte),
        cmocka_unit_test(every_end_has_its_code),
        cmocka_unit_test(plain_threads_may_use_streams_too),
        cmocka_unit_test(a_stream_closed_twice_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
