/* SPDX-License-Identifier: MIT */
/* A service that calls a library which blocks its thread (here nanosleep; elsewhere a database
 * client), in a route that does not say so.  Nothing refuses it, and it works, until there is load:
 *
 *   weir compare --app=build/release/example/wrong/sleeper --url=/slow --workloads=block
 *
 * Under `loop` it answers one request at a time while its core is idle.  The mistake is the missing
 * .blocking: with --right the same route has it, and runs on a bounded pool of threads. */

#include <string.h>
#include <time.h>

#include <weir/weir.h>

#define SLOW_NS 20000000

static int slow(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    (void)nanosleep(&(struct timespec){ .tv_nsec = SLOW_NS }, NULL);
    return weir_reply_text(reply, 200, "that took a while\n");
}

static int start(weir_app *app)
{
    const bool *right = weir_app_user(app);
    return weir_app_route_with(app, "GET", "/slow", slow, NULL,
                               &(struct weir_route_opts){ .blocking = *right });
}

/* Takes --right out of the arguments; weir_main() reads the rest. */
static bool take_right(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--right") != 0)
            continue;
        memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof argv[0]);
        (*argc)--;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    bool right = take_right(&argc, argv);
    return weir_main(argc, argv,
                     &(struct weir_app_spec){
                         .name = "sleeper",
                         .summary = "a route that blocks its thread; --right says so to weir",
                         .state = WEIR_STATE_NONE,
                         .start = start,
                         .user = &right,
                     });
}
