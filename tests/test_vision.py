"""Layers and models for images: what they compute, how they begin, and the weights they load."""

import copy
import functools
import http.server
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import cupy as cupy
from stand_in import ndarray

import dezero.functions as F
import dezero.layers as L
from dezero import Variable, no_grad, test_mode
from dezero.download import DownloadError, sha256_of
from dezero.files import load_arrays, save_arrays
from dezero.models import (
    VGG16,
    BasicBlock,
    BottleneckA,
    BottleneckB,
    BuildingBlock,
    Fire,
    LeNet,
    ResNet,
    ResNet18,
    ResNet34,
    ResNet50,
    ResNet101,
    ResNet152,
    SqueezeNet,
    summary,
)
from dezero.optimizers import Adam
from dezero.utils import get_dot_graph

try:
    import torch
except ImportError:
    torch = None  # what compares with it is marked, and left out


RESNETS = {18: ResNet18, 34: ResNet34, 50: ResNet50, 101: ResNet101, 152: ResNet152}


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def tensor(x):
    return torch.tensor(np.array(x))


def shapes(layer):
    return {name: param.shape for name, param in layer.named_params()}


def arrays(layer):
    return {name: param.data for name, param in layer.named_params()}


def count(layer):
    return sum(param.size for param in layer.params())


def called(model, x):
    """The model with its weights made."""
    with no_grad(), test_mode():
        model(x)
    return model


# --- Conv2d and Deconv2d ------------------------------------------------------------------------


def test_first_weights_are_drawn_as_published():
    np.random.seed(0)
    drawn = np.random.randn(4, 3, 2, 5).astype(np.float32) * np.sqrt(1 / 30).astype(np.float32)
    np.random.seed(0)
    layer = called(L.Conv2d(4, (2, 5)), normal(1, 3, 6, 6))
    assert np.allclose(layer.W.data, drawn, rtol=1e-6) and not layer.b.data.any()
    np.random.seed(0)
    at_once = L.Conv2d(4, (2, 5), in_channels=3)
    assert np.array_equal(at_once.W.data, layer.W.data)


def test_first_weights_of_deconv_are_drawn_as_published():
    np.random.seed(0)
    drawn = np.random.randn(3, 4, 2, 5).astype(np.float32) * np.sqrt(1 / 30).astype(np.float32)
    np.random.seed(0)
    layer = called(L.Deconv2d(4, (2, 5)), normal(1, 3, 6, 6))
    assert np.allclose(layer.W.data, drawn, rtol=1e-6) and layer.b.shape == (4,)
    np.random.seed(0)
    assert np.array_equal(L.Deconv2d(4, (2, 5), in_channels=3).W.data, layer.W.data)


@pytest.mark.parametrize("Layer", [L.Conv2d, L.Deconv2d])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_have_the_dtype_that_was_asked_for(Layer, dtype):
    layer = Layer(2, 3, dtype=dtype)
    y = layer(normal(2, 3, 5, 5, dtype=dtype))
    assert layer.W.dtype == layer.b.dtype == y.dtype == dtype
    F.sum(y).backward()
    assert layer.W.grad.dtype == layer.b.grad.dtype == dtype


@pytest.mark.torch
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_conv2d_and_deconv2d_are_those_of_torch(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    groups, size = draw(1, 2), (draw(5, 8), draw(5, 8))
    channels, out = groups * draw(1, 2), groups * draw(1, 2)
    kernel, stride, pad = (draw(1, 3), draw(1, 3)), draw(1, 3), draw(0, 2)
    options = {"stride": stride, "pad": pad, "dilation": draw(1, 2), "groups": groups}
    for Layer, function in (
        (L.Conv2d, torch.nn.functional.conv2d),
        (L.Deconv2d, torch.nn.functional.conv_transpose2d),
    ):
        x = Variable(normal(2, channels, *size, dtype=np.float64))
        layer = Layer(out, kernel, dtype=np.float64, **options)
        theirs = {"stride": stride, "padding": pad, "groups": groups}
        given_x = tensor(x.data).requires_grad_()
        try:
            y = layer(x)
        except ValueError:  # the border takes away all that there would be
            assert Layer is L.Deconv2d or min(size) < 5
            continue
        W, b = [tensor(p.data).requires_grad_() for p in (layer.W, layer.b)]
        expected = function(given_x, W, b, dilation=options["dilation"], **theirs)
        assert np.allclose(y.data, expected.detach().numpy())
        gy = normal(*y.shape, seed=1, dtype=np.float64)
        y.grad = Variable(gy)
        y.backward()
        expected.backward(tensor(gy))
        for ours, other in ((x, given_x), (layer.W, W), (layer.b, b)):
            assert np.allclose(ours.grad.data, other.grad.numpy())


def test_no_bias():
    layer = called(L.Conv2d(4, 3, nobias=True), normal(1, 2, 5, 5))
    assert layer.b is None and list(arrays(layer)) == ["W"]
    assert list(arrays(called(L.Deconv2d(4, 3, nobias=True), normal(1, 2, 5, 5)))) == ["W"]


def test_positional_options_are_those_of_the_published_layer():
    layer = L.Conv2d(8, 3, 2, 1, True, np.float64, 4)
    assert layer.W.shape == (8, 4, 3, 3) and layer.b is None and layer.W.dtype == np.float64
    assert layer(normal(1, 4, 8, 8, dtype=np.float64)).shape == (1, 8, 4, 4)
    assert L.Deconv2d(8, 4, 2, 1, True, np.float64, 4).W.shape == (4, 8, 4, 4)


def test_odd_inputs():
    layer = L.Conv2d(3, 3, pad=1)
    x = normal(2, 6, 5, 4).transpose(0, 1, 3, 2)[:, ::2]
    y = layer(x)
    x.setflags(write=False)
    assert np.array_equal(layer(x).data, y.data)
    assert np.allclose(layer(np.ascontiguousarray(x)).data, y.data)
    assert layer(np.zeros((0, 3, 4, 5), np.float32)).shape == (0, 3, 4, 5)


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: L.Conv2d(3, 16, 3, 1, 1), TypeError, "in_channels=1"),
        (lambda: L.Conv2d("8", 3), TypeError, "out_channels"),
        (lambda: L.Conv2d(0, 3), ValueError, "out_channels is at least 1"),
        (lambda: L.Conv2d(8, 0), ValueError, "kernel_size"),
        (lambda: L.Conv2d(8, (1, 2, 3)), ValueError, "kernel_size"),
        (lambda: L.Conv2d(8, 3, stride=0), ValueError, "stride"),
        (lambda: L.Conv2d(8, 3, pad=-1), ValueError, "pad"),
        (lambda: L.Conv2d(8, 3, dtype=int), TypeError, "weights are floats"),
        (lambda: L.Conv2d(8, 3, groups=3), ValueError, "8 channels cannot be shared by 3 groups"),
        (lambda: L.Conv2d(8, 3, in_channels=3, groups=2), ValueError, "3 channels cannot be"),
        (lambda: L.Deconv2d(8, 3, in_channels=3, groups=2), ValueError, "3 channels cannot be"),
        (lambda: L.Conv2d(8, 3)(normal(3, 8, 8)), ValueError, r"image\[None\]"),
        (lambda: L.Conv2d(8, 3)(normal(1, 0, 8, 8)), ValueError, r"\(1, 0, 8, 8\)"),
        (lambda: L.Deconv2d(8, 3)(normal(8, 8)), ValueError, "Deconv2d takes images"),
        (lambda: L.Conv2d(8, 3, groups=2)(normal(1, 3, 8, 8)), ValueError, "3 channels cannot"),
        (lambda: L.Conv2d(8, 3, in_channels=2)(normal(1, 3, 8, 8)), ValueError, "3 channels"),
    ],
)
def test_wrong_calls(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_failed_first_call_leaves_the_layer_as_it_was():
    layer = L.Conv2d(8, 3, groups=2)
    with pytest.raises(ValueError):
        layer(normal(1, 3, 8, 8))
    assert layer.in_channels is None and layer.W.data is None
    assert layer(normal(1, 4, 8, 8)).shape == (1, 8, 6, 6)


def test_the_error_names_the_layer():
    net = LeNet()
    with pytest.raises(ValueError, match="conv2 of LeNet"):
        net(normal(1, 1, 8, 8))


# --- saved and loaded ---------------------------------------------------------------------------

SMALL = {
    "conv": (lambda: L.Conv2d(4, 3), (2, 3, 5, 5)),
    "grouped": (lambda: L.Conv2d(4, 3, nobias=True, groups=2), (2, 2, 5, 5)),
    "deconv": (lambda: L.Deconv2d(4, 3), (2, 3, 5, 5)),
    "lenet": (LeNet, (2, 1, 28, 28)),
    "basic": (lambda: BasicBlock(3, 4, 2), (2, 3, 6, 6)),
    "a": (lambda: BottleneckA(3, 2, 4), (2, 3, 6, 6)),
    "b": (lambda: BottleneckB(4, 2), (2, 4, 6, 6)),
    "stage": (lambda: BuildingBlock(3, 3, 2, 4, 1), (2, 3, 6, 6)),
    "fire": (lambda: Fire(2, 3), (2, 3, 6, 6)),
    "squeezenet": (SqueezeNet, (1, 3, 32, 32)),
    "resnet18": (ResNet18, (1, 3, 32, 32)),
}


@pytest.mark.parametrize("name", SMALL)
def test_saved_and_loaded(name, tmp_path):
    make, shape = SMALL[name]
    x = normal(*shape)
    layer = make()
    with no_grad():
        layer(x)  # in training: running statistics move
    layer.save_weights(tmp_path / "weights")
    again = make()
    assert again.load_weights(tmp_path / "weights") == {}
    with no_grad(), test_mode():
        assert np.array_equal(layer(x).data, again(x).data)
    twin = pickle.loads(pickle.dumps(copy.deepcopy(layer)))
    with no_grad(), test_mode():
        assert np.array_equal(layer(x).data, twin(x).data)


def test_a_file_of_other_filters_is_refused(tmp_path):
    called(L.Conv2d(4, 3), normal(1, 2, 5, 5)).save_weights(tmp_path / "w")
    for other in (L.Conv2d(5, 3), L.Conv2d(4, 5), L.Conv2d(4, 3, in_channels=3)):
        with pytest.raises(ValueError, match="has shape"):
            other.load_weights(tmp_path / "w")


def test_files_in_float64_load_into_waiting_filters(tmp_path):
    layer = called(L.Conv2d(4, 3), normal(1, 2, 5, 5))
    save_arrays(tmp_path / "w", {k: a.astype(np.float64) for k, a in arrays(layer).items()})
    waiting = L.Conv2d(4, 3)
    assert list(waiting.load_weights(tmp_path / "w", strict=False)) == ["b"]
    assert waiting.W.dtype == np.float32 and np.array_equal(waiting.W.data, layer.W.data)


# --- on a card ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_the_same_on_a_card(name, cupy):
    make, shape = SMALL[name]
    x = Variable(normal(*shape))
    layer = called(make(), x)
    with test_mode():
        y = layer(x)
        y.backward()
        there, x_there = copy.deepcopy(layer), Variable(x.data)
        there.cleargrads()
        there.to_gpu()
        x_there.to_gpu()
        y_there = there(x_there)
        y_there.backward()
    assert isinstance(y_there.data, ndarray)
    assert np.allclose(y_there.data.get(), y.data, atol=1e-5)
    assert np.allclose(x_there.grad.data.get(), x.grad.data, atol=1e-4)


def test_filters_are_made_where_the_images_are(cupy):
    model = LeNet().to_gpu()
    model(cupy.asarray(normal(1, 1, 28, 28)))
    assert all(isinstance(p.data, ndarray) for p in model.params())


# --- models -------------------------------------------------------------------------------------


def test_lenet_learns():
    x, t = normal(20, 1, 28, 28), np.arange(20) % 10
    np.random.seed(0)
    model, losses = LeNet(), []
    optimizer = Adam(0.003).setup(model)
    for _ in range(30):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.data))
    assert losses[-1] < 0.2 * losses[0] and count(model) == 61_706


def test_lenet_for_other_classes_and_sizes():
    assert LeNet(3)(normal(2, 3, 40, 32)).shape == (2, 3)


VGG = [64, 64, 128, 128, *[256] * 3, *[512] * 6]
PLACES = ["1_1", "1_2", "2_1", "2_2", *[f"{i}_{j}" for i in (3, 4, 5) for j in (1, 2, 3)]]


def vgg_shapes(inputs):
    """The names and shapes of the published file, for so many inputs of the first Linear."""
    found = {}
    for place, channels, out in zip(PLACES, [3, *VGG], VGG, strict=False):
        found |= {f"conv{place}/W": (out, channels, 3, 3), f"conv{place}/b": (out,)}
    for name, rows, columns in (("fc6", inputs, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 1000)):
        found |= {f"{name}/W": (rows, columns), f"{name}/b": (columns,)}
    return found


def resnet_shapes(numbers):
    """The names and shapes of the published files."""
    found = {}

    def conv(name, out, channels, size, bias=False):
        found[f"{name}/W"] = out, channels, size, size
        if bias:
            found[f"{name}/b"] = (out,)

    def norm(name, channels):
        found.update({f"{name}/{p}": (channels,) for p in ("avg_mean", "avg_var", "gamma", "beta")})

    conv("conv1", 64, 3, 7, bias=True)
    norm("bn1", 64)
    channels = 64
    for stage, number in enumerate(numbers):
        middle, out = 64 * 2**stage, 256 * 2**stage
        for block in range(number):
            path = f"res{stage + 2}/{f'b{block}' if block else 'a'}"
            parts = [(middle, channels, 1), (middle, middle, 3), (out, middle, 1)]
            if not block:
                parts.append((out, channels, 1))
            for i, part in enumerate(parts, 1):
                conv(f"{path}/conv{i}", *part)
                norm(f"{path}/bn{i}", part[0])
            channels = out
    found |= {"fc6/W": (2048, 1000), "fc6/b": (1000,)}
    return found


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with small stand-ins for published files: the VGG16 is for images of 32 x 32."""
    folder = tmp_path_factory.mktemp("published")
    rng = np.random.default_rng(0)
    for name, wanted in (("vgg16", vgg_shapes(512)), ("resnet50", resnet_shapes((3, 4, 6, 3)))):
        number = rng.random(max(np.prod(s) for s in wanted.values()), np.float32)
        made = {}
        for key, shape in wanted.items():
            array = number[: np.prod(shape)].reshape(shape)
            # most parameters are as large as a fan-in of one allows, statistics are 1 on average
            made[key] = (array + 0.5) if len(shape) == 1 else (array - 0.5) / np.prod(shape[1:])
            if name == "vgg16" or not key.startswith("conv1/b"):
                made[key] = made[key].astype(np.float32)
        save_arrays(folder / name, made)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEZERO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def server(published):
    """The address at which the folder of published files is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(published))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_vgg16_waits_with_the_published_names_in_order():
    model = VGG16()
    assert list(arrays(model)) == list(vgg_shapes(25_088))
    assert all(p.data is None for name, p in model.named_params() if name.endswith("/W"))
    for name, shape in vgg_shapes(25_088).items():
        if name.endswith("/b"):
            assert arrays(model)[name].shape == shape
    total = sum(int(np.prod(shape)) for shape in vgg_shapes(25_088).values())
    assert total == 138_357_544


def test_vgg16_draws_its_weights_in_the_order_of_the_calls():
    np.random.seed(1)
    expected = np.random.randn(64, 3, 3, 3).astype(np.float32) * np.float32(np.sqrt(1 / 27))
    second = np.random.randn(64, 64, 3, 3).astype(np.float32) * np.float32(np.sqrt(1 / 576))
    np.random.seed(1)
    model = VGG16()
    with pytest.raises(ValueError):
        model(normal(1, 3, 2, 2))  # too small: it ends at the second pooling
    assert np.allclose(model.conv1_1.W.data, expected, rtol=1e-6)
    assert np.allclose(model.conv1_2.W.data, second, rtol=1e-6)


@pytest.fixture(scope="module")
def vgg(published):
    model = VGG16()
    model.load_weights(published / "vgg16.npz")
    return model


def test_gradients_of_vgg16_reach_every_parameter(vgg):
    np.random.seed(0)
    loss = F.softmax_cross_entropy(vgg(normal(1, 3, 32, 32)), np.array([3]))
    vgg.cleargrads()
    loss.backward()
    for name, param in vgg.named_params():
        assert param.grad.shape == param.shape and param.grad.data.any(), name
    vgg.cleargrads()


@pytest.mark.torch
def test_vgg16_in_test_mode_is_what_its_parts_say(vgg):
    x = normal(2, 3, 32, 32)
    y = tensor(x)
    weights = {name: tensor(a) for name, a in arrays(vgg).items()}
    for place in PLACES:
        y = torch.nn.functional.conv2d(
            y, weights[f"conv{place}/W"], weights[f"conv{place}/b"], padding=1
        ).relu()
        if place in ("1_2", "2_2", "3_3", "4_3", "5_3"):
            y = torch.nn.functional.max_pool2d(y, 2)
    y = y.flatten(1)
    for name in ("fc6", "fc7", "fc8"):
        y = y @ weights[f"{name}/W"] + weights[f"{name}/b"]
        y = y if name == "fc8" else y.relu()
    with no_grad(), test_mode():
        assert np.allclose(vgg(x).data, y.numpy(), rtol=1e-4)
        assert np.array_equal(vgg(x).data, vgg(x).data)


def test_the_graph_of_vgg16(vgg, tmp_path):
    x = Variable(normal(1, 3, 32, 32), name="x")
    with test_mode():
        text = get_dot_graph(vgg(x), verbose=False)
    # 13 convolutions, 5 poolings, 3 Linear, 15 relu, 1 reshape; 32 parameters, x, and outputs
    assert text.count("shape=box") == 37
    assert len(re.findall(r"^v\d+ \[", text, re.M)) == 37 + 32 + 1
    assert text.count("->") == 37 + 16 * 3 + 15 + 5 + 1
    vgg.plot(x, to_file=str(tmp_path / "vgg.svg"))
    assert "conv5_3/W" in (tmp_path / "vgg.svg").read_text()


@pytest.mark.parametrize("n", RESNETS)
def test_sizes_of_the_resnets(n):
    model = called(RESNETS[n](), normal(1, 3, 32, 32))
    learned = [p.size for name, p in model.named_params() if "/avg_" not in name]
    known = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
    assert sum(learned) == known[n] + 64  # conv1 has an offset here
    assert model.res5.a.conv1.W.dtype == np.float32


@pytest.mark.parametrize("n, numbers", [(50, (3, 4, 6, 3)), (152, (3, 8, 36, 3))])
def test_names_and_shapes_of_the_resnets(n, numbers):
    model = called(ResNet(n), normal(1, 3, 32, 32))
    assert shapes(model) == resnet_shapes(numbers)
    assert type(model.res2) is BuildingBlock and type(model.res2.b1) is BottleneckB


def test_resnet_has_152_layers_by_default():
    assert list(arrays(ResNet())) == list(arrays(ResNet152()))


def test_resnet_takes_images_of_any_size_and_computes_gradients():
    model = ResNet18()
    y = model(normal(2, 3, 64, 40))
    assert y.shape == (2, 1000)
    F.softmax_cross_entropy(y, np.array([1, 2])).backward()
    for name, param in model.named_params():
        assert ("/avg_" in name) == (param.grad is None), name


def test_a_summary_of_blocks_calls_them_once():
    table = summary(BuildingBlock(3, 8, 2, 8, 1), normal(1, 8, 4, 4))
    assert [row.name for row in table.rows if "/" not in row.name] == ["", "a", "b1", "b2"]
    assert all(row.shape.startswith("(1, ") and " x " not in row.shape for row in table.rows)


def test_squeezenet():
    for version, size in (("1.0", 1_248_424), ("1.1", 1_235_496)):
        model = SqueezeNet(version=version)
        assert called(model, normal(2, 3, 48, 64)) is model
        assert count(model) == size
    x = normal(2, 3, 40, 40)
    np.random.seed(0)
    y = model(x)
    F.sum(y * y).backward()
    assert y.shape == (2, 1000) and all(p.grad is not None for p in model.params())


# --- blocks, beside torch -----------------------------------------------------------------------


class Torch:
    """The parts of a block of ours, computed by torch."""

    def __init__(self, block, training):
        self.block, self.training = block, training
        self.leaves = {k: tensor(a).requires_grad_() for k, a in arrays(block).items()}

    def conv(self, i, x, stride=1, pad=0):
        return torch.nn.functional.conv2d(x, self.leaves[f"conv{i}/W"], None, stride, pad)

    def bn(self, i, x):
        parts = [self.leaves[f"bn{i}/{k}"] for k in ("avg_mean", "avg_var", "gamma", "beta")]
        mean, var = [part.detach().clone() for part in parts[:2]]
        return torch.nn.functional.batch_norm(
            x, mean, var, *parts[2:], training=self.training, eps=2e-5
        )


def basic(t, x, stride):
    f = t.bn(2, t.conv(2, t.bn(1, t.conv(1, x, stride, 1)).relu(), 1, 1))
    return (f + (t.bn(3, t.conv(3, x, stride)) if "conv3/W" in t.leaves else x)).relu()


def bottleneck(t, x, first, second):
    f = t.bn(1, t.conv(1, x, first)).relu()
    f = t.bn(2, t.conv(2, f, second, 1)).relu()
    past = t.bn(4, t.conv(4, x, first * second)) if "conv4/W" in t.leaves else x
    return (t.bn(3, t.conv(3, f)) + past).relu()


BLOCKS = [
    (lambda: BasicBlock(4, 4), basic, (1,)),
    (lambda: BasicBlock(4, 6, 2), basic, (2,)),
    (lambda: BasicBlock(4, 6), basic, (1,)),
    (lambda: BottleneckB(4, 2), bottleneck, (1, 1)),
    (lambda: BottleneckA(4, 2, 6), bottleneck, (2, 1)),
    (lambda: BottleneckA(4, 2, 6, 2, True), bottleneck, (1, 2)),
    (lambda: BottleneckA(4, 2, 6, 1), bottleneck, (1, 1)),
]


@pytest.mark.torch
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make, theirs, strides", BLOCKS)
def test_blocks_are_those_of_torch(make, theirs, strides, training):
    x, block = Variable(normal(3, 4, 6, 5)), make()
    called(block, x)
    for i, (name, param) in enumerate(block.named_params()):
        if "bn" in name:
            param.data = normal(*param.shape, seed=i) ** 2 + 0.5
    t, given_x = Torch(block, training), tensor(x.data).requires_grad_()
    expected = theirs(t, given_x, *strides)
    if training:
        y = block(x)
    else:
        with test_mode():
            y = block(x)
    assert np.allclose(y.data, expected.detach().numpy(), atol=1e-4)
    gy = normal(*y.shape, seed=9)
    y.grad = Variable(gy)
    y.backward()
    expected.backward(tensor(gy))
    assert np.allclose(x.grad.data, given_x.grad.numpy(), atol=2e-3)
    for name, param in block.named_params():
        if "/avg_" not in name:
            other = t.leaves[name].grad.numpy()
            assert np.allclose(param.grad.data, other, atol=2e-3 * max(1, abs(other).max())), name


def test_stages_end_where_the_published_ones_end():
    stage = BuildingBlock(2, 4, 2, 8, 2)
    assert stage(normal(1, 4, 7, 7)).shape == (1, 8, 4, 4)
    facebook = BuildingBlock(2, 4, 2, 8, 2, downsample_fb=True)
    assert facebook(normal(1, 4, 7, 7)).shape == (1, 8, 4, 4)


def test_fire():
    fire = Fire(2, 3)
    y = fire(normal(1, 4, 5, 5))
    assert y.shape == (1, 6, 5, 5) and (y.data >= 0).all()
    assert shapes(fire)["expand3x3/W"] == (3, 2, 3, 3)


# --- published weights --------------------------------------------------------------------------


def test_pretrained_from_the_cache(published, monkeypatch):
    monkeypatch.setenv("DEZERO_HOME", str(published))
    for make, name in ((VGG16, "vgg16"), (ResNet50, "resnet50")):
        model = make(pretrained=True)
        stored = load_arrays(published / f"{name}.npz")
        assert list(arrays(model)) == list(stored)
        assert all(np.array_equal(a, stored[key]) for key, a in arrays(model).items())
        with no_grad(), test_mode():
            assert np.isfinite(model(normal(1, 3, 32, 32)).data).all()


def test_pretrained_is_downloaded_once(server, cache, monkeypatch):
    monkeypatch.setattr(ResNet, "WEIGHTS_PATH", server + "/resnet{}.npz")
    model = ResNet(50, pretrained=True)
    assert (cache / "resnet50.npz").exists()
    monkeypatch.setattr(ResNet, "WEIGHTS_PATH", "http://127.0.0.1:9/resnet{}.npz")
    again = ResNet50(pretrained=True)
    assert np.array_equal(again.fc6.W.data, model.fc6.W.data)


def test_a_checksum_is_checked_where_it_is_given(server, published, cache, monkeypatch):
    monkeypatch.setattr(ResNet, "WEIGHTS_PATH", server + "/resnet{}.npz")
    with pytest.raises(DownloadError, match="resnet50.npz"):
        ResNet50(pretrained=True, sha256="0" * 64)
    right = sha256_of(published / "resnet50.npz")
    assert ResNet50(pretrained=True, sha256=right).fc6.W.data is not None


@pytest.mark.parametrize("make", [VGG16, ResNet50, ResNet101, ResNet152])
def test_without_a_net_you_are_told_what_to_fetch_and_where_to_put_it(make, cache, monkeypatch):
    name = "vgg16" if make is VGG16 else f"resnet{make.__name__[6:]}"
    url = "http://127.0.0.1:9/" + ("vgg16.npz" if make is VGG16 else "resnet{}.npz")
    monkeypatch.setattr(make, "WEIGHTS_PATH", url)
    with pytest.raises(DownloadError) as caught:
        make(pretrained=True)
    assert f"127.0.0.1:9/{name}.npz" in str(caught.value)
    assert str(cache / f"{name}.npz") in str(caught.value)


def test_addresses_are_those_of_the_published_files():
    start = "https://github.com/koki0702/dezero-models/releases/download/v0.1/"
    assert start + "vgg16.npz" == VGG16.WEIGHTS_PATH
    assert [ResNet.WEIGHTS_PATH.format(n) for n in (50, 101, 152)] == [
        start + f"resnet{n}.npz" for n in (50, 101, 152)
    ]


def test_a_wrong_file_is_refused(cache):
    os.makedirs(cache)
    save_arrays(cache / "vgg16.npz", {"conv1_1/W": np.zeros((64, 3, 5, 5), np.float32)})
    with pytest.raises(ValueError, match=r"conv1_1/W: has shape \(64, 3, 5, 5\)"):
        VGG16(pretrained=True)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: ResNet(18, pretrained=True), "50, 101 and 152"),
        (lambda: ResNet(51), "a ResNet has 18, 34, 50, 101, 152 layers, not 51"),
        (lambda: SqueezeNet(pretrained=True), "no weights are published"),
        (lambda: SqueezeNet(version="2"), "'1.0' and '1.1'"),
        (lambda: SqueezeNet(version=[1.1]), "'1.0' and '1.1'"),
        (lambda: BuildingBlock(0, 4, 2, 8, 1), "n_layers"),
    ],
)
def test_models_that_do_not_exist(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# --- preprocess ---------------------------------------------------------------------------------


def pillow(array, mode=None):
    from PIL import Image

    image = Image.fromarray(np.array(array, np.uint8))
    return image.convert(mode) if mode else image


def test_preprocess_by_hand():
    image = pillow([[[255, 0, 10], [0, 128, 20]]])  # 1 x 2 pixels, red green blue
    x = VGG16.preprocess(image, size=None)
    assert x.shape == (3, 1, 2) and x.dtype == np.float32 and x.flags.c_contiguous
    by_hand = [[[10, 20]], [[0, 128]], [[255, 0]]]
    means = np.array([103.939, 116.779, 123.68])[:, None, None]
    assert np.allclose(x, by_hand - means)


def test_preprocess_resizes_and_keeps_the_image():
    image = pillow(np.full((30, 50, 3), (200, 100, 50)))
    x = VGG16.preprocess(image)
    assert x.shape == (3, 224, 224)
    assert np.allclose(x[:, 100, 100], [50 - 103.939, 100 - 116.779, 200 - 123.68])
    assert VGG16.preprocess(image, size=(8, 6)).shape == (3, 6, 8)
    assert VGG16.preprocess(image, 8).shape == (3, 8, 8)
    noise = pillow(np.random.default_rng(0).integers(0, 256, (30, 50, 3)))
    by_pillow = np.asarray(noise.resize((20, 10)), np.float32)[:, :, 2]
    assert np.allclose(VGG16.preprocess(noise, (20, 10))[0], by_pillow - 103.939)
    assert VGG16.preprocess(image, (8, 6), np.float64).dtype == np.float64
    assert image.size == (50, 30) and VGG16().preprocess(image, None).shape == (3, 30, 50)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_preprocess_takes_other_modes(mode):
    image = pillow(np.full((4, 4, 3), 102), mode)
    assert np.allclose(VGG16.preprocess(image, None)[0], 102 - 103.939)


@pytest.mark.parametrize("image", ["zebra.jpg", np.zeros((4, 4, 3)), None])
def test_preprocess_says_what_it_takes(image):
    with pytest.raises(TypeError, match=r"Image.open\(path\)"):
        VGG16.preprocess(image)


def test_wrong_options_are_told():
    image = pillow(np.zeros((4, 4, 3)))
    for size in (0, (1, 2, 3)):
        with pytest.raises(ValueError, match="a size is a number or a pair"):
            VGG16.preprocess(image, size)
    with pytest.raises(TypeError, match="floats, not int"):
        VGG16.preprocess(image, None, int)
    with pytest.raises(TypeError, match="n_layers is a whole number"):
        ResNet([18])


# --- where the names are ------------------------------------------------------------------------

QUICK = """
import sys
import dezero, dezero.layers, dezero.models
assert "dezero.vision" not in sys.modules and "PIL" not in sys.modules
from dezero.models import VGG16, _global_average_pooling_2d
import dezero.layers as L
assert L.Conv2d is dezero.vision.Conv2d and dezero.models.ResNet50 and "PIL" not in sys.modules
assert "Conv2d" in dir(L) and "VGG16" in dir(dezero.models)
"""


def test_vision_loads_when_it_is_asked_for():
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", QUICK], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_old_name_of_global_average_pooling():
    from dezero.models import _global_average_pooling_2d

    x = normal(2, 3, 4, 5)
    assert np.allclose(_global_average_pooling_2d(x).data, x.mean((2, 3)), atol=1e-6)
