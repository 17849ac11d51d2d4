/* SPDX-License-Identifier: MIT */
/* Goal: a Debug build reports a std::mutex held across a wait, and not one whose guard has gone.
 * Method: each is done in a child, since the report ends the process; other builds skip. */
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/weir.h>

namespace
{

#ifdef WI_WATCH_MUTEXES
constexpr bool watched = true;
#else
constexpr bool watched = false;
#endif

std::mutex mutex;

int wait_inside(void *)
{
    const std::lock_guard<std::mutex> guard(mutex);
    return weir_sleep(weir_in_ms(1));
}

int wait_outside(void *)
{
    {
        const std::lock_guard<std::mutex> guard(mutex);
    }
    {
        const std::unique_lock<std::mutex> guard(mutex, std::try_to_lock);
        if (!guard.owns_lock())
            return 1;
    }
    return weir_sleep(weir_in_ms(1));
}

/* Runs the task in a child; what that wrote to standard error. */
std::string run(weir_task_fn *task, int *status)
{
    int fds[2];
    if (pipe(fds) != 0)
        return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = { 0, 0 };
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(fds[1], STDERR_FILENO);
        weir_opts options{};
        options.workers = 2;
        int result = 1;
        if (weir_open(&options) != 0 || weir_run(task, nullptr, &result) != 0 ||
            weir_close(WEIR_NO_DEADLINE) != 0)
            result = 2;
        _exit(result);
    }
    close(fds[1]);
    std::string text;
    char bytes[512];
    ssize_t got = 0;
    while ((got = read(fds[0], bytes, sizeof(bytes))) > 0)
        text.append(bytes, static_cast<size_t>(got));
    close(fds[0]);
    (void)waitpid(child, status, 0);
    return text;
}

} // namespace

int main()
{
    if (!watched) {
        std::printf("SKIP: only Debug builds watch mutexes (make debug)\n");
        return 77;
    }
    int status = 0;
    const std::string bad = run(wait_inside, &status);
    if (!WIFSIGNALED(status) || bad.find("misuse of a pthread mutex") == std::string::npos) {
        std::fprintf(stderr, "held across a wait, unreported: %d, %s\n", status, bad.c_str());
        return 1;
    }
    const std::string good = run(wait_outside, &status);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !good.empty()) {
        std::fprintf(stderr, "not held, reported: %d, %s\n", status, good.c_str());
        return 1;
    }
    return 0;
}
