"""One body for both worlds: what is computed elsewhere is what NumPy computes here.

What stands in for CuPy, and how strict it is, is told in `stand_in.py`. On a machine with a GPU
`DEZERO_GPU=1 python -m pytest tests/test_array_module.py` asks CuPy itself.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import ENTRIES, tried
from stand_in import cupy as cupy

from dezero import Variable, grad
from dezero.cuda import as_numpy, get_array_module


def gradients(y, xs):
    """The value, the gradients, and the gradients of the sum of their squares."""
    weights = np.random.default_rng(1).uniform(0.5, 1.5, y.shape).astype(y.dtype)
    gy = Variable(get_array_module(y).asarray(weights))
    gxs = grad(y, xs, gy, create_graph=True)
    total = sum([(gx * gx).sum() for gx in gxs])
    return y, *grad(y, xs, gy), *gxs, *grad(total, xs)


def carried(option, xp):
    """A mask or labels among the options of a function, elsewhere."""
    if isinstance(option, tuple):
        return tuple([carried(part, xp) for part in option])
    return xp.asarray(option) if isinstance(option, np.ndarray) else option


@pytest.mark.parametrize("entry", [pytest.param(e, id=e.names.split()[0]) for e in ENTRIES])
def test_functions_give_elsewhere_what_they_give_here(entry, cupy):
    @tried(5)
    @given(data=st.data())
    def check(data):
        shapes, options = data.draw(entry.drawn())
        rng = np.random.default_rng(0)
        arrays = [place(rng, s) for place, s in zip(entry.places, shapes)]
        here = [Variable(x) for x in arrays]
        there = [Variable(cupy.asarray(x)) for x in arrays]
        with np.errstate(all="ignore"):
            expected = gradients(entry.call(*here, *options), here)
            found = gradients(entry.call(*there, *carried(options, cupy)), there)
        for x, y in zip(found, expected):
            assert isinstance(x.data, cupy.ndarray) and x.dtype == y.dtype
            np.testing.assert_allclose(as_numpy(x), y.data, 1e-10, 1e-10)

    check()
