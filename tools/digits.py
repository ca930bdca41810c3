"""Make dezero/data/digits.npz from the file in which scikit-learn distributes the digits.

    pip download scikit-learn --no-deps     and unzip the wheel, then
    python -m tools.digits sklearn/datasets/data/digits.csv.gz [--check]

The file has one line per image: 64 grey values from 0 to 16, row by row, then the digit.
With --check nothing is written; the numbers of the two files are compared.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MADE = ROOT / "dezero" / "data" / "digits.npz"
SOURCE_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"


def read_source(path: Path) -> dict[str, np.ndarray]:
    """The images (N, 1, 8, 8) and labels (N,), both uint8."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        raise SystemExit(f"{path} is another file than expected: its SHA-256 is {found}")
    table = np.loadtxt(path, delimiter=",").astype(np.uint8)
    return {"data": table[:, :-1].reshape(-1, 1, 8, 8), "label": table[:, -1]}


def main() -> int:
    parser = argparse.ArgumentParser(description="The digits inside the package")
    parser.add_argument("source", type=Path, help="digits.csv.gz")
    parser.add_argument("--check", action="store_true", help="only compare")
    args = parser.parse_args()
    arrays = read_source(args.source)
    if not args.check:
        MADE.parent.mkdir(exist_ok=True)
        np.savez_compressed(MADE, data=arrays["data"], label=arrays["label"])
        print(f"{MADE.relative_to(ROOT)}: {MADE.stat().st_size} bytes")
    with np.load(MADE, allow_pickle=False) as made:
        same = set(made) == set(arrays) and all(np.array_equal(made[k], arrays[k]) for k in arrays)
    print("The numbers are those of the source." if same else "The numbers differ from the source.")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
