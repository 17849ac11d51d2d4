/* SPDX-License-Identifier: MIT */
/* One event loop by itself: watches and stale events, posts from other threads, timers, kicks, and
 * the rest between turns that a foreign loop drives. */
#include "loop/loop.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/socket.h"
#include "support/run.h"

static struct wi_loop loop;

static int open_loop(void **state)
{
    (void)state;
    return wi_loop_open(&loop);
}

static int close_loop(void **state)
{
    (void)state;
    wi_loop_close(&loop);
    return 0;
}

/* -- watches ----------------------------------------------------------------------------------- */

struct seen {
    struct wi_watch watch;
    uint32_t ready;
    int count;
    struct seen *other; /* unwatched when this one is told, NULL: nobody */
};

static void note(struct wi_watch *watch, uint32_t ready)
{
    struct seen *seen = wi_container_of(watch, struct seen, watch);
    seen->ready |= ready;
    seen->count++;
    if (seen->other != NULL)
        wi_loop_unwatch(&loop, &seen->other->watch);
}

static void write_byte(int fd)
{
    const char byte = 1;
    assert_int_equal(wi_socket_write(fd, &byte, 1), 1);
}

static void an_event_is_told_once_to_its_watch(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    struct seen seen = { .watch = { .fd = fds[0], .on_ready = note } };
    assert_int_equal(wi_loop_watch(&loop, &seen.watch, WI_POLL_READ), 0);
    assert_int_equal(wi_loop_turn(&loop, WEIR_DONT_WAIT), 0);
    write_byte(fds[1]);
    assert_int_equal(wi_loop_turn(&loop, WEIR_NO_DEADLINE), 1);
    assert_int_equal(seen.ready & WI_POLL_READ, WI_POLL_READ);
    assert_int_equal(wi_loop_turn(&loop, WEIR_DONT_WAIT), 0); /* edges, not levels */
    wi_loop_unwatch(&loop, &seen.watch);
    write_byte(fds[1]);
    assert_int_equal(wi_loop_turn(&loop, WEIR_DONT_WAIT), 0);
    assert_int_equal(seen.count, 1);
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

static void an_event_that_is_stale_when_its_turn_comes_is_dropped(void **state)
{
    (void)state;
    int left[2];
    int right[2];
    assert_int_equal(wi_socket_pair(left), 0);
    assert_int_equal(wi_socket_pair(right), 0);
    struct seen a = { .watch = { .fd = left[0], .on_ready = note } };
    struct seen b = { .watch = { .fd = right[0], .on_ready = note }, .other = &a };
    a.other = &b;
    assert_int_equal(wi_loop_watch(&loop, &a.watch, WI_POLL_READ), 0);
    assert_int_equal(wi_loop_watch(&loop, &b.watch, WI_POLL_READ), 0);
    write_byte(left[1]);
    write_byte(right[1]);
    /* Both events are fetched together; whoever is told first removes the other. */
    assert_int_equal(wi_loop_turn(&loop, WEIR_NO_DEADLINE), 2);
    assert_int_equal(a.count + b.count, 1);
    for (int i = 0; i < 2; i++) {
        wi_socket_close(left[i]);
        wi_socket_close(right[i]);
    }
}

/* -- posts ------------------------------------------------------------------------------------- */

struct job {
    struct wi_post post;
    int ran;
    int again; /* how often it posts itself */
    int *order;
    int number;
};

static int order_count;

static void run_job(struct wi_post *post)
{
    struct job *job = wi_container_of(post, struct job, post);
    bump(&job->ran);
    if (job->order != NULL)
        job->order[order_count++] = job->number;
    if (job->again > 0) {
        job->again--;
        wi_loop_post(&loop, &job->post);
    }
}

static void posts_run_in_their_order_in_the_next_turn(void **state)
{
    (void)state;
    struct job jobs[5];
    int order[5];
    order_count = 0;
    for (int i = 0; i < 5; i++) {
        jobs[i] = (struct job){ .post = { .run = run_job }, .order = order, .number = i };
        wi_loop_post(&loop, &jobs[i].post);
        wi_loop_post(&loop, &jobs[i].post); /* queued already: nothing more */
    }
    assert_int_equal(wi_loop_turn(&loop, WEIR_NO_DEADLINE), 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(jobs[i].ran, 1);
    }
    assert_int_equal(wi_loop_turn(&loop, WEIR_DONT_WAIT), 0);
}

static void a_post_that_posts_itself_runs_once_a_turn(void **state)
{
    (void)state;
    struct job job = { .post = { .run = run_job }, .again = 3 };
    wi_loop_post(&loop, &job.post);
    for (int turn = 1; turn <= 4; turn++) {
        assert_int_equal(wi_loop_turn(&loop, WEIR_NO_DEADLINE), 1);
        assert_int_equal(job.ran, turn);
    }
    assert_int_equal(wi_loop_turn(&loop, WEIR_DONT_WAIT), 0);
}

enum {
    POSTS = 5000,
    POSTERS = 3
};

static void *post_many(void *arg)
{
    struct job *job = arg;
    for (int i = 0; i < POSTS; i++) {
        const int before = peek(&job->ran);
        wi_loop_post(&loop, &job->post);
        while (peek(&job->ran) == before) {
        }
    }
    return NULL;
}

/* Each post must wake a loop that sleeps, however the two race. */
static void posts_of_other_threads_always_wake_the_turn(void **state)
{
    (void)state;
    struct job jobs[POSTERS];
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        jobs[i] = (struct job){ .post = { .run = run_job } };
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &jobs[i]), 0);
    }
    int handled = 0;
    while (handled < POSTS * POSTERS)
        handled += wi_loop_turn(&loop, WEIR_NO_DEADLINE);
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(handled, POSTS * POSTERS);
}

enum {
    BURSTS = 100000,
    BURST_POSTS_MAX = 4
};

/* A post whose run looks at what its poster wrote. */
struct news {
    struct wi_post post;
    wi_atomic_u64 written;
    wi_atomic_u64 seen;
    int lost;
    int done;
};

static void look_at_news(struct wi_post *post)
{
    struct news *news = wi_container_of(post, struct news, post);
    wi_store_release(&news->seen, wi_load_relaxed(&news->written));
}

/* Writes and posts several times in a row, so that posts meet a run that has just begun. */
static void *post_news(void *arg)
{
    struct news *news = arg;
    const weir_time until = weir_in_ms(1000);
    uint64_t value = 0;
    for (int burst = 0; burst < BURSTS && news->lost == 0 && weir_now() < until; burst++) {
        for (int i = 0; i <= burst % BURST_POSTS_MAX; i++) {
            wi_store_relaxed(&news->written, ++value);
            wi_loop_post(&loop, &news->post);
        }
        const weir_time bound = weir_in_ms(10000);
        while (wi_load_acquire(&news->seen) != value && weir_now() < bound) {
        }
        news->lost += wi_load_acquire(&news->seen) != value;
    }
    post(&news->done, 1);
    wi_loop_kick(&loop);
    return NULL;
}

/* What is written before a post is seen by a run, also if the post was queued and just began. */
static void a_post_that_comes_as_it_begins_to_run_is_not_missed(void **state)
{
    (void)state;
    struct news news = { .post = { .run = look_at_news } };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_news, &news), 0);
    while (peek(&news.done) == 0)
        (void)wi_loop_turn(&loop, WEIR_DONT_WAIT);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(news.lost, 0);
}

/* -- timers ------------------------------------------------------------------------------------ */

static int fired_count;

static void count_fire(struct wi_timer *timer)
{
    (void)timer;
    bump(&fired_count);
}

static void a_turn_sleeps_until_the_first_timer(void **state)
{
    (void)state;
    struct wi_timer timer;
    fired_count = 0;
    wi_timer_init(&timer, count_fire);
    const weir_time deadline = weir_in_ms(3);
    wi_loop_timer_start(&loop, &timer, deadline);
    while (fired_count == 0)
        (void)wi_loop_turn(&loop, WEIR_NO_DEADLINE);
    assert_true(weir_now() >= deadline);
}

struct late_timer {
    struct wi_timer timer;
    weir_time deadline;
    int go;
};

static void *start_timer_elsewhere(void *arg)
{
    struct late_timer *late = arg;
    await(&late->go, 1);
    wi_loop_timer_start(&loop, &late->timer, weir_in_ms(1));
    return NULL;
}

static void a_timer_started_elsewhere_shortens_the_sleep(void **state)
{
    (void)state;
    fired_count = 0;
    for (int round = 0; round < 20; round++) {
        struct late_timer late = { .go = 0 };
        pthread_t thread;
        wi_timer_init(&late.timer, count_fire);
        assert_int_equal(pthread_create(&thread, NULL, start_timer_elsewhere, &late), 0);
        post(&late.go, 1);
        while (fired_count <= round)
            (void)wi_loop_turn(&loop, WEIR_NO_DEADLINE);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

/* -- resting ----------------------------------------------------------------------------------- */

static bool readable(void)
{
    struct pollfd one = { .fd = loop.poll.fd, .events = POLLIN };
    return poll(&one, 1, 0) == 1;
}

static void at_rest_a_post_makes_the_descriptor_readable(void **state)
{
    (void)state;
    struct job job = { .post = { .run = run_job } };
    (void)wi_loop_turn(&loop, WEIR_DONT_WAIT);
    wi_loop_rest(&loop);
    assert_false(readable());
    wi_loop_post(&loop, &job.post);
    assert_true(readable());
    wi_loop_resume(&loop);
    assert_int_equal(wi_loop_turn(&loop, WEIR_DONT_WAIT), 1);
    wi_loop_rest(&loop);
    assert_false(readable());
}

static void a_post_of_the_turn_itself_is_seen_when_the_rest_begins(void **state)
{
    (void)state;
    struct job job = { .post = { .run = run_job } };
    wi_loop_post(&loop, &job.post);
    assert_false(readable());
    wi_loop_rest(&loop);
    assert_true(readable());
}

static void at_rest_an_earlier_timer_makes_the_descriptor_readable(void **state)
{
    (void)state;
    struct wi_timer timers[2];
    for (int i = 0; i < 2; i++)
        wi_timer_init(&timers[i], count_fire);
    wi_loop_rest(&loop);
    wi_loop_timer_start(&loop, &timers[0], weir_in_ms(1000));
    assert_true(readable());
    wi_loop_resume(&loop);
    (void)wi_loop_turn(&loop, WEIR_DONT_WAIT);
    wi_loop_rest(&loop);
    wi_loop_timer_start(&loop, &timers[1], weir_in_ms(2000));
    assert_false(readable());
}

static void kicks_collapse_and_end_one_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        wi_loop_kick(&loop);
    assert_int_equal(wi_loop_turn(&loop, WEIR_NO_DEADLINE), 0);
    const weir_time deadline = weir_in_ms(2);
    assert_int_equal(wi_loop_turn(&loop, deadline), 0);
    assert_true(weir_now() >= deadline);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(an_event_is_told_once_to_its_watch),
        LOOP_TEST(an_event_that_is_stale_when_its_turn_comes_is_dropped),
        LOOP_TEST(posts_run_in_their_order_in_the_next_turn),
        LOOP_TEST(a_post_that_posts_itself_runs_once_a_turn),
        LOOP_TEST(posts_of_other_threads_always_wake_the_turn),
        LOOP_TEST(a_post_that_comes_as_it_begins_to_run_is_not_missed),
        LOOP_TEST(a_turn_sleeps_until_the_first_timer),
        LOOP_TEST(a_timer_started_elsewhere_shortens_the_sleep),
        LOOP_TEST(at_rest_a_post_makes_the_descriptor_readable),
        LOOP_TEST(a_post_of_the_turn_itself_is_seen_when_the_rest_begins),
        LOOP_TEST(at_rest_an_earlier_timer_makes_the_descriptor_readable),
        LOOP_TEST(kicks_collapse_and_end_one_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
