"""A stand-in for CuPy, for machines without a GPU: arrays that live elsewhere.

They compute as NumPy's do, and are as strict as CuPy's:

- A function of NumPy that gets one of them runs here, and so does an operator. Beside a plain NumPy
  array, 0-d ones included, it is a `TypeError`; a number may come along.
- Nothing turns them into NumPy arrays silently: `np.asarray(x)` is a `TypeError`, `x.get()` is not.
- What CuPy lacks is missing: functions, methods and arguments are those of `cupy_api.txt`.
- Results stay arrays, also with no axes. There is no `flags.writeable`.

Only an index may be a NumPy array, which CuPy carries over by itself.
"""

import importlib
import operator
import os
import sys
import types
from functools import partial
from pathlib import Path

import numpy as np
import pytest

NUMBERS = bool, int, float, np.generic


def read_api():
    """Names and what they take, as CuPy has them."""
    lines = (Path(__file__).parent / "cupy_api.txt").read_text().splitlines()
    pairs = [line.partition(":")[::2] for line in lines if line[0] != "#"]
    return {name: tuple(words.split()) for name, words in pairs}


API = read_api()


def check_arguments(name, args, kwargs):
    """A `TypeError` for an argument that CuPy does not know."""
    known = API[name]
    many = any(word.startswith("*") and word[1] != "*" for word in known)
    most = len(args) if many else len(known)
    strange = [] if "**kwargs" in known else [key for key in kwargs if key not in known]
    if strange or len(args) > most:
        raise TypeError(f"cupy's {name} takes ({', '.join(known)}), not {strange or len(args)}")


def near(x, name):
    """What lies in the arrays among some arguments; a `TypeError` for an array of NumPy."""
    if isinstance(x, ndarray):
        return x._here
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)} in cupy.{name}")
    if isinstance(x, (list, tuple)):
        return type(x)([near(part, name) for part in x])
    if isinstance(x, dict):
        return {key: near(part, name) for key, part in x.items()}
    return x


def far(x):
    """A result as arrays of this module; what are no arrays are no arrays here either."""
    if hasattr(x, "_fields"):  # a tuple with names, as of slogdet
        return type(x)(*map(far, x))
    if isinstance(x, (list, tuple)):
        return type(x)(map(far, x))
    return ndarray(x) if isinstance(x, (np.ndarray, np.generic)) else x


def call(name, function, args, kwargs):
    """A function of NumPy, called as the one of CuPy."""
    check_arguments(name, args, kwargs)
    if name == "piecewise" and any(map(callable, args[2])):
        raise NotImplementedError("Callable functions are not supported currently")
    if name == "polyval" and not isinstance(args[0], ndarray):
        raise TypeError("p must be 1d ndarray or poly1d object")
    if name == "where" and not isinstance(args[0], (ndarray, np.generic)):
        raise AttributeError(f"{type(args[0])} object has no attribute 'astype'")
    return far(function(*near(args, name), **near(kwargs, name)))


class Ufunc:
    """A universal function. Of its methods CuPy has few."""

    def __init__(self, function):
        self.function, self.__name__ = function, function.__name__

    def __call__(self, *args, **kwargs):
        for x in (*args, *kwargs.values()):
            if isinstance(x, (list, tuple)):
                raise TypeError(f"Unsupported type {type(x)}")
        return far(self.function(*near(args, self.__name__), **near(kwargs, self.__name__)))

    def at(self, x, index, values=None):
        if self.function not in (np.add, np.subtract, np.maximum, np.minimum):
            raise NotImplementedError(f"{self.__name__}.at")
        self.function.at(x._here, carried(index), near(values, "at"))

    def reduceat(self, x, index, axis=0):
        if self.function is not np.add:
            raise NotImplementedError(f"{self.__name__}.reduceat")
        return ndarray(np.add.reduceat(x._here, near(index, "reduceat"), axis))

    def accumulate(self, *args, **kwargs):
        raise NotImplementedError(f"{self.__name__}.accumulate")


def carried(index):
    """An index, whose arrays may be of NumPy."""
    if isinstance(index, tuple):
        return tuple(map(carried, index))
    return index._here if isinstance(index, ndarray) else index


class ndarray:
    """An array on the card that is not there."""

    __array_priority__ = 100
    __hash__ = None

    def __init__(self, array):
        self._here = np.asarray(array)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if "out" in kwargs:
            (kwargs["out"],) = kwargs["out"]
        if method != "__call__" or ufunc.__name__ not in UFUNCS:
            return NotImplemented
        return Ufunc(ufunc)(*inputs, **kwargs)

    def __array_function__(self, function, kinds, args, kwargs):
        *path, _ = function.__module__.split(".")[1:] + [""]
        name = ".".join([*path, function.__name__])
        return call(name, function, args, kwargs) if name in API else NotImplemented

    def __array__(self, *args, **kwargs):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __getattr__(self, name):
        if name in API["attributes"]:
            return far(getattr(self._here, name))
        if f"ndarray.{name}" in API:
            return partial(self._call, name)
        raise AttributeError(f"cupy.ndarray has no attribute {name!r}")

    def _call(self, name, *args, **kwargs):
        check_arguments(f"ndarray.{name}", args, kwargs)
        if name == "take":
            return ndarray(self._here.take(*carried(args), **kwargs))
        if name in ("argmax", "argmin", "reshape", "astype"):
            kwargs = {key: x for key, x in kwargs.items() if x is not None}
        result = getattr(self._here, name)(*near(args, name), **near(kwargs, name))
        return result if name in ("item", "tolist", "tobytes") else far(result)

    def get(self):
        return self._here.copy()

    @property
    def base(self):
        return None if self._here.base is None else ndarray(self._here.base)

    @property
    def flags(self):
        flags = self._here.flags
        names = "c_contiguous", "f_contiguous", "owndata"
        return types.SimpleNamespace(**{name: getattr(flags, name) for name in names})

    def __getitem__(self, index):
        return ndarray(self._here[carried(index)])

    def __setitem__(self, index, value):
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self._here[carried(index)] = value._here if isinstance(value, ndarray) else value

    def __len__(self):
        return len(self._here)

    def __iter__(self):
        return map(ndarray, iter(self._here))

    def __repr__(self):
        return repr(self._here)

    def __str__(self):
        return str(self._here)

    def __format__(self, spec):
        return format(self._here, spec)

    def __bool__(self):
        return bool(self._here)

    def __float__(self):
        return float(self._here.item())

    def __int__(self):
        return int(self._here.item())

    def __copy__(self):
        return ndarray(self._here.copy())

    def __deepcopy__(self, memo):
        return ndarray(self._here.copy())


def define_operators():
    """`+` and the others: those of NumPy, as functions of this module."""

    def defers(x):
        return getattr(x, "__array_priority__", 0) > ndarray.__array_priority__

    def add(name, function):
        def operate(self, other):
            return NotImplemented if defers(other) else Ufunc(function)(self, other)

        def reflected(self, other):
            return NotImplemented if defers(other) else Ufunc(function)(other, self)

        def in_place(self, other):
            return Ufunc(function)(self, other, out=self)

        setattr(ndarray, f"__{name}__", operate)
        if name not in ("lt", "le", "gt", "ge", "eq", "ne"):
            setattr(ndarray, f"__r{name}__", reflected)
            if name != "matmul":
                setattr(ndarray, f"__i{name}__", in_place)

    for name in "add sub mul truediv floordiv mod pow and or xor lt le gt ge eq ne matmul".split():
        numpy_name = {"sub": "subtract", "mul": "multiply", "truediv": "true_divide"}
        numpy_name |= {"floordiv": "floor_divide", "mod": "remainder", "pow": "power"}
        numpy_name |= {"and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}
        numpy_name |= {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
        numpy_name |= {"eq": "equal", "ne": "not_equal"}
        add(name, getattr(np, numpy_name.get(name, name)))
    for name in ("neg", "pos", "invert", "abs"):
        function = getattr(operator, name)
        setattr(ndarray, f"__{name}__", lambda self, f=function: far(f(self._here)))


UFUNCS = {*API["ufuncs"], "matmul"}
define_operators()


def moved(x, *args, **kwargs):
    """`cupy.array` and `cupy.asarray`: what carries an array over."""
    return ndarray(np.array(x._here if isinstance(x, ndarray) else x, *args, **kwargs))


def as_moved(x, dtype=None):
    same = isinstance(x, ndarray) and dtype in (None, x.dtype)
    return x if same else moved(x, dtype)


def cupy_module():
    """A module to put into `sys.modules` under the name of cupy."""
    module = types.ModuleType("cupy")
    modules = {"": module}
    for name in sorted(API):
        *path, name_there = name.split(".")
        if name in ("ufuncs", "attributes") or path == ["ndarray"]:
            continue
        home, numpy_home = module, np
        for part in path:
            if not hasattr(home, part):
                setattr(home, part, types.ModuleType(f"cupy.{part}"))
            home, numpy_home = getattr(home, part), getattr(numpy_home, part)
        if not hasattr(numpy_home, name_there):
            continue  # a younger NumPy has it
        function = getattr(numpy_home, name_there)
        setattr(home, name_there, lambda *a, f=function, n=name, **k: call(n, f, a, k))
    for name in UFUNCS:
        if hasattr(np, name):
            setattr(module, name, Ufunc(getattr(np, name)))
    for name in "float16 float32 float64 int32 int64 bool_ dtype inf nan pi newaxis".split():
        setattr(module, name, getattr(np, name))
    module.ndarray, module.array, module.asarray = ndarray, moved, as_moved
    module.asnumpy = lambda x: x.get()
    draw_from(np.random.RandomState(0), module.random)
    module.__version__, module.is_available = "14.2", lambda: True
    card = {"name": b"a stand-in"}
    module.cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDeviceProperties=lambda i: card, getDeviceCount=lambda: 1)
    )
    return modules[""]


def draw_from(state, random):
    """A generator of its own, as CuPy has one."""
    for name in [name for name in vars(random) if hasattr(state, name)]:
        function = getattr(state, name)

        def draw(*args, dtype=None, f=function, **kwargs):
            drawn = np.asarray(f(*args, **kwargs))
            return ndarray(drawn if dtype is None else drawn.astype(dtype))

        setattr(random, name, draw)


@pytest.fixture
def cupy(monkeypatch):
    """The stand-in, in CuPy's place; CuPy itself, if DEZERO_GPU is set."""
    if os.environ.get("DEZERO_GPU"):
        return importlib.import_module("cupy")
    module = cupy_module()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module
