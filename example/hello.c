/* SPDX-License-Identifier: MIT */
/* The smallest service.  `hello --help` tells what the same binary can be started as. */

#include <weir/weir.h>

static int hello(weir_request *q, weir_reply *r, void *user)
{
    (void)user;
    return weir_reply_text(r, 200, "Hello, %s!\n", weir_request_param(q, "name"));
}

static int start(weir_app *app)
{
    return weir_app_route(app, "GET", "/hello/:name", hello, NULL);
}

int main(int argc, char **argv)
{
    return weir_main(
        argc, argv,
        &(struct weir_app_spec){ .name = "hello", .state = WEIR_STATE_NONE, .start = start });
}
