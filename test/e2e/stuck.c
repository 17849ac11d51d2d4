/* SPDX-License-Identifier: MIT */
/* A service whose start waits for a message that nobody will send, for process_tasks.py. */
#include "weir/weir.h"

static int start(weir_app *app)
{
    weir_chan *ch;
    char byte;
    (void)app;
    const int rc = weir_chan_create(&ch, &(struct weir_chan_opts){ .elem_bytes = 1 });
    return rc != 0 ? rc : weir_chan_recv(ch, &byte, WEIR_NO_DEADLINE);
}

int main(int argc, char **argv)
{
    return weir_main(
        argc, argv,
        &(struct weir_app_spec){ .name = "stuck", .state = WEIR_STATE_NONE, .start = start });
}
