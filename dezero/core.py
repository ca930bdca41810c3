#| export
import copy, itertools, weakref
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import TYPE_CHECKING

import numpy as np

#| export
def as_array(x, array_module=np):
    "A Python or NumPy number as a 0-d array; whatever else comes in goes out as it is. Book step 9."
    return array_module.array(x) if np.isscalar(x) else x

#| export
def as_data(x):
    "`x` as an array of real numbers (bool, int or float); a `TypeError` says what to write instead if it is something else."
    array = x if type(x) is np.ndarray else as_array(x)
    if isinstance(array, np.ndarray) and array.dtype.kind in 'biuf': return array
    if isinstance(x, (list, tuple)): cure = 'write np.array(...) around it, with rows of equal length'
    elif isinstance(x, np.ndarray): cure = f'its dtype is {x.dtype}; convert it to real numbers first, for instance with .astype(float)'
    else: cure = 'a box holds a number or a NumPy array of numbers'
    raise TypeError(f'{type(x)} is not supported: {cure}')

#| export
class Variable:
    "A box for an array of numbers, `data`, that remembers which function made it. Book step 1."
    __array_priority__ = 200  # in `array + variable` NumPy lets us answer
    index = 0                 # which of its creator's outputs this is
    unlinked = None           # why there is no graph behind it, if there could have been one

    def __init__(self, data, name=None):
        self.data = data if data is None else as_data(data)
        self.name = name
        self.grad = None
        self.creator = None

    if TYPE_CHECKING:
        shape: tuple[int, ...]
        ndim: int
        size: int
        dtype: np.dtype
        generation: int
        def __len__(self) -> int: ...
        def set_creator(self, func: 'Function') -> None: ...
        def cleargrad(self) -> None: ...
        def backward(self, retain_grad: bool = False, create_graph: bool = False) -> None: ...
        def unchain(self) -> None: ...
        def unchain_backward(self) -> None: ...

#| export
def patch(method):
    "Store a function (or property) on the class that annotates its first parameter, and return it."
    function = getattr(method, 'fget', method)
    cls = next(iter(function.__annotations__.values()))
    function.__qualname__ = f'{cls.__name__}.{function.__name__}'
    setattr(cls, function.__name__, method)
    return method

#| export
@patch
@property
def shape(self: Variable):
    "Shape of the array, as a tuple."
    return self.data.shape

@patch
@property
def ndim(self: Variable):
    "Number of axes."
    return self.data.ndim

@patch
@property
def size(self: Variable):
    "Number of elements."
    return self.data.size

@patch
@property
def dtype(self: Variable):
    "Type of the elements."
    return self.data.dtype

@patch
def __len__(self: Variable):
    "Length of the first axis."
    return len(self.data)

#| export
@patch
def __repr__(self: Variable):
    "`variable(...)` around the array, lines aligned. Book step 19."
    return 'variable(' + str(self.data).replace('\n', '\n' + ' ' * 9) + ')'

#| export
@patch
def _repr_html_(self: Variable):
    "The name, shape and dtype over the values, for notebooks."
    kind = 'empty' if self.data is None else f'shape {self.shape} &middot; {self.dtype}'
    head = f'<b>{escape(self.name or "variable")}</b> <small>{kind}</small>'
    grad = '' if self.grad is None else f'\ngrad {escape(str(getattr(self.grad, "data", self.grad)))}'
    return (f'<div class="dz-variable" style="display:inline-block;border-left:.3em solid #e8973a;padding:.1em .8em">'
            f'{head}<pre style="margin:.2em 0;background:none;text-align:left">{escape(str(self.data))}{grad}</pre></div>')

#| export
births = itertools.count()

class Function:
    "A step of a computation: subclasses define `forward` on arrays, and calling one turns Variables into Variables. Book step 2."
    inputs = None         # the Variables it was called with, once that is recorded
    birth = None          # when: later ones may depend on earlier ones, never the reverse
    ys, refs = (), ()     # what it made: the arrays, and weak references to their boxes
    rules = None          # its derivative, one rule per input (chapter 02)
    needs_outputs = False # do the rules ask for the outputs, too?

    def __call__(self, *inputs):
        if self.inputs is not None and self.is_in_use(): return self.unused_copy()(*inputs)
        for x in inputs:
            if not isinstance(x, Variable): inputs = self.box(inputs)
        outputs = self.compute(inputs)
        if recording.get(): self.record(inputs, outputs)
        else:
            for y in outputs: y.unlinked = 'it was computed under no_grad()'
        return outputs[0] if len(outputs) == 1 else outputs

    def forward(self, *xs):
        "Arrays in, an array (or a tuple of arrays) out."
        raise NotImplementedError(f'{type(self).__name__} has no forward: define `def forward(self, x): ...` in the class')

    if TYPE_CHECKING:
        generation: int
        outputs: tuple
        def is_in_use(self) -> bool: ...
        def unused_copy(self) -> 'Function': ...
        def box(self, operands) -> tuple[Variable, ...]: ...
        def compute(self, inputs) -> list[Variable]: ...
        def record(self, inputs, outputs) -> None: ...
        def output(self, i: int) -> Variable: ...
        def backward(self, *gys): ...
        def gradients(self, gys, create_graph: bool = False): ...

#| export
@patch
def record(self: Function, inputs, outputs):
    "Note who made what: the inputs and the birth of this function, and the creator of each output. Book steps 7 and 16."
    self.inputs, self.birth = inputs, next(births)
    self.ys = tuple([y.data for y in outputs])
    self.refs = [weakref.ref(y) for y in outputs]
    for i, y in enumerate(outputs): y.creator, y.index = self, i

#| export
@patch
def set_creator(self: Variable, func: Function):
    "Link this Variable to the function that made it, by hand."
    self.creator = func
    if func.birth is None: func.birth = next(births)

#| export
class Constant(Variable):
    "The box of an operand that was given as a plain number or array: no gradient is computed for it."

class Parameter(Variable):
    "A Variable that training changes, such as the weights of a layer. Book step 44."

def as_variable(obj):
    "A Variable passes through, anything else is boxed. Book step 21."
    return obj if isinstance(obj, Variable) else Variable(obj)

#| export
def adapt(x, dtypes):
    "A number as a 0-d array of the dtype in which NumPy would compute it with arrays of these dtypes; others pass."
    if not dtypes or not isinstance(x, (int, float, np.generic)): return x
    if len(dtypes) == 1 and dtypes[0].kind == 'f': return np.array(x, dtypes[0])
    return np.array(x, np.result_type(*dtypes, x.item() if isinstance(x, np.generic) else x))

@patch
def box(self: Function, operands):
    "The operands as Variables; what is not one yet becomes a `Constant`."
    arrays = [x.data if isinstance(x, Variable) else x for x in operands]
    dtypes = [x.dtype for x in arrays if isinstance(x, np.ndarray)]
    try:
        return tuple([x if isinstance(x, Variable) else Constant(as_data(adapt(x, dtypes))) for x in operands])
    except TypeError as error:
        raise TypeError(f'an operand of {type(self).__name__}: {error}') from None

#| export
def describe(x):
    "A Variable in an error message: `'W' (2, 3) float32`."
    kind = 'is empty, give it an array first' if x.data is None else f'{x.shape} {x.dtype}'
    return f'{x.name!r} {kind}' if x.name else kind

@patch
def compute(self: Function, inputs):
    "Run `forward` on the arrays and box the results; an error names the function and its operands."
    try:
        ys = self.forward(*[x.data for x in inputs])
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        error.args = (f'{error}\n  in {type(self).__name__}({", ".join(map(describe, inputs))})',)
        raise
    try:
        return [Variable(as_data(y)) for y in ys] if isinstance(ys, tuple) else [Variable(as_data(ys))]
    except TypeError as error:
        raise TypeError(f'{type(self).__name__}.forward must return an array, or a tuple of arrays. {error}') from None

#| export
switches = {name: ContextVar(name, default=True) for name in ('enable_backprop', 'train')}

def switch(name):
    "The `ContextVar` behind a switch; an unknown name is an `AttributeError`."
    if name in switches: return switches[name]
    raise AttributeError(f'Config has no switch {name!r}. There are: {", ".join(switches)}')

class Switchboard(type):
    "Lets `Config.train` read and write the value that holds in this thread and task."
    def __getattr__(cls, name): return switch(name).get()
    def __setattr__(cls, name, value): switch(name).set(value)

class Config(metaclass=Switchboard):
    "`Config.enable_backprop`: is the graph recorded? `Config.train`: do layers behave as in training? Book steps 18 and 54."

recording = switches['enable_backprop']

#| export
@contextmanager
def using_config(name, value):
    "Set a switch for the length of a `with` block (or of a decorated function)."
    var = switch(name)
    before = var.get()
    var.set(value)
    try: yield
    finally: var.set(before)

def no_grad():
    "A `with` block in which no graph is recorded. Book step 18."
    return using_config('enable_backprop', False)

def test_mode():
    "A `with` block in which layers behave as in testing: dropout is off, for one. Book step 54."
    return using_config('train', False)

#| export
@patch
def output(self: Function, i: int):
    "Output `i` as a Variable: the one that was handed out, or a new one in its place if that is gone."
    y = self.refs[i]() if self.refs else None
    if y is None:
        y = Variable(self.ys[i])
        y.creator, y.index = self, i
        self.refs = [*self.refs[:i], weakref.ref(y), *self.refs[i + 1:]]
    return y

@patch
@property
def outputs(self: Function):
    "One callable per output, each giving that output: `f.outputs[0]()`. Book step 17."
    return tuple([lambda i=i: self.output(i) for i in range(len(self.ys))])

#| export
@patch
def is_in_use(self: Function):
    "Can someone still reach what this object made when it was last called?"
    return not self.refs or any(ref() is not None for ref in self.refs)

@patch
def unused_copy(self: Function):
    "A copy of this function without its record."
    f = copy.copy(self)
    f.inputs = f.birth = None
    return f