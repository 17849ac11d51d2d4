/* SPDX-License-Identifier: MIT */
/* A service that counts in a plain variable, without a lock.  It says so (WEIR_STATE_LOOP_ONLY), so
 * every model but `loop` refuses to run it:
 *
 *   weir compare --app=build/release/example/wrong/counter --url=/count --short
 *
 * The mistake is the plain variable: with weir_mutex around it and WEIR_STATE_LOCKED it would run
 * under `tasks` and `threads` too, on every core. */

#include <weir/weir.h>

static long count;

static int count_one(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    count++;
    return weir_reply_text(reply, 200, "%ld\n", count);
}

static int start(weir_app *app)
{
    return weir_app_route(app, "GET", "/count", count_one, NULL);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv,
                     &(struct weir_app_spec){
                         .name = "counter", .state = WEIR_STATE_LOOP_ONLY, .start = start });
}
