"""The table of results, as Markdown."""

from statistics import median

from benchmarks.measure import ratio

OURS = "DeZero"


def duration(seconds):
    """Three figures and a unit."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def rows(*lines):
    """A Markdown table; its first line is the head, and all but the first column stand right."""
    head, *body = [[str(cell) for cell in line] for line in lines]
    rule = [":--"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *body])


def against_goal(value, goal):
    """`0.41 ✓ 0.45`: the ratio, whether it is small enough, and the goal."""
    return f"{value:.2f} " + (f"{'✓' if value <= goal else '✗'} {goal}" if goal else "")


def versus(case, name, seconds, reasons, absent):
    """The cell of a case and a peer."""
    if name in seconds:
        value, low, high = ratio(seconds[OURS], seconds[name])
        return f"{against_goal(value, case.goals.get(name)).strip()} ({low:.2f} to {high:.2f})"
    return reasons.get(name) or ("not installed" if name in absent else "not done")


def speed(results, peers, absent):
    """Ratios, a line for each case: (case, seconds by name, reasons by name)."""
    lines = [["Case", OURS, *peers]]
    for case, seconds, reasons in results:
        cells = [versus(case, peer, seconds, reasons, absent) for peer in peers]
        lines.append([case.title, duration(median(seconds[OURS])), *cells])
    return rows(*lines)


def times(results, peers):
    """Medians, and the time per operation where operations can be counted."""
    lines = [["Case", "Rounds", "Operations", f"{OURS}, each", OURS, *peers]]
    for case, seconds, _ in results:
        middle = {name: median(values) for name, values in seconds.items()}
        each = duration(middle[OURS] / case.operations) if case.operations else ""
        cells = [duration(middle[peer]) if peer in middle else "" for peer in peers]
        count = f"{case.operations:,}" if case.operations else ""
        rounds = len(seconds[OURS])
        lines.append([case.title, rounds, count, each, duration(middle[OURS]), *cells])
    return rows(*lines)


def sizes(graphs, orders):
    """Functions in the graph of each derivative, by library."""
    return rows(["Order", *orders], *[[name, *counts] for name, counts in graphs.items()])


def memory(results, names, absent):
    """Peak memory, a line for each case: (case, MiB or reason by name)."""
    lines = [["Case", *names]]
    for case, peaks in results:
        cells = ["not installed" if name in absent else mebibytes(peaks[name]) for name in names]
        lines.append([case.title, *cells])
    return rows(*lines)


def mebibytes(peak):
    return peak if isinstance(peak, str) else f"{peak:,.0f} MiB"
