/* SPDX-License-Identifier: MIT */
/* State that a library keeps for each thread, across waits: OpenSSL's error queue, and the locale
 * that uselocale(3) sets.  A task that stays on a thread of its own (.pinned; under `loop`
 * .blocking, because there pinned tasks share one) finds it as it left it; a plain task that goes
 * on on another thread does not, which is shown too.  C++ exceptions: test/cxx/exceptions_test.cpp.
 * ctest: timeout=120 */
#include <dlfcn.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    TASKS = 8,
    WAITS = 120,
    TURNS_MAX = 300
};

/* A library with state for each thread: sets it to a number, and tells whether it is that. */
struct library {
    bool (*open)(void);
    void (*set)(int number);
    bool (*is)(int number);
    void (*clear)(void);
    void (*close)(void);
};

struct crowd {
    const struct library *library;
    int next;  /* atomic */
    int moved; /* atomic: waits after which a task was on another thread */
    int lost;  /* atomic: and found another state there */
};

/* -- OpenSSL's error queue --------------------------------------------------------------------- */

static struct {
    void *handle;
    void (*new_error)(void);
    void (*set_error)(int library, int reason, const char *format, ...);
    unsigned long (*peek_last)(void);
    unsigned long (*get)(void);
    void (*clear)(void);
} ssl;

enum {
    ERR_LIBRARY = 128 /* the first that OpenSSL leaves to its users */
};

static bool ssl_open(void)
{
    ssl.handle = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    if (ssl.handle == NULL) {
        printf("SKIP: no OpenSSL 3 here (package libssl3): %s\n", dlerror());
        return false;
    }
    *(void **)&ssl.new_error = dlsym(ssl.handle, "ERR_new");
    *(void **)&ssl.set_error = dlsym(ssl.handle, "ERR_set_error");
    *(void **)&ssl.peek_last = dlsym(ssl.handle, "ERR_peek_last_error");
    *(void **)&ssl.get = dlsym(ssl.handle, "ERR_get_error");
    *(void **)&ssl.clear = dlsym(ssl.handle, "ERR_clear_error");
    CHECK(ssl.new_error != NULL && ssl.set_error != NULL && ssl.peek_last != NULL);
    CHECK(ssl.get != NULL && ssl.clear != NULL);
    return true;
}

/* Two errors, so that the order of the queue is seen too. */
static void ssl_set(int number)
{
    ssl.clear();
    ssl.new_error();
    ssl.set_error(ERR_LIBRARY, 1000 + number, NULL);
    ssl.new_error();
    ssl.set_error(ERR_LIBRARY, 2000 + number, NULL);
}

static int reason_of(unsigned long error)
{
    return (int)(error & 0x7fffff); /* ERR_GET_REASON() */
}

static bool ssl_is(int number)
{
    if (reason_of(ssl.peek_last()) != 2000 + number)
        return false;
    const bool first = reason_of(ssl.get()) == 1000 + number;
    const bool second = reason_of(ssl.get()) == 2000 + number;
    return first && second && ssl.get() == 0;
}

static void ssl_clear(void)
{
    ssl.clear();
}

static void ssl_close(void)
{
    /* It stays loaded: its destructors of thread-local state run when threads end. */
}

static const struct library openssl = { ssl_open, ssl_set, ssl_is, ssl_clear, ssl_close };

/* -- the locale of a thread -------------------------------------------------------------------- */

static locale_t locales[TASKS + 1];

static void locale_close(void)
{
    for (int i = 0; i <= TASKS; i++)
        freelocale(locales[i]);
}

/* All the same in what they say, and each a thing of its own. */
static bool locale_open(void)
{
    bool alone = true;
    for (int i = 0; i <= TASKS; i++) {
        locales[i] = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        CHECK(locales[i] != (locale_t)0);
        alone = alone && (i == 0 || locales[i] != locales[i - 1]);
    }
    if (alone)
        return true;
    printf("SKIP: this C library hands out one object for equal locales\n");
    locale_close();
    return false;
}

static void locale_set(int number)
{
    CHECK(uselocale(locales[number]) != (locale_t)0);
}

static bool locale_is(int number)
{
    return uselocale((locale_t)0) == locales[number];
}

static void locale_clear(void)
{
    CHECK(uselocale(LC_GLOBAL_LOCALE) != (locale_t)0);
}

static const struct library locale = { locale_open, locale_set, locale_is, locale_clear,
                                       locale_close };

/* -- tasks ------------------------------------------------------------------------------------- */

/* Lets others run, which set what is theirs; another worker may have the task afterwards. */
static void wait_for_others(int i)
{
    if (i % 4 == 0)
        CHECK_EQ(weir_sleep(weir_in_ns(20000)), 0);
    else
        CHECK_EQ(weir_yield(), 0);
}

static int keep_state(void *arg)
{
    struct crowd *crowd = arg;
    const int number = bump(&crowd->next);
    const pid_t home = gettid();
    for (int i = 0; i < WAITS; i++) {
        crowd->library->set(number);
        wait_for_others(i);
        CHECK_EQ(gettid(), home);
        CHECK(crowd->library->is(number));
    }
    crowd->library->clear();
    return 0;
}

static int lose_state(void *arg)
{
    struct crowd *crowd = arg;
    const int number = bump(&crowd->next);
    for (int i = 0; i < WAITS; i++) {
        const pid_t before = gettid();
        crowd->library->set(number);
        wait_for_others(i);
        const bool lost = !crowd->library->is(number);
        if (gettid() != before) {
            bump(&crowd->moved);
            if (lost)
                bump(&crowd->lost);
        }
        crowd->library->clear();
    }
    return 0;
}

static int crowd_of_pinned(void *arg)
{
    struct crowd *crowd = arg;
    const bool loop = model_scheduler() == WEIR_SCHEDULER_LOOP;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(weir_go(keep_state, crowd, .pinned = !loop, .blocking = loop), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static int crowd_of_plain(void *arg)
{
    struct crowd *crowd = arg;
    for (int turn = 0; turn < TURNS_MAX && peek(&crowd->lost) == 0; turn++) {
        weir_scope *scope;
        post(&crowd->next, 0);
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(weir_go(lose_state, crowd), 0);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    }
    return 0;
}

static void check_kept(const struct library *library)
{
    if (!library->open())
        skip();
    struct crowd crowd = { .library = library };
    run_body(crowd_of_pinned, &crowd);
    assert_int_equal(crowd.next, TASKS);
    library->close();
}

static void check_lost(const struct library *library)
{
    if (model_scheduler() != WEIR_SCHEDULER_TASKS) {
        printf("SKIP: only under tasks does a plain task change threads\n");
        skip();
    }
    if (!library->open())
        skip();
    struct crowd crowd = { .library = library };
    run_body(crowd_of_plain, &crowd);
    assert_true(crowd.lost > 0);
    assert_true(crowd.moved >= crowd.lost);
    library->close();
}

static void openssl_s_errors_are_the_task_s_own_across_waits_where_it_stays(void **state)
{
    (void)state;
    check_kept(&openssl);
}

static void a_plain_task_loses_openssl_s_errors_when_it_goes_on_elsewhere(void **state)
{
    (void)state;
    check_lost(&openssl);
}

static void the_locale_is_the_task_s_own_across_waits_where_it_stays(void **state)
{
    (void)state;
    check_kept(&locale);
}

static void a_plain_task_loses_its_locale_when_it_goes_on_elsewhere(void **state)
{
    (void)state;
    check_lost(&locale);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_s_errors_are_the_task_s_own_across_waits_where_it_stays),
        cmocka_unit_test(a_plain_task_loses_openssl_s_errors_when_it_goes_on_elsewhere),
        cmocka_unit_test(the_locale_is_the_task_s_own_across_waits_where_it_stays),
        cmocka_unit_test(a_plain_task_loses_its_locale_when_it_goes_on_elsewhere),
    };
    return cmocka_run_group_tests_name("pinned", tests, NULL, NULL);
}
