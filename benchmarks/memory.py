"""Peak memory of a chain, each library in a process of its own.

python -m benchmarks.memory memory-add torch      # prints MiB, or why there is no figure
"""

import os
import subprocess
import sys
from pathlib import Path

ARRAY = 2**20 // 8  # float64: 1 MiB
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
    """What a fresh process says for a case and a library (or `NumPy`): MiB, or a reason."""
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


def main():
    from benchmarks.measure import one_thread

    one_thread()  # before NumPy is imported
    import numpy as np

    from benchmarks.cases import MEMORY_CASES
    from benchmarks.libraries import ALL, Missing

    case = next(case for case in MEMORY_CASES if case.name == sys.argv[1])
    x = np.full(ARRAY, 0.5)
    if sys.argv[2] == "NumPy 0-d":
        print(peak(lambda: case.by_hand(x)))
        return
    try:
        library = next(kind for kind in ALL if kind.name == sys.argv[2])()
        library.gradients(case.program, x[:10])()  # warm up
        print(peak(library.gradients(case.program, x)))
    except Missing as reason:
        print(reason)


if __name__ == "__main__":
    main()
