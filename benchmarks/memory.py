"""Peak memory, each library in a process of its own; and how many graphs are alive in training.

python -m benchmarks.memory memory-add torch      # prints MiB, or why there is no figure
"""

import os
import subprocess
import sys
from pathlib import Path

# glibc takes each array from the system and gives it back at once: no holes are counted as used.
EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536"}
NOT_HERE = "not measured on this platform"


def status(field):
    """A figure of this process in MiB, from Linux's bookkeeping."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def peak(run):
    """MiB that a run needs at its peak, beyond what is there before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts here
    before = status("VmRSS")
    run()
    return status("VmHWM") - before


def measured(case, name):
    """What a fresh process says for a case and a library (or the floor): MiB, or a reason."""
    if not Path("/proc/self/clear_refs").exists():
        return NOT_HERE
    command = [sys.executable, "-m", "benchmarks.memory", case, name]
    root = Path(__file__).parent.parent
    environment = {**os.environ, **EXACT}
    done = subprocess.run(
        command, cwd=root, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    answer = done.stdout.strip()
    return float(answer) if answer[0].isdigit() else answer


def functions_alive(steps=20):
    """The functions of a graph, and the most that are alive during training, collector off.

    They are counted when a step has its loss. The second count is for steps in a Python function,
    the third for a loop where `loss` is still there in the next turn.
    """
    import gc

    import numpy as np

    import dezero.functions as F
    from dezero import Function
    from dezero.models import MLP
    from dezero.optimizers import SGD

    x, t = np.zeros((2, 4), np.float32), np.array([0, 1])
    model = MLP((5, 3))
    model(x)
    optimizer = SGD().setup(model)

    def alive():
        return sum([issubclass(type(thing), Function) for thing in gc.get_objects()])

    def step(counts):
        loss = F.softmax_cross_entropy(model(x), t)
        counts.append(alive())
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    def counted(keep):
        before, counts, held = alive(), [], []
        for _ in range(steps):
            held[:] = [step(counts)]
            if not keep:
                held.clear()
        return max(counts) - before, counts[0] - before

    gc.collect()
    gc.disable()
    try:
        (alone, graph), (kept, _) = counted(False), counted(True)
    finally:
        gc.enable()
    return graph, alone, kept


def main():
    from benchmarks.measure import one_thread

    one_thread()  # before NumPy is imported
    from benchmarks.cases import MEMORY_CASES, TRAINING_MEMORY
    from benchmarks.libraries import ALL, Missing

    name, side = sys.argv[1:]
    case = next(case for case in MEMORY_CASES + TRAINING_MEMORY if case.name == name)
    try:
        library = None if side == case.floor else {kind.name: kind for kind in ALL}[side]()
        case.run(library, 10)()  # warm up
        print(peak(case.run(library)))
    except Missing as reason:
        print(reason)


if __name__ == "__main__":
    main()
