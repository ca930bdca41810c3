"""What a hand reaches for: methods, formats and signs, and the names of others."""

import re
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Variable
from dezero.lazy import ADVICE
from dezero.optimizers import SGD


def test_a_loss_is_formatted_and_rounded_like_its_number():
    loss = Variable(np.float32(0.123456))
    assert f"{loss:.4f}" == "0.1235" and f"{Variable(np.array([[7]])):>3d}" == "  7"
    assert f"{loss}" == str(loss) and round(loss, 3) == 0.123 and round(Variable(2.6)) == 3
    assert isinstance(loss.item(), float) and isinstance(Variable(3).item(), int)


@pytest.mark.parametrize("call", [lambda x: f"{x:.4f}", lambda x: round(x, 3), lambda x: x.item()])
def test_more_numbers_than_one_are_refused_with_a_cure(call):
    with pytest.raises(ValueError, match=r"shape \(3,\) is not one number.*mean\(\).*x\.data"):
        call(Variable(np.ones(3)))


def test_copies_pass_the_gradient_and_detach_does_not():
    x = Variable(np.array([1.0, 2.0], "f4"))
    for y, passes in ((x.copy(), True), (x.astype(float), True), (x.detach(), False)):
        x.cleargrad()
        (y * 3).backward()
        assert (x.grad is not None) == passes
        if passes:
            assert x.grad.tolist() == [3, 3] and x.grad.dtype == "f4"
    x.copy().data[0] = 5
    assert x.tolist() == [1, 2] and x.astype(int).dtype == int


def test_signs():
    x, m = Variable(np.array([7.5, -7.5])), Variable(np.array([True, False]))
    assert +x is x and (x % 2).tolist() == [1.5, 0.5] and (x // 2).tolist() == [3, -4]
    assert (20 % x).tolist() == [5, -2.5] and (20 // x).tolist() == [2, -3]
    assert (np.array([20.0, 20.0]) % x).tolist() == [5, -2.5]
    assert (~m).tolist() == [False, True] and (m & True).tolist() == [True, False]
    assert (np.array([False, True]) | m).tolist() == [True, True] and (True ^ m).tolist()[1]
    assert (Variable(np.array([6, 7])) & 1).tolist() == [0, 1]


def test_the_gradient_of_a_remainder_of_float32_is_float32():
    x, y = Variable(np.float32(7)), Variable(np.float32(3))
    z = x % y
    z.backward()
    assert (x.grad.item(), y.grad.item()) == (1, -2)
    assert {z.dtype, x.grad.dtype, y.grad.dtype} == {np.dtype("f4")}


def test_signs_of_masks_refuse_floats_and_minus_refuses_masks():
    with pytest.raises(TypeError, match="& is for masks such as x > 0 and for whole numbers"):
        _ = Variable(1.0) & True
    with pytest.raises(TypeError, match="use the `~` operator"):
        _ = -Variable(np.array([True]))


METHODS = """abs sign exp expm1 log log2 log10 log1p sqrt square sin cos tan arcsin arccos arctan
    sinh cosh tanh sigmoid relu softmax log_softmax norm logsumexp"""


@pytest.mark.parametrize("name", METHODS.split())
def test_a_function_after_the_dot(name):
    x = Variable(np.array([[0.25, 0.5]]))
    assert np.array_equal(getattr(x, name)().data, getattr(F, name)(x).data)


OTHERS = {"zero_grad": "cleargrad", "numpy": r"x\.data", "view": "reshape", "clone": r"copy\(\)"}
OTHERS |= {"requires_grad": "no_grad", "grad_fn": "creator", "unsqueeze": "expand_dims"}


@pytest.mark.parametrize("name", OTHERS)
def test_a_name_of_pytorch_says_ours(name):
    x = Variable(1.0)
    with pytest.raises(AttributeError, match=f"Variable has no {name}: .*{OTHERS[name]}"):
        getattr(x, name)
    assert not hasattr(x, name) and name not in dir(x)


@pytest.mark.parametrize(
    "thing, name, ours",
    [
        (L.Linear(1), "parameters", r"Linear has no parameters: write params\(\)"),
        (L.Linear(1), "zero_grad", "cleargrads"),
        (L.Linear(1), "state_dict", "save_weights"),
        (SGD(), "step", r"SGD has no step: write update\(\)"),
        (SGD(), "zero_grad", "cleargrads"),
    ],
)
def test_layers_and_optimizers_say_ours_too(thing, name, ours):
    with pytest.raises(AttributeError, match=ours):
        getattr(thing, name)


@pytest.mark.parametrize(
    "module, name, ours",
    [
        (dezero, "nn", "dezero.layers and dezero.models"),
        (dezero, "optim", "dezero.optimizers"),
        (dezero, "tensor", r"Variable\(np.array"),
        (dezero, "zeros", r"np.zeros\(shape\)"),
        (F, "cat", r"F.concat\(\[x, y\]\)"),
        (F, "relu_", r"F.relu\(x\)"),
        (F, "cross_entropy", "F.softmax_cross_entropy"),
        (F, "mse_loss", "F.mean_squared_error"),
        (F, "negative", r"F.neg\(x\)"),
        (F, "array", r"np.array"),
    ],
)
def test_modules_say_ours_too(module, name, ours):
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': write {ours}"):
        getattr(module, name)


def test_the_advice_names_what_is_there():
    """And no name that we have is called another."""
    for place, advice in ADVICE.items():
        package, _, name = place.rpartition(".")
        assert not hasattr(import_module(package), name), place
        if found := re.search(r"\b(F|np)\.(\w+)", advice):
            assert hasattr({"F": F, "np": np}[found[1]], found[2]), advice
    with pytest.raises(AttributeError, match="'nothing_known'$"):
        F.nothing_known  # noqa: B018


def test_requires_grad_cannot_be_set_in_vain():
    with pytest.raises(AttributeError, match=r"no_grad\(\)"):
        Variable(1.0).requires_grad = False  # pyright: ignore


def test_an_attribute_of_ones_own_may_have_such_a_name():
    class Image(Variable):
        def __init__(self, data):
            super().__init__(data)
            self.view = "from above"  # pyright: ignore

    assert Image(1.0).view == "from above"
    x = Variable(1.0)
    x.numel = 5  # pyright: ignore
    assert x.numel == 5


def test_the_methods_are_there_after_import_dezero(tmp_path):
    code = "from dezero import Variable; print(Variable(1.0).exp().log().item())"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "1.0\n"
