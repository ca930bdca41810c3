"""Every differentiable function of the package: where to try it, and what it must agree with.

`test_functions.py` fails if an exported one is missing here, and tries each of them.
"""

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dezero.functions as F
from dezero import Function, backprop, operators
from dezero.backprop import BroadcastTo, Cast, SumTo
from dezero.operators import LogOrZero, PutItem, SwapAxes, power, rmatmul, rpower


def modules():
    """The modules whose exported functions must be listed: those of `dezero.functions`, too."""
    names = [info.name for info in pkgutil.iter_modules(F.__path__)]
    return [backprop, operators, *[importlib.import_module(f"dezero.functions.{n}") for n in names]]


def exported(module):
    """What a module may have to differentiate: its Functions, and its callables in lower case."""
    for name in module.__all__:
        thing = getattr(module, name)
        kind = isinstance(thing, type) and issubclass(thing, Function)
        if kind or name == name.lower() and callable(thing) and not isinstance(thing, type):
            yield name


# Exported in lower case, and no function of Variables.
HELPERS = set(
    # the walk back
    "functions_behind slot collect operands_of rules_of gradients_by_backward"
    " apply grad_dtype fit propagate start own grad"
    # operators
    " two_operands install setup_variable refuse is_basic is_zero comparison new_box constant"
    # elementwise
    " floats quotient erf_near erf_far".split()
)


# --- places to try a function at ----------------------------------------------------------------


def between(low, high):
    """Numbers from an interval."""
    return lambda rng, shape: rng.uniform(low, high, shape)


def two_sided(low, high):
    """Numbers from an interval and from its mirror image: none near 0."""
    return lambda rng, shape: rng.uniform(low, high, shape) * rng.choice([-1, 1], shape)


def lattice(offset):
    """Numbers that are never near those of a lattice with another offset: no ties."""
    return lambda rng, shape: rng.integers(-5, 5, shape) + offset


ANY = between(-2, 2)
POSITIVE = between(0.3, 3)


# --- shapes, and options that are no operands ---------------------------------------------------

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)


def broadcasting(count, options=lambda shapes: st.just(())):
    """Shapes that broadcast, 0-d to 4-d, sides 0 and 1 included."""
    pairs = hnp.mutually_broadcastable_shapes(
        num_shapes=count, min_dims=0, max_dims=4, min_side=0, max_side=3
    ).map(lambda shapes: shapes.input_shapes)
    return pairs.flatmap(lambda shapes: st.tuples(st.just(shapes), options(shapes)))


@st.composite
def matrices(draw):
    """Shapes that `@` takes: vectors, matrices, and stacks that broadcast."""
    n, k, m = [draw(st.integers(0, 3)) for _ in range(3)]
    if draw(st.booleans()):
        left, right = draw(st.sampled_from([((k,), (k,)), ((n, k), (k,)), ((k,), (k, m))]))
        stack = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2))
        return (left if len(left) == 1 else stack + left, right), ()
    stacks = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=2)
    a, b = draw(stacks).input_shapes
    return (a + (n, k), b + (k, m)), ()


@st.composite
def indexed(draw):
    """A shape and an index: basic, by arrays (with repetitions), or by a mask."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3))
    basic = hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)
    fancy = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    mask = hnp.arrays(bool, shape)
    return shape, draw(st.one_of(basic, fancy, mask))


def positions(index, shape):
    """Where the elements of `x[index]` stand in `x`, as numbers from 0 up."""
    return np.array(np.arange(math.prod(shape)).reshape(shape)[index])


def taken(shape_and_index):
    shape, index = shape_and_index
    return (shape,), (index,)


def placed(shape_and_index):
    shape, index = shape_and_index
    return (positions(index, shape).shape,), (index, shape)


def two_axes(shape):
    axes = st.integers(-len(shape), len(shape) - 1)
    return st.tuples(st.just((shape,)), st.tuples(axes, axes))


@st.composite
def stretched(draw):
    """A shape, and one that it is stretched to."""
    shapes = hnp.mutually_broadcastable_shapes(num_shapes=1, max_dims=3, min_side=0, max_side=3)
    drawn = draw(shapes)
    extra = draw(st.sampled_from([(), (1,), (2,)]))
    sides = [draw(st.integers(0, 3)) if n == 1 else n for n in drawn.input_shapes[0]]
    return drawn.input_shapes[0], (*extra, *sides)


def masks(shapes):
    return st.tuples(hnp.arrays(bool, st.sampled_from([(), *shapes])))


# --- the entries --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One function. `call(*operands, *options)` runs on Variables."""

    names: str  # what it covers: names of functions and classes
    call: Callable
    places: tuple  # one for each operand: where to try it
    value: Callable  # the same on arrays, by NumPy
    torch: Callable | str | None  # the same on tensors: a name in torch, or f(torch, *operands)
    ints: tuple[int, int] = (-3, 4)  # integers it may be tried at, from and below
    cases: st.SearchStrategy | None = None  # of (shapes, options); broadcasting if None

    @property
    def arity(self):
        return len(self.places)

    def drawn(self):
        """A strategy of (shapes, options)."""
        return self.cases if self.cases is not None else broadcasting(self.arity)


def one(name, place, torch=None, ints=(-3, 4), value=None):
    """A function of one operand whose class is its name with a capital."""
    value = value or getattr(np, name)
    names = f"{name} {name[0].upper()}{name[1:]}"
    return Entry(names, getattr(F, name), (place,), value, torch or name, ints)


def erf_of_each(x):
    return np.reshape([math.erf(v) for v in np.ravel(x)], np.shape(x)).astype(float)


def put_by_numpy(gy, index, shape):
    flat = np.bincount(
        positions(index, shape).ravel(), np.ravel(gy).astype(float), math.prod(shape)
    )
    return flat.reshape(shape).astype(gy.dtype)


def put_by_torch(torch, gy, index, shape):
    where = torch.tensor(positions(index, shape))
    zeros = torch.zeros(shape, dtype=gy.dtype)
    return zeros.put(where, gy, accumulate=True)


EXPONENTS = st.tuples(st.sampled_from([-2, -1, -0.5, 0, 0.5, 1, 2, 3, 3.7]))

ENTRIES = [
    # operators
    Entry("add Add", F.add, (ANY, ANY), np.add, "add"),
    Entry("sub Sub", F.sub, (ANY, ANY), np.subtract, "sub"),
    Entry("rsub", F.rsub, (ANY, ANY), lambda x0, x1: x1 - x0, lambda torch, x0, x1: x1 - x0),
    Entry("mul Mul", F.mul, (ANY, ANY), np.multiply, "mul"),
    Entry("div Div", F.div, (ANY, two_sided(0.5, 2)), np.divide, "div", (1, 5)),
    Entry(
        "rdiv",
        F.rdiv,
        (two_sided(0.5, 2), ANY),
        lambda x0, x1: x1 / x0,
        lambda torch, x0, x1: x1 / x0,
        (1, 5),
    ),
    Entry("neg Neg", F.neg, (ANY,), np.negative, "neg"),
    Entry(
        "pow Pow",
        F.pow,
        (POSITIVE,),
        lambda x, c: x**c,
        lambda torch, x, c: x**c,
        (1, 4),
        broadcasting(1, lambda shapes: EXPONENTS),
    ),
    Entry("power Power", power, (POSITIVE, ANY), np.power, "pow", (1, 4)),
    Entry(
        "rpower",
        rpower,
        (ANY, POSITIVE),
        lambda x0, x1: x1**x0,
        lambda torch, x0, x1: x1**x0,
        (1, 4),
    ),
    Entry("LogOrZero", lambda x: LogOrZero()(x), (POSITIVE,), np.log, "log", (1, 4)),
    Entry("matmul MatMul", F.matmul, (ANY, ANY), np.matmul, "matmul", cases=matrices()),
    Entry(
        "rmatmul",
        rmatmul,
        (ANY, ANY),
        lambda x0, x1: x1 @ x0,
        lambda torch, x0, x1: x1 @ x0,
        cases=matrices().map(lambda case: (case[0][::-1], ())),
    ),
    Entry(
        "get_item GetItem",
        F.get_item,
        (ANY,),
        lambda x, index: x[index],
        lambda torch, x, index: x.take(torch.tensor(positions(index, x.shape))),
        cases=indexed().map(taken),
    ),
    Entry(
        "PutItem",
        lambda gy, index, shape: PutItem(index, shape)(gy),
        (ANY,),
        put_by_numpy,
        put_by_torch,
        cases=indexed().map(placed),
    ),
    Entry(
        "SwapAxes",
        lambda x, i, j: SwapAxes(i, j)(x),
        (ANY,),
        np.swapaxes,
        lambda torch, x, i, j: x.swapaxes(i, j),
        cases=SHAPES.filter(len).flatmap(two_axes),
    ),
    # backprop
    Entry(
        "SumTo",
        lambda x, shape: SumTo(shape)(x),
        (ANY,),
        lambda x, shape: SumTo(shape).forward(x),
        lambda torch, x, shape: x.sum_to_size(shape),
        cases=stretched().map(lambda pair: ((pair[1],), (pair[0],))),
    ),
    Entry(
        "BroadcastTo",
        lambda x, shape: BroadcastTo(shape)(x),
        (ANY,),
        np.broadcast_to,
        lambda torch, x, shape: x.broadcast_to(shape),
        cases=stretched().map(lambda pair: ((pair[0],), (pair[1],))),
    ),
    Entry(
        "Cast",
        lambda x: Cast(x.dtype)(x),
        (ANY,),
        lambda x: x,
        lambda torch, x: x.clone(),
    ),
    # element by element
    one("sin", ANY),
    one("cos", ANY),
    one("tan", between(-1.2, 1.2), ints=(-1, 2)),
    one("exp", ANY),
    one("log", POSITIVE, ints=(1, 9)),
    one("log2", POSITIVE, ints=(1, 9)),
    one("log10", POSITIVE, ints=(1, 9)),
    one("log1p", between(-0.6, 2), ints=(0, 9)),
    one("expm1", ANY),
    one("sinh", ANY),
    one("cosh", ANY),
    one("tanh", ANY),
    one("square", ANY),
    one("sqrt", POSITIVE, ints=(1, 9)),
    one("arcsin", between(-0.8, 0.8), ints=(0, 1)),
    one("arccos", between(-0.8, 0.8), ints=(0, 1)),
    one("arctan", ANY),
    Entry("arctan2 Arctan2", F.arctan2, (two_sided(0.3, 2), ANY), np.arctan2, "arctan2", (1, 5)),
    one("abs", two_sided(0.1, 2)),
    one("sign", two_sided(0.1, 2)),
    Entry("maximum Maximum", F.maximum, (lattice(0.0), lattice(0.5)), np.maximum, "maximum"),
    Entry("minimum Minimum", F.minimum, (lattice(0.0), lattice(0.5)), np.minimum, "minimum"),
    Entry(
        "where Where",
        lambda x0, x1, condition: F.where(condition, x0, x1),
        (ANY, ANY),
        lambda x0, x1, condition: np.where(condition, x0, x1),
        lambda torch, x0, x1, condition: torch.where(torch.tensor(condition), x0, x1),
        cases=broadcasting(2, masks),
    ),
    one("erf", ANY, value=erf_of_each),
]
