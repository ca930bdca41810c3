"""A recurrent network in training: what all sides start with, and the same steps by hand in NumPy.

By hand means: every result has its place, and what all steps of a window have in common is one
product.
"""

from dataclasses import dataclass

import numpy as np

GATES = "fiou"  # as DeZero keeps them


@dataclass
class Task:
    """An LSTM and a layer behind it, which read a curve in lanes and windows."""

    hidden: int = 100
    batch: int = 30
    steps: int = 100
    window: int = 30
    rate: float = 0.01
    seed: int = 0
    parts: str = GATES

    def windows(self):
        """Inputs and targets of each window, (T, N, 1)."""
        steps, lanes = np.arange(self.steps + 1)[:, None], np.arange(self.batch)
        curve = np.sin(0.1 * steps + lanes).astype(np.float32)[..., None]
        for start in range(0, self.steps, self.window):
            end = min(start + self.window, self.steps)
            yield curve[start:end], curve[start + 1 : end + 1]

    def weights(self):
        """W, b and U for each of its parts, and W and b of the last layer, by name."""
        random, size = np.random.default_rng(self.seed), self.hidden
        shapes = {f"x2{g}/W": (1, size) for g in self.parts}
        shapes |= {f"x2{g}/b": (size,) for g in self.parts}
        shapes |= {f"h2{g}/W": (size, size) for g in self.parts}
        shapes |= {"out/W": (size, 1), "out/b": (1,)}
        return {
            name: (random.standard_normal(shape) / size**0.5).astype(np.float32)
            for name, shape in shapes.items()
        }


@dataclass
class Plain(Task):
    """The same network with a simple recurrent layer, which reads one window step by step."""

    rate: float = 0.001
    parts: str = "h"

    @property
    def examples(self):
        """The first window."""
        return next(self.windows())


def plain_by_hand(task):
    """`step(xs, ts)` trains on a window from an empty state: the loss, and U."""
    W, b, U, V, d = task.weights().values()
    T, N, H, rate = task.window, task.batch, task.hidden, task.rate
    z, ghs, gz = [np.empty((T, N, H), np.float32) for _ in range(3)]
    hs, spare = np.zeros((T + 1, N, H), np.float32), np.empty((N, H), np.float32)

    def step(xs, ts):
        np.multiply(xs, W, out=z)
        np.add(z, b, out=z)
        for k in range(T):
            z[k] += np.matmul(hs[k], U, out=spare)
            np.tanh(z[k], out=hs[k + 1])
        after = hs[1:].reshape(T * N, H)
        gy = (after @ V + d).reshape(ts.shape) - ts
        loss = np.square(gy).sum() / N
        gy *= 2 / N
        rows = gy.reshape(T * N, 1)
        np.matmul(rows, V.T, out=ghs.reshape(T * N, H))
        turned, gh = np.ascontiguousarray(U.T), np.zeros((N, H), np.float32)
        for k in range(T - 1, -1, -1):
            gh += ghs[k]
            np.subtract(1, np.square(hs[k + 1], out=spare), out=spare)
            np.matmul(np.multiply(gh, spare, out=gz[k]), turned, out=gh)
        flat = gz.reshape(T * N, H)
        for p, g in ((V, after.T @ rows), (d, rows.sum(0)), (W, xs.reshape(1, T * N) @ flat),
                     (b, flat.sum(0)), (U, hs[:-1].reshape(T * N, H).T @ flat)):  # fmt: skip
            g *= rate
            p -= g
        return [loss, U]

    return step


def by_hand(task):
    """`run()` reads the curve once, with an update after each window: the losses, and a weight."""
    named = task.weights()
    W, b = [np.stack([named[f"x2{g}/{p}"] for g in GATES]) for p in "Wb"]
    U = np.stack([named[f"h2{g}/W"] for g in GATES])
    V, d = named["out/W"], named["out/b"]
    T, N, H, rate = task.window, task.batch, task.hidden, task.rate
    space = [np.empty(shape, np.float32) for shape in (
        (4, T, N, H), (4, T, N, H), (T + 1, N, H), (T + 1, N, H), (T, N, H), (T, N, H),
        (4, N, H), (N, H))]  # fmt: skip

    def window(x, t, h, c):
        n = len(x)
        gates, gz, hs, cs, bent, ghs = [
            a[:, :n] if a.ndim == 4 else a[: n + extra]
            for a, extra in zip(space, (0, 0, 1, 1, 0, 0))
        ]
        sums, spare = space[6:]
        np.multiply(x, W[:, None], out=gates)
        gates += b[:, None, None]
        hs[0], cs[0] = h, c
        for k in range(n):
            g = gates[:, k]
            g += np.matmul(hs[k], U, out=sums)
            sigmoid(g[:3])
            f, i, o, u = g
            np.tanh(u, out=u)
            np.multiply(f, cs[k], out=cs[k + 1])
            cs[k + 1] += np.multiply(i, u, out=spare)
            np.multiply(o, np.tanh(cs[k + 1], out=bent[k]), out=hs[k + 1])
        after = hs[1:].reshape(n * N, H)
        gy = (after @ V + d).reshape(t.shape) - t
        loss = np.square(gy).sum() / N
        gy *= 2 / N
        rows = gy.reshape(n * N, 1)
        np.matmul(rows, V.T, out=ghs.reshape(n * N, H))
        turned = np.ascontiguousarray(U.swapaxes(1, 2))
        gh, gc = np.zeros((N, H), np.float32), np.zeros((N, H), np.float32)
        for k in range(n - 1, -1, -1):
            (f, i, o, u), g = gates[:, k], gz[:, k]
            gh += ghs[k]
            np.multiply(gh, bent[k], out=g[2])
            gh *= o
            gh *= np.subtract(1, np.square(bent[k], out=spare), out=spare)
            gc += gh
            np.multiply(gc, cs[k], out=g[0])
            np.multiply(gc, u, out=g[1])
            np.multiply(gc, i, out=g[3])
            gc *= f
            np.subtract(1, gates[:3, k], out=sums[:3])
            sums[:3] *= gates[:3, k]
            np.subtract(1, np.square(u, out=spare), out=sums[3])
            g *= sums
            np.matmul(g, turned, out=sums).sum(0, out=gh)
        last = hs[-1].copy(), cs[-1].copy()
        flat = gz.reshape(4, n * N, H)
        for p, g in ((V, after.T @ rows), (d, rows.sum(0)), (W, x.reshape(1, n * N) @ flat),
                     (b, flat.sum(1)), (U, hs[:-1].reshape(n * N, H).T @ flat)):  # fmt: skip
            g *= rate
            p -= g
        return loss, last

    def run():
        losses, state = [], (0, 0)
        for x, t in windows:
            loss, state = window(x, t, *state)
            losses.append(loss)
        return [losses, U[0]]

    windows = list(task.windows())
    return run


def sigmoid(z):
    """In place."""
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)
