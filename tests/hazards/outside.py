"""Numbers, functions and layers that change between two calls of a step."""

import contextlib
import functools
import weakref
from collections import namedtuple
from contextvars import ContextVar
from types import ModuleType, SimpleNamespace

import numpy as np
from twice import outcome

import dezero.functions as F
import dezero.layers as L
from dezero import Function, Parameter, Variable, no_grad, test_mode, using_config
from dezero.models import MLP
from dezero.optimizers import SGD
from hazards import (
    SHARES,
    Net,
    a_step,
    batches,
    between,
    chain,
    known,
    left,
    listed,
    mlp,
    written,
)

# --- numbers ------------------------------------------------------------------------------------


@written
def a_closures_number_changes_between_calls(wrap):
    def before(i):
        nonlocal weight
        weight = 1.0 if i < 4 else 0.5 * i

    net, weight = Net(), 1.0
    return net.run(wrap, lambda x, t: net.learn(weight * net.loss(x, t)), None, before, 8)


@written
def a_closures_number_changes_by_little_and_by_type(wrap):
    factor = 1
    fast = wrap(lambda x: F.sum(x * factor))
    x = np.array([1, 2, 3])
    changes = (1, 1, 1, 1.0, True, 1.0, -0.0, 0.0, np.float32(1), np.float64(1), 1, 2**40)
    for factor in changes:  # noqa: B007
        yield fast(Variable(x)), fast(Variable(x.astype(np.float32)))


@written
def a_global_number_changes(wrap):
    def before(i):
        global slope
        slope = 0.1 if i < 4 else 0.1 * i

    before(0)
    net = Net(lambda: mlp(5, 3, activation=lambda x: F.leaky_relu(x, slope)))
    return net.run(wrap, before=before, calls=8)


@between(model=lambda: chain(L.Linear(5), F.relu, L.Dropout(0.5), L.Linear(3)))
def an_attribute_of_a_layer_changes(net, i):
    if i >= 4:
        net.model.l2.dropout_ratio = 0.1 * i


@written
def an_attribute_of_a_readers_model_changes(wrap):
    class Scaled(MLP):
        scale = 1.0

        def forward(self, x):
            return super().forward(x) * self.scale

    def before(i):
        if i == 4:
            net.model.scale = 2.0
        if i == 6:
            del net.model.scale
            Scaled.scale = 3.0

    net = Net(lambda: known(Scaled((5, 3))))
    return net.run(wrap, before=before, calls=8)


@written
def an_element_of_a_list_and_of_a_dict_changes(wrap):
    rates, options = [1.0, 2.0], {"power": 2}

    def step(x):
        y = F.sum(rates[1] * x ** options["power"])
        x.cleargrad()
        y.backward()
        return y

    x = Variable(np.array([1.0, 2.0]))
    fast = wrap(step)
    for i in range(8):
        rates[1] = 2.0 if i < 4 else i
        options["power"] = 2 if i < 6 else 3
        yield fast(x), x


@written
def what_is_in_a_set_and_the_order_of_a_dict_change(wrap):
    chosen, shifts = {1, 2}, {"a": 1.0, "b": 2.0}

    def step(x):
        y = F.sum(x) if 1 in chosen else F.sum(x * 2)
        for shift in shifts.values():
            y = (y + shift) * shift
        return y

    fast = wrap(step)
    for i in range(12):
        if i == 4:
            chosen.remove(1)
            chosen.add(5)
        if i == 8:
            shifts["a"] = shifts.pop("a")
        yield fast(np.array([1.0, 2.0]))


@written
def a_long_list_changes(wrap):
    table = [float(i) for i in range(300)]
    fast = wrap(lambda x: F.sum(x) * table[7])
    for i in range(8):
        table[7] = 7.0 if i < 4 else 0.5
        yield fast(np.array([1.0, 2.0]))


@left("the arrays, or the numbers that the step sees, were of 16 kinds")
def a_default_argument_and_an_attribute_of_an_object_change(wrap):
    config = SimpleNamespace(scale=1.0)

    def step(x, shift=1.0):
        return F.sum(x * config.scale + shift)

    fast, x = wrap(step), np.array([1.0, 2.0])
    for i in range(8):
        config.scale = 1.0 if i < 4 else i
        yield fast(x), fast(x, 2.0 + i // 4), fast(x, shift=i)


# --- numbers in odd places ----------------------------------------------------------------------


def a_number(place):
    """A program whose step reads a number in a place, which changes between calls."""

    def program(wrap):
        read, change = place()
        change(2.0)
        fast = wrap(lambda x: F.sum(x) * read())
        for i in range(8):
            change(2.0 if i < 4 else 1.0 + i)
            yield fast(np.array([1.0, 2.0]))

    return listed(functools.wraps(place)(program), None)


@a_number
def in_a_slot():
    class Slotted:
        __slots__ = ("n",)

    class Thing(Slotted):
        pass

    thing = Thing()
    return lambda: thing.n, lambda n: setattr(thing, "n", n)


@a_number
def that_a_descriptor_reads():
    space = {}

    class Reads:
        def __get__(self, thing, cls):
            return space["n"]

    class Thing:
        n = Reads()

    thing = Thing()
    return lambda: thing.n, lambda n: space.update(n=n)


@a_number
def that_an_operator_reads():
    space = {}

    class Thing:
        def __truediv__(self, other):
            return space["n"] / other

    thing = Thing()
    return lambda: thing / 2, lambda n: space.update(n=n)


@a_number
def that_a_setter_reads():
    space = {}

    class Thing:
        @property
        def n(self):
            return self.last

        @n.setter
        def n(self, value):
            self.last = value * space["n"]

    thing = Thing()

    def read():
        thing.n = 3.0
        return thing.n

    return read, lambda n: space.update(n=n)


@a_number
def in_a_module():
    module = ModuleType("helpers")
    return lambda: module.n, lambda n: setattr(module, "n", n)


@a_number
def in_a_module_of_a_module():
    module = ModuleType("helpers")
    module.more = ModuleType("helpers.more")
    return lambda: module.more.n, lambda n: setattr(module.more, "n", n)


@a_number
def of_a_kind_of_list():
    class Things(list):
        pass

    things = Things([1.0])
    return lambda: things.n, lambda n: setattr(things, "n", n)


@a_number
def that_a_method_of_a_tuple_reads():
    space = {}

    class Pair(namedtuple("Pair", "a, b")):
        def scaled(self):
            return self.a * space["n"]

    pair = Pair(1.0, 2.0)
    return lambda: pair.scaled(), lambda n: space.update(n=n)


@written
def numbers_in_a_named_tuple_and_in_a_frozen_set(wrap):
    rates = namedtuple("Rates", "a, b")(2.0, 3.0)
    chosen = frozenset({2.0})
    fast = wrap(lambda x: F.sum(x) * rates.a + rates.b * (rates.b in chosen))
    for i in range(8):
        if i == 4:
            rates, chosen = rates._replace(a=5.0), frozenset({3.0})
        yield fast(np.array([1.0, 2.0]))


@a_number
def that_is_read_from_an_array():
    table = np.ones(3)
    return lambda: table[0], table.fill


@a_number
def that_an_array_decides():
    table = np.ones(3)
    return lambda: 2.0 if table[0] > 2 else 3.0, table.fill


@a_number
def that_python_reads_from_an_array():
    thing = SimpleNamespace(table=np.ones(3))
    return lambda: float(thing.table[0]), thing.table.fill


@a_number
def in_an_array_in_a_tuple():
    tables = (np.ones(3), np.ones(2))
    return lambda: tables[0].sum(), tables[0].fill


@left(SHARES)
def an_array_outside_is_the_argument(wrap):
    table = np.arange(3.0)
    fast = wrap(lambda x: F.sum(x * table))
    for x in (table, table, table, np.ones(3), np.ones(3), np.ones(3), table, table[:]):
        yield fast(x)


@a_number
def of_a_class_of_classes():
    class Kind(type):
        n = 1.0

    class Thing(metaclass=Kind):
        pass

    return lambda: Thing.n, lambda n: setattr(Kind, "n", n)


@a_number
def of_a_kind_of_float():
    class Rate(float):
        pass

    rate = Rate(1.0)
    return lambda: rate.n, lambda n: setattr(rate, "n", n)


@a_number
def that_a_schedule_gives():
    rates, optimizer = [1.0], SGD(lambda n: rates[0])
    return lambda: optimizer.lr, lambda n: rates.__setitem__(0, n)


@a_number
def of_a_parameter():
    W = Parameter(np.ones(2))
    return lambda: W.n, lambda n: setattr(W, "n", n)


@a_number
def in_a_context():
    mode = ContextVar("mode")
    return lambda: mode.get(), mode.set


@a_number
def behind_a_weak_reference():
    class Thing:
        n = 1.0

    thing = Thing()
    link = weakref.ref(thing)
    return lambda: link().n, lambda n: setattr(thing, "n", n)


@a_number
def where_a_variable_was():
    class Thing:
        n = None

    thing = Thing()

    def read():
        if not isinstance(thing.n, float):
            thing.n = Variable(np.array(3.0))
        return thing.n

    return read, lambda n: setattr(thing, "n", None if n == 2 else n)


# --- arrays -------------------------------------------------------------------------------------


@written
def an_array_in_a_closure_is_changed_in_place(wrap):
    def before(i):
        if i >= 4:
            weights[...] += i

    net, weights = Net(), np.ones(3, np.float32)
    return net.run(wrap, weighed(net, lambda: weights), None, before, 8)


@written
def an_array_in_a_closure_is_another_one(wrap):
    def before(i):
        nonlocal weights
        if i >= 4:
            weights = np.full(3, i, np.float32)

    net, weights = Net(), np.ones(3, np.float32)
    return net.run(wrap, weighed(net, lambda: weights), None, before, 8)


def weighed(net, weights):
    """A step whose scores are weighed."""
    return lambda x, t: net.learn(F.softmax_cross_entropy(net.model(x) * weights(), t))


@written
def a_variable_in_a_closure_gets_other_data(wrap):
    w = Variable(np.ones(3))

    def step(x):
        y = F.sum(w * x**2)
        w.cleargrad()
        y.backward()
        return y

    fast = wrap(step)
    for i in range(8):
        if i >= 4:
            w.data = np.full(3 if i < 6 else (), float(i))
        yield fast(np.arange(3.0)), w


# --- functions ----------------------------------------------------------------------------------


@written
def the_function_in_a_closure_is_another_one(wrap):
    def before(i):
        nonlocal activation
        activation = F.relu if i < 4 else F.tanh

    activation = F.relu
    net = Net(lambda: mlp(5, 3, activation=lambda x: activation(x)))
    return net.run(wrap, before=before, calls=8)


@between(at=4)
def the_activation_of_a_model_is_another_one(net):
    net.model.activation = F.tanh


@written
def a_method_of_a_model_is_replaced(wrap):
    class Own(MLP):
        pass

    def before(i):
        if i == 4:
            Own.forward = lambda self, x: MLP.forward(self, x) * 2
        if i == 6:
            net.model.forward = lambda x: MLP.forward(net.model, x) * 3

    net = Net(lambda: known(Own((5, 3))))
    return net.run(wrap, before=before, calls=8)


@written
def a_functions_forward_is_replaced(wrap):
    class Twice(Function):
        def forward(self, x):
            return x * 2

        def backward(self, gy):
            return gy * 2

    def step(x):
        y = F.sum(Twice()(x))
        x.cleargrad()
        y.backward()
        return y

    x, fast = Variable(np.ones(3)), wrap(step)
    for i in range(8):
        if i == 4:
            Twice.forward = lambda self, x: x * 3
        if i == 6:
            Twice.backward = lambda self, gy: gy * 3
        yield fast(x), x


@written
def a_module_is_patched(wrap):
    def patch(i):
        F.tanh = before if i < 4 else F.sin

    net, before = Net(), F.tanh
    step = lambda x, t: net.learn(F.softmax_cross_entropy(F.tanh(net.model(x)), t))
    try:
        yield from net.run(wrap, step, None, patch, 8)
    finally:
        F.tanh = before


# --- switches -----------------------------------------------------------------------------------


def normed():
    return chain(L.Linear(5), L.BatchNorm(), L.Dropout(0.5), L.Linear(3))


@written
def switches_are_entered(wrap):
    model = normed()
    fast = wrap(lambda x: model(x), model)
    for x, _ in batches(4):
        yield fast(x), model
        with test_mode():
            yield fast(x), model
        with no_grad():
            yield fast(x), model
        with using_config("update_statistics", False):
            yield fast(x), model


@written
def no_grad_is_entered_around_training(wrap):
    net = Net()
    fast = wrap(net.train, net.model)
    for i, (x, t) in enumerate(batches(9)):
        with no_grad() if 4 < i < 7 else contextlib.nullcontext():
            yield outcome(fast, x, t), net.model


@a_step(model=normed)
def a_step_trains_and_tests(net, x, t):
    with test_mode(), no_grad():
        before = F.accuracy(net.model(x), t)
    return before, net.train(x, t)


@written
def numpys_error_state_is_changed(wrap):
    def step(x):
        x = Variable(x)
        y = F.sum(F.log(x))
        y.backward()
        return y, x.grad

    fast = wrap(step)
    for i in range(6):
        with np.errstate(divide="raise" if i == 4 else "ignore" if i == 5 else "warn"):
            yield outcome(fast, np.array([float(i % 4), 1.0]))


@left("detect_anomaly() watches every walk back")
def anomalies_are_looked_for_later(wrap):
    from dezero.anomaly import detect_anomaly

    net = Net()
    fast = wrap(net.train, net.model)
    for i, (x, t) in enumerate(batches(8)):
        if i == 5:
            x[0] = np.nan
        with detect_anomaly() if i > 3 else contextlib.nullcontext():
            found = outcome(fast, x, t)
            yield type(found) if isinstance(found, Exception) else found
        yield net.model
