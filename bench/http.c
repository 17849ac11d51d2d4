/* SPDX-License-Identifier: MIT */
/* What bench/http_cost.py and bench/instructions.py load: the smallest answer, a large one, one
 * behind many routes, and one that keeps its place for ten minutes, so that with --max-running=1
 * all others wait or are refused.  Everything else about it is weir_main()'s, so --model, --cores
 * and --listen choose what is measured.
 *
 * The peers in bench/peers/ answer the same paths with the same bytes.
 *
 * Threads: handlers share only what never changes. */

#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

#define LARGE_BYTES 65536
#define RESOURCES 100

static char large[LARGE_BYTES];

static int hello(weir_request *q, weir_reply *r, void *user)
{
    (void)user;
    return weir_reply_text(r, 200, "Hello, %s!\n", weir_request_param(q, "name"));
}

static int body(weir_request *q, weir_reply *r, void *user)
{
    (void)q;
    (void)user;
    return weir_reply_data(r, 200, NULL, large, sizeof large);
}

static int item(weir_request *q, weir_reply *r, void *user)
{
    (void)user;
    const char *of = weir_request_param(q, "id");
    const char *name = weir_request_param(q, "item");
    return weir_reply_text(r, 200, "item %s of %s\n", name != NULL ? name : "all", of);
}

static int hold(weir_request *q, weir_reply *r, void *user)
{
    (void)q;
    (void)user;
    (void)!weir_sleep(weir_in_ms(600000));
    return weir_reply_text(r, 200, "held\n");
}

/* Five routes for each of a hundred resources, as a service of some size has them. */
static int add_many(weir_app *app)
{
    static const char *const ends[] = { "", "/owner", "/items", "/items/:item",
                                        "/items/:item/history" };
    for (int resource = 0; resource < RESOURCES; resource++) {
        for (size_t end = 0; end < sizeof ends / sizeof ends[0]; end++) {
            char pattern[64];
            snprintf(pattern, sizeof pattern, "/many/r%02d/:id%s", resource, ends[end]);
            const int rc = weir_app_route(app, "GET", pattern, item, NULL);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static int start(weir_app *app)
{
    memset(large, 'x', sizeof large);
    int rc = weir_app_route(app, "GET", "/hello/:name", hello, NULL);
    if (rc >= 0)
        rc = weir_app_route(app, "GET", "/body", body, NULL);
    if (rc >= 0)
        rc = weir_app_route_with(app, "GET", "/hold", hold, NULL,
                                 &(struct weir_route_opts){ .deadline_ns = -1 });
    return rc < 0 ? rc : add_many(app);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv,
                     &(struct weir_app_spec){ .name = "http",
                                              .summary = "the routes that bench/ measures",
                                              .state = WEIR_STATE_NONE,
                                              .start = start });
}
