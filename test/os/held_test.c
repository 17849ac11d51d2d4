/* SPDX-License-Identifier: MIT */
/* Which mutexes the calling thread holds, as Debug builds know it; elsewhere none, ever. */
#include "os/held.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    MANY = 40
};

static pthread_mutex_t mutexes[MANY];

#ifdef WI_WATCH_MUTEXES
static const bool watched = true;
#else
static const bool watched = false;
#endif

static int make_mutexes(void **state)
{
    (void)state;
    pthread_mutexattr_t recursive;
    if (pthread_mutexattr_init(&recursive) != 0 ||
        pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE) != 0)
        return -1;
    for (int i = 0; i < MANY; i++) {
        if (pthread_mutex_init(&mutexes[i], &recursive) != 0)
            return -1;
    }
    return pthread_mutexattr_destroy(&recursive);
}

/* The newest that is held is this one; none without a watch. */
static void check_newest(const pthread_mutex_t *mutex)
{
    struct wi_held held;
    assert_int_equal(wi_held_newest(&held), watched);
    if (watched)
        assert_ptr_equal(held.mutex, mutex);
}

static void check_none(void)
{
    struct wi_held held;
    assert_false(wi_held_newest(&held));
}

static void the_newest_is_the_one_taken_last_that_is_still_held(void **state)
{
    (void)state;
    check_none();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_mutex_lock(&mutexes[i]), 0);
    check_newest(&mutexes[2]);
    assert_int_equal(pthread_mutex_unlock(&mutexes[1]), 0);
    check_newest(&mutexes[2]);
    assert_int_equal(pthread_mutex_unlock(&mutexes[2]), 0);
    check_newest(&mutexes[0]);
    assert_int_equal(pthread_mutex_unlock(&mutexes[0]), 0);
    check_none();
}

static void a_recursive_one_is_held_as_often_as_it_was_locked(void **state)
{
    (void)state;
    assert_int_equal(pthread_mutex_lock(&mutexes[0]), 0);
    assert_int_equal(pthread_mutex_trylock(&mutexes[0]), 0);
    assert_int_equal(pthread_mutex_unlock(&mutexes[0]), 0);
    check_newest(&mutexes[0]);
    assert_int_equal(pthread_mutex_unlock(&mutexes[0]), 0);
    check_none();
}

static void more_than_it_can_list_are_counted(void **state)
{
    (void)state;
    struct wi_held held;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_mutex_lock(&mutexes[i]), 0);
    assert_int_equal(wi_held_newest(&held), watched);
    for (int i = MANY; i-- > 1;)
        assert_int_equal(pthread_mutex_unlock(&mutexes[i]), 0);
    check_newest(&mutexes[0]);
    assert_int_equal(pthread_mutex_unlock(&mutexes[0]), 0);
    check_none();
}

static void *hold_none(void *arg)
{
    (void)arg;
    check_none();
    return NULL;
}

static void threads_hold_their_own(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_mutex_lock(&mutexes[0]), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_none, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    check_newest(&mutexes[0]);
    assert_int_equal(pthread_mutex_unlock(&mutexes[0]), 0);
}

static void the_place_names_the_program_it_is_in(void **state)
{
    (void)state;
    char text[256] = "x";
    struct wi_held held = { .mutex = NULL };
    assert_int_equal(pthread_mutex_lock(&mutexes[0]), 0);
    (void)wi_held_newest(&held);
    assert_int_equal(pthread_mutex_unlock(&mutexes[0]), 0);
    wi_held_describe(held.place, text, sizeof(text));
    assert_int_equal(strstr(text, "held_test+0x") != NULL, watched);
    wi_held_describe(NULL, text, sizeof(text));
    assert_int_equal(text[0] == '\0', !watched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_the_one_taken_last_that_is_still_held),
        cmocka_unit_test(a_recursive_one_is_held_as_often_as_it_was_locked),
        cmocka_unit_test(more_than_it_can_list_are_counted),
        cmocka_unit_test(threads_hold_their_own),
        cmocka_unit_test(the_place_names_the_program_it_is_in),
    };
    return cmocka_run_group_tests(tests, make_mutexes, NULL);
}
