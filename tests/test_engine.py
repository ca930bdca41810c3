"""The engine through the package: boxes, the walk back, derivatives of derivatives, bad input."""

import asyncio
import copy
import gc
import inspect
import operator
import pickle
import sys
import threading
import tracemalloc
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
from interrupts import interrupts

import dezero
from dezero import (
    Config,
    Function,
    Parameter,
    Variable,
    as_array,
    as_variable,
    grad,
    no_grad,
    test_mode,
    using_config,
)
from dezero.backprop import book_pullback, functions_behind, operands_of, pullback, toposort
from dezero.core import Constant, unwrap
from dezero.functions.shapes import is_mask
from dezero.gradcheck import gradient_check
from dezero.numdiff import numerical_diff, numerical_grad

test_mode.__test__ = False  # its name is not that of a test


class Square(Function):
    def forward(self, x):
        return x**2

    def gx(self, gy, x):
        return gy * 2 * x

    rules = (gx,)


class Exp(Function):
    needs_outputs = True

    def forward(self, x):
        return np.exp(x)

    def gx(self, gy, x, y):
        return gy * y

    rules = (gx,)


class BookMul(Function):
    "As the book writes it."

    def forward(self, x0, x1):
        return x0 * x1

    def backward(self, gy):
        x0, x1 = self.inputs
        return gy * x1, gy * x0


class BookExp(Function):
    "As the book writes it, with the weak reference to the output."

    def forward(self, x):
        return np.exp(x)

    def backward(self, gy):
        y = self.outputs[0]()
        return gy * y


class BookSin(Function):
    "As step 27 writes it: the operand as an array."

    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        x = self.inputs[0].data
        return gy * np.cos(x)


class Modf(Function):
    def forward(self, x):
        return np.modf(x)

    def backward(self, grest, gwhole):
        return grest + gwhole * 0


def composite(x):
    return Square()(Exp()(Square()(x)))


EXACT = 4 * 0.5 * np.exp(2 * 0.5**2)


# --- values of the book's first stage -----------------------------------------------------------


def test_values_of_the_first_steps():
    assert Variable(np.array(1.0)).data == 1.0
    assert Square()(Variable(np.array(10))).data == 100
    assert Square()(Variable(2)).data == 4
    assert composite(Variable(np.array(0.5))).data == 1.648721270700128


def test_numerical_diff_has_the_values_of_the_book():
    assert numerical_diff(Square(), Variable(2.0)) == pytest.approx(4.000000000004, rel=1e-13)
    assert numerical_diff(Square(), Variable(0.0)) == 0.0
    assert numerical_diff(composite, Variable(0.5)) == pytest.approx(3.2974426293330694, rel=1e-12)


def test_backward_finds_the_exact_derivative():
    x = Variable(np.array(0.5))
    composite(x).backward()
    assert x.grad.data == pytest.approx(3.297442541400256, rel=1e-15)
    assert x.grad.data == pytest.approx(EXACT, rel=1e-15)


# --- boxes --------------------------------------------------------------------------------------


def test_repr_is_that_of_the_book():
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    assert repr(x) == "variable([[1 2 3]\n          [4 5 6]])"
    assert repr(Variable(None)) == "variable(None)"


def test_html_shows_name_shape_and_values_escaped():
    html = Variable(np.array([1.0, 2.0]), name="<w>")._repr_html_()
    assert "&lt;w&gt;" in html and "<w>" not in html
    assert "shape (2,)" in html and "[1. 2.]" in html
    assert "empty" in Parameter(None)._repr_html_()


def test_attributes_ask_the_array():
    x = Variable(np.zeros((2, 3), np.float32), name="x")
    assert (x.shape, x.ndim, x.size, x.dtype, len(x), x.name) == ((2, 3), 2, 6, np.float32, 2, "x")


def test_numbers_become_arrays_without_axes():
    for number in (2, 0.5, True, np.float32(1.5), np.int64(3)):
        assert type(Variable(number).data) is np.ndarray and Variable(number).shape == ()
    assert as_array(np.ones(2)).shape == (2,)
    x = Variable(1.0)
    assert as_variable(x) is x and isinstance(as_variable(1.0), Variable)


def test_parameters_are_variables():
    w = Parameter(np.ones(2))
    composite(w).backward()
    assert w.grad.shape == (2,)


@pytest.mark.parametrize(
    "wrong, culprit, cure",
    [
        ("hello", "str", "number"),
        ([1.0, 2.0], "list", "np.array"),
        ([[1.0], [2.0, 3.0]], "list", "equal length"),
        (np.array([1, None]), "object", "astype"),
        (np.array(["a"]), "<U1", "astype"),
        (1j, "complex", "number"),
        (object(), "object", "number"),
    ],
)
def test_what_is_no_number_is_refused(wrong, culprit, cure):
    for use in (Variable, Square()):
        with pytest.raises(TypeError) as caught:
            use(wrong)
        assert culprit in str(caught.value) and cure in str(caught.value)


def test_an_operand_that_is_none_names_the_function():
    with pytest.raises(TypeError, match=r"(?s)None is no array.*Square\(None\)"):
        Square()(None)
    with pytest.raises(TypeError, match=r"(?s)None is no array.*Add\(\(\) float64, None\)"):
        Variable(1.0) + None
    w = Parameter(None, name="W")
    x = Variable(1.0)
    for use in (lambda: w * 2.0, lambda: 2.0 * w, lambda: w + x, lambda: w - np.ones(2)):
        with pytest.raises(TypeError, match="(?s)'W' is empty"):
            use()


def test_an_empty_box_may_wait_but_not_compute():
    w = Parameter(None, name="W")
    assert w.data is None and w.name == "W"
    with pytest.raises(TypeError, match="(?s)Square.*'W'.*empty"):
        Square()(w)


# --- functions ----------------------------------------------------------------------------------


def test_a_function_without_forward_says_so():
    class Nothing(Function):
        pass

    with pytest.raises(NotImplementedError, match="Nothing has no forward"):
        Nothing()(Variable(1.0))


@pytest.mark.parametrize("result", [None, "text", [1.0, 2.0], (1.0, None)])
def test_a_forward_that_returns_no_array_is_named(result):
    class Odd(Function):
        def forward(self, x):
            return result

    with pytest.raises(TypeError, match="Odd.forward must return"):
        Odd()(Variable(1.0))


def test_errors_of_forward_name_the_operands():
    W = Variable(np.zeros((2, 3)), name="W")
    with pytest.raises(ValueError, match=r"(?s)BookMul\('W' \(2, 3\) float64, \(4,\) float32\)"):
        BookMul()(W, np.zeros(4, np.float32))
    with pytest.raises(ValueError, match=r"(?s)Add\('W' \(2, 3\) float64, \(4,\) float64\)"):
        W + np.zeros(4)


def test_a_function_without_derivative_says_so():
    class Half(Function):
        def forward(self, x):
            return x / 2

    class TooFewRules(Half):
        rules = ()

    for function in (Half, TooFewRules):
        with pytest.raises(NotImplementedError, match="0 rules for 1 inputs: define"):
            function()(Variable(1.0)).backward()


def test_the_graph_is_linked_as_the_book_links_it():
    A, B, C = Square(), Exp(), Square()
    x = Variable(0.5)
    a = A(x)
    b = B(a)
    y = C(b)
    assert y.creator is C and C.inputs[0] is b and b.creator is B
    assert B.inputs[0] is a and a.creator is A and A.inputs[0] is x and x.creator is None
    assert C.outputs[0]() is y
    assert (x.generation, a.generation, b.generation, y.generation) == (0, 1, 2, 3)
    assert (A.generation, C.generation) == (0, 2)


def test_operators_show_their_outputs_too():
    y = Variable(2.0) * 3.0
    assert y.creator.outputs[0]().data == 6.0
    assert y.creator.outputs[0]().creator is y.creator


def test_links_made_by_hand_work():
    f, x = Square(), Variable(3.0)
    y = Variable(f.forward(x.data))
    f.inputs = (x,)
    y.set_creator(f)
    y.backward()
    assert x.grad.data == 6.0


def test_one_object_called_twice_makes_two_steps():
    f = Square()
    x = Variable(2.0)
    y = f(f(x))
    y.backward()
    assert y.data == 16.0 and x.grad.data == 32.0
    z = y.creator(Variable(5.0))
    assert z.data == 25.0
    x.cleargrad()
    y.backward()
    assert x.grad.data == 32.0


def test_what_forward_keeps_belongs_to_one_call():
    class Scale(Function):
        def __init__(self):
            self.factor = 1.0

        def forward(self, x):
            self.factor = x + 1.0
            return x * self.factor

        def backward(self, gy):
            return gy * (2 * self.factor - 1)

    f = Scale()
    x0, x1 = Variable(2.0), Variable(5.0)
    (f(x0) + f(x1)).backward()
    assert (x0.grad.data, x1.grad.data) == (5.0, 11.0)


def test_operands_may_be_none_as_in_the_books_linear():
    class Linear(Function):
        def forward(self, x, W, b):
            y = x.dot(W)
            return y if b is None else y + b

        def backward(self, gy):
            x, W, b = self.inputs
            gb = None if b.data is None else gy
            return gy @ W.swapaxes(0, 1), x.swapaxes(0, 1) @ gy, gb

    x, W, b = Variable(np.ones((2, 3))), Variable(np.ones((3, 4))), Variable(np.ones(4))
    Linear()(x, W, None).backward()
    assert x.grad.data.tolist() == [[4.0] * 3] * 2 and W.grad.data.tolist() == [[2.0] * 4] * 3
    Linear()(x, W, b).backward()
    assert b.grad.data.tolist() == [2.0] * 4


def test_operators_hand_out_the_same_box_again():
    x = Variable(3.0)
    y = x * x
    assert y.creator.outputs[0]() is y


def test_a_rule_may_stand_alone_and_be_overridden():
    class Double(Function):
        def forward(self, x):
            return 2 * x

        def gx(self, gy, x):
            return gy * 2

        rules = gx  # no comma

    class Wrong(Double):
        def gx(self, gy, x):
            return gy * 3

    class Loud(Double):
        def backward(self, gy):
            return super().backward(gy)

    for function, slope in [(Double, 2.0), (Wrong, 3.0), (Loud, 2.0)]:
        x = Variable(1.0)
        function()(x).backward()
        assert x.grad.data == slope
        assert function()(Variable(1.0)).creator.backward(Variable(1.0)).data == slope


def test_a_function_that_is_empty_like_a_list_is_still_a_function():
    class Listlike(Square):
        def __len__(self):
            return 0

    x = Variable(3.0)
    y = Square()(Listlike()(Square()(x)))
    y.backward(retain_grad=True)
    assert x.grad.data == 8 * 3.0**7
    assert grad(y, y.creator.inputs[0]).data == 2 * 3.0**4


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))])
def test_a_copy_of_a_function_is_unused(way):
    f = Exp()
    f.factor = 2
    y = f(Variable(np.ones(3)))
    twin = way(f)
    assert not hasattr(twin, "inputs") and twin.outputs is None and twin.factor == 2
    z = twin(Variable(np.zeros(2)))
    assert z.creator is twin and y.creator is f and f.inputs[0].shape == (3,)


def test_a_copy_holds_values_and_no_graph():
    x = Variable(np.ones(2), name="x")
    y = BookExp()(x)
    y.backward(retain_grad=True)
    for twin in (copy.copy(y), copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert np.array_equal(twin.data, y.data) and twin.creator is None
        assert twin.grad.data.tolist() == [1.0, 1.0]
        with pytest.raises(RuntimeError, match="copy"):
            twin.backward()
    twin = copy.deepcopy(x)
    twin.cleargrad()
    twin.backward()
    assert twin.name == "x" and twin.grad.data.tolist() == [1.0, 1.0]


# --- the walk back ------------------------------------------------------------------------------


@pytest.mark.parametrize("exp", [Exp, BookExp])
def test_book_style_functions_work_unchanged(exp):
    x = Variable(0.5)
    y = Square()(exp()(BookMul()(x, x)))
    y.backward()
    assert x.grad.data == pytest.approx(EXACT)
    assert grad(grad(y, x, create_graph=True), x).data == pytest.approx((4 + 16 * 0.25) * y.data)


def test_book_style_functions_with_arrays_inside():
    x = Variable(np.array([0.1, 0.2]))
    BookSin()(x).backward()
    assert np.allclose(x.grad.data, np.cos([0.1, 0.2]))


def test_an_output_that_was_freed_is_made_again():
    x = Variable(0.5)
    y = Square()(BookExp()(x))
    gc.collect()
    y.backward()
    assert x.grad.data == pytest.approx(2 * np.exp(1.0))


def test_gradients_add_up_and_can_be_cleared():
    x = Variable(3.0)
    (x + x).backward()
    assert x.grad.data == 2.0
    (x * x).backward()
    assert x.grad.data == 8.0
    x.cleargrad()
    assert x.grad is None


def test_branches_meet_once():
    x = Variable(2.0)
    a = Square()(x)
    y = Square()(a) + Square()(a)
    y.backward()
    assert y.data == 32.0 and x.grad.data == 64.0


def test_intermediate_gradients_are_kept_on_request():
    x = Variable(0.5)
    a = Square()(x)
    y = Exp()(a)
    y.backward()
    assert y.grad is None and a.grad is None
    y.backward(retain_grad=True)
    assert y.grad.data == 1.0 and a.grad.data == pytest.approx(np.exp(0.25))


def test_the_walk_starts_with_the_gradient_of_the_output():
    x = Variable(np.ones(2))
    y = x * 3.0
    y.grad = Variable(np.array([1.0, 10.0]))
    y.backward()
    assert x.grad.data.tolist() == [3.0, 30.0]
    y.grad = Variable(np.ones(3))
    with pytest.raises(ValueError, match=r"\(2,\), not \(3,\)"):
        y.backward()


@pytest.mark.parametrize("retain", [False, True])
def test_backward_on_a_start_sets_its_own_gradient(retain):
    x = Variable(np.ones(3, np.float32))
    x.backward(retain_grad=retain)
    assert x.grad.data.tolist() == [1.0, 1.0, 1.0] and x.grad.dtype == np.float32


def test_no_graph_no_backward():
    x = Variable(1.0, name="x")
    with no_grad():
        lost = [Square()(x), x * 2.0]
    cut = Square()(x)
    cut.unchain()
    gone = Square()(Square()(x))
    gone.unchain_backward()
    for y, why in [*[(y, "no_grad") for y in lost], (cut, "unchain"), (gone, "unchain_backward")]:
        with pytest.raises(RuntimeError, match=why):
            y.backward()
        with pytest.raises(RuntimeError, match=why):
            grad(y, x)


def test_unchain_backward_keeps_data_and_own_creator():
    x = Variable(2.0)
    a = Square()(x)
    y = Square()(a)
    y.unchain_backward()
    assert y.creator is not None and a.creator is None and a.data == 4.0
    z = Square()(a)
    z.backward()
    assert a.grad.data == 8.0 and x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_unused_outputs_count_as_zero(create_graph):
    x = Variable(np.array([1.25, 2.5]))
    rest, whole = Modf()(x)
    f = rest.creator
    assert f is whole.creator and f.outputs[0]() is rest and f.outputs[1]() is whole
    del whole
    rest.backward(create_graph=create_graph)
    assert x.grad.data.tolist() == [1.0, 1.0]
    rest, whole = Modf()(x)
    assert grad(whole, x).data.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "result, message",
    [((1.0,), "1 gradients for 2 inputs"), ((1.0, 1.0, 1.0), "3 gradients for 2 inputs")],
)
def test_the_wrong_number_of_gradients_is_told(result, message):
    class Wrong(BookMul):
        def backward(self, gy):
            return result

    with pytest.raises(ValueError, match=f"Wrong.backward returned {message}"):
        Wrong()(Variable(1.0), Variable(2.0)).backward()


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_wrong_shape_of_a_gradient_is_told(create_graph):
    class Wrong(Square):
        def gx(self, gy, x):
            return np.ones(7)

        rules = (gx,)

    class WrongBook(Square):
        def backward(self, gy):
            return np.ones(7)

    x = Variable(np.ones(2), name="x")
    for function in (Wrong, WrongBook):
        message = (
            rf"(?s)gradient of shape \(7,\) .* \(2,\).*{function.__name__}\('x' \(2,\) float64\)"
        )
        with pytest.raises(ValueError, match=message):
            function()(x).backward(create_graph=create_graph)


def test_backward_may_return_none_and_numbers():
    class Second(BookMul):
        def backward(self, gy):
            return None, 3.0

    x0, x1 = Variable(1.0), Variable(2.0)
    Second()(x0, x1).backward()
    assert x0.grad is None and x1.grad.data == 3.0


def test_a_failed_walk_leaves_nothing_behind():
    class Fails(Square):
        def backward(self, gy):
            raise ZeroDivisionError

    x = Variable(2.0)
    a = Fails()(x)
    y = a * 2.0 + x * 3.0
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert x.grad is None and a.grad is None and Config.enable_backprop


def test_plain_operands_get_no_gradient():
    seen = []

    class Watched(Function):
        def forward(self, x0, x1):
            return x0 * x1

        def gx0(self, gy, x0, x1):
            seen.append(0)
            return gy * x1

        def gx1(self, gy, x0, x1):
            seen.append(1)
            return gy * x0

        rules = gx0, gx1

    x = Variable(np.ones(2))
    y = Watched()(x, np.ones(2))
    y.backward()
    assert seen == [0] and type(y.creator.inputs[1]) is Constant


def test_errors_on_the_way_back_name_function_and_operands():
    class Fails(Square):
        def gx(self, gy, x):
            return gy.reshape(7)

        rules = (gx,)

    x = Variable(np.ones(2), name="x")
    with pytest.raises(ValueError, match=r"(?s)the derivative of Fails\('x' \(2,\) float64\)"):
        Fails()(x).backward()


def test_errors_that_write_their_own_text_are_explained_too():
    class Axis(Function):
        def forward(self, x):
            return x.sum(axis=5)

    with pytest.raises(ValueError, match=r"(?s)axis 5.*Axis\(\(2,\) float64\)"):
        Axis()(Variable(np.ones(2)))


def test_data_may_be_freed_where_no_rule_needs_it():
    x, W, b = Variable(np.ones((2, 3))), Variable(np.ones((3, 4))), Variable(np.ones(4))
    t = x @ W
    y = t + b
    t.data = None
    y.backward()
    assert W.grad.shape == (3, 4) and b.grad.data.tolist() == [2.0] * 4


def test_gradients_of_what_a_generator_yields():
    x, w = Variable(2.0), Parameter(3.0)
    assert [g.data for g in grad(x * w, (p for p in (x, w)))] == [3.0, 2.0]
    with pytest.raises(TypeError, match="Variables, not <class 'float'>"):
        grad(x * w, [2.0])


def test_unchain_backward_without_anything_to_cut():
    x = Variable(2.0)
    y = x * 3.0
    y.unchain_backward()
    y.backward()
    assert x.grad.data == 3.0


# --- shapes and dtypes --------------------------------------------------------------------------


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "shape0, shape1",
    [((), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((1, 3), (2, 3)), ((0, 3), (3,)), ((1,), (0,))],
)
def test_what_was_stretched_is_summed(shape0, shape1, create_graph):
    x0, x1 = Variable(np.ones(shape0)), Variable(np.full(shape1, 2.0))
    y = BookMul()(x0, x1)
    y.backward(create_graph=create_graph)
    size = y.size
    assert x0.grad.shape == shape0 and x1.grad.shape == shape1
    assert x0.grad.data.sum() == 2.0 * size and x1.grad.data.sum() == 1.0 * size


@pytest.mark.parametrize("create_graph", [False, True])
def test_float32_stays_float32(create_graph):
    x = Variable(np.ones(3, np.float32))
    double = Variable(np.ones(3))
    y = (2 * x + 1.0) ** 2 / 3 - np.float64(0.5)
    assert y.dtype == np.float32
    z = y * double
    assert z.dtype == np.float64
    z.backward(create_graph=create_graph)
    assert x.grad.dtype == np.float32 and double.grad.dtype == np.float64


def test_integers_compute_and_have_floating_gradients():
    x = Variable(np.array([1, 2, 3]))
    y = x * x
    assert y.dtype.kind == "i"
    y.backward()
    assert x.grad.dtype == np.float64 and x.grad.data.tolist() == [2.0, 4.0, 6.0]


def test_gradients_share_no_memory():
    a, b = Variable(np.ones(3)), Variable(np.ones(3))
    y = a + b
    seed = Variable(np.ones(3))
    y.grad = seed
    y.backward(retain_grad=True)
    a.grad.data += 1
    assert b.grad.data.tolist() == [1.0] * 3 and seed.data.tolist() == [1.0] * 3
    row = Variable(np.ones(3))
    dezero.backprop.BroadcastTo((2, 3))(row).backward()
    row.grad.data += 1  # no read-only view


def test_gradients_share_no_memory_with_a_graph_either():
    a, b = Variable(np.ones(3)), Variable(np.ones(3))
    (a + b).backward(create_graph=True)
    assert a.grad is not b.grad and not np.shares_memory(a.grad.data, b.grad.data)
    ga, gb = grad(a + b, [a, b])
    assert not np.shares_memory(ga.data, gb.data)
    (a * a * b).backward(create_graph=True)
    assert grad(a.grad, a).data.tolist() == [2.0] * 3


@pytest.mark.parametrize("kind", [np.uint8, bool, int])
def test_seeds_get_the_dtype_of_gradients(kind):
    x = Variable(np.array([1.0, 2.0], np.float32))
    y = 0.0 - (x - 1.0)
    y.grad = Variable(np.array([1, 1], kind))
    y.backward(retain_grad=True)
    assert x.grad.data.tolist() == [-1.0, -1.0] and y.grad.dtype == np.float32


def test_numbers_that_are_not_real_are_refused_in_operations():
    x = Variable(1.0)
    for wrong in (1j, np.complex128(1j), np.str_("2.0"), np.datetime64("2020-01-01")):
        with pytest.raises(TypeError):
            x * wrong


# --- derivatives of derivatives -----------------------------------------------------------------


def test_second_derivatives():
    x = Variable(0.5)
    y = composite(x)
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.backward()
    assert gx.data == pytest.approx(EXACT)
    assert x.grad.data == pytest.approx((4 + 16 * 0.25) * y.data)


def test_derivatives_of_high_order():
    x = Variable(2.0)
    y = x**5
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0, 0.0):
        y = grad(y, x, create_graph=True)
        assert y.data == pytest.approx(expected)


def test_grad_leaves_every_grad_untouched():
    x, w = Variable(2.0), Parameter(3.0)
    a = x * w
    y = Square()(a)
    gx, ga = grad(y, [x, a])
    assert (gx.data, ga.data) == (36.0, 12.0)
    assert x.grad is None and w.grad is None and a.grad is None and y.grad is None
    assert isinstance(grad(y, (x,)), tuple) and isinstance(grad(y, x), Variable)
    assert grad(y, Variable(1.0)).data == 0.0
    assert grad(y, y).data == 1.0
    assert grad(y, x, grad_output=Variable(10.0)).data == 360.0


def test_grad_of_an_inner_output():
    x = Variable(np.array([1.25, 2.5]))
    rest, whole = Modf()(x)
    y = rest * whole
    g0, g1 = grad(y, [rest, whole])
    assert np.allclose(g0.data, whole.data) and np.allclose(g1.data, rest.data)


# --- size ---------------------------------------------------------------------------------------


def chain(n):
    x = y = Variable(1.0)
    for _ in range(n):
        y = y * 1.0
    return x, y


def parallel(n):
    x = Variable(1.0)
    total = x * 1.0
    for _ in range(n - 1):
        total = total + x
    return x, total


def fan(n):
    "n functions side by side, joined by one."

    class Join(Function):
        def forward(self, *xs):
            return sum(xs)

        def backward(self, gy):
            return (gy,) * len(self.inputs)

    x = Variable(1.0)
    return x, Join()(*[Square()(x) for _ in range(n)])


@pytest.mark.parametrize("build, slope", [(chain, 1.0), (parallel, 1e5), (fan, 2e5)])
def test_a_hundred_thousand_functions(build, slope):
    x, y = build(100_000)
    assert len(functions_behind(y)) >= 100_000
    y.backward()
    assert x.grad.data == slope
    x.cleargrad()
    y.backward(create_graph=True)
    assert x.grad.data == slope


@pytest.mark.parametrize("build", [chain, fan])
def test_memory_grows_in_step_with_the_graph(build):
    def peak(n):
        tracemalloc.start()
        x, y = build(n)
        y.backward()
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(8000) < 2.5 * peak(4000)


def test_everything_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        x, y = chain(100_000)
        y.backward()
        middle = y.creator.inputs[0]
        watch = weakref.ref(middle)
        del y, middle
        assert watch() is None
    finally:
        gc.enable()


# --- switches -----------------------------------------------------------------------------------


def test_switches_are_restored_even_after_an_error():
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert Config.enable_backprop
    with test_mode():
        assert not Config.train
    with using_config("train", False):
        assert not Config.train
    assert Config.train

    @no_grad()
    def predict(x):
        return Square()(x)

    assert predict(Variable(1.0)).creator is None and Config.enable_backprop


def test_switches_can_be_set_by_hand():
    Config.train = False
    try:
        assert not Config.train
    finally:
        Config.train = True
    for wrong in (lambda: Config.trian, lambda: setattr(Config, "trian", 1)):
        with pytest.raises(AttributeError, match="trian.*enable_backprop"):
            wrong()


def test_threads_do_not_disturb_each_other():
    inside, go_on = threading.Event(), threading.Event()
    seen = {}

    def predicts():
        with no_grad():
            inside.set()
            go_on.wait(10)
            seen["predicting"] = Square()(Variable(2.0)).creator

    def trains():
        inside.wait(10)
        x = Variable(2.0)
        Square()(x).backward()
        seen["training"] = x.grad.data
        go_on.set()

    threads = [threading.Thread(target=t) for t in (predicts, trains)]
    [t.start() for t in threads]
    [t.join(20) for t in threads]
    assert seen == {"predicting": None, "training": 4.0}


def test_tasks_do_not_disturb_each_other():
    async def predicts(inside, go_on):
        with no_grad():
            inside.set()
            await go_on.wait()
            return Config.enable_backprop

    async def trains(inside, go_on):
        await inside.wait()
        go_on.set()
        return Config.enable_backprop

    async def both():
        events = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(predicts(*events), trains(*events))

    assert asyncio.run(both()) == [False, True]


# --- the judge ----------------------------------------------------------------------------------


def test_gradient_check_convicts_and_names(capsys):
    class Wrong(BookMul):
        def backward(self, gy):
            x0, x1 = self.inputs
            return gy * x1, gy * x0 * 2

    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert gradient_check(BookMul(), x, x + 1, order=2)
    assert not gradient_check(Wrong(), x, x[:1])
    said = capsys.readouterr().out
    assert "argument 1" in said and "element (0, 1)" in said and "ratio 2" in said


def test_gradient_check_looks_at_the_second_order(capsys):
    assert gradient_check(BookSin(), np.ones(2))
    assert not gradient_check(BookSin(), np.ones(2), order=2)
    assert "second derivative" in capsys.readouterr().out


def test_gradient_check_looks_at_every_output(capsys):
    class Pair(Function):
        def forward(self, x):
            return x * 2, x * 3

        def backward(self, g0, g1):
            return g0 * 2 + g1 * 4

    assert not gradient_check(Pair(), np.ones(2))
    assert "output 1" in capsys.readouterr().out


def test_a_number_to_the_power_of_a_variable():
    assert gradient_check(lambda x: 2.0**x, np.array([0.5, -1.0]), order=2)
    assert (3 ** Variable(np.float32(2.0))).dtype == np.float32


def test_gradient_check_changes_nothing():
    x, w = Variable(np.array([1.0, 2.0], np.float32)), Parameter(np.ones(2))
    before = x.data.copy()
    labels = np.array([0, 1])
    f = lambda x, t, scale: x * w * scale  # noqa: E731
    assert gradient_check(f, x, labels, scale=3.0)
    assert x.data.dtype == np.float32 and (x.data == before).all()
    assert x.grad is None and w.grad is None


def test_numerical_grad_takes_any_shape_and_arguments():
    for shape in [(), (3,), (2, 3), (2, 0, 3)]:
        x = np.full(shape, 2.0)
        gx = numerical_grad(lambda x, k, add=0: x * x * k + add, x, 3.0, add=1.0)
        assert gx.shape == shape and np.allclose(gx, 12.0)


def test_gradient_check_varies_the_gradient_that_comes_in():
    class Detached(Square):
        def gx(self, gy, x):
            return (gy.data if isinstance(gy, Variable) else gy) * 2 * x

    assert gradient_check(Detached(), np.ones(2))
    assert not gradient_check(Detached(), np.ones(2), order=2)


def test_gradient_check_wants_a_function_of_variables():
    with pytest.raises(TypeError, match="returns Variables"):
        gradient_check(lambda x: x.data, np.ones(2))
    labels = Variable(np.array([1, 0]))
    assert gradient_check(lambda x, t: x[t.data], np.ones((2, 2)), labels)


@pytest.mark.parametrize("order", [0, -1])
def test_gradient_check_of_no_order_ends(order):
    assert gradient_check(Square(), np.ones(2), order=order)


# --- operators at their special points ----------------------------------------------------------


@pytest.mark.parametrize(
    "sign, function",
    [("add", "Add"), ("sub", "Sub"), ("mul", "Mul"), ("div", "Div"), ("power", "Power")],
)
@pytest.mark.parametrize("kind", [float, np.float32, int])
def test_the_quick_way_of_the_signs_agrees_with_functions(sign, function, kind):
    from dezero import operators

    quick, slow = getattr(operators, sign), getattr(operators, function)()
    for other in (Variable(np.array([2, 3], kind)), np.array([2, 3], kind), 3, 3.0, True):
        xs = [Variable(np.array([[4, 5]], kind)) for _ in range(2)]
        ys = [quick(xs[0], other), slow(xs[1], other)]
        assert ys[0].dtype == ys[1].dtype and np.array_equal(ys[0].data, ys[1].data)
        assert [type(i) for i in ys[0].creator.inputs] == [type(i) for i in ys[1].creator.inputs]
        assert [y.creator.outputs[0]() is y for y in ys] == [True, True]
        gxs = [grad(y, x) for y, x in zip(ys, xs)]
        assert gxs[0].dtype == gxs[1].dtype and np.allclose(gxs[0].data, gxs[1].data)


def test_powers_at_zero():
    for exponent in (0.0, 1.0, 2.0):
        x, c = Variable(0.0), Variable(exponent)
        gx, gc = grad(x**c, [x, c])
        assert (gx.data, gc.data) == (1.0 if exponent == 1.0 else 0.0, 0.0)
    x, c = Variable(0.0), Variable(2.0)
    g = grad(x**c, c, create_graph=True)
    assert grad(g, x).data == grad(g, x, create_graph=True).data == 0.0
    x, c = Variable(3.0), Variable(0.0)
    assert grad(grad(x**c, x, create_graph=True), c).data == pytest.approx(1 / 3)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "i8", "?"])
@pytest.mark.parametrize("number", [2, 3.0, -1, 0.1])
def test_a_number_counts_the_same_where_nothing_is_recorded(dtype, number):
    functions = [operator.add, operator.mul, operator.truediv, operator.pow]
    if dtype != "?":
        functions.append(operator.sub)
    if dtype[0] in "i?" and number < 0:  # an integer has no such power
        functions.remove(operator.pow)
    for f in functions:
        for values in (3, [1, 2, 3]):
            x = Variable(np.array(values, dtype))
            for one, other in ((x, number), (number, x)):
                recorded = f(one, other)
                with no_grad():
                    plain = f(one, other)
                assert plain.dtype == recorded.dtype and plain.shape == recorded.shape
                assert type(plain.data) is np.ndarray and plain.creator is None
                assert np.array_equal(plain.data, recorded.data, equal_nan=True)


def test_powers_keep_float32():
    for x in (Variable(np.ones(3, np.float32)), Variable(np.array(0.5, np.float32))):
        for c in (2, -2, 0.5, np.float64(2.0)):
            assert (x**c).dtype == np.float32


def test_quotients_do_not_run_over():
    x = Variable(np.float16(300))
    (Variable(np.float16(300)) / x).backward()
    assert x.grad.data == pytest.approx(-1 / 300, rel=1e-2)
    n = Variable(np.array(100, np.int8))
    (1.0 / n).backward()
    assert n.grad.data == pytest.approx(-1e-4)


def test_numpy_steps_aside_or_is_refused():
    x = Variable(np.array([1.0, 4.0]), name="x")
    for use, word in [
        (lambda: np.abs(x), "F.abs"),
        (lambda: np.sum(x), "F.sum"),
        (lambda: np.concatenate([x, x]), "F.concat "),
        (lambda: np.array(x), "x.data"),
        (lambda: np.add(x, 1.0, out=np.ones(2)), "in place"),
    ]:
        with pytest.raises(TypeError, match=word):
            use()
    with pytest.raises(TypeError, match="in place"):
        x.data -= 0.1 * x
    with pytest.raises((TypeError, DeprecationWarning)):  # NumPy before 1.25 only warns
        _ = x == np.ones(2)
    assert (x == x) is True and (x == 1.0) is False


# --- numbers ------------------------------------------------------------------------------------


def one_of_each(x0, x1):
    return -((x0 + x1) * (x0 - 2.5) / (3 - x1) ** 2) + x1**x0 + 2 * x0


def steps_of_python(run):
    "How many lines of Python `run` goes through."
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


def test_parallel_operations_are_linear_work():
    x = Variable(0.5)

    def work(n):
        x.cleargrad()
        parts = [x * x for _ in range(n)]
        y = parts[0]
        for part in parts[1:]:
            y = y + part
        return steps_of_python(lambda: y.backward())

    assert work(512) - work(64) == 8 * (work(64) - work(8))


def test_operators_make_the_record_that_a_call_makes():
    x0, x1 = Variable(2.0), Variable(3.0)
    y, z = x0 * x1, x1 * x1
    w = y * z
    f, g = y.creator, z.creator
    assert f is not g and f is y.creator and g is z.creator and type(f) is dezero.operators.Mul
    assert f.inputs[0] is x0 and f.inputs[1] is x1 and g.inputs[0] is x1
    assert f.outputs[0]() is y and g.outputs[0]() is z
    assert operands_of(f) == (2.0, 3.0)
    w.backward()
    assert (x0.grad.data, x1.grad.data) == (27.0, 54.0)
    assert functions_behind(w) == [w.creator, g, f]
    assert (Variable(5.0) * 2.0).creator.inputs[0].data == 5.0


def test_new_data_between_computing_and_backward_changes_nothing():
    for value in (np.array(3.0), np.array([3.0, 4.0])):
        for square in (lambda x: x * x, lambda x: x**2, Square()):
            x = Variable(value)
            y = square(x)
            x.data = np.full_like(value, 100.0)
            y.backward()
            assert np.array_equal(x.grad.data, 2 * value)


def test_a_creator_can_be_set_and_taken_away():
    x = Variable(3.0)
    f = Square()
    y = Variable(9.0)
    y.creator = f
    f.inputs = (x,)  # later than the link
    y.backward()
    assert x.grad.data == 6.0 and y.creator is f and y.generation == 1
    z = x * 2.0
    z.creator = None
    assert z.creator is None and z.generation == 0
    z.backward()
    assert z.grad.data == 1.0 and x.grad.data == 6.0


def test_numbers_take_the_short_way_to_the_same_gradients():
    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32):
        for a, b in rng.uniform(0.5, 2, (5, 2)).astype(dtype):
            numbers = [Variable(np.array(a)), Variable(np.array(b))]
            arrays = [Variable(np.array([a])), Variable(np.array([b]))]
            y, ys = one_of_each(*numbers), one_of_each(*arrays)
            for g, gs in zip(grad(y, numbers, create_graph=True), grad(ys, arrays)):
                assert g.dtype == dtype and g.shape == ()
                assert np.allclose(g.data, gs.data, rtol=1e-6)
            for g, gs in zip(grad(y, numbers), grad(ys, arrays)):
                assert g.dtype == dtype and np.allclose(g.data, gs.data, rtol=1e-6)


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_pullback_of_two_gives_what_the_general_one_gives(create_graph):
    x0, x1 = Variable(1.5), Variable(np.array(0.5, np.float32))
    y = one_of_each(x0, x1)
    seed = Variable(1.0) if create_graph else np.float64(1.0)
    grads = {y: seed}
    with using_config("enable_backprop", create_graph):
        for z in toposort(y):
            general = book_pullback if type(z.creator)._call_pullback is book_pullback else pullback
            general(z.creator, grads.pop(z), grads, create_graph)
    g0, g1 = grad(y, [x0, x1], create_graph=create_graph)
    assert unwrap(grads[x0]) == g0.data and unwrap(grads[x1]) == g1.data
    assert (g0.dtype, g1.dtype) == (np.float64, np.float32)


def test_one_operand_that_is_no_variable():
    for number in (2.0, 3, np.float64(2.0), np.array(2.0), np.array([1.0, 2.0])):
        for operation, expected in ((dezero.functions.neg, -number), (negated_twice, number)):
            y = operation(number)
            assert type(y) is Variable and np.array_equal(y.data, expected)
            y.backward()
    y = dezero.functions.pow(np.array(3.0), 2)
    assert y.data == 9.0 and all(isinstance(x, Constant) for x in y.creator.inputs)


def negated_twice(x):
    return -dezero.functions.neg(x)


def test_a_mask_takes_no_element_twice():
    mask = np.array([[True, False, True], [False, False, True]])
    x = Variable(np.arange(6.0).reshape(2, 3))
    y = x[mask]
    assert is_mask(mask) and not is_mask([0, 1]) and not is_mask(np.array([0, 1]))
    gx = grad(y, x, Variable(np.array([10.0, 20.0, 30.0])))
    assert gx.data.tolist() == [[10.0, 0.0, 20.0], [0.0, 0.0, 30.0]]


def test_operators_hand_out_the_very_box():
    x = Variable(2.0)
    for compute in (lambda: x + x, lambda: -x, lambda: x**2, lambda: 1 / x):
        y = compute()
        assert y.creator.outputs[0]() is y
        f = y.creator
        del y
        assert f.outputs[0]() is None


class MultiplyAndAdd(Function):
    def forward(self, x, w):
        return x * w, x + w

    def gx(self, g0, g1, x, w):
        return g0 * w + g1

    def gw(self, g0, g1, x, w):
        return None  # no derivative

    rules = gx, gw


def test_a_creator_can_be_set_again():
    x = Variable(3.0)
    y = x * x
    y.creator = y.creator
    y.backward()
    assert x.grad.data == 6.0
    f = y.creator
    y.creator = None
    y.creator = f
    y.backward()
    assert x.grad.data == 12.0 and len(f.outputs) == 1
    y.unchain()
    y.creator = f
    y.backward()
    assert x.grad.data == 18.0


def test_what_was_computed_under_no_grad_can_be_linked():
    x, f = Variable(3.0), Square()
    with no_grad():
        y = Square()(x)
    f.inputs = (x,)
    y.set_creator(f)
    y.backward()
    assert x.grad.data == 6.0


def test_a_link_without_inputs_names_the_function():
    y = Variable(9.0)
    y.creator = BookExp()
    with pytest.raises(ValueError, match=r"0 inputs.*(?s:.*)in the derivative of BookExp\(\)"):
        y.backward()


def test_links_in_the_wrong_order_lose_nothing_in_silence():
    x, a, y, f, g = Variable(3.0), Variable(9.0), Variable(81.0), Square(), Square()
    f.inputs, g.inputs = (x,), (a,)
    y.creator, a.creator = g, f  # a after y, which was computed from it
    with pytest.raises(RuntimeError, match="order"):
        y.backward()
    with pytest.raises(RuntimeError, match="order"):
        grad(y, x)
    late = Variable(9.0)
    y = late * late
    late.creator = Square()
    late.creator.inputs = (x,)
    with pytest.raises(RuntimeError, match="order"):
        y.backward()
    assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_may_return_none(create_graph):
    for shape in ((), (2,)):
        x, w = Variable(np.full(shape, 2.0)), Variable(np.full(shape, 5.0))
        product, total = MultiplyAndAdd()(x, w)
        (product + total).backward(create_graph=create_graph)
        assert w.grad is None and x.grad.data.tolist() == np.full(shape, 6.0).tolist()


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("new", [None, np.ones((5, 5))])
def test_gradients_fit_what_was_computed_with(new, create_graph):
    class BookAdd(Function):
        def forward(self, x0, x1):
            return x0 + x1

        def backward(self, gy):
            return gy, gy

    for add in (lambda x0, x1: x0 + x1, BookAdd(), lambda x0, x1: MultiplyAndAdd()(x0, x1)[1]):
        x = Variable(np.ones(2, np.float32))
        y = add(x, Variable(np.ones((3, 2))))
        x.data = new
        if create_graph and isinstance(y.creator, MultiplyAndAdd):
            continue  # its rules ask the boxes
        y.backward(create_graph=create_graph)
        assert x.grad.data.tolist() == [3.0, 3.0] and x.grad.dtype == np.float32


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_is_never_the_variable_itself(create_graph):
    class HalfSquare(Function):
        def forward(self, x):
            return x * x / 2

        def gx(self, gy, x):
            return x

        rules = gx

    class BookHalfSquare(HalfSquare):
        def backward(self, gy):
            return self.inputs[0]

    for f in (HalfSquare(), BookHalfSquare()):
        x = Variable(np.array([3.0, 4.0]))
        y = f(x)
        y.backward(create_graph=create_graph)
        for gx in (x.grad, grad(y, x, create_graph=create_graph)):
            assert gx is not x and not np.shares_memory(gx.data, x.data)
            assert gx.data.tolist() == [3.0, 4.0]


def test_a_backward_may_come_from_a_mixin():
    class Seven:
        def backward(self, gy):
            return gy * 7

    class Mixed(Seven, Function):
        def forward(self, x):
            return 7 * x

    class Ruled(Mixed):
        def gx(self, gy, x):
            return gy * 8

        rules = gx

    for function, slope in [(Mixed, 7.0), (Ruled, 8.0)]:
        x = Variable(1.0)
        function()(x).backward()
        assert x.grad.data == slope


def test_generation_asks_a_function_that_cannot_be_hashed():
    @dataclass
    class Scale(Function):
        factor: float

        def forward(self, x):
            return x * self.factor

    y = Scale(2.0)(Variable(1.0)) * 3.0
    assert y.generation == 2 and y.creator.generation == 1


# --- options of a reader's own class --------------------------------------------------------------


NAMES = (
    "birth ys refs operands order gradients note slot several results pullback recorded data "
    "_order _operands _results _several _pullback _creator"
)


@pytest.mark.parametrize("name", NAMES.split())
@pytest.mark.parametrize("style", ["rules", "book"])
def test_an_option_of_any_name_stays_an_option(name, style):
    class Scale(Function):
        def __init__(self, factor):
            setattr(self, name, factor)

        def forward(self, x):
            return x * getattr(self, name)

    if style == "rules":

        class Scaled(Scale):
            def gx(self, gy, x):
                return gy * getattr(self, name)

            rules = (gx,)

    else:

        class Scaled(Scale):
            def backward(self, gy):
                return gy * getattr(self, name)

    f, x = Scaled(3.0), Variable(2.0)
    y = f(f(x))
    y.backward(create_graph=True)
    assert y.data == 18.0 and x.grad.data == 9.0 and getattr(f, name) == 3.0
    assert y.creator.inputs[0].creator is f and y.creator.outputs[0]() is y


def test_a_class_may_use_every_name_for_something_of_its_own():
    class Busy(Square):
        birth, ys, operands, order, several = 1, [2], {}, "F", True

        def gradients(self):
            return "mine"

    x = Variable(3.0)
    y = Busy()(x)
    y.backward()
    assert x.grad.data == 6.0 and y.creator.gradients() == "mine" and y.creator.order == "F"


class BookLoss(Function):
    "As published losses do it: a gradient for the prediction, none for the labels."

    def forward(self, x, t):
        return (x[np.arange(len(t)), t] ** 2).sum()

    def backward(self, gy):
        x, t = self.inputs
        picked = np.zeros(x.shape)
        picked[np.arange(len(t)), t.data] = 1.0
        return gy * 2 * x * picked


def test_backward_may_leave_out_labels_and_plain_numbers():
    x = Variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
    for labels in (np.array([1, 0]), Variable(np.array([1, 0]))):
        x.cleargrad()
        BookLoss()(x, labels).backward()
        assert x.grad.data.tolist() == [[0.0, 4.0], [6.0, 0.0]]

    class Scale(BookMul):
        def backward(self, gy):
            return gy * self.inputs[1].data

    x = Variable(2.0)
    Scale()(x, 5.0).backward()
    assert x.grad.data == 5.0
    with pytest.raises(ValueError, match="returned 1 gradients for 2 inputs"):
        Scale()(x, Variable(5.0)).backward()


# --- interrupts ---------------------------------------------------------------------------------


WORKS = ["no_grad", "test_mode", "using_config", "decorated", "generator", "backward", "grad"]


@pytest.mark.parametrize("work", WORKS)
def test_an_interrupt_leaves_no_switch_behind(work):
    x = Variable(1.0)
    blocks = {"no_grad": no_grad, "test_mode": test_mode,
              "using_config": lambda: using_config("enable_backprop", False)}  # fmt: skip

    @no_grad()
    def decorated():
        return x + x

    @no_grad()
    def generator():
        for _ in range(50):
            yield x + x

    def run():
        if work in blocks:
            for _ in range(50):
                with blocks[work]():
                    x + x
        elif work == "decorated":
            for _ in range(50):
                decorated()
        elif work == "generator":
            assert all(y.creator is None for y in generator())
        else:
            y = x
            for _ in range(10):
                y = y * x
            y.backward() if work == "backward" else grad(y, x)

    delays = np.random.default_rng(0).uniform(2e-6, 3e-4, 2000)
    assert interrupts(run, delays) > 100


# --- switches over functions --------------------------------------------------------------------


def test_a_switch_over_a_generator_is_set_while_its_body_runs():
    ended = []

    @no_grad()
    def body(n):
        "Doc."
        got = []
        try:
            for _ in range(n):
                got.append((yield Config.enable_backprop))
        except KeyError:
            yield "caught", Config.enable_backprop
        finally:
            ended.append(Config.enable_backprop)
        return got

    assert body.__name__ == "body" and body.__doc__ == "Doc."
    assert inspect.isgeneratorfunction(body)
    steps = body(3)
    assert next(steps) is False and Config.enable_backprop
    assert steps.send("a") is False and Config.enable_backprop
    assert steps.throw(KeyError("k")) == ("caught", False) and Config.enable_backprop
    steps.close()
    assert ended == [False] and Config.enable_backprop
    with pytest.raises(StopIteration):
        next(steps)

    def outer():
        return (yield from body(2))

    steps = outer()
    next(steps), steps.send(1)
    with pytest.raises(StopIteration) as caught:
        steps.send(2)
    assert caught.value.value == [1, 2] and Config.enable_backprop
    body(1).close()  # it has never run
    assert ended == [False, False]


def test_a_generator_finds_again_what_it_has_switched_itself():
    @no_grad()
    def body():
        with using_config("enable_backprop", True):
            yield Config.enable_backprop
            yield Config.enable_backprop
        yield Config.enable_backprop

    with no_grad():
        assert [(inside, Config.enable_backprop) for inside in body()] == [
            (True, False), (True, False), (False, False)]  # fmt: skip
    assert Config.enable_backprop


def test_a_switch_over_a_coroutine_and_an_asynchronous_generator():
    @no_grad()
    async def body():
        first = Config.enable_backprop
        await asyncio.sleep(0)
        return first, Config.enable_backprop

    async def both():
        return await asyncio.gather(body(), asyncio.sleep(0, Config.enable_backprop))

    assert asyncio.run(both()) == [(False, False), True]
    with pytest.raises(TypeError, match="asynchronous generator: write a with block"):

        @test_mode()
        async def numbers():
            yield 1


def test_a_block_may_be_used_again_and_within_itself():
    block = no_grad()
    for _ in range(2):
        with block:
            with block:
                assert not Config.enable_backprop
            assert not Config.enable_backprop
        assert Config.enable_backprop


# --- errors of a forward of one's own -----------------------------------------------------------


class Own(KeyError):
    """An error with a constructor and a text of its own."""

    def __init__(self, key, why):
        super().__init__(key, why)
        self.why = why

    def __str__(self):
        return f"{self.args[0]}: {self.why}"


@pytest.mark.parametrize("error, text", [(KeyError("k"), "'k'"), (Own("k", "no"), "k: no"),
                                         (ZeroDivisionError("no"), "no")])  # fmt: skip
def test_an_error_of_a_forward_keeps_its_class_and_arguments(error, text):
    class Fails(Function):
        def forward(self, x):
            raise error

    with pytest.raises(type(error)) as caught:
        Fails()(Variable(np.ones(2)))
    found = caught.value
    assert str(found).startswith(text) and "in Fails((2,) float64)" in str(found)
    assert type(found).__name__ == type(error).__name__
    if isinstance(error, KeyError):
        assert found.args == error.args and vars(found) == vars(error)
    assert caught.traceback[-1].name == "forward"
    again = pickle.loads(pickle.dumps(found))
    assert type(again) is type(error) and again.args == found.args


def test_a_seed_survives_a_backward_that_fails():
    class Fails(Function):
        def forward(self, x):
            return x * 2

        def backward(self, gy):
            raise ValueError("no way back")

    x = Variable(np.ones(2))
    y = Fails()(x)
    y.grad = seed = Variable(np.array([3.0, 5.0]))
    for _ in range(2):
        with pytest.raises(ValueError, match="no way back"):
            y.backward()
        assert y.grad is seed and seed.data.tolist() == [3, 5] and x.grad is None
