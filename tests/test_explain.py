"""What `explain` says of a graph: shapes, formulas that are true, names and reasons."""

import functools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from registry import tried

import dezero.functions as F
from dezero import Function, Variable, grad, no_grad, utils
from dezero.backprop import apply, functions_behind
from dezero.functions.reductions import kept_shape
from dezero.trace import format_index

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(2, 3, 4))
REDUCTIONS = [F.sum, F.mean, F.max, F.min, F.prod, F.var, F.std, F.norm, F.logsumexp]


def text(*arguments, **options):
    return repr(F.explain(*arguments, **options))


def parts(explanation):
    return [row for _, rows in explanation.parts for row in rows]


X, W, B = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 4)), RNG.normal(size=4)


def test_explain_a_linear_layer():
    found = text(lambda x, W, b: F.sum(x @ W + b), X, W, B)
    assert (
        found
        == """\
forward
  a = x @ W               (2, 3) @ (3, 4) -> (2, 4)
      a_ik = sum_j x_ij W_jk
  d = a + b               (2, 4) + (4,) -> (2, 4)
      b is stretched: (4,) -> (1, 4) -> (2, 4)
  y = Sum(d)              (2, 4) -> ()
backward: gy is dL/dy, shape ()
back through Sum(d)
  gd = gy stretched       () -> (1, 1) -> (2, 4)
      each element is counted once, so it gets the gradient of its sum
back through a + b
  ga = gd                 (2, 4)
  gb = sum_to(gd, (4,))   (2, 4) -> (4,)
      b was stretched along axis 0, each of its elements was used 2 times: these gradients are added
back through x @ W
  gx = ga @ W.T           (2, 4) @ (4, 3) -> (2, 3)
      dL/dx_ij = sum_k ga_ik W_jk
  gW = x.T @ ga           (3, 2) @ (2, 4) -> (3, 4)
      dL/dW_jk = sum_i x_ij ga_ik"""
    )


PRODUCTS = [
    ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((3,), (5, 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize("left, right", PRODUCTS)
def test_the_formulas_it_gives_for_a_product_are_true(left, right):
    x, W = RNG.normal(size=left), RNG.normal(size=right)
    vx, vW = Variable(x), Variable(W)
    y = vx @ vW
    gy = RNG.normal(size=y.shape)
    known = {"x": x, "W": W, "gy": gy, "einsum": np.einsum, "sum_to": utils.sum_to}
    rows = parts(F.explain(lambda x, W: x @ W, x, W))
    for (formula, shapes, notes), gx in zip(rows[1:], grad(y, [vx, vW], gy)):
        name, _, expression = formula.partition(" = ")
        assert name in ("gx", "gW")
        found = eval(expression, known)
        np.testing.assert_allclose(np.broadcast_to(found, gx.shape), gx.data)
        assert shapes.endswith(f"-> {gx.shape}")
        # the line with indices, as an einsum
        index = re.fullmatch(r"dL/d\w+?(?:_(\w+))? = (?:sum_\w+ )?(\w+) (\w+)", notes[0])
        assert index
        factors = [part.partition("_") for part in index.groups()[1:]]
        subscripts = ",".join(t for _, _, t in factors) + "->" + (index[1] or "")
        by_index = np.einsum(subscripts, *[known[n] for n, _, _ in factors])
        np.testing.assert_allclose(utils.sum_to(by_index, gx.shape), gx.data)


FORMULAS = [
    (lambda x: x * 3.0, X), (lambda x: x / 4.0, X), (lambda x: 2.0 - x, X), (lambda x: -x, X),
    (lambda x: x**3, X), (F.sin, X), (F.exp, X), (F.tanh, X), (F.square, X), (F.norm, X),
    (lambda x: x * B[:3], X), (lambda x: F.broadcast_to(x, (2, 4)), B),
    (lambda x: F.reshape(x, (3, 2)), X), (F.logsumexp, X),
]  # fmt: skip


@pytest.mark.parametrize("f, x", FORMULAS)
def test_the_formulas_it_gives_are_true(f, x):
    v = Variable(x)
    y = f(v)
    gy = RNG.normal(size=y.shape)
    constants = [i.data for fun in functions_behind(y) for i in fun.inputs if i is not v]
    known = {"x": x, "y": y.data, "gy": gy, "sum_to": utils.sum_to, "c": (constants or [0])[0]}
    known |= {"cos": np.cos, "exp": np.exp}
    (formula, shapes, _) = parts(F.explain(f, x))[-1]
    np.testing.assert_allclose(eval(formula.partition(" = ")[2], known), grad(y, v, gy).data)
    assert shapes.endswith(str(x.shape))


@pytest.mark.parametrize("f", REDUCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)], ids=str)
def test_explain_every_reduction(f, axis):
    explanation = F.explain(f, TABLE, axis=axis)
    forward, backward = parts(explanation)
    assert forward[1] == f"(2, 3, 4) -> {TABLE.sum(axis=axis).shape}"
    assert backward[1].startswith(f"{TABLE.sum(axis=axis).shape} -> ")
    assert backward[1].endswith("(2, 3, 4)") and backward[0].startswith("gx = ")
    assert str(kept_shape(TABLE, axis)) in backward[1] and backward[2]


def test_explain_takes_every_function_of_the_package():
    from registry import ENTRIES

    for entry in ENTRIES:
        shapes, options = examples(entry)
        arrays = [place(np.random.default_rng(0), s) for place, s in zip(entry.places, shapes)]
        y = entry.call(*map(Variable, arrays), *options)
        if y.creator is None:
            continue
        explanation = F.explain(y)
        rows = [row for title, rows in explanation.parts[1:] for row in rows]
        inputs = [x for f in functions_behind(y) for x in f.inputs]
        assert rows or not inputs, entry.names
        for formula, shapes, _ in rows:
            assert re.match(r"g\S+ \+?= .", formula) and re.search(r"\(.*\)$", shapes), entry.names
        assert "{" not in repr(explanation), entry.names


@functools.cache
def examples(entry):
    """One case of an entry, the same one every time."""
    found = []

    @tried(1)
    @given(entry.drawn().filter(lambda case: all(map(math.prod, case[0]))))
    def take(case):
        found.append(case)

    take()
    return found[0]


class Cube(Function):
    def forward(self, x):
        return x**3

    def gx(self, gy, x):
        return gy * 3 * x**2

    rules = (gx,)


class Scale(Function):
    def __init__(self, k):
        self.k = k

    def forward(self, x0, x1):
        return self.k * x0 * x1

    def gx0(self, gy, x0, x1):
        return self.k * gy * x1

    def gx1(self, gy, x0, x1):
        x0 = x0 * 1
        return self.k * gy * x0

    rules = gx0, gx1


class Booked(Function):
    def forward(self, x):
        return x * 2, x * 3

    def backward(self, g2, g3):
        return g2 * 2 + g3 * 3


class Worded(Scale):
    words = ("{gy} * {1}", "the factor of {x}"), ("{gy} * {0}", "the factor of {x}")


class Roundabout(Function):
    def forward(self, x):
        return self.twice(x)

    def gx(self, gy, x):
        return self.twice(gy)

    def twice(self, x):
        return 2 * x

    rules = (gx,)


def test_explain_in_the_words_of_the_class():
    found = text(lambda x, w: Worded(1)(x, w), X, X)
    assert "gx = gy * w " in found and "gw = gy * x " in found
    assert "the factor of x\n" in found and found.endswith("the factor of w")
    assert "gx = 2 * gy " in text(lambda x: Roundabout()(x), X)
    assert "y = Where(x, w) " in text(lambda x, w: F.where(w.data > 0, x, w), X, X)


def test_explain_functions_it_does_not_know():
    assert "gx = gy * 3 * x ** 2" in text(lambda x: Cube()(x), X)
    found = text(lambda x, w: Scale(7)(x, w), X, np.ones(3))
    assert "y = Scale(x, w, k=7)" in found and "gx = 7 * gy * w " in found
    assert "w is stretched: (3,) -> (1, 3) -> (2, 3)" in found
    assert "gw = sum_to(7 * gy * (x * 1), (3,))   (2, 3) -> (3,)" in found
    found = text(lambda x: Booked()(x)[0], X)
    assert "y, a = Booked(x)" in found and "gx = gy * 2 + 0 * 3   (2, 3), (2, 3) -> (2, 3)" in found
    made = type("Made", (Cube,), {})
    assert "gx = gy * 3 * x ** 2" in text(lambda x: made()(x), X)


def test_explain_says_what_is_used_again():
    found = text(lambda x: x * x + x, X)
    assert [line.split()[:2] for line in found.splitlines() if line.startswith("  gx")] == [
        ["gx", "="],
        ["gx", "+="],
        ["gx", "+="],
    ]
    assert found.count("x is used again: what comes back is added to gx") == 2


def test_explain_names():
    v, w = Variable(X, "v"), Variable(X, "v")
    found = text(v * w + np.ones(3) * 2.0)
    names = re.findall(r"(\w+) = ", found)
    assert len(set(names)) == len(names)
    assert "a = v * v1" in found and "y = a + c" in found
    hidden = Variable(X) * Variable(X) * 0.5
    assert "a = x * x1" in text(hidden) and "y = a * 0.5" in text(hidden)
    named = Variable(X, "y") * 2.0
    assert "z = y * 2" in text(named)
    assert "out = x * 2" in text(lambda x: renamed(x * 2.0, "out"), X)


def renamed(y, name):
    y.name = name
    return y


def test_explain_a_stack_of_products():
    found = text(lambda x, W: x @ W, np.ones((5, 2, 3)), W)
    assert "W is stretched: (3, 4) -> (1, 3, 4) -> (5, 3, 4)" in found
    assert "y_nik = sum_j x_nij W_jk" in found
    assert "gW = sum_to(x.swapaxes(-1, -2) @ gy, (3, 4))" in found
    assert "each of its elements was used 5 times" in found


def test_explain_einsum():
    found = text(lambda a, b: F.einsum("bij,jk->bik", a, b), np.ones((5, 2, 3)), W)
    assert "y_bik = sum_j a_bij b_jk" in found
    assert "ga = einsum('bik,jk->bij', gy, b)" in found
    assert "dL/db_jk = sum_bi a_bij gy_bik" in found
    assert "y = einsum('bij,jk->bik', a, b)" in found
    assert "gx = gy stretched" in text(lambda x: F.einsum("ij->i", x), X)
    assert "gx = gy on the diagonal" in text(lambda x: F.einsum("ii->i", x), np.ones((3, 3)))
    assert "gx = einsum('ji->ij', gy) " in text(lambda x: F.einsum("ij->ji", x), X)


def test_explain_a_stack_times_a_vector_sums_once():
    found = text(lambda x, v: x @ v, np.ones((5, 2, 3)), np.ones(3))
    assert "gv = einsum('nij,ni->j', x, gy)   (5, 2) -> (3,)" in found
    assert "stretched" not in found and "sum_to" not in found


COS = F.Cos()


class BookStyle(Function):
    def forward(self, x0, x1):
        return np.exp(x0) * x1

    def backward(self, gy):
        "Everything that the book's classes do."
        x0, x1 = self.inputs[0].data, self.inputs[1].data
        y = self.outputs[0]()
        gx0 = gy * y
        gx1 = np.exp(x0) * x1 / x1
        return gx0, gx1 * gy


class Straight(Function):
    needs_outputs = True

    def forward(self, x, w):
        return x * w

    def gx(self, gy, x, w, y):
        "A docstring, an unpacking, an option below 0."
        a, b = self.inputs
        g = 1.0 - y
        g *= gy
        return g**self.low + b

    def gw(self, gy, x, w, y):
        return -self.gx(w, gy, x, y) + apply(F.Clip(-1, 1), x)

    rules = gx, gw
    low = -2


class Untraceable(Function):
    """Rules that are more than a formula: each is named by its class, if it cannot be traced."""

    def forward(self, *xs):
        return xs[0] * 1

    def in_place(self, gy, *xs):
        gx = [gy]
        gx[0] *= 2
        return gx[0]

    def loops(self, gy, *xs):
        gx = np.zeros(gy.shape)
        for i in range(len(gx)):
            gx[i] = gy[i].data
        return gx

    def instance(self, gy, *xs):
        return gy * self.table

    def long(self, gy, x0, x1, x2, x3):
        a = gy + x0 * 0 + x1 * 0 + x2 * 0 + x3 * 0
        return a + a - a + a - a

    rules = in_place, loops, instance, long
    table = np.ones((2, 3))


def test_explain_traces_classes_in_the_style_of_the_book():
    found = text(lambda x, w: BookStyle()(x, w), X, X)
    assert "gx = gy * y " in found and "gw = exp(x) * w / w * gy " in found


def test_explain_traces_straight_lines():
    found = text(lambda x, w: Straight()(x, w), X, X)
    assert "gx = ((1 - y) * gy) ** (-2) + w " in found
    assert "gw = -(((1 - y) * w) ** (-2) + w) + clip(x, -1, 1) " in found
    assert "gx = gy * cos(x) " in text(lambda x: WithInstance()(x), X)


class WithInstance(Function):
    def forward(self, x):
        return np.sin(x)

    def gx(self, gy, x):
        return gy * apply(COS, x)

    rules = (gx,)


def test_explain_follows_a_rule_that_asks_if():
    found = text(F.linear, X, W, B)
    assert "gx = gy @ W.T " in found and "gW = x.T @ gy " in found and "gb = gy.sum(0) " in found


def test_explain_names_the_class_where_there_is_no_formula():
    found = text(Untraceable(), X, X, X, X)
    assert "gx0 = gy * 2 " in found
    for name in ("x1", "x2", "x3"):
        assert f"g{name} = Untraceable.backward(gy) " in found


def test_explain_writes_calls_as_one_types_them():
    found = text(lambda x: x**2, X)
    assert "y = x ** 2 " in found and "gx = gy * 2 * x " in found
    assert "gx = gy * 0.5 * x ** (-0.5) " in text(lambda x: x**0.5, abs(X))
    assert "y = -x " in text(lambda x: -x, X)
    assert "y = x * (-2) " in text(lambda x: x * -2.0, X)
    assert "gx = gy * y * log(2) " in text(lambda x: 2.0**x, X)
    found = text(lambda x: x[:, 1:], X)
    assert "y = x[:, 1:] " in found and "what was not taken does not count" in found
    found = text(lambda x: x[[0, 0, 1]], X)
    assert "y = x[[0, 0, 1]] " in found and "what was taken twice gets two gradients" in found
    assert "y = x[..., None, ::2, 0] " in text(lambda x: x[..., None, ::2, 0], TABLE)
    assert "y = x[mask] " in text(lambda x: x[x.data > 0], TABLE)
    assert "y = x[indices] " in text(lambda x: x[np.arange(2).repeat(9)], TABLE)
    assert "y = Pad(x, pad_width=1) " in text(lambda x: F.pad(x, 1), X)
    assert "y = Concat(x, x, axis=0) " in text(lambda x: F.concat([x, x]), X)


def test_an_index_as_one_types_it():
    typed = {
        "1:": slice(1, None), ":": slice(None), "::2": slice(None, None, 2), "-1": -1,
        "0, ..., None": (0, ..., None), "[0, 2]": np.array([0, 2]), "mask": np.ones((4, 4), bool),
        "indices, :": (np.arange(30), slice(None)), "2": np.int64(2),
    }  # fmt: skip
    for text, index in typed.items():
        assert format_index(index) == text


def test_explain_a_part_that_nobody_uses():
    found = text(lambda x: F.split(x, 3, axis=1)[1], X)
    assert "gx = 0, gy, 0 joined " in found and "(2, 1), (2, 1), (2, 1) -> (2, 3)" in found


def test_explain_numbers():
    found = text(lambda x: x**2 + 1, 3.0)
    assert "a = x ** 2 " in found and "gx = ga * 2 * x " in found
    # beside a table numbers are options
    assert "y = Clip(x, limits=(-1.0, 1.0))" in text(F.clip, X, -1.0, 1.0)
    assert "y = x0 * x1 " in text(lambda *operands: operands[0] * operands[1], X, X)


def test_explain_names_that_are_no_names():
    found = text(Variable(X, "x") * Variable(X, "l0/W"))
    assert "y = x * l0_W " in found and "gx = gy * l0_W " in found


def test_explain_axes_of_length_1_and_0():
    found = text(lambda x, b: x + b, np.ones((1, 3)), np.ones(3))
    assert "b was stretched along axis 0, of length 1, which b does not have" in found
    assert "used 1 times" not in found


def test_explain_leaves_everything_as_it_was():
    x, w = Variable(X.copy(), "x"), Variable(W.copy())
    with no_grad():
        F.explain(lambda x, W: x @ W, x, w)
    y = x @ w
    F.explain(y)
    assert x.grad is None and w.grad is None and w.name is None and y.name is None
    np.testing.assert_array_equal(x.data, X)
    y.backward()
    assert x.grad is not None and x.grad.shape == (2, 3)


def test_explain_integers_size_0_and_float32():
    assert "gx = gy @ W.T" in text(lambda x, W: x @ W, np.ones((2, 3), int), np.ones((3, 4), int))
    assert "(0, 3) -> (3,)" in text(lambda x: F.sum(x, axis=0), np.zeros((0, 3)))
    found = text(lambda x, b: x + b, np.zeros((0, 3)), np.zeros(3))
    assert "axis 0 to nothing: no gradient comes back" in found
    assert "gb = sum_to" in text(lambda x, b: x + b, X.astype("f"), B[:3].astype("f"))


def test_explain_as_html():
    html = F.explain(lambda x: F.sum(x * (x > 0), axis=0), X)._repr_html_()
    assert html.startswith('<table class="dz-explanation">') and html.endswith("</table>")
    assert html.count("<tr ") == html.count("</tr>") == 9 and html.count("<td") == html.count(
        "</td>"
    )
    assert "-&gt;" in html and "->" not in html
    product = F.explain(lambda x, W: x @ W, X, W)._repr_html_()
    index = (
        "<i>dL/dx</i><sub>ij</sub> = &sum;<sub>k</sub> <i>gy</i><sub>ik</sub> <i>W</i><sub>jk</sub>"
    )
    assert index.replace("<i>dL/dx</i>", "dL/<i>dx</i>") in product
    tricky = Variable(X, "<script>") * 2.0
    assert "<script>" not in F.explain(tricky)._repr_html_()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((3.0,), TypeError, "a Variable, or a function and its operands, not <class 'float'>"),
        (("x @ W",), TypeError, "not <class 'str'>"),
        ((Variable(1.0),), ValueError, "no graph to explain: nothing was computed"),
        ((Variable(1.0) * 2.0, X), TypeError, r"explained alone: explain\(y\)"),
        ((lambda x: x.data, X), TypeError, "a function that returns a Variable, not <class 'numpy"),
        ((lambda x: F.split(x, 2), X), TypeError, "returns a Variable, not <class 'list'>"),
        ((lambda x: x, X), ValueError, "no graph to explain"),
        ((lambda x, W: x @ W, X, X), ValueError, r"(?s)in MatMul\('x' \(2, 3\).*'W' \(2, 3\)"),
        ((lambda x: x @ 1,), TypeError, "missing 1 required positional argument"),
    ],
)
def test_explain_says_what_it_cannot_explain(arguments, error, message):
    with pytest.raises(error, match=message):
        F.explain(*arguments)


def test_explain_wants_small_expressions():
    y = Variable(1.0)
    for _ in range(101):
        y = y * 2.0
    with pytest.raises(ValueError, match="101 functions are too many to read about"):
        F.explain(y)
    with no_grad():
        y = Variable(1.0) * 2.0
    with pytest.raises(ValueError, match=r"no graph to explain: it was computed under no_grad\(\)"):
        F.explain(y)


def test_explain_says_that_a_power_of_0_stands_still():
    told = str(F.explain(Variable(np.ones(2), "x") ** 0))
    assert "gx = gy * 0   (2,)" in told and "it is 1, whatever x is" in told
    assert "gx = gy * 3 * x ** 2" in str(F.explain(Variable(np.ones(2), "x") ** 3))
