#| export
import operator

import numpy as np

from dezero.backprop import apply
from dezero.core import Constant, Function, Variable, as_data, births, patch, recording

#| export
class Add(Function):
    "`x0 + x1`. Book step 11."
    def forward(self, x0, x1): return x0 + x1
    def gx0(self, gy, x0, x1): return gy
    def gx1(self, gy, x0, x1): return gy
    rules = gx0, gx1

class Sub(Function):
    "`x0 - x1`. Book step 22."
    def forward(self, x0, x1): return x0 - x1
    def gx0(self, gy, x0, x1): return gy
    def gx1(self, gy, x0, x1): return -gy
    rules = gx0, gx1

class Mul(Function):
    "`x0 * x1`. Book step 20."
    def forward(self, x0, x1): return x0 * x1
    def gx0(self, gy, x0, x1): return gy * x1
    def gx1(self, gy, x0, x1): return gy * x0
    rules = gx0, gx1

class Div(Function):
    "`x0 / x1`. Book step 22."
    def forward(self, x0, x1): return x0 / x1
    def gx0(self, gy, x0, x1): return gy / x1
    def gx1(self, gy, x0, x1): return -gy * x0 / x1 ** 2
    rules = gx0, gx1

class Neg(Function):
    "`-x`. Book step 22."
    def forward(self, x): return -x
    def gx(self, gy, x): return -gy
    rules = gx,

#| export
class Pow(Function):
    "`x ** c` for a number `c`. Book step 22."
    def __init__(self, c): self.c = c
    def forward(self, x): return x ** self.c
    def gx(self, gy, x): return gy * self.c * x ** (self.c - 1) if self.c != 0 else gy * 0
    rules = gx,

class Power(Function):
    "`x0 ** x1`, differentiable in both; by the exponent where the base is positive, 0 where it is 0."
    def forward(self, x0, x1): return x0 ** x1
    def gx0(self, gy, x0, x1): return gy * x1 * x0 ** (x1 - 1)
    def gx1(self, gy, x0, x1): return gy * x0 ** x1 * apply(LogOrZero(), x0)
    rules = gx0, gx1

class LogOrZero(Function):
    "`log(x)`, and 0 at 0: what the derivative of a power by its exponent needs."
    def forward(self, x): return np.log(np.where(x == 0, 1.0, x))
    def gx(self, gy, x): return gy / (x + (x == 0))
    rules = gx,

#| export
def two_operands(function, compute):
    "A function of two operands: box, compute, record, all in a single Python frame. Failing is left to `function`, which says why."
    def operate(x0, x1):
        if not (isinstance(x0, Variable) and isinstance(x1, Variable)): x0, x1 = function().box((x0, x1))
        try: data = as_data(compute(x0.data, x1.data))
        except Exception: return function()(x0, x1)
        y = Variable(data)
        if recording.get():
            y.creator = f = function()
            f.inputs, f.birth, f.ys = (x0, x1), next(births), (data,)
        else: y.unlinked = 'it was computed under no_grad()'
        return y
    operate.__doc__ = function.__doc__
    return operate

add = two_operands(Add, np.add)
sub = two_operands(Sub, np.subtract)
mul = two_operands(Mul, np.multiply)
div = two_operands(Div, np.true_divide)
power = two_operands(Power, np.power)

def rsub(x0, x1):
    "`x1 - x0`."
    return sub(x1, x0)

def rdiv(x0, x1):
    "`x1 / x0`."
    return div(x1, x0)

def rpower(x0, x1):
    "`x1 ** x0`."
    return power(x1, x0)

def neg(x):
    "`-x`. Book step 22."
    return Neg()(x)

def pow(x, c):
    "`x ** c`, for a number or for a Variable `c`. Book step 22."
    return Pow(c)(x) if np.isscalar(c) else power(x, c)

#| export
OPERATORS = dict(
    __add__=add, __radd__=add, __sub__=sub, __rsub__=rsub, __mul__=mul, __rmul__=mul,
    __truediv__=div, __rtruediv__=rdiv, __pow__=pow, __rpow__=rpower, __neg__=neg,
)
for name, function in OPERATORS.items(): setattr(Variable, name, function)

def setup_variable():
    "Nothing to do: the operators are there from the start. Kept because programs call it."

#| export
UFUNCS = {np.add: add, np.subtract: sub, np.multiply: mul, np.true_divide: div, np.power: power, np.negative: neg}

def refuse(name):
    "The error for a NumPy function that was called on a Variable."
    return TypeError(f'np.{name} cannot compute with a Variable, it would lose the graph. Use the function {name} of '
                     f'dezero.functions to have it differentiated, or np.{name} on the array x.data if not')

@patch
def __array_ufunc__(self: Variable, ufunc, method, *inputs, **kwargs):
    "What NumPy calls for `array + variable`; other functions of NumPy are refused."
    if method != '__call__' or kwargs or ufunc not in UFUNCS: raise refuse(ufunc.__name__)
    return UFUNCS[ufunc](*inputs)

@patch
def __array_function__(self: Variable, function, types, args, kwargs):
    "What NumPy calls for `np.sum(variable)` and the like: refused."
    raise refuse(function.__name__)

#| export
class GetItem(Function):
    "`x[index]` for any index that NumPy knows. Book step 47."
    def __init__(self, index): self.index_ = index
    def forward(self, x): return x[self.index_]
    def gx(self, gy, x): return apply(PutItem(self.index_, x.shape), gy)
    rules = gx,

class PutItem(Function):
    "An array of zeros with `gy` added at `index`: the gradient of `GetItem`."
    def __init__(self, index, shape): self.index_, self.shape = index, shape
    def forward(self, gy):
        gx = np.zeros(self.shape, gy.dtype)
        if is_basic(self.index_): gx[self.index_] = gy
        else: np.add.at(gx, self.index_, gy)
        return gx
    def ggy(self, ggx, gy): return apply(GetItem(self.index_), ggx)
    rules = ggy,

def is_basic(index):
    "Made of numbers, slices, `None` and `...` only? Then no element is taken twice."
    parts = index if isinstance(index, tuple) else (index,)
    return all([i is None or i is ... or isinstance(i, (int, np.integer, slice)) for i in parts])

def get_item(x, index):
    "`x[index]`; an index may be a Variable, too. Book step 47."
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple([i.data if isinstance(i, Variable) else i for i in parts])
    return GetItem(parts if isinstance(index, tuple) else parts[0])(x)

class SwapAxes(Function):
    "`x` with two axes swapped; swapping again is its own gradient."
    def __init__(self, i, j): self.axes = i, j
    def forward(self, x): return x.swapaxes(*self.axes)
    def gx(self, gy, x): return gy.swapaxes(*self.axes)
    rules = gx,

@patch
def swapaxes(self: Variable, i, j):
    "This Variable with two axes swapped."
    return SwapAxes(i, j)(self)

#| export
class MatMul(Function):
    "`x0 @ x1` for vectors, matrices and stacks of matrices. Book step 41."
    def forward(self, x0, x1): return x0 @ x1
    def gx0(self, gy, x0, x1):
        if x1.ndim == 1: return gy[..., None] * x1
        if x0.ndim == 1: return (gy[..., None, :] @ x1.swapaxes(-1, -2))[..., 0, :]
        return gy @ x1.swapaxes(-1, -2)
    def gx1(self, gy, x0, x1):
        if x0.ndim == 1: return x0[:, None] * gy[..., None, :] if x1.ndim > 1 else x0 * gy
        if x1.ndim == 1: return (x0.swapaxes(-1, -2) @ gy[..., None])[..., 0]
        return x0.swapaxes(-1, -2) @ gy
    rules = gx0, gx1

def matmul(x, W):
    "`x @ W`. Book step 41."
    return MatMul()(x, W)

def rmatmul(W, x):
    "`x @ W`, asked from the right."
    return MatMul()(x, W)

UFUNCS[np.matmul] = matmul
Variable.__getitem__ = get_item
Variable.__matmul__, Variable.__rmatmul__ = matmul, rmatmul

#| export
def comparison(compare):
    "A comparison of Variables, arrays and numbers, as an array of bool."
    def ask(x0, x1): return compare(x0.data, x1.data if isinstance(x1, Variable) else x1)
    return ask

for name in ('lt', 'le', 'gt', 'ge'):
    setattr(Variable, f'__{name}__', comparison(getattr(operator, name)))
UFUNCS.update({np.less: operator.lt, np.less_equal: operator.le, np.greater: operator.gt, np.greater_equal: operator.ge})

#| export
@patch
def __float__(self: Variable):
    "The only element as a float."
    return float(self.data.item())

@patch
def __int__(self: Variable):
    "The only element as an int."
    return int(self.data.item())

@patch
def __bool__(self: Variable):
    "Is the only element other than zero? For more elements there is no single answer: a `ValueError`."
    if self.size == 1: return bool(self.data.item())
    raise ValueError(f'a Variable of shape {self.shape} is neither true nor false: use (x.data != 0).any() or .all()')

@patch
def __iter__(self: Variable):
    "The parts along the first axis, as Variables."
    if self.ndim == 0: raise TypeError('a Variable of shape () has no axis to go along')
    return (self[i] for i in range(len(self)))

#| export
class Abs(Function):
    "`|x|`; the gradient at 0 is 0."
    def forward(self, x): return np.abs(x)
    def gx(self, gy, x): return gy * apply(Sign(), x)
    rules = gx,

class Sign(Function):
    "-1, 0 or 1; flat, so its gradient is 0."
    def forward(self, x): return np.sign(x)
    def gx(self, gy, x): return gy * 0
    rules = gx,

@patch
def __abs__(self: Variable):
    "`|x|`."
    return Abs()(self)