"""Hooks on a gradient: when they are called, with what, and what becomes of what they return."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import dezero.functions as F
from dezero import Parameter, Variable, grad, no_grad
from dezero.backprop import hooked
from dezero.transformations import checkpoint


def twice(g):
    return g * 2


@pytest.fixture(autouse=True)
def _none_is_left():
    yield
    gc.collect()
    assert not hooked


@pytest.mark.torch
@pytest.mark.parametrize("where", ["leaf", "middle", "output", "used twice"])
@pytest.mark.parametrize("order", [1, 2])
def test_a_hook_sees_and_changes_what_it_does_in_torch(where, order):
    import torch

    def run(x, one, derive):
        seen = []

        def hook(g):
            seen.append(g.tolist())
            return g * g + one

        a = x * x
        b = a * x if where == "used twice" else a
        y = (a * b).sum()
        {"leaf": x, "output": y}.get(where, a).register_hook(hook)
        g = derive(y, x)
        return seen, g.tolist() if order == 1 else derive(g.sum(), x).tolist()

    data = np.array([1.0, -2.0, 0.5])
    ours = run(Variable(data), 1.0, lambda y, x: grad(y, x, create_graph=True))
    theirs = run(
        torch.tensor(data, requires_grad=True),
        1.0,
        lambda y, x: torch.autograd.grad(y, x, create_graph=True)[0],
    )
    for mine, right in zip(ours, theirs):
        np.testing.assert_allclose(mine, right, rtol=1e-12)


def test_a_hook_is_called_once_with_the_whole_gradient():
    x, seen = Variable(2.0), []
    a = x * x
    a.register_hook(seen.append)
    x.register_hook(seen.append)
    (a + a * 3).backward()
    assert [float(g) for g in seen] == [4, 16] and all(isinstance(g, Variable) for g in seen)


def test_what_is_returned_reaches_grad_and_adds_up():
    x = Variable(np.array([1.0, 2.0], np.float32))
    x.register_hook(twice)
    for _ in range(2):
        (x * 3).backward()
    assert x.grad.data.tolist() == [12, 12] and x.grad.dtype == np.float32
    assert grad(x * 3, x).data.tolist() == [6, 6]


def test_a_leaf_that_is_the_output():
    x = Variable(3.0)
    x.register_hook(twice)
    x.backward()
    assert x.grad.data == 2


def test_several_hooks_one_after_the_other():
    x = Variable(3.0)
    x.register_hook(twice)
    handle = x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: None)
    assert grad(x * 5, x).data == 11
    handle.remove()
    handle.remove()
    assert grad(x * 5, x).data == 10


def test_what_stays_is_what_the_hook_returned():
    x = Variable(3.0)
    a = x * 2
    y = a * a
    a.register_hook(twice)
    y.backward(retain_grad=True)
    assert a.grad.data == 24 and x.grad.data == 48
    assert [float(g) for g in grad(y, [a, x])] == [24, 48]


def test_one_of_several_outputs():
    x = Variable(np.arange(4.0))
    a, b = F.split(x, 2)
    a.register_hook(twice)
    (a.sum() + b.sum()).backward()
    assert x.grad.data.tolist() == [2, 2, 1, 1]
    a, b = F.split(x, 2)
    b.register_hook(twice)  # its gradient is none: not called
    assert grad(a.sum(), x).data.tolist() == [1, 1, 0, 0]


def test_a_part_whose_graph_is_made_again_is_seen_once():
    w, x, seen = Parameter(np.array(2.0)), Variable(3.0), []
    for v in (w, x):
        v.register_hook(lambda g: seen.append(float(g)) or g * 10)
    y = checkpoint(lambda x: x * w, x)
    for _ in range(2):
        assert [float(g) for g in grad(y + w, [w, x])] == [40, 20]
    assert sorted(seen) == [2, 2, 4, 4]
    gw = grad(y * y, w, create_graph=True)
    assert gw.data == 360 and grad(gw, x).data == 240 * 10


def test_recording_is_off_in_a_plain_walk_and_no_grad_needs_no_hook():
    x, creators = Variable(2.0), []
    x.register_hook(lambda g: creators.append((g * 1).creator))
    (x * 2).backward()
    with no_grad():
        y = x * 2
    assert creators == [None] and y.creator is None


def test_hooks_live_and_die_with_their_variable():
    def made():
        x = Variable(1.0)
        x.register_hook(lambda g: g * x.data)  # the hook holds x, and x the hook
        assert id(x) in hooked
        return weakref.ref(x)

    gone = made()
    gc.collect()
    assert gone() is None and not hooked


@pytest.mark.parametrize(
    "make", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_has_no_hooks(make):
    x = Parameter(np.array(1.0))
    x.register_hook(lambda g: g * 2)
    other = make(x)
    assert grad(other * 3, other).data == 3 and grad(x * 3, x).data == 6
    other.register_hook(lambda g: g * 5)
    assert grad(other * 3, other).data == 15 and grad(x * 3, x).data == 6


def test_what_does_not_fit_is_told():
    x = Variable(np.ones(3), "x")
    for wrong in (None, 3, "f"):
        with pytest.raises(TypeError, match="a hook is a function of the gradient, not"):
            x.register_hook(wrong)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(
        ValueError, match=r"gradient of shape \(3,\), and returned one of shape \(\)"
    ):
        (x * 2).backward()
    assert x.grad is None
    x = Variable(np.ones(3, np.float32))
    x.register_hook(lambda g: g.astype(float) * np.float64(2))
    assert grad(x * 1, x).dtype == np.float32
