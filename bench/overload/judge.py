# SPDX-License-Identifier: MIT
"""The arithmetic of the protocol: halving a range, medians over seeds, bars, verdicts, tables.

Nothing here runs or reads anything, so all of it is tested on numbers made up.

A sample is what one measurement with one seed came to:

  figures   {name: number}; a name has parts, as "up/2/goodput"
  void      {name or the beginning of names: reason}; "" is the whole sample
  notes     lines for people

A bar asks that each of its figures, as the median over the seeds whose figure is not void, be at
most or at least so much.  Its value is the worst of them."""
import dataclasses
import statistics

OK = "ok"
MISSED = "MISSED"
VOID = "void"

# A generator that is late, or busy, or did not send at all has measured itself.
LATE_MS_MAX = 1.0
CPU_MAX = 0.7


class Bisection:
    """Halves the range between a rate that is kept and one that is not until it is narrow.  Neither
    end is taken on trust: a lower one that is not kept gives way to half of itself, and above an
    upper one that was never reached the search goes on."""
    FARTHER = 1.3

    def __init__(self, low, high, tolerance=0.02):
        if not 0 < low < high:
            raise ValueError(f"no range to halve: {low} to {high}")
        self.low = low
        self.high = high
        self.tolerance = tolerance
        self.low_was_kept = False
        self.high_was_tried = False

    def next(self):
        """The rate to try, or None at the end."""
        if self.high - self.low > self.tolerance * self.low:
            return (self.low + self.high) / 2
        if not self.low_was_kept:
            return self.low
        return None if self.high_was_tried else self.high

    def tell(self, rate, kept):
        """What came of it."""
        if kept:
            self.low = rate
            self.low_was_kept = True
            if rate >= self.high:
                self.high *= self.FARTHER
        else:
            self.high = rate
            self.high_was_tried = True
            if rate <= self.low:
                self.low = rate / 2

    @property
    def found(self):
        return self.low


def objective_ms(unloaded_ms):
    """What p99 may be; the factor of Breakwater (OSDI 2020), and 100 ms for Linux's noise."""
    return max(10 * unloaded_ms, unloaded_ms + 100)


def keeps_up(result, within_ms):
    """Whether a server is still within its capacity in this run of weir load."""
    return (result["requests"] > 0 and result["ok"] >= 0.999 * result["requests"]
            and result["ok_ms_p99"] <= within_ms)


def spoiled(part, cpu=None, late_ms_max=LATE_MS_MAX):
    """Why a run of weir load, or a step of one, says more of the generator than of the server;
    None if it does not.  `cpu` is that of all generators together where there are several."""
    used = part["own_cpu"] if cpu is None else cpu
    if part["not_sent"] > 0:
        return f"{part['not_sent']} requests were not sent"
    if part["send_late_ms_p99"] > late_ms_max:
        return f"1 % of the requests were sent {part['send_late_ms_p99']:.1f} ms late"
    if used > CPU_MAX:
        return f"the generator used {used:.0%} of its core"
    return None


def without_lead(result, lead_s):
    """A result as if it had begun after the pause that it began with."""
    if lead_s <= 0:
        return result
    lead_ms = 1000 * lead_s
    seconds = result["seconds"] - lead_s
    series = [{**one, "at_ms": one["at_ms"] - lead_ms} for one in result["series"]
              if one["at_ms"] >= lead_ms]
    return {**result, "seconds": seconds, "ok_per_second": share(result["ok"], seconds),
            "steps": result["steps"][1:], "series": series}


def share(count, whole):
    return count / whole if whole else 0.0


def rejected(part):
    """Of those that were due, how many were refused in whatever way."""
    return share(part["requests"] - part["ok"], part["requests"])


def jain(values):
    """Jain's index of fairness: 1 where all got the same, 1/n where one got all."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 0.0


def slope(points):
    """Least squares through (x, y)."""
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def pooled(series, name, begins_ms, bins):
    """Sums of a member of the bins that follow each beginning: one for each of `bins` bins."""
    width = series[1]["at_ms"] - series[0]["at_ms"] if len(series) > 1 else 1
    sums = [0] * bins
    for begin in begins_ms:
        first = round(begin / width)
        for index in range(bins):
            if first + index < len(series):
                sums[index] += series[first + index][name]
    return sums


def reached_ms(counts, bin_ms, wanted, window):
    """After how many milliseconds a window of so many bins has `wanted` a bin for the first time;
    infinity if never."""
    for index in range(len(counts) - window + 1):
        if sum(counts[index:index + window]) >= wanted * window:
            return index * bin_ms
    return float("inf")


# -- bars ----------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Bar:
    """`rough` is the limit of the short form, which noise must not break; None: not asked there."""
    title: str
    figures: tuple
    op: str
    limit: float
    rough: float = None
    unit: str = ""

    def met(self, value):
        return value <= self.limit if self.op == "<=" else value >= self.limit

    def worse(self, one, other):
        return max(one, other) if self.op == "<=" else min(one, other)


@dataclasses.dataclass
class Judgement:
    title: str
    op: str
    limit: float
    unit: str
    value: float = None  # None: nothing was measured that counts
    where: str = ""
    word: str = VOID
    voids: tuple = ()

    @property
    def missed(self):
        return self.word == MISSED


def rough(bars):
    """The bars as the short form has them, and the titles of those that it leaves out."""
    kept = [dataclasses.replace(bar, limit=bar.rough) for bar in bars if bar.rough is not None]
    return kept, [bar.title for bar in bars if bar.rough is None]


def void_reason(sample, name):
    for prefix, reason in sample["void"].items():
        if prefix in ("", name) or name.startswith(prefix + "/"):
            return reason
    return None


def median(samples, name):
    """(the median over those that count or None, the reasons of those that do not)"""
    values, reasons = [], []
    for number, sample in enumerate(samples, 1):
        why = void_reason(sample, name)
        if why is not None:
            reasons.append(f"{name}, run {number}: {why}")
        elif name in sample["figures"]:
            values.append(sample["figures"][name])
    return (statistics.median(values) if values else None), reasons


def judge(bar, samples):
    """A bar that fails anywhere is missed; else, one that was not measured everywhere is void."""
    found = Judgement(bar.title, bar.op, bar.limit, bar.unit)
    voids = []
    unknown = False
    for name in bar.figures:
        value, reasons = median(samples, name)
        voids += reasons
        if value is None:
            unknown = True
            continue
        if found.value is None or bar.worse(value, found.value) != found.value:
            found.value, found.where = value, name
    if found.value is not None:
        if not bar.met(found.value):
            found.word = MISSED
        elif not unknown:
            found.word = OK
    found.voids = tuple(voids)
    return found


# -- tables --------------------------------------------------------------------------------------

def number(value, unit=""):
    """Three or four digits that mean something."""
    if value is None:
        return "-"
    if unit == "%":
        return f"{100 * value:.3g} %"
    if value == float("inf"):
        return "never"
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def table(rows, head=None, left=1):
    """Lines with columns as wide as they need to be; the first `left` columns to the left."""
    rows = [[str(cell) for cell in row] for row in rows]
    every = ([list(head)] if head else []) + rows
    widths = [max(len(row[column]) for row in every) for column in range(len(every[0]))]
    lines = []
    for row in every:
        cells = [cell.ljust(width) if column < left else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return lines


def verdicts(entries):
    """The table at the end, from (row, subject, judgement)."""
    rows = []
    for row, subject, found in entries:
        sign = "at most" if found.op == "<=" else "at least"
        where = f"({found.where})" if found.where.count("/") and found.value is not None else ""
        rows.append([row, subject, found.title, f"{sign} {number(found.limit, found.unit)}",
                     number(found.value, found.unit), found.word, where])
    return table(rows, ("row", "server", "what", "bar", "value", "", "worst at"), left=7)


def status(judgements):
    """The exit status of a run: 0 all met, 1 something missed, 3 nothing missed but some void."""
    words = {found.word for found in judgements}
    return 1 if MISSED in words else 3 if VOID in words else 0
