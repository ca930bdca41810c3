"""Attention: beside torch's, with masks of every form, in little memory, and as a layer."""

import tracemalloc

import numpy as np
import pytest

import dezero.functions as F
import dezero.layers as L
from dezero import Parameter, Variable, attention, grad, no_grad
from dezero.attention import JoinHeads, SplitHeads, sinusoidal_positions
from dezero.gradcheck import gradient_check

FLOATS = np.random.default_rng(1).normal(size=(3, 5, 6))
FLOATS[:, 2, 1:4] = -np.inf
MASKS = {
    "none": {},
    "causal": {"is_causal": True},
    "bools": {"attn_mask": np.random.default_rng(2).random((5, 6)) < 0.7},
    "one row": {"attn_mask": np.array([[True, False, True, True, False, True]])},
    "of each text": {"attn_mask": np.arange(6) < np.array([2, 6])[:, None, None, None]},
    "floats": {"attn_mask": FLOATS},
    "scale": {"scale": 0.3},
}


def operands(*leads, dtype=float):
    rng = np.random.default_rng(0)
    sizes = [(5, 4), (6, 4), (6, 7)]
    return [rng.normal(size=lead + size).astype(dtype) for lead, size in zip(leads, sizes)]


@pytest.mark.torch
@pytest.mark.parametrize("leads", [[(2, 3)] * 3, [(2, 3), (2, 1), (3,)]])
@pytest.mark.parametrize("options", MASKS.values(), ids=MASKS)
def test_values_and_two_derivatives_are_those_of_torch(options, leads):
    import torch

    arrays = operands(*leads)
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    theirs = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    ty = torch.nn.functional.scaled_dot_product_attention(*tensors, **theirs)
    tg = torch.autograd.grad(ty.sin().sum(), tensors, create_graph=True)
    tgg = torch.autograd.grad(sum((g**2).sum() for g in tg), tensors)
    xs = [Variable(a) for a in arrays]
    y = F.scaled_dot_product_attention(*xs, **options)
    np.testing.assert_allclose(y.data, ty.detach(), atol=1e-12)
    plain = grad(F.sin(y).sum(), xs)
    gxs = grad(F.sin(y).sum(), xs, create_graph=True)
    for ours, again, theirs in zip(plain, gxs, tg):
        np.testing.assert_allclose(ours.data, theirs.detach(), atol=1e-12)
        np.testing.assert_allclose(again.data, theirs.detach(), atol=1e-12)
    second = grad(sum([(g**2).sum() for g in gxs], Variable(0.0)), xs)
    for ours, theirs in zip(second, tgg):
        np.testing.assert_allclose(ours.data, theirs, atol=1e-10)


@pytest.mark.parametrize("kept", [0, 1000])
@pytest.mark.parametrize("scores", [7, 40, 100])  # of 180: a row or two, a head or two, a text
@pytest.mark.parametrize("options", MASKS.values(), ids=MASKS)
def test_a_piece_at_a_time_gives_what_the_whole_gives(options, scores, kept, monkeypatch):
    xs = [Variable(a) for a in operands(*[(2, 3)] * 3)]
    whole = F.scaled_dot_product_attention(*xs, **options)
    expected = grad(F.sin(whole).sum(), xs)
    monkeypatch.setattr(attention, "SCORES", scores)
    monkeypatch.setattr(attention, "KEPT", kept)
    parts = F.scaled_dot_product_attention(*xs, **options)
    np.testing.assert_allclose(parts.data, whole.data, atol=1e-12)
    assert (parts.creator.p is None) == (kept == 0)
    for one, other in zip(grad(F.sin(parts).sum(), xs), expected):
        np.testing.assert_allclose(one.data, other.data, atol=1e-12)


def test_a_long_text_needs_little_memory():
    rng = np.random.default_rng(0)
    xs = [Variable(rng.normal(size=(2, 4096, 16)).astype("f4")) for _ in range(3)]
    tracemalloc.start()
    F.scaled_dot_product_attention(*xs, is_causal=True).sum().backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 120e6  # one table of scores takes 134 MB, and five of them would be kept


def test_a_query_that_may_look_nowhere_gets_zeros_and_no_gradient():
    xs = [Variable(a) for a in operands((), (), ())]
    mask = np.ones((5, 6), bool)
    mask[3] = False
    y = F.scaled_dot_product_attention(*xs, mask)
    assert not y.data[3].any() and y.data[2].any()
    gq, gk, gv = grad(F.sin(y).sum(), xs)
    assert not gq.data[3].any() and np.isfinite(gk.data).all() and np.isfinite(gv.data).all()


@pytest.mark.torch
@pytest.mark.parametrize("options", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("scale", [100, 1e4])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_scores_too_large_for_the_exponential(dtype, scale, options):
    import torch

    arrays = [scale * a for a in operands(*[(2, 3)] * 3, dtype=dtype)]
    wide = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    theirs = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    ty = torch.nn.functional.scaled_dot_product_attention(*wide, **theirs)
    tg = torch.autograd.grad(ty.sum(), wide)
    xs = [Variable(a) for a in arrays]
    y = F.scaled_dot_product_attention(*xs, **options)
    weak = 1e-3 if dtype == "f4" else 1e-9
    for ours, other in zip((y, *grad(y.sum(), xs)), (ty, *tg)):
        other = other.detach().numpy()
        atol = weak * (abs(other).max() + 1)
        np.testing.assert_allclose(ours.data, other, atol=atol)


def test_what_is_hidden_may_hold_nan_and_a_row_takes_nothing_of_its_scores():
    q, k, v = operands((), (), ())
    expected = F.scaled_dot_product_attention(q, k[:4], v[:4]).data
    k[4:] = np.nan
    y = F.scaled_dot_product_attention(q, k, np.nan_to_num(v), np.arange(6)[None] < 4)
    np.testing.assert_allclose(y.data, expected, atol=1e-12)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_the_dtype_stays(dtype):
    xs = [Variable(a) for a in operands((2,), (2,), (2,), dtype=dtype)]
    y = F.scaled_dot_product_attention(*xs, np.zeros((5, 6)), is_causal=True)
    turned = F.rotary(xs[0])
    assert y.dtype == turned.dtype == dtype
    assert all(g.dtype == dtype for g in grad(F.sum(y) + F.sum(turned), xs))


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_layout_that_may_not_be_written(order):
    arrays = [np.array(a, order=order) for a in operands((2,), (2,), (2,))]
    for a in arrays:
        a.flags.writeable = False
    expected = F.scaled_dot_product_attention(*operands((2,), (2,), (2,)))
    np.testing.assert_allclose(F.scaled_dot_product_attention(*arrays).data, expected.data)


def test_integers_and_no_texts_at_all():
    rows = np.arange(12).reshape(3, 4)
    y = F.scaled_dot_product_attention(rows, rows, rows)
    assert y.dtype == float and np.allclose(y.data[2], rows[2])
    xs = [Variable(a) for a in operands((0, 2), (0, 2), (0, 2))]
    y = F.scaled_dot_product_attention(*xs, is_causal=True)
    assert y.shape == (0, 2, 5, 7) and grad(y.sum(), xs)[1].shape == (0, 2, 6, 4)


@pytest.mark.torch
@pytest.mark.parametrize("rest", [{}, {"nobias": True}])
@pytest.mark.parametrize("causal", [False, True])
def test_the_layer_is_that_of_torch(causal, rest):
    import torch

    layer = L.MultiHeadAttention(12, 3, dtype=float, **rest)
    x = np.random.default_rng(0).normal(size=(2, 5, 12))
    layer(x)
    theirs = torch.nn.MultiheadAttention(12, 3, bias=not rest, batch_first=True).double()
    parts = [layer.query, layer.key, layer.value]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.tensor(np.hstack([p.W.data for p in parts]).T))
        theirs.out_proj.weight.copy_(torch.tensor(layer.out.W.data.T))
        if not rest:
            for part in (*parts, layer.out):
                part.b.data = np.random.default_rng(1).normal(size=12)
            theirs.in_proj_bias.copy_(torch.tensor(np.hstack([p.b.data for p in parts])))
            theirs.out_proj.bias.copy_(torch.tensor(layer.out.b.data))
    tx = torch.tensor(x, requires_grad=True)
    hidden = torch.ones(5, 5, dtype=bool).triu(1) if causal else None
    ty, shares = theirs(tx, tx, tx, attn_mask=hidden, average_attn_weights=False)
    vx = Variable(x)
    y = layer(vx, is_causal=causal)
    np.testing.assert_allclose(y.data, ty.detach(), atol=1e-12)
    seen = layer.attention_weights(vx, is_causal=causal)
    np.testing.assert_allclose(seen.data, shares.detach(), atol=1e-12)
    ty.sin().sum().backward()
    F.sin(y).sum().backward()
    np.testing.assert_allclose(vx.grad.data, tx.grad, atol=1e-12)
    found = np.hstack([p.W.grad.data for p in parts]).T
    np.testing.assert_allclose(found, theirs.in_proj_weight.grad, atol=1e-12)


@pytest.mark.torch
def test_two_derivatives_of_the_layer_between_two_texts_are_those_of_torch():
    import torch

    rng = np.random.default_rng(0)
    layer, arrays = L.MultiHeadAttention(6, 2, dtype=float), rng.normal(size=(2, 2, 4, 6))
    arrays = arrays[0], arrays[1, :, :3]
    layer(*arrays)
    theirs = torch.nn.MultiheadAttention(6, 2, batch_first=True).double()
    parts = [layer.query, layer.key, layer.value]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.tensor(np.hstack([p.W.data for p in parts]).T))
        theirs.out_proj.weight.copy_(torch.tensor(layer.out.W.data.T))
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    operands = [*tensors, theirs.out_proj.weight]
    ty = theirs(tensors[0], tensors[1], tensors[1])[0]
    tg = torch.autograd.grad(ty.sin().sum(), operands, create_graph=True)
    tgg = torch.autograd.grad(sum((g**2).sum() for g in tg), operands)
    xs = [*map(Variable, arrays), layer.out.W]
    y = layer(*xs[:2])
    gxs = grad(F.sin(y).sum(), xs, create_graph=True)
    second = grad(sum([(g**2).sum() for g in gxs], Variable(0.0)), xs)
    np.testing.assert_allclose(y.data, ty.detach(), atol=1e-12)
    for ours, other in zip((*gxs, *second), (*tg, *tgg)):
        expected = other.detach().numpy()
        expected = expected.T if ours.shape == (6, 6) else expected
        np.testing.assert_allclose(ours.data, expected, atol=1e-11)


def test_the_layer_looks_at_another_text():
    rng = np.random.default_rng(0)
    layer = L.MultiHeadAttention(8, 2)
    x, other = rng.normal(size=(3, 4, 8)), rng.normal(size=(3, 6, 8))
    assert layer(x.astype("f4"), other.astype("f4")).shape == (3, 4, 8)
    assert layer.attention_weights(x, other).shape == (3, 2, 4, 6)


def test_weights_of_the_layer_go_into_a_file_and_back(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 4, 8)).astype("f4")
    layer, other = L.MultiHeadAttention(8, 2, rotary=True), L.MultiHeadAttention(8, 2, rotary=True)
    expected = layer(x).data
    layer.save_weights(tmp_path / "w.npz")
    other.load_weights(tmp_path / "w.npz")
    assert np.array_equal(other(x).data, expected)
    assert sum(isinstance(p, Parameter) for p in layer.params()) == 8


def test_turned_rows_know_only_how_far_apart_they_are():
    rng = np.random.default_rng(0)
    layer = L.MultiHeadAttention(8, 2, rotary=True)
    x = rng.normal(size=(1, 6, 8)).astype("f4")
    layer(x)
    with no_grad():
        here, there = layer.heads(x), layer.heads(x, start=50)
    scores = [q.data @ k.data.swapaxes(-1, -2) for q, k, _ in (here, there)]
    np.testing.assert_allclose(*scores, atol=1e-4)


def test_sines_tell_places_apart():
    rows = sinusoidal_positions(500, 16, np.float64)
    assert rows.shape == (500, 16)
    distances = np.linalg.norm(rows[:, None] - rows, axis=-1) + np.eye(500) * 9
    assert distances.min() > 0.1
    assert np.isclose(rows[3, 0], np.sin(3)) and np.isclose(rows[3, 8], np.cos(3))


WRONG = {
    "vectors": (lambda: F.scaled_dot_product_attention(*np.ones((3, 4))), "tables"),
    "lengths": (lambda: attend((3, 4), (5, 3), (5, 2)), "as long as a key"),
    "values": (lambda: attend((3, 4), (5, 4), (6, 2)), "one value for each key"),
    "no key": (lambda: attend((3, 4), (0, 4), (0, 2)), "no key"),
    "mask": (lambda: attend((3, 4), (5, 4), (5, 2), np.ones((5, 3), bool)), "attn_mask"),
    "list": (lambda: attend((3, 4), (5, 4), (5, 2), [[1]]), "attn_mask"),
    "ints": (lambda: attend((3, 4), (5, 4), (5, 2), np.ones((3, 5), int)), "attn_mask"),
    "heads": (lambda: L.MultiHeadAttention(10, 3), "multiple of num_heads"),
    "no number": (lambda: L.MultiHeadAttention("8", 2), "embed_dim"),
    "odd": (lambda: F.rotary(np.ones((3, 5))), "even"),
    "start": (lambda: F.rotary(np.ones((3, 4)), 1.5), "start"),
    "size": (lambda: sinusoidal_positions(4, 5), "even"),
}


def attend(*shapes_and_mask):
    shapes = shapes_and_mask[:3]
    return F.scaled_dot_product_attention(*map(np.ones, shapes), *shapes_and_mask[3:])


@pytest.mark.parametrize("call, words", WRONG.values(), ids=WRONG)
def test_wrong_calls_are_told(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


# --- one layer for queries, keys and values -------------------------------------------------------


@pytest.mark.parametrize("nobias", [False, True])
@pytest.mark.parametrize("rotary", [False, True])
def test_one_layer_for_three_gives_the_same(nobias, rotary):
    options = {"nobias": nobias, "rotary": rotary, "dtype": float}
    apart, together = L.MultiHeadAttention(12, 3, **options), L.SelfAttention(12, 3, **options)
    x = Variable(np.random.default_rng(0).normal(size=(2, 5, 12)))
    for layer in (apart, together):
        np.random.seed(0)
        layer(x)
    found = [derivatives(layer, x) for layer in (apart, together)]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(other.data, one.data, atol=1e-10)
    parts = [apart.query, apart.key, apart.value]
    for name in ["W"] if nobias else ["W", "b"]:
        weights = [getattr(part, name).data for part in parts]
        assert np.array_equal(getattr(together.qkv, name).data, np.concatenate(weights, -1))
        slopes = [getattr(part, name).grad.data for part in parts]
        wide = getattr(together.qkv, name).grad.data
        np.testing.assert_allclose(wide, np.concatenate(slopes, -1), atol=1e-10)


def derivatives(layer, x):
    """The value of the layer, what it looks at, and two derivatives; the weights get theirs."""
    y = layer(x, is_causal=True)
    F.sin(y).sum().backward()
    gx = grad(F.sin(layer(x, is_causal=True)).sum(), x, create_graph=True)
    return y, layer.attention_weights(x, is_causal=True), gx, grad((gx * gx).sum(), x)


def test_one_layer_for_three_looks_at_nothing_else():
    layer, x = L.SelfAttention(8, 2), np.zeros((1, 3, 8), "f4")
    assert [name for name, _ in layer.named_params()] == ["qkv/W", "qkv/b", "out/W", "out/b"]
    for others in ({"key": x}, {"value": x}):
        with pytest.raises(TypeError, match="use MultiHeadAttention"):
            layer(x, **others)
    with pytest.raises(ValueError, match="multiple of num_heads"):
        L.SelfAttention(10, 3)


def test_rows_of_three_parts_are_cut_and_joined_and_differentiated_twice():
    x = np.random.default_rng(0).normal(size=(2, 3, 12))
    tables = SplitHeads(2, 3)(Variable(x))
    assert [table.shape for table in tables] == [(2, 2, 3, 2)] * 3
    np.testing.assert_array_equal(tables[1].data[:, 1], x[:, :, 6:8])
    np.testing.assert_array_equal(JoinHeads()(*tables).data, x)

    def some(x):
        q, _, v = SplitHeads(2, 3)(x)
        return JoinHeads()(F.sin(q), q * v * v)

    assert gradient_check(some, x, order=2)
