/* SPDX-License-Identifier: MIT */
/* Routes whose answer never changes: what they accept, what clients of each kind get, and that
 * admission has no say.  A handler that spins is in behaviour/serve_stuck_test.c. */
#include "support/serving.h"

#include <string.h>

static struct serving serving;
static struct gate gate;

static int gated(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = gate_wait(&gate);
    return rc != 0 ? rc : weir_reply_text(reply, 200, "through\n");
}

static void routes(weir_server *server)
{
    char text[514];
    memset(text, 'x', sizeof(text) - 1);
    text[513] = 0;
    assert_int_equal(weir_server_answer(server, "/long", NULL, text), WEIR_EMSGSIZE);
    text[512] = 0;
    assert_int_equal(weir_server_answer(server, "/long", NULL, text), 0);
    assert_int_equal(weir_server_answer(server, "/long", NULL, "again"), WEIR_EEXIST);
    assert_int_equal(weir_server_answer(server, "/type", text, "long type"), WEIR_EMSGSIZE);
    assert_int_equal(weir_server_answer(server, "/type", "a\r\nb", "split"), WEIR_EINVAL);
    assert_int_equal(weir_server_answer(server, "no pattern", NULL, "ok"), WEIR_EINVAL);
    assert_int_equal(weir_server_answer(server, "/json", "application/json", "{}"), 0);
    assert_int_equal(weir_server_answer(server, "/live/:probe", NULL, ""), 0);
    assert_int_equal(weir_server_route(server, "GET", "/gate", gated, NULL, NULL), 0);
}

static int set_up(void **state)
{
    (void)state;
    const struct weir_server_opts opts = { .running_max = 1, .waiting_max = -1 };
    gate_init(&gate);
    serving_start(&serving, &opts, routes);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    serving_stop(&serving);
    gate_fini(&gate);
    return 0;
}

static void check_type(const struct answer *answer, const char *wanted)
{
    char type[64];
    assert_true(answer_field(answer, "Content-Type", type, sizeof(type)));
    assert_string_equal(type, wanted);
    assert_false(answer_field(answer, "Retry-After", type, sizeof(type)));
}

static void each_kind_of_client_gets_its_form(void **state)
{
    (void)state;
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, &serving);
    client_ask(&client, "GET /json HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "{}");
    check_type(&answer, "application/json");
    client_ask(&client, "HEAD /json HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "");
    check_type(&answer, "application/json");
    client_ask(&client, "GET /live/x HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_string_equal(answer.body, "");
    check_type(&answer, "text/plain; charset=utf-8");
    client_ask(&client, "GET /long HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", &answer);
    assert_int_equal(answer.body_len, 512);
    assert_true(answer.keep_alive);
    client_ask(&client, "GET /long HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &answer);
    assert_int_equal(answer.body_len, 512);
    assert_true(answer.keep_alive);
    client_ask(&client, "POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &answer);
    assert_int_equal(answer.status, 405);
    client_ask(&client, "GET /json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_false(answer.keep_alive);
    client_expect_end(&client);
    client_close(&client);
    answer_free(&answer);
}

static void a_full_server_gives_it_too(void **state)
{
    (void)state;
    struct client running, other;
    struct answer answer = { 0 };
    client_open(&running, &serving);
    client_open(&other, &serving);
    client_send(&running, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    serving_await(&serving, stats.running == 1);
    const int64_t before = serving_stats(&serving).requests;
    client_ask(&other, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 503);
    client_ask(&other, "GET /json HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(serving_stats(&serving).requests, before + 1);
    gate_open(&gate);
    client_answer(&running, &answer, false);
    assert_int_equal(answer.status, 200);
    client_close(&running);
    client_close(&other);
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_client_gets_its_form),
        cmocka_unit_test(a_full_server_gives_it_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
