"""How many digits one rank and two ranks train on in a second, each with a core of its own.

python -m benchmarks.ranks 2 3       # two ranks, for three seconds: prints examples per second
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from benchmarks import table

NAME, TITLE = "ranks", "CNN on digits, batches of 256"
GOAL = 1.5
ROUNDS, SECONDS = 7, 2.0


def missing():
    """Why this cannot be measured here, or None."""
    if not find_spec("mpi4py") or not mpiexec().exists():
        return "mpi4py and mpiexec are not installed"
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        return "there are no two cores"
    return None


def mpiexec():
    return Path(sys.executable).with_name("mpiexec")


def speed(size, seconds=SECONDS):
    """Examples per second of a fresh run of so many ranks."""
    command = [mpiexec(), "-n", size, sys.executable, "-m", "mpi4py", "-m", "benchmarks.ranks"]
    command = [str(word) for word in (*command, size, seconds)]
    root, limit = Path(__file__).parent.parent, 60 + 10 * seconds
    done = subprocess.run(
        command, cwd=root, check=True, stdout=subprocess.PIPE, text=True, timeout=limit
    )
    return float(done.stdout)


def measured(rounds=ROUNDS, seconds=SECONDS):
    """A table: one rank and two take turns; the best round counts, when both cores were free."""
    if reason := missing():
        return f"Not measured: {reason}."
    speeds = {1: [], 2: []}
    for _ in range(rounds):
        for size, found in speeds.items():
            found.append(speed(size, seconds))
    one, two = [max(found) for found in speeds.values()]
    factor = two / one
    sign = "✓" if factor >= GOAL else "✗"
    line = [TITLE, f"{one:,.0f}", f"{two:,.0f}", f"{factor:.2f}{table.SPACE}{sign}", GOAL]
    return table.rows(["Examples per second", "one rank", "two ranks", "factor", "goal"], line)


def train(comm, seconds):
    """Examples per second of these ranks: a warm epoch first, then whole epochs."""
    import numpy as np

    import dezero.functions as F
    import dezero.layers as L
    from dezero.dataloaders import DataLoader
    from dezero.datasets import Digits
    from dezero.distributed import create_multi_node_optimizer, scatter_batches
    from dezero.models import Sequential
    from dezero.optimizers import Adam
    from dezero.transforms import Normalize

    np.random.seed(0)  # noqa: NPY002  # all ranks make the same weights
    convolutions = [L.Conv2d(16, 3), F.relu, L.Conv2d(32, 3), F.relu]
    model = Sequential(*convolutions, F.flatten, L.Linear(64), F.relu, L.Linear(10))
    optimizer = create_multi_node_optimizer(Adam(), comm).setup(model)
    data = Digits(transform=Normalize(0, 16))
    loader = scatter_batches(DataLoader(data, 256, seed=0, drop_last=True), comm)

    def epoch():
        for x, t in loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update(len(x))

    epoch()
    start, count = perf_counter(), 0
    while comm.from_root(lambda: perf_counter() - start) < seconds:
        epoch()
        count += 256 * len(loader)
    return count / (perf_counter() - start)


def main():
    from benchmarks.measure import one_thread

    one_thread()  # before NumPy is imported
    if hasattr(os, "sched_setaffinity"):  # whoever started it may be pinned to one core
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    from dezero.distributed import create_communicator

    size, seconds = int(sys.argv[1]), float(sys.argv[2])
    comm = create_communicator()
    if comm.size != size:  # started by hand
        return print(speed(size, seconds))
    found = train(comm, seconds)
    if comm.rank == 0:
        print(found)


if __name__ == "__main__":
    main()
