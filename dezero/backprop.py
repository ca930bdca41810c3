#| export
from operator import attrgetter

import numpy as np

from dezero.core import Constant, Function, Variable, as_data, as_variable, describe, patch, using_config

#| export
def functions_behind(output):
    "Every function that `output` depends on, the youngest first: the one order in which a backward pass works."
    found = [] if output.creator is None else [output.creator]
    seen = set(found)
    for f in found:  # the list grows while we walk along it
        for x in f.inputs or ():
            if x.creator is not None and x.creator not in seen:
                seen.add(x.creator)
                found.append(x.creator)
    return sorted(found, key=attrgetter('birth'), reverse=True)

#| export
@patch
@property
def generation(self: Variable):
    "Length of the longest way back to a Variable without creator. Book step 16."
    depth = {None: 0}
    for f in reversed(functions_behind(self)):
        depth[f] = 1 + max([depth[x.creator] for x in f.inputs], default=0)
    return depth[self.creator]

@patch
@property
def generation(self: Function):
    "The largest generation among the inputs. Book step 16."
    return max([x.generation for x in self.inputs], default=0)

#| export
def slot(x):
    "The key under which a walk collects the derivative of `x`: its creator (numbered, if that has several outputs), or `x` itself."
    if x.creator is None: return x
    return (x.creator, x.index) if x.index else x.creator

def collect(f, grads, kept=()):
    "Take out what has arrived for the outputs of `f`, zeros where nothing came; `None` if nothing came at all."
    slots = [f] if len(f.ys) < 2 else [f] + [(f, i) for i in range(1, len(f.ys))]
    gys = [grads.get(s) if s in kept else grads.pop(s, None) for s in slots]
    if len(gys) == 1 or all([gy is None for gy in gys]): return None if gys[0] is None else gys
    return [np.zeros(y.shape, grad_dtype(y)) if gy is None else gy for gy, y in zip(gys, f.ys)]

#| export
@patch
def derive(self: Function, gys, operands):
    "Pairs of an input and its gradient, by the rules. The operands are arrays or Variables, and so are the gradients."
    if self.rules is None or len(self.rules) != len(self.inputs):
        raise NotImplementedError(f'{type(self).__name__} has {len(self.inputs)} inputs and {len(self.rules or ())} rules: '
                                  'define backward(self, gy), or rules with one for each input')
    pairs = []
    for x, rule in zip(self.inputs, self.rules):
        if x.__class__ is Constant: continue
        gx = rule(self, *gys, *operands)
        if gx.shape != x.data.shape or gx.dtype != x.data.dtype: gx = fit(gx, x, self)
        pairs.append((x, gx))
    return pairs

#| export
@patch
def backward(self: Function, *gys):
    "Gradients of the outputs in, one gradient per input out, all Variables. Override it to write a derivative the book's way. Book step 6."
    operands = [*self.inputs, *[y() for y in self.outputs if self.needs_outputs]]
    return tuple([rule(self, *gys, *operands) for rule in self.rules or ()])

@patch
def derive_by_backward(self: Function, gys, create_graph):
    "The same pairs from a `backward` that a subclass defines."
    gxs = self.backward(*map(as_variable, gys))
    gxs = gxs if isinstance(gxs, (tuple, list)) else (gxs,)
    if len(gxs) != len(self.inputs):
        raise ValueError(f'{type(self).__name__}.backward returned {len(gxs)} gradients for {len(self.inputs)} inputs: '
                         'return one for each, None where there is none')
    pairs = [(x, as_variable(gx)) for x, gx in zip(self.inputs, gxs) if gx is not None and x.__class__ is not Constant]
    return [(x, fit(gx if create_graph else gx.data, x, self)) for x, gx in pairs]

#| export
@patch
def gradients(self: Function, gys, create_graph=False):
    "Pairs of an input and its gradient, given those of the outputs: arrays, or Variables with `create_graph`."
    if type(self).backward is not Function.backward: return self.derive_by_backward(gys, create_graph)
    if create_graph:
        operands = [*self.inputs, *[y() for y in self.outputs if self.needs_outputs]]
    else:
        operands = [x.data[()] for x in self.inputs]  # [()] takes the number out of a 0-d array, which is faster
        if self.needs_outputs: operands += self.ys
    return self.derive(gys, operands)

#| export
def apply(function, *xs):
    "Call `function` on Variables; on arrays run just its `forward`. So a rule may use functions and still work on both."
    return function(*xs) if isinstance(xs[0], Variable) else function.forward(*xs)

class SumTo(Function):
    "Sum over the axes along which `shape` would be stretched to the shape of `x`. Book step 40."
    def __init__(self, shape): self.shape = tuple(shape)
    def forward(self, x):
        extra = x.ndim - len(self.shape)
        if extra < 0 or any(m not in (1, n) for m, n in zip(self.shape, x.shape[extra:])):
            raise ValueError(f'shape {self.shape} cannot be stretched to {x.shape}, so the one cannot be summed to the other')
        axes = tuple(i for i, n in enumerate(x.shape) if i < extra or n != self.shape[i - extra])
        return x.sum(axes, keepdims=True).reshape(self.shape)
    def gx(self, gy, x): return apply(BroadcastTo(x.shape), gy)
    rules = gx,

class BroadcastTo(Function):
    "Stretch `x` to `shape` as NumPy does; the result is a read-only view. Book step 40."
    def __init__(self, shape): self.shape = tuple(shape)
    def forward(self, x): return np.broadcast_to(x, self.shape)
    def gx(self, gy, x): return gy
    rules = gx,

#| export
class Cast(Function):
    "`x` in another dtype; the gradient comes back in the dtype of `x`."
    def __init__(self, dtype): self.dtype = dtype
    def forward(self, x): return x.astype(self.dtype)
    def gx(self, gy, x): return gy
    rules = gx,

def grad_dtype(x):
    "The dtype of the gradient of `x`: its own, or float64 for integers."
    return x.dtype if x.dtype.kind == 'f' else np.dtype(float)

def fit(gx, x, f):
    "The gradient of `x` in the shape and dtype of `x`; `f`, whose rule gave it, is named if that cannot be done."
    if gx.shape != x.data.shape:
        try: gx = apply(SumTo(x.shape), gx)
        except ValueError:
            raise ValueError(f'{type(f).__name__} gave a gradient of shape {gx.shape} for its input {describe(x)}') from None
    return gx if gx.dtype == x.data.dtype or gx.dtype == grad_dtype(x) else apply(Cast(grad_dtype(x)), gx)

#| export
def propagate(output, gy, kept=(), create_graph=False):
    "Walk back from `output` with its gradient `gy`; return the gradients by slot, those of the starting boxes and of the slots in `kept`."
    grads = {slot(output): gy}
    with using_config('enable_backprop', create_graph):
        for f in functions_behind(output):
            gys = collect(f, grads, kept)
            for x, gx in f.gradients(gys, create_graph) if gys else ():
                s = slot(x)
                grads[s] = grads[s] + gx if s in grads else gx
    return grads

#| export
def start(output, gy, create_graph):
    "The gradient a walk starts with: `gy`, or ones. A `RuntimeError` if the graph behind `output` is gone."
    name = output.name or 'this Variable'
    if output.unlinked:
        raise RuntimeError(f'{name} has no graph behind it: {output.unlinked}. '
                           'Compute it again with the graph, then call backward()')
    gy = as_variable(np.ones(output.shape, grad_dtype(output)) if gy is None else gy)
    if gy.shape != output.shape:
        raise ValueError(f'the gradient of {name} must have its shape {output.shape}, not {gy.shape}')
    return gy if create_graph else gy.data

def hand_out(x, gx, given):
    "Add a gradient to `x.grad`; an array that somebody else holds is copied, so no two `grad`s share memory."
    if isinstance(gx, Variable):
        x.grad = gx if x.grad is None else x.grad + gx
    elif x.grad is not None:
        x.grad = Variable(as_variable(x.grad).data + gx)
    else:
        gx = as_data(gx)
        x.grad = Variable(gx.copy() if gx.base is not None or id(gx) in given else gx)
        given.add(id(x.grad.data))

#| export
@patch
def backward(self: Variable, retain_grad=False, create_graph=False):
    """Add the gradient of this Variable to the `grad` of every Variable it was computed from.

    The walk starts with `self.grad`, or with ones. Variables in between keep a `grad` only with `retain_grad`.
    With `create_graph` the gradients are part of a graph themselves and can be differentiated again.
    Book steps 7, 8, 16, 18 and 32.
    """
    gy = start(self, self.grad, create_graph)
    behind = functions_behind(self) if retain_grad else []
    between = {slot(x): x for f in behind for x in f.inputs if x.creator}
    grads = propagate(self, gy, between, create_graph)
    self.grad = as_variable(gy) if retain_grad else None
    given = {id(gy)}
    for s, gx in grads.items():
        x = between.get(s, s)
        if isinstance(x, Variable): hand_out(x, gx, given)

@patch
def cleargrad(self: Variable):
    "Forget the gradient, so that the next one is not added to it. Book step 14."
    self.grad = None

#| export
@patch
def gradients(self: Variable, inputs, grad_output=None, create_graph=False):
    "The gradients with respect to a list of Variables; zeros where no way leads from one to the other."
    keep = {slot(x) for x in inputs}
    grads = propagate(self, start(self, grad_output, create_graph), keep, create_graph)
    return [as_variable(grads[slot(x)] if slot(x) in grads else np.zeros(x.shape, grad_dtype(x))) for x in inputs]

def grad(output, inputs, grad_output=None, create_graph=False):
    """The gradient of `output` with respect to `inputs`, returned; every `.grad` stays as it is.

    `inputs` is a Variable, or a list or tuple of them, and so is the result. Any Variable of the graph may be asked
    for. The walk starts with `grad_output`, or with ones. With `create_graph` the result can be differentiated again.
    """
    if isinstance(inputs, Variable): return output.gradients([inputs], grad_output, create_graph)[0]
    return type(inputs)(output.gradients(inputs, grad_output, create_graph))

#| export
@patch
def unchain(self: Variable):
    "Forget the creator: this Variable keeps its data and becomes a start of the graph."
    if self.creator is not None: self.creator, self.unlinked = None, 'unchain() has cut it off'

@patch
def unchain_backward(self: Variable):
    "Let go of the whole graph behind this Variable, which keeps its own creator. Book step 59."
    for f in functions_behind(self):
        for x in f.inputs: x.unchain()
    if self.creator is not None: self.unlinked = 'unchain_backward() has let go of it'