/* SPDX-License-Identifier: MIT */
/* See life.h.  The service is a child; the client is this process, whose own calls are not counted,
 * because it uses none of the contracts that os/fault stands in front of. */
#include "fault/life.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/fault/fault.h"
#include "support/run.h"

enum {
    PATIENCE_S = 30,
    ATTEMPTS_MAX = 6,
    LIVES_MAX = 3000,
    EXIT_LEAK = 70, /* of the child: it had more at its end than at its start */
    OUTPUT_BYTES = 16384
};

static char folder[64];
static char socket_path[80];
static char output_path[80];
static unsigned life_number;

/* -- the service ------------------------------------------------------------------------------- */

static int say_hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "hello\n");
}

static int wait_a_little(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = weir_sleep(weir_in_ms(1));
    return rc != 0 ? rc : weir_reply_text(reply, 200, "waited\n");
}

static int echo(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char bytes[64];
    int got;
    int rc = weir_reply_begin(reply, 200, "text/plain", -1);
    while (rc == 0 &&
           (got = weir_request_read(request, bytes, sizeof(bytes), WEIR_NO_DEADLINE)) != 0)
        rc = got < 0 ? got : weir_reply_write(reply, bytes, (size_t)got);
    return rc;
}

static int block(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    (void)usleep(1000);
    return weir_reply_text(reply, 200, "blocked\n");
}

static int start(weir_app *app)
{
    const struct weir_route_opts blocking = { .blocking = true };
    int rc = weir_app_route(app, "GET", "/hello", say_hello, NULL);
    if (rc == 0)
        rc = weir_app_route(app, "GET", "/wait", wait_a_little, NULL);
    if (rc == 0)
        rc = weir_app_route(app, "POST", "/echo", echo, NULL);
    return rc != 0 ? rc : weir_app_route_with(app, "GET", "/block", block, NULL, &blocking);
}

static int entries(const char *path)
{
    int count = 0;
    DIR *list = opendir(path);
    CHECK(list != NULL);
    while (readdir(list) != NULL)
        count++;
    CHECK_EQ(closedir(list), 0);
    return count;
}

/* A thread that was joined may be in the table for a moment more. */
static bool threads_end(int expected)
{
    for (int looks = 0; looks < 10000; looks++) {
        if (entries("/proc/self/task") <= expected)
            return true;
        (void)usleep(1000);
    }
    return false;
}

static _Noreturn void be_the_service(const char *model)
{
    char model_option[64];
    char listen_option[128];
    char processes_option[] = "--processes=2";
    char drain_option[] = "--drain-timeout=5s";
    char name[] = "life";
    const bool many = strcmp(model, "cluster") == 0 || strcmp(model, "prefork") == 0;
    (void)snprintf(model_option, sizeof(model_option), "--model=%s", model);
    (void)snprintf(listen_option, sizeof(listen_option), "--listen=unix:%s", socket_path);
    char *argv[] = {
        name, model_option, listen_option, drain_option, many ? processes_option : NULL, NULL
    };
    const int argc = many ? 5 : 4;
    const int output = open(output_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(output >= 0);
    CHECK_EQ(dup2(output, STDERR_FILENO), STDERR_FILENO);
    CHECK_EQ(close(output), 0);
    (void)signal(SIGABRT, SIG_DFL);
    CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
    const int descriptors = entries("/proc/self/fd");
    /* The sanitizer's own thread begins, in a child, with the first of ours. */
    const int threads = entries("/proc/self/task") + (built_with_thread_sanitizer() ? 1 : 0);
    const struct weir_app_spec spec = { .name = "life",
                                        .state = WEIR_STATE_NONE,
                                        .server = { .head_ns_max = 40 * WEIR_NS_PER_MS },
                                        .start = start };
    int status = weir_main(argc, argv, &spec);
    if (entries("/proc/self/fd") != descriptors || !threads_end(threads)) {
        fprintf(stderr, "left: %d descriptors of %d, %d threads of %d\n", entries("/proc/self/fd"),
                descriptors, entries("/proc/self/task"), threads);
        status = EXIT_LEAK;
    }
    exit(status);
}

/* -- the client -------------------------------------------------------------------------------- */

struct life {
    pid_t service;
    int status; /* of the service, once it has ended */
    bool ended;
    int broken;
};

static void show_output(void)
{
    char text[OUTPUT_BYTES];
    const int fd = open(output_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    const ssize_t got = read(fd, text, sizeof(text));
    if (got > 0)
        fprintf(stderr, "%.*s", (int)got, text);
    close(fd);
}

static _Noreturn void fail_life(struct life *life, const char *model, const char *what)
{
    const char *victim = wi_fault_victim();
    fprintf(stderr, "%s, call %u failing, which was %s: %s\n", model, life_number,
            victim != NULL ? victim : "none", what);
    show_output();
    if (!life->ended)
        (void)kill(life->service, SIGKILL);
    abort();
}

static bool has_ended(struct life *life)
{
    if (!life->ended && waitpid(life->service, &life->status, WNOHANG) == life->service)
        life->ended = true;
    return life->ended;
}

static int connect_once(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    CHECK_EQ(close(fd), 0);
    return -1;
}

/* A connection; -1 when the service has ended instead of listening. */
static int connect_to(struct life *life, const char *model)
{
    for (int looks = 0; looks < PATIENCE_S * 1000; looks++) {
        const int fd = connect_once();
        if (fd >= 0)
            return fd;
        if (has_ended(life))
            return -1;
        (void)usleep(1000);
    }
    fail_life(life, model, "it neither listens nor ends");
}

struct step {
    const char *request;
    const char *last;
    int status;
};

static const struct step steps[] = {
    { "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "hello\n", 200 },
    { "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", "waited\n", 200 },
    { "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nriver\r\n0\r\n\r\n",
      "\r\n0\r\n\r\n", 200 },
    { "GET /block HTTP/1.1\r\nHost: x\r\n\r\n", "blocked\n", 200 },
    { "GET /hello HTTP/1.1\r\nHost: x\r\nX-Never: ", "too long\n", 408 },
};

enum {
    STEPS = sizeof(steps) / sizeof(steps[0])
};

/* The status of one whole answer; 0 if the connection broke before its end. */
static int ask(struct life *life, const char *model, int fd, const struct step *step)
{
    char text[4096] = "";
    size_t have = 0;
    const size_t bytes = strlen(step->request);
    if (send(fd, step->request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
        return 0;
    while (strstr(text, step->last) == NULL) {
        const ssize_t got = recv(fd, text + have, sizeof(text) - 1 - have, 0);
        if (got < 0 && errno == EAGAIN)
            fail_life(life, model, "it neither answers nor closes");
        if (got <= 0)
            break;
        have += (size_t)got;
        text[have] = '\0';
    }
    if (strncmp(text, "HTTP/1.1 ", 9) != 0)
        return 0;
    const int status = (int)strtol(text + 9, NULL, 10);
    return status == step->status && strstr(text, step->last) == NULL ? 0 : status;
}

/* Whether it is ending by itself, as after a failed start. */
static bool ends_soon(struct life *life)
{
    for (int looks = 0; looks < 2000 && !has_ended(life); looks++)
        (void)usleep(1000);
    return life->ended;
}

/* All steps on one connection, after a break the rest on the next.  False: it did not start. */
static bool ask_all(struct life *life, const char *model)
{
    int next = 0;
    for (int attempt = 0; next < STEPS && attempt < ATTEMPTS_MAX; attempt++) {
        const int fd = connect_to(life, model);
        if (fd < 0)
            return false;
        while (next < STEPS) {
            const int status = ask(life, model, fd, &steps[next]);
            if (status != 0 && status != steps[next].status && status < 500)
                fail_life(life, model, "a wrong answer");
            if (status != steps[next].status) {
                life->broken++;
                break;
            }
            next++;
        }
        CHECK_EQ(close(fd), 0);
        (void)usleep(2000 * (useconds_t)attempt * (useconds_t)attempt);
    }
    if (next < STEPS && !ends_soon(life))
        fail_life(life, model, "requests are not answered, however often they are asked");
    return next == STEPS;
}

/* -- lives ------------------------------------------------------------------------------------- */

static void end_service(struct life *life, const char *model)
{
    CHECK_EQ(kill(life->service, SIGTERM), 0);
    for (int looks = 0; looks < PATIENCE_S * 1000; looks++) {
        if (has_ended(life))
            return;
        (void)usleep(1000);
    }
    fail_life(life, model, "it does not end");
}

static bool said_why(void)
{
    char text[64];
    const int fd = open(output_path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    const ssize_t got = read(fd, text, sizeof(text));
    CHECK_EQ(close(fd), 0);
    return got > 0;
}

/* One life.  Whether the fault happened in it. */
static bool live(const char *model, unsigned n)
{
    struct life life = { .service = 0 };
    life_number = n;
    (void)unlink(socket_path);
    if (n > 0)
        wi_fault_arm(n, 0);
    else
        wi_fault_disarm();
    life.service = fork();
    CHECK(life.service >= 0);
    if (life.service == 0)
        be_the_service(model);
    const bool served = ask_all(&life, model);
    if (served)
        end_service(&life, model);
    const bool fired = wi_fault_fired();
    if (!WIFEXITED(life.status) || WEXITSTATUS(life.status) > 1)
        fail_life(&life, model, "it ended by a signal, or left something");
    if (!fired && (!served || life.broken > 0 || WEXITSTATUS(life.status) != 0))
        fail_life(&life, model, "without a fault it did not do its work");
    if (!served && (WEXITSTATUS(life.status) != 1 || !said_why()))
        fail_life(&life, model, "it did not start, and does not say why");
    /* One that fails to start has listened for a moment. */
    if (served && life.broken > LIFE_BROKEN_MAX)
        fail_life(&life, model, "more connections broke than one call can break");
    /* Workers are children of the service, and are adopted by this process if it leaves them. */
    if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
        fail_life(&life, model, "a process is left");
    return fired;
}

void life_under(const char *model, unsigned first, unsigned stride)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/weir-life-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
    (void)snprintf(output_path, sizeof(output_path), "%s/output", folder);
    CHECK_EQ(wi_fault_share(), 0);
    CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    CHECK(!live(model, 0));
    unsigned lives = 0;
    unsigned n = first;
    while (lives < LIVES_MAX && live(model, n)) {
        lives++;
        n += stride;
    }
    CHECK(lives > 0 && lives < LIVES_MAX);
    printf("%s: %u lives, of some %u calls each\n", model, lives, n);
    (void)unlink(socket_path);
    (void)unlink(output_path);
    CHECK_EQ(rmdir(folder), 0);
}
