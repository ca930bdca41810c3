"""Networks in training: what all sides start with, and the same steps by hand in NumPy.

By hand means: all parameters lie in one flat array and all gradients in another, so that an
optimizer goes through them once; every result has its place and is written there; for the input of
the network no gradient is computed.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import count, pairwise
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

CHUNK = 32 * 1024  # elements that Adam updates at a time, so that they stay in the cache
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


@dataclass
class Task:
    """A network, how it is trained, and a batch of examples, random unless they are given."""

    sizes: tuple[int, ...]  # of the input and of each layer
    batch: int
    activation: str  # "sigmoid" or "relu"
    optimizer: str  # "SGD" or "Adam"
    rate: float
    seed: int = 0

    @cached_property
    def examples(self):
        random = np.random.default_rng(self.seed)
        x = random.random((self.batch, self.sizes[0]), np.float32)
        return x, random.integers(0, self.sizes[-1], self.batch)

    def weights(self):
        """W and b of each layer, float32, always the same."""
        random = np.random.default_rng(self.seed)
        for before, after in pairwise(self.sizes):
            yield (random.standard_normal((before, after)) / before**0.5).astype(np.float32)
            yield np.zeros(after, np.float32)


# --- by hand ------------------------------------------------------------------------------------


def one_array(shapes):
    """A flat array with room for arrays of these shapes, and views of it in the shapes."""
    ends = np.cumsum([prod(shape) for shape in shapes])
    flat = np.empty(ends[-1], np.float32)
    parts = np.split(flat, ends[:-1])
    return flat, [part.reshape(shape) for part, shape in zip(parts, shapes)]


def by_hand(task):
    """`step(x, t)` gives the loss and the parameters after it; `scores(x)` asks the network."""
    shapes = [shape for sizes in pairwise(task.sizes) for shape in (sizes, sizes[1:])]
    flat, parameters = one_array(shapes)
    slopes, gradients = one_array(shapes)
    for parameter, weight in zip(parameters, task.weights()):
        parameter[...] = weight
    layers = list(zip(parameters[::2], parameters[1::2], gradients[::2], gradients[1::2]))
    ys = [np.empty((task.batch, size), np.float32) for size in task.sizes[1:]]
    gys = [np.empty_like(y) for y in ys[:-1]]
    rows = np.arange(task.batch)
    activate = sigmoid if task.activation == "sigmoid" else relu
    bend_back = sigmoid_back if task.activation == "sigmoid" else relu_back
    update = UPDATES[task.optimizer](task.rate, flat)
    last = len(layers) - 1

    def forward(x):
        for i, (W, b, _, _) in enumerate(layers):
            y = np.matmul(x, W, out=ys[i][: len(x)])
            y += b
            if i < last:
                activate(y)
            x = y
        return y

    def step(x, t):
        loss, gy = cross_entropy(forward(x), t, rows)
        for i in range(last, -1, -1):
            W, _, gW, gb = layers[i]
            np.matmul((ys[i - 1] if i else x).T, gy, out=gW)
            gy.sum(0, out=gb)
            if i:
                gy = np.matmul(gy, W.T, out=gys[i - 1])
                bend_back(gy, ys[i - 1])
        update(slopes)
        return [loss, *parameters]

    def scores(x):
        return forward_of(x, layers, activate)

    return step, scores


def forward_of(x, layers, activate):
    """The scores for any number of examples."""
    for W, b, _, _ in layers[:-1]:
        x = x @ W
        x += b
        activate(x)
    return x @ layers[-1][0] + layers[-1][1]


def sigmoid(y):
    """In place, as everything here."""
    y *= 0.5
    np.tanh(y, out=y)
    y *= 0.5
    y += 0.5


def sigmoid_back(gy, y):
    gy *= y
    np.subtract(1, y, out=y)
    gy *= y


def relu(y):
    np.maximum(y, 0, out=y)


def relu_back(gy, y):
    gy *= y > 0


def cross_entropy(y, t, rows):
    """The loss; the scores become their gradient."""
    y -= y.max(1, keepdims=True)
    right = y[rows, t]
    np.exp(y, out=y)
    total = y.sum(1, keepdims=True)
    loss = (np.log(total[:, 0]) - right).mean()
    y /= total
    y[rows, t] -= 1
    y /= len(y)
    return loss, y


def sgd(rate, flat):
    """An update of a flat array by its slopes, `flat -= rate * slopes`."""
    chunks = chunked(flat)

    def update(slopes):
        for where, p, t in chunks:
            p -= np.multiply(slopes[where], rate, out=t)

    return update


def adam(rate, flat):
    """An update. The moments are kept without their factors `1 - BETA1` and `1 - BETA2`."""
    chunks = chunked(flat, np.zeros_like(flat), np.zeros_like(flat))
    times = count(1)
    scale = (1 - BETA2) ** 0.5
    eps = EPS / scale  # added to sqrt(v), as the published DeZero does

    def update(slopes):
        n = next(times)
        fix = (1 - BETA2**n) ** 0.5
        pace = rate * fix / (1 - BETA1**n) * (1 - BETA1) / scale
        for where, p, m, v, t in chunks:
            g = slopes[where]
            m *= BETA1
            m += g
            v *= BETA2
            v += np.square(g, out=t)
            np.sqrt(v, out=t)
            t += eps
            np.divide(m, t, out=t)
            t *= pace
            p -= t

    return update


def chunked(*arrays):
    """Where each chunk is, a view of it in each array, and an array to compute in."""
    size = arrays[0].size
    spare = np.empty(min(size, CHUNK), arrays[0].dtype)
    places = [slice(i, min(i + CHUNK, size)) for i in range(0, size, CHUNK)]
    return [
        (where, *[array[where] for array in arrays], spare[: where.stop - where.start])
        for where in places
    ]


UPDATES = {"SGD": sgd, "Adam": adam}


# --- examples in batches ------------------------------------------------------------------------


class Batches:
    """Whole batches in a random order, a new one for each epoch, by hand."""

    def __init__(self, x, t, size, seed, convert=np.asarray):
        self.arrays, self.size, self.convert = (x, t), size, convert
        self.random = np.random.RandomState(seed)  # noqa: NPY002  # as DeZero's DataLoader

    def __iter__(self):
        n = len(self.arrays[0])
        order = self.random.permutation(n)
        for start in range(0, n - self.size + 1, self.size):
            indices = self.convert(order[start : start + self.size])
            yield tuple([array[indices] for array in self.arrays])


def train(step, scores, batches, x, t, goal, most=50):
    """Epochs until this share of the examples `x` is read correctly, and the share."""
    for epoch in range(1, most + 1):
        for batch in batches:
            step(*batch)
        right = float((scores(x).argmax(1) == t).mean())
        if right >= goal:
            return [epoch, right]
    raise AssertionError(f"only {right:.1%} after {most} epochs")


# --- a convolutional network by hand ------------------------------------------------------------


@dataclass
class ConvTask:
    """Two convolutions of 3 x 3, one pooling, two matrices; images and weights are random."""

    side: int  # of the images, which are squares
    channels: tuple[int, int]
    sizes: tuple[int, int]  # of the hidden layer and of the result
    batch: int
    rate: float
    seed: int = 0

    @property
    def pooled(self):
        """The side of the images behind the pooling."""
        return (self.side - 4) // 2

    @cached_property
    def examples(self):
        random = np.random.default_rng(self.seed)
        x = random.random((self.batch, 1, self.side, self.side), np.float32)
        return x, random.integers(0, self.sizes[1], self.batch)

    def weights(self):
        """W (O, C, 3, 3) and b of both convolutions, W (I, O) and b of both matrices."""
        random = np.random.default_rng(self.seed)
        before = 1
        for after in self.channels:
            scale = (before * 9) ** 0.5
            yield (random.standard_normal((after, before, 3, 3)) / scale).astype(np.float32)
            yield np.zeros(after, np.float32)
            before = after
        yield from Task((before * self.pooled**2, *self.sizes), 0, "", "", 0, self.seed).weights()


class Convolution:
    """A layer on images (N, H, W, C); windows of one image at a time are rows of a matrix."""

    def __init__(self, batch, side, W, b, gW, gb):
        self.W, self.b, self.gW, self.gb = W, b, gW, gb
        o, _, _, c = W.shape
        self.out = side - 2
        self.y = np.empty((batch, self.out, self.out, o), np.float32)
        self.rows = np.empty((self.out, self.out, 3, 3, c), np.float32)
        self.gx = np.empty((batch, side, side, c), np.float32)
        self.part = np.empty((self.out, self.out, c), np.float32)
        self.spare = np.empty((o, 9 * c), np.float32)

    def windows(self, x):
        """What each window of an image sees, copied."""
        size, (row, pixel, channel) = self.rows.shape, x.strides
        np.copyto(self.rows, as_strided(x, size, (row, pixel, row, pixel, channel)))
        return self.rows.reshape(self.out**2, size[2] * size[3] * size[4])

    def forward(self, x):
        self.x, W = x, self.W.reshape(len(self.W), -1).T
        for image, y in zip(x, self.y):
            y = y.reshape(-1, W.shape[1])
            np.matmul(self.windows(image), W, out=y)
            y += self.b
            np.maximum(y, 0, out=y)
        return self.y

    def backward(self, gy, down=True):
        """The gradients of W and b, and of the images; `gy` is that behind the relu."""
        gy *= self.y > 0
        gy.sum((0, 1, 2), out=self.gb)
        gW = self.gW.reshape(self.spare.shape)
        gW[...] = 0
        for image, g in zip(self.x, gy):
            gW += np.matmul(g.reshape(-1, g.shape[2]).T, self.windows(image), out=self.spare)
        return self.images(gy) if down else None

    def images(self, gy):
        kernels = self.W.transpose(1, 2, 0, 3).copy()
        self.gx[...] = 0
        for g, gx in zip(gy, self.gx):
            g = g.reshape(-1, g.shape[2])
            for i in range(3):
                for j in range(3):
                    np.matmul(g, kernels[i, j], out=self.part.reshape(len(g), -1))
                    gx[i : i + self.out, j : j + self.out] += self.part
        return self.gx


def conv_by_hand(task):
    """`step(x, t)` as above, for a `ConvTask`; images lie in memory as (N, H, W, C)."""
    weights = list(task.weights())
    n, p, (c, o) = task.batch, task.pooled, task.channels
    shapes = [(c, 3, 3, 1), (c,), (o, 3, 3, c), (o,), (p, p, o, task.sizes[0])]
    shapes += [w.shape for w in weights[5:]]
    flat, parameters = one_array(shapes)
    slopes, gradients = one_array(shapes)
    for parameter, weight in zip(parameters, weights):
        if weight.ndim == 4:
            weight = weight.transpose(0, 2, 3, 1)
        if parameter.ndim == 4 and weight.ndim == 2:
            weight = weight.reshape(o, p, p, -1).transpose(1, 2, 0, 3)
        parameter[...] = weight
    first = Convolution(n, task.side, *parameters[:2], *gradients[:2])
    second = Convolution(n, task.side - 2, *parameters[2:4], *gradients[2:4])
    (W3, b3, W4, b4), (gW3, gb3, gW4, gb4) = parameters[4:], gradients[4:]
    W3, gW3 = W3.reshape(-1, W3.shape[3]), gW3.reshape(-1, W3.shape[3])
    pooled = np.empty((n, p, p, o), np.float32)
    gpooled, gy2 = np.empty_like(pooled), np.empty_like(second.y)
    hidden, scores = [np.empty((n, size), np.float32) for size in task.sizes]
    ghidden, rows = np.empty_like(hidden), np.arange(n)
    update = sgd(task.rate, flat)
    shown = [w.transpose(0, 3, 1, 2) if w.ndim == 4 else w for w in parameters]
    shown[4] = parameters[4].transpose(2, 0, 1, 3)

    def step(x, t):
        y = second.forward(first.forward(x.transpose(0, 2, 3, 1)))
        corners = [y[:, i::2, j::2][:, :p, :p] for i in (0, 1) for j in (0, 1)]
        np.maximum(corners[0], corners[1], out=pooled)
        for corner in corners[2:]:
            np.maximum(pooled, corner, out=pooled)
        flat_pooled = pooled.reshape(n, -1)
        np.matmul(flat_pooled, W3, out=hidden)
        np.maximum(np.add(hidden, b3, out=hidden), 0, out=hidden)
        np.add(np.matmul(hidden, W4, out=scores), b4, out=scores)
        loss, gy = cross_entropy(scores, t, rows)
        np.matmul(hidden.T, gy, out=gW4)
        gy.sum(0, out=gb4)
        np.matmul(gy, W4.T, out=ghidden)
        relu_back(ghidden, hidden)
        np.matmul(flat_pooled.T, ghidden, out=gW3)
        ghidden.sum(0, out=gb3)
        np.matmul(ghidden, W3.T, out=gpooled.reshape(n, -1))
        gy2[...] = 0
        missed = np.ones(pooled.shape, bool)
        for k, corner in enumerate(corners):
            won = missed & (corner == pooled)
            np.multiply(gpooled, won, out=gy2[:, k // 2 :: 2, k % 2 :: 2][:, :p, :p])
            missed &= ~won
        first.backward(second.backward(gy2), down=False)
        update(slopes)
        return [loss, *shown]

    return step
