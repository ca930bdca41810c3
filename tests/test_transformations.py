"""Chapter 68: functions of functions against torch, and what a checkpoint saves."""

import tracemalloc

import numpy as np
import pytest

import dezero.functions as F
import dezero.layers as L
from dezero import Variable, grad, no_grad
from dezero.gradcheck import gradient_check
from dezero.transformations import checkpoint, hessian, hvp, jacobian, jvp, vjp

A = np.random.default_rng(0).normal(size=(2, 3))
V = np.random.default_rng(1).normal(size=(2, 3))


def many(x):
    return F.exp(x).sum(axis=1) * x[:, 0]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_torch_finds_the_same():
    import torch

    a, v = torch.tensor(A), torch.tensor(V)

    def torchs(x):
        return x.exp().sum(1) * x[:, 0]

    def number(x):
        return torchs(x).sum()

    pairs = [
        (jacobian(many)(A), torch.func.jacrev(torchs)(a)),
        (hessian(lambda x: many(x).sum())(A), torch.func.hessian(number)(a)),
        (jvp(many, (A,), (V,))[1], torch.func.jvp(torchs, (a,), (v,))[1]),
        (vjp(many, A)[1](V[:, 0])[0], torch.func.vjp(torchs, a)[1](v[:, 0])[0]),
        (
            hvp(lambda x: many(x).sum(), (A,), (V,))[1][0],
            torch.autograd.functional.hvp(number, a, v)[1],
        ),
    ]
    for ours, theirs in pairs:
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours.data, theirs.numpy(), rtol=1e-12)


def test_tables_can_be_differentiated():
    assert gradient_check(jacobian(many), A, order=2)
    assert gradient_check(lambda x: jvp(many, (x,), (V,))[1], A, order=2)
    x = Variable(np.float32(A))
    assert jacobian(many)(x).dtype == jvp(many, (x,), (V,))[1].dtype == np.float32
    table = jacobian(lambda a, b: a @ b, 1)(A, V.T)
    assert table.shape == (2, 2, 3, 2)


def test_what_the_inputs_do_not_reach():
    assert not jacobian(lambda x: x[:1])(np.ones(3)).data[0, 1:].any()


@pytest.mark.parametrize("order", [1, 2])
def test_a_checkpoint_changes_no_gradient(order):
    layer, x = L.Linear(4), Variable(A)

    def part(x):
        return F.tanh(layer(x))

    part(x)  # the weights are made
    found = []
    for y in (part(x * 2), checkpoint(part, x * 2)):
        gxs = grad(y.sum(), [x, *layer.params()], create_graph=True)
        if order == 2:
            gxs = grad((gxs[0] ** 2).sum(), [x, layer.W])
        found.append([gx.data for gx in gxs])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    with no_grad():
        assert checkpoint(part, x).creator is None


def test_a_checkpoint_needs_less_memory():
    def part(x):
        for _ in range(20):
            x = F.sin(x)
        return x

    def peak(run):
        x = Variable(np.ones(100_000))
        tracemalloc.start()
        for _ in range(5):
            x = run(x)
        x.backward()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(lambda x: checkpoint(part, x)) < 0.5 * peak(part)


@pytest.mark.parametrize("move", [jvp, hvp])
def test_each_input_needs_a_tangent_in_its_shape(move):
    x, v = np.ones(3), np.ones(2)
    with pytest.raises(TypeError, match=r"write \(x,\) and \(v,\)"):
        move(F.sum, x, x)
    for primals, tangents in [((x,), (v,)), ((x,), (x, x)), ((), ())]:
        with pytest.raises(ValueError, match="each input needs a tangent in its shape"):
            move(F.sum, primals, tangents)
