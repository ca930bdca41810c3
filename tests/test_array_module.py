"""Arrays of another module stay there: no function makes one of NumPy's in their place.

CuPy needs a GPU. What stands in for it here is a module whose arrays are NumPy's, of a class of
their own, and which answer NumPy's functions as CuPy's arrays do.
"""

import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import ENTRIES, tried

from dezero import Parameter, Variable, grad, optimizers


class ndarray(np.ndarray):
    """An array that answers with arrays of its class, and never with a number."""

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return np.asarray(array).view(ndarray)

    def __array_function__(self, func, types, args, kwargs):
        found = super().__array_function__(func, types, args, kwargs)
        if hasattr(found, "_fields"):  # a tuple with names, as of slogdet
            return type(found)(*map(own, found))
        return type(found)(map(own, found)) if isinstance(found, (tuple, list)) else own(found)

    def __getitem__(self, index):
        return own(super().__getitem__(index))


def own(x):
    return np.asarray(x).view(ndarray) if isinstance(x, (np.ndarray, np.generic)) else x


@pytest.fixture
def cupy(monkeypatch):
    module = types.ModuleType("cupy")
    for name in dir(np):
        setattr(module, name, getattr(np, name))
    for name in "array asarray zeros ones full eye empty arange".split():
        function = getattr(np, name)
        setattr(module, name, lambda *a, f=function, **options: own(f(*a, **options)))
    module.ndarray = ndarray
    monkeypatch.setitem(sys.modules, "cupy", module)


@pytest.mark.parametrize("entry", [pytest.param(e, id=e.names.split()[0]) for e in ENTRIES])
def test_results_and_gradients_stay_in_the_module_of_the_operands(entry, cupy):
    @tried(5)
    @given(data=st.data())
    def check(data):
        shapes, options = data.draw(entry.drawn())
        rng = np.random.default_rng(0)
        xs = [Variable(own(place(rng, s))) for place, s in zip(entry.places, shapes)]
        y = entry.call(*xs, *options)
        assert isinstance(y.data, ndarray)
        ones = own(np.ones(y.shape))
        for create_graph in (False, True):
            for gx in grad(y, xs, ones, create_graph=create_graph):
                assert isinstance(gx.data, ndarray)

    check()


@pytest.mark.parametrize("name", "SGD MomentumSGD AdaGrad RMSprop AdaDelta Adam AdamW".split())
def test_what_an_optimizer_keeps_stays_in_the_module_of_the_parameter(name, cupy):
    class Holder:
        def __init__(self, *params):
            self.params = lambda: params

    for shape in [(2, 3), (300, 500)]:
        param = Parameter(own(np.ones(shape)))
        param.grad = Variable(own(np.ones(shape)))
        optimizer = getattr(optimizers, name)().setup(Holder(param))
        optimizer.update()
        assert isinstance(param.data, ndarray) and (param.data < 1).all()
        assert all(isinstance(array, ndarray) for array in optimizer.memory(param))
