"""Chapters 20 and 69: shapes of all kinds, the fast way beside the plain one, and wrong calls.

Values, two derivatives and torch's answers are the matter of the registry.
"""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import convolved, tried

import dezero.functions as F
from dezero import Variable, grad, no_grad, utils
from dezero.functions import conv, fast_conv
from dezero.functions.conv import Windows
from dezero.gradcheck import gradient_check


def normal(*shape, seed=0, dtype=float):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def close(a, b, tolerance=1e-12):
    """Of the same shape, and nowhere further apart than a share of the largest element."""
    assert a.shape == b.shape
    scale = np.abs(b).max(initial=1e-300)
    return np.abs(a.astype(float) - b).max(initial=0) <= tolerance * scale


# --- the fast way -------------------------------------------------------------------------------


@tried(60)
@given(case=convolved(simple=False), seed=st.integers(0, 9))
def test_the_fast_way_and_the_plain_one_agree(case, seed):
    (shape, kernel, bias), (stride, pad, dilation, groups) = case
    if groups == 2:
        return
    x, W, b = normal(*shape, seed=seed), normal(*kernel, seed=1), normal(*bias, seed=2)
    windows = Windows(kernel[2:], stride, pad, dilation)
    y = conv.conv_output(x, W, windows, 1, b)
    gy = normal(*y.shape, seed=3)
    assert close(fast_conv.fast_output(x, W, windows, b), y)
    assert close(fast_conv.fast_weight(x, gy, windows), conv.conv_weight(x, gy, windows))
    gx = conv.conv_input(gy, W, windows, shape[2:])
    assert close(fast_conv.fast_input(gy, W, windows, shape[2:]), gx)


@pytest.mark.parametrize("size", [(1, 3), (2, 2), (5, 9), (6, 4), (14, 15), (27, 26)])
@pytest.mark.parametrize("pad", [0, 1, 2])
def test_winograd_is_right_for_every_size(size, pad):
    if min(size) + 2 * pad < 3:
        return
    x, W = normal(2, 18, *size, dtype="f"), normal(70, 18, 3, 3, seed=1, dtype="f")
    b, windows = normal(70, dtype="f"), Windows(3, pad=pad)
    y = fast_conv.winograd(fast_conv._bordered(x, windows), W, b)
    exact = conv.conv_output(x.astype(float), W.astype(float), windows, 1, b)
    assert y.dtype == np.float32 and close(fast_conv.channels_first(y), exact, 1e-5)
    gy = normal(*exact.shape, seed=2, dtype="f")
    last = np.ascontiguousarray(fast_conv.channels_last(gy))
    gW = fast_conv.winograd_weight(fast_conv._bordered(x, windows), last)
    exact = conv.conv_weight(x.astype(float), gy.astype(float), windows)
    assert gW.dtype == np.float32 and close(gW, exact, 1e-5)


@pytest.mark.parametrize("pad", [0, 1, 2, 3])
def test_layers_large_enough_for_winograd_have_the_right_gradients(pad):
    x, W = normal(2, 64, 26, 22, dtype="f"), normal(96, 64, 3, 3, seed=1, dtype="f")
    windows = Windows(3, pad=pad)
    assert fast_conv._pays(fast_conv._bordered(x, windows), 64, 96, windows)
    xs = [Variable(a) for a in (x, W, normal(96, dtype="f"))]
    wide = [Variable(v.data.astype(float)) for v in xs]
    y, exact = [F.conv2d(*vs, pad=pad) for vs in (xs, wide)]
    assert close(y.data, exact.data, 1e-5)
    gy = normal(*y.shape, seed=2)
    for gx, right in zip(grad(y, xs, gy.astype("f")), grad(exact, wide, gy)):
        assert gx.dtype == np.float32 and close(gx.data, right.data, 1e-5)


def test_blocks_cover_everything_once():
    for images, rows, limit in [(1, 1, 1), (5, 7, 10), (5, 7, 300), (3, 4, 10**6), (0, 5, 10)]:
        seen = np.zeros((images, rows), int)
        for block in fast_conv._blocks(images, rows, 10, limit):
            seen[block] += 1
        assert (seen == 1).all()


def test_images_that_need_many_blocks(monkeypatch):
    x, W, windows = normal(5, 3, 17, 16), normal(4, 3, 3, 2, seed=1), Windows((3, 2), 2, 1)
    y = conv.conv_output(x, W, windows)
    gy = normal(*y.shape, seed=2)
    for limit in (1, 3000, 40_000):
        monkeypatch.setattr(fast_conv._blocks, "__defaults__", (limit,))
        assert close(fast_conv.fast_output(x, W, windows), y)
        assert close(fast_conv.fast_weight(x, gy, windows), conv.conv_weight(x, gy, windows))
        gx = conv.conv_input(gy, W, windows, (17, 16))
        assert close(fast_conv.fast_input(gy, W, windows, (17, 16)), gx)


def test_threads_do_not_share_memory():
    x, W = normal(4, 16, 20, 20, dtype="f"), normal(16, 16, 3, 3, seed=1, dtype="f")
    want, found = F.conv2d(x, W).data, []

    def work():
        for _ in range(5):
            found.append(np.array_equal(F.conv2d(x, W).data, want))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


# --- arrays of all kinds ------------------------------------------------------------------------

FUNCTIONS = {
    "conv2d": lambda x, W: F.conv2d(x, W, pad=1),
    "conv2d, groups": lambda x, W: F.conv2d(x[:, :2], W[:, :1], pad=1, groups=2),
    "conv2d_simple": lambda x, W: F.conv2d_simple(x, W, pad=1),
    "deconv2d": lambda x, W: F.deconv2d(x, W, stride=2),
    "pooling": lambda x, W: F.pooling(x, 3, 2, 1),
    "pooling_simple": lambda x, W: F.pooling_simple(x, 3, 2, 1),
    "average_pooling": lambda x, W: F.average_pooling(x, 3, 2, 1),
    "adaptive": lambda x, W: F.adaptive_average_pooling(x, (2, 3)),
    "upsample": lambda x, W: F.upsample(x, 2, "bilinear"),
    "im2col": lambda x, W: F.im2col(x, 3, 2, 1),
    "col2im": lambda x, W: F.col2im(F.im2col(x, 3, 2, 1), x.shape, 3, 2, 1),
    "deconv2d, groups": lambda x, W: F.deconv2d(x, W[:, :2], stride=2, groups=2),
    "dilation": lambda x, W: F.conv2d(x, W, pad=2, dilation=2),
    "conv1d": lambda x, W: F.conv1d(x[:, :, 0], W[:, :, 0], pad=1),
    "global": lambda x, W: F.global_average_pooling(x),
    "nearest": lambda x, W: F.upsample(x, (2, 3)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_dtype_stays_what_it_is(name, dtype):
    f = FUNCTIONS[name]
    arrays = normal(2, 4, 7, 6), normal(4, 4, 3, 3, seed=1)
    xs = [Variable(a.astype(dtype)) for a in arrays]
    wide = [Variable(x.data.astype(float)) for x in xs]
    y, exact = f(*xs), f(*wide)
    tolerance = {np.float16: 5e-3, np.float32: 1e-5, np.float64: 1e-12}[dtype]
    assert y.dtype == dtype and close(y.data, exact.data, tolerance)
    gy = normal(*y.shape, seed=2)
    for gx, right in zip(grad(y, xs, gy.astype(dtype)), grad(exact, wide, gy)):
        assert gx.dtype == dtype and close(gx.data, right.data, 4 * tolerance)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_views_and_arrays_that_may_not_be_written(name):
    f = FUNCTIONS[name]
    x, W = normal(2, 4, 7, 6), normal(4, 4, 3, 3, seed=1)
    want = f(x, W).data
    strange_x = np.repeat(x.transpose(3, 0, 2, 1), 2, axis=0)[::2].transpose(1, 3, 2, 0)
    strange_W = W[::-1, :, ::-1].copy()[::-1, :, ::-1]
    assert not strange_x.flags.c_contiguous and np.array_equal(strange_x, x)
    for array in (strange_x, strange_W):
        array.flags.writeable = False
    xs = [Variable(strange_x), Variable(strange_W)]
    y = f(*xs)
    assert close(y.data, want)
    plain = [Variable(x), Variable(W)]
    for gx, right in zip(grad(y, xs), grad(f(*plain), plain)):
        assert close(gx.data, right.data)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_empty_batch(name):
    x, W = Variable(np.zeros((0, 4, 7, 6), "f")), Variable(normal(4, 4, 3, 3, dtype="f"))
    y = FUNCTIONS[name](x, W)
    assert y.shape[0] == 0 and y.dtype == np.float32
    gx, gW = grad(y, [x, W])
    assert gx.shape == x.shape and gW.shape == W.shape and not gW.data.any()


def test_an_image_of_bytes_meets_kernels_in_single_precision():
    pixels, W = np.full((1, 1, 4, 4), 200, np.uint8), np.ones((1, 1, 3, 3), np.float32)
    y = F.conv2d(pixels, W)
    assert y.data.tolist() == [[[[1800.0] * 2] * 2]]


def test_the_operands_are_left_alone():
    x, W, b = normal(2, 4, 7, 6), normal(4, 4, 3, 3), normal(4)
    copies = [a.copy() for a in (x, W, b)]
    xs = [Variable(a) for a in (x, W, b)]
    F.sum(F.pooling(F.conv2d(*xs, pad=1), 2, 2)).backward()
    assert all(np.array_equal(a, c) for a, c in zip((x, W, b), copies))


# --- what each one does -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"stride": 5}, {"pad": 4}, {"stride": (4, 3), "pad": (5, 0)}, {"dilation": (2, 1)}]
)
def test_strides_and_borders_larger_than_the_kernel(options):
    x, W = normal(2, 2, 6, 5), normal(3, 2, 3, 2, seed=1)
    assert gradient_check(lambda *xs: F.conv2d(*xs, **options), x, W, order=2)
    y = F.conv2d(x, W, **options)
    back = F.deconv2d(y, W, **options, outsize=(6, 5))
    assert back.shape == x.shape
    weighed = np.sum(y.data * y.data)  # <Ax, Ax> is <x, A'Ax>
    assert np.isclose(weighed, np.sum(x * back.data))


def test_depthwise_and_grouped_convolution():
    x = normal(2, 6, 7, 5)
    for groups, o in [(2, 4), (3, 3), (6, 6), (6, 12)]:
        W, b = normal(o, 6 // groups, 3, 2, seed=1), normal(o, seed=2)
        y = F.conv2d(x, W, b, 2, 1, groups=groups).data
        parts = zip(np.split(x, groups, 1), np.split(W, groups), np.split(b, groups))
        want = np.concatenate([F.conv2d(*part, 2, 1).data for part in parts], 1)
        assert close(y, want)
        back = F.deconv2d(x, normal(6, o // groups, 3, 2), groups=groups)
        assert back.shape == (2, o, 9, 6)


GROUPED = {  # channels in, channels out, groups: each goes a way of its own
    "depthwise": (20, 20, 20),
    "depthwise, few": (3, 3, 3),
    "two kernels for each channel": (16, 32, 16),
    "large groups": (32, 48, 2),
    "small groups": (12, 8, 4),
}


@pytest.mark.parametrize("case", GROUPED)
@pytest.mark.parametrize("options", [(1, 1, 1), (2, 0, 1), (1, 2, 2), ((3, 1), (0, 4), 1)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_way_of_groups_is_right(case, options, dtype):
    c, o, groups = GROUPED[case]
    tolerance = {np.float16: 3e-3, np.float32: 1e-5, np.float64: 1e-12}[dtype]
    arrays = normal(3, c, 9, 8), normal(o, c // groups, 3, 2, seed=1), normal(o, seed=2)
    xs = [Variable(a.astype(dtype)) for a in arrays]
    x, W, b = [v.data.astype(float) for v in xs]
    windows = Windows((3, 2), *options)
    y, want = F.conv2d(*xs, *options, groups), conv.conv_output(x, W, windows, groups, b)
    gy = normal(*want.shape, seed=3).astype(dtype)
    wide = gy.astype(float)
    wanted = [
        conv.conv_input(wide, W, windows, (9, 8), groups),
        conv.conv_weight(x, wide, windows, groups),
        wide.sum((0, 2, 3)),
    ]
    for found, right in zip([y, *grad(y, xs, gy)], [want, *wanted]):
        assert found.dtype == dtype and close(found.data, right, tolerance)


@pytest.mark.parametrize("case", GROUPED)
def test_groups_of_any_layout_and_of_nothing(case):
    c, o, groups = GROUPED[case]
    x, W = normal(3, c, 9, 8), normal(o, c // groups, 3, 2, seed=1)
    turned, mirror = np.asfortranarray(x), np.flip(W, 3).copy()[..., ::-1]
    for array in (x, W, turned, mirror):
        array.setflags(write=False)
    pairs = [list(map(Variable, pair)) for pair in ((x, W), (turned, mirror))]
    ys = [F.conv2d(*pair, pad=1, groups=groups) for pair in pairs]
    assert close(ys[1].data, ys[0].data)
    gy = normal(*ys[0].shape, seed=3)
    for one, other in zip(*[grad(y, pair, gy) for y, pair in zip(ys, pairs)]):
        assert close(other.data, one.data)
    none = Variable(x[:0])
    y = F.conv2d(none, pairs[0][1], groups=groups)
    gx, gW = grad(y, [none, pairs[0][1]])
    assert y.shape == (0, o, 7, 7) and gx.shape == none.shape and not gW.data.any()


@pytest.mark.parametrize("case", GROUPED)
def test_groups_can_be_differentiated_twice(case):
    c, o, groups = GROUPED[case]
    x, W = normal(1, c, 2, 3), normal(o, c // groups, 1, 2, seed=1)

    def f(x, W):
        return F.conv2d(x, W, pad=1, groups=groups)

    assert gradient_check(f, x, W, order=2)


def test_the_gradient_of_the_kernels_can_be_differentiated_again():
    x, W = Variable(normal(1, 2, 5, 5)), Variable(normal(3, 2, 3, 3, seed=1))
    gW = grad(F.sum(F.conv2d(x, W) ** 2), W, create_graph=True)
    again = grad(F.sum(gW**2), [x, W])
    assert [g.shape for g in again] == [x.shape, W.shape]
    assert gradient_check(lambda x, W: F.conv2d(x, W) ** 2, x, W, order=2)
    assert gradient_check(lambda x, W: F.deconv2d(x, W) ** 2, normal(1, 3, 3, 3), W, order=2)


def test_nothing_is_computed_for_images_that_are_no_variables(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a gradient that nobody wants")

    x, W = normal(2, 3, 6, 6), Variable(normal(4, 3, 3, 3))
    y = F.conv2d(x, W)
    monkeypatch.setitem(conv._FAST, conv.conv_input, refuse)
    assert grad(y, W).shape == W.shape


def test_a_border_never_wins():
    x = Variable(-1 - np.arange(16.0).reshape(1, 1, 4, 4))
    y = F.pooling(x, 3, 2, 1)
    assert y.data[0, 0].tolist() == [[-1, -2], [-5, -6]]
    assert np.isfinite(grad(y, x).data).all()


def test_the_first_of_equal_elements_gets_the_gradient():
    x = Variable(np.ones((1, 1, 4, 4)))
    assert grad(F.pooling(x, 2, 2), x).data[0, 0].tolist() == [[1, 0, 1, 0], [0] * 4] * 2
    gx = grad(F.pooling_simple(x, 2, 2), x)
    assert (gx.data == 0.25).all()


def test_a_nan_wins_and_an_infinite_gradient_goes_to_the_winner_only():
    x = Variable(np.array([[[[1.0, np.nan], [3.0, 2.0]]]]))
    y = F.pooling(x, 2)
    assert np.isnan(y.data).all()
    assert grad(y, x).data[0, 0].tolist() == [[0, 1], [0, 0]]
    x = Variable(np.array([[[[1.0, 4.0], [3.0, 2.0]]]]))
    gx = grad(F.pooling(x, 2), x, np.full((1, 1, 1, 1), np.inf))
    assert gx.data[0, 0].tolist() == [[0, np.inf], [0, 0]]


def test_means_over_windows_that_are_no_squares():
    x = Variable(normal(2, 3, 7, 8))
    y = F.average_pooling(x, (2, 3), (1, 2), (1, 0))
    assert grad(y, x).shape == x.shape
    ones = F.average_pooling(np.ones((1, 1, 2, 2)), 2, 2, 1)
    assert (ones.data == 0.25).all()  # a border counts as zeros


def test_no_graph_is_recorded_without_need():
    with no_grad():
        y = F.pooling(F.conv2d(normal(1, 2, 6, 6), normal(3, 2, 3, 3)), 2)
    assert y.creator is None and y.shape == (1, 3, 3, 3)


def test_sizes():
    assert utils.get_conv_outsize(4, 3, 1, 1) == 4 and utils.get_conv_outsize(7, 3, 2, 0) == 3
    assert utils.get_conv_outsize(8, 3, 1, 0, 2) == 4
    for n, k, s, p in [(7, 3, 2, 0), (5, 5, 1, 2), (9, 2, 3, 1)]:
        least = utils.get_deconv_outsize(utils.get_conv_outsize(n, k, s, p), k, s, p)
        assert least <= n < least + s


def test_enlarged_and_shared():
    x = normal(1, 2, 3, 4)
    assert close(F.upsample(x, (2, 3)).data, x.repeat(2, 2).repeat(3, 3))
    assert close(F.upsample(x, 1, "bilinear").data, x)
    assert close(F.adaptive_average_pooling(x, (3, 4)).data, x)
    assert close(F.adaptive_average_pooling(x, 1).data[..., 0, 0], F.global_average_pooling(x).data)


def test_layouts_in_memory_make_no_difference():
    x = normal(2, 3, 8, 8)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for f in (lambda x: F.pooling(x, 2, 2), lambda x: F.pooling(x, 3, 1, 1),
              lambda x: F.average_pooling(x, 2, 2)):  # fmt: skip
        a, b = Variable(x), Variable(last)
        gy = normal(*f(a).shape, seed=1)
        assert close(f(a).data, f(b).data)
        assert close(grad(f(a), a, gy).data, grad(f(b), b, gy).data)


# --- wrong calls --------------------------------------------------------------------------------

X, W = np.ones((1, 3, 8, 8)), np.ones((4, 3, 3, 3))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: F.conv2d(X[0], W), r"x must have the four axes .* not the shape \(3, 8, 8\)"),
        (lambda: F.conv2d(X, W[0]), r"W must have four axes"),
        (lambda: F.conv2d(X[:, :2], W), "x has 2 channels, but W takes 3"),
        (lambda: F.deconv2d(X, W), "x has 3 channels, but W takes 4"),
        (lambda: F.conv2d(X, W, groups=2), "x has 3 channels, but W takes 6"),
        (lambda: F.conv2d(np.ones((1, 9, 8, 8)), W, groups=3), "3 groups cannot share the 4"),
        (lambda: F.conv2d(X, np.ones((4, 3, 9, 9))), "a window of 9 does not fit into 8 pixels"),
        (lambda: F.conv2d(X, W, dilation=4), "a window of 9 does not fit"),
        (lambda: F.conv2d(X, W, stride=0), "stride is at least 1, not 0"),
        (lambda: F.conv2d(X, W, pad=-1), "pad is at least 0, not -1"),
        (lambda: F.conv2d(X, W, pad=(1, 2, 3)), "pad is a whole number or a pair"),
        (lambda: F.conv2d(X, W, groups=0), "groups is at least 1, not 0"),
        (lambda: F.conv2d(X, W, np.ones(3)), r"the bias b must have the shape \(4,\)"),
        (lambda: F.deconv2d(X, W[:3], np.ones(4)), r"the bias b must have the shape \(3,\)"),
        (
            lambda: F.deconv2d(X, W[:3], outsize=20),
            r"outsize is \(10, 10\) for this x, not \(20, 20\)",
        ),
        (
            lambda: F.deconv2d(X, W[:3], stride=2, outsize=16),
            r"outsize is from \(17, 17\) to \(18, 18\) for this x, not \(16, 16\)",
        ),
        (lambda: F.deconv2d(X[..., :1], W[:3], pad=3), "leaves nothing of the image"),
        (lambda: F.conv2d_simple(X[:, :2], W), "x has 2 channels"),
        (lambda: F.pooling(X, 9), "a window of 9 does not fit"),
        (lambda: F.pooling(X, 2, pad=2), "must be smaller than the window"),
        (lambda: F.pooling_simple(X, 2, pad=2), "must be smaller than the window"),
        (lambda: F.pooling(X[0], 2), "x must have the four axes"),
        (lambda: F.average_pooling(X[0], 2), "x must have the four axes"),
        (lambda: F.global_average_pooling(X[0]), "x must have the four axes"),
        (lambda: F.adaptive_average_pooling(X, 0), "outsize is at least 1"),
        (lambda: F.upsample(X, 0), "scale is at least 1"),
        (lambda: F.upsample(X, 2, "cubic"), "mode is 'nearest' or 'bilinear', not 'cubic'"),
        (lambda: F.conv1d(X, W), "x must have three axes"),
        (lambda: F.im2col(X[0], 2), "img must have the four axes"),
        (lambda: F.col2im(np.ones((3, 3)), X.shape, 2), "have windows of shape"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: F.conv2d(X, W, stride=1.5), "stride is a whole number, not 1.5"),
        (lambda: F.conv2d(X, W, pad="same"), "pad is a whole number, not 'same'"),
        (lambda: F.pooling(X, None), "kernel_size is a whole number, not None"),
        (lambda: F.conv2d(X, W, groups=True), "groups is a whole number, not True"),
    ],
)
def test_wrong_types_say_what_is_wrong(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("kind", ["u1", "?", "i2", "i8"])
def test_images_of_integers_give_the_dtype_that_a_matrix_product_gives(kind):
    images, W = np.ones((2, 3, 5, 5), kind), np.ones((4, 3, 3, 3), "f4")
    expected = np.matmul(images[0, 0], np.ones((5, 2), "f4")).dtype
    y = F.conv2d(images, Variable(W))
    assert y.dtype == expected and (y.data == 27).all()
    assert grad(F.sum(y), y.creator.inputs[1]).dtype == "f4"
