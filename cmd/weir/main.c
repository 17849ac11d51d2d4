/* SPDX-License-Identifier: MIT */
/* The command line tool: picks the command and passes the rest on. */

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "commands.h"
#include "system.h"
#include "weir/runtime.h"

static const char help[] =
    "weir - one concurrency runtime for C\n"
    "\n"
    "Usage: weir COMMAND [OPTIONS]\n"
    "\n"
    "Commands:\n"
    "  serve       run the demo service under the model that you choose\n"
    "  load URL    send requests to an HTTP service and measure how it answers\n"
    "  compare     the same work under every model, beside Node, Go and Python, and a report\n"
    "\n"
    "Options:\n"
    "  --help      show this; `weir COMMAND --help` explains one command\n"
    "  --version   show the version and what this build can do\n"
    "\n"
    "Try, in two terminals:\n"
    "  weir serve --model=loop --max-running=16 --max-waiting=64\n"
    "  weir load --connections=64 http://127.0.0.1:8080/hello/world\n"
    "\n"
    "Then ask for more than one core can do, and watch how much is answered, how soon, and\n"
    "what is refused; repeat with --model=cluster, tasks, threads, prefork:\n"
    "  weir load --rate=1500 'http://127.0.0.1:8080/cpu?ms=1'\n";

static int show_version(void)
{
    printf("weir %s\n", weir_version());
    printf("built in:  HTTP/1.1 over TCP and Unix sockets; schedulers tasks, loop, threads\n");
    printf("not yet:   TLS, HTTP/2, WebSocket\n");
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "serve", command_serve },
    { "load", command_load },
    { "compare", command_compare },
};

int main(int argc, char **argv)
{
    occupy_standard_files();
    if (argc < 2) {
        fputs(help, stderr);
        return 2;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (strcmp(word, "--version") == 0)
        return show_version();
    for (size_t i = 0; i < wi_count_of(commands); i++) {
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "weir: there is no command '%s'; try: weir --help\n", word);
    return 2;
}
