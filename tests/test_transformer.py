"""Transformers: beside torch's block, causal, and with a cache that changes nothing."""

import numpy as np
import pytest

import dezero.functions as F
import dezero.layers as L
from dezero import Variable, grad, models, no_grad, test_mode
from dezero.gradcheck import gradient_check
from dezero.models import GPT
from dezero.transformer import KeyValueCache, choose

POSITIONS = ["learned", "sinusoidal", "rotary"]
LINEAR = {"wide": "linear1", "narrow": "linear2", "attention.out": "self_attn.out_proj"}


def small(positions="learned", **rest):
    np.random.seed(0)
    sizes = {"embed_dim": 8, "num_heads": 2, "num_blocks": 2, "max_length": 40}
    return GPT(11, **{**sizes, **rest}, positions=positions)


def ids(*shape):
    return np.random.default_rng(0).integers(0, 11, shape)


@pytest.mark.parametrize("positions", POSITIONS)
def test_the_weights_have_the_dtype_that_is_asked_for(positions):
    usual, double = small(positions), small(positions, dtype=float)
    assert {p.dtype.char for p in usual.params()} == {"f"}
    assert {p.dtype.char for p in double.params()} == {"d"}
    assert double(ids(2, 5)).dtype == float and usual(ids(2, 5)).dtype == "f4"
    for p, q in zip(usual.params(), double.params()):  # the same draws
        np.testing.assert_allclose(p.data, q.data, rtol=1e-6)
    texts = [double.generate(ids(2, 3), 20, 0, use_cache=cached) for cached in (True, False)]
    assert np.array_equal(*texts)


def part(layer, path):
    for name in path.split("."):
        layer = getattr(layer, name)
    return layer


def twins(torch, x):
    """A block, and torch's with the same weights."""
    np.random.seed(0)
    ours = L.TransformerBlock(12, 3, hidden_size=20, dtype=float)
    ours(x)
    for p in ours.params():
        p.data = p.data + np.random.randn(*p.shape) * 0.2
    theirs = torch.nn.TransformerEncoderLayer(
        12, 3, 20, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    qkv = ours.attention.qkv
    with torch.no_grad():
        theirs.self_attn.in_proj_weight.copy_(torch.tensor(qkv.W.data.T))
        theirs.self_attn.in_proj_bias.copy_(torch.tensor(qkv.b.data))
        for name, other in LINEAR.items():
            part(theirs, other).weight.copy_(torch.tensor(part(ours, name).W.data.T))
            part(theirs, other).bias.copy_(torch.tensor(part(ours, name).b.data))
        for name in ("norm1", "norm2"):
            part(theirs, name).weight.copy_(torch.tensor(part(ours, name).gamma.data))
            part(theirs, name).bias.copy_(torch.tensor(part(ours, name).beta.data))
    return ours, theirs


@pytest.mark.torch
def test_a_block_is_that_of_torch():
    import torch

    x = np.random.default_rng(0).normal(size=(2, 5, 12))
    ours, theirs = twins(torch, x)
    tx, hidden = torch.tensor(x, requires_grad=True), torch.ones(5, 5, dtype=bool).triu(1)
    ty = theirs(tx, src_mask=hidden)
    vx = Variable(x)
    y = ours(vx)
    np.testing.assert_allclose(y.data, ty.detach(), atol=1e-12)
    ty.sin().sum().backward()
    F.sin(y).sum().backward()
    np.testing.assert_allclose(vx.grad.data, tx.grad, atol=1e-11)
    for name, other in LINEAR.items():
        np.testing.assert_allclose(
            part(ours, name).W.grad.data.T, part(theirs, other).weight.grad, atol=1e-11
        )
    for name in ("norm1", "norm2"):
        np.testing.assert_allclose(
            part(ours, name).gamma.grad.data, part(theirs, name).weight.grad, atol=1e-11
        )
    found = ours.attention.qkv.W.grad.data.T
    np.testing.assert_allclose(found, theirs.self_attn.in_proj_weight.grad, atol=1e-11)


@pytest.mark.torch
def test_second_derivatives_of_a_block_are_those_of_torch():
    import torch

    x = np.random.default_rng(1).normal(size=(1, 3, 12))
    ours, theirs = twins(torch, x)
    tx, hidden = torch.tensor(x, requires_grad=True), torch.ones(3, 3, dtype=bool).triu(1)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        (tg,) = torch.autograd.grad(theirs(tx, src_mask=hidden).sin().sum(), tx, create_graph=True)
        (tgg,) = torch.autograd.grad((tg**2).sum(), tx)
    vx = Variable(x)
    (gx,) = grad(F.sin(ours(vx)).sum(), [vx], create_graph=True)
    (ggx,) = grad((gx**2).sum(), [vx])
    np.testing.assert_allclose(gx.data, tg.detach(), atol=1e-11)
    np.testing.assert_allclose(ggx.data, tgg, rtol=1e-8, atol=1e-9)


def test_two_derivatives_of_a_block_that_turns():
    block = L.TransformerBlock(4, 1, hidden_size=3, rotary=True, dtype=float)
    x = np.random.default_rng(0).normal(size=(1, 3, 4))
    assert gradient_check(block, x, order=2)


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_later_id_changes_no_earlier_score(positions):
    model, text = small(positions), ids(3, 9)
    before = model(text).data
    text[:, 5] = (text[:, 5] + 1) % 11
    after = model(text).data
    np.testing.assert_array_equal(after[:, :5], before[:, :5])
    assert (after[:, 5:] != before[:, 5:]).any(-1).all()


@pytest.mark.parametrize("positions", POSITIONS)
def test_the_places_count(positions):
    text = np.array([[1, 2, 3], [2, 1, 3]])
    scores = small(positions)(text).data[:, -1]
    assert abs(scores[0] - scores[1]).max() > 1e-4


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("positions", POSITIONS)
def test_a_cache_gives_the_same_text(positions, seed):
    model, texts = small(positions), []
    for use_cache in (True, False):
        np.random.seed(seed)
        texts.append(model.generate(ids(4, 3), 30, top_k=7, use_cache=use_cache))
    np.testing.assert_array_equal(*texts)
    assert texts[0].shape == (4, 33)
    np.testing.assert_array_equal(texts[0][:, :3], ids(4, 3))


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("cuts", [[9], [1] * 9, [4, 3, 2]])
def test_a_text_in_pieces_has_the_scores_of_the_whole(positions, cuts):
    model, text = small(positions), ids(2, 9)
    caches = [KeyValueCache(12) for _ in model.blocks]
    ends = np.cumsum(cuts)
    with no_grad():
        parts = [model(text[:, e - n : e], caches).data for e, n in zip(ends, cuts)]
        whole = model(text).data
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)


def test_the_room_of_a_cache_is_made_once():
    cache, a = KeyValueCache(6), np.ones((2, 1, 1, 3), "f4")
    cache.extend(a, a)
    tables = cache.tables
    k, v = cache.extend(2 * a, 3 * a)
    assert cache.tables is tables and cache.length == 2 and k.dtype == "f4"
    assert np.shares_memory(k, tables[0]) and k[0, 0, :, 0].tolist() == [1, 2]
    assert v[0, 0, :, 0].tolist() == [1, 3] and tables[0].shape == (2, 1, 6, 3)


def test_cold_is_the_best_and_one_of_one_too():
    model = small()
    cold = model.generate(ids(3, 2), 9, temperature=0)
    np.testing.assert_array_equal(model.generate(ids(3, 2), 9, top_k=1), cold)
    np.testing.assert_array_equal(model.generate(ids(3, 2), 9, temperature=1e-300), cold)
    best = model(cold[:, :-1]).data.argmax(-1)
    np.testing.assert_array_equal(best[:, 1:], cold[:, 2:])


def test_draws_have_the_probabilities_of_the_softmax():
    np.random.seed(0)
    scores = np.tile([1.0, -np.inf, 3.0, 2.0], (20000, 1))
    p = np.exp(np.array([1.0, -np.inf, 3.0, 2.0]) / 2)
    found = np.bincount(choose(scores, 2.0), minlength=4) / 20000
    np.testing.assert_allclose(found, p / p.sum(), atol=0.015)
    best = np.bincount(choose(scores, 2.0, 2), minlength=4) / 20000
    np.testing.assert_allclose(best[2:], p[2:] / p[2:].sum(), atol=0.015)
    assert not best[:2].any()


def test_writing_leaves_everything_as_it_was():
    model, text = small(dropout_ratio=0.5), ids(2, 4)
    model.generate(text, 3)
    assert np.array_equal(text, ids(2, 4))
    y = model(text)
    assert y.creator is not None and not np.array_equal(model(text).data, y.data)


def test_dropout_is_for_training_only():
    model, text = small(dropout_ratio=0.3), ids(2, 6)
    assert not np.array_equal(model(text).data, model(text).data)
    with test_mode():
        expected = model(text).data
        np.testing.assert_array_equal(model(text).data, expected)
    np.testing.assert_array_equal(
        model.generate(text, 1, temperature=0)[:, -1], expected[:, -1].argmax(-1)
    )


def test_without_dropout_nothing_is_drawn():
    model, text = small(), ids(2, 6)
    model(text)
    np.random.seed(5)
    model(text)
    found = np.random.random()
    np.random.seed(5)
    assert found == np.random.random()


@pytest.mark.parametrize("positions", POSITIONS)
def test_weights_go_into_a_file_and_back(positions, tmp_path):
    model, other = small(positions), small(positions)
    expected = model(ids(2, 5)).data
    model.save_weights(tmp_path / "w.npz")
    for p in other.params():
        if p.data is not None:
            p.data = p.data * 0
    other.load_weights(tmp_path / "w.npz")
    np.testing.assert_array_equal(other(ids(2, 5)).data, expected)
    assert all(p.dtype == np.float32 for p in other.params())


def test_every_parameter_learns():
    model, text = small(dropout_ratio=0.1), ids(5, 40)
    F.softmax_cross_entropy(model(text)[:, :-1], text[:, 1:]).backward()
    assert all(
        p.grad is not None and p.grad.data.any() for p in model.params() if "key/b" not in p.name
    )


def test_an_empty_batch_and_texts_of_full_length():
    model = small()
    assert model(ids(0, 5)).shape == (0, 5, 11)
    assert model.generate(ids(0, 5), 3).shape == (0, 8)
    assert model(ids(1, 40)).shape == (1, 40, 11)
    assert model.generate(ids(1, 39), 1).shape == (1, 40)
    np.testing.assert_array_equal(model.generate(ids(1, 40), 0), ids(1, 40))


def test_they_are_where_layers_and_models_are():
    x = np.ones((1, 2, 8), "f")
    assert models.GPT is GPT and L.TransformerBlock(8, 2)(x).shape == x.shape


WRONG = {
    "too long": (lambda: small()(ids(1, 41)), "max_length"),
    "to write": (lambda: small().generate(ids(1, 30), 11), "30 ids and 11 more"),
    "a row": (lambda: small()(ids(5)), "texts, places"),
    "a row to go on": (lambda: small().generate(ids(5), 2), "texts, places"),
    "nothing": (lambda: small().generate(ids(2, 0), 2), "one id at least"),
    "length": (lambda: small().generate(ids(1, 3), -1), "length"),
    "half": (lambda: small().generate(ids(1, 3), 1.5), "length"),
    "temperature": (lambda: small().generate(ids(1, 3), 1, temperature=-1), "temperature"),
    "nan": (lambda: small().generate(ids(1, 3), 1, temperature=float("nan")), "temperature"),
    "top_k": (lambda: small().generate(ids(1, 3), 1, top_k=0), "top_k"),
    "floats": (lambda: small()(np.ones((1, 3))), "whole numbers|ids|int"),
    "too large an id": (lambda: small()(np.full((1, 3), 11)), "11"),
    "positions": (lambda: small("none"), "positions"),
    "heads": (lambda: small(num_heads=3), "num_heads|multiple"),
    "blocks": (lambda: small(num_blocks=0), "num_blocks"),
    "dropout": (lambda: small(dropout_ratio=1.5), "dropout_ratio"),
    "vocab_size": (lambda: GPT("a"), "vocab_size"),
    "hidden_size": (lambda: L.TransformerBlock(8, 2, hidden_size=0), "hidden_size"),
}


@pytest.mark.parametrize("call, words", WRONG.values(), ids=WRONG)
def test_wrong_calls_are_told(call, words):
    with pytest.raises((TypeError, ValueError, IndexError), match=words):
        call()
