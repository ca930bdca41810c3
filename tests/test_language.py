"""A language model and its tokenizer: it learns a text, writes it, and both go into files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import dezero.functions as F
from dezero import no_grad
from dezero.models import GPT
from dezero.optimizers import Adam
from dezero.tokenizer import load_tokenizer, train_tokenizer

PROSE = Path(__file__).parent.parent / "nbs" / "prose.txt"
VERSE = "a box holds data, a function takes a box, and a new box knows who made it. " * 4
SIZES = {"embed_dim": 16, "num_heads": 2, "num_blocks": 1, "max_length": 64}


@pytest.fixture(scope="module")
def trained():
    """A model that has read one sentence again and again, with its tokenizer."""
    np.random.seed(0)
    tokenizer = train_tokenizer(VERSE, 280)
    ids = tokenizer.encode(VERSE)
    model = GPT(len(tokenizer), positions="rotary", **SIZES)
    optimizer = Adam(0.02).setup(model)
    for _ in range(150):
        starts = np.random.randint(0, len(ids) - 24, 8)
        text = ids[starts[:, None] + np.arange(25)]
        loss = F.softmax_cross_entropy(model(text[:, :-1]), text[:, 1:])
        model.cleargrads()
        loss.backward()
        optimizer.update()
    return model, tokenizer


def write(model, tokenizer, start="a box", length=30, **how):
    np.random.seed(3)
    ids = model.generate(tokenizer.encode(start)[None], length, **how)
    return tokenizer.decode(ids[0])


def test_it_learns_a_sentence_by_heart(trained):
    assert VERSE.startswith(write(*trained, temperature=0))
    assert write(*trained, start="and a new box", temperature=0)[:35] in VERSE


@pytest.mark.parametrize("how", [
    {"temperature": 0}, {"temperature": 0.7}, {"temperature": 1.5, "top_k": 20}, {"top_k": 1},
])
def test_a_cache_writes_the_same_text(trained, how):
    kept, again = [write(*trained, length=50, use_cache=u, **how) for u in (True, False)]
    assert kept == again


def test_top_k_writes_only_the_best(trained):
    model, tokenizer = trained
    np.random.seed(0)
    start = tokenizer.encode("a box")
    ids = model.generate(np.repeat(start[None], 20, 0), 30, temperature=50.0, top_k=3)
    with no_grad():
        scores = model(ids[:, :-1]).data[:, len(start) - 1 :]
    chosen = np.take_along_axis(scores, ids[:, len(start) :, None], -1)
    assert ((scores > chosen + 1e-4).sum(-1) < 3).all()
    assert len(np.unique(ids[:, len(start)])) > 1


def test_heat_makes_texts_differ(trained):
    model, tokenizer = trained
    found = []
    for heat in (0.05, 1.0, 4.0):
        np.random.seed(0)
        ids = model.generate(np.repeat(tokenizer.encode("a")[None], 30, 0), 20, heat)
        found.append(len({tuple(row) for row in ids.tolist()}))
    assert found == sorted(found) and found[-1] == 30


def test_model_and_tokenizer_go_into_files_and_write_the_same(trained, tmp_path):
    model, tokenizer = trained
    model.save_weights(tmp_path / "model.npz")
    tokenizer.save(tmp_path / "pieces.json")
    other = GPT(len(tokenizer), positions="rotary", **SIZES)
    other.load_weights(tmp_path / "model.npz")
    assert write(other, load_tokenizer(tmp_path / "pieces.json")) == write(*trained)


def test_the_text_of_the_chapter_is_the_one_whose_numbers_it_tells():
    text = PROSE.read_bytes()
    assert hashlib.sha256(text).hexdigest()[:16] == "534e9cbfef8fd88f"
    assert text.isascii() and text.count(b"\n") == 1789 and b"\r" not in text


def test_pieces_of_the_book_give_the_book():
    text = PROSE.read_text(encoding="utf-8")
    tokenizer = train_tokenizer(text, 500)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text and len(ids) < len(text) / 2
