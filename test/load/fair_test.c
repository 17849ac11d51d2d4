/* SPDX-License-Identifier: MIT */
/* Shares of clients: who is heavy, who is not, and that it is forgotten. */
#include "load/fair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "weir/time.h"

#define MS WEIR_NS_PER_MS

static struct wi_fair fair;

static int set_up(void **state)
{
    (void)state;
    wi_fair_init(&fair, 3);
    return 0;
}

static uint32_t client(int index)
{
    return 2654435761U * (uint32_t)(index + 1);
}

static int count_heavy(int clients)
{
    int heavy = 0;
    for (int i = 0; i < clients; i++)
        heavy += wi_fair_is_heavy(&fair, client(i));
    return heavy;
}

static void nobody_is_heavy_at_first(void **state)
{
    (void)state;
    assert_int_equal(count_heavy(1000), 0);
    wi_fair_tick(&fair, 0.005);
    assert_int_equal(count_heavy(1000), 0);
}

static void equal_clients_are_not_heavy(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 50; i++)
            wi_fair_admitted(&fair, client(i), MS);
        wi_fair_tick(&fair, 0.005);
    }
    assert_int_equal(count_heavy(50), 0);
}

/* So that it is known when others come; nobody is before it until then. */
static void a_lone_client_is_heavy_and_others_are_not_when_they_come(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        wi_fair_admitted(&fair, client(0), 5 * MS);
        wi_fair_tick(&fair, 0.005);
    }
    assert_int_equal(count_heavy(51), 1);
    for (int i = 1; i < 51; i++)
        wi_fair_admitted(&fair, client(i), MS);
    wi_fair_tick(&fair, 0.005);
    assert_int_equal(count_heavy(51), 1);
    assert_true(wi_fair_is_heavy(&fair, client(0)));
}

/* Of routes, where one more than there are is reckoned with. */
static void a_lone_route_is_not_heavy_and_one_of_two_may_be(void **state)
{
    (void)state;
    wi_fair_init(&fair, 1);
    for (int round = 0; round < 1000; round++) {
        wi_fair_admitted(&fair, client(0), round % 3 * 5 * MS);
        assert_false(wi_fair_is_heavy(&fair, client(0)));
        wi_fair_tick(&fair, 0.005);
        assert_false(wi_fair_is_heavy(&fair, client(0)));
        assert_true(wi_fair_remembers(&fair));
    }
    for (int round = 0; round < 10; round++) { /* one of two may be */
        wi_fair_admitted(&fair, client(1), WEIR_NS_PER_S);
        wi_fair_tick(&fair, 0.005);
    }
    assert_true(wi_fair_is_heavy(&fair, client(1)));
    assert_false(wi_fair_is_heavy(&fair, client(0)));
    for (int round = 0; round < 5000; round++)
        wi_fair_tick(&fair, 0.005);
    assert_false(wi_fair_remembers(&fair));
}

static void few_equal_clients_are_all_alike(void **state)
{
    (void)state;
    for (int clients = 2; clients <= 8; clients++) {
        wi_fair_init(&fair, 3);
        for (int round = 0; round < 100; round++) {
            for (int i = 0; i < clients; i++)
                wi_fair_admitted(&fair, client(i), 5 * MS);
            wi_fair_tick(&fair, 0.005);
        }
        const int heavy = count_heavy(clients);
        assert_true(heavy == 0 || heavy == clients);
    }
}

static void who_takes_ten_times_a_share_is_heavy(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 50; i++)
            wi_fair_admitted(&fair, client(i), i == 7 ? 10 * MS : MS);
        wi_fair_tick(&fair, 0.005);
    }
    assert_true(wi_fair_is_heavy(&fair, client(7)));
    assert_int_equal(count_heavy(50), 1);
}

static void who_gets_nothing_has_a_share_too(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        wi_fair_admitted(&fair, client(7), 5 * MS);
        for (int i = 0; i < 3; i++)
            wi_fair_refused(&fair, client(i));
        wi_fair_tick(&fair, 0.005);
    }
    assert_true(wi_fair_is_heavy(&fair, client(7)));
    assert_false(wi_fair_is_heavy(&fair, client(0)));
}

static void the_past_is_forgotten(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        wi_fair_admitted(&fair, client(i), i == 7 ? WEIR_NS_PER_S : MS);
    wi_fair_tick(&fair, 0.005);
    assert_true(wi_fair_is_heavy(&fair, client(7)));
    for (int round = 0; round < 3000; round++) {
        for (int i = 0; i < 50; i++)
            wi_fair_admitted(&fair, client(i), MS);
        wi_fair_tick(&fair, 0.005);
    }
    assert_int_equal(count_heavy(50), 0);
    for (int round = 0; round < 5000; round++)
        wi_fair_tick(&fair, 0.005);
    for (int row = 0; row < WI_FAIR_ROWS; row++)
        for (int i = 0; i < WI_FAIR_CELLS; i++)
            assert_int_equal(wi_load_relaxed(&fair.cells[row][i]), 0);
}

static void a_thousand_equal_clients_are_hardly_ever_heavy(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 1000; i++)
            wi_fair_admitted(&fair, client(i), 10000);
        wi_fair_tick(&fair, 0.005);
    }
    assert_in_range(count_heavy(1000), 0, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_is_heavy_at_first, set_up),
        cmocka_unit_test_setup(equal_clients_are_not_heavy, set_up),
        cmocka_unit_test_setup(a_lone_client_is_heavy_and_others_are_not_when_they_come, set_up),
        cmocka_unit_test_setup(a_lone_route_is_not_heavy_and_one_of_two_may_be, set_up),
        cmocka_unit_test_setup(few_equal_clients_are_all_alike, set_up),
        cmocka_unit_test_setup(who_takes_ten_times_a_share_is_heavy, set_up),
        cmocka_unit_test_setup(who_gets_nothing_has_a_share_too, set_up),
        cmocka_unit_test_setup(the_past_is_forgotten, set_up),
        cmocka_unit_test_setup(a_thousand_equal_clients_are_hardly_ever_heavy, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
