"""A program that is run twice, as it is and with its steps compiled, and all that it shows.

A program is a generator. It gets `wrap`, which is `compiled` or does nothing, and yields what is to
be compared, at the moment at which it yields it.
"""

import contextlib
import io
import warnings

import numpy as np

from dezero import Layer, Variable
from dezero.compiled import compiled
from dezero.optimizers import Optimizer


def frozen(thing):
    """What can be seen of a thing, bit for bit; one nan is like another."""
    if isinstance(thing, Variable):
        return type(thing).__name__, thing.name, frozen(thing.data), frozen(thing.grad)
    if isinstance(thing, (np.ndarray, np.generic)):
        bits = np.where(np.isnan(thing), np.nan, thing) if thing.dtype.kind == "f" else thing
        return type(thing).__name__, str(thing.dtype), np.shape(thing), bits.tobytes()
    if isinstance(thing, Layer):
        return [(name, frozen(param)) for name, param in thing.named_params()]
    if isinstance(thing, Optimizer):
        kept = [frozen(thing.kept.get(param)) for param in thing.target.params()]
        return thing.updates, thing.lr, kept
    if isinstance(thing, dict):
        return [(key, frozen(value)) for key, value in thing.items()]
    if isinstance(thing, (list, tuple)):
        return type(thing).__name__, [frozen(part) for part in thing]
    if isinstance(thing, BaseException):
        return type(thing).__name__, str(thing)
    return repr(thing)


def shown(program, wrap):
    """All that a program yields, prints, warns of, and draws at random."""
    found, printed = [], io.StringIO()
    np.random.seed(0)
    with warnings.catch_warnings(record=True) as told, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        for thing in program(wrap):
            found.append(frozen(thing))
    found.append(("printed", printed.getvalue()))
    # BLAS may or may not notice an invalid number
    heard = [w for w in told if not str(w.message).endswith((" in matmul", " in dot"))]
    said = {(w.category.__name__, str(w.message)) for w in heard}
    found.append(("warned", sorted(said)))
    found.append(("drawn", frozen(np.random.get_state())))
    return found


def as_it_is(step, *others, **options):
    return step


def compare(program):
    """Run a program both ways; all must be the same. Gives what it has compiled."""
    made = []

    def wrap(*args, **options):
        made.append(compiled(*args, **options))
        return made[-1]

    right, ours = shown(program, as_it_is), shown(program, wrap)
    for number, (one, other) in enumerate(zip(right, ours)):
        assert one == other, f"observation {number} of {len(right)}"
    assert len(right) == len(ours)
    return made


def outcome(step, *args, **options):
    """What a call gives, or the error that it raises."""
    try:
        return step(*args, **options)
    except Exception as error:
        return error
