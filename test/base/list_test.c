/* SPDX-License-Identifier: MIT */
/* The intrusive list against a plain array, step by step. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

enum {
    NODES = 16,
    STEPS = 20000
};

struct model {
    struct wi_list head;
    struct wi_list nodes[NODES];
    size_t order[NODES]; /* what the list must hold */
    size_t count;
};

static void check(const struct model *model)
{
    const struct wi_list *at = &model->head;
    for (size_t i = 0; i < model->count; i++) {
        assert_ptr_equal(at->next->prev, at);
        at = at->next;
        assert_ptr_equal(at, &model->nodes[model->order[i]]);
    }
    assert_ptr_equal(at->next, &model->head);
    assert_ptr_equal(model->head.prev, at);
    assert_int_equal(wi_list_empty(&model->head), model->count == 0);
    assert_int_equal(wi_list_count(&model->head), model->count);
}

static size_t find(const struct model *model, size_t node)
{
    size_t i = 0;
    while (i < model->count && model->order[i] != node)
        i++;
    return i;
}

static void take_out(struct model *model, size_t at)
{
    memmove(&model->order[at], &model->order[at + 1],
            (model->count - at - 1) * sizeof(model->order[0]));
    model->count--;
}

static void put_in(struct model *model, size_t at, size_t node)
{
    memmove(&model->order[at + 1], &model->order[at],
            (model->count - at) * sizeof(model->order[0]));
    model->order[at] = node;
    model->count++;
}

static void step(struct model *model, struct wi_rng *rng)
{
    const size_t node = wi_rng_below(rng, NODES);
    const size_t at = find(model, node);
    const bool linked = at < model->count;
    assert_int_equal(wi_list_linked(&model->nodes[node]), linked);
    switch (wi_rng_below(rng, 4)) {
    case 0:
        if (!linked) {
            wi_list_push_back(&model->head, &model->nodes[node]);
            put_in(model, model->count, node);
        }
        break;
    case 1:
        if (!linked) {
            wi_list_push_front(&model->head, &model->nodes[node]);
            put_in(model, 0, node);
        }
        break;
    case 2:
        wi_list_remove(&model->nodes[node]); /* harmless when it is on no list */
        if (linked)
            take_out(model, at);
        break;
    default: {
        struct wi_list *popped = wi_list_pop_front(&model->head);
        assert_ptr_equal(popped, model->count == 0 ? NULL : &model->nodes[model->order[0]]);
        if (model->count > 0)
            take_out(model, 0);
        break;
    }
    }
}

static void a_list_behaves_as_an_array_does(void **state)
{
    (void)state;
    const uint64_t seed = 20240607;
    printf("seed %llu\n", (unsigned long long)seed);
    struct wi_rng rng;
    wi_rng_init(&rng, seed);
    struct model model = { .count = 0 };
    wi_list_init(&model.head);
    for (size_t i = 0; i < NODES; i++)
        wi_list_init(&model.nodes[i]);
    for (int i = 0; i < STEPS; i++) {
        step(&model, &rng);
        check(&model);
    }
}

static void inserting_before_a_node_keeps_the_order(void **state)
{
    (void)state;
    struct wi_list head;
    struct wi_list first;
    struct wi_list second;
    wi_list_init(&head);
    wi_list_push_back(&head, &second);
    wi_list_insert_before(&second, &first);
    assert_ptr_equal(wi_list_pop_front(&head), &first);
    assert_ptr_equal(wi_list_pop_front(&head), &second);
    assert_null(wi_list_pop_front(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_behaves_as_an_array_does),
        cmocka_unit_test(inserting_before_a_node_keeps_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
