// SPDX-License-Identifier: MIT
// server.c as C++17 has it: no compound literals, a lambda for a handler.
#include <string>

#include <weir/weir.h>

static int start(weir_app *app)
{
    return weir_app_route(
        app, "GET", "/version/:way",
        [](weir_request *q, weir_reply *r, void *) {
            const std::string way = weir_request_param(q, "way");
            return weir_reply_text(r, 200, "%s %s\n", way.c_str(), weir_version());
        },
        nullptr);
}

int main(int argc, char **argv)
{
    weir_app_spec spec{};
    spec.name = "consumer";
    spec.state = WEIR_STATE_NONE;
    spec.start = start;
    return weir_main(argc, argv, &spec);
}
