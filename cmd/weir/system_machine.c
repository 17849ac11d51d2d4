/* SPDX-License-Identifier: MIT */
/* The machine and the place.  See system_machine.h. */

#define _GNU_SOURCE 1

#include "system_machine.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

_Static_assert(PATH_BYTES >= PATH_MAX, "realpath() writes as much");

bool executable_path(char path[PATH_BYTES])
{
    const ssize_t length = readlink("/proc/self/exe", path, PATH_BYTES - 1);
    path[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static bool is_program(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode) && access(path, X_OK) == 0;
}

static bool found_in(const char *folder, size_t folder_bytes, const char *name,
                     char path[PATH_BYTES])
{
    const int bytes = snprintf(path, PATH_BYTES, "%.*s/%s", (int)folder_bytes, folder, name);
    return folder_bytes > 0 && bytes > 0 && (size_t)bytes < PATH_BYTES && is_program(path);
}

bool command_find(const char *name, const char *const *further, char path[PATH_BYTES])
{
    if (strchr(name, '/') != NULL) {
        snprintf(path, PATH_BYTES, "%s", name);
        return is_program(path);
    }
    const char *rest = getenv("PATH");
    while (rest != NULL && rest[0] != '\0') {
        const size_t bytes = strcspn(rest, ":");
        if (found_in(rest, bytes, name, path))
            return true;
        rest += bytes + (rest[bytes] == ':');
    }
    for (size_t i = 0; further[i] != NULL; i++) {
        if (found_in(further[i], strlen(further[i]), name, path))
            return true;
    }
    return false;
}

bool folder_exists(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

/* The kernel drops the claim with the process, and no child inherits it; so the descriptor stays
 * open. */
bool file_claim(const char *path)
{
    struct flock claim = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || fcntl(fd, F_SETLK, &claim) == 0)
        return true;
    return fcntl(fd, F_GETLK, &claim) != 0 || claim.l_type == F_UNLCK;
}

/* Why a folder cannot be made whose parent is there. */
static const char *obstacle(const char *path)
{
    char parent[PATH_BYTES] = ".";
    struct stat found;
    if (lstat(path, &found) == 0)
        return "a file is in its way";
    const char *slash = strrchr(path, '/');
    if (slash != NULL)
        snprintf(parent, sizeof parent, "%.*s", (int)(slash - path) + 1, path);
    return access(parent, W_OK | X_OK) != 0 ? "the folder that it would be in may not be changed"
                                            : "the file system there has no room for it";
}

/* The first thing in the way is the reason; what fails after that only follows from it. */
static void make_one(const char *path, const char **reason)
{
    if (mkdir(path, 0777) != 0 && *reason == NULL && !folder_exists(path))
        *reason = obstacle(path);
}

bool folder_make(const char *path, const char **why)
{
    char part[PATH_BYTES];
    const char *reason = NULL;
    if (path[0] == '\0' || (size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part) {
        *why = path[0] == '\0' ? "its name is empty" : "its path is too long";
        return false;
    }
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        make_one(part, &reason);
        *slash = '/';
    }
    make_one(part, &reason);
    if (reason != NULL)
        *why = reason;
    return reason == NULL;
}

void file_stamp(const char *path, char stamp[64])
{
    struct stat found;
    stamp[0] = '\0';
    if (stat(path, &found) == 0)
        snprintf(stamp, 64, "%lld bytes of %lld.%09ld", (long long)found.st_size,
                 (long long)found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
}

bool path_whole(const char *path, char whole[PATH_BYTES])
{
    return realpath(path, whole) != NULL;
}

int terminal_columns(int fallback)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return fallback;
    return size.ws_col;
}

/* Time of all cores since the boot, in ticks: in all, and idle. */
static bool read_ticks(long long *all, long long *idle)
{
    long long ticks[8] = { 0 };
    FILE *file = fopen("/proc/stat", "r");
    const int got = file == NULL ? 0
                                 : fscanf(file, "cpu %lld %lld %lld %lld %lld %lld %lld %lld",
                                          &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4],
                                          &ticks[5], &ticks[6], &ticks[7]);
    if (file != NULL)
        (void)fclose(file);
    *all = 0;
    for (int i = 0; i < 8; i++)
        *all += ticks[i];
    *idle = ticks[3] + ticks[4]; /* waiting for a disk is idle too */
    return got == 8;
}

double machine_busy(int look_ms)
{
    long long all[2];
    long long idle[2];
    if (!read_ticks(&all[0], &idle[0]))
        return 0;
    (void)poll(NULL, 0, look_ms);
    if (!read_ticks(&all[1], &idle[1]) || all[1] <= all[0])
        return 0;
    return 1 - (double)(idle[1] - idle[0]) / (double)(all[1] - all[0]);
}

static void read_processor(char *out, size_t bytes)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        const char *name = colon + 1 + strspn(colon + 1, " \t");
        snprintf(out, bytes, "%.*s", (int)strcspn(name, "\n"), name);
        break;
    }
    if (file != NULL)
        (void)fclose(file);
}

void machine_names(char *processor, size_t processor_bytes, char *kernel, size_t kernel_bytes)
{
    snprintf(processor, processor_bytes, "unknown");
    snprintf(kernel, kernel_bytes, "unknown");
    read_processor(processor, processor_bytes);
    struct utsname names;
    if (uname(&names) == 0)
        snprintf(kernel, kernel_bytes, "%s %s", names.sysname, names.release);
}
