"""Chapter 66 beyond what the registry tries: singular matrices, vectors, dtypes, errors."""

import numpy as np
import pytest

import dezero.functions as F
from dezero import Variable, grad
from dezero.gradcheck import gradient_check

A = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])
ONE = [F.inv, F.det, lambda x: F.slogdet(x)[1], F.cholesky]


@pytest.mark.parametrize("f", ONE)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_dtypes(f, dtype):
    x, wide = Variable(A.astype(dtype)), Variable(A)
    y, want = f(x), f(wide)
    gx, gw = grad(y, x, create_graph=True), grad(want, wide, create_graph=True)
    kind = np.dtype(dtype) if np.dtype(dtype).kind == "f" else np.dtype(float)
    assert y.dtype == gx.dtype == grad(gx, x).dtype == kind
    rtol = 5e-3 if dtype == np.float16 else 1e-5
    for a, b in ((y, want), (gx, gw), (grad(gx, x), grad(gw, wide))):
        np.testing.assert_allclose(a.data, b.data, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_determinant_of_a_singular_matrix_has_a_gradient(rank):
    rows = np.random.default_rng(0).normal(size=(3, rank))
    x = Variable(rows @ rows.T)
    minors = [[np.delete(np.delete(x.data, i, 0), j, 1) for j in range(3)] for i in range(3)]
    signs = np.array([[1, -1, 1], [-1, 1, -1], [1, -1, 1]])
    np.testing.assert_allclose(grad(F.det(x), x).data, signs * np.linalg.det(minors), atol=1e-12)


def test_vectors_and_stacks():
    b = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(F.solve(A, b).data, np.linalg.solve(A, b))
    assert gradient_check(F.solve, A, b, order=2)
    assert gradient_check(F.solve, np.stack([A, 2 * A]), np.eye(3)[:, :2], order=2)
    assert F.solve(np.stack([A, A]), b).shape == (2, 3)
    assert F.linalg.inv is F.inv


def test_the_sign_is_flat():
    x = Variable(-A)
    sign, size = F.slogdet(x)
    assert sign.data == -1 and not grad(sign, x).data.any()
    np.testing.assert_allclose(size.data, np.log(np.linalg.det(A)))


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: F.inv(Variable(np.ones((2, 2)))), r"Singular matrix(.|\n)*in Inv"),
        (lambda: F.inv(Variable(np.ones((2, 3)))), r"must be square(.|\n)*in Inv"),
        (lambda: F.cholesky(Variable(-A)), "not positive definite"),
        (lambda: F.inv(Variable(np.ones(3))), "dimensional"),
    ],
)
def test_messages(wrong, message):
    with pytest.raises(np.linalg.LinAlgError, match=message):
        wrong()
