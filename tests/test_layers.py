"""Layers: what they find, what they say, and what they write and read."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dezero.functions as F
import dezero.layers as L
from dezero import Parameter, Variable, no_grad
from dezero.files import load_arrays, save_arrays
from dezero.layers import Layer, Linear
from dezero.layers.base import named_parts


def names(layer):
    return [name for name, _ in layer.named_params()]


def filled(layer):
    """Each Parameter of a layer holds numbers of its own."""
    for i, param in enumerate(layer.params()):
        param.data = np.full(param.shape, i + 0.5, param.dtype)
    return layer


def arrays(layer):
    return {name: param.data.copy() for name, param in layer.named_params()}


def same(one, other):
    """The same names in the same order, the same values, shapes and dtypes."""
    return list(one) == list(other) and all(
        x.dtype == y.dtype and x.shape == y.shape and np.array_equal(x, y)
        for x, y in zip(one.values(), other.values(), strict=True)
    )


def two():
    """Two small layers with weights, under l0 and l1."""
    layer = Layer()
    layer.l0, layer.l1 = Linear(3, in_size=2), Linear(1, in_size=3)
    return filled(layer)


# --- parameters ---------------------------------------------------------------------------------


def test_parameters_come_in_order_of_assignment():
    layer = Layer()
    keys = ["z", "a", "m", "b2", "b10", "b1"]
    for key in keys:
        setattr(layer, key, Parameter(np.zeros(1)))
    assert names(layer) == keys
    assert list(layer.params()) == [getattr(layer, key) for key in keys]


def test_names_are_those_of_the_published_files():
    layer = Layer()
    layer.res = Layer()
    layer.res.conv = Linear(3, in_size=1)
    layer.fc = Linear(2, nobias=True, in_size=1)
    assert names(layer) == ["res/conv/W", "res/conv/b", "fc/W"]


def test_lists_tuples_and_dicts_are_searched():
    layer = Layer()
    layer.blocks = [Linear(1, in_size=1), (Linear(1, nobias=True, in_size=1), {})]
    layer.heads = {"left": Linear(1, nobias=True), 7: [Parameter(np.zeros(2))], "n": 3, "x": None}
    layer.last = Parameter(np.zeros(1))
    assert names(layer) == [
        *["blocks/0/W", "blocks/0/b", "blocks/1/0/W", "heads/left/W", "heads/7/0", "last"]
    ]
    layer.blocks.append(Linear(1, nobias=True))
    assert "blocks/2/W" in names(layer)


def test_a_shared_parameter_is_given_once():
    layer, shared = Layer(), Parameter(np.zeros(1))
    layer.a, layer.b = Layer(), Layer()
    layer.a.W = layer.b.W = layer.c = shared
    layer.d = [shared, layer.a, layer.a]
    assert names(layer) == ["a/W"]


def test_a_layer_in_a_list_and_in_an_attribute_goes_by_the_attribute():
    """As in models written for the published DeZero, whose files say l0/W."""

    class Stack(Layer):
        def __init__(self):
            self.layers = []
            for i in range(2):
                layer = Linear(1, nobias=True)
                setattr(self, f"l{i}", layer)
                self.layers.append(layer)

    assert names(Stack()) == ["l0/W", "l1/W"]


def test_what_is_replaced_or_set_to_none_is_gone():
    layer = two()
    new = layer.l0.W = Parameter(np.ones(1))
    layer.l0.b = None
    layer.l1 = None
    assert list(layer.params()) == [new]
    layer.l0 = 3
    assert names(layer) == []
    del layer.l0
    layer.l1 = layer.l0 = Linear(1, nobias=True)
    assert names(layer) == ["l1/W"]


def test_cycles_end():
    layer, child = Layer(), Layer()
    layer.child, child.parent, layer.me = child, layer, layer
    child.W = Parameter(np.zeros(1))
    loop = [child]
    loop.append(loop)
    layer.loop, layer.table = loop, {}
    layer.table["again"] = layer.table
    assert names(layer) == ["child/W"]
    assert names(child) == ["W"]
    assert repr(layer) == "Layer\n  child: Layer\n    parent: ...\n    W: (1,) float64"


def test_plain_variables_and_arrays_are_no_parameters():
    layer = Layer()
    layer.x, layer.array, layer.many = Variable(np.zeros(1)), np.zeros(1), {np.float64: [1, "W"]}
    assert names(layer) == []


def test_a_subclass_needs_no_init_and_may_be_a_dataclass():
    @dataclass
    class Scale(Layer):
        factor: Parameter

        def forward(self, x):
            return x * self.factor

    layer = Scale(Parameter(np.array(2.0)))
    assert names(layer) == ["factor"]
    assert layer(np.array(3.0)).data == 6.0


@given(st.recursive(st.booleans(), lambda inner: st.lists(inner, max_size=3), max_leaves=12))
def test_every_parameter_of_a_nest_of_lists_and_layers_is_found_in_order(nest):
    made = []

    def build(part, as_layer):
        if isinstance(part, bool):
            made.append(Parameter(np.zeros(1)))
            return made[-1] if part else Linear(1, nobias=True)
        built = [build(p, not as_layer) for p in part]
        if not as_layer:
            return built
        layer = Layer()
        for i, p in enumerate(built):
            setattr(layer, f"p{i}", p)
        return layer

    layer = Layer()
    layer.nest = build(nest, True)
    found = [p for p in layer.params() if p in made]
    used = [p for p in made if p in found]
    assert found == used
    assert len(names(layer)) == len(set(names(layer)))


def test_cleargrads_forgets_all_gradients():
    layer = two()
    layer.l1(layer.l0(np.ones((4, 2)))).backward()
    assert all(p.grad is not None for p in layer.params())
    layer.cleargrads()
    assert all(p.grad is None for p in layer.params())


def test_copies_and_pickles_keep_what_is_shared():
    layer = two()
    layer.again = layer.l0
    for twin in [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]:
        assert same(arrays(twin), arrays(layer))
        assert twin.again is twin.l0 is not layer.l0


# --- what a layer says --------------------------------------------------------------------------


def test_the_tree():
    layer = Layer()
    layer.l0 = Linear(3)
    layer.activation, layer.dtype, layer.rate = F.sigmoid, np.float32, 0.5
    layer.blocks = [Linear(2, nobias=True, in_size=3, dtype=np.float64)]
    layer.scale = Parameter(np.array(1.0))
    assert repr(layer).splitlines() == [
        "Layer",
        "  l0: Linear",
        "    W: (?, 3) float32, no array yet",
        "    b: (3,) float32",
        "  activation: sigmoid",
        "  blocks/0: Linear",
        "    W: (3, 2) float64",
        "  scale: () float64",
    ]
    assert repr(Layer()) == "Layer"


def test_an_error_names_the_layer_it_came_from():
    outer = Layer()
    outer.encoder = two()
    outer.encoder.forward = lambda x: outer.encoder.l1(outer.encoder.l0(x))
    outer.forward = lambda x: outer.encoder(x)
    with pytest.raises(ValueError) as caught:
        outer(np.zeros((4, 5)))
    lines = str(caught.value).splitlines()
    assert lines[-2:] == [
        "  in l0 of Layer((4, 5) float64)",
        "  in encoder of Layer((4, 5) float64)",
    ]
    assert sum("in l0" in line for line in lines) == 1


def test_an_error_outside_any_part_is_left_alone():
    layer = Layer()
    layer.forward = lambda x: np.zeros(1)[x]
    with pytest.raises(IndexError) as caught:
        layer(3)
    assert "Layer" not in str(caught.value)


def test_an_error_that_writes_its_own_text_is_left_alone():
    outer = Layer()
    outer.inner = Layer()
    outer.inner.forward, outer.forward = lambda x: {}[x], lambda x: outer.inner(x)
    with pytest.raises(KeyError) as caught:
        outer("key")
    assert caught.value.args == ("key",)


def test_a_layer_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Layer has no forward: define"):
        Layer()(np.zeros(1))


# --- Linear -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_are_drawn_as_the_book_draws_them_and_keep_their_dtype(dtype):
    np.random.seed(0)  # noqa: NPY002
    layer = Linear(4, dtype=dtype)
    layer(np.zeros((2, 3)))
    np.random.seed(0)  # noqa: NPY002
    want = np.random.randn(3, 4) * np.sqrt(1 / 3)  # noqa: NPY002
    assert layer.W.dtype == layer.b.dtype == dtype
    assert layer.W.shape == (3, 4) and layer.b.shape == (4,)
    assert np.allclose(layer.W.data, want, rtol=2 * np.finfo(dtype).eps)
    assert layer.in_size == 3 and not layer.b.data.any()


def test_weights_are_made_once_at_the_first_call_or_with_in_size():
    lazy, eager = Linear(2), Linear(2, in_size=3)
    assert lazy.W.data is None and eager.W.shape == (3, 2)
    with no_grad():
        lazy(np.zeros((1, 3)))
    first = lazy.W.data
    lazy(np.zeros((1, 3)))
    assert lazy.W.data is first


def test_linear_takes_any_leading_axes_and_gives_float32():
    layer = filled(Linear(2, in_size=3))
    for shape in [(3,), (5, 3), (4, 5, 3), (0, 3)]:
        x = np.ones(shape, np.float32)
        y = layer(x)
        assert y.dtype == np.float32 and y.shape == (*shape[:-1], 2)
        assert np.allclose(y.data, x @ layer.W.data + layer.b.data)


def test_linear_without_bias_has_one_parameter():
    layer = Linear(2, nobias=True, in_size=3)
    assert layer.b is None and names(layer) == ["W"]
    assert layer(np.ones((1, 3))).shape == (1, 2)


def test_no_gradient_is_computed_for_a_plain_array():
    y = Linear(2)(np.ones((4, 3), np.float32))
    x = y.creator.inputs[0]
    y.backward()
    assert x.grad is None


@pytest.mark.parametrize("wrong, says", [([1.0, 2.0], "np.array"), (1.0, "features")])
def test_linear_says_what_it_takes(wrong, says):
    with pytest.raises((TypeError, ValueError), match=says):
        Linear(2)(wrong)


@pytest.mark.parametrize("wrong", [10, 1, 0, "no", None])
def test_a_second_size_is_not_taken_for_a_switch(wrong):
    with pytest.raises(TypeError, match=r"nobias is True or False, not .*Linear\(10, in_size=3\)"):
        Linear(3, wrong)


def test_no_features_are_no_division_by_zero():
    for layer in (Linear(2, in_size=0), Linear(2)):
        assert layer(np.ones((3, 0), np.float32)).data.tolist() == [[0, 0]] * 3
        assert layer.W.shape == (0, 2) and layer.W.dtype == np.float32


def test_the_book_trains_two_layers():
    np.random.seed(0)  # noqa: NPY002
    x = np.random.rand(100, 1)  # noqa: NPY002
    t = np.sin(2 * np.pi * x) + np.random.rand(100, 1)  # noqa: NPY002
    l1, l2, losses = L.Linear(10), L.Linear(1), []
    for i in range(3000):
        loss = F.mean_squared_error(t, l2(F.sigmoid(l1(x))))
        l1.cleargrads()
        l2.cleargrads()
        loss.backward()
        for layer in (l1, l2):
            for p in layer.params():
                p.data -= 0.2 * p.grad.data
        if i % 1000 == 0:
            losses.append(float(loss))
    assert np.allclose(losses, [0.8165178479901415, 0.24990, 0.24610], rtol=2e-5)
    assert all(p.dtype == np.float32 for p in l1.params())


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(out_size=3.0), "out_size is a whole number, not 3.0"),
        (dict(out_size="3"), "out_size is a whole number, not '3'"),
        (dict(out_size=(3,)), "out_size is a whole number"),
        (dict(out_size=None), "out_size is a whole number"),
        (dict(out_size=True), "out_size is a whole number, not True"),
        (dict(out_size=3, in_size=2.5), "in_size is a whole number"),
        (dict(out_size=3, dtype=int), "weights are floats, not int64"),
    ],
    ids=str,
)
def test_sizes_are_numbers_and_weights_are_floats(options, message):
    with pytest.raises(TypeError, match=message):
        Linear(**options)


def test_a_size_is_not_negative():
    with pytest.raises(ValueError, match="out_size is at least 0, not -1"):
        Linear(-1)
    with pytest.raises(ValueError, match="in_size"):
        Linear(1, in_size=-2)


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w", "w.npz", "w.v1", "w.safetensors"])
def test_weights_come_back_bit_by_bit(tmp_path, name):
    layer, other = two(), two()
    for p in layer.params():
        p.data = np.random.default_rng(0).normal(size=p.shape).astype(p.dtype)
    layer.save_weights(tmp_path / name)
    whole = name if name.endswith((".npz", ".safetensors")) else name + ".npz"
    assert [p.name for p in tmp_path.iterdir()] == [whole]
    assert other.load_weights(str(tmp_path / name)) == {}
    assert same(arrays(other), arrays(layer))


def test_a_layer_without_weights_takes_them_from_the_file(tmp_path):
    layer, fresh = two(), Layer()
    layer.save_weights(tmp_path / "w")
    fresh.l0, fresh.l1 = Linear(3), Linear(1)
    fresh.load_weights(tmp_path / "w")
    assert same(arrays(fresh), arrays(layer))
    fresh.l1.W.data += 1
    fresh.l1(fresh.l0(np.ones((1, 2)))).backward()


def test_a_file_of_numpy_and_of_the_published_dezero_is_read(tmp_path):
    layer = two()
    wide = {name: array.astype(float) for name, array in arrays(layer).items()}
    published = {name: wide[name] if name.endswith("W") else arrays(layer)[name] for name in wide}
    np.savez_compressed(tmp_path / "w.npz", **published)  # with NumPy 2 it made W float64
    fresh = Layer()
    fresh.l0, fresh.l1 = Linear(3), Linear(1)
    fresh.load_weights(tmp_path / "w.npz")
    assert same(arrays(fresh), arrays(layer))


def test_numpy_reads_our_files(tmp_path):
    two().save_weights(tmp_path / "w")
    with np.load(tmp_path / "w.npz", allow_pickle=False) as file:
        assert same(dict(file), arrays(two()))


def test_the_same_weights_give_the_same_file(tmp_path):
    for name in ["a", "b"]:
        two().save_weights(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_file_without_suffix_is_found(tmp_path):
    two().save_weights(tmp_path / "w")
    (tmp_path / "w.npz").rename(tmp_path / "w")
    assert two().load_weights(tmp_path / "w") == {}
    with pytest.raises(FileNotFoundError, match="other.npz"):
        two().load_weights(tmp_path / "other")


def test_parameters_that_wait_are_named_and_nothing_is_written(tmp_path):
    layer = Layer()
    layer.l0, layer.l1 = Linear(3), Linear(2)
    with pytest.raises(ValueError, match="l0/W, l1/W have no array yet: call the model"):
        layer.save_weights(tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


MISFITS = {
    "l0/W": (np.zeros((3, 3), np.float32), "has shape (3, 3) in the file, (2, 3) in the model"),
    "l0/b": (np.zeros(3, np.float64), "has dtype float64 in the file, float32 in the model"),
    "l1/W": (None, "is not in the file"),
    "l2/W": (np.zeros(1), "is not in the model"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_said_and_nothing_is_changed(tmp_path, name):
    layer, (array, says) = two(), MISFITS[name]
    file = {**arrays(layer), name: array}
    save_arrays(tmp_path / "w", {n: a + 1 for n, a in file.items() if a is not None})
    before = arrays(layer)
    with pytest.raises(ValueError) as caught:
        layer.load_weights(tmp_path / "w")
    assert str(caught.value).endswith(f"does not fit this Layer:\n  {name}: {says}")
    assert same(arrays(layer), before)


def test_without_strict_what_fits_is_loaded_and_the_rest_reported(tmp_path):
    layer = two()
    file = {**arrays(layer), **{name: array for name, (array, _) in MISFITS.items()}}
    file["l1/b"] = np.array([7.0], np.float32)
    save_arrays(tmp_path / "w", {name: a for name, a in file.items() if a is not None})
    before = arrays(layer)
    report = layer.load_weights(tmp_path / "w", strict=False)
    assert report == {name: says for name, (_, says) in MISFITS.items()}
    assert same(arrays(layer), {**before, "l1/b": file["l1/b"]})


@pytest.mark.parametrize(
    "array, says",
    [
        (np.zeros((2, 4), np.float32), r"shape \(2, 4\) in the file, \(\?, 3\) in the model"),
        (np.zeros(3, np.float32), r"shape \(3,\)"),
        (np.zeros((2, 3), int), "dtype int64"),
    ],
)
def test_a_layer_without_weights_knows_what_it_waits_for(tmp_path, array, says):
    layer = Linear(3, nobias=True)
    save_arrays(tmp_path / "w", {"W": array})
    with pytest.raises(ValueError, match=says):
        layer.load_weights(tmp_path / "w")
    assert layer.W.data is None


def test_two_parameters_under_one_name_are_refused(tmp_path):
    layer = Layer()
    layer.d = {1: Parameter(np.zeros(1)), "1": Parameter(np.zeros(1))}
    with pytest.raises(ValueError, match="'d/1'"):
        layer.save_weights(tmp_path / "w")


def test_shared_parameters_stay_shared(tmp_path):
    layer = two()
    layer.l1 = layer.l0
    layer.save_weights(tmp_path / "w")
    assert list(load_arrays(tmp_path / "w")) == ["l0/W", "l0/b"]
    layer.load_weights(tmp_path / "w")
    assert layer.l1.W is layer.l0.W


def test_loading_keeps_the_array_unless_it_cannot_be_written(tmp_path):
    layer = two()
    layer.save_weights(tmp_path / "w")
    array = layer.l0.W.data
    layer.l0.b.data = np.broadcast_to(np.float32(1), 3)
    layer.load_weights(tmp_path / "w")
    assert layer.l0.W.data is array
    assert same(arrays(layer), arrays(two()))


def test_parts_starts_with_the_layer_itself():
    layer = two()
    assert named_parts(layer, deep=False) == [("", layer), ("l0", layer.l0), ("l1", layer.l1)]
    assert len(named_parts(layer)) == 7
