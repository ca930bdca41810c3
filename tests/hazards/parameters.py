"""Parameters that are shared, replaced, changed and frozen; gradients and results that are kept."""

import copy
import pickle
import tempfile
from pathlib import Path

import numpy as np

import dezero.functions as F
import dezero.layers as L
from dezero import Parameter, Variable
from dezero.models import MLP
from dezero.optimizers import Adam, FreezeParam, MomentumSGD
from hazards import SHARES, Net, a_step, batches, between, chain, known, left, mlp, written

ADAM = {"optimizer": lambda: Adam(0.1)}


def square():
    """A model whose first two weights have one shape."""
    return chain(L.Linear(4), F.tanh, L.Linear(4), L.Linear(3))


# --- one array, or another layout, from the start -----------------------------------------------


@written
def two_layers_share_a_parameter(wrap):
    net = Net(square)
    net.model.l2.W = net.model.l0.W
    net.optimizer.setup(net.model)
    return net.run(wrap)


@left(SHARES)
def one_parameter_is_the_transposed_other(wrap):
    net = Net(lambda: chain(L.Linear(5), F.tanh, L.Linear(4), L.Linear(3)), **ADAM)
    net.model.l2.W.data = net.model.l0.W.data.T
    return net.run(wrap)


@left(SHARES)
def parameters_are_views_of_one_array(wrap):
    net, whole = Net(square, lambda: MomentumSGD(0.1)), np.random.randn(6, 4).astype(np.float32)
    net.model.l0.W.data, net.model.l2.W.data = whole[:4], whole[2:]
    return net.run(wrap, more=lambda: whole)


@written
def parameters_lie_in_fortran_order_and_backwards(wrap):
    net = Net(**ADAM)
    net.model.l0.W.data = np.asfortranarray(net.model.l0.W.data)
    net.model.l1.W.data = net.model.l1.W.data[::-1, ::-1]
    return net.run(wrap)


@between(calls=6)
def a_parameter_is_read_only(net, i):
    net.model.l0.W.data.setflags(write=False)


# --- what changes later -------------------------------------------------------------------------


@between(at=4)
def a_parameter_becomes_read_only(net):
    net.model.l0.W.data.setflags(write=False)


@between(at=4, **ADAM)
def a_parameter_gets_other_data(net):
    net.model.l0.W.data = net.model.l0.W.data * 2


@between(at=4, **ADAM)
def a_parameter_is_changed_in_place(net):
    net.model.l0.W.data *= 2


@between(at=4, **ADAM)
def a_parameter_gets_another_dtype(net):
    for p in net.model.params():
        p.data = p.data.astype(float)


@between(at=4, **ADAM)
def a_parameter_gets_another_layout(net):
    net.model.l0.W.data = np.asfortranarray(net.model.l0.W.data)


@between(at=4)
def a_parameter_gets_another_shape(net):
    net.model.l1.W.data = np.ones((5, 6), np.float32)
    net.model.l1.b.data = np.zeros(6, np.float32)


@between(at=4, **ADAM)
def a_parameter_object_is_replaced(net):
    net.model.l0.W = Parameter(np.ones((4, 5), np.float32))


@between(at=4, **ADAM)
def a_layer_is_replaced(net):
    net.model.l1 = known(L.Linear(3), 5)


@between(at=4, **ADAM)
def a_layer_is_added(net):
    net.model.layers.append(known(L.Linear(3), 3))


@written
def sizes_are_not_yet_known(wrap):
    return Net(lambda: MLP((5, 3)), **ADAM).run(wrap)


@between(model=square)
def two_parameters_become_one_array_later(net, i):
    if i == 4:
        net.model.l2.W.data = net.model.l0.W.data
    if i == 6:
        net.model.l2.b.data = net.model.l0.b.data[:]


@between(calls=12)
def a_parameter_is_frozen_and_unfrozen(net, i):
    if i == 4:
        net.optimizer.add_hook(FreezeParam(net.model.l0))
    if i == 8:
        net.optimizer.hooks.clear()


@a_step(calls=8)
def a_name_is_given(net, x, t):
    y = net.model(x)
    y.name = "scores"
    return y


@written
def a_model_is_copied_pickled_saved_and_loaded(wrap):
    net = Net(**ADAM)
    model = net.model
    twins = []

    def before(i):
        if i == 4:
            model.save_weights(Path(folder) / "w.npz")
            twins.extend([copy.deepcopy(model), pickle.loads(pickle.dumps(model))])
        if i == 7:
            model.load_weights(Path(folder) / "w.npz")

    with tempfile.TemporaryDirectory() as folder:
        yield from net.run(wrap, before=before, calls=10)
    yield twins, [twin(batches(1)[0][0]) for twin in twins]


# --- weights that the step changes --------------------------------------------------------------


@a_step()
def weights_are_changed_in_place_by_the_step(net, x, t):
    loss = net.differentiate(net.loss(x, t))
    for p in net.model.params():
        p.data -= 0.1 * p.grad.data
    return loss


@a_step()
def weights_are_replaced_by_the_step(net, x, t):
    loss = net.differentiate(net.loss(x, t))
    for p in net.model.params():
        p.data = p.data - 0.1 * p.grad.data
    return loss


@a_step()
def weights_are_clipped_after_the_update(net, x, t):
    loss = net.train(x, t)
    for p in net.model.params():
        np.clip(p.data, -0.1, 0.1, out=p.data)
    return loss


# --- gradients and results that stay ------------------------------------------------------------


def adds(net, x, t):
    """A step whose gradients are added to those that are there."""
    loss = net.loss(x, t)
    loss.backward()
    net.optimizer.update()
    return loss


@written
def gradients_are_there_before(wrap):
    def before(i):
        if i % 3 == 0:
            net.model.cleargrads()
        if i == 7:
            net.model.l0.W.grad = Variable(np.ones((4, 5), np.float32))

    net = Net()
    return net.run(wrap, lambda x, t: adds(net, x, t), None, before, 10)


@written
def gradients_are_changed_by_the_reader(wrap):
    def before(i):
        if i:
            net.model.l0.W.grad.data[...] = i
            net.model.l1.b.grad = None

    net = Net()
    return net.run(wrap, lambda x, t: adds(net, x, t), None, before, 9)


@a_step(calls=16, given=lambda i, x, t: (x, t, i % 2 == 1), **ADAM)
def gradients_add_up_over_two_calls(net, x, t, last):
    loss = net.loss(x, t) / 2
    loss.backward()
    if last:
        net.optimizer.update()
        net.model.cleargrads()
    return loss


@written
def gradients_add_up_and_are_used_outside(wrap):
    net = Net(**ADAM)

    def step(x, t):
        loss = net.loss(x, t)
        loss.backward()
        return loss

    fast = wrap(step, net.model)
    for i, (x, t) in enumerate(batches(16)):
        yield fast(x, t), net.model
        if i % 4 == 3:
            net.optimizer.update()
            net.model.cleargrads()
        yield net.model


@written
def gradients_of_before_are_kept_by_the_reader(wrap):
    net, kept = Net(), []
    fast = wrap(net.train, net.model)
    for x, t in batches():
        yield fast(x, t)
        kept.append((net.model.l0.W.grad, net.model.l0.W.grad.data))
    yield kept


@written
def results_of_before_are_kept_and_changed_by_the_reader(wrap):
    model, kept = mlp(), []

    def step(x):
        h = F.tanh(model.l0(x))
        y = model.l1(h)
        return {"y": y, "h": h.data, "again": y, "W": model.l0.W, "x": x, "T": y.data.T}

    fast = wrap(step, model)
    for i, (x, _) in enumerate(batches()):
        found = fast(x)
        yield found
        yield found["again"] is found["y"], found["W"] is model.l0.W, found["x"] is x
        if i % 2:
            found["y"].data[...] = 7
            found["h"][...] = 8
        kept.append(found)
    yield kept
