/* SPDX-License-Identifier: MIT */
/* Names of hosts: what is remembered and for how long, who waits for whom, and the bounds.  The
 * system's own lookup is stood in for (support/names.h). */
#include "net/names.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/names.h"
#include "support/run.h"

int wi_names_lookup(const char *host, struct wi_addr *out, int max, const char **why)
{
    return names_answer(host, out, max, why);
}

enum {
    ASKERS = 20
};

static int find(const char *text, weir_time deadline)
{
    struct wi_addr addrs[WI_NAMES_ADDRESSES_MAX];
    return wi_names_find(text, addrs, deadline);
}

RUN(what_was_found_is_remembered_for_every_port)
{
    struct wi_addr addrs[WI_NAMES_ADDRESSES_MAX];
    char text[WI_ADDR_TEXT_BYTES];
    const int before = names_asked();
    CHECK_EQ(wi_names_find("two.test:80", addrs, WEIR_NO_DEADLINE), 2);
    wi_addr_format(&addrs[0], text, sizeof(text));
    CHECK(strcmp(text, "127.0.0.2:80") == 0);
    CHECK_EQ(wi_names_find("TWO.Test:81", addrs, WEIR_DONT_WAIT), 2);
    wi_addr_format(&addrs[1], text, sizeof(text));
    CHECK(strcmp(text, "127.0.0.1:81") == 0);
    CHECK_EQ(names_asked() - before, 1);
    wi_names_forget();
    CHECK_EQ(find("two.test:80", WEIR_NO_DEADLINE), 2);
    CHECK_EQ(names_asked() - before, 2);
    return 0;
}

RUN(that_a_name_is_not_known_is_remembered_for_a_moment)
{
    static const struct {
        const char *text;
        int code;
    } rows[] = { { "nobody.test:80", WEIR_ENOHOST }, { "down.test:80", WEIR_ELOOKUP } };
    for (size_t i = 0; i < 2; i++) {
        int asked; /* until it was looked up again */
        do {       /* on a busy machine the moment may be over at once */
            wi_names_forget();
            const int before = names_asked();
            CHECK_EQ(find(rows[i].text, WEIR_NO_DEADLINE), rows[i].code);
            for (asked = 0; names_asked() - before == 1; asked++) {
                CHECK_EQ(find(rows[i].text, WEIR_NO_DEADLINE), rows[i].code);
                CHECK_EQ(weir_sleep(weir_in_ms(5)), 0);
            }
        } while (asked <= 1);
    }
    return 0;
}

static int ask(void *arg)
{
    int *found = arg;
    *found = find("held.test:80", WEIR_NO_DEADLINE);
    return 0;
}

RUN(who_ask_at_once_share_one_lookup)
{
    int found[ASKERS] = { 0 };
    weir_scope *scope;
    const int before = names_asked();
    names_hold();
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < ASKERS; i++)
        CHECK_EQ(weir_go(ask, &found[i]), 0);
    while (names_asked() == before)
        CHECK_EQ(weir_yield(), 0);
    names_let_go();
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < ASKERS; i++)
        CHECK_EQ(found[i], 1);
    CHECK_EQ(names_asked() - before, 1);
    wi_names_forget();
    return 0;
}

RUN(who_gives_up_leaves_the_lookup_to_the_next)
{
    const int before = names_asked();
    weir_task *task;
    int found = 0;
    names_hold();
    CHECK_EQ(find("held.test:80", weir_in_ms(5)), WEIR_ETIMEDOUT);
    CHECK_EQ(find("held.test:80", WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_task_start(&task, ask, &found), 0);
    CHECK_EQ(weir_yield(), 0);
    weir_task_cancel(task, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(found, WEIR_ECANCELED);
    names_let_go();
    CHECK_EQ(find("held.test:80", WEIR_NO_DEADLINE), 1);
    CHECK_EQ(names_asked() - before, 1);
    wi_names_forget();
    return 0;
}

RUN(a_full_table_forgets_the_name_that_was_not_asked_for_for_longest)
{
    char text[32];
    for (int i = 0; i <= WI_NAMES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "host-%d.test:80", i);
        CHECK_EQ(find(text, WEIR_NO_DEADLINE), 1);
        CHECK_EQ(find("host-0.test:80", WEIR_NO_DEADLINE), 1);
    }
    const int before = names_asked();
    CHECK_EQ(find("host-0.test:80", WEIR_NO_DEADLINE), 1);
    CHECK_EQ(find(text, WEIR_NO_DEADLINE), 1);
    CHECK_EQ(names_asked() - before, 0);
    CHECK_EQ(find("host-1.test:80", WEIR_NO_DEADLINE), 1);
    CHECK_EQ(names_asked() - before, 1);
    wi_names_forget();
    return 0;
}

/* Four threads look up, and 64 names wait for them. */
RUN(too_many_lookups_at_once_are_refused)
{
    char text[32];
    int begun = 0;
    names_hold();
    for (;; begun++) {
        CHECK(begun <= 68);
        (void)snprintf(text, sizeof(text), "held-%d.test:80", begun);
        const int rc = find(text, WEIR_DONT_WAIT);
        if (rc == WEIR_EOVERFLOW)
            break;
        CHECK_EQ(rc, WEIR_ETIMEDOUT);
    }
    CHECK(begun >= 64);
    names_let_go();
    for (int i = 0; i <= begun; i++) {
        (void)snprintf(text, sizeof(text), "held-%d.test:80", i);
        CHECK_EQ(find(text, WEIR_NO_DEADLINE), 1);
    }
    wi_names_forget();
    return 0;
}

RUN(what_is_no_name_is_not_looked_up)
{
    static const char *const texts[] = { "",          ":80",         "two.test",
                                         "two.test:", "two test:80", "1.2.3:80" };
    const int before = names_asked();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CHECK_EQ(find(texts[i], WEIR_NO_DEADLINE), WEIR_EINVAL);
    CHECK_EQ(names_asked() - before, 0);
    return 0;
}

static void *find_again_and_again(void *arg)
{
    const int *stop = arg;
    while (peek(stop) == 0)
        CHECK_EQ(find("two.test:80", WEIR_NO_DEADLINE), 2);
    return NULL;
}

static void find_in_child(void)
{
    alarm(30);
    const int before = names_asked();
    CHECK_EQ(find("two.test:80", WEIR_NO_DEADLINE), 2);
    CHECK_EQ(names_asked() - before, 1);
    _exit(0);
}

static void a_child_that_was_forked_amid_lookups_begins_anew(void **state)
{
    (void)state;
    if (built_with_thread_sanitizer()) {
        printf("SKIP: under ThreadSanitizer a child of several threads can start none\n");
        skip();
    }
    pthread_t thread;
    char text[512];
    int stop = 0;
    assert_int_equal(pthread_create(&thread, NULL, find_again_and_again, &stop), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(run_in_child(find_in_child, text, sizeof(text)), 0);
    post(&stop, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    wi_names_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_found_is_remembered_for_every_port),
        cmocka_unit_test(that_a_name_is_not_known_is_remembered_for_a_moment),
        cmocka_unit_test(who_ask_at_once_share_one_lookup),
        cmocka_unit_test(who_gives_up_leaves_the_lookup_to_the_next),
        cmocka_unit_test(a_full_table_forgets_the_name_that_was_not_asked_for_for_longest),
        cmocka_unit_test(too_many_lookups_at_once_are_refused),
        cmocka_unit_test(what_is_no_name_is_not_looked_up),
        cmocka_unit_test(a_child_that_was_forked_amid_lookups_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
