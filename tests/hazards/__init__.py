"""Programs that a compiled step could get wrong, and what they have in common.

A program is a generator, as twice.py runs it. Each is `written`, and then its steps are compiled,
or `left`, and they stay as they are for the reason that is given, or a `hazard`, and whether they
are compiled is their own affair. All show the same both ways.
"""

import copy
import functools
import io  # what is not used here is used by the expressions of forms()
import json
import math
import operator
import pickle
import statistics
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from twice import outcome

import dezero.functions as F
from dezero import no_grad
from dezero.models import MLP, Sequential
from dezero.optimizers import SGD

PROGRAMS = []
CHANGES = "the step changes what it sees"
SHARES = "an argument, or a parameter, shares memory with a parameter"
DECIDES = "it goes on to compute after an update, with numbers that decide how"


def listed(program, why):
    PROGRAMS.append(pytest.param(program, why, id=program.__name__.replace("_", " ")))
    return program


def hazard(program):
    return listed(program, None)


def written(program):
    return listed(program, "")


def left(why):
    return lambda program: listed(program, why)


# --- models and their data ----------------------------------------------------------------------


def batch(i, n=6, k=4, classes=3):
    """A batch of examples, another one for each `i`."""
    rng = np.random.default_rng(i)
    return rng.standard_normal((n, k)).astype(np.float32), rng.integers(0, classes, n)


def batches(count=6, **sizes):
    return [batch(i, **sizes) for i in range(count)]


def known(model, k=4):
    """A model whose sizes are known."""
    with no_grad():
        model(batch(0, k=k)[0])
    return model


def mlp(*sizes, **options):
    return known(MLP(sizes or (5, 3), **options))


def chain(*layers):
    return known(Sequential(*layers))


def training(model, optimizer=None, loss=F.softmax_cross_entropy):
    """The step that most programs have."""

    def step(x, t):
        y = loss(model(x), t)
        model.cleargrads()
        y.backward()
        if optimizer:
            optimizer.update()
        return y

    return step


class Net:
    """What most programs have: a model, its optimizer, and whatever else a step sees."""

    def __init__(self, model=mlp, optimizer=lambda: SGD(0.1), **others):
        self.model = model()
        self.optimizer = optimizer().setup(self.model)
        vars(self).update(copy.deepcopy(others))

    def loss(self, x, t):
        return F.softmax_cross_entropy(self.model(x), t)

    def differentiate(self, loss):
        self.model.cleargrads()
        loss.backward()
        return loss

    def learn(self, loss):
        self.differentiate(loss)
        self.optimizer.update()
        return loss

    def train(self, x, t):
        return self.learn(self.loss(x, t))

    def run(self, wrap, step=None, more=None, before=None, calls=6, given=None, fails=False):
        """A program: the calls of a step, one a batch, and all that is to be seen after each.

        `before(i)` is what happens before call `i`, `given(i, x, t)` makes of a batch what the step
        gets, `more()` is what else is to be seen. What `fails` may raise errors.
        """
        fast = wrap(step or self.train, self.model, self.optimizer)
        for i, (x, t) in enumerate(batches(calls)):
            if before:
                before(i)
            args = given(i, x, t) if given else (x, t)
            found = outcome(fast, *args) if fails else fast(*args)
            yield found, args, vars(self), more and more()


def a_step(why="", **options):
    """What stands below is the step of a program. It gets a net, and a batch."""

    def made(step):
        def program(wrap):
            net, how = parts(options)
            return net.run(wrap, functools.partial(step, net), **how)

        return listed(functools.wraps(step)(program), why)

    return made


def between(why="", at=None, **options):
    """What stands below happens to a net before call `i`, or only `at` one, of its training."""

    def made(action):
        def program(wrap):
            def before(i):
                if at is None:
                    action(net, i)
                elif at == i:
                    action(net)

            net, how = parts({"calls": 9, **options})
            return net.run(wrap, before=before, **how)

        return listed(functools.wraps(action)(program), why)

    return made


def parts(options):
    """The net, and how its step is run."""
    how = {name: options[name] for name in ("calls", "given", "fails") if name in options}
    return Net(**{name: part for name, part in options.items() if name not in how}), how


def each(given, why="", fails=False):
    """What stands below is the step of a program. It is called with each of what is `given`."""

    def made(step):
        def program(wrap):
            fast = wrap(step)
            for args in given():
                yield outcome(fast, *args) if fails else fast(*args), args

        return listed(functools.wraps(step)(program), why)

    return made


def forms(given, text):
    """Functions of what is given: the expressions of a text, between semicolons."""
    expressions = " ".join(text.split()).split("; ")
    return [eval(f"lambda {given}: {expression}", globals()) for expression in expressions]


from . import (  # noqa: E402  each adds its programs to the list
    arguments,
    derivatives,
    effects,
    functions,
    numbers,
    optimizers,
    outside,
    parameters,
    states,
)
