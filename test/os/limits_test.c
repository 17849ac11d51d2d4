/* SPDX-License-Identifier: MIT */
/* Limits: cgroup trees of both versions as folders of the test's own, and what the machine says. */
#define _GNU_SOURCE 1
#include "os/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/weir-cgroup-XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file below the root and makes the folders on its way. */
static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int64_t cpu(const char *membership)
{
    return wi_limits_cgroup_millicores(root, membership);
}

static int64_t memory(const char *membership)
{
    return wi_limits_cgroup_memory(root, membership);
}

static void nothing_there_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(cpu("0::/a/b\n"), -1);
    assert_int_equal(cpu("4:cpu,cpuacct:/a\n"), -1);
    assert_int_equal(cpu(""), -1);
    assert_int_equal(cpu("nonsense"), -1);
    assert_int_equal(memory("0::/a\n"), -1);
}

static void version_two_reads_its_own_group(void **state)
{
    (void)state;
    put("a/cpu.max", "150000 100000\n");
    put("a/memory.max", "1048576\n");
    assert_int_equal(cpu("0::/a\n"), 1500);
    assert_int_equal(memory("0::/a\n"), 1048576);
    put("a/cpu.max", "max 100000\n");
    put("a/memory.max", "max\n");
    assert_int_equal(cpu("0::/a\n"), -1);
    assert_int_equal(memory("0::/a\n"), -1);
}

static void the_tightest_ancestor_counts(void **state)
{
    (void)state;
    put("a/b/c/cpu.max", "400000 100000\n");
    put("a/b/cpu.max", "50000 100000\n");
    put("a/cpu.max", "300000 100000\n");
    assert_int_equal(cpu("0::/a/b/c\n"), 500);
    assert_int_equal(cpu("0::/a\n"), 3000);
    put("cpu.max", "10000 100000\n");
    assert_int_equal(cpu("0::/a\n"), 100);
}

static void an_outer_path_that_is_not_visible_leaves_the_root(void **state)
{
    (void)state;
    put("cpu.max", "200000 100000\n");
    assert_int_equal(cpu("0::/docker/0123\n"), 2000);
    assert_int_equal(cpu("0::/\n"), 2000);
    assert_int_equal(cpu("0::/../other\n"), 2000);
}

static void version_one_finds_the_folder_by_its_controllers(void **state)
{
    (void)state;
    put("cpu,cpuacct/a/b/cpu.cfs_quota_us", "250000\n");
    put("cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    put("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    put("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    put("memory/a/memory.limit_in_bytes", "4096\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    const char *const membership = "5:cpuset:/z\n4:memory:/a/b\n3:cpu,cpuacct:/a/b\n";
    assert_int_equal(cpu(membership), 2500);
    assert_int_equal(memory(membership), 4096);
    assert_int_equal(memory("4:memory:/\n"), -1);
}

static void version_one_accepts_the_single_name_too(void **state)
{
    (void)state;
    put("cpu/a/cpu.cfs_quota_us", "50000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpu("3:cpuacct,cpu:/a\n"), 500);
    assert_int_equal(cpu("3:cpuset:/a\n"), -1); /* a name that only begins alike */
}

static void both_versions_side_by_side_give_the_tighter(void **state)
{
    (void)state;
    put("cpu/a/cpu.cfs_quota_us", "300000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    put("unified/u/cpu.max", "100000 100000\n");
    assert_int_equal(cpu("3:cpu:/a\n0::/u\n"), 1000);
    assert_int_equal(cpu("0::/\n3:cpu:/a\n"), 3000);
}

static void cores_follow_affinity(void **state)
{
    (void)state;
    cpu_set_t before;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    const int all = wi_limits_cores();
    assert_in_range(all, 1, CPU_COUNT(&before));
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(wi_limits_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(wi_limits_cores(), all);
}

static void descriptors_follow_the_soft_limit(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit lower = { .rlim_cur = 100, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
    assert_int_equal(wi_limits_descriptors(), 100);
    if (before.rlim_max != RLIM_INFINITY)
        assert_int_equal(wi_limits_descriptors_raise(), (int64_t)before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    const int64_t bytes = wi_limits_memory_bytes();
    assert_true(bytes == -1 || bytes > 0);
}

int main(void)
{
#define FIXTURE(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        FIXTURE(nothing_there_is_no_limit),
        FIXTURE(version_two_reads_its_own_group),
        FIXTURE(the_tightest_ancestor_counts),
        FIXTURE(an_outer_path_that_is_not_visible_leaves_the_root),
        FIXTURE(version_one_finds_the_folder_by_its_controllers),
        FIXTURE(version_one_accepts_the_single_name_too),
        FIXTURE(both_versions_side_by_side_give_the_tighter),
        cmocka_unit_test(cores_follow_affinity),
        cmocka_unit_test(descriptors_follow_the_soft_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
