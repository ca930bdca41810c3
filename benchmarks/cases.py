"""What is measured: programs that every library runs, and the same work done by hand in NumPy.

A program is written once and gets the library and its variables. By hand means: no record is kept,
the derivative is known, and only the arithmetic is left to do. That is the floor.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np

from benchmarks import networks, sequences
from benchmarks.libraries import ALL, Compiled, DeZero, Missing

FLOORS = ["NumPy 0-d", "NumPy scalars"]
PEERS = FLOORS + [kind.name for kind in ALL[1:]]
NETWORK_PEERS = ["NumPy", "torch", "autograd"]
EAGER = "DeZero, eager"
COMPILED_PEERS = [EAGER, "NumPy", "torch"]


@dataclass
class Case:
    name: str
    title: str
    prepare: Callable  # for a library, gives `run`
    floors: dict = field(default_factory=dict)  # the same by hand, `run` by name
    beside: dict = field(default_factory=dict)  # something else of the same size, `run` by name
    goals: dict = field(default_factory=dict)  # the ratio to reach, by name
    operations: int = 0  # for the time per operation
    rounds: int = 41  # fewer where a run takes long
    tolerance: float = 1e-9  # how far the sides may differ, as a share of the whole


# --- chains -------------------------------------------------------------------------------------


def chain_of_variables(library, x, length=1000):
    """`length` operations, each on the result of the one before and on `x`."""
    y = x
    for _ in range(length // 2):
        y = y * x
        y = y + x
    return y


def chain_with_numbers(library, x, length=1000):
    """`length` operations, each on the result of the one before and on a number."""
    y = x
    for _ in range(length // 2):
        y = y * 1.01
        y = y + 0.1
    return y


def variables_by_hand(x, keep, length=1000):
    """`keep` is `np.asarray` for 0-d arrays, which an engine has to keep, or does nothing."""
    y, ys = keep(x), []
    for _ in range(length // 2):
        ys.append(y)
        y = keep(y * x)
        y = keep(y + x)
    gy, gx = keep(np.float64(1)), keep(np.float64(0))
    for y_before in reversed(ys):
        gx = keep(gx + gy)
        gx = keep(gx + gy * y_before)
        gy = keep(gy * x)
    return [y, gx + gy]


def numbers_by_hand(x, keep, length=1000):
    y, c, d = keep(x), keep(np.float64(1.01)), keep(np.float64(0.1))
    for _ in range(length // 2):
        y = keep(y * c)
        y = keep(y + d)
    gy = keep(np.float64(1))
    for _ in range(length // 2):
        gy = keep(gy * c)
    return [y, gy]


def same(x):
    return x


def two_floors(by_hand, start):
    """By hand on 0-d arrays, and on NumPy's scalars, which are quicker."""
    return {
        "NumPy 0-d": partial(by_hand, np.array(start), np.asarray),
        "NumPy scalars": partial(by_hand, np.float64(start), same),
    }


# --- wide graphs --------------------------------------------------------------------------------


def wide_sum(library, x, width=1000):
    """`x * x`, `width` times side by side, then added up."""
    parts = [x * x for _ in range(width)]
    y = parts[0]
    for part in parts[1:]:
        y = y + part
    return y


def wide_sum_by_hand(x, width=1000):
    x = np.array(x)
    parts = [np.asarray(x * x) for _ in range(width)]
    y = parts[0]
    for part in parts[1:]:
        y = np.asarray(y + part)
    gy, gx = np.array(1.0), np.array(0.0)
    for _ in parts:
        gx = np.asarray(gx + gy * x)
        gx = np.asarray(gx + gy * x)
    return [y, gx]


# --- a few operations ---------------------------------------------------------------------------


def composed(library, x):
    return library.exp(x**2) ** 2


def composed_by_hand(x):
    x = np.array(x)
    a = np.asarray(x**2)
    b = np.asarray(np.exp(a))
    y = np.asarray(b**2)
    return [y, np.asarray(2 * b * b * 2 * x)]


def rosenbrock(library, x0, x1):
    return 100 * (x1 - x0**2) ** 2 + (x0 - 1) ** 2


def rosenbrock_by_hand(rate, *starts):
    x0, x1 = map(np.array, starts)

    def run():
        nonlocal x0, x1
        a = np.asarray(x1 - x0**2)
        b = np.asarray(x0 - 1)
        np.asarray(100 * a**2 + b**2)
        g1 = np.asarray(200 * a)
        g0 = np.asarray(2 * b - 2 * g1 * x0)
        x0, x1 = np.asarray(x0 - rate * g0), np.asarray(x1 - rate * g1)
        return [x0, x1]

    return run


def rosenbrock_hessian_vector_by_hand(starts, vector):
    x0, x1 = map(np.array, starts)
    v0, v1 = vector

    def run():
        corner = np.asarray(-400 * x0)
        h00 = np.asarray(1200 * x0**2 - 400 * x1 + 2)
        return [np.asarray(h00 * v0 + corner * v1), np.asarray(corner * v0 + 200 * v1)]

    return run


# --- functions ----------------------------------------------------------------------------------


def chain_of_squares(library, x, length=1000):
    """`length` operators, each on the result of the one before."""
    y = x
    for _ in range(length):
        y = y * y
    return y


def chain_of_own(library, x, style, length=1000):
    """The same with a function that a reader has written, with its derivative."""
    square, y = library.own_square(style), x
    for _ in range(length):
        y = square(y)
    return y


def chain_of(name, library, x, length=1000):
    """`length` times the function of that name."""
    function, y = getattr(library, name), x
    for _ in range(length):
        y = function(y)
    return y


def chain_by_hand(function, slope, start, length=1000):
    """The same in NumPy: `slope(y, f(y))` is the derivative of `function`."""
    ys = [np.asarray(start)]
    for _ in range(length):
        ys.append(np.asarray(function(ys[-1])))
    gy = np.asarray(1.0)
    for before, after in zip(ys[-2::-1], ys[:0:-1]):
        gy = np.asarray(gy * slope(before, after))
    return [ys[-1], gy]


SQUARE = np.square, lambda x, y: 2 * x
BY_HAND = {"sin": (np.sin, lambda x, y: np.cos(x)), "tanh": (np.tanh, lambda x, y: 1 - y * y)}

OPERATORS = "DeZero, operators"


def operators_alone():
    """Ours beside ours: a chain of as many operators."""
    return {OPERATORS: when_needed(lambda: DeZero().gradients(chain_of_squares, 1.0))}


def own_case(style, title, goal):
    """A chain of a reader's own function, which is written in one of the book's two styles."""
    return Case(
        f"own-{style}",
        title,
        gradients(chain_of_own, 1.0, style=style),
        {"NumPy 0-d": partial(chain_by_hand, *SQUARE, 1.0)},
        beside=operators_alone(),
        goals={OPERATORS: goal, "autograd": 0.5},
        operations=1000,
    )


def function_case(name, goal):
    """A chain of one of the package's functions on a number."""
    return Case(
        f"function-{name}",
        f"Chain of 1,000 `{name}`",
        gradients(partial(chain_of, name), 0.5),
        {"NumPy 0-d": partial(chain_by_hand, *BY_HAND[name], 0.5)},
        beside=operators_alone(),
        goals={OPERATORS: goal},
        operations=1000,
    )


# --- higher derivatives -------------------------------------------------------------------------


def tanh(library, x):
    return library.tanh(x)


def tanh_by_hand(start, order):
    """Every derivative of tanh is a polynomial of tanh, found beforehand."""
    x, slope = np.array(start), np.polynomial.Polynomial([1, 0, -1])
    derivative = np.polynomial.Polynomial([0, 1])
    for _ in range(order):
        derivative = derivative.deriv() * slope
    coefficients = derivative.coef[::-1]
    return lambda: [np.polyval(coefficients, np.asarray(np.tanh(x)))]


# --- networks -----------------------------------------------------------------------------------


def when_needed(prepare):
    """`prepare()` gives a run; it is called by the first run only."""
    prepared = cache(prepare)
    return lambda: prepared()()


def network_case(name, title, sizes, batch, activation, optimizer, rate, goals, rounds=41):
    """A step of training, always on the same batch."""
    task = networks.Task(sizes, batch, activation, optimizer, rate)

    def prepare(library):
        step, _ = library.network(task)
        return partial(step, *library.batch(*task.examples))

    def by_hand():
        return partial(networks.by_hand(task)[0], *task.examples)

    floors = {"NumPy": when_needed(by_hand)}
    # torch's Adam adds eps elsewhere, so small gradients differ a little from the second step on.
    tolerance = 1e-4 if optimizer == "Adam" else 1e-5
    return Case(name, title, prepare, floors, goals=goals, rounds=rounds, tolerance=tolerance)


def conv_case(name, title, task, goals, rounds=21):
    """A step of training of a convolutional network, always on the same batch."""

    def prepare(library):
        return partial(library.convolutional(task), *library.batch(*task.examples))

    by_hand = when_needed(lambda: partial(networks.conv_by_hand(task), *task.examples))
    return Case(
        name, title, prepare, {"NumPy": by_hand}, goals=goals, rounds=rounds, tolerance=1e-5
    )


VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)


@cache
def vgg16_weights(widths=VGG16, side=224, sizes=(4096, 4096, 1000)):
    """W and b of each layer, random; `None` stands for a pooling."""
    random, layers, before = np.random.default_rng(0), [], 3
    for width in widths:
        if not width:
            layers.append((None, None))
            side //= 2
            continue
        W = random.random((width, before, 3, 3), np.float32) - np.float32(0.5)
        W *= np.float32((12 * 2 / (9 * before)) ** 0.5)
        layers.append((W, np.zeros(width, np.float32)))
        before = width
    before *= side * side
    for size in sizes:
        W = random.random((before, size), np.float32) - np.float32(0.5)
        W *= np.float32((12 * 2 / before) ** 0.5)
        layers.append((W, np.zeros(size, np.float32)))
        before = size
    return layers


def vgg16_case(goals, side=224, weights=vgg16_weights, rounds=7):
    """One image through VGG16, forward. Winograd's sums differ a little from the plain ones."""
    x = np.random.default_rng(1).random((1, 3, side, side), np.float32)

    def prepare(library):
        return partial(library.vgg16(weights()), x)

    title = "VGG16, one image forward"
    return Case("vgg16", title, prepare, goals=goals, rounds=rounds, tolerance=1e-4)


def batch_norm_case(goal, shape=(32, 64, 28, 28)):
    """Batch normalization of images in training: the value and three gradients."""

    def prepare(library):
        random = np.random.default_rng(0)
        x, gy = random.standard_normal((2, *shape), np.float32)
        gamma, beta = random.standard_normal((2, shape[1]), np.float32)
        return library.batch_norm(x, gamma, beta, gy)

    title = f"Batch norm, {'x'.join(map(str, shape))}"
    return Case("batch-norm", title, prepare, goals={"torch": goal}, tolerance=1e-5)


def gpt_block_case(goal, size=(16, 64, 64), heads=4, by_functions=False):
    """A block of a language model: the value, and the gradients of `x` and all parameters.

    Beside torch's layer; or, `by_functions`, beside what one writes of its functions.
    """

    def prepare(library):
        random, width = np.random.default_rng(0), size[-1]
        x, gy = random.standard_normal((2, *size), np.float32)
        layers = {"attention/qkv": (width, 3 * width), "attention/out": (width, width)}
        layers |= {"wide": (width, 4 * width), "narrow": (4 * width, width)}
        shapes = {f"{name}/W": shape for name, shape in layers.items()}
        shapes |= {f"{name}/b": shape[1:] for name, shape in layers.items()}
        shapes |= {f"norm{i}/{name}": (width,) for i in (1, 2) for name in ("gamma", "beta")}
        scale = np.float32(width**-0.5)
        weights = {
            name: random.standard_normal(s, np.float32) * scale for name, s in shapes.items()
        }
        block = library.gpt_block_by_functions if by_functions else library.gpt_block
        return block(x, gy, heads, weights)

    name, title = "gpt-block", f"GPT block, {'x'.join(map(str, size))}"
    if by_functions:
        name, title = f"{name}-functions", f"{title}, by functions"
    return Case(name, title, prepare, goals={"torch": goal}, tolerance=1e-5)


def generation_case(name, title, goals, model, choice, length, rounds=3):
    """A language model writes on from one id, with what it keeps and without."""
    prepare = lambda library: library.generation(length, model, choice)  # noqa: E731
    slow = choice | {"use_cache": False}
    without = when_needed(lambda: DeZero().generation(length, model, slow))
    title = f"{title} writes {length} ids, with a cache"
    return Case(name, title, prepare, {WITHOUT: without}, goals=goals, rounds=rounds)


def generation_cases(length=256):
    """The model of chapter 25, which draws its pieces, and the smallest one of chapter 24."""
    story = {"vocab_size": 1000, "positions": "rotary", "dtype": float}
    drawn, best = {"temperature": 0.7, "top_k": 40}, {"temperature": 0}
    return [
        generation_case("generation", "GPT of chapter 25", {WITHOUT: 0.2}, story, drawn, length),
        generation_case(
            "generation-small", "GPT(64)", {WITHOUT: 0.33}, {"vocab_size": 64}, best, length
        ),
    ]


WITHOUT = "DeZero, no cache"


def hessian_case(goal):
    """The Hessian matrix of a loss times a vector, in the way of step 36."""
    task = networks.Task((100, 100, 10), 100, "tanh", "SGD", 0.01)
    title = "MLP, Hessian times vector"
    prepare = lambda library: library.network_hessian_vector(task)  # noqa: E731
    return Case("mlp-hessian", title, prepare, goals={"torch": goal}, tolerance=1e-4)


def digits_case(goal, rounds=5):
    """From the first weights to a share of digits that are read correctly."""
    task = networks.Task((64, 100, 10), 32, "relu", "Adam", 0.01)

    def prepare(library):
        train, test = digits()

        def run():
            batches = library.batches(*train, task.batch, task.seed)
            return networks.train(*library.network(task), batches, *test, goal)

        return run

    def by_hand():
        train, test = digits()
        batches = networks.Batches(*train, task.batch, task.seed)
        return networks.train(*networks.by_hand(task), batches, *test, goal)

    title = f"Digits to {goal:.0%}"
    return Case("digits", title, prepare, {"NumPy": by_hand}, rounds=rounds, tolerance=0.01)


@cache
def digits():
    """The handwritten digits, to train with and to test with, as arrays."""
    from dezero.datasets import Digits

    return Digits()[:], Digits(train=False)[:]


def lstm_cases(task, rounds=11):
    """A curve is read once, in windows: at once, or step by step as in the book."""

    def case(name, title, ours, torchs, goal):
        def prepare(library):
            return library.lstm(task, cells=torchs if library.name == "torch" else ours)

        floors = {"NumPy": when_needed(lambda: sequences.by_hand(task))}
        return Case(name, title, prepare, floors, goals=goal, rounds=rounds, tolerance=1e-4)

    return [
        case("lstm", "LSTM, whole windows", False, False, {"torch": 1.6}),
        case("lstm-cells", "LSTM, windows beside cells", False, True, {"torch": 0.75}),
        case("lstm-steps", "LSTM, step by step", True, True, {}),
    ]


# --- loading ------------------------------------------------------------------------------------


@cache
def images(count):
    """Random images in the shape of MNIST, the same as vectors from 0 to 1, and their numbers."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 1, 28, 28), np.uint8)
    vectors = pixels.reshape(count, -1).astype(np.float32)
    vectors /= 255
    return pixels, vectors, np.arange(count)


def epoch(loader):
    """The number of batches, and the sum of the labels: a run."""
    batches = total = 0
    for _, t in loader:
        total += int(t.sum())
        batches += 1
    return [batches, total]


def checked(loader, vectors):
    """A run, after a look at what is loaded: the right vectors to the labels, each once."""
    seen = np.zeros(len(vectors), int)
    for x, t in loader:
        x, t = np.asarray(x), np.asarray(t)
        if x.dtype != np.float32 or not np.array_equal(x, vectors[t]):
            raise AssertionError("what is loaded does not belong to its labels")
        seen[t] += 1
    if not (seen == 1).all():
        raise AssertionError("an example is missing, or comes twice")
    return partial(epoch, loader)


class LoaderByHand:
    """The least that can be done: a permutation, and rows taken."""

    def __init__(self, x, t, size):
        self.x, self.t, self.size = x, t, size

    def __iter__(self):
        order = np.random.default_rng(0).permutation(len(self.x))
        for start in range(0, len(order), self.size):
            indices = order[start : start + self.size]
            yield self.x.take(indices, axis=0), self.t.take(indices)


def vectors_loader(library, count, size=100):
    """An epoch over float32 vectors."""
    _, vectors, labels = images(count)
    return checked(library.loader(vectors, labels, size), vectors)


def images_loader(library, count, size=100):
    """An epoch over uint8 images, which become vectors from 0 to 1."""
    pixels, vectors, labels = images(count)
    return checked(library.loader(pixels, labels, size, vectors=True), vectors)


def loader_by_hand(count, size=100):
    _, vectors, labels = images(count)
    return checked(LoaderByHand(vectors, labels, size), vectors)


def loader_cases(count=60_000, rounds=11):
    by_hand = when_needed(partial(loader_by_hand, count))
    arrays = when_needed(lambda: vectors_loader(DeZero(), count))
    return [
        Case(
            "loader-arrays",
            f"DataLoader, {count:,} vectors",
            partial(vectors_loader, count=count),
            {"NumPy": by_hand},
            goals={"torch": 0.166},
            rounds=rounds,
        ),
        Case(
            "loader-images",
            f"DataLoader, {count:,} images",
            partial(images_loader, count=count),
            {"NumPy": by_hand, ARRAYS: arrays},
            goals={ARRAYS: 1.0},
            rounds=rounds,
        ),
    ]


ARRAYS = "DeZero, vectors"


# --- memory -------------------------------------------------------------------------------------


def tanh_chain(library, x, length=1000):
    y = x
    for _ in range(length):
        y = library.tanh(y)
    return y


def add_chain(library, x, length=1000):
    y = x
    for _ in range(length):
        y = y + x
    return y


def tanh_chain_by_hand(x, length=1000):
    ys = [x]
    for _ in range(length):
        ys.append(np.tanh(ys[-1]))
    gy = np.ones_like(x)
    for y in reversed(ys[1:]):
        gy = gy * (1 - y * y)
    return [ys[-1], gy]


def add_chain_by_hand(x, length=1000):
    y = x
    for _ in range(length):
        y = y + x
    gy = np.ones_like(x)
    gx = gy
    for _ in range(length):
        gx = gx + gy
    return [y, gx]


# --- the list -----------------------------------------------------------------------------------


def gradients(program, *starts, **options):
    """What a case needs to be prepared for a library: the program, its options and its starts."""
    return lambda library: library.gradients(partial(program, **options), *starts)


def long_chain(library):
    return library.gradients(partial(chain_of_variables, length=100_000), 0.99)


CHAIN_GOALS = {"torch": 0.38, "micrograd": 1.2}
ORDERS = range(1, 7)
WIDTHS = 1024, 2048, 4096, 8192
POINT, VECTOR, RATE = (0.5, 2.0), (1.0, -0.5), 0.001
TANH_AT = 1.0

CASES = [
    Case(
        "chain-variables",
        "Chain of 1,000, Variables",
        gradients(chain_of_variables, 0.99),
        two_floors(variables_by_hand, 0.99),
        goals=CHAIN_GOALS,
        operations=1000,
    ),
    Case(
        "chain-float32",
        "Chain of 1,000, float32",
        gradients(chain_of_variables, np.float32(0.99)),
        {"NumPy 0-d": partial(variables_by_hand, np.float32(0.99), np.asarray)},
        goals={"torch": 0.38},
        operations=1000,
        tolerance=1e-5,
    ),
    Case(
        "chain-numbers",
        "Chain of 1,000, numbers",
        gradients(chain_with_numbers, 0.99),
        two_floors(numbers_by_hand, 0.99),
        operations=1000,
    ),
    Case(
        "wide-sum",
        "Wide sum of 1,000",
        gradients(wide_sum, 0.99),
        {"NumPy 0-d": partial(wide_sum_by_hand, 0.99)},
        goals={"torch": 0.40},
        operations=1999,
    ),
    own_case("variables", "A Function of your own, Variables", 3.0),
    own_case("data", "A Function of your own, `.data`", 4.6),
    function_case("sin", 2.4),
    function_case("tanh", 2.4),
    Case(
        "composed",
        "`exp(x ** 2) ** 2`",
        gradients(composed, 0.5),
        {"NumPy 0-d": partial(composed_by_hand, 0.5)},
        operations=3,
    ),
    Case(
        "rosenbrock",
        "Rosenbrock, a step",
        lambda library: library.descend(rosenbrock, RATE, *POINT),
        {"NumPy 0-d": rosenbrock_by_hand(RATE, *POINT)},
    ),
    *[
        Case(
            f"tanh-{order}",
            f"`tanh(x)`, order {order}",
            lambda library, order=order: library.derivative(tanh, TANH_AT, order),
            {"NumPy 0-d": tanh_by_hand(TANH_AT, order)},
            goals={"torch": 0.65} if order == 6 else {},
        )
        for order in ORDERS
    ],
    Case(
        "tanh-backward",
        "`tanh(x)`, order 6, as step 35",
        lambda library: library.derivative_by_backward(tanh, TANH_AT, 6),
        {"NumPy 0-d": tanh_by_hand(TANH_AT, 6)},
        goals={"torch": 1.0},
    ),
    Case(
        "hessian-vector",
        "Rosenbrock, Hessian times vector",
        lambda library: library.hessian_vector(rosenbrock, POINT, VECTOR),
        {"NumPy 0-d": rosenbrock_hessian_vector_by_hand(POINT, VECTOR)},
        goals={"torch": 0.7},
    ),
    Case(
        "chain-long",
        "Chain of 100,000, Variables",
        gradients(chain_of_variables, 0.99, length=100_000),
        {"NumPy 0-d": partial(variables_by_hand, np.array(0.99), np.asarray, 100_000)},
        operations=100_000,
        rounds=5,
    ),
    *[
        Case(
            f"wide-{width}",
            f"Wide sum of {width:,}",
            gradients(wide_sum, 0.99, width=width),
            {"NumPy 0-d": partial(wide_sum_by_hand, 0.99, width)},
            operations=2 * width - 1,
            rounds=11,
        )
        for width in WIDTHS
    ],
]

WIDE = [f"wide-{width}" for width in WIDTHS]

MLP = (784, 1000, 1000, 10), 100, "relu"
CNN = networks.ConvTask(28, (32, 64), (128, 10), 32, 0.01)
NETWORK_CASES = [
    network_case(
        "spiral",
        "Spiral, a step",
        *((2, 10, 3), 30, "sigmoid", "SGD", 1.0),
        {"NumPy": 2.4, "torch": 0.4},
    ),
    network_case(
        "mlp-sgd", "MLP, a step of SGD", *MLP, "SGD", 0.01, {"NumPy": 1.08, "torch": 1.1}, 21
    ),
    network_case(
        "mlp-adam", "MLP, a step of Adam", *MLP, "Adam", 0.001, {"NumPy": 1.08, "torch": 1.0}, 21
    ),
    hessian_case(0.9),
    digits_case(0.97),
    conv_case("cnn", "CNN, a step of SGD", CNN, {"NumPy": 1.05, "torch": 1.15}),
    vgg16_case({"torch": 0.9}),
    batch_norm_case(1.2),
    gpt_block_case(1.0),
    gpt_block_case(1.1, by_functions=True),
    *generation_cases(),
    *lstm_cases(sequences.Task()),
    *loader_cases(),
]


def compiled_case(case, goals):
    """The case with our step written out; beside it the step as it is."""

    def prepare(library):
        return case.prepare(Compiled() if library.name == "DeZero" else library)

    by_hand = [case.floors[name] for name in ("NumPy", "NumPy 0-d") if name in case.floors]
    eager = {EAGER: when_needed(lambda: case.prepare(DeZero()))}
    name, title = f"compiled-{case.name}", f"{case.title}, compiled"
    floors = {"NumPy": by_hand[0]} if by_hand else {}
    changes = {"floors": floors, "beside": eager, "goals": goals}
    return replace(case, name=name, title=title, prepare=prepare, **changes)


def recurrent_case(task, rounds=21):
    """A step of training through the steps of a window, always on the same one."""

    def prepare(library):
        return partial(library.recurrent(task), *library.batch(*task.examples))

    by_hand = when_needed(lambda: partial(sequences.plain_by_hand(task), *task.examples))
    title = f"RNN, {task.window} steps"
    return Case("rnn", title, prepare, {"NumPy": by_hand}, rounds=rounds, tolerance=1e-4)


def compiled_cases():
    """New cases: their floors remember their steps."""
    engine = {case.name: case for case in CASES}
    spiral = (2, 10, 3), 30, "sigmoid"
    start = {"NumPy 0-d": rosenbrock_by_hand(RATE, *POINT)}
    cases = [
        (
            network_case("spiral", "Spiral, SGD", *spiral, "SGD", 1.0, {}),
            {"NumPy": 1.7, "torch": 0.3},
        ),
        (network_case("spiral-adam", "Spiral, Adam", *spiral, "Adam", 0.01, {}), {"NumPy": 1.8}),
        (engine["chain-variables"], {"NumPy": 1.2, "torch": 0.02}),
        (engine["tanh-6"], {"torch": 0.05}),
        (replace(engine["rosenbrock"], floors=start), {"torch": 0.1}),
        (recurrent_case(sequences.Plain(window=30)), {"NumPy": 1.7}),
        (network_case("mlp-adam", "MLP, Adam", *MLP, "Adam", 0.001, {}, 21), {EAGER: 1.0}),
        (conv_case("cnn", "CNN, SGD", CNN, {}), {}),
        (gpt_block_case(1.0), {"torch": 1.0}),
    ]
    return [compiled_case(*each) for each in cases]


@dataclass
class ChainMemory:
    """The peak of a chain on arrays of 1 MiB."""

    name: str
    title: str
    program: Callable
    by_hand: Callable
    floor = "NumPy 0-d"
    goals = {}

    def run(self, library=None, elements=2**20 // 8):
        """A run by a library, or by hand."""
        x = np.full(elements, 0.5)
        return library.gradients(self.program, x) if library else partial(self.by_hand, x)


@dataclass
class TrainingMemory:
    """The peak of a network that is made and trained for some steps."""

    name: str
    title: str
    task: networks.Task
    goals: dict
    floor = "NumPy"

    def run(self, library=None, batch=None, steps=5):
        """The same; the examples are there before."""
        task = replace(self.task, batch=batch or self.task.batch)
        x, t = library.batch(*task.examples) if library else task.examples

        def run():
            step = self.made(library, task)
            for _ in range(steps):
                result = step(x, t)
            return result

        return run

    def made(self, library, task):
        step, _ = library.network(task) if library else networks.by_hand(task)
        return step


@dataclass
class ConvMemory(TrainingMemory):
    """The same for a convolutional network."""

    task: networks.ConvTask

    def made(self, library, task):
        return library.convolutional(task) if library else networks.conv_by_hand(task)


@dataclass
class CompiledMemory(ConvMemory):
    """The same, and our step is written out."""

    def made(self, library, task):
        return super().made(Compiled() if library and library.name == "DeZero" else library, task)


COMPILED_CASES = compiled_cases()
MEMORY_CASES = [
    ChainMemory("memory-tanh", "`y = tanh(y)`", tanh_chain, tanh_chain_by_hand),
    ChainMemory("memory-add", "`y = y + x`", add_chain, add_chain_by_hand),
]
TRAINING_MEMORY = [
    TrainingMemory("memory-sgd", "MLP, SGD", networks.Task(*MLP, "SGD", 0.01), {}),
    TrainingMemory("memory-adam", "MLP, Adam", networks.Task(*MLP, "Adam", 0.001), {"NumPy": 1.3}),
    ConvMemory("memory-cnn", "CNN, SGD", CNN, {}),
    CompiledMemory("memory-cnn-compiled", "CNN, SGD, compiled", CNN, {}),
]


def sides(case, libraries):
    """The runs of a case by name, ours first, and why there is none for the others.

    Each is run once, and all must agree on the numbers.
    """
    runs, reasons, results = {}, {}, {}
    for library in libraries:
        try:
            run = case.prepare(library)
            results[library.name] = run()
            runs[library.name] = run
        except Missing as reason:
            reasons[library.name] = str(reason)
        except RecursionError:
            reasons[library.name] = "too deep"
    for name, run in case.floors.items():
        results[name] = run()
        runs[name] = run
    agree(case, results)
    return runs | case.beside, reasons


def agree(case, results):
    """Raise an error if a result differs from the first."""
    first, *others = results
    for name in others:
        pair = results[first], results[name]
        if not close(*pair, case.tolerance):
            raise AssertionError(f"{case.name}: {first} gives {pair[0]}, {name} gives {pair[1]}")


def close(ours, theirs, tolerance):
    """Are all parts of two results, numbers or arrays, nearly the same?"""
    parts = [[np.asarray(part, float) for part in result] for result in (ours, theirs)]
    if [part.shape for part in parts[0]] != [part.shape for part in parts[1]]:
        return False
    return all(norm(a - b) <= tolerance * norm(b) + 1e-300 for a, b in zip(*parts))


def norm(array):
    """The length of an array; its largest element goes first, so that no square overflows."""
    largest = np.max(np.abs(array), initial=0.0)
    return largest * np.linalg.norm(array.ravel() / largest) if largest else 0.0
