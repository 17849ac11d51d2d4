/* SPDX-License-Identifier: MIT */
/* Children of the tool.  See system_process.h.
 *
 * A child asks the kernel to be killed when the tool dies, even by SIGKILL.  That holds for the
 * process itself, unless it takes on another user, and not for what it has started: that ends if it
 * looks after its parent, as weir's own processes do; of others' some may go on.  A tool that ends
 * in order has ended everything before.  Between fork and exec a child calls only what is safe
 * there.
 *
 * errno is not read: an interrupted or failed wait is the same as nothing yet, because every caller
 * has a deadline and a flag of its own. */

#define _GNU_SOURCE 1

#include "system_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system_account.h"
#include "weir/time.h"

#define EXTRAS_MAX 64
#define LOOK_MS 5
#define AFTER_KILL_MS 1000

static const int exit_cannot_run = 127;

extern char **environ;

void cores_usable(struct cores *out)
{
    cpu_set_t set;
    *out = (struct cores){ 0 };
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        for (int i = 0; i < CORES_MAX && i < CPU_SETSIZE; i++) {
            if (CPU_ISSET((size_t)i, &set))
                out->ids[out->count++] = i;
        }
    }
    if (out->count == 0)
        out->count = 1; /* core 0 */
}

/* Failing leaves a process where it was: the figures are then noisier, not wrong. */
void cores_confine(const struct cores *cores)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < cores->count; i++)
        CPU_SET((size_t)cores->ids[i], &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* Descendants from before: whoever became this program by exec may have had some. */
static int elders[TREE_MAX];
static int elder_count;

static bool is_elder(int pid)
{
    for (int i = 1; i < elder_count; i++) {
        if (elders[i] == pid)
            return true;
    }
    return false;
}

void adopt_orphans(void)
{
    elder_count = tree_list(getpid(), elders);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

void catch_ends(void (*handler)(int))
{
    static const int ends[] = { SIGINT, SIGTERM, SIGPIPE, SIGHUP };
    const struct sigaction caught = { .sa_handler = handler, .sa_flags = SA_RESTART };
    const struct sigaction ignored = { .sa_handler = SIG_IGN };
    struct sigaction before;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const bool kept = ends[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 &&
                          before.sa_handler == SIG_IGN;
        if (!kept)
            (void)sigaction(ends[i], &caught, NULL);
    }
    (void)sigaction(SIGXFSZ, &ignored, NULL);
}

/* -- starting --------------------------------------------------------------------------------- */

static void replace(int target, int source)
{
    if (source >= 0)
        (void)dup2(source, target);
}

/* Whether both are "NAME=..." of the same name. */
static bool same_name(const char *a, const char *b)
{
    const size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

static bool overridden(const char *variable, char *const *extra)
{
    for (size_t i = 0; extra[i] != NULL; i++) {
        if (same_name(variable, extra[i]))
            return true;
    }
    return false;
}

/* The environment with the extras in it; the array is the caller's, its strings are not.  NULL
 * without memory. */
static char **environment_with(char *const *extra)
{
    static char *const none[] = { NULL };
    char *const *more = extra != NULL ? extra : none;
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **all = calloc(count + EXTRAS_MAX + 1, sizeof *all);
    if (all == NULL)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!overridden(environ[i], more))
            all[used++] = environ[i];
    }
    for (size_t i = 0; i < EXTRAS_MAX && more[i] != NULL; i++)
        all[used++] = more[i];
    return all;
}

static int open_log(const char *path)
{
    if (path == NULL)
        return -1;
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

struct plan {
    const struct child_opts *opts;
    char **environment;
    int input;
    int log;
    int output;
    pid_t parent;
};

/* In the child.  Signals that the tool handles or ignores get their defaults again. */
static _Noreturn void become(const struct plan *plan)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != plan->parent)
        _exit(exit_cannot_run); /* it died before the line above */
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (plan->opts->cores != NULL)
        cores_confine(plan->opts->cores);
    if (plan->opts->folder != NULL && chdir(plan->opts->folder) != 0)
        _exit(exit_cannot_run);
    replace(STDIN_FILENO, plan->input);
    replace(STDOUT_FILENO, plan->output >= 0 ? plan->output : plan->log);
    replace(STDERR_FILENO, plan->log);
    (void)execvpe(plan->opts->command[0], plan->opts->command, plan->environment);
    static const char text[] = "the command cannot be run\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(exit_cannot_run);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

int child_start(struct child *out, const struct child_opts *opts)
{
    *out = (struct child){ .output = -1 };
    int ends[2] = { -1, -1 };
    if (opts->piped && pipe2(ends, O_CLOEXEC) != 0)
        return WEIR_EMFILE;
    struct plan plan = {
        .opts = opts,
        .environment = environment_with(opts->extra),
        .input = open("/dev/null", O_RDONLY | O_CLOEXEC),
        .log = open_log(opts->log),
        .output = ends[1],
        .parent = getpid(),
    };
    /* Without its log it would write to where this process writes. */
    const bool mute = opts->log != NULL && plan.log < 0;
    const pid_t pid = mute || plan.environment == NULL ? -1 : fork();
    if (pid == 0)
        become(&plan);
    close_if_open(plan.input);
    close_if_open(plan.log);
    close_if_open(ends[1]);
    free(plan.environment);
    if (pid < 0) {
        close_if_open(ends[0]);
        return mute ? WEIR_EIO : WEIR_EAGAIN;
    }
    (void)setpgid(pid, pid); /* both do it, so that whoever is first, it is done */
    *out = (struct child){ .pid = pid, .output = ends[0] };
    return 0;
}

/* -- watching and ending ---------------------------------------------------------------------- */

int child_read(const struct child *child, char *buffer, size_t bytes, int wait_ms)
{
    struct pollfd look = { .fd = child->output, .events = POLLIN };
    if (poll(&look, 1, wait_ms) <= 0)
        return WEIR_EAGAIN;
    const ssize_t got = read(child->output, buffer, bytes);
    return got < 0 ? WEIR_EAGAIN : (int)got;
}

static void forget(struct child *child)
{
    close_if_open(child->output);
    *child = (struct child){ .output = -1 };
}

/* Whether anything of the group is left; what has ended is reaped, adopted orphans too. */
static bool group_lives(pid_t group)
{
    while (waitpid(-group, NULL, WNOHANG) > 0) {
    }
    return kill(-group, 0) == 0;
}

static bool group_gone_within(pid_t group, int ms)
{
    const weir_time end = weir_in_ms(ms);
    while (group_lives(group)) {
        if (weir_now() > end)
            return false;
        pause_ms(LOOK_MS);
    }
    return true;
}

bool child_ended(struct child *child, int *status)
{
    *status = 0;
    if (child->pid == 0)
        return true;
    int how = 0;
    if (waitpid(child->pid, &how, WNOHANG) != child->pid)
        return false;
    *status = WIFSIGNALED(how) ? -WTERMSIG(how) : WEXITSTATUS(how);
    /* What it started may have outlived it. */
    (void)kill(-child->pid, SIGKILL);
    (void)group_gone_within(child->pid, AFTER_KILL_MS);
    forget(child);
    return true;
}

void child_stop(struct child *child, int grace_ms)
{
    if (child->pid == 0)
        return;
    const pid_t group = child->pid;
    /* Some programs (gunicorn, npm) hand the signal on to their children, some do not: the group
     * gets it, and a second copy does no harm to what is ending. */
    (void)kill(-group, SIGTERM);
    if (!group_gone_within(group, grace_ms)) {
        (void)kill(-group, SIGKILL);
        (void)group_gone_within(group, AFTER_KILL_MS);
    }
    forget(child);
}

/* A process that this one has started leads a group and so cannot have left its session. */
static bool kill_escaped(void)
{
    int pids[TREE_MAX];
    const int count = tree_list(getpid(), pids);
    const pid_t session = getsid(0);
    bool found = false;
    for (int i = 1; i < count; i++) {
        const pid_t other = getsid(pids[i]);
        if (other < 0 || other == session || is_elder(pids[i]))
            continue;
        found = true;
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, WNOHANG);
    }
    return found;
}

void escaped_stop(void)
{
    const weir_time end = weir_in_ms(AFTER_KILL_MS);
    while (kill_escaped() && weir_now() < end)
        pause_ms(LOOK_MS);
}
