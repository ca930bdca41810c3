"""What a step changes besides its model, and what it says."""

import itertools
import random
import warnings
from collections import deque
from types import SimpleNamespace

import numpy as np
from twice import outcome

import dezero.functions as F
import dezero.layers as L
from dezero import Function, Variable
from dezero.models import MLP
from dezero.optimizers import SGD, Adam
from hazards import (
    CHANGES,
    Net,
    a_step,
    batches,
    chain,
    each,
    forms,
    hazard,
    known,
    left,
    mlp,
    training,
    written,
)

WRITES = "an array that was not made here is written into"

# --- lists, counters, arrays --------------------------------------------------------------------


@a_step(CHANGES, seen=[])
def a_number_is_appended_to_a_list(net, x, t):
    net.seen.append(len(net.seen))
    return net.train(x, t)


@a_step(CHANGES, seen=[])
def a_loss_is_appended_to_a_list(net, x, t):
    net.seen.append(net.train(x, t))


@a_step(".item reads numbers of the step", seen=[])
def a_loss_is_appended_as_a_float(net, x, t):
    net.seen.append(float(net.train(x, t)))


@a_step(CHANGES, seen=[])
def an_array_is_appended_to_a_list(net, x, t):
    net.seen.append(net.train(x, t).data)


@left(CHANGES)
def a_loss_is_added_to_a_total(wrap):
    net, total = Net(), 0.0

    def step(x, t):
        nonlocal total
        total += net.train(x, t).data
        return total

    return net.run(wrap, step, lambda: total)


@left(CHANGES)
def a_closures_counter(wrap):
    net, n = Net(), 0

    def step(x, t):
        nonlocal n
        n += 1
        return net.train(x, t), n

    return net.run(wrap, step, lambda: n)


@left("the step changes the global calls")
def a_global_counter(wrap):
    global calls
    net, calls = Net(), 0

    def step(x, t):
        global calls
        calls += 1
        return net.train(x, t)

    return net.run(wrap, step, lambda: calls)


@a_step(CHANGES, counts={"calls": 0})
def a_counter_in_a_dict(net, x, t):
    net.counts["calls"] += 1
    return net.train(x, t)


@a_step(CHANGES, counts={"odd": 0}, calls=10, given=lambda i, x, t: (x, t, i > 5))
def a_counter_that_only_counts_some_calls(net, x, t, odd):
    if odd:
        net.counts["odd"] += 1
    return net.train(x, t)


@left(CHANGES)
def a_counter_on_the_model(wrap):
    class Counting(MLP):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    net = Net(lambda: known(Counting((5, 3))))
    return net.run(wrap, more=lambda: net.model.calls)


@left(CHANGES)
def a_counter_on_a_class_and_on_a_function(wrap):
    class Log:
        calls = 0

    def step(x, t):
        Log.calls += 1
        step.calls = getattr(step, "calls", 0) + 1
        return net.train(x, t)

    net = Net()
    return net.run(wrap, step, lambda: (Log.calls, step.calls))


@left(CHANGES)
def a_number_is_put_on_the_model_by_the_step(wrap):
    net = Net()

    def step(x, t):
        net.model.size = len(x)
        return net.train(x, t)

    def before(i):
        if i == 7:
            net.model.size = -1

    given = lambda i, x, t: (x[: 3 + i % 2], t[: 3 + i % 2])
    return net.run(wrap, step, lambda: net.model.size, before, 10, given)


@a_step(WRITES, log=np.zeros(20), given=lambda i, x, t: (x, t, i))
def an_array_outside_is_written_to(net, x, t, i):
    loss = net.train(x, t)
    net.log[i] = loss.data
    return loss


@a_step(WRITES, log=np.zeros(3, int))
def an_array_outside_is_counted_up(net, x, t):
    net.log[1] += 1
    return net.train(x, t)


@a_step(CHANGES, things=SimpleNamespace(sizes=set(), deque=deque(maxlen=3), n=0))
def a_set_a_deque_and_an_object_grow(net, x, t):
    net.things.n += 1
    net.things.sizes.add(net.things.n)
    net.things.deque.append(net.things.n)
    return net.train(x, t)


# --- iterators, the clock, chance ---------------------------------------------------------------


@left("the step calls next()")
def an_iterator_goes_on_in_the_step(wrap):
    net, numbers = Net(), itertools.count()
    step = lambda x, t: net.train(x * np.float32(1 + next(numbers) % 2), t)
    yield from net.run(wrap, step)
    yield next(numbers)


@left("the step calls next()")
def the_step_takes_its_batches_from_a_loader_itself(wrap):
    net, loader = Net(), iter(batches())
    fast = wrap(lambda: net.train(*next(loader)), net.model)
    for _ in range(6):
        yield fast(), net.model
    yield outcome(fast)


@left("the step calls next()")
def a_step_that_looks_at_the_clock(wrap):
    net, ticks = Net(), iter(range(1000))

    class Clock:
        now = staticmethod(lambda: next(ticks))

    def step(x, t):
        before = Clock.now()
        loss = net.train(x, t)
        return loss, Clock.now() - before, before

    return net.run(wrap, step)


@written
def dropout_draws_from_the_global_generator(wrap):
    def before(i):
        if i in (4, 5):
            np.random.seed(7)

    net = Net(lambda: chain(L.Linear(5), L.Dropout(0.5), L.Linear(4), L.Dropout(0.2), L.Linear(3)))
    return net.run(wrap, more=np.random.rand, before=before, calls=8)


@a_step()
def the_step_draws_noise_itself(net, x, t):
    return net.train(x + np.random.randn(*x.shape).astype(np.float32), t)


@left("the step sees rng")
def the_step_draws_from_a_generator_of_its_own(wrap):
    net, rng = Net(), np.random.default_rng(3)
    yield from net.run(
        wrap, lambda x, t: net.train(x + rng.standard_normal(x.shape, np.float32), t)
    )
    yield rng.random()


@left("the step uses the module random")
def the_step_draws_a_number_from_python(wrap):
    net = Net()
    random.seed(0)
    yield from net.run(wrap, lambda x, t: net.train(x * np.float32(random.random()), t))
    yield random.random()


@a_step()
def the_step_shuffles_and_picks_rows(net, x, t):
    order = np.random.permutation(len(x))[:4]
    return net.train(x[order], t[order])


@left("np.random.seed is called")
def the_step_sets_the_seed(wrap):
    net = Net(lambda: chain(L.Linear(5), L.Dropout(0.5), L.Linear(3)))

    def step(x, t, seed):
        np.random.seed(seed)
        return net.train(x, t)

    return net.run(wrap, step, np.random.rand, calls=8, given=lambda i, x, t: (x, t, i // 3))


# --- words --------------------------------------------------------------------------------------


@a_step("the step calls print()")
def a_step_prints(net, x, t):
    print("a step of", len(x))
    return net.train(x, t)


@a_step("the step calls print()")
def a_step_prints_its_loss(net, x, t):
    print(net.train(x, t))


@a_step("the step uses the module warnings")
def a_step_warns(net, x, t):
    warnings.warn("this is slow", stacklevel=2)
    return net.train(x, t)


@each(lambda: [[np.array([a, 1.0])] for a in (1.0, 2.0, 3.0, 0.0, -1.0, np.inf, np.nan, 4.0)])
def a_function_warns_of_some_numbers(x):
    x = Variable(x)
    y = F.sum(F.log(x) + F.sqrt(x) + 1 / x)
    y.backward()
    return y, x.grad


# --- what comes back ----------------------------------------------------------------------------


@hazard
def a_step_returns_this_and_that(wrap):
    model = mlp()
    train = training(model, SGD(0.1).setup(model))
    used = forms(
        "y, model",
        """
        None; 3; "text"; (y, 2.0, None); {"loss": y, "more": [y, (y, 1)]}; y.data; y.data[()];
        y.data + 1; y.shape; y.dtype; []; y.data.reshape(1); model.l0.W; model.l0.W.data;
        model.l0.W.grad; list(model.params()); model; iter([1]).__next__(); SimpleNamespace(y=1);
        {1, 2}; Ellipsis; y > 1; len(y.shape); y.creator is None or True
        """,
    )
    for form in used:
        fast = wrap(lambda x, t, form=form: form(train(x, t), model), model)
        kept = []
        for x, t in batches(5):
            kept.append(fast(x, t))
            yield type(kept[-1]), kept[-1], model
        yield kept


@left("it returns <class 'generator'>, and not arrays, Variables and numbers made in the step")
def a_generator_is_a_step(wrap):
    net = Net()

    def step(x, t):
        yield net.train(x, t)
        yield net.train(x, t)

    fast = wrap(step, net.model)
    for x, t in batches():
        yield list(fast(x, t)), net.model


@hazard
def steps_in_steps(wrap):
    net = Net()
    inner = wrap(lambda x: F.tanh(net.model(x)).data, net.model)
    train = wrap(training(net.model, net.optimizer), net.model, net.optimizer)

    def step(x, t):
        before = inner(x)
        return train(x, t), before, inner(x)

    fast = wrap(step, net.model, net.optimizer)
    again = wrap(fast, net.model, net.optimizer)
    for i, (x, t) in enumerate(batches(12)):
        yield fast(x, t) if i < 6 else again(x, t), net.model


@written
def a_step_calls_itself(wrap):
    def step(x, n):
        return F.sum(x) if n == 0 else fast(x, n - 1) * 2

    fast = wrap(step)
    for i in range(6):
        yield fast(np.arange(3.0) + i, 3)


# --- errors -------------------------------------------------------------------------------------


@written
def an_error_of_the_reader_midway(wrap):
    net = Net(optimizer=lambda: Adam(0.1))

    def step(x, t, fail):
        loss = net.differentiate(net.loss(x, t))
        if fail == 1:
            raise ValueError("midway")
        net.optimizer.update()
        if fail == 2:
            raise KeyError("at the end")
        return loss

    given = lambda i, x, t: (x, t, {1: 1, 5: 1, 6: 2, 7: 1, 9: 2}.get(i, 0))
    return net.run(wrap, step, calls=14, given=given, fails=True)


@written
def an_error_in_a_function_for_some_data(wrap):
    class Picky(Function):
        def forward(self, x):
            if x.max() > 2:
                raise ValueError("too large")
            return x * 2

        def backward(self, gy):
            if gy.data.max() > 5:
                raise ArithmeticError("too steep")
            return gy * 2

    net = Net(lambda: mlp(5, 3, activation=F.relu))
    step = lambda x, scale: net.learn(F.sum(Picky()(net.model(x)) * scale))
    given = lambda i, x, t: (
        x * (100 if i in (5, 8) else 0.1),
        np.array(np.float32(9 if i == 7 else 1)),
    )
    return net.run(wrap, step, calls=10, given=given, fails=True)


@left(CHANGES)
def an_interrupt_midway(wrap):
    count = 0

    class Interrupted(Function):
        def forward(self, x):
            nonlocal count
            count += 1
            if count in (4, 8, 9):
                raise KeyboardInterrupt
            return x * 1

        def backward(self, gy):
            return gy

    net = Net(optimizer=lambda: Adam(0.1))
    step = lambda x, t: net.learn(F.softmax_cross_entropy(Interrupted()(net.model(x)), t))
    fast = wrap(step, net.model, net.optimizer)
    for x, t in batches(14):
        try:
            yield fast(x, t), net.model, net.optimizer
        except KeyboardInterrupt:
            yield "interrupted", net.model, net.optimizer, count
