"""Derivatives of derivatives, gradients that are given, graphs that go on outside, hooks."""

import gc
import itertools

import numpy as np

import dezero.functions as F
from dezero import Variable, grad
from dezero.optimizers import Adam
from dezero.transformations import checkpoint, hvp
from hazards import Net, a_step, batches, each, hazard, left, mlp, written


@written
def a_book_step_29(wrap):
    x = Variable(np.array(2.0))

    def step():
        y = x**4 - 2 * x**2
        x.cleargrad()
        y.backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward()
        x.data -= gx.data / x.grad.data
        return y

    fast = wrap(step)
    for _ in range(8):
        yield fast(), x


STARTS = [*itertools.product((0.1, 0.5, -2.0, 0.0, 30.0, np.nan), (float, np.float32))]


@each(lambda: [[Variable(np.array(start, dtype))] for start, dtype in STARTS])
def a_derivative_of_a_derivative(x):
    y = F.tanh(x) * x
    x.cleargrad()
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.backward(create_graph=True)
    g2x = x.grad
    x.cleargrad()
    g2x.backward()
    return y, gx, g2x


@hazard
def a_penalty_on_the_gradient(wrap):
    net = Net(lambda: mlp(5, 1, activation=F.tanh), lambda: Adam(0.1))

    def step(x, t):
        x = Variable(x)
        y = F.sum(net.model(x))
        gx = grad(y, x, create_graph=True)
        return net.learn(y + F.sum((F.sum(gx**2, axis=1) ** 0.5 - 1) ** 2)), gx

    return net.run(wrap, step)


@each(lambda: [[Variable(np.arange(3.0) + i), np.ones(3) * i] for i in range(6)])
def hessian_vector_products_and_checkpoints(x, v):
    value, (product,) = hvp(lambda x: F.sum(F.sin(x) * x), (x,), (v,))
    y = checkpoint(lambda a: F.exp(F.sin(a)), x)
    x.cleargrad()
    y.backward()
    return value, product, y


@each(
    lambda: [[Variable(np.arange(3.0) + i)] for i in range(5)],
    "it returns a Variable made in the step, with a gradient",
)
def gradients_in_between_are_kept(x):
    h = F.sin(x)
    y = F.sum(h * h)
    x.cleargrad()
    y.backward(retain_grad=True)
    return y, h, h.grad, y.grad


@each(
    lambda: [[Variable(np.arange(3.0)), np.ones(3 if i < 4 else 2) * i] for i in range(6)],
    fails=True,
)
def a_gradient_is_given(x, gy):
    y = F.exp(x)
    y.grad = Variable(gy)
    x.cleargrad()
    y.backward()
    return y, grad(F.sin(x), x, gy)


@a_step()
def a_graph_is_cut_in_the_step(net, x, t):
    h = net.model.l0(x)
    h.unchain()
    return net.differentiate(F.softmax_cross_entropy(net.model.l1(F.tanh(h)), t))


@written
def a_result_is_used_in_a_graph_outside(wrap):
    model = mlp()

    def step(x, t):
        return F.softmax_cross_entropy(model(x), t)

    fast = wrap(step, model)
    for x, t in batches():
        model.cleargrads()
        loss = fast(x, t)
        both = loss + F.sum(model.l0.W**2)
        try:
            both.backward()
        except RuntimeError as error:
            assert "compiled" in str(error)
            model.cleargrads()
            (step(x, t) + F.sum(model.l0.W**2)).backward()
        yield both, model


@written
def a_kept_gradient_is_differentiated_outside(wrap):
    x = Variable(np.array(2.0))

    def step():
        y = x**3
        x.cleargrad()
        y.backward(create_graph=True)
        return y

    fast = wrap(step)
    for _ in range(5):
        fast()
        gx = x.grad
        x.cleargrad()
        try:
            gx.backward()
        except RuntimeError as error:
            assert "compiled" in str(error)
            x.grad = Variable(np.array(12.0))
        yield gx.data, x.grad.data


@left("a hook of register_hook() waits for a gradient")
def a_hook_is_registered_at_a_parameter_later(wrap):
    def before(i):
        if i == 4:
            handles.append(net.model.l0.W.register_hook(lambda g: seen.append(1) or g * 2))
        if i == 7:
            handles.pop().remove()

    net, seen, handles = Net(), [], []
    return net.run(wrap, None, lambda: seen, before, 10)


@written
def a_hook_is_registered_in_the_step(wrap):
    net = Net()

    def step(x, t):
        h = net.model.l0(x)
        h.register_hook(lambda g: g * 2)
        return net.learn(F.softmax_cross_entropy(net.model.l1(F.tanh(h)), t))

    yield from net.run(wrap, step)
    gc.collect()
