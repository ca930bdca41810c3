"""What a step is given: arrays of all kinds, numbers, Variables, lists, and nonsense."""

import numpy as np
from twice import outcome

import dezero.functions as F
from dezero import Variable
from hazards import SHARES, Net, batches, each, left, mlp, written

# --- arrays that share memory -------------------------------------------------------------------


def quadratic(x, w=None):
    """The sum of `(x * w) ** 2` and the gradients."""
    x = Variable(x)
    w = x if w is None else Variable(w)
    y = F.sum((x * w + 1) ** 2)
    y.backward()
    return y, x.grad, w.grad


@written
def one_array_is_both_arguments(wrap):
    fast = wrap(quadratic)
    a, b = np.arange(3.0), np.ones(3)
    for x, w in [(a, b), (a, b), (b, a), (a, a), (b, b), (a, a), (a, b), (a, a.copy())]:
        yield fast(x, w)


@written
def one_argument_is_a_view_of_the_other(wrap):
    fast = wrap(quadratic)
    a = np.arange(12.0)
    for x, w in [
        (a[:3], a[6:9]),
        (a[:3], a[1:4]),
        (a[:3], a[:3]),
        (a[2:5], a[1:4]),
        (a[::4], a[:3]),
    ]:
        yield fast(x, w), fast(x, w)


@left("shares memory with another")
def an_overlap_is_written_to(wrap):
    def step(x, w):
        x += w
        return F.sum(Variable(x) * w)

    fast = wrap(step)
    for i in range(3):
        for cut in (slice(3, 6), slice(0, 3), slice(1, 4)):
            a = np.arange(12.0) + i
            yield fast(a[:3], a[cut]), a


@left(SHARES)
def an_argument_is_a_parameters_array(wrap):
    net = Net()
    W = net.model.l0.W

    def given(i, x, t):
        x = x if i < 4 else W.data.T[:, :4].copy() if i == 4 else W.data.T
        return x, t[: len(x)]

    return net.run(wrap, calls=8, given=given)


# --- kinds of arrays ----------------------------------------------------------------------------


DTYPES = ("f8", "f4", "f2", "f8", "i8", "i4", "u1", "?", ">f8", "<f4")


@each(lambda: [[(np.arange(4) + i).astype(d)] for d in DTYPES for i in range(3)], fails=True)
def data_of_other_dtypes(x):
    return quadratic(x)


SHAPES = ((3,), (3,), (4,), (3,), (), (1, 3), (0,), (0, 3), (2, 2, 2), (1,), (3, 1))


@each(lambda: [[np.full(s, i + 1.0), np.full(s[-1:], 2.0)] for s in SHAPES for i in range(2)])
def data_of_other_shapes(x, w):
    return quadratic(x, w)


@written
def data_of_other_layouts(wrap):
    def step(x):
        x = Variable(x)
        y = F.sum(F.exp(x @ x.T) + x.reshape(16).sum())
        y.backward()
        return y, x.grad, F.ravel(x), x.data.ravel(order="K")

    fast, a = wrap(step), np.random.rand(4, 4)
    wide = np.random.rand(8, 8)
    fixed = a.copy()
    fixed.setflags(write=False)
    layouts = [
        a,
        a * 2,
        a * 3,
        a.T,
        np.asfortranarray(a),
        a[::-1],
        a[:, ::-1],
        wide[::2, ::2],
        fixed,
    ]
    layouts += [wide[:4, :4], np.broadcast_to(a[0], (4, 4)), a[:1].repeat(4, 0), a]
    for x in layouts:
        yield fast(x), fast(x)


@written
def unaligned_and_mapped_memory(wrap):
    fast = wrap(quadratic)
    unaligned = np.zeros(33, np.uint8)[1:].view(float)
    unaligned[...] = np.arange(4.0)
    structured = np.zeros(4, [("a", "i1"), ("b", "f8")])["b"]
    for x in (np.ones(4), np.ones(4), np.ones(4), unaligned, unaligned, structured, structured):
        yield fast(x)


@written
def nan_and_infinity_are_data(wrap):
    def given(i, x, t):
        x[0, 0] = {4: np.inf, 5: np.nan}.get(i, x[0, 0])
        return x, t

    def before(i):
        for p, q in zip(net.model.params(), mlp().params()):
            p.data[...] = q.data

    net = Net()
    return net.run(wrap, before=before, calls=8, given=given)


@written
def labels_of_other_kinds(wrap):
    def given(i, x, t):
        kinds = (np.int64, np.int32, np.uint8, np.int64)
        t = t.astype(kinds[i % 4] if i > 3 else np.int64)
        if i == 9:
            t[0] = 7
        if i == 11:
            t = t.astype(float)
        if i == 13:
            t = t - 100
        return x, t

    return Net().run(wrap, calls=14, given=given, fails=True)


@written
def an_empty_batch_and_a_short_one(wrap):
    sizes = (6, 6, 6, 4, 6, 4, 4, 0, 0, 0, 6, 1, 1, 1)
    given = lambda i, x, t: (x[: sizes[i]], t[: sizes[i]])
    return Net().run(wrap, calls=14, given=given, fails=True)


# --- what is not an array -----------------------------------------------------------------------


@written
def strange_arguments(wrap):
    fast = wrap(lambda x: F.sum(x))
    for x in (np.ones(3), np.ones(3), np.ones(3), np.ma.masked_array([1.0, 2.0], [True, False])):
        yield outcome(fast, x)
    for x in (np.array(["a"]), np.array([1j]), np.array([None]), [1.0, 2.0], "text", None, 2.0, {}):
        yield outcome(fast, x)


@left("the arrays, or the numbers that the step sees, were of 16 kinds")
def numbers_are_arguments(wrap):
    def step(x, n, flag=False):
        y = F.sum(Variable(x) ** n)
        return -y if flag else y

    fast, x = wrap(step), np.arange(1.0, 4.0)
    for n in (2, 2, 2, 3, 2.0, 2, -1.0, 0.0, -0.0, True, np.float32(2), np.int64(2), 2, np.nan, 7):
        yield fast(x, n), fast(x, n, flag=True), fast(x, n=n)


KINDS = ((np.array, np.array), (np.float64, np.float32))


@each(lambda: [[a(float(i)), b(2.0 + i)] for i in range(6) for a, b in KINDS])
def zero_d_arrays_are_arguments(x, n):
    x = Variable(x)
    y = F.sin(x) * n
    y.backward()
    return y, x.grad


@written
def variables_are_arguments(wrap):
    def step(x, w):
        y = F.sum((x * w + 1) ** 2)
        x.cleargrad()
        y.backward()
        return y

    fast, w = wrap(step), Variable(np.ones(3), "w")
    for i in range(8):
        x = Variable(np.arange(3.0) + i)
        yield fast(x, w), x, w
        if i == 5:
            yield fast(x, x), x
        if i == 6:
            w.cleargrad()


@left("x_data has a graph, from the call before")
def a_variable_with_a_graph_is_an_argument(wrap):
    def step(x):
        y = F.sum(x**2)
        y.backward()
        return y

    fast = wrap(step)
    for i in range(6):
        a = Variable(np.arange(3.0) + i)
        b = a if i in (0, 1, 2) else a * 3
        yield fast(b), a, b


@written
def lists_and_dicts_are_arguments(wrap):
    def step(xs, options):
        y = F.sum(xs[0] * xs[1]) * options["scale"]
        return y, len(xs)

    fast = wrap(step)
    for i in range(8):
        xs = [np.arange(3.0) + i, np.ones(3)]
        yield outcome(fast, xs if i < 5 else tuple(xs), {"scale": 1.0 + i // 4})


@left("the argument pairs is of <class 'list_iterator'>")
def generators_are_arguments(wrap):
    net = Net()
    fast = wrap(lambda pairs: [net.train(x, t) for x, t in pairs], net.model)
    for i in range(4):
        yield fast(b for b in batches(1 + i % 2)), fast(iter(batches(2))), net.model


@written
def a_wrong_number_of_arguments(wrap):
    fast = wrap(quadratic)
    for args in ((np.ones(3),), (np.ones(3),), (), (1, 2, 3), (np.ones(3), np.ones(2))):
        found = outcome(fast, *args)
        yield type(found) if isinstance(found, TypeError) else found
    yield type(outcome(lambda: fast(np.ones(3), z=1)))
