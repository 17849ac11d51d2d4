/* SPDX-License-Identifier: MIT */
/* What a worker tells its primary: facts in the slot, one byte in the pipe. */
#include "cluster/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/file.h"

struct fixture {
    struct wi_slots slots;
    struct wi_member member;
    int fds[2];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    assert_int_equal(wi_slots_open(&fixture.slots, 1, 64, NULL), 0);
    assert_int_equal(wi_pipe_open(fixture.fds, true), 0);
    fixture.member = (struct wi_member){
        .tell_fd = fixture.fds[1],
        .slot = wi_slots_head(&fixture.slots, 0),
        .payload = wi_slots_payload(&fixture.slots, 0),
    };
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    wi_file_close(fixture->fds[0]);
    wi_file_close(fixture->fds[1]);
    wi_slots_close(&fixture->slots);
    return 0;
}

static void states_are_told_with_a_byte_each(void **state)
{
    struct fixture *fixture = *state;
    char bytes[8];
    const weir_time before = wi_clock_now();
    wi_member_ready(&fixture->member);
    assert_int_equal(wi_load_relaxed(&fixture->member.slot->state), WI_MEMBER_READY);
    assert_true(wi_load_relaxed(&fixture->member.slot->ready_at) >= before);
    assert_int_equal(wi_file_read(fixture->fds[0], bytes, sizeof(bytes)), 1);
    wi_member_draining(&fixture->member);
    assert_int_equal(wi_load_relaxed(&fixture->member.slot->state), WI_MEMBER_DRAINING);
    assert_int_equal(wi_file_read(fixture->fds[0], bytes, sizeof(bytes)), 1);
}

static void a_full_pipe_holds_nobody_up(void **state)
{
    struct fixture *fixture = *state;
    static char filling[4096];
    while (wi_file_write(fixture->fds[1], filling, sizeof(filling)) > 0)
        continue;
    wi_member_ready(&fixture->member);
    assert_int_equal(wi_load_relaxed(&fixture->member.slot->state), WI_MEMBER_READY);
}

static void a_long_reason_is_cut_and_ended(void **state)
{
    struct fixture *fixture = *state;
    char reason[2 * WI_SLOT_REASON_BYTES];
    memset(reason, 'x', sizeof(reason));
    reason[sizeof(reason) - 1] = '\0';
    wi_member_explain(&fixture->member, reason);
    assert_int_equal(strlen(fixture->member.slot->reason), WI_SLOT_REASON_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(states_are_told_with_a_byte_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_pipe_holds_nobody_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_reason_is_cut_and_ended, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("member", tests, NULL, NULL);
}
