"""Measure everything, print the table, write benchmarks/results.md.

python -m benchmarks                  # all cases, some minutes
python -m benchmarks chain tanh-6     # the cases whose names begin so: printed, not written
python -m benchmarks --quick          # few short rounds, to see that it runs: not written
"""

from benchmarks.measure import FINE, alternate, one_core, one_thread, warm_up

one_thread()  # before NumPy is imported

import argparse  # noqa: E402
import gc  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks import memory, ranks, table  # noqa: E402
from benchmarks.cases import (  # noqa: E402
    CASES,
    COMPILED_CASES,
    COMPILED_PEERS,
    FLOORS,
    MEMORY_CASES,
    NETWORK_CASES,
    NETWORK_PEERS,
    ORDERS,
    PEERS,
    TANH_AT,
    TRAINING_MEMORY,
    WIDE,
    sides,
    tanh,
)
from benchmarks.libraries import Missing, available  # noqa: E402

RESULTS = Path(__file__).with_name("results.md")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="how the names of cases begin")
    parser.add_argument("--rounds", type=int, help="instead of each case's own number")
    parser.add_argument("--block", type=float, default=0.02, help="seconds of a side in a round")
    parser.add_argument("--quick", action="store_true", help="few short rounds")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.block = 3, 0.0005
    text = report(args.names, args.rounds, args.block, one_core())
    print(text)
    if not args.names and not args.quick:
        RESULTS.write_text(text, encoding="utf-8")


def report(names, rounds, block, pinned):
    """The whole of results.md."""
    libraries, absent = available()
    gc.freeze()  # what the imports have made is not looked through again and again
    engine = measured(CASES, names, rounds, block, libraries)
    training = measured(NETWORK_CASES, names, rounds, block, libraries)
    some = [library for library in libraries if library.name in (table.OURS, *COMPILED_PEERS)]
    written = measured(COMPILED_CASES, names, rounds, block, some)
    parts = [surroundings(libraries, absent, pinned)]
    groups = [
        (results, peers, of)
        for results, peers, of in (
            (engine, PEERS, ""),
            (training, NETWORK_PEERS, " of networks"),
            (written, COMPILED_PEERS, " of compiled steps"),
        )
        if results
    ]
    for results, peers, of in groups:
        parts += [f"## Ratios{of}", table.ratios(results, peers, absent)]
    if groups:
        parts += ["## Goals", table.goals(engine + training + written)]
    for results, peers, of in groups:
        parts += [f"## Times{of}", table.times(results, peers)]
        if set(WIDE) <= {case.name for case, _, _ in results}:
            parts += [table.growth(results, WIDE)]
    if any(case.name.startswith("tanh-") for case, _, _ in engine):
        parts += ["## Functions in the graph of a derivative of tanh", graph_sizes(libraries)]
    if some := [case for case in MEMORY_CASES if picked(case, names)]:
        parts += ["## Peak memory of a chain of 1,000 operations on arrays of 1 MiB"]
        parts += [memory_table(some, PEERS[len(FLOORS) :], absent)]
    if some := [case for case in TRAINING_MEMORY if picked(case, names)]:
        parts += ["## Peak memory of training", memory_table(some, NETWORK_PEERS[1:], absent)]
        parts += [table.alive(*memory.functions_alive())]
    if not names or ranks.NAME.startswith(tuple(names)):
        print(f"  {ranks.NAME}", file=sys.stderr, flush=True)
        parts += ["## Several ranks", ranks.measured(rounds or ranks.ROUNDS, 100 * block)]
    return "\n\n".join(parts) + "\n"


def measured(cases, names, rounds, block, libraries):
    """For each of these cases that is picked: it, its seconds and its reasons by name."""
    results = []
    for case in cases:
        if picked(case, names):
            print(f"  {case.name}", file=sys.stderr, flush=True)
            runs, reasons = sides(case, libraries)
            for run in runs.values():
                warm_up(run)
            results.append((case, alternate(runs, rounds or case.rounds, block), reasons))
    return results


def picked(case, names):
    return not names or case.name.startswith(tuple(names))


def surroundings(libraries, absent, pinned):
    """What it was measured with."""
    versions = [f"{library.name} {library.version()}" for library in libraries]
    versions += [f"{name} not installed" for name in absent]
    core = "pinned to one core" if pinned else "not pinned to a core"
    clock = "processor time" if FINE else "wall-clock time"
    return (
        f"{', '.join(versions)}; NumPy {np.__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}. One thread each, {core}, "
        f"{clock}, garbage collector on."
    )


def graph_sizes(libraries):
    """The table of sizes, and a line for each library that has none."""
    graphs, without = {}, []
    for library in libraries:
        try:
            graphs[library.name] = [library.graph_size(tanh, TANH_AT, n) for n in ORDERS]
        except Missing as reason:
            without.append(f"{library.name}: {reason}.")
    return "\n\n".join(filter(None, [table.sizes(graphs, ORDERS), " ".join(without)]))


def memory_table(cases, peers, absent):
    names = [table.OURS, cases[0].floor, *peers]
    results = []
    for case in cases:
        print(f"  {case.name}", file=sys.stderr, flush=True)
        present = [name for name in names if name not in absent]
        results.append((case, {name: memory.measured(case.name, name) for name in present}))
    return table.memory(results, names, absent)


if __name__ == "__main__":
    main()
