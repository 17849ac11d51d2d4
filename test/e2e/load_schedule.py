#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The schedule of `weir load`: when requests are due and which URL comes next is a function of
options and seed, has the distribution that was asked for, and is what a run then does.  Shown by
--schedule, which sends nothing, so that most of this needs no clock.  ctest: timeout=90"""
import math

from load_support import load, one_line, weir_load
from service import check, check_equal, run

URL = "http://127.0.0.1:1/a"


def schedule(*options, urls=(URL,)):
    done = weir_load("--schedule", *options, *urls)
    check_equal((done.returncode, done.stderr), (0, ""), f"status of the schedule {options}")
    lines = done.stdout.splitlines()
    check(lines[0].startswith("#"), lines[0])
    found = [line.split("\t") for line in lines[1:]]
    times = [float(one[0]) for one in found]
    check(all(a <= b for a, b in zip(times, times[1:])), "times go up")
    return times, [int(one[1]) for one in found], [one[2] for one in found]


def per_bin(times, width, length):
    bins = [0] * round(length / width)
    for at in times:
        bins[min(int(at / width), len(bins) - 1)] += 1
    return bins


def dispersion(counts):
    """Variance over mean: 1 for Poisson, 0 for even, more for bursts."""
    mean = sum(counts) / len(counts)
    return sum((one - mean) ** 2 for one in counts) / len(counts) / mean


def the_same_options_give_the_same_schedule(_):
    options = ("--rate=50:5s,50..500:5s,0:1s,300:2s", "--weight=3", "http://h/a", "http://h/b")
    for kind in ("poisson", "even", "bursty"):
        first = schedule(*options, f"--arrivals={kind}", "--seed=7")
        check_equal(schedule(*options, f"--arrivals={kind}", "--seed=7") == first, True,
                    f"the same seed gives the same schedule ({kind})")
        other = schedule(*options, f"--arrivals={kind}", "--seed=8")
        check(other[2] != first[2], f"another seed gives other choices ({kind})")
        check((other[0] == first[0]) == (kind == "even"), f"another seed, other times ({kind})")


def urls_do_not_change_the_times(_):
    alone = schedule("--rate=100", "--for=5s")
    mixed = schedule("--rate=100", "--for=5s", urls=("http://h/a", "http://h/b", "http://h/c"))
    check_equal(alone[0] == mixed[0], True, "the same times")


def poisson_arrivals_are_poisson(_):
    # 100,000 arrivals, fixed seeds: nothing here depends on the machine.
    for seed in (1, 2):
        times, _, _ = schedule("--rate=1000", "--for=100s", f"--seed={seed}")
        check(abs(len(times) - 100000) < 5 * math.sqrt(100000), f"{len(times)} arrivals")
        gaps = [b - a for a, b in zip(times, times[1:])]
        mean = sum(gaps) / len(gaps)
        spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean
        check(abs(spread - 1) < 0.02, f"spread of the gaps {spread}")
        check(abs(sum(gap > mean for gap in gaps) / len(gaps) - math.exp(-1)) < 0.01, "tail")
        check(0.85 < dispersion(per_bin(times, 0.1, 100)) < 1.15, "dispersion")


def even_arrivals_are_even(_):
    times, _, _ = schedule("--rate=200", "--for=500ms", "--arrivals=even")
    check_equal(len(times), 100, "arrivals")
    check(all(abs(at - (i + 0.5) / 200) < 1e-8 for i, at in enumerate(times)), "each in its place")
    times, steps, _ = schedule("--rate=100..300:10s", "--arrivals=even")
    check_equal(per_bin(times, 1, 10), [110, 130, 150, 170, 190, 210, 230, 250, 270, 290], "ramp")
    times, _, _ = schedule("--rate=300..0:2s,0..300:2s", "--arrivals=even")
    check_equal(len(times), 600, "down to nothing and up again")
    check(min(abs(at - 2) for at in times) > 0.05, "nothing is due where the rate is 0")


def steps_have_their_rates(_):
    times, steps, _ = schedule("--rate=100:2s,0:1s,400:500ms,50:2s", "--arrivals=even")
    check_equal([steps.count(step) for step in (1, 2, 3, 4)], [200, 0, 200, 100], "each step")
    check(not [at for at in times if 2 < at < 3], "nothing is due in a pause")
    check_equal(steps, sorted(steps), "one step after the other")


def bursts_keep_the_mean_and_bunch(_):
    times, _, _ = schedule("--rate=100", "--for=1000s", "--arrivals=bursty", "--burst-ratio=20",
                           "--burst-for=200ms", "--burst-every=2s")
    check(abs(len(times) / 100000 - 1) < 0.1, f"{len(times)} of 100,000 expected")
    counts = per_bin(times, 0.1, 1000)
    check(dispersion(counts) > 5, f"dispersion {dispersion(counts)}")
    # In the quiet 100 / (0.9 + 0.1 * 20) = 34.5 a second: about nine of ten bins are below 100.
    low = sum(one <= 8 for one in counts) / len(counts)
    check(0.75 < low < 0.95, f"share of quiet bins {low}")


def weights_are_kept(_):
    options = ["--rate=1000", "--for=20s", "--weight=7", "http://h/a", "--weight=2.5", "http://h/b",
               "--weight=0.5", "http://h/c"]
    _, _, urls = schedule(*options, urls=())
    for name, share in (("a", 0.7), ("b", 0.25), ("c", 0.05)):
        got = urls.count(f"http://h/{name}") / len(urls)
        check(abs(got - share) < 0.015, f"share of {name}: {got}")


def a_run_does_what_the_schedule_says(service):
    urls = (service.url + "/hello/a", service.url + "/hello/b")
    options = ("--rate=100:500ms,300:500ms", "--arrivals=bursty", "--seed=3")
    _, steps, chosen = schedule(*options, urls=urls)
    result = load(*options, "--timeout=10s", *urls)
    check_equal(result["ok"], len(steps), "all that was due was sent and answered")
    check_equal([one["requests"] for one in result["steps"]], [steps.count(1), steps.count(2)],
                "requests of each step")
    check_equal([(one["url"], one["requests"]) for one in result["urls"]],
                [(url, chosen.count(url)) for url in urls], "requests of each URL")
    check_equal((result["rate"], result["seconds"]), (200, 1), "mean rate and length")
    check_equal((result["arrivals"], result["burst_ratio"]), ("bursty", 10), "kind")


def the_series_shows_a_step(service):
    options = ("--rate=100:500ms,400:500ms", "--arrivals=even", "--bin=125ms", "--timeout=10s")
    result = load(*options, service.url + "/hello/a")
    check_equal([one["due"] for one in result["series"]], [12, 13, 12, 13] + [50] * 4,
                "due in each bin")
    check_equal([one["at_ms"] for one in result["series"]], [125 * i for i in range(8)], "begins")
    for one in result["series"]:
        check(0 < one["p50_ms"] <= one["p99_ms"] and one["in_flight"] >= 1, f"{one}")
    check_equal(result["bin_ms"], 125, "width")
    done = weir_load("--series", *options, service.url + "/hello/a")
    check("due at s" in done.stdout and " 0.88 " in done.stdout, done.stdout)
    check("step" in done.stdout, done.stdout)


def mistakes_name_the_piece(_):
    for rate, *words in (("5:1x", "step 1", "5:1x"), ("5:1s,a:2s", "step 2", "'a:2s'"),
                         ("1:1s,2..:2s", "step 2"), ("5:1s,", "step 2"), ("7:1s,8", "'8'", "time"),
                         ("0:1s", "pauses"), ("-3", "-3"), ("0", "number"), ("1e99:1s", "1e99"),
                         (",".join(["1:1s"] * 201), "200"), ("1:25h", "step 1"),
                         ("1..2..3:1s", "step 1"), ("nan:1s", "nan"), ("5:0s", "5:0s")):
        one_line(weir_load(f"--rate={rate}", URL), 2, "--rate", *words)
    for options, *words in ((["--rate=1:1s", "--for=1s"], "--for"),
                            (["--rate=1", "--burst-ratio=3"], "bursty"),
                            (["--rate=1", "--arrivals=bursty", "--burst-for=1s"], "burst-for"),
                            (["--rate=1", "--arrivals=odd"], "bursty"),
                            (["--schedule"], "--rate"), (["--bin=1ms"], "bin"),
                            (["--for=2h", "--bin=10ms"], "bin"),
                            (["--timeout=1h", "--for=1h", "--bin=50ms"], "bin"),
                            (["--rate=1:20h,1:20h"], "day")):
        one_line(weir_load(*options, URL), 2, *words)


run([the_same_options_give_the_same_schedule, urls_do_not_change_the_times,
     poisson_arrivals_are_poisson, even_arrivals_are_even, steps_have_their_rates,
     bursts_keep_the_mean_and_bunch, weights_are_kept, a_run_does_what_the_schedule_says,
     the_series_shows_a_step, mistakes_name_the_piece], models=("loop",))
