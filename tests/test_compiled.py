"""Compiled steps: what they give and do is what the step gives and does, bit for bit, or they say
why they left it as it was. Never anything else.

The programs that could go wrong stand in hazards/, the way they are compared in twice.py.
"""

import contextlib
import copy
import functools
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from hazards import PROGRAMS, Net, batch, batches, chain, known, mlp, training
from hypothesis import given
from hypothesis import strategies as st
from registry import ENTRIES, tried
from twice import compare, outcome

import dezero.compiled
import dezero.functions as F
import dezero.layers as L
import dezero.optimizers as O
from dezero import Variable, core, grad, test_mode
from dezero.compiled import compiled
from dezero.models import MLP, Sequential


@pytest.mark.parametrize("program, why", PROGRAMS)
def test_what_a_compiled_step_shows_is_what_the_step_shows(program, why):
    for fast in compare(program):
        assert why is None or fast.why == why == "" or why and why in fast.why


# --- every optimizer ----------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": lambda: O.SGD(0.1),
    "SGD uphill": lambda: O.SGD(0.01, maximize=True),
    "MomentumSGD": lambda: O.MomentumSGD(0.1),
    "MomentumSGD with Nesterov": lambda: O.MomentumSGD(0.1, nesterov=True),
    "MomentumSGD with dampening": lambda: O.MomentumSGD(0.1, dampening=0.5),
    "AdaGrad": lambda: O.AdaGrad(0.1),
    "RMSprop": lambda: O.RMSprop(0.1),
    "RMSprop centered": lambda: O.RMSprop(0.1, centered=True),
    "AdaDelta": lambda: O.AdaDelta(),
    "Adam": lambda: O.Adam(0.1),
    "Adam amsgrad": lambda: O.Adam(0.1, amsgrad=True),
    "Adam uphill": lambda: O.Adam(0.01, maximize=True),
    "AdamW": lambda: O.AdamW(0.1),
    "StepDecay": lambda: O.SGD(O.StepDecay(0.5, 2)),
    "CosineDecay": lambda: O.Adam(O.CosineDecay(0.5, 5)),
    "WarmUp": lambda: O.AdamW(O.WarmUp(O.CosineDecay(0.5, 5), 3)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
def test_every_optimizer_is_written_out(name, dtype):
    def made():
        model = mlp()
        for p in model.params():
            p.data = p.data.astype(dtype)
        return model

    def program(wrap):
        def before(i):
            if i == 5:
                net.optimizer.lr = 0.03

        net = Net(made, OPTIMIZERS[name])
        return net.run(wrap, None, None, before, 8, lambda i, x, t: (x.astype(dtype), t))

    for fast in compare(program):
        assert fast.why == "" and "update" not in fast.source.split("#")[0]


# --- every function of the registry -------------------------------------------------------------

#: what the operands are after the program was written
EXTREMES = [
    lambda a: a * 0,
    lambda a: -a,
    lambda a: a * 1e30,
    lambda a: a * 1e-30,
    lambda a: np.where(np.arange(a.size).reshape(a.shape) % 2, a, 0),
    lambda a: np.where(np.arange(a.size).reshape(a.shape) % 2, a, np.nan),
    lambda a: np.where(np.arange(a.size).reshape(a.shape) % 2, a, np.inf),
    lambda a: np.ones_like(a),
]
CASES = [pytest.param(entry, id=entry.names.split()[0]) for entry in ENTRIES]


def operands(entry, shapes, seed, dtype):
    rng = np.random.default_rng(seed)
    return [np.asarray(place(rng, s), dtype) for place, s in zip(entry.places, shapes)]


def of_a_function(entry, shapes, options, dtype):
    """A program: the value of a function, its gradients, and the gradients of these."""
    call, given = entry.call, [o if isinstance(o, np.ndarray) else None for o in options]

    options = [None if isinstance(o, np.ndarray) else o for o in options]

    def step(arrays, given):
        xs = [Variable(a) for a in arrays]
        y = call(*xs, *[o if a is None else a for o, a in zip(options, given)])
        gxs = grad(y, xs, create_graph=True)
        total = sum([F.sum(gx * gx) for gx in gxs])
        total.backward()
        return y, gxs, [x.grad for x in xs]

    def program(wrap):
        fast = wrap(step)
        first = [operands(entry, shapes, seed, dtype) for seed in range(4)]
        others = [[extreme(a) for a in first[0]] for extreme in EXTREMES]
        with np.errstate(all="ignore"):
            for arrays in first + others + first[1:]:
                yield outcome(fast, arrays, given)

    return program


#: functions whose steps stay as they are for some shapes, and why
LEFT = {
    "get_item": "an array came from elsewhere",
    "gelu": "numbers decide",
    "LSTMSteps": "made in the step, with a gradient",
    "topk": "an array came from elsewhere",
    "erfc": "tolist reads numbers",
}


@pytest.mark.parametrize("entry", CASES)
@tried(2)
@given(data=st.data(), dtype=st.sampled_from([float, np.float32]))
def test_every_function_in_a_step(entry, data, dtype):
    shapes, options = data.draw(entry.drawn())
    (fast,) = compare(of_a_function(entry, shapes, options, dtype))
    assert fast.why == "" or LEFT[entry.names.split()[0]] in fast.why


# --- programs at random -------------------------------------------------------------------------

ONE = [F.sin, F.tanh, F.exp, F.relu, F.sigmoid, F.softmax, F.transpose, F.square, F.log1p]
ONE += [lambda x: F.sum(x, axis=0), lambda x: F.max(x, axis=1, keepdims=True), lambda x: x[1:, ::2]]
ONE += [lambda x: -x, lambda x: x * 0.5, lambda x: 2 - x, lambda x: x**3, F.norm, F.mean, F.abs]
ONE += [lambda x: F.clip(x, -0.5, 0.5), lambda x: F.reshape(x, (-1,)), lambda x: x.data * 1.5]
TWO = [F.add, F.sub, F.mul, F.maximum, lambda a, b: a / (b * b + 1), lambda a, b: F.concat([a, b])]
TWO += [F.matmul, lambda a, b: F.where(a > b, a, b), F.mean_squared_error, lambda a, b: a @ b.T]
STEPS = st.lists(
    st.tuples(st.sampled_from(ONE + TWO), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=9,
)


def at_random(steps, order, dtype):
    """A program: each function is called with results of the ones before, if they fit."""

    def step(*arrays):
        made = [Variable(a) for a in arrays]
        leaves = list(made)
        for f, i, j in steps:
            with contextlib.suppress(ValueError, IndexError):
                places = [made[i % len(made)], made[j % len(made)]]
                made.append(F.as_variable(f(*places[: 2 if f in TWO else 1])))
        y = sum([F.sum(v) for v in made[2:]], F.sum(made[-1]))
        for _ in range(order - 1):
            gxs = grad(y, leaves, create_graph=True)
            y = sum([F.sum(gx * gx) for gx in gxs])
        y.backward()
        return y, made[-1], [x.grad for x in leaves]

    def program(wrap):
        fast = wrap(step)
        rng = np.random.default_rng(0)
        for k in range(5):
            shapes = ((3, 4), (4,)) if k != 3 else ((2, 4), (1,))
            with np.errstate(all="ignore"):
                yield fast(*[(rng.standard_normal(s) * (1 + k)).astype(dtype) for s in shapes])

    return program


@tried(60)
@given(steps=STEPS, order=st.integers(1, 2), dtype=st.sampled_from([float, np.float32]))
def test_programs_at_random(steps, order, dtype):
    compare(at_random(steps, order, dtype))


SINGLE = [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: a * 0.5]
SINGLE += [lambda a, b: 2 - a, lambda a, b: -a, lambda a, b: a / b, lambda a, b: 3 / a, F.sin]
NUMBERS = [0.3, -0.2, 0.0, 1e150, 1e-200, np.inf, np.nan]


@tried(10)
@given(
    steps=st.lists(st.tuples(st.sampled_from(SINGLE), st.integers(1, 3)), min_size=80, max_size=90),
    starts=st.lists(st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS)), max_size=5),
)
def test_single_numbers_at_random(steps, starts):
    """Results that are too large, divisions by 0, underflow that the reader wants to hear of."""

    def step(*xs):
        made = list(xs)
        for f, back in steps:
            a = made[-min(back, len(made))]
            made.append(f(a) if f is F.sin else f(a, made[-2]))
        y = sum(made[1:], made[0])
        for x in xs:
            x.cleargrad()
        y.backward()
        return y.data, [x.grad.data for x in xs]

    def program(wrap):
        fast = wrap(step)
        for i, start in enumerate([(0.4, 0.3), (0.5, -0.2), (0.1, 0.7), *starts, (0.2, 0.9)]):
            for under in ["ignore", "raise"][: 1 + (i > 2)]:
                with np.errstate(all="ignore", under=under):
                    yield outcome(fast, *[Variable(np.array(x)) for x in start])

    compare(program)


# --- threads, copies, memory --------------------------------------------------------------------


def test_two_threads_at_one_step():
    model = mlp()

    def step(x, t):
        y = F.tanh(model(x))
        loss = F.softmax_cross_entropy(y, t)
        return loss, y, grad(loss, model.l0.W)

    fast, pairs, found = compiled(step, model), batches(40), {}
    right = [[part.data.tobytes() for part in step(x, t)] for x, t in pairs]

    def work(k):
        found[k] = [[part.data.tobytes() for part in fast(x, t)] for x, t in pairs * 5]

    run_all([functools.partial(work, k) for k in range(4)])
    assert all(found[k] == right * 5 for k in range(4))


def run_all(works):
    """Each in a thread; an error in one is an error here."""
    errors = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors, errors


@pytest.mark.parametrize("shared", [None, np.array([1, 2, 0, -1], np.float32)])
def test_a_step_for_each_thread(shared):
    found = {}

    def scaled(step):
        return step if shared is None else lambda x, t: step(x * shared, t)

    def work(k):
        model = MLP((5, 3))
        model(batch(0)[0])
        for i, p in enumerate(model.params()):
            p.data = np.random.default_rng(i).standard_normal(p.shape).astype(np.float32)
        optimizer = O.Adam(0.1).setup(model)
        step = scaled(training(model, optimizer))
        fast = compiled(step, model, optimizer) if k else step
        losses = [fast(x, t).data.tobytes() for x, t in batches(60)]
        found[k] = losses, [p.data.tobytes() for p in model.params()]

    work(0)
    run_all([functools.partial(work, k) for k in range(1, 4)])
    assert all(found[k] == found[0] for k in range(1, 4))


def test_switches_of_one_thread_are_not_those_of_another():
    model = chain(L.Linear(5), L.BatchNorm(), L.Linear(3))
    fast, (x, _) = compiled(lambda x: model(x), model), batch(0)
    fast(x), fast(x), fast(x)
    with test_mode():
        right = model(x).data.tobytes()
        trained, tested = [], []
        run_all([lambda: trained.append(fast(x).data.tobytes())])
        tested = [fast(x).data.tobytes() for _ in range(3)]
    assert tested != trained
    with test_mode():
        assert model(x).data.tobytes() != right  # the other thread trained


def test_a_compiled_step_is_copied_or_says_that_it_cannot_be():
    model = mlp()
    fast = compiled(training(model, O.SGD(0.1).setup(model)), model)
    for x, t in batches(3):
        fast(x, t)
    for twin_of in (copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing)), copy.copy):
        before = [p.data.tobytes() for p in model.params()]
        try:
            twin = twin_of(fast)
        except Exception as error:
            assert str(error)
            continue
        twin(*batch(0)), twin(*batch(0)), twin(*batch(0))
        after = [p.data.tobytes() for p in model.params()]
        assert twin_of is not copy.deepcopy or before != after or twin.why is not None


def test_a_long_list_is_not_gone_through_anew_in_each_call(monkeypatch):
    walks, walk = [], dezero.compiled.scope_of
    monkeypatch.setattr(dezero.compiled, "scope_of", lambda *a: walks.append(a) or walk(*a))
    table = [float(i) for i in range(300)]
    fast = compiled(lambda x, scale: F.sum(x) * table[7] * scale)
    for _ in range(6):
        fast(np.ones(3), 2.0)
    assert len(walks) == 1 and fast.programs[0].runs == 4


def test_nothing_is_kept_of_the_arguments_and_results():
    model = mlp()
    fast = compiled(training(model, O.SGD(0.1).setup(model)), model)
    for x, t in batches(5):
        loss = fast(x, t)
    held = [weakref.ref(x), weakref.ref(t), weakref.ref(loss), weakref.ref(loss.data)]
    del x, t, loss
    gc.collect()
    assert [ref() for ref in held] == [None] * 4


def test_a_step_that_is_dropped_is_gone():
    model = mlp()
    fast = compiled(training(model, O.SGD(0.1).setup(model)), model)
    for x, t in batches(4):
        fast(x, t)
    held = [weakref.ref(model), weakref.ref(fast)]
    del model, fast
    gc.collect()
    assert [ref() for ref in held] == [None, None]


def test_the_peak_of_memory_is_not_above_that_of_the_step():
    import tracemalloc

    def peak(wrap):
        model = known(Sequential(*[L.Linear(200), F.tanh] * 6, L.Linear(3)), 200)
        optimizer = O.SGD(0.1).setup(model)
        step = training(model, optimizer)
        fast = wrap(step, model, optimizer)
        x, t = batch(0, 500, 200)
        for _ in range(4):
            fast(x, t)
        gc.collect()
        tracemalloc.start()
        fast(x, t)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found, fast

    (ours, fast), (eager, _) = peak(compiled), peak(lambda step, *rest: step)
    assert fast.why == "" and ours <= eager * 1.02


def test_an_interrupt_at_any_moment_leaves_a_step_that_goes_on_rightly():
    import signal

    model = known(MLP((50, 3)))
    optimizer = O.Adam(0.01).setup(model)
    fast = compiled(training(model, optimizer), model, optimizer)
    x, t = batch(0)
    rng, hits = np.random.default_rng(0), 0

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    gc.disable()  # others are called back by it, and must not be interrupted
    try:
        for _ in range(30):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 6e-4))
                for _ in range(20):
                    fast(x, t)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                hits += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert hits and core.np is np
    twin = copy.deepcopy((model, optimizer))
    right = training(*twin)
    for i in range(3):
        assert fast(*batch(i)).data == right(*batch(i)).data
    for p, q in zip(model.params(), twin[0].params()):
        assert p.data.tobytes() == q.data.tobytes()
