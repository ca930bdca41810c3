"""One body for both worlds: what is computed elsewhere is what NumPy computes here.

What stands in for CuPy, and how strict it is, is told in `stand_in.py`.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import ENTRIES, tried
from stand_in import cupy as cupy
from stand_in import ndarray

from dezero import Variable, grad


def gradients(y, xs):
    """The value, the gradients, and the gradients of their sum of squares."""
    weights = [np.random.default_rng(1).uniform(0.5, 1.5, y.shape)]
    gy = Variable(carry_to(y.data, weights[0].astype(y.dtype)))
    gxs = grad(y, xs, gy, create_graph=True)
    plain = grad(y, xs, gy)
    total = sum([(gx * gx).sum() for gx in gxs])
    return y, *plain, *gxs, *grad(total, xs)


def carry_to(like, x):
    return ndarray(x) if isinstance(like, ndarray) else x


def carried(option):
    """A mask or labels among the options of a function, elsewhere."""
    if isinstance(option, tuple):
        return tuple(map(carried, option))
    return ndarray(option) if isinstance(option, np.ndarray) else option


@pytest.mark.parametrize("entry", [pytest.param(e, id=e.names.split()[0]) for e in ENTRIES])
def test_functions_give_elsewhere_what_they_give_here(entry, cupy):
    @tried(5)
    @given(data=st.data())
    def check(data):
        shapes, options = data.draw(entry.drawn())
        rng = np.random.default_rng(0)
        arrays = [place(rng, s) for place, s in zip(entry.places, shapes)]
        here = [Variable(x) for x in arrays]
        there = [Variable(ndarray(x)) for x in arrays]
        with np.errstate(all="ignore"):
            expected = gradients(entry.call(*here, *options), here)
            found = gradients(entry.call(*there, *carried(options)), there)
        for x, y in zip(found, expected):
            assert isinstance(x.data, ndarray) and x.dtype == y.dtype
            np.testing.assert_allclose(x.data.get(), y.data, 1e-10, 1e-10)

    check()
