/* SPDX-License-Identifier: MIT */
/* The Date stamp: it is a date, it is kept within its second and made anew after it, and readers on
 * many threads never see a torn one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "serve/server.h"

static struct wi_stamp stamp;

static bool is_date(const char *text)
{
    int64_t seconds = 0;
    return wi_http_date_parse(text, WI_HTTP_DATE_BYTES, 0, &seconds) == 0 && seconds > 0;
}

static void it_is_kept_until_its_second_ends(void **state)
{
    (void)state;
    char first[WI_HTTP_DATE_BYTES], second[WI_HTTP_DATE_BYTES];
    wi_stamp_read(&stamp, weir_now(), first);
    assert_true(is_date(first));
    const weir_time next = wi_load_relaxed(&stamp.next);
    wi_stamp_read(&stamp, next - 1, second);
    assert_memory_equal(first, second, sizeof(first));
    assert_int_equal(wi_load_relaxed(&stamp.next), next);
    wi_stamp_read(&stamp, next, second);
    assert_true(is_date(second));
    assert_true(wi_load_relaxed(&stamp.next) > next);
}

static void *read_often(void *arg)
{
    wi_atomic_i64 *clock = arg;
    for (int i = 0; i < 20000; i++) {
        char text[WI_HTTP_DATE_BYTES];
        /* Every few reads the stamp is due. */
        const weir_time now = wi_add_relaxed(clock, WEIR_NS_PER_S / 8);
        wi_stamp_read(&stamp, now, text);
        if (!is_date(text))
            return arg;
    }
    return NULL;
}

static void threads_never_see_a_torn_one(void **state)
{
    (void)state;
    wi_atomic_i64 clock = { weir_now() };
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &clock), 0);
    for (int i = 0; i < 4; i++) {
        void *torn = NULL;
        assert_int_equal(pthread_join(threads[i], &torn), 0);
        assert_null(torn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_kept_until_its_second_ends),
        cmocka_unit_test(threads_never_see_a_torn_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
