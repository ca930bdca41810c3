"""Layers with a state: recurrent ones, batch norm, and models that keep what they computed."""

from types import SimpleNamespace

import numpy as np

import dezero.functions as F
import dezero.layers as L
from dezero import Model, test_mode
from dezero.models import MLP
from dezero.optimizers import Adam
from hazards import CHANGES, Net, a_step, batch, batches, between, chain, known, left, mlp, written

# --- recurrent layers ---------------------------------------------------------------------------


def recurrent(layer=L.RNN, out=3):
    """A factory of models with a recurrent layer and one more."""

    def made():
        model = Model()
        model.rnn, model.out = layer(5, in_size=4), L.Linear(out, in_size=5)
        return model

    return made


def windows(k):
    """For each call a window of three steps, and what should come out."""
    rng = np.random.default_rng(1)
    return lambda i, x, t: [rng.standard_normal((3, 2, n)).astype(np.float32) for n in (4, k)]


def learn_and_cut(net, loss):
    net.differentiate(loss)
    loss.unchain_backward()
    net.optimizer.update()
    return loss


@written
def a_recurrent_layer_goes_on_from_call_to_call(wrap):
    def before(i):
        if i == 6:
            net.model.rnn.reset_state()

    net = Net(recurrent())
    loss = lambda x, t: F.softmax_cross_entropy(net.model.out(net.model.rnn(x)), t)
    step = lambda x, t: learn_and_cut(net, loss(x, t))
    return net.run(wrap, step, lambda: net.model.rnn.h, before, 10)


@left("rnn_h has a graph, from the call before")
def a_sequence_without_unchain(wrap):
    net = Net(recurrent())
    step = lambda x, t: net.learn(F.softmax_cross_entropy(net.model.out(net.model.rnn(x)), t))
    return net.run(wrap, step, calls=5)


@left("rnn_h has a graph, from the call before")
def a_lstm_reads_windows(wrap):
    def before(i):
        if i in (0, 5):
            rnn.reset_state()

    net = Net(recurrent(L.LSTM, 2), lambda: Adam(0.1))
    rnn = net.model.rnn
    step = lambda xs, ts: learn_and_cut(net, F.sum((net.model.out(rnn.sequence(xs)) - ts) ** 2))
    return net.run(wrap, step, lambda: (rnn.h, rnn.c), before, 8, windows(2))


@written
def truncated_backpropagation_through_time(wrap):
    net, rows = Net(recurrent(out=1)), windows(1)
    model = net.model

    def step(xs, ts, fresh):
        if fresh:
            model.rnn.reset_state()
        loss = 0
        for x, t in zip(xs, ts):
            loss += F.mean_squared_error(model.out(model.rnn(x)), t)
        return learn_and_cut(net, loss)

    given = lambda i, x, t: (*rows(i, x, t), i % 4 == 0)
    return net.run(wrap, step, lambda: model.rnn.h, calls=12, given=given)


# --- what was computed before -------------------------------------------------------------------


@left("held_h has a graph, from the call before")
def a_state_is_kept_from_call_to_call_and_differentiated_later(wrap):
    model = mlp()
    held = SimpleNamespace(h=None)

    def step(x):
        h = model.l0(x)
        held.h = h if held.h is None else held.h + h
        return F.sum(held.h)

    fast = wrap(step, model)
    for x, _ in batches(5):
        fast(x)
    total = F.sum(held.h**2)
    total.backward()
    yield total, model


@written
def a_model_keeps_its_last_result(wrap):
    class Keeping(MLP):
        last = None

        def forward(self, x):
            self.last = super().forward(x)
            return self.last

    net = Net(lambda: known(Keeping((5, 3))))
    return net.run(wrap, more=lambda: net.model.last)


@a_step(CHANGES, held=SimpleNamespace(y=np.zeros((6, 3), np.float32)))
def a_result_that_was_kept_is_used_in_the_next_call(net, x, t):
    y = net.model(x)
    loss = F.softmax_cross_entropy(y + net.held.y * 0.5, t)
    net.held.y = y.data
    return net.learn(loss)


# --- statistics, rows ---------------------------------------------------------------------------


def normed():
    return chain(L.Linear(5), L.BatchNorm(), F.relu, L.Linear(3))


@written
def running_statistics_of_batch_norm(wrap):
    net = Net(normed, lambda: Adam(0.1))
    yield from net.run(wrap)
    with test_mode():
        yield net.model(batch(9)[0])


@between(model=normed)
def statistics_are_set_back(net, i):
    if i == 4:
        for name, p in net.model.named_params():
            if "avg" in name:
                p.data = np.zeros_like(p.data)
    if i == 6:
        net.model.l1.decay = 0.5


@left("two calls did not compute the same")
def words_become_rows(wrap):
    def words():
        model = Model()
        model.embed, model.out = L.EmbedID(7, 4), L.Linear(3, in_size=4)
        return model

    def given(i, x, t):
        ids = rng.integers(0, 7, 6)
        ids[0] = 9 if i == 6 else ids[0]
        return ids, rng.integers(0, 3, 6)

    net, rng = Net(words), np.random.default_rng(0)
    loss = lambda ids, t: F.softmax_cross_entropy(net.model.out(net.model.embed(ids)), t)
    step = lambda ids, t: net.learn(loss(ids, t))
    return net.run(wrap, step, calls=8, given=given, fails=True)
