/* SPDX-License-Identifier: MIT */
/* What this process may use on Linux: affinity, rlimits, and the cgroups it lives in.
 *
 * A limit anywhere between a cgroup and the root binds, so every ancestor that can be seen is read
 * and the tightest counts.  What cannot be seen (a container is shown its own cgroup as the root,
 * while /proc/self/cgroup may still name the outer path) is skipped; the root is always read.
 * Where the hierarchies are mounted: version 2 at the root or, beside version 1, in "unified";
 * version 1 in a folder named after its controllers, "cpu,cpuacct", or after one of them. */
#define _GNU_SOURCE 1
#include "os/limits.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "os/file.h"
#include "os/linux/code.h"

enum {
    MEMBERSHIP_BYTES = 16 * 1024,
    PATH_BYTES = 4096,
    VALUE_BYTES = 128,
    CPUS_MAX = 64 * 1024,
    MILLICORES = 1000,
};

#define NO_LIMIT ((int64_t)-1)

static const char cgroup_root[] = "/sys/fs/cgroup";

static int64_t tighter(int64_t a, int64_t b)
{
    if (a == NO_LIMIT)
        return b;
    if (b == NO_LIMIT)
        return a;
    return a < b ? a : b;
}

/* The text of one file of a cgroup's folder; false if it cannot be read. */
static bool read_value(const char *folder, const char *file, char text[VALUE_BYTES])
{
    char path[PATH_BYTES];
    const int bytes = snprintf(path, sizeof(path), "%s/%s", folder, file);
    return bytes > 0 && bytes < PATH_BYTES && wi_file_read_all(path, text, VALUE_BYTES) > 0;
}

static int64_t millicores(int64_t quota_us, int64_t period_us)
{
    if (quota_us <= 0 || period_us <= 0 || quota_us > INT64_MAX / MILLICORES)
        return NO_LIMIT;
    return quota_us * MILLICORES / period_us;
}

/* cpu.max is "max 100000" or "150000 100000". */
static int64_t cpu_of_v2(const char *folder)
{
    char text[VALUE_BYTES];
    long long quota;
    long long period;
    if (!read_value(folder, "cpu.max", text) || sscanf(text, "%lld %lld", &quota, &period) != 2)
        return NO_LIMIT;
    return millicores(quota, period);
}

static int64_t cpu_of_v1(const char *folder)
{
    char quota[VALUE_BYTES];
    char period[VALUE_BYTES];
    if (!read_value(folder, "cpu.cfs_quota_us", quota) ||
        !read_value(folder, "cpu.cfs_period_us", period))
        return NO_LIMIT;
    return millicores(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static int64_t bytes_of(const char *folder, const char *file)
{
    char text[VALUE_BYTES];
    long long bytes;
    if (!read_value(folder, file, text) || sscanf(text, "%lld", &bytes) != 1)
        return NO_LIMIT; /* "max" */
    /* Version 1 says "none" by the largest number of whole pages. */
    return bytes >= LLONG_MAX / 2 ? NO_LIMIT : bytes;
}

static int64_t memory_of_v2(const char *folder)
{
    return bytes_of(folder, "memory.max");
}

static int64_t memory_of_v1(const char *folder)
{
    return bytes_of(folder, "memory.limit_in_bytes");
}

/* The tightest limit of `path` and its ancestors below `mount`. */
static int64_t tightest(const char *mount, const char *path, int64_t (*read)(const char *folder))
{
    char folder[PATH_BYTES];
    const size_t root_bytes = strlen(mount);
    /* A process outside its cgroup namespace is shown "/../..": only the mount itself can be
     * trusted then. */
    const char *below = strstr(path, "/..") == NULL ? path : "";
    const int bytes = snprintf(folder, sizeof(folder), "%s%s", mount, below);
    if (bytes < 0 || bytes >= PATH_BYTES)
        return NO_LIMIT;

    int64_t limit = NO_LIMIT;
    for (;;) {
        limit = tighter(limit, read(folder));
        char *slash = strrchr(folder + root_bytes, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

/* Whether a comma-separated list of controllers names `word`. */
static bool names(const char *controllers, const char *word)
{
    const size_t bytes = strlen(word);
    for (const char *at = controllers; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, bytes) == 0 && (at[bytes] == ',' || at[bytes] == '\0'))
            return true;
    }
    return false;
}

/* One resource: its controller and how each version tells its limit. */
struct resource {
    const char *controller;
    int64_t (*read_v1)(const char *folder);
    int64_t (*read_v2)(const char *folder);
};

static const struct resource cpu = { "cpu", cpu_of_v1, cpu_of_v2 };
static const struct resource memory = { "memory", memory_of_v1, memory_of_v2 };

static int64_t below(const char *root, const char *mount, const char *path,
                     int64_t (*read)(const char *folder))
{
    char full[PATH_BYTES];
    const int bytes = snprintf(full, sizeof(full), "%s/%s", root, mount);
    return bytes > 0 && bytes < PATH_BYTES ? tightest(full, path, read) : NO_LIMIT;
}

/* One line of /proc/self/cgroup: "ID:CONTROLLERS:PATH"; version 2 has no controllers. */
static int64_t limit_of_line(const char *root, char *line, const struct resource *what)
{
    char *controllers = strchr(line, ':');
    char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL)
        return NO_LIMIT;
    *controllers++ = '\0';
    *path++ = '\0';

    if (*controllers == '\0')
        return tighter(tightest(root, path, what->read_v2),
                       below(root, "unified", path, what->read_v2));
    if (!names(controllers, what->controller))
        return NO_LIMIT;
    return tighter(below(root, controllers, path, what->read_v1),
                   below(root, what->controller, path, what->read_v1));
}

static int64_t limit_of(const char *root, const char *membership, const struct resource *what)
{
    int64_t limit = NO_LIMIT;
    char line[PATH_BYTES];
    for (const char *at = membership; *at != '\0';) {
        const size_t bytes = strcspn(at, "\n");
        if (bytes < sizeof(line)) {
            memcpy(line, at, bytes);
            line[bytes] = '\0';
            limit = tighter(limit, limit_of_line(root, line, what));
        }
        at += bytes + (at[bytes] == '\n');
    }
    return limit;
}

int64_t wi_limits_cgroup_millicores(const char *root, const char *membership)
{
    return limit_of(root, membership, &cpu);
}

int64_t wi_limits_cgroup_memory(const char *root, const char *membership)
{
    return limit_of(root, membership, &memory);
}

static int affinity_cores(void)
{
    for (int cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (set == NULL)
            return 1;
        const size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        const int rc = sched_getaffinity(0, bytes, set);
        const int cores = rc == 0 ? CPU_COUNT_S(bytes, set) : 0;
        const bool too_small = rc != 0 && errno == EINVAL; /* the kernel knows more CPUs */
        CPU_FREE(set);
        if (!too_small)
            return cores > 0 ? cores : 1;
    }
    return 1;
}

int wi_limits_cores(void)
{
    const int cores = affinity_cores();
    char membership[MEMBERSHIP_BYTES];
    if (wi_file_read_all("/proc/self/cgroup", membership, sizeof(membership)) < 0)
        return cores;
    const int64_t quota = wi_limits_cgroup_millicores(cgroup_root, membership);
    if (quota == NO_LIMIT || quota >= (int64_t)cores * MILLICORES)
        return cores;
    return quota < MILLICORES ? 1 : (int)(quota / MILLICORES);
}

int64_t wi_limits_memory_bytes(void)
{
    char membership[MEMBERSHIP_BYTES];
    if (wi_file_read_all("/proc/self/cgroup", membership, sizeof(membership)) < 0)
        return NO_LIMIT;
    return wi_limits_cgroup_memory(cgroup_root, membership);
}

int64_t wi_limits_descriptors(void)
{
    struct rlimit limit;
    const int rc = getrlimit(RLIMIT_NOFILE, &limit);
    wi_bug_unless(rc == 0);
    return limit.rlim_cur > (rlim_t)INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

int64_t wi_limits_descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    return wi_limits_descriptors();
}
