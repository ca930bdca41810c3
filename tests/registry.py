"""Every differentiable function of the package: where to try it, and what it must agree with.

`test_functions.py` fails if an exported one is missing here, and tries each of them.
"""

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dezero
import dezero.functions as F
from dezero import Function, attention, backprop, core, operators, regularization, rnn
from dezero.attention import JoinHeads, SplitHeads
from dezero.backprop import Cast, SumTo
from dezero.functions.conv import Windows
from dezero.functions.linalg import Cofactors
from dezero.functions.losses import Reduced
from dezero.functions.shapes import PutItem, SwapAxes
from dezero.methods import floor_divide, mod
from dezero.operators import LogOrZero, power
from dezero.rnn import AddRows, GRUSteps, RNNSteps, lstm
from dezero.transformations import checkpoint

OLD = {"dezero.core_simple", "dezero.published"}  # names that old programs want


def classes():
    """The Functions that any module of the package exports, but for those of the first book."""
    names = [info.name for info in pkgutil.walk_packages(dezero.__path__, "dezero.")]
    found = [importlib.import_module(n) for n in names if n not in OLD]
    return {name for module in found for name in exported(module) if name != name.lower()}


def modules():
    """The modules in which functions of Variables in lower case must be listed, too."""
    names = [info.name for info in pkgutil.iter_modules(F.__path__)]
    found = [importlib.import_module(f"dezero.functions.{name}") for name in names]
    return [attention, backprop, operators, regularization, rnn, *found]


def exported(module):
    """What a module may have to differentiate: its Functions, and what it offers in lower case."""
    public = list(getattr(module, "__all__", ()))
    for name in dict.fromkeys([*public, *vars(module)]):
        thing = getattr(module, name)
        if isinstance(thing, type) and issubclass(thing, Function) and thing is not Function:
            home = thing.__module__ == getattr(module, "__name__", "")
            if name in public or home and name[0] != "_":
                yield thing.__name__  # under its own name, if it has an old one, too
        elif name in public and name == name.lower() and callable(thing):
            if not isinstance(thing, type):
                yield name


def tried(examples):
    """A modest number of examples, the same ones every time."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


# Exported in lower case, and no function of Variables.
HELPERS = set(
    # it draws at random, elsewhere other numbers than here: test_regularization.py
    "dropout"
    # the walk back, and operators
    " grad is_zero"
    # elementwise, reductions, losses
    " floats zero_where Bell Radius NormalCDF OneMinusSquare Reduction argmax argmin"
    " accuracy argsort one_hot sinusoidal_positions"
    # layers with a state
    " fresh_state"
    # what shares a rule
    " Flat Matrices Loss"
    # what several ranks normalize together, tried with them: test_distributed.py
    " MultiNodeBatchNormalization"
    # where a compiled step has no graph
    " Gone"
    # sizes and plain arrays of chapter 20
    " get_conv_outsize get_deconv_outsize im2col_array col2im_array".split()
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


def apart(rng, shape):
    """Numbers that are never near each other: nothing is equal."""
    return rng.permutation(math.prod(shape)).reshape(shape) / 2 + rng.uniform(-0.1, 0.1, shape)


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
    shape = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)))
    kinds = [hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)]
    kinds += [hnp.arrays(bool, shape), hnp.arrays(bool, shape[:1])]
    if 0 not in shape:
        result = hnp.array_shapes(max_dims=2, min_side=0, max_side=3)
        kinds.append(hnp.integer_array_indices(shape, result_shape=result))
    return shape, draw(st.one_of(kinds))


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
    shape = draw(SHAPES)
    extra = draw(st.sampled_from([(), (1,), (2,)]))
    return shape, (*extra, *[draw(st.integers(0, 3)) if n == 1 else n for n in shape])


def masks(shapes):
    return st.tuples(hnp.arrays(bool, st.sampled_from([(), *shapes])))


@st.composite
def reducing(draw, *options, side=1, dims=0):
    """A shape, the axes to reduce it over, whether they stay, and more options.

    The axes that go are at least `side` long, the others may be empty.
    """
    n = draw(st.integers(dims, 4))
    axes = draw(st.sets(st.integers(0, n - 1), min_size=1)) if n else set()
    forms = [tuple(sorted(axes))] if n else [None]
    if len(axes) == 1:
        forms += [min(axes), min(axes) - n]
    if len(axes) == n:
        forms.append(None)
    shape = tuple(draw(st.integers(side if i in axes else 0, 3)) for i in range(n))
    return (shape,), (draw(st.sampled_from(forms)), draw(st.booleans()), *map(draw, options))


@st.composite
def reshaped(draw):
    """A shape, and another one with as many elements."""
    shape = draw(SHAPES)
    order = draw(st.permutations([*shape, 1]))
    cut = draw(st.integers(0, len(order)))
    return (shape,), ((math.prod(order[:cut]), *order[cut:]),)


@st.composite
def reordered(draw):
    """A shape and its axes in another order, some counted from the end."""
    shape = draw(SHAPES)
    order = draw(st.permutations(range(len(shape))))
    signs = draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    axes = tuple(i - len(shape) if back else i for i, back in zip(order, signs))
    return (shape,), (draw(st.sampled_from([axes, None])),)


def along_an_axis(shapes=SHAPES):
    """A shape and one of its axes."""
    return shapes.filter(len).flatmap(
        lambda shape: st.tuples(
            st.just((shape,)), st.tuples(st.integers(-len(shape), len(shape) - 1))
        )
    )


def new_axis(shape):
    return st.tuples(st.just((shape,)), st.tuples(st.integers(-len(shape) - 1, len(shape))))


@st.composite
def joined(draw):
    """Two shapes that differ along one axis only."""
    (shape,), (axis,) = draw(along_an_axis())
    other = list(shape)
    other[axis] = draw(st.integers(0, 3))
    return (shape, tuple(other)), (axis,)


@st.composite
def cut(draw):
    """A shape, an axis, where to cut it, and the part to look at."""
    (shape,), (axis,) = draw(along_an_axis())
    places = sorted(draw(st.lists(st.integers(0, shape[axis]), max_size=3)))
    return (shape,), (places, axis, draw(st.integers(0, len(places))))


def borders(shape):
    width = st.integers(0, 2)
    each = st.tuples(*[st.tuples(width, width) for _ in shape])
    return st.tuples(st.just((shape,)), st.tuples(st.one_of(width, st.tuples(width, width), each)))


def lettered(*terms):
    """Subscripts for `einsum`, with shapes that fit; dots stand for up to two axes."""

    @st.composite
    def case(draw):
        subscripts = draw(st.sampled_from(terms))
        n: dict = {c: draw(st.integers(0, 3)) for c in "ijklm"}
        dots = (draw(st.integers(0, 3)), draw(st.integers(0, 3)))
        shapes = []
        for term in subscripts.split("->")[0].split(","):
            n["."] = dots[draw(st.integers(0, 1)) :]
            lengths = [n[c] for c in term.replace("...", ".")]
            shapes.append(tuple(np.hstack([(), *lengths]).astype(int).tolist()))
        return tuple(shapes), (subscripts,)

    return case()


@st.composite
def contracted(draw):
    """Two shapes with axes in common, and those axes."""
    common, left, right = [
        draw(st.lists(st.integers(0, 3), max_size=2)) for _ in ("common", "left", "right")
    ]
    a = draw(st.permutations([(n, i) for i, n in enumerate(common)] + [(n, None) for n in left]))
    b = draw(st.permutations([(n, i) for i, n in enumerate(common)] + [(n, None) for n in right]))
    axes = tuple([[i for _, i in side].index(k) for k in range(len(common))] for side in (a, b))
    return (tuple(n for n, _ in a), tuple(n for n, _ in b)), (axes,)


@st.composite
def dotted(draw):
    """Shapes that `dot` takes: numbers, vectors, matrices, stacks."""
    k = draw(st.integers(0, 3))
    lead = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    left, right = draw(lead), draw(lead)
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([(left, ()), ((), right)])), ()
    return ((*left, k), (*right[:-1], k, *right[-1:])), ()


@st.composite
def attending(draw):
    """Shapes of queries, keys and values, whose stacks broadcast, and whether it is causal."""
    stacks = hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=2, min_side=0, max_side=2)
    a, b, c = draw(stacks).input_shapes
    queries, keys = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    d, e = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    shapes = (a + (queries, d), b + (keys, d), c + (keys, e))
    return shapes, (draw(st.booleans()),)


@st.composite
def turned(draw):
    """A shape with rows of an even length, and the number of the first place."""
    lead = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
    return ((*lead, 2 * draw(st.integers(0, 2))),), (draw(st.integers(0, 9)),)


@st.composite
def headed(draw):
    """A shape whose rows can be cut into heads, and how many."""
    lead = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
    heads = draw(st.integers(1, 3))
    return ((*lead, heads * draw(st.integers(1, 3))),), (heads,)


@st.composite
def joinable(draw):
    """A shape (..., heads, places, size)."""
    lead = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2))
    sizes = draw(st.integers(1, 3)), draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return ((*lead, *sizes),), ()


@st.composite
def affine(draw):
    """Shapes for `x @ W + b`: any number of leading axes."""
    lead = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    i, o = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return ((*lead, i), (i, o), (o,)), ()


TWINS = SHAPES.map(lambda shape: ((shape, shape), ()))


def along_classes():
    """A shape and one of its axes that is not empty; there may be no examples."""
    return along_an_axis().filter(lambda case: case[0][0][case[1][0]])


def labelled(dims, *marks, side=0):
    """A shape of scores, and labels for them; `marks` stand for labels that do not count."""

    @st.composite
    def case(draw):
        lead = [draw(st.integers(side, 3)) for _ in range(draw(st.integers(1, dims - 1)))]
        shape = (*lead, draw(st.integers(1, 3)))
        labels = st.sampled_from([*range(shape[-1]), *marks])
        return (shape,), (draw(hnp.arrays(np.int64, shape[:-1], elements=labels)),)

    return case()


def attention_by_numpy(q, k, v, causal):
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(max(q.shape[-1], 1))
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True) @ v


def attention_by_torch(torch, q, k, v, causal):
    scores = q @ k.mT / math.sqrt(max(q.shape[-1], 1))
    if causal:
        past = torch.ones(scores.shape[-2:], dtype=bool).tril()
        scores = scores.masked_fill(~past, -math.inf)
    return scores.softmax(-1) @ v


def heads_by_numpy(x, heads):
    """Attention's cut of each row into `heads` pieces, which become tables."""
    return np.stack(np.split(x, heads, axis=-1), axis=-3)


def rotary_by_numpy(x, start):
    half = x.shape[-1] // 2
    points = x[..., :half] + 1j * x[..., half:]
    places = np.arange(start, start + x.shape[-2])[:, None]
    points = points * np.exp(1j * places * 10000.0 ** (-np.arange(half) / max(half, 1)))
    return np.concatenate([points.real, points.imag], -1)


def rotary_by_torch(torch, x, start):
    half = x.shape[-1] // 2
    places = torch.arange(start, start + x.shape[-2], dtype=x.dtype)[:, None]
    angles = places * 10000.0 ** (-torch.arange(half, dtype=x.dtype) / max(half, 1))
    a, b = x[..., :half], x[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


# --- the entries --------------------------------------------------------------------------------


def rows_of_a_table(case):
    """A shape, and numbers of its rows, some of them twice."""
    (shape,), _ = case
    return (shape,), (np.random.default_rng(7).integers(0, shape[0], (2, 3)),)


def gradients_of_rows(case):
    """The same for the gradients of rows: the numbers, and the shape of the table."""
    (shape,), (ids,) = rows_of_a_table(case)
    return ((*ids.shape, *shape[1:]),), (ids, shape)


@st.composite
def recurrent(draw, gates, states=1, more=""):
    """Shapes of what a recurrent layer reads: inputs, its states, a W, b and U for each gate.

    With `more` there are further vectors. Without a step only a layer with several states has a
    result.
    """
    T, N, K, H = draw(st.integers(states == 1, 3)), *[draw(st.integers(0, 3)) for _ in range(3)]
    weights = [shape for shape in ((K, H), (H,), (H, H)) for _ in range(gates)]
    return ((T, N, K), *[(N, H)] * states, *weights, *[(H,)] * len(more)), ()


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


def dims(x, axis):
    """Axes as torch wants them: never `None`."""
    return tuple(range(x.ndim)) if axis is None else axis


def prod_by_torch(torch, x, axis, keepdims):
    for i in sorted(dims(x, axis))[::-1] if not isinstance(axis, int) else [axis]:
        x = torch.prod(x, i, keepdim=keepdims)
    return x


def dot_by_torch(torch, a, b):
    if not (a.ndim and b.ndim):
        return a * b
    return torch.tensordot(a, b, ([-1], [-2 if b.ndim > 1 else -1]))


def pad_by_torch(torch, x, width):
    pairs = np.broadcast_to(width, (x.ndim, 2)).tolist()
    flat = [n for pair in pairs[::-1] for n in pair]
    return torch.nn.functional.pad(x, flat, value=2) if flat else x.clone()


def reduction(names, place, torch, value=None, ints=(-3, 4), cases=None):
    """A function that reduces axes, with NumPy's arguments."""
    name = names.split()[0]
    value = value or getattr(np, name)
    if isinstance(torch, str):
        by = torch

        def torch(torch, x, axis, keepdims):
            return getattr(torch, by)(x, dims(x, axis), keepdim=keepdims)

    return Entry(
        names,
        getattr(F, name),
        (place,),
        lambda x, axis, keepdims: value(x, axis=axis, keepdims=keepdims),
        torch,
        ints,
        reducing() if cases is None else cases,
    )


def spread(name):
    """`var` or `std`, which can divide by one less than there are."""
    Class, by_numpy = name.capitalize(), getattr(np, name)

    def by_torch(torch, x, axis, keepdims, ddof):
        if not x.numel():  # torch warns of an empty result
            return x.sum(dims(x, axis), keepdim=keepdims)
        return getattr(torch, name)(x, dims(x, axis), keepdim=keepdims, correction=ddof)

    return Entry(
        f"{name} {Class}",
        lambda x, axis, keepdims, ddof: getattr(F, name)(x, axis, keepdims, ddof),
        (apart,),
        lambda x, axis, keepdims, ddof: by_numpy(x, axis=axis, keepdims=keepdims, ddof=ddof),
        by_torch,
        cases=st.one_of(reducing(st.just(0)), reducing(st.just(1), side=2, dims=1)),
    )


def root_of_squares(x, axis, keepdims):
    return np.sqrt(np.sum(np.square(x, dtype=float), axis=axis, keepdims=keepdims))


def log_of_sum(x, axis, keepdims):
    return np.log(np.sum(np.exp(x.astype(float)), axis=axis, keepdims=keepdims))


def activation(name, Class, place, value, ints=(-3, 4)):
    """A function of one operand that torch has among those for networks."""
    return Entry(
        f"{name} {Class}",
        getattr(F, name),
        (place,),
        value,
        lambda torch, x: getattr(torch.nn.functional, name)(x),
        ints,
    )


def per_example(total, x):
    """What sums over examples are divided by."""
    return total / (max(len(x), 1) if x.ndim else 1)


def comparing(names, places, value, torch, ints=(-3, 4)):
    """A loss that compares two arrays of one shape and adds up: both are given as sums."""
    return Entry(
        names,
        getattr(F, names.split()[0]),
        places,
        lambda x0, x1: per_example(np.sum(value(x0, x1)), x0),
        lambda t, x0, x1: per_example(torch(t.nn.functional, x0, x1), x0),
        ints,
        TWINS,
    )


def huber_by_numpy(x0, x1):
    d = np.abs(x0 - x1)
    return np.where(d <= 1, d * d / 2, d - 0.5)


def exp_by_sum(x, axis):
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


def leaky_by_torch(torch, x):
    return torch.nn.functional.leaky_relu(x, 0.2)


def linear_by_torch(torch, x, W, b):
    return torch.matmul(x, W) + b


def cross_entropy_by_numpy(x, t):
    logs = np.log(exp_by_sum(x, -1)).reshape(t.size, x.shape[-1])
    right = [row[c] for row, c in zip(logs, t.ravel()) if c >= 0]
    return -sum(right, 0.0) / max(len(right), 1)


def cross_entropy_by_torch(torch, x, t):
    x, t = x.reshape(-1, x.shape[-1]), torch.tensor(t.ravel())
    return torch.nn.functional.cross_entropy(x, t, reduction="sum") / max(int((t >= 0).sum()), 1)


def last_two(*least):
    """Stacks of matrices; with a number, of square ones of at least that size."""

    @st.composite
    def case(draw):
        stack = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2))
        n, m = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        return ((*stack, n, n if least else m),), ()

    return case()


@st.composite
def systems(draw):
    """Square matrices, and matrices that fit them."""
    (shape,), _ = draw(last_two(0))
    return (shape, (*shape[:-1], draw(st.integers(0, 3)))), ()


def regular(rng, shape):
    """Matrices that are far from singular ones, with a positive determinant."""
    return rng.uniform(-0.5, 0.5, shape) + 2 * np.eye(shape[-1])


def symmetric(x):
    """The symmetric part: what `cholesky` takes."""
    return (x + x.swapaxes(-1, -2)) / 2


ROWS = along_an_axis()  # a shape and one of its axes
FULL_ROWS = along_classes()  # the same, and the axis is not empty


def indices(shape, axis):
    """Places along an axis, some of them twice, the same ones for the same shape."""
    n = shape[axis]
    rng = np.random.default_rng(7)
    return rng.integers(
        0, n, tuple(2 if i == axis % len(shape) else m for i, m in enumerate(shape))
    )


def taking(case):
    (shape,), (axis,) = case
    return (shape,), (indices(shape, axis), axis)


def scattering(case):
    (shape,), (axis,) = case
    places = np.sort(np.argsort(np.random.default_rng(8).random(shape), axis).take([0], axis), axis)
    return (shape, places.shape), (axis, places)


def put_along(x, src, axis, places):
    y = x.copy()
    np.put_along_axis(y, places, src, axis)
    return y


def simple(names, place, value, torch=None, ints=(-3, 4), cases=None):
    """A function of one operand (and options): a name in torch, or how torch writes it."""
    name = names.split()[0]
    return Entry(names, getattr(F, name), (place,), value, torch or name, ints, cases)


def of_networks(names, place, value, ints=(-3, 4), cases=None):
    """The same for what torch keeps among the functions for networks."""

    def by_torch(torch, x, *options):
        return getattr(torch.nn.functional, names.split()[0])(x, *options)

    return simple(names, place, value, by_torch, ints, cases)


def softplus_by_numpy(x):
    return np.logaddexp(0, x)


def halves(shape_and_axis):
    (shape,), (axis,) = shape_and_axis
    i = axis % len(shape)
    return ((*shape[:i], 2 * shape[i], *shape[i + 1 :]),), (axis,)


MORE = [
    simple("floor Floor", lattice(0.3), np.floor),
    simple("ceil Ceil", lattice(0.3), np.ceil),
    simple("round Round", lattice(0.3), np.round),
    Entry(
        "take_along_axis",
        F.take_along_axis,
        (ANY,),
        np.take_along_axis,
        lambda t, x, i, axis: t.take_along_dim(x, t.tensor(i), axis),
        cases=FULL_ROWS.map(taking),
    ),
    simple("sort", apart, np.sort, lambda t, x, axis: t.sort(x, axis)[0], cases=ROWS),
    Entry(
        "topk",
        lambda x, axis: F.topk(x, 1, axis)[0],
        (apart,),
        lambda x, axis: x.max(axis, keepdims=True),
        lambda t, x, axis: t.topk(x, 1, axis)[0],
        cases=FULL_ROWS,
    ),
    Entry(
        "cummax",
        lambda x, axis: F.cummax(x, axis)[0],
        (apart,),
        np.maximum.accumulate,
        lambda t, x, axis: t.cummax(x, axis)[0],
        cases=FULL_ROWS,
    ),
    simple("cumprod", two_sided(0.5, 1.5), np.cumprod, ints=(0, 3), cases=ROWS),
    Entry(
        "repeat",
        lambda x, axis: F.repeat(x, 2, axis),
        (ANY,),
        lambda x, axis: np.repeat(x, 2, axis),
        lambda t, x, axis: t.repeat_interleave(x, 2, axis),
        cases=ROWS,
    ),
    simple(
        "tile",
        ANY,
        np.tile,
        cases=SHAPES.map(lambda shape: ((shape,), ((2, 1, 3)[: len(shape) + 1],))),
    ),
    Entry(
        "roll",
        lambda x, axis: F.roll(x, 1, axis),
        (ANY,),
        lambda x, axis: np.roll(x, 1, axis),
        lambda t, x, axis: t.roll(x, 1, axis),
        cases=ROWS,
    ),
    simple(
        "diag",
        ANY,
        np.diag,
        cases=st.tuples(
            hnp.array_shapes(max_dims=2, min_side=0, max_side=3).map(lambda s: (s,)),
            st.tuples(st.integers(-2, 2)),
        ).filter(lambda case: len(case[0][0]) == 1 or min(case[0][0]) > abs(case[1][0])),
    ),
    Entry(
        "scatter",
        lambda x, src, axis, places: F.scatter(x, axis, places, src),
        (ANY, ANY),
        put_along,
        lambda t, x, src, axis, places: t.scatter(x, axis, t.tensor(places), src),
        cases=FULL_ROWS.map(scattering),
    ),
    Entry(
        "vstack",
        lambda x0, x1: F.vstack([x0, x1]),
        (ANY, ANY),
        lambda x0, x1: np.vstack([x0, x1]),
        lambda t, x0, x1: t.vstack([x0, x1]),
        cases=TWINS,
    ),
    Entry(
        "hstack",
        lambda x0, x1: F.hstack([x0, x1]),
        (ANY, ANY),
        lambda x0, x1: np.hstack([x0, x1]),
        lambda t, x0, x1: t.hstack([x0, x1]),
        cases=TWINS,
    ),
    Entry(
        "array_split",
        lambda x, axis: F.array_split(x, 2, axis)[1],
        (ANY,),
        lambda x, axis: np.array_split(x, 2, axis)[1],
        lambda t, x, axis: t.tensor_split(x, 2, axis)[1],
        cases=ROWS,
    ),
    Entry(
        "diff",
        lambda x, axis: F.diff(x, axis=axis),
        (ANY,),
        lambda x, axis: np.diff(x, axis=axis),
        lambda t, x, axis: t.diff(x, dim=axis),
        cases=FULL_ROWS,
    ),
    Entry(
        "outer",
        F.outer,
        (ANY, ANY),
        np.outer,
        lambda t, a, b: t.outer(a.ravel(), b.ravel()),
        cases=TWINS,
    ),
    Entry("kron", F.kron, (ANY, ANY), np.kron, "kron", cases=TWINS),
    simple(
        "trace",
        ANY,
        np.trace,
        lambda t, x: t.diagonal(x, 0, 0, 1).sum(-1),
        cases=SHAPES.filter(lambda s: len(s) > 1).map(lambda s: ((s,), ())),
    ),
    simple("tril", ANY, np.tril, cases=last_two()),
    simple("triu", ANY, np.triu, cases=last_two()),
    of_networks("relu6", lattice(0.3), lambda x: np.clip(x, 0, 6)),
    simple(
        "hardsigmoid",
        lattice(0.3),
        lambda x: np.clip(x + 3, 0, 6) / 6,
        lambda t, x: t.clamp(x + 3, 0, 6) / 6,  # torch's own has no second derivative
    ),
    of_networks("hardswish", lattice(0.3), lambda x: x * np.clip(x + 3, 0, 6) / 6),
    Entry(
        "prelu",
        F.prelu,
        (two_sided(0.1, 2), ANY),
        lambda x, w: np.where(x > 0, x, w * x),
        lambda t, x, w: t.where(x > 0, x, w * x),
        cases=SHAPES.map(lambda s: ((s, ()), ())),
    ),
    Entry("logaddexp LogAddExp", F.logaddexp, (ANY, ANY), np.logaddexp, "logaddexp"),
    Entry("hypot Hypot", F.hypot, (two_sided(0.3, 2), ANY), np.hypot, "hypot", (1, 5)),
    simple("arcsinh Arcsinh", ANY, np.arcsinh),
    simple("arccosh Arccosh", between(1.3, 3), np.arccosh, ints=(2, 9)),
    simple("arctanh Arctanh", between(-0.8, 0.8), np.arctanh, ints=(0, 1)),
    simple(
        "erfc Erfc",
        ANY,
        lambda x: np.reshape([math.erfc(v) for v in np.ravel(x)], np.shape(x)).astype(float),
        lambda t, x: t.special.erfc(x),
    ),
    Entry(
        "log_sigmoid",
        F.log_sigmoid,
        (ANY,),
        lambda x: -softplus_by_numpy(-x),
        lambda t, x: t.nn.functional.logsigmoid(x),
    ),
    of_networks("celu", two_sided(0.1, 2), lambda x: np.where(x > 0, x, np.expm1(x))),
    of_networks(
        "selu",
        two_sided(0.1, 2),
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    ),
    of_networks("mish", ANY, lambda x: x * np.tanh(softplus_by_numpy(x))),
    of_networks("softsign Softsign", two_sided(0.1, 2), lambda x: x / (1 + np.abs(x))),
    of_networks(
        "glu",
        ANY,
        lambda x, axis: np.split(x, 2, axis)[0] / (1 + np.exp(-np.split(x, 2, axis)[1])),
        cases=ROWS.map(halves),
    ),
    Entry(
        "normalize",
        lambda x, axis: F.normalize(x, axis=axis),
        (two_sided(0.3, 2),),
        lambda x, axis: x / np.sqrt((x * x).sum(axis, keepdims=True)),
        lambda t, x, axis: t.nn.functional.normalize(x, dim=axis),
        (1, 5),
        FULL_ROWS,
    ),
    Entry(
        "nll_loss",
        lambda x, t: F.nll_loss(x, t, "sum"),
        (ANY,),
        lambda x, t: -np.sum(x * (t[..., None] == np.arange(x.shape[-1]))),
        lambda torch, x, t: torch.nn.functional.nll_loss(
            x.reshape(-1, x.shape[-1]), torch.tensor(t.ravel()), reduction="sum"
        ),
        cases=labelled(4, -100),
    ),
    Entry(
        "smooth_l1_loss",
        lambda x0, x1: F.smooth_l1_loss(x0, x1, "sum"),
        (lattice(0.0), lattice(0.25)),
        lambda x0, x1: np.sum(huber_by_numpy(x0, x1)),
        lambda torch, x0, x1: torch.nn.functional.smooth_l1_loss(x0, x1, reduction="sum"),
        (0, 1),  # 2 - 3 is 255 for a uint8
        TWINS,
    ),
    Entry(
        "kl_div",
        lambda x, t: F.kl_div(x, t, "sum"),
        (ANY, between(0.1, 1)),
        lambda x, t: np.sum(t * (np.log(t) - x)),
        lambda torch, x, t: torch.nn.functional.kl_div(x, t, reduction="sum"),
        (1, 4),
        TWINS,
    ),
]

LINALG = [
    simple(
        "inv Inv", regular, np.linalg.inv, lambda t, x: t.linalg.inv(x), (0, 1), cases=last_two(0)
    ),
    Entry(
        "solve Solve",
        F.solve,
        (regular, ANY),
        np.linalg.solve,
        lambda t, a, b: t.linalg.solve(a, b),
        cases=systems(),
    ),
    simple("det Det", regular, np.linalg.det, lambda t, x: t.linalg.det(x), cases=last_two(0)),
    Entry(
        "slogdet LogDet",
        lambda x: F.slogdet(x)[1],
        (regular,),
        lambda x: np.linalg.slogdet(x)[1],
        lambda t, x: t.linalg.slogdet(x)[1],
        cases=last_two(0),
    ),
    Entry(
        "SignDet",
        lambda x: F.slogdet(x)[0],
        (regular,),
        lambda x: np.linalg.slogdet(x)[0],
        lambda t, x: t.linalg.slogdet(x)[0] + 0 * x.sum((-1, -2)),
        cases=last_two(0),
    ),
    Entry(
        "Cofactors",
        lambda x: Cofactors()(x),
        (regular,),
        lambda x: np.linalg.det(x)[..., None, None] * np.linalg.inv(x).swapaxes(-1, -2),
        lambda t, x: t.linalg.det(x)[..., None, None] * t.linalg.inv(x).mT,
        cases=last_two(0),
    ),
    Entry(
        "cholesky Cholesky",
        F.cholesky,
        (regular,),
        lambda x: np.linalg.cholesky(symmetric(x)),
        lambda t, x: t.linalg.cholesky(symmetric(x)),
        cases=last_two(0),
    ),
]
MATRICES = {entry.names for entry in LINALG}  # whole numbers may give a singular one

EXPONENTS = st.tuples(st.sampled_from([-2, -1, -0.5, 0, 0.5, 1, 2, 3, 3.7]))

# --- chapter 20 ---------------------------------------------------------------------------------


@st.composite
def convolved(draw, simple=False, dims=2, back=False):
    """Shapes of images, kernels and a bias, and how the windows lie; `back` for `deconv2d`."""
    few, two = st.integers(1, 2), [st.integers(1, 3)] * dims
    groups = 1 if simple else draw(few)
    n, c, o = draw(st.integers(0, 2)), draw(few), draw(few)
    kernel, stride = [draw(st.tuples(*two)) for _ in range(2)]
    pad = draw(st.tuples(*[st.integers(0, 3)] * dims))
    dilation = (1,) * dims if simple else draw(st.tuples(*[few] * dims))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    extra = [draw(st.integers(0, 2)) for _ in kernel]
    if back:
        cover = list(zip(reach, stride, pad))
        count = [max(1, -(-(2 * p + 1 - r) // s) + 1) + e for (r, s, p), e in zip(cover, extra)]
        rest = [draw(st.integers(0, s - 1)) for s in stride]
        size = tuple(s * (m - 1) + r - 2 * p + e for (r, s, p), m, e in zip(cover, count, rest))
        shapes = (n, o * groups, *count), (o * groups, c, *kernel), (c * groups,)
        return shapes, (stride, pad, size, dilation, groups)
    size = [max(1, r - 2 * p + e) for r, p, e in zip(reach, pad, extra)]
    shapes = (n, c * groups, *size), (o * groups, c, *kernel), (o * groups,)
    return shapes, (stride, pad) if simple else (stride, pad, dilation, groups)


def sequences():
    """The same for `conv1d`, which takes numbers; a fourth axis would be a mistake."""

    def alone(case):
        shapes, (stride, pad, dilation, groups) = case
        return shapes, (stride[0], pad[0], dilation[0], groups)

    return convolved(dims=1).map(alone)


def weights(back=False):
    """Shapes of images and of a gradient, for the gradient of the kernels."""

    def case(drawn):
        ((n, c, *size), (o, *_, kh, kw), _), (stride, pad, dilation, groups) = drawn
        count = [
            (m + 2 * p - d * (k - 1) - 1) // s + 1
            for m, k, s, p, d in zip(size, (kh, kw), stride, pad, dilation)
        ]
        return ((n, c, *size), (n, o, *count)), ((kh, kw), stride, pad, dilation, groups)

    return convolved().map(case)


@st.composite
def windowed(draw, *options):
    """A shape of images, and windows on them, with a border that is at most half of them."""
    n, c = draw(st.integers(0, 2)), draw(st.integers(1, 2))
    kernel, stride = [draw(st.tuples(*[st.integers(1, 3)] * 2)) for _ in range(2)]
    pad = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = [max(1, k - 2 * p) + draw(st.integers(0, 3)) for k, p in zip(kernel, pad)]
    return ((n, c, *size),), (kernel, stride, pad, *map(draw, options))


@st.composite
def indexed_windows(draw, back):
    """A shape of images, or of what was taken from their windows, and from where."""
    (shape,), options = draw(windowed())
    windows = Windows(*options)
    taken = *shape[:2], *windows.count(shape[2:])
    indexes = draw(hnp.arrays(np.int64, taken, elements=st.integers(0, 8)))
    indexes %= math.prod(windows.kernel)
    return (taken if back else shape,), (windows, shape[2:], indexes)


def windows_of(x, kernel, stride, pad, dilation=(1, 1), value=0):
    """Windows one by one, by NumPy's indexing: (N, C, OH, OW, KH, KW)."""
    (kh, kw), (sh, sw), (p, q), (dh, dw) = kernel, stride, pad, dilation
    x = np.pad(x.astype(float), ((0, 0), (0, 0), (p, p), (q, q)), constant_values=value)
    oh = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1
    ow = (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    rows = np.arange(oh)[:, None] * sh + np.arange(kh) * dh
    columns = np.arange(ow)[:, None] * sw + np.arange(kw) * dw
    return x[:, :, rows[:, None, :, None], columns[None, :, None, :]]


def conv_by_numpy(x, W, b, stride, pad, dilation=(1, 1), groups=1):
    seen = windows_of(x, W.shape[2:], stride, pad, dilation)
    parts = zip(np.split(seen, groups, 1), np.split(W.astype(float), groups))
    y = np.concatenate([np.einsum("ncpqkl,ockl->nopq", *part) for part in parts], 1)
    return y + b[:, None, None]


def conv1d_by_numpy(x, W, b, stride, pad, dilation, groups):
    x, W = x[:, :, None], W[:, :, None]
    return conv_by_numpy(x, W, b, (1, stride), (0, pad), (1, dilation), groups)[:, :, 0]


def conv_by_torch(torch, x, W, b, stride, pad, dilation=1, groups=1):
    conv = torch.conv2d if x.ndim == 4 else torch.conv1d
    return conv(x, W, b, stride, pad, dilation, groups)


def scattered(col, size, stride, pad, dilation=(1, 1)):
    """The way back of `windows_of`: each pixel gets the sum of what lies in windows for it."""
    n, c, *_, kh, kw = col.shape
    number = np.arange(math.prod(size)).reshape(1, 1, *size)
    where = windows_of(number, (kh, kw), stride, pad, dilation, -1).astype(int).ravel()
    x, col = np.zeros((n, c, math.prod(size) + 1)), col.reshape(n, c, len(where))
    for k in range(len(where)):
        x[:, :, where[k]] += col[:, :, k]
    return x[:, :, :-1].reshape(n, c, *size)


def deconv_by_numpy(x, W, b, stride, pad, size, dilation, groups):
    parts = zip(np.split(x.astype(float), groups, 1), np.split(W, groups))
    col = np.concatenate([np.einsum("nopq,ockl->ncpqkl", *part) for part in parts], 1)
    return scattered(col, size, stride, pad, dilation) + b[:, None, None]


def deconv_by_torch(torch, x, W, b, stride, pad, size, dilation, groups):
    least = Windows(W.shape[2:], stride, pad, dilation).cover(x.shape[2:])
    rest = [a - b for a, b in zip(size, least)]
    if any(r >= max(s, d) for r, s, d in zip(rest, stride, dilation)):
        raise AssertionError("torch refuses such a rest")
    return torch.conv_transpose2d(x, W, b, stride, pad, rest, groups, dilation)


def weight_by_numpy(x, gy, kernel, stride, pad, dilation, groups):
    seen = windows_of(x, kernel, stride, pad, dilation)[:, :, : gy.shape[2], : gy.shape[3]]
    parts = zip(np.split(seen, groups, 1), np.split(gy.astype(float), groups, 1))
    return np.concatenate([np.einsum("ncpqkl,nopq->ockl", *part) for part in parts])


def weight_by_torch(torch, x, gy, kernel, stride, pad, dilation, groups):
    (p, q), parts = pad, []
    for a, g in zip(torch.nn.functional.pad(x, (q, q, p, p)).chunk(groups, 1), gy.chunk(groups, 1)):
        (dh, dw), (sh, sw), (oh, ow) = dilation, stride, g.shape[2:]
        rows = torch.tensor(np.arange(kernel[0])[:, None] * dh + np.arange(oh) * sh)
        columns = torch.tensor(np.arange(kernel[1])[:, None] * dw + np.arange(ow) * sw)
        seen = a[:, :, rows[:, None, :, None], columns[None, :, None, :]]
        parts.append(torch.einsum("ncklpq,nopq->ockl", seen, g))
    return torch.cat(parts)


def rows_by_numpy(x, kernel, stride, pad, to_matrix):
    seen = windows_of(x, kernel, stride, pad)
    if not to_matrix:
        return seen.transpose(0, 1, 4, 5, 2, 3)
    n, c, oh, ow, kh, kw = seen.shape
    return seen.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, c * kh * kw)


def rows_by_torch(torch, x, kernel, stride, pad, to_matrix):
    n, c, count = *x.shape[:2], Windows(kernel, stride, pad).count(x.shape[2:])
    seen = torch.nn.functional.unfold(x, kernel, 1, pad, stride)
    if not to_matrix:
        return seen.reshape(n, c, *kernel, *count)
    return seen.transpose(1, 2).reshape(n * math.prod(count), c * math.prod(kernel))


@st.composite
def rows(draw):
    """The shape of windows, and of the images that they are added to."""
    ((n, c, *size),), (kernel, stride, pad, to_matrix) = draw(windowed(st.booleans()))
    count = Windows(kernel, stride, pad).count(size)
    long = n, c, *kernel, *count
    shape = (n * math.prod(count), c * math.prod(kernel)) if to_matrix else long
    return (shape,), ((n, c, *size), kernel, stride, pad, to_matrix)


def images_by_numpy(col, shape, kernel, stride, pad, to_matrix):
    (n, c, *size), count = shape, Windows(kernel, stride, pad).count(shape[2:])
    if to_matrix:
        col = col.reshape(n, *count, c, *kernel).transpose(0, 3, 1, 2, 4, 5)
    else:
        col = col.transpose(0, 1, 4, 5, 2, 3)
    return scattered(np.ascontiguousarray(col), size, stride, pad)


def images_by_torch(torch, col, shape, kernel, stride, pad, to_matrix):
    n, c, *size = shape
    m, k = math.prod(Windows(kernel, stride, pad).count(size)), c * math.prod(kernel)
    col = col.reshape(n, m, k).transpose(1, 2) if to_matrix else col.reshape(n, k, m)
    return torch.nn.functional.fold(col, size, kernel, 1, pad, stride)


def places_in(windows, size, indexes):
    """Where in the images with their border, laid out flat, what was taken stood."""
    (p, q), (h, w) = windows.pad, size
    number = np.arange((h + 2 * p) * (w + 2 * q)).reshape(1, 1, h + 2 * p, w + 2 * q)
    seen = windows_of(number, windows.kernel, windows.stride, (0, 0)).astype(int)
    seen = np.broadcast_to(
        seen.reshape(*seen.shape[:4], -1), (*indexes.shape, seen[0, 0, 0, 0].size)
    )
    return np.take_along_axis(seen, indexes[..., None], -1)[..., 0].reshape(
        *indexes.shape[:2], math.prod(indexes.shape[2:])
    )


def taken_by_torch(torch, x, windows, size, indexes):
    p, q = windows.pad
    where = torch.tensor(places_in(windows, size, indexes))
    flat = torch.nn.functional.pad(x, (q, q, p, p)).flatten(2)
    return flat.gather(2, where).reshape(indexes.shape)


def taken_by_numpy(x, windows, size, indexes):
    p, q = windows.pad
    flat = np.pad(x, ((0, 0), (0, 0), (p, p), (q, q)))
    flat = flat.reshape(*x.shape[:2], flat.shape[2] * flat.shape[3])
    where = places_in(windows, size, indexes)
    return np.take_along_axis(flat, where, 2).reshape(indexes.shape).astype(float)


def put_back_by_torch(torch, gy, windows, size, indexes):
    (p, q), (h, w), (n, c, *_) = windows.pad, size, gy.shape
    where = torch.tensor(places_in(windows, size, indexes))
    flat = torch.zeros((n, c, (h + 2 * p) * (w + 2 * q)), dtype=gy.dtype)
    flat = flat.scatter_add(2, where, gy.reshape(where.shape))
    return flat.reshape(n, c, h + 2 * p, w + 2 * q)[:, :, p : p + h, q : q + w]


def put_back_by_numpy(gy, windows, size, indexes):
    (p, q), (h, w), (n, c, *_) = windows.pad, size, gy.shape
    flat = np.zeros((n, c, (h + 2 * p) * (w + 2 * q)))
    where, gy = places_in(windows, size, indexes), gy.reshape(n, c, math.prod(gy.shape[2:]))
    for i, j, k in np.ndindex(where.shape):
        flat[i, j, where[i, j, k]] += gy[i, j, k]
    return flat.reshape(n, c, h + 2 * p, w + 2 * q)[:, :, p : p + h, q : q + w]


def adaptive_by_numpy(x, outsize):
    def cut(n, m):
        return [slice(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]

    rows, columns = map(cut, x.shape[2:], outsize)
    return np.stack([np.stack([x[:, :, r, s].mean((2, 3)) for s in columns], 2) for r in rows], 2)


def larger_by_numpy(x, scale, mode):
    for axis, s in zip((2, 3), scale):
        n = x.shape[axis]
        if mode == "nearest":
            x = x.repeat(s, axis)
            continue
        at = np.clip((np.arange(n * s) + 0.5) / s - 0.5, 0, n - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        high = np.minimum(low + 1, n - 1)
        x = x.take(low, axis) * (1 - share) + x.take(high, axis) * share
    return x


def images(*options):
    """A shape of images, and options."""
    shape = st.tuples(st.integers(0, 2), *[st.integers(1, 3)] * 3)
    return st.tuples(st.tuples(shape), st.tuples(*options))


PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
CONV = [
    *[
        Entry(
            names,
            getattr(F, names.split()[0]),
            (POSITIVE, POSITIVE, POSITIVE),  # sums without cancellation are right to the end
            conv_by_numpy,
            conv_by_torch,
            cases=convolved(simple=len(names.split()) == 1),
        )
        for names in ("conv2d Conv2d", "conv2d_simple")
    ],
    Entry(
        "conv1d",
        F.conv1d,
        (POSITIVE, POSITIVE, POSITIVE),
        conv1d_by_numpy,
        conv_by_torch,
        cases=sequences(),
    ),
    Entry(
        "deconv2d Deconv2d",
        F.deconv2d,
        (POSITIVE, POSITIVE, POSITIVE),
        deconv_by_numpy,
        deconv_by_torch,
        cases=convolved(back=True),
    ),
    Entry(
        "Conv2DGradW",
        lambda x, gy, *options: F.Conv2DGradW(*options)(x, gy),
        (POSITIVE, POSITIVE),
        weight_by_numpy,
        weight_by_torch,
        cases=weights(),
    ),
    Entry(
        "im2col Im2col",
        F.im2col,
        (ANY,),
        rows_by_numpy,
        rows_by_torch,
        cases=windowed(st.booleans()),
    ),
    Entry("col2im Col2im", F.col2im, (POSITIVE,), images_by_numpy, images_by_torch, cases=rows()),
    *[
        Entry(
            names,
            getattr(F, names.split()[0]),
            (apart,),
            lambda x, *windows: windows_of(x, *windows, value=-np.inf).max((4, 5)),
            lambda torch, x, *windows: torch.max_pool2d(x, *windows),
            cases=windowed(),
        )
        for names in ("pooling Pooling", "pooling_simple")
    ],
    Entry(
        "Pooling2DGrad",
        lambda gy, windows, size, indexes: F.Pooling2DGrad(windows, size, indexes)(gy),
        (ANY,),
        put_back_by_numpy,
        put_back_by_torch,
        cases=indexed_windows(True),
    ),
    Entry(
        "Pooling2DWithIndexes",
        lambda x, windows, size, indexes: F.Pooling2DWithIndexes(windows, indexes)(x),
        (ANY,),
        taken_by_numpy,
        taken_by_torch,
        cases=indexed_windows(False),
    ),
    Entry(
        "average_pooling AveragePooling",
        F.average_pooling,
        (POSITIVE,),
        lambda x, *windows: windows_of(x, *windows).mean((4, 5)),
        lambda torch, x, *windows: torch.nn.functional.avg_pool2d(x, *windows),
        cases=windowed(),
    ),
    Entry(
        "global_average_pooling",
        F.global_average_pooling,
        (POSITIVE,),
        lambda x: x.mean((2, 3)),
        lambda torch, x: x.mean((2, 3)),
        cases=images(),
    ),
    Entry(
        "adaptive_average_pooling",
        F.adaptive_average_pooling,
        (POSITIVE,),
        adaptive_by_numpy,
        lambda torch, x, outsize: torch.nn.functional.adaptive_avg_pool2d(x, outsize),
        cases=images(PAIR),
    ),
    Entry(
        "upsample",
        F.upsample,
        (POSITIVE,),
        larger_by_numpy,
        lambda torch, x, scale, mode: torch.nn.functional.interpolate(
            x, scale_factor=tuple(map(float, scale)), mode=mode
        ),
        cases=images(PAIR, st.sampled_from(["nearest", "bilinear"])),
    ),
]


def lstm_by_hand(exp, tanh, stack, xs, h, c, *weights):
    W, b, U, hs = weights[:4], weights[4:8], weights[8:], []
    for x in xs:
        f, i, o, u = [x @ w + v + h @ m for w, v, m in zip(W, b, U)]
        c = c / (1 + exp(-f)) + tanh(u) / (1 + exp(-i))
        h = tanh(c) / (1 + exp(-o))
        hs.append(h)
    return stack([*hs, c])


def rnn_by_hand(tanh, stack, xs, h, W, b, U):
    hs = [h]
    for x in xs:
        hs.append(tanh(x @ W + hs[-1] @ U + b))
    return stack(hs[1:])


def gru_by_hand(exp, tanh, stack, xs, h, *weights):
    W, b, U, d, hs = weights[:3], weights[3:6], weights[6:9], weights[9], []
    for x in xs:
        r, z = [1 / (1 + exp(-(x @ W[k] + h @ U[k] + b[k]))) for k in (0, 1)]
        n = tanh(x @ W[2] + b[2] + r * (h @ U[2] + d))
        h = (1 - z) * n + z * h
        hs.append(h)
    return stack(hs)


ROWS_OF_TABLES = SHAPES.filter(lambda shape: shape[:1] > (0,)).map(lambda shape: ((shape,), ()))

SEQUENCES = [
    Entry(
        "LSTMSteps",
        lstm,
        (between(-1, 1),) * 15,
        lambda *xs: lstm_by_hand(np.exp, np.tanh, np.stack, *xs),
        lambda t, *xs: lstm_by_hand(t.exp, t.tanh, t.stack, *xs),
        cases=recurrent(4, states=2),
    ),
    Entry(
        "RNNSteps",
        lambda *xs: RNNSteps()(*xs),
        (between(-1, 1),) * 5,
        lambda *xs: rnn_by_hand(np.tanh, np.stack, *xs),
        lambda t, *xs: rnn_by_hand(t.tanh, t.stack, *xs),
        cases=recurrent(1),
    ),
    Entry(
        "GRUSteps",
        lambda *xs: GRUSteps()(*xs),
        (between(-1, 1),) * 12,
        lambda *xs: gru_by_hand(np.exp, np.tanh, np.stack, *xs),
        lambda t, *xs: gru_by_hand(t.exp, t.tanh, t.stack, *xs),
        cases=recurrent(3, more="d"),
    ),
    Entry(
        "embed_id Rows",
        lambda W, ids: F.embed_id(ids, W),
        (ANY,),
        lambda W, ids: W[ids],
        lambda t, W, ids: W[t.tensor(ids)],
        cases=ROWS_OF_TABLES.map(rows_of_a_table),
    ),
    Entry(
        "AddRows",
        lambda gy, ids, shape: AddRows(ids, shape)(gy),
        (ANY,),
        put_by_numpy,
        put_by_torch,
        cases=ROWS_OF_TABLES.map(gradients_of_rows),
    ),
]


# --- chapter 19: normalization ------------------------------------------------------------------


@st.composite
def batches(draw):
    """A batch with channels, of at least three numbers each, and a number for each channel."""
    n, c = draw(st.integers(3, 5)), draw(st.integers(0, 3))
    rest = draw(st.lists(st.integers(1, 2), max_size=2))
    return ((n, c, *rest), (c,), (c,)), ()


@st.composite
def rows_of_numbers(draw):
    """A table, or a stack of them, whose last axis has at least three numbers."""
    stack = draw(st.lists(st.integers(0, 3), max_size=3))
    return ((*stack, draw(st.integers(3, 5))),), ()


def batch_norm_of_zeros(x, gamma, beta):
    """Batch norm in training, whose running statistics nobody reads."""
    xp, channels = core.array_module(core.unwrap(x)), x.shape[1:2]
    dtype = np.result_type(x.dtype, np.float16)
    kept = [xp.zeros(channels, dtype) for _ in range(2)]
    return regularization.batch_norm(x, gamma, beta, *kept)


def batch_norm_by_numpy(x, gamma, beta):
    axes, shape = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + 2e-5) * gamma.reshape(shape) + beta.reshape(shape)


def batch_norm_by_torch(torch, x, gamma, beta):
    """Torch's own, which cannot do without channels."""
    if not x.shape[1]:
        return x * gamma + beta if x.ndim == 2 else x * 1
    return torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=2e-5)


def rows_with(count):
    """Such rows, and some operands with a number for each place of a row."""
    return rows_of_numbers().map(lambda case: ((*case[0], *[case[0][0][-1:]] * count), case[1]))


@st.composite
def pairs_of_groups(draw):
    """A batch whose channels make two groups of at least four numbers; perhaps no examples."""
    shape = draw(st.integers(0, 3)), draw(st.sampled_from([2, 4])), 2, draw(st.integers(2, 3))
    return (shape, shape[1:2], shape[1:2]), ()


def standardized(x, eps=1e-5):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def group_norm_by_numpy(x, gamma, beta):
    rows = standardized(x.reshape(len(x), 2, math.prod(x.shape[1:]) // 2))
    return rows.reshape(x.shape) * gamma[:, None, None] + beta[:, None, None]


NORMS = [
    Entry(
        "layer_norm LayerNormalization",
        regularization.layer_norm,
        (apart, POSITIVE, ANY),
        lambda x, gamma, beta: standardized(x) * gamma + beta,
        lambda torch, x, *affine: torch.nn.functional.layer_norm(x, x.shape[-1:], *affine),
        cases=rows_with(2),
    ),
    Entry(
        "group_norm",
        lambda x, gamma, beta: regularization.group_norm(x, 2, gamma, beta),
        (apart, POSITIVE, ANY),
        group_norm_by_numpy,
        lambda torch, x, *affine: torch.nn.functional.group_norm(x, 2, *affine),
        cases=pairs_of_groups(),
    ),
    Entry(
        "rms_norm",
        regularization.rms_norm,
        (two_sided(0.5, 2), POSITIVE),
        lambda x, gamma: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * gamma,
        lambda torch, x, gamma: torch.nn.functional.rms_norm(x, x.shape[-1:], gamma, 1e-6),
        cases=rows_with(1),
    ),
    Entry(
        "batch_norm BatchNormalization",
        batch_norm_of_zeros,
        (apart, POSITIVE, ANY),
        batch_norm_by_numpy,
        batch_norm_by_torch,
        cases=batches(),
    ),
    Entry(
        "Standardize",
        lambda x: regularization.Standardize(-1)(x),
        (apart,),
        standardized,
        lambda torch, x: torch.nn.functional.layer_norm(x, x.shape[-1:]),
        cases=rows_of_numbers(),
    ),
]


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
    Entry("LogOrZero", lambda x: LogOrZero()(x), (POSITIVE,), np.log, "log", (1, 4)),
    Entry("matmul MatMul", F.matmul, (ANY, ANY), np.matmul, "matmul", cases=matrices()),
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
    Entry("Mod", mod, (between(3.1, 3.9), between(1.35, 1.5)), np.mod, "remainder", (1, 5)),
    Entry(
        "FloorDiv",
        floor_divide,
        (between(3.1, 3.9), between(1.35, 1.5)),
        np.floor_divide,
        lambda torch, x0, x1: torch.floor(x0 / x1),
        (1, 5),
    ),
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
    # shapes
    Entry("reshape Reshape", F.reshape, (ANY,), np.reshape, "reshape", cases=reshaped()),
    Entry(
        "transpose Transpose",
        F.transpose,
        (ANY,),
        np.transpose,
        lambda torch, x, axes: x.permute(tuple(range(x.ndim))[::-1] if axes is None else axes),
        cases=reordered(),
    ),
    Entry(
        "expand_dims ExpandDims",
        F.expand_dims,
        (ANY,),
        np.expand_dims,
        "unsqueeze",
        cases=SHAPES.flatmap(new_axis),
    ),
    Entry(
        "squeeze Squeeze",
        F.squeeze,
        (ANY,),
        np.squeeze,
        lambda torch, x, axis: x.squeeze() if axis is None else x.squeeze(axis),
        cases=SHAPES.map(lambda s: ((s,), (s.index(1) - len(s) if 1 in s else None,))),
    ),
    Entry(
        "flatten",
        F.flatten,
        (ANY,),
        lambda x: x.reshape(len(x), math.prod(x.shape[1:])),
        lambda torch, x: x.reshape(len(x), math.prod(x.shape[1:])),
        cases=SHAPES.filter(len).map(lambda shape: ((shape,), ())),
    ),
    Entry("ravel", F.ravel, (ANY,), np.ravel, "ravel", cases=SHAPES.map(lambda s: ((s,), ()))),
    Entry(
        "sum_to SumTo",
        F.sum_to,
        (ANY,),
        lambda x, shape: SumTo(shape).forward(x),
        lambda torch, x, shape: x.sum_to_size(shape),
        cases=stretched().map(lambda pair: ((pair[1],), (pair[0],))),
    ),
    Entry(
        "broadcast_to BroadcastTo",
        F.broadcast_to,
        (ANY,),
        np.broadcast_to,
        lambda torch, x, shape: x.broadcast_to(shape),
        cases=stretched().map(lambda pair: ((pair[0],), (pair[1],))),
    ),
    reduction("sum Sum", ANY, "sum", cases=reducing(side=0)),
    reduction("mean average Mean", ANY, "mean"),
    reduction("max Max", apart, "amax"),
    reduction("min Min", apart, "amin"),
    reduction("prod Prod", two_sided(0.5, 1.5), prod_by_torch, ints=(0, 2), cases=reducing(side=0)),
    reduction(
        "norm Norm",
        two_sided(0.3, 2),
        lambda torch, x, axis, keepdims: torch.linalg.vector_norm(
            x, dim=dims(x, axis), keepdim=keepdims
        ),
        root_of_squares,
        cases=reducing(side=0),
    ),
    Entry(
        "PNorm",
        lambda x, axis, keepdims: F.norm(x, axis, keepdims, ord=3),
        (two_sided(0.3, 2),),
        lambda x, axis, keepdims: np.cbrt(
            np.sum(np.abs(x.astype(float)) ** 3, axis=axis, keepdims=keepdims)
        ),
        lambda torch, x, axis, keepdims: torch.linalg.vector_norm(
            x, 3, dim=dims(x, axis), keepdim=keepdims
        ),
        cases=reducing(),
    ),
    reduction("logsumexp LogSumExp", ANY, "logsumexp", log_of_sum),
    spread("var"),
    spread("std"),
    Entry("cumsum Cumsum", F.cumsum, (ANY,), np.cumsum, "cumsum", cases=along_an_axis()),
    Entry(
        "clip Clip",
        F.clip,
        (lattice(0.0),),
        np.clip,
        "clamp",
        cases=broadcasting(1, lambda shapes: st.sampled_from([(-2.5, 1.5), (-0.5, 0.5)])),
    ),
    Entry(
        "flip Flip",
        F.flip,
        (ANY,),
        np.flip,
        lambda torch, x, axis: x.flip(axis),
        cases=along_an_axis(),
    ),
    Entry(
        "pad Pad",
        lambda x, width: F.pad(x, width, 2),
        (ANY,),
        lambda x, width: np.pad(x, width, constant_values=2) if x.ndim else x,
        pad_by_torch,
        cases=SHAPES.filter(len).flatmap(borders),
    ),
    Entry(
        "concat Concat",
        lambda x0, x1, axis: F.concat([x0, x1], axis),
        (ANY, ANY),
        lambda x0, x1, axis: np.concatenate([x0, x1], axis),
        lambda torch, x0, x1, axis: torch.cat([x0, x1], axis),
        cases=joined(),
    ),
    Entry(
        "split Split",
        lambda x, places, axis, i: F.split(x, places, axis)[i],
        (ANY,),
        lambda x, places, axis, i: np.split(x, places, axis)[i],
        lambda torch, x, places, axis, i: torch.tensor_split(x, places, axis)[i],
        cases=cut(),
    ),
    Entry(
        "stack Stack",
        lambda x0, x1, axis: F.stack([x0, x1], axis),
        (ANY, ANY),
        lambda x0, x1, axis: np.stack([x0, x1], axis),
        lambda torch, x0, x1, axis: torch.stack([x0, x1], axis),
        cases=SHAPES.flatmap(new_axis).map(lambda case: (case[0] * 2, case[1])),
    ),
    Entry(
        "einsum Einsum",
        lambda x0, x1, subscripts: F.einsum(subscripts, x0, x1),
        (ANY, ANY),
        lambda x0, x1, subscripts: np.einsum(subscripts, x0, x1),
        lambda torch, x0, x1, subscripts: torch.einsum(subscripts, x0, x1),
        cases=lettered(
            *"ij,jk->ik ij,kj->ik i,j->ij ij,ij-> ij,ij->j ij,kl->li".split(),
            *"ii,i->i ii,ij-> ijk,jl ijkl,lk->ij".split(),
            *"...ij,...jk->...ik ...i,i->... i...,...i->...".split(),
        ),
    ),
    Entry(
        "tensordot",
        F.tensordot,
        (ANY, ANY),
        np.tensordot,
        lambda torch, x0, x1, axes: torch.tensordot(x0, x1, axes),
        cases=contracted(),
    ),
    Entry("dot", F.dot, (ANY, ANY), np.dot, dot_by_torch, cases=dotted()),
    # neural networks
    *[
        Entry(
            names,
            getattr(F, names.split()[0]),
            (ANY, ANY, ANY),
            lambda x, W, b: np.matmul(x, W) + b,
            linear_by_torch,
            cases=affine(),
        )
        for names in ("linear Linear", "linear_simple")
    ],
    activation("sigmoid", "Sigmoid", ANY, lambda x: 1 / (1 + np.exp(-x))),
    Entry(
        "sigmoid_simple",
        F.sigmoid_simple,
        (ANY,),
        lambda x: 1 / (1 + np.exp(-x)),
        "sigmoid",
        (0, 1),  # -1 is 255 for a uint8
    ),
    activation("relu", "ReLU", two_sided(0.1, 2), lambda x: np.where(x > 0, x, 0)),
    Entry(
        "leaky_relu LeakyReLU",
        F.leaky_relu,
        (two_sided(0.1, 2),),
        lambda x: np.where(x > 0, x, 0.2 * x),
        leaky_by_torch,
    ),
    activation("elu", "ELU", two_sided(0.1, 2), lambda x: np.where(x > 0, x, np.expm1(x))),
    activation("softplus", "Softplus", ANY, lambda x: np.log(1 + np.exp(x))),
    activation("silu", "SiLU", ANY, lambda x: x / (1 + np.exp(-x))),
    activation(
        "gelu", "GELU", between(-1.5, 2), lambda x: x * (1 + erf_of_each(x / math.sqrt(2))) / 2
    ),
    *[
        comparing(
            names,
            (ANY, ANY),
            lambda x0, x1: (x0 - x1) ** 2,
            lambda torch, x0, x1: torch.mse_loss(x0, x1, reduction="sum"),
            ints,  # 2 - 3 is 255 for a uint8
        )
        for names, ints in [
            ("mean_squared_error MeanSquaredError", (-3, 4)),
            ("mean_squared_error_simple", (0, 1)),
        ]
    ],
    comparing(
        "mean_absolute_error MeanAbsoluteError",
        (lattice(0.0), lattice(0.5)),
        lambda x0, x1: np.abs(x0 - x1),
        lambda torch, x0, x1: torch.l1_loss(x0, x1, reduction="sum"),
    ),
    comparing(
        "huber Huber",
        (lattice(0.0), lattice(0.25)),
        huber_by_numpy,
        lambda torch, x0, x1: torch.huber_loss(x0, x1, reduction="sum"),
    ),
    *[
        Entry(names, getattr(F, names.split()[0]), (ANY,), value, by, cases=along_classes())
        for names, value, by in [
            ("softmax Softmax", exp_by_sum, "softmax"),
            ("softmax_simple", exp_by_sum, "softmax"),
            ("log_softmax LogSoftmax", lambda x, a: np.log(exp_by_sum(x, a)), "log_softmax"),
        ]
    ],
    *[
        Entry(
            names,
            getattr(F, names.split()[0]),
            (ANY,),
            cross_entropy_by_numpy,
            cross_entropy_by_torch,
            cases=cases,
        )
        for names, cases in [
            ("softmax_cross_entropy SoftmaxCrossEntropy", labelled(4, -100)),
            ("softmax_cross_entropy_simple", labelled(2, side=1)),
        ]
    ],
    comparing(
        "sigmoid_cross_entropy SigmoidCrossEntropy",
        (ANY, between(0, 1)),
        lambda x, t: np.log(1 + np.exp(x)) - x * t,
        lambda torch, x, t: torch.binary_cross_entropy_with_logits(x, t, reduction="sum"),
        (0, 2),
    ),
    comparing(
        "binary_cross_entropy BinaryCrossEntropy",
        (between(0.1, 0.9), between(0.1, 0.9)),
        lambda p, t: -t * np.log(p) - (1 - t) * np.log(1 - p),
        # torch's own adds 1e-12 in the second derivative
        lambda torch, p, t: -(t * p.log() + (1 - t) * (1 - p).log()).sum(),
        (0, 2),
    ),
    Entry(
        "Reduced",
        Reduced(),
        (ANY,),
        lambda x: per_example(np.sum(x), x),
        lambda torch, x: per_example(x.sum(), x),
        cases=SHAPES.map(lambda shape: ((shape,), ())),
    ),
    Entry("Recomputed", lambda x: checkpoint(F.sin, x), (ANY,), np.sin, "sin"),
    # chapter 19
    *NORMS,
    # chapter 22
    *SEQUENCES,
    # chapters 65 and 66
    *MORE,
    *LINALG,
    *CONV,
    Entry(
        "scaled_dot_product_attention Attention",
        lambda q, k, v, causal: F.scaled_dot_product_attention(q, k, v, is_causal=causal),
        (ANY, ANY, ANY),
        attention_by_numpy,
        attention_by_torch,
        cases=attending(),
    ),
    Entry("rotary Rotary", F.rotary, (ANY,), rotary_by_numpy, rotary_by_torch, cases=turned()),
    Entry(
        "SplitHeads",
        lambda x, heads: SplitHeads(heads)(x),
        (ANY,),
        heads_by_numpy,
        lambda torch, x, heads: x.unflatten(-1, (heads, -1)).transpose(-2, -3),
        cases=headed(),
    ),
    Entry(
        "JoinHeads",
        lambda x: JoinHeads()(x),
        (ANY,),
        lambda x: np.concatenate([x[..., i, :, :] for i in range(x.shape[-3])], axis=-1),
        lambda torch, x: x.transpose(-2, -3).flatten(-2),
        cases=joinable(),
    ),
]
