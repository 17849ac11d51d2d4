/* SPDX-License-Identifier: MIT */
/* What somebody else's program on weir is: one file that includes weir/weir.h.  consumer_test.py
 * builds it in each way that an installation offers, and asks it for its version. */
#include <weir/weir.h>

static int version(weir_request *q, weir_reply *r, void *user)
{
    (void)user;
    return weir_reply_text(r, 200, "%s %s\n", weir_request_param(q, "way"), weir_version());
}

static int start(weir_app *app)
{
    return weir_app_route(app, "GET", "/version/:way", version, NULL);
}

int main(int argc, char **argv)
{
    return weir_main(
        argc, argv,
        &(struct weir_app_spec){ .name = "consumer", .state = WEIR_STATE_NONE, .start = start });
}
