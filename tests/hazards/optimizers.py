"""Optimizers: their hooks, numbers and states, and steps with several of them or none."""

import numpy as np

import dezero.functions as F
from dezero import Parameter, Variable
from dezero.optimizers import SGD, Adam, ClipGrad, Optimizer, WeightDecay
from hazards import CHANGES, DECIDES, Net, a_step, batches, between, left, mlp, written

ADAM = {"optimizer": lambda: Adam(0.1)}

# --- hooks --------------------------------------------------------------------------------------


@written
def an_optimizer_has_hooks(wrap):
    for hooks in ([ClipGrad(0.1)], [WeightDecay(0.1)], [ClipGrad(9.0), WeightDecay(0.01)]):
        net = Net(**ADAM)
        for hook in hooks:
            net.optimizer.add_hook(hook)
        yield from net.run(wrap)


@written
def hooks_are_added_changed_and_taken_away_later(wrap):
    def before(i):
        if i == 4:
            net.optimizer.add_hook(decay)
        if i == 8:
            decay.rate = 0.1
        if i == 12:
            net.optimizer.hooks.clear()

    net, decay = Net(), WeightDecay(0.5)
    return net.run(wrap, before=before, calls=16)


@written
def a_readers_hook_looks_at_the_gradients(wrap):
    net, seen = Net(), []
    net.optimizer.add_hook(lambda params: seen.append([float(p.grad.data.sum()) for p in params]))
    return net.run(wrap, more=lambda: seen)


# --- optimizers of the reader -------------------------------------------------------------------


@left(CHANGES)
def a_readers_optimizer_with_update_one(wrap):
    class Signs(Optimizer):
        calls = 0

        def update_one(self, param):
            self.calls += 1
            param.data -= self.lr * np.sign(param.grad.data).astype(param.dtype)

    net = Net(optimizer=lambda: Signs(0.1))
    return net.run(wrap, more=lambda: net.optimizer.calls)


@left(DECIDES)
def a_readers_optimizer_with_a_rule(wrap):
    class Signs(Optimizer):
        keeps = ("m",)
        decay = 0.9

        def numbers(self):
            return self.lr, self.decay

        def update_rule(self, p, g, m, lr, decay):
            m *= decay
            m += np.sign(g)
            if (m > 2).any():
                m *= 0
            p -= lr * m

    def before(i):
        if i == 5:
            net.optimizer.decay = 0.5

    net = Net(optimizer=lambda: Signs(0.1))
    return net.run(wrap, before=before, calls=9)


@written
def a_readers_optimizer_without_numbers(wrap):
    class Halves(Optimizer):
        def numbers(self):
            return ()

        def update_rule(self, p, g):
            p -= 0.5 * g

    return Net(optimizer=Halves).run(wrap)


# --- numbers and states -------------------------------------------------------------------------


@between(calls=14, **ADAM)
def the_numbers_of_an_optimizer_change(net, i):
    if i == 4:
        net.optimizer.lr = 0.01
    if i == 6:
        net.optimizer.beta1, net.optimizer.eps = 0.5, 1e-3
    if i == 8:
        net.optimizer.lr = lambda n: 0.1 / (n + 1)
    if i == 10:
        net.optimizer.maximize = True


@between(calls=12, state=None, **ADAM)
def the_state_of_an_optimizer_is_loaded(net, i):
    if i == 4:
        net.state = net.optimizer.state()
    if i == 7:
        net.optimizer.load_state(net.state)
    if i == 9:
        net.optimizer.kept.clear()
    if i == 10:
        net.optimizer.updates = 50


@a_step("float() reads a number of the step", calls=8, optimizer=lambda: SGD(0.5))
def lr_is_set_by_the_step(net, x, t):
    net.optimizer.lr = 0.5 / (net.optimizer.updates + 1)
    return net.train(x, t)


@a_step(calls=12, optimizer=lambda: SGD(0.5))
def every_other_update_by_the_optimizers_counter(net, x, t):
    loss = net.loss(x, t)
    return net.learn(loss * 2 if net.optimizer.updates % 4 == 3 else loss)


# --- another one, several, none -----------------------------------------------------------------


@written
def the_optimizer_is_another_one(wrap):
    net = Net()
    fast = wrap(net.train, net.model)
    for i, (x, t) in enumerate(batches(9)):
        if i == 4:
            net.optimizer = Adam(0.1).setup(net.model)
        yield fast(x, t), net.model, net.optimizer


@written
def the_optimizer_is_set_up_for_another_model(wrap):
    def before(i):
        if i == 4:
            net.optimizer.setup(other)

    net, other = Net(), mlp()
    return net.run(wrap, None, lambda: other, before, 9)


@left(DECIDES)
def two_models_and_two_optimizers_in_a_step(wrap):
    maker, judge = Net(lambda: mlp(5, 4), lambda: Adam(0.1)), Net(lambda: mlp(5, 1))
    nets = [maker.model, judge.model], [maker.optimizer, judge.optimizer]

    def step(x):
        fake = maker.model(x)
        loss = F.sum(F.softplus(judge.model(fake))) + F.sum(F.softplus(-judge.model(x)))
        judge.learn(loss)
        judge.model.cleargrads()
        other = F.sum(F.softplus(-judge.model(maker.model(x))))
        return loss, maker.learn(other)

    fast = wrap(step, *nets)
    for x, _ in batches(8):
        yield fast(x), nets


@a_step(calls=12, given=lambda i, x, t: (x, t, i % 3 > 0), **ADAM)
def an_update_is_skipped_by_an_argument(net, x, t, really):
    loss = net.differentiate(net.loss(x, t))
    if really:
        net.optimizer.update()
    return loss


@a_step(DECIDES, **ADAM)
def two_updates_in_a_step(net, x, t):
    return net.train(x, t) + net.train(x, t)


@written
def an_optimizer_of_some_layers_and_a_parameter_without_a_gradient(wrap):
    net = Net(**ADAM)
    net.model.extra = Parameter(np.ones(3, np.float32))
    half = SGD(0.1).setup(net.model.l1)

    def step(x, t, both):
        loss = net.differentiate(net.loss(x, t))
        (net.optimizer if both else half).update()
        return loss

    fast = wrap(step, net.model, (net.optimizer, half))
    for i, (x, t) in enumerate(batches(10)):
        if i == 8:
            net.model.extra.grad = Variable(np.ones(3, np.float32))
        yield fast(x, t, i % 2 == 0), net.model, net.optimizer


@written
def an_update_outside_between_calls(wrap):
    net = Net(**ADAM)
    for i, found in enumerate(net.run(wrap, calls=9)):
        yield found
        if i % 2:
            yield net.train(*batches(9)[i]), net.model, net.optimizer
