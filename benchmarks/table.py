"""The table of results, as Markdown."""

from statistics import median

from benchmarks.measure import ratio

OURS = "DeZero"
SPACE = "\N{NO-BREAK SPACE}"


def duration(seconds):
    """Three figures and a unit."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g}{SPACE}{unit}"
    return f"{seconds * 1e9:.0f}{SPACE}ns"


def rows(*lines):
    """A Markdown table; its first line is the head, and all but the first column stand right."""
    head, *body = [[str(cell) for cell in line] for line in lines]
    rule = [":--"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *body])


def ratios(results, peers, absent):
    """Our time divided by theirs, for each case with its seconds and its reasons by name."""
    lines = [["Case", *peers]]
    for case, seconds, reasons in results:
        lines.append([case.title, *[cell(name, case, seconds, reasons, absent) for name in peers]])
    return rows(*lines)


def cell(name, case, seconds, reasons, absent):
    """The ratio to a peer, with a sign if there is a goal, or why there is none."""
    if name not in seconds:
        return reasons.get(name) or ("not installed" if name in absent else "–")
    value = ratio(seconds[OURS], seconds[name])[0]
    return f"{value:.2f}" + (
        f"{SPACE}{sign(value, case.goals[name])}" if name in case.goals else ""
    )


def sign(value, goal):
    return "✓" if value <= goal else "✗"


def goals(results):
    """What was to be reached, and what was."""
    lines = [["Case", "beside", "goal", "ratio", "", "half of the rounds"]]
    for case, seconds, _ in results:
        for name, goal in case.goals.items():
            if name in seconds:
                value, low, high = ratio(seconds[OURS], seconds[name])
                spread = f"{low:.2f} to {high:.2f}"
                line = [case.title, name, goal, f"{value:.2f}", sign(value, goal), spread]
            else:
                line = [case.title, name, goal, "", "not measured", ""]
            lines.append(line)
    return rows(*lines)


def growth(results, cases):
    """How the time per operation grows from the smallest of these cases to the largest."""
    each = {
        case.operations: median(seconds[OURS]) / case.operations
        for case, seconds, _ in results
        if case.name in cases
    }
    small, large = min(each), max(each)
    return (
        f"{large / small:.1f} times as many operations side by side take "
        f"{each[large] * large / (each[small] * small):.1f} times as long."
    )


def times(results, peers):
    """Medians, and the time per operation where operations can be counted."""
    counted = any([case.operations for case, _, _ in results])
    lines = [["Case", "Rounds", *["Operations", f"{OURS}, each"] * counted, OURS, *peers]]
    for case, seconds, _ in results:
        middle = {name: median(values) for name, values in seconds.items()}
        n = case.operations
        each = [f"{n:,}", duration(middle[OURS] / n)] if n else ["", ""] * counted
        cells = [duration(middle[name]) if name in middle else "" for name in [OURS, *peers]]
        lines.append([case.title, len(seconds[OURS]), *each, *cells])
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
    goals = [memory_goal(case, peaks, name) for case, peaks in results for name in case.goals]
    return "\n\n".join([rows(*lines), *goals])


def memory_goal(case, peaks, name):
    """What was to be reached, and what was, as a sentence."""
    ours, theirs, goal = peaks[OURS], peaks.get(name), case.goals[name]
    if not isinstance(ours, float) or not isinstance(theirs, float):
        return f"{case.title} beside {name}: not measured, the goal is {goal}."
    value = ours / theirs
    return f"{case.title} beside {name}: {value:.2f} {sign(value, goal)}, the goal is {goal}."


def mebibytes(peak):
    return peak if isinstance(peak, str) else f"{peak:,.0f}{SPACE}MiB"


def alive(graph, alone, kept):
    """How many functions are alive in a training loop, in words."""
    return (
        f"A graph of {graph} functions, trained for some steps, collector off: at most {alone} "
        f"functions are alive at a time if a step is a Python function, {kept} if the variable "
        "`loss` of the step before is still there."
    )
