"""Optimizers against torch and against their formulas; hooks, schedules, states, and mistakes."""

import copy
import itertools
import math
import pickle
import tracemalloc

import numpy as np
import pytest

import dezero.functions as F
from dezero import Parameter, Variable
from dezero.files import load_arrays, save_arrays
from dezero.layers import Layer, Linear
from dezero.models import MLP
from dezero.optimizers import (
    CHUNK,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    ClipGrad,
    CosineDecay,
    FreezeParam,
    MomentumSGD,
    Optimizer,
    RMSprop,
    StepDecay,
    WarmUp,
    WeightDecay,
)

TINY = 1e-30  # an eps so small that it does not matter where it is added

# Each with a rate at which 20 updates go a good way.
MAKERS = {
    "SGD": lambda: SGD(0.1),
    "MomentumSGD": lambda: MomentumSGD(0.1, 0.8),
    "Nesterov": lambda: MomentumSGD(0.1, 0.8, nesterov=True),
    "AdaGrad": lambda: AdaGrad(0.1),
    "RMSprop": lambda: RMSprop(0.02, 0.95),
    "AdaDelta": lambda: AdaDelta(0.9, 1e-4),
    "Adam": lambda: Adam(0.02, 0.8, 0.99, TINY),
    "AdamW": lambda: AdamW(0.02, 0.8, 0.99, TINY, weight_decay=0.1),
    "dampening": lambda: MomentumSGD(0.1, 0.8, dampening=0.3),
    "centered": lambda: RMSprop(0.02, 0.95, centered=True),
    "amsgrad": lambda: Adam(0.02, 0.8, 0.99, TINY, amsgrad=True),
    "amsgrad AdamW": lambda: AdamW(0.02, 0.8, 0.99, TINY, weight_decay=0.1, amsgrad=True),
    "SGD up": lambda: SGD(0.1, maximize=True),
    "MomentumSGD up": lambda: MomentumSGD(0.1, 0.8, maximize=True),
    "AdaGrad up": lambda: AdaGrad(0.1, maximize=True),
    "RMSprop up": lambda: RMSprop(0.02, 0.95, maximize=True),
    "AdaDelta up": lambda: AdaDelta(0.9, 1e-4, maximize=True),
    "Adam up": lambda: Adam(0.02, 0.8, 0.99, TINY, maximize=True),
    "AdamW up": lambda: AdamW(0.02, 0.8, 0.99, TINY, weight_decay=0.1, maximize=True),
}
every_optimizer = pytest.mark.parametrize("name", [n for n in MAKERS if not n.endswith(" up")])
SHAPES = {"small": (3, 4), "vector": (5,), "number": (), "large": (300, 500)}


class Holder(Layer):
    "A model with the parameters it is given."

    def __init__(self, *params):
        self.params_ = list(params)


def parameter(data, grad=None, name=None):
    param = Parameter(np.array(data), name)
    if grad is not None:
        param.grad = Variable(np.array(grad))
    return param


def numbers(seed, shape, dtype="f8"):
    return np.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def gradients(shape, dtype, steps=20):
    "Gradients of several sizes, one array for each step."
    scale = 10 ** np.random.default_rng(1).uniform(-3, 0.5, shape)
    return [np.asarray(scale * numbers(seed + 2, shape), dtype) for seed in range(steps)]


def updated(optimizer, data, grads):
    "What becomes of a parameter with these gradients."
    param = Parameter(data.copy())
    optimizer.setup(Holder(param))
    for grad in grads:
        param.grad = Variable(grad)
        optimizer.update()
    return param


# --- the formulas -------------------------------------------------------------------------------


def torch_twin(name, params):
    import torch

    name, options = name.removesuffix(" up"), {"maximize": name.endswith(" up")}
    sgd, adam, adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
    decay = {"weight_decay": 0.1}
    return {
        "SGD": lambda: sgd(params, 0.1, **options),
        "MomentumSGD": lambda: sgd(params, 0.1, momentum=0.8, **options),
        "Nesterov": lambda: sgd(params, 0.1, momentum=0.8, nesterov=True),
        "dampening": lambda: sgd(params, 0.1, momentum=0.8, dampening=0.3),
        "AdaGrad": lambda: torch.optim.Adagrad(params, 0.1, eps=1e-8, **options),
        "RMSprop": lambda: torch.optim.RMSprop(params, 0.02, 0.95, **options),
        "centered": lambda: torch.optim.RMSprop(params, 0.02, 0.95, centered=True),
        "AdaDelta": lambda: torch.optim.Adadelta(params, 1.0, 0.9, 1e-4, **options),
        "Adam": lambda: adam(params, 0.02, (0.8, 0.99), TINY, **options),
        "amsgrad": lambda: adam(params, 0.02, (0.8, 0.99), TINY, amsgrad=True),
        "AdamW": lambda: adamw(params, 0.02, (0.8, 0.99), TINY, **decay, **options),
        "amsgrad AdamW": lambda: adamw(params, 0.02, (0.8, 0.99), TINY, **decay, amsgrad=True),
    }[name]()


def torch_updated(name, data, grads, prepare=None):
    import torch

    param = torch.tensor(data, requires_grad=True)
    twin = torch_twin(name, [param])
    for grad in grads:
        param.grad = torch.tensor(grad)
        if prepare:
            prepare(param)
        twin.step()
    return param.detach().numpy()


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", MAKERS)
def test_twenty_updates_are_those_of_torch(name, shape, dtype):
    data, grads = numbers(0, shape, dtype), gradients(shape, dtype)
    mine = updated(MAKERS[name](), data, grads).data
    theirs = torch_updated(name, data, grads)
    assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
    rtol = 2e-5 if dtype == "f4" else 1e-12
    assert np.abs(theirs - data).max() > 0.001
    np.testing.assert_allclose(mine, theirs, rtol, atol=rtol)


@pytest.mark.parametrize("eps", [1e-8, 1e-2])
@pytest.mark.parametrize("maker", [Adam, lambda eps: AdamW(eps=eps, weight_decay=0)])
def test_adam_adds_eps_where_the_published_dezero_does(maker, eps):
    data, grads = numbers(0, (3, 4)), [1e-4 * grad for grad in gradients((3, 4), "f8")]
    p, m, v = data.copy(), 0, 0
    for t, g in enumerate(grads, 1):
        m, v = m + 0.1 * (g - m), v + 0.001 * (g * g - v)
        p -= 0.001 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + eps)
    mine = updated(maker(eps=eps), data, grads).data
    np.testing.assert_allclose(mine - data, p - data, rtol=1e-9)


def test_adam_gives_the_numbers_of_the_book_for_tiny_gradients():
    param = updated(Adam(), np.ones(1), [np.full(1, 1e-7)] * 5)
    assert np.isclose(1 - param.data[0], 0.00170, atol=5e-6)


@pytest.mark.torch
def test_the_defaults_are_those_of_torch_or_of_the_published_dezero():
    import torch

    data, grads = numbers(0, (3, 4)), gradients((3, 4), "f8")
    optim = torch.optim
    for mine, theirs in [
        (SGD(), lambda p: optim.SGD(p, 0.01)),
        (MomentumSGD(), lambda p: optim.SGD(p, 0.01, momentum=0.9)),
        (AdaGrad(), lambda p: optim.Adagrad(p, 0.001, eps=1e-8)),
        (RMSprop(), lambda p: optim.RMSprop(p)),
        (AdaDelta(), lambda p: optim.Adadelta(p, 1.0, 0.95, 1e-6)),
        (Adam(eps=0), lambda p: optim.Adam(p, eps=0)),
        (AdamW(eps=0), lambda p: optim.AdamW(p, eps=0)),
    ]:
        param = torch.tensor(data, requires_grad=True)
        twin = theirs([param])
        for grad in grads:
            param.grad = torch.tensor(grad)
            twin.step()
        np.testing.assert_allclose(updated(mine, data, grads).data, param.detach(), rtol=1e-12)


# The same in the words of the papers, without any scaling.


def by_formula(name, w, grads):
    h = d = m = v = largest = 0.0
    for t, g in enumerate(grads, 1):
        if name == "SGD":
            w = w - 0.1 * g
        elif name == "MomentumSGD":
            v = 0.8 * v - 0.1 * g
            w = w + v
        elif name == "dampening":
            v = 0.8 * v - 0.1 * (0.7 if t > 1 else 1) * g
            w = w + v
        elif name == "Nesterov":
            v = 0.8 * v - 0.1 * g
            w = w + 0.8 * v - 0.1 * g
        elif name == "AdaGrad":
            h = h + g**2
            w = w - 0.1 * g / (np.sqrt(h) + 1e-8)
        elif name == "RMSprop":
            h = 0.95 * h + 0.05 * g**2
            w = w - 0.02 * g / (np.sqrt(h) + 1e-8)
        elif name == "centered":
            h, m = 0.95 * h + 0.05 * g**2, 0.95 * m + 0.05 * g
            w = w - 0.02 * g / (np.sqrt(h - m**2) + 1e-8)
        elif name == "AdaDelta":
            h = 0.9 * h + 0.1 * g**2
            step = np.sqrt((d + 1e-4) / (h + 1e-4)) * g
            d = 0.9 * d + 0.1 * step**2
            w = w - step
        else:
            if "AdamW" in name:
                w = w * (1 - 0.02 * 0.1)
            m = 0.8 * m + 0.2 * g
            v = 0.99 * v + 0.01 * g**2
            largest = np.maximum(largest, v) if "amsgrad" in name else v
            w = w - 0.02 * (m / (1 - 0.8**t)) / (np.sqrt(largest / (1 - 0.99**t)) + TINY)
    return w


@every_optimizer
def test_twenty_updates_are_those_of_the_formula(name):
    for shape in SHAPES.values():
        data, grads = numbers(0, shape), gradients(shape, "f8")
        mine = updated(MAKERS[name](), data, grads).data
        assert mine.shape == shape and mine.dtype == np.float64
        np.testing.assert_allclose(mine, by_formula(name, data, grads), rtol=1e-9)


@every_optimizer
def test_it_goes_downhill(name):
    param = parameter([3.0, -2.0, 0.5])
    optimizer = MAKERS[name]().setup(Holder(param))
    heights = []
    for _ in range(100):
        param.cleargrad()
        loss = F.sum(param**2)
        loss.backward()
        optimizer.update()
        heights.append(float(loss))
    assert heights[-1] < heights[0] - 1


def test_the_sine_network_of_step_46_has_the_losses_of_the_book():
    np.random.seed(0)
    x = np.random.rand(100, 1)
    y = np.sin(2 * np.pi * x) + np.random.rand(100, 1)
    model = MLP((10, 1))
    optimizer = SGD(0.2).setup(model)
    for i in range(10_000):
        loss = F.mean_squared_error(y, model(x))
        model.cleargrads()
        loss.backward()
        optimizer.update()
        if i == 0:
            assert float(loss) == pytest.approx(0.8165178479901415, rel=1e-6)
        if i % 1000 == 0:
            last = float(loss)
    assert last == pytest.approx(0.0761937449484299, rel=1e-3)


# --- in place, and in chunks --------------------------------------------------------------------


@every_optimizer
def test_the_array_stays_the_same_array(name):
    for shape, dtype in itertools.product(SHAPES.values(), ("f4", "f8")):
        param = parameter(numbers(0, shape, dtype), numbers(1, shape, dtype))
        data, before, grad = param.data, param.data.copy(), param.grad.data.copy()
        MAKERS[name]().setup(Holder(param)).update()
        assert param.data is data and data.dtype == dtype and (data != before).any()
        assert (param.grad.data == grad).all() and param.grad.dtype == dtype


@every_optimizer
def test_an_update_makes_no_large_array(name):
    shape = (1000, 1000)
    param = parameter(np.ones(shape, "f4"), np.ones(shape, "f4"))
    optimizer = MAKERS[name]().setup(Holder(param))
    optimizer.update()
    tracemalloc.start()
    try:
        optimizer.update()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4e6 / 4  # the parameter has 4 MB


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 150_000])
def test_a_rule_gets_everything_once_in_chunks(size):
    sizes = []

    class Once(Optimizer):
        keeps = ("kept",)

        def update_rule(self, p, g, kept, lr):
            assert p.shape == g.shape == kept.shape and lr.dtype == p.dtype
            sizes.append(p.size)
            p += g
            kept += 1

    param = Parameter(np.zeros(size, "f4"))
    param.grad = Variable(np.arange(size, dtype="f4"))
    optimizer = Once().setup(Holder(param))
    optimizer.update()
    assert (param.data == param.grad.data).all() and (optimizer.memory(param)[0] == 1).all()
    assert sum(sizes) == size and max(sizes) <= CHUNK


@every_optimizer
def test_the_order_in_memory_does_not_matter(name):
    turns = [(False, True), (True, False), (True, True)]
    for size, (turn_data, turn_grad) in itertools.product([(30, 50), (300, 500)], turns):
        data, grad = numbers(0, size), numbers(1, size)
        param = Parameter(np.asfortranarray(data) if turn_data else data.copy())
        optimizer, array = MAKERS[name]().setup(Holder(param)), param.data
        for _ in range(3):
            param.grad = Variable(np.asfortranarray(grad) if turn_grad else grad.copy())
            optimizer.update()
        want = updated(MAKERS[name](), data, 3 * [grad])
        assert param.data is array
        np.testing.assert_allclose(param.data, want.data, rtol=1e-12)


@every_optimizer
def test_a_slice_of_a_larger_array_is_updated_in_it(name):
    whole = numbers(0, (400, 600))
    before = whole.copy()
    param = Parameter(whole[:, ::2])
    param.grad = Variable(numbers(1, (400, 300)))
    MAKERS[name]().setup(Holder(param)).update()
    assert (whole[:, ::2] != before[:, ::2]).any(axis=1).all()
    assert (whole[:, 1::2] == before[:, 1::2]).all()


@every_optimizer
def test_an_empty_parameter_does_no_harm(name):
    param = parameter(np.zeros((0, 3)), np.zeros((0, 3)))
    MAKERS[name]().setup(Holder(param)).update()
    assert param.data.shape == (0, 3)


def test_a_number_in_place_of_an_array_is_updated():
    param = parameter(1.0)
    param.data = np.float64(1.0)  # what `x.data = x.data - lr * g` leaves
    param.grad = Variable(2.0)
    for optimizer in (SGD(0.1), Adam(0.1)):
        before = float(param)
        optimizer.setup(Holder(param)).update()
        assert float(param) < before


def test_arrays_that_are_read_only():
    data = np.ones((2, 3))
    data.flags.writeable = False
    for maker in MAKERS.values():
        param = Parameter(data)
        param.grad = Variable(np.broadcast_to(1.0, (2, 3)))
        maker().setup(Holder(param)).update()
        assert (param.data != 1).all() and (data == 1).all()


@every_optimizer
def test_a_gradient_that_is_a_plain_array(name):
    param = parameter([1.0, 2.0])
    param.grad = np.ones(2)
    MAKERS[name]().setup(Holder(param)).update()
    assert (param.data < [1, 2]).all() and isinstance(param.grad, Variable)


@every_optimizer
def test_a_gradient_of_another_dtype_counts_as_one_of_the_parameters_dtype(name):
    for dtype, other in itertools.product(("f4", "f8"), ("i8", "i2", "?", "f2", "f4", "f8")):
        grad = np.array([[300, 1], [0, -2]]).astype(other)
        mine = updated(MAKERS[name](), np.ones((2, 2), dtype), 3 * [grad])
        want = updated(MAKERS[name](), np.ones((2, 2), dtype), 3 * [grad.astype(dtype)])
        assert mine.dtype == dtype and (mine.data < 1).any() and (mine.data == want.data).all()


def test_a_model_that_is_cast_goes_on_and_its_state_fits():
    param = parameter(np.ones(3), np.ones(3))
    optimizer = Adam(0.1).setup(Holder(param))
    optimizer.update()
    param.data = param.data.astype("f4")
    optimizer.update()
    assert param.dtype == np.float32 and param.data == pytest.approx(0.8)
    state = optimizer.state()
    optimizer.load_state(state)
    assert all(array.dtype == np.float32 for array in optimizer.memory(param))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@every_optimizer
def test_a_float16_parameter_is_updated_as_one_of_float32_and_rounded(name, shape):
    """1e-8, the eps of Adam, is 0 in float16, and so is the square of a gradient of 1e-4."""
    data = numbers(0, shape, "f2")
    for scale in (0.0, 1e-4, 1.0):
        grads = [scale * grad for grad in gradients(shape, "f2", steps=5)]
        optimizer = MAKERS[name]()
        mine = updated(optimizer, data, grads)
        want = updated(MAKERS[name](), data.astype("f4"), [grad.astype("f4") for grad in grads])
        assert mine.dtype == mine.grad.dtype == np.float16
        np.testing.assert_allclose(mine.data, want.data, rtol=6e-3, atol=6e-3)
        assert all(array.dtype == np.float32 for array in optimizer.memory(mine))
        again = MAKERS[name]().setup(optimizer.target)
        again.load_state(optimizer.state())
        assert again.state().keys() == optimizer.state().keys()


@every_optimizer
def test_a_network_of_float16_learns(name):
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(50, 3)).astype("f2"), rng.normal(size=(3, 2)).astype("f2")
    layer = Linear(2, dtype=np.float16, in_size=3)
    optimizer, losses = MAKERS[name]().setup(layer), []
    for _ in range(100):
        loss = F.mean_squared_error(layer(x), x @ W)
        layer.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss))
    assert layer.W.dtype == np.float16 and losses[-1] < 0.6 * losses[0]


def test_numpy_numbers_as_rates_do_not_widen_either():
    rate = np.float64(0.1)
    for optimizer in (SGD(rate), SGD(lambda n: rate), Adam(rate, np.float64(0.9))):
        optimizer.add_hook(WeightDecay(rate))
        optimizer.add_hook(ClipGrad(np.float64(0.5)))
        for shape in [(3,), ()]:
            param = parameter(np.ones(shape, "f4"), np.ones(shape, "f4"))
            optimizer.setup(Holder(param)).update()
            assert param.dtype == np.float32 and param.grad.dtype == np.float32


# --- which parameters ---------------------------------------------------------------------------


def test_setup_returns_the_optimizer():
    model = Linear(3)
    optimizer = SGD()
    assert optimizer.setup(model) is optimizer and optimizer.target is model


@every_optimizer
def test_without_a_gradient_nothing_changes(name):
    used, unused, empty = parameter([1.0], [1.0]), parameter([1.0]), Parameter(None)
    optimizer = MAKERS[name]().setup(Holder(used, unused, empty))
    optimizer.update()
    assert used.data[0] < 1 and unused.data[0] == 1 and empty.data is None
    used.cleargrad()
    after = used.data.copy()
    optimizer.update()
    assert (used.data == after).all()


def test_a_parameter_listed_twice_is_updated_once():
    param = parameter([1.0], [1.0])

    class Twice:
        def params(self):
            yield param
            yield param

    SGD(0.1).setup(Twice()).update()
    assert param.data == pytest.approx(0.9)


def test_weights_used_twice_are_updated_by_the_sum_of_both_gradients():
    model = Holder(W := parameter([2.0]))
    F.sum(W * 3 + W * 4).backward()
    SGD(0.1).setup(model).update()
    assert W.data == pytest.approx(2 - 0.7)


def test_memory_belongs_to_the_parameter_and_not_to_its_address():
    model, optimizer = Holder(), MomentumSGD(0.1)
    optimizer.setup(model)
    for _ in range(20):
        model.params_ = [parameter([0.0], [1.0])]  # often where the one before has been
        optimizer.update()
        assert model.params_[0].data == pytest.approx(-0.1)  # nobody's velocity is inherited


def test_a_new_target_is_a_new_start():
    first, second = Holder(parameter([0.0], [1.0])), Holder(parameter([0.0], [1.0]))
    optimizer = Adam(0.1).setup(first)
    optimizer.update()
    assert optimizer.setup(first).updates == 1 and len(optimizer.kept) == 1
    assert optimizer.setup(second).updates == 0 and optimizer.kept == {}
    optimizer.update()
    assert (first.params_[0].data == second.params_[0].data).all()


def test_a_copy_of_model_and_optimizer_goes_its_own_way():
    model = Linear(2, in_size=3)
    optimizer = Adam(0.1).setup(model)
    for param in model.params():
        param.grad = Variable(np.ones(param.shape, param.dtype))
    optimizer.update()
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        before = [param.data.copy() for param in model.params()]
        twin.update()
        assert all((a.data == b).all() for a, b in zip(model.params(), before))
        W, V = next(model.params()), next(twin.target.params())
        assert V is not W and (V.data != W.data).all()
        assert set(twin.kept) == set(twin.target.params())


# --- mistakes -----------------------------------------------------------------------------------


def test_update_before_setup_says_what_to_call():
    for call in (lambda: Adam().update(), lambda: Adam().state(), lambda: Adam().load_state({})):
        with pytest.raises(RuntimeError, match=r"Adam .* call setup\(model\) first"):
            call()


@pytest.mark.parametrize("wrong", [[parameter([1.0])], None, 3, Linear])
def test_setup_refuses_what_has_no_parameters(wrong):
    with pytest.raises(TypeError, match="a Layer or a Model"):
        SGD().setup(wrong)


@pytest.mark.parametrize("maker", [SGD, MomentumSGD, AdaGrad, RMSprop, Adam, AdamW, Optimizer])
def test_a_rate_must_be_positive(maker):
    for wrong in (0, -0.1, math.nan, math.inf, np.float32(-1)):
        with pytest.raises(ValueError, match="must be a positive number, not "):
            maker(wrong)
    for wrong in (None, "fast", [0.1]):
        with pytest.raises(TypeError, match="must be a positive number, not <class"):
            maker(wrong)
    optimizer = maker(0.5)
    with pytest.raises(ValueError, match="positive"):
        optimizer.lr = 0
    assert optimizer.lr == 0.5


@pytest.mark.parametrize(
    "make, name, words, wrong, right",
    [
        (MomentumSGD, "momentum", "at least 0 and below 1", (1, 1.5, -0.1, math.nan), 0),
        (RMSprop, "rho", "at least 0 and below 1", (1, -0.1), 0),
        (AdaDelta, "rho", "at least 0 and below 1", (1, -0.1), 0),
        (Adam, "beta1", "at least 0 and below 1", (1, -0.1), 0),
        (AdamW, "beta2", "at least 0 and below 1", (1, -0.1), 0),
        (AdaGrad, "eps", "at least 0", (-1e-8, math.nan, math.inf), 0),
        (RMSprop, "eps", "at least 0", (-1e-8,), 0),
        (AdaDelta, "eps", "at least 0", (-1e-8,), 0),
        (Adam, "eps", "at least 0", (-1e-8,), 0),
        (AdamW, "weight_decay", "at least 0", (-0.1, math.nan), 0),
        (WeightDecay, "rate", "at least 0", (-0.1, math.nan), 0),
        (ClipGrad, "max_norm", "a positive number", (0, -1, math.nan), 1),
    ],
)
def test_numbers_that_make_no_sense_are_named(make, name, words, wrong, right):
    for value in wrong:
        with pytest.raises(ValueError, match=f"{name}.* must be {words}, not {value}"):
            make(**{name: value})
    for value in (None, "high", [0.5]):
        with pytest.raises(TypeError, match=f"{name}.* must be {words}, not <class"):
            make(**{name: value})
    assert getattr(make(**{name: right}), name) == right


def test_hooks_and_what_they_freeze_are_looked_at_when_given():
    for wrong in ("decay", WeightDecay, None):
        with pytest.raises(TypeError, match="a hook is called with the list of parameters: .* not"):
            SGD().add_hook(wrong)
    with pytest.raises(TypeError, match="FreezeParam takes Parameters and Layers, not .*str"):
        FreezeParam(Linear(2), "l0")
    with pytest.raises(TypeError, match="not the class Linear"):
        FreezeParam(Linear)


def test_a_gradient_of_another_shape_names_the_parameter():
    param = parameter(np.zeros((2, 3)), np.ones(3), name="W")
    other = parameter([1.0], [1.0])
    optimizer = SGD().setup(Holder(other, param))
    with pytest.raises(ValueError, match=r"'W' \(2, 3\) float64 has a gradient of shape \(3,\)"):
        optimizer.update()
    assert other.data == 1 and optimizer.updates == 0  # nothing was begun


def test_a_parameter_of_integers_says_what_to_do():
    param = parameter([1, 2], [1.0, 1.0], name="W")
    with pytest.raises(TypeError, match=r"'W' \(2,\) int\d+ is not: make it with .astype\(float\)"):
        SGD().setup(Holder(param)).update()


def test_a_parameter_that_changed_its_shape_is_told():
    param = parameter(np.ones(3), np.ones(3), name="W")
    optimizer = Adam().setup(Holder(param))
    optimizer.update()
    param.data, param.grad = np.ones(4), Variable(np.ones(4))
    with pytest.raises(ValueError, match=r"'W' \(4,\) .* what it keeps is \(3,\)"):
        optimizer.update()


def test_an_optimizer_without_a_rule_says_what_to_define():
    class Nothing(Optimizer):
        pass

    with pytest.raises(NotImplementedError, match="Nothing has no update_one"):
        Nothing().setup(Holder(parameter([1.0], [1.0]))).update()


# --- your own -----------------------------------------------------------------------------------


class BookMomentum(Optimizer):
    "As the book writes it, with a dictionary by id."

    def __init__(self, lr=0.01, momentum=0.9):
        super().__init__()
        self.lr = lr
        self.momentum = momentum
        self.vs = {}

    def update_one(self, param):
        v_key = id(param)
        if v_key not in self.vs:
            self.vs[v_key] = np.zeros_like(param.data)
        v = self.vs[v_key]
        v *= self.momentum
        v -= self.lr * param.grad.data
        param.data += v


class BookAdam(Optimizer):
    "With a counter, a rate that is computed, and an update of its own."

    def __init__(self, alpha=0.001):
        super().__init__()
        self.t, self.alpha, self.ms, self.vs = 0, alpha, {}, {}

    def update(self, *args, **kwargs):
        self.t += 1
        super().update(*args, **kwargs)

    @property
    def lr(self):
        return self.alpha * math.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)

    def update_one(self, param):
        key, grad = id(param), param.grad.data
        m = self.ms.setdefault(key, np.zeros_like(param.data))
        v = self.vs.setdefault(key, np.zeros_like(param.data))
        m += 0.1 * (grad - m)
        v += 0.001 * (grad * grad - v)
        param.data -= self.lr * m / (np.sqrt(v) + 1e-8)


@pytest.mark.parametrize("own, ours", [(BookMomentum(0.1), MomentumSGD(0.1)), (BookAdam(), Adam())])
def test_an_optimizer_in_the_style_of_the_book_works(own, ours):
    data, grads = numbers(0, (3, 4)), [1 + numbers(seed, (3, 4)) ** 2 for seed in range(20)]
    mine = updated(own, data, grads).data
    np.testing.assert_allclose(mine, updated(ours, data, grads).data, rtol=1e-6)
    own.add_hook(WeightDecay(0.1))
    own.update()
    assert own.updates == 21


def test_replacing_the_array_instead_of_writing_into_it_works_too():
    class Replacing(Optimizer):
        def update_one(self, param):
            param.data = param.data - self.lr * param.grad.data

    param = parameter([1.0], [1.0])
    Replacing(0.1).setup(Holder(param)).update()
    assert param.data == pytest.approx(0.9)


def test_a_subclass_of_ours_may_add_to_the_rule():
    class Bounded(SGD):
        def update_one(self, param):
            super().update_one(param)
            np.clip(param.data, 0, 1, out=param.data)

    param = parameter([0.05, 0.5], [1.0, 1.0])
    Bounded(0.1).setup(Holder(param)).update()
    assert np.allclose(param.data, [0, 0.4])


def test_numbers_are_asked_for_once_in_an_update():
    asked = []

    class Counted(Adam):
        def numbers(self):
            asked.append(self.updates)
            return super().numbers()

    optimizer = Counted(0.1).setup(Holder(*[parameter([1.0], [1.0]) for _ in range(3)]))
    optimizer.update()
    optimizer.update()
    assert asked == [1, 2]


def test_a_rate_for_each_parameter_by_an_update_one_of_its_own():
    class Slower(SGD):
        def update_one(self, param):
            self.lr, before = 0.1 * self.lr if param.name == "slow" else self.lr, self.lr
            super().update_one(param)
            self.lr = before

    slow, fast = parameter([1.0], [1.0], "slow"), parameter([1.0], [1.0], "fast")
    Slower(0.1).setup(Holder(slow, fast)).update()
    assert slow.data == pytest.approx(0.99) and fast.data == pytest.approx(0.9)


def test_hooks_in_the_style_of_the_book_work():
    def halve(params):
        for param in params:
            param.grad.data *= 0.5

    param = parameter([1.0], [1.0])
    optimizer = SGD(0.1).setup(Holder(param))
    optimizer.add_hook(halve)
    assert optimizer.hooks == [halve]
    optimizer.update()
    assert param.data == pytest.approx(0.95)


# --- hooks --------------------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ["SGD", "MomentumSGD", "Adam"])
def test_weight_decay_is_that_of_torch(name, dtype):
    data, grads = numbers(0, (3, 4), dtype), gradients((3, 4), dtype)

    def decay(param):
        param.grad = param.grad + 0.1 * param.detach()

    optimizer = MAKERS[name]()
    optimizer.add_hook(WeightDecay(0.1))
    mine, theirs = updated(optimizer, data, grads), torch_updated(name, data, grads, decay)
    rtol = 1e-4 if dtype == "f4" else 1e-12
    assert mine.dtype == dtype
    np.testing.assert_allclose(mine.data, theirs, rtol, atol=rtol)


@pytest.mark.torch
@pytest.mark.parametrize("max_norm", [0.1, 5.0, 1e6])
def test_clipping_is_that_of_torch(max_norm):
    import torch

    shapes = [(3, 4), (5,), ()]
    params = [parameter(np.ones(s), 3 * numbers(i, s)) for i, s in enumerate(shapes)]
    twins = [torch.tensor(param.data) for param in params]
    for twin, param in zip(twins, params):
        twin.requires_grad_().grad = torch.tensor(param.grad.data)
    torch.nn.utils.clip_grad_norm_(twins, max_norm)
    ClipGrad(max_norm)(params)
    for twin, param in zip(twins, params):
        np.testing.assert_allclose(param.grad.data, twin.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype, huge", [("f2", 6e4), ("f4", 3e38), ("f8", 1e200), ("f8", 1.7e308)])
def test_clipping_of_numbers_whose_squares_overflow(dtype, huge):
    params = [parameter(np.zeros(2, dtype), np.full(2, huge, dtype)) for _ in range(2)]
    ClipGrad(1.0)(params)
    for param in params:
        np.testing.assert_allclose(param.grad.data, 0.5, rtol=2e-3 if dtype == "f2" else 1e-5)
        assert param.grad.dtype == dtype


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_gradient_without_a_size_is_told_and_changes_nothing(wrong):
    a, b = parameter([1.0, 2.0], [1.0, wrong]), parameter([3.0], [4.0])
    a.name = "weight"
    optimizer = SGD(0.1).setup(Holder(a, b))
    optimizer.add_hook(ClipGrad(1.0))
    with pytest.raises(FloatingPointError, match="'weight'.*not finite"):
        optimizer.update()
    assert a.data.tolist() == [1, 2] and b.data.tolist() == [3] and b.grad.data.tolist() == [4]


@pytest.mark.parametrize("grad", [np.ones(2), np.broadcast_to(1.0, 2)], ids=["array", "view"])
def test_hooks_change_shared_gradients_once(grad):
    a, b = parameter([1.0, 2.0]), parameter([3.0, 4.0])
    a.grad = b.grad = Variable(grad)
    WeightDecay(0.5)([a, b])
    assert a.grad.data.tolist() == [1.5, 2.0] and b.grad.data.tolist() == [2.5, 3.0]
    a.grad, b.grad = Variable(grad), Variable(grad)  # two boxes, one array
    ClipGrad(1.0)([a, b])
    for param in (a, b):
        assert np.allclose(param.grad.data, 0.5, rtol=1e-5)
    assert (grad == 1).all()


@every_optimizer
def test_gradients_of_a_graph_in_which_they_are_shared(name):
    for hook in (WeightDecay(0.1), ClipGrad(0.1)):
        a, b = parameter([1.0, 2.0]), parameter([1.0, 2.0])
        F.sum(a + b).backward()
        optimizer = MAKERS[name]().setup(Holder(a, b))
        optimizer.add_hook(hook)
        optimizer.update()
        assert np.array_equal(a.data, b.data) and (a.data < [1, 2]).all()


def test_clipping_keeps_the_direction_and_short_gradients():
    a, b = parameter([0.0], [30.0]), parameter([0.0], [40.0])
    before = a.grad
    ClipGrad(100)([a, b])
    assert a.grad is before
    ClipGrad(5)([a, b])
    assert np.allclose([a.grad.data, b.grad.data], [[3], [4]])


def test_clipping_large_and_odd_gradients():
    huge = parameter(np.zeros(4, "f4"), np.full(4, 1e25, "f4"))
    ClipGrad(2)([huge])  # the squares do not fit into float32
    assert np.allclose(huge.grad.data, 1) and huge.grad.dtype == np.float32
    for odd in (np.nan, np.inf):
        param = parameter(np.zeros(2), [odd, 1.0])
        with pytest.raises(FloatingPointError):
            ClipGrad(1)([param])
        assert np.array_equal(param.grad.data, [odd, 1.0], equal_nan=True)  # for all to see
    ClipGrad(1)([])
    large = parameter(np.zeros(200_000), np.ones(200_000))
    ClipGrad(1)([large])
    assert np.linalg.norm(large.grad.data) == pytest.approx(1, rel=1e-6)


@every_optimizer
def test_frozen_parameters_stay(name):
    model = MLP((3, 2))
    model(np.ones((4, 5), "f4"))
    before = {key: param.data.copy() for key, param in model.named_params()}
    optimizer = MAKERS[name]().setup(model)
    optimizer.add_hook(FreezeParam(model.l0, model.l1.b))
    for hook in (WeightDecay(0.1), ClipGrad(1.0)):
        optimizer.add_hook(hook)
    for _ in range(2):
        model.cleargrads()
        F.sum(model(np.ones((4, 5), "f4"))).backward()
        optimizer.update()
    changed = [key for key, param in model.named_params() if (param.data != before[key]).any()]
    assert changed == ["l1/W"]


def test_freezing_everything_is_no_error():
    model = Holder(parameter([1.0], [1.0]))
    optimizer = Adam().setup(model)
    optimizer.add_hook(FreezeParam(model))
    optimizer.update()
    assert next(model.params()).data == 1


# --- rates and schedules ------------------------------------------------------------------------


@every_optimizer
def test_the_rate_can_be_read_and_set(name):
    optimizer = MAKERS[name]()
    optimizer.lr = 0.25
    assert optimizer.lr == 0.25 and optimizer.updates == 0
    optimizer.lr = lambda n: 0.5
    assert optimizer.lr == 0.5


def test_the_rate_that_is_set_is_used():
    for maker in (SGD, AdaGrad, Adam):
        optimizer = maker(1.0)
        optimizer.lr = 0.125
        param = parameter([1.0], [1.0])
        optimizer.setup(Holder(param)).update()
        assert param.data == pytest.approx(1 - 0.125, rel=1e-6)
    slow, fast = AdaDelta(), AdaDelta(lr=3.0)
    ways = [1 - updated(o, np.ones(1), [np.ones(1)]).data for o in (slow, fast)]
    assert slow.lr == 1.0 and ways[1] == pytest.approx(3 * ways[0])


def test_the_rate_of_adam_is_corrected():
    optimizer = Adam(0.01)
    assert optimizer.lr == optimizer.alpha == 0.01 and optimizer.t == 0
    optimizer.setup(Holder(parameter([1.0], [1.0])))
    for t in range(1, 4):
        optimizer.update()
        assert optimizer.t == t and optimizer.alpha == 0.01
        assert optimizer.lr == pytest.approx(0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t))
    optimizer.lr = 0.02
    assert optimizer.alpha == 0.02
    optimizer.alpha *= 0.5
    assert optimizer.alpha == 0.01
    optimizer.alpha = CosineDecay(0.1, 10)
    assert optimizer.alpha == CosineDecay(0.1, 10)(2)  # that of the third update


@pytest.mark.torch
def test_schedules_are_those_of_torch():
    import torch

    def rates(make):
        optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1)
        scheduler, found = make(optimizer), []
        for _ in range(30):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return found

    torch_rates = torch.optim.lr_scheduler
    steps = rates(lambda o: torch_rates.StepLR(o, 7, 0.5))
    assert np.allclose([StepDecay(0.1, 7, 0.5)(n) for n in range(30)], steps, rtol=1e-12)
    cosine = rates(lambda o: torch_rates.CosineAnnealingLR(o, 30, 0.01))
    assert np.allclose([CosineDecay(0.1, 30, 0.01)(n) for n in range(30)], cosine, rtol=1e-9)
    warm = rates(lambda o: torch_rates.LinearLR(o, 0.1, 1.0, 9))
    assert np.allclose([WarmUp(0.1, 10)(n) for n in range(30)], warm, rtol=1e-9)


def test_the_ends_of_schedules():
    cosine = CosineDecay(0.1, 10, lowest=0.02)
    assert cosine(0) == 0.1 and cosine(10) == pytest.approx(0.02) == pytest.approx(cosine(99))
    assert CosineDecay(0.1, 10)(10) == pytest.approx(0)
    step = StepDecay(0.1, 3)
    assert [step(n) for n in (0, 2, 3, 6)] == pytest.approx([0.1, 0.1, 0.01, 0.001])
    warm = WarmUp(step, 4)
    assert [warm(n) for n in range(8)] == pytest.approx(
        [0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1, 0.01]
    )


@every_optimizer
def test_a_schedule_gives_the_rate_of_each_update(name):
    rates = [0.1, 0.2, 0.05]
    asked = []

    def schedule(n):
        asked.append(n)
        return rates[n]

    data, grads = numbers(0, (3, 4)), gradients((3, 4), "f8", 3)
    optimizer, by_hand = MAKERS[name](), MAKERS[name]()
    optimizer.lr = schedule
    mine = updated(optimizer, data, grads)
    param = Parameter(data.copy())
    by_hand.setup(Holder(param))
    for rate, grad in zip(rates, grads):
        by_hand.lr, param.grad = rate, Variable(grad)
        by_hand.update()
    assert (mine.data == param.data).all() and sorted(set(asked)) == [0, 1, 2]


def test_a_schedule_may_reach_zero_but_not_less():
    param = parameter([1.0], [1.0])
    SGD(lambda n: 0).setup(Holder(param)).update()
    assert param.data == 1
    for wrong in (-0.1, math.nan, math.inf, None, "high"):
        error = ValueError if isinstance(wrong, float) else TypeError
        with pytest.raises(error, match="what the schedule gives after 0 updates must be at least"):
            SGD(lambda n, wrong=wrong: wrong).setup(Holder(param)).update()


def test_schedules_refuse_what_makes_no_sense():
    for make in (
        lambda: StepDecay(-1, 3),
        lambda: StepDecay(0.1, 0),
        lambda: StepDecay(0.1, 5, 0),
        lambda: CosineDecay(0.1, 5, -1),
        lambda: CosineDecay(0.1, -5),
        lambda: WarmUp(0.1, 0),
        lambda: WarmUp(0, 10),
    ):
        with pytest.raises(ValueError, match="must be (a positive number|at least 0), not "):
            make()


# --- states -------------------------------------------------------------------------------------


def network(optimizer):
    np.random.seed(0)
    model = MLP((4, 2))
    optimizer.setup(model)
    return model, optimizer


def train(model, optimizer, steps):
    x = numbers(0, (6, 3), "f4")
    for _ in range(steps):
        model.cleargrads()
        F.mean_squared_error(model(x), np.zeros((6, 2), "f4")).backward()
        optimizer.update()


@pytest.mark.parametrize("scheduled", [False, True], ids=["number", "schedule"])
@every_optimizer
def test_stopped_and_resumed_is_the_same_to_the_last_bit(name, scheduled, tmp_path):
    def fresh():
        optimizer = MAKERS[name]()
        if scheduled:
            optimizer.lr = WarmUp(CosineDecay(0.1, 12), 4)
        return network(optimizer)

    model, optimizer = fresh()
    train(model, optimizer, 7)
    if not scheduled:
        optimizer.lr = 0.03
    save_arrays(tmp_path / "state.npz", optimizer.state())
    model.save_weights(tmp_path / "weights.npz")
    train(model, optimizer, 7)

    second, resumed = fresh()
    second.load_weights(tmp_path / "weights.npz")
    resumed.load_state(load_arrays(tmp_path / "state.npz"))
    assert resumed.updates == 7
    train(second, resumed, 7)
    for a, b in zip(model.params(), second.params()):
        assert a.dtype == b.dtype and a.data.tobytes() == b.data.tobytes()
    first, last = optimizer.state(), resumed.state()
    assert list(first) == list(last)
    assert all(first[key].tobytes() == last[key].tobytes() for key in first)


def test_a_state_is_made_of_named_arrays():
    model, optimizer = network(Adam(0.01))
    train(model, optimizer, 2)
    state = optimizer.state()
    kept = [f"{keep}/{key}" for key, _ in model.named_params() for keep in "mv"]
    assert sorted(state) == sorted(["updates", "lr", *kept])
    assert all(type(array) is np.ndarray for array in state.values())
    assert state["updates"].shape == () and state["updates"] == 2 and state["lr"] == 0.01
    assert state["m/l0/W"].shape == (3, 4) and state["m/l0/W"].dtype == np.float32
    assert "lr" not in network(Adam(CosineDecay(0.1, 10)))[1].state()


def test_states_are_copies():
    model, optimizer = network(Adam())
    train(model, optimizer, 1)
    state = optimizer.state()
    before = {key: array.copy() for key, array in state.items()}
    train(model, optimizer, 1)
    assert all((state[key] == before[key]).all() for key in state)
    optimizer.load_state(state)
    train(model, optimizer, 1)
    assert all((state[key] == before[key]).all() for key in state)


def test_a_state_without_memory_and_before_any_update():
    model, optimizer = network(Adam(0.01))
    state = optimizer.state()
    assert sorted(state) == ["lr", "updates"]
    optimizer.lr = 0.5
    optimizer.load_state(state)
    assert optimizer.alpha == 0.01 and optimizer.updates == 0


def test_a_state_may_be_loaded_before_the_weights_exist():
    model, optimizer = network(Adam())
    train(model, optimizer, 3)
    second, resumed = network(Adam())
    resumed.load_state(optimizer.state())
    for a, b in zip(model.params(), second.params()):
        b.data = a.data.copy()
    train(model, optimizer, 1)
    train(second, resumed, 1)
    assert all((a.data == b.data).all() for a, b in zip(model.params(), second.params()))


def test_parameters_without_names_are_numbered():
    class Nameless:
        def __init__(self):
            self.list = [parameter([1.0], [1.0]), parameter([2.0])]

        def params(self):
            return self.list

    optimizer = MomentumSGD(0.1).setup(Nameless())
    optimizer.update()
    state = optimizer.state()
    assert sorted(state) == ["lr", "updates", "v/0"]
    other = MomentumSGD(0.1).setup(Nameless())
    other.load_state(state)
    assert other.memory(other.target.list[0])[0] == pytest.approx(-0.1)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.pop("updates"), "no 'updates'"),
        (lambda s: s.pop("v/l0/W"), "no 'v/l0/W'"),
        (lambda s: s.update({"x/l0/W": s["m/l0/W"]}), "no place for 'x/l0/W'"),
        (lambda s: s.update({"m/l9/W": s["m/l0/W"]}), "no place for 'm/l9/W'"),
        (lambda s: s.update({"m/l0/W": np.ones((9, 9), "f4")}), r"'m/l0/W' is \(9, 9\) float32"),
        (lambda s: s.update({"m/l0/W": s["m/l0/W"].astype("f8")}), r"'m/l0/W' is \(3, 4\) float64"),
        (lambda s: s.update({"lr": np.array(-1.0)}), "positive"),
        (lambda s: s.update({"updates": np.array(-1)}), "'updates' must be at least 0"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    model, optimizer = network(Adam(0.01))
    train(model, optimizer, 2)
    wrong = optimizer.state()
    train(model, optimizer, 1)
    before = optimizer.state()
    change(wrong)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state(wrong)
    after = optimizer.state()
    assert list(before) == list(after)
    assert all((before[key] == after[key]).all() for key in before)


def test_the_state_of_another_optimizer_is_refused():
    model, optimizer = network(Adam())
    train(model, optimizer, 1)
    for other in (SGD(), MomentumSGD(), AdaGrad()):
        with pytest.raises(ValueError, match="another optimizer"):
            other.setup(model).load_state(optimizer.state())


def test_what_an_own_optimizer_keeps_is_saved():
    class Mean(Optimizer):
        keeps = ("mean",)

        def numbers(self):
            return self.lr, self.updates

        def update_rule(self, p, g, mean, lr, updates):
            mean += (g - mean) / updates
            p -= lr * mean

    model, optimizer = network(Mean(0.1))
    train(model, optimizer, 3)
    state = optimizer.state()
    assert "mean/l0/W" in state and state["mean/l0/W"].any()
    second, resumed = network(Mean(0.1))
    resumed.load_state(state)
    assert (resumed.state()["mean/l0/W"] == state["mean/l0/W"]).all()


# --- options of others --------------------------------------------------------------------------


def test_uphill_gradients_are_what_they_were():
    param = parameter([1.0, 2.0], [0.5, -0.5])
    optimizer, given = SGD(0.1, maximize=True).setup(Holder(param)), param.grad
    optimizer.add_hook(WeightDecay(0.1))
    optimizer.update()
    np.testing.assert_allclose(param.data, [1 + 0.1 * (0.5 - 0.1), 2 + 0.1 * (-0.5 - 0.2)])
    assert param.grad is given and given.data.tolist() == [0.5, -0.5]
    param.grad = Variable(np.array([np.inf, 1.0]))
    optimizer.add_hook(ClipGrad(1.0))
    with pytest.raises(FloatingPointError):
        optimizer.update()
    assert param.grad.data.tolist() == [np.inf, 1.0]


def test_an_optimizer_of_the_book_climbs_too():
    class Plain(Optimizer):
        def update_one(self, param):
            param.data -= self.lr * param.grad.data

    param = parameter([1.0], [0.5])
    optimizer = Plain(0.1).setup(Holder(param))
    optimizer.maximize = True
    optimizer.update()
    assert param.data.tolist() == [1.05]


@pytest.mark.parametrize("name", ["centered", "amsgrad", "amsgrad AdamW"])
def test_what_the_options_keep_is_part_of_the_state(name):
    model, optimizer = Holder(parameter(np.ones(3), np.ones(3))), MAKERS[name]()
    optimizer.setup(model).update()
    extra = "m" if name == "centered" else "v_max"
    assert any(key.startswith(f"{extra}/") for key in optimizer.state())
    plain = {"centered": RMSprop, "amsgrad": Adam, "amsgrad AdamW": AdamW}[name]().setup(model)
    with pytest.raises(ValueError, match=f"has no place for '{extra}/"):
        plain.load_state(optimizer.state())
    plain.update()
    with pytest.raises(ValueError, match=f"the state has no '{extra}/"):
        MAKERS[name]().setup(model).load_state(plain.state())
    if name != "centered":
        state = {k: -v if k.startswith("v_max") else v for k, v in optimizer.state().items()}
        with pytest.raises(ValueError, match="holds squares, and is negative"):
            optimizer.load_state(state)


def test_equal_gradients_do_not_make_a_centered_step_nan():
    param = updated(
        RMSprop(0.01, 0.5, centered=True), np.ones(2, "f4"), [np.full(2, 0.3, "f4")] * 99
    )
    assert np.isfinite(param.data).all()


def test_nesterov_goes_without_dampening():
    with pytest.raises(ValueError, match="nesterov goes without dampening"):
        MomentumSGD(nesterov=True, dampening=0.1)
    with pytest.raises(ValueError, match="dampening"):
        MomentumSGD(dampening=-1)
