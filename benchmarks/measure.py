"""Time that can be compared: one thread, one core, side after side in rounds, medians."""

import gc
import os
from statistics import median, quantiles
from time import get_clock_info, perf_counter, process_time

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

# Processor time leaves out what other programs take. Where it ticks coarsely, the wall clock.
FINE = get_clock_info("process_time").resolution < 1e-6
CLOCK = process_time if FINE else perf_counter


def one_thread():
    """Ask all number libraries for one thread. Works before they are imported."""
    os.environ.update(dict.fromkeys(THREADS, "1"))


def one_core():
    """Stay on one core, where the platform can do that. Says whether it could."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return True


def warm_up(run, clock=CLOCK):
    """A few runs that are not timed: the first ones of a compiled step write it down."""
    start = clock()
    for _ in range(5):
        if clock() - start < 2:
            run()


def repeats(run, block, clock=CLOCK):
    """How many runs fill a block of so many seconds; found with more and more of them."""
    count = 1
    while True:
        start = clock()
        for _ in range(count):
            run()
        seconds = clock() - start
        if seconds >= block / 4:  # the first runs, slow because all is cold, count little by now
            return max(1, round(count * block / seconds))
        count *= 4


def alternate(runs, rounds, block, clock=CLOCK):
    """Seconds per run, by name, one figure for each round.

    In a round every side fills its block of time, one after the other: A B C, A B C, ... The
    garbage of one side is collected before the next begins; within a block the collector is on.
    """
    counts = {name: repeats(run, block, clock) for name, run in runs.items()}
    seconds = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            gc.collect()
            start = clock()
            for _ in range(counts[name]):
                run()
            seconds[name].append((clock() - start) / counts[name])
    return seconds


def ratio(ours, theirs):
    """The ratio of the medians, and between what figures the middle half of the rounds lies."""
    low, _, high = quantiles([a / b for a, b in zip(ours, theirs)], method="inclusive")
    return median(ours) / median(theirs), low, high
