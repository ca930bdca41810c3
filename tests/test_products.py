"""Chapter 09 beyond what the registry tries: errors, subscripts, and NumPy's `dot`."""

import itertools

import numpy as np
import pytest

import dezero.functions as F
from dezero import Variable, grad
from dezero.gradcheck import gradient_check

RNG = np.random.default_rng(0)


def box(*shape, **options):
    return Variable(np.random.default_rng(1).normal(size=shape), **options)


def test_subscripts_come_first():
    with pytest.raises(TypeError, match="the subscripts are a text and come first"):
        F.einsum(box(2, 3), "ij->ji")


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: F.einsum("ij,jk->ik", x), "'ij,jk->ik' speaks of 2 operands, not of 1"),
        (lambda x: F.einsum("ijk->i", x), "subscripts|dimensions"),
        (lambda x: x @ np.zeros((2, 4)), "left operand has length 3, the last but one .* one 2"),
        (lambda x: np.zeros((4, 3)) @ x, "left operand has length 3, the last but one .* one 2"),
        (lambda x: np.zeros(3) @ x, "left operand has length 3, the last but one .* one 2"),
        (lambda x: x @ np.zeros(2), "left operand has length 3, the only axis .* one 2"),
        (lambda x: x @ 2.0, r"a number is multiplied by \*"),
        (lambda x: 2.0 @ x, r"a number is multiplied by \*"),
    ],
)
def test_errors_name_the_function_and_its_operands(wrong, message):
    with pytest.raises(ValueError, match=rf"(?s){message}.*in \w+\(.*'x' \(2, 3\) float64"):
        wrong(box(2, 3, name="x"))


def test_the_left_operand_may_leave_the_product_to_the_right_one():
    x, W = box(2, 3), box(3, 4)
    np.testing.assert_allclose((x.data @ W).data, x.data @ W.data)
    np.testing.assert_allclose(W.__rmatmul__(x).data, x.data @ W.data)
    assert gradient_check(lambda W: W.__rmatmul__(x.data), W.data, order=2)


def test_stacks_of_matrices_that_do_not_fit():
    with pytest.raises(ValueError, match=r"axes before the matrices do not broadcast\n +in MatMul"):
        box(2, 3, 2) @ box(3, 2, 3)


def test_tensordot_says_which_axes_differ():
    with pytest.raises(
        ValueError, match=r"axes \[-1\] of shape \(2, 3\) and axes \[0\] of shape \(2, 3\)"
    ):
        F.tensordot(box(2, 3), box(2, 3), axes=1)
    for a, b, axes in (
        (box(2, 3), box(4), 3), (box(2, 3), box(3, 2, 3), 3), (box(2, 3), box(3, 2), (5, 0)),
        (box(2, 3), box(3, 2), ([0, 1], [0])), (box(2, 2), box(2, 2), ([0, 0], [0, 1])),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"axes \[.*\] of shape .* and axes \[.*\] of shape"):
            F.tensordot(a, b, axes)


def test_constants_beside_variables():
    x, c = box(2, 2), np.ones((2, 2))
    assert grad(F.einsum("ij,jk->ik", c, x), x).data.tolist() == [[2.0, 2.0]] * 2


EINSUMS = [
    ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]), ("ij", [(2, 3)]), ("ji", [(2, 3)]),
    ("ii", [(3, 3)]), ("ii->i", [(3, 3)]), ("iji->j", [(3, 2, 3)]), ("iii->i", [(2, 2, 2)]),
    ("...->...", [(2, 3)]), ("i...->...i", [(2, 3, 4)]), ("...i->", [(2, 3, 4)]),
    ("i,j,k->kji", [(2,), (3,), (2,)]), ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]),
    ("ij,ij,ij->i", [(2, 3)] * 3), ("bi,bj,ij->b", [(4, 2), (4, 3), (2, 3)]),
    ("i,i->", [(3,), (1,)]), ("ij,j", [(2, 3), (3,)]), ("ab , bc -> ac", [(2, 3), (3, 2)]),
    ("...i,...i->...", [(4, 1, 3), (2, 3)]), (",->", [(), ()]), ("i,->i", [(3,), ()]),
    ("ii,jj->ij", [(2, 2), (3, 3)]), ("Aa,aB->AB", [(2, 3), (3, 2)]),
]  # fmt: skip


@pytest.mark.parametrize("subscripts, shapes", EINSUMS)
def test_einsum(subscripts, shapes):
    arrays = [RNG.normal(size=shape) for shape in shapes]
    y = F.einsum(subscripts, *map(Variable, arrays))
    if subscripts != "...i->":  # here NumPy wants the dots in the result, torch does not
        np.testing.assert_allclose(y.data, np.einsum(subscripts, *arrays), atol=1e-12)
    assert gradient_check(lambda *xs: F.einsum(subscripts, *xs), *arrays, order=2)


@pytest.mark.torch
@pytest.mark.parametrize("subscripts, shapes", [case for case in EINSUMS if "iii" not in case[0]])
def test_einsum_as_torch_has_it(subscripts, shapes):
    import torch

    arrays = [RNG.normal(size=shape) for shape in shapes]
    ours, theirs = map(Variable, arrays), [torch.tensor(a, requires_grad=True) for a in arrays]
    ours = list(ours)
    y, t = F.einsum(subscripts, *ours), torch.einsum(subscripts, *theirs)
    np.testing.assert_allclose(y.data, t.detach().numpy(), atol=1e-12)
    t.sum().backward()
    for gx, x in zip(grad(y, ours), theirs):
        assert x.grad is not None
        np.testing.assert_allclose(gx.data, x.grad.numpy(), atol=1e-12)


def test_einsum_keeps_float32():
    x, W = (Variable(np.ones((3, 3), dtype=np.float32)) for _ in range(2))
    for subscripts in ("ij,jk->ik", "ii,ij->j", "ij,kl->"):
        y = F.einsum(subscripts, x, W)
        assert y.dtype == np.float32
        for gx in grad(y, [x, W], create_graph=True):
            assert gx.dtype == np.float32


@pytest.mark.parametrize(
    "left, right",
    [*itertools.product([(), (3,), (2, 3), (4, 2, 3)], [(), (3,), (3, 2), (2, 3, 4)])],
)
def test_dot_is_that_of_numpy(left, right):
    a, b = RNG.normal(size=left), RNG.normal(size=right)
    np.testing.assert_allclose(F.dot(a, b).data, np.dot(a, b))
    assert gradient_check(F.dot, a, b, order=2)


def test_lists_of_numbers_for_letters():
    x, W = Variable(np.ones((2, 3))), Variable(np.ones((3, 4)))
    assert F.einsum(x, [0, 1], W, [1, 2]).shape == (2, 4)
    assert F.einsum(x, [5, 1], [1, 5]).shape == (3, 2)
    assert F.einsum(x, [..., 30], W, [30, 2], [2, ...]).shape == (4, 2)
    y = F.einsum(x, [0, 1], W, [1, 2], [])
    assert y.shape == () and grad(y, x).data.tolist() == [[4.0] * 3] * 2
