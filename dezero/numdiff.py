#| export
import numpy as np

from dezero.core import Variable, as_variable

#| export
def array_of(y):
    "The array in a Variable; an array or number stays what it is."
    return y.data if isinstance(y, Variable) else y

def numerical_diff(f, x, eps=1e-4):
    "The derivative of `f` at `x` by the central difference; for arrays, of an `f` that works element by element. Book step 4."
    x = array_of(as_variable(x)).astype(float)
    up, down = f(Variable(x + eps)), f(Variable(x - eps))
    return (array_of(up) - array_of(down)) / (2 * eps)

#| export
def numerical_grad(f, x, *args, **kwargs):
    """The gradient of `f(x, *args, **kwargs)`, summed if it is an array, by central differences with a step of 1e-4. Book step 10.

    `x` is a Variable or an array of any shape, and stays unchanged. Returns a float64 array of the same shape, after two
    calls of `f` for every element.
    """
    x = np.array(array_of(as_variable(x)), dtype=float)
    gx, eps = np.empty_like(x), 1e-4
    def total(): return np.sum(array_of(f(Variable(x.copy()), *args, **kwargs)))
    for i in np.ndindex(x.shape):
        middle = x[i]
        x[i] = middle + eps; up = total()
        x[i] = middle - eps; down = total()
        x[i] = middle
        gx[i] = (up - down) / (2 * eps)
    return gx

#| export
def array_equal(a, b):
    "Do two Variables or arrays have the same shape and the same elements?"
    return np.array_equal(array_of(a), array_of(b))

def array_allclose(a, b, rtol=1e-4, atol=1e-5):
    "Are two Variables or arrays nearly equal? They must have the same shape, unless one is a single number."
    a, b = np.asarray(array_of(a)), np.asarray(array_of(b))
    return (a.shape == b.shape or () in (a.shape, b.shape)) and bool(np.allclose(a, b, rtol=rtol, atol=atol))

#| export
def report(found, tried, rtol, atol, where):
    "Print where two gradients differ most; `True` if they agree."
    if array_allclose(found, tried, rtol, atol): return True
    off = np.nan_to_num(abs(found - tried) / (atol + rtol * abs(tried)), nan=np.inf)
    i = np.unravel_index(np.argmax(off), off.shape)
    i = tuple(map(int, i))
    with np.errstate(all='ignore'): ratio = found[i] / tried[i]
    print(f'gradient_check failed: {where}, element {i}: backward says {found[i]:.6g}, trying says {tried[i]:.6g}, '
          f'ratio {ratio:.6g} ({np.sum(off > 1)} of {off.size} elements differ)')
    return False

#| export
def differentiable(x):
    "Is it a Variable, or an array of floats? Labels, shapes and options are not."
    return isinstance(x, Variable) or isinstance(x, np.ndarray) and x.dtype.kind == 'f'

def gradient_check(f, x, *args, rtol=1e-4, atol=1e-5, order=1, **kwargs):
    """Do the gradients that `backward` gives agree with those found by trying? Book step 10.

    Checks `x` and every other argument that is a Variable or an array of floats, and with `order=2` also the gradient
    of the gradient. The arguments stay unchanged. Prints what differs, and returns `True` or `False`.
    """
    given = (Variable(array_of(as_variable(x))), *args)
    places = [i for i, a in enumerate(given) if differentiable(a)]
    def g(*xs):
        filled = list(given)
        for i, a in zip(places, xs): filled[i] = a
        return f(*filled, **kwargs)
    xs = [Variable(np.array(array_of(given[i]), dtype=float)) for i in places]
    names = [f'argument {i}' for i in places]
    return check_order(g, xs, names, rtol, atol, order, 'derivative')

def check_order(g, xs, names, rtol, atol, order, what):
    "Check every output of `g` with respect to every one of `xs`, then the gradient of `g` in the same way."
    ys = g(*xs)
    many = isinstance(ys, (list, tuple))
    for k, y in enumerate(ys if many else [ys]):
        def output(*xs, k=k): return g(*xs)[k] if many else g(*xs)
        weight = np.random.default_rng(k).uniform(0.5, 1.5, y.shape)
        for i, (x, found) in enumerate(zip(xs, y.gradients(xs, weight))):
            def nudged(x, i=i): return array_of(output(*xs[:i], x, *xs[i + 1:])) * weight
            where = f'{what} of output {k} by {names[i]}'
            if not report(found.data, numerical_grad(nudged, x), rtol, atol, where): return False
        def gradient(*xs, output=output, weight=weight): return output(*xs).gradients(xs, weight, create_graph=True)
        if order > 1 and not check_order(gradient, xs, names, rtol, atol, order - 1, 'second ' + what): return False
    return True