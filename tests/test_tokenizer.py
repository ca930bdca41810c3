"""A tokenizer gives back what it was given, whatever it is, and says what it cannot take."""
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dezero import Variable
from dezero.tokenizer import (
    Tokenizer,
    join_pair,
    load_tokenizer,
    split_words,
    train_tokenizer,
)

LINE = "the cat sat on the mat, and a rat ate the cat's hat. naïve café 🙂🙂 漢字 \n\n the end\n"
TEXT = LINE * 5
TRAINED = train_tokenizer(TEXT, 300)
texts = st.text(max_size=200)


@settings(max_examples=300, deadline=None)
@given(texts)
def test_words_end_to_end_are_the_text(text):
    assert "".join(split_words(text)) == text


@settings(max_examples=300, deadline=None)
@given(texts)
def test_any_text_comes_back(text):
    for tokenizer in (Tokenizer(), TRAINED):
        ids = tokenizer.encode(text)
        assert ids.dtype == np.int64 and tokenizer.decode(ids) == text
        assert tokenizer.decode(Variable(ids)) == text and tokenizer.decode(ids.tolist()) == text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab é", max_size=40), max_size=6), st.integers(256, 300))
def test_training_finds_what_plain_counting_finds(lines, size):
    """The fast way, which counts on, beside the slow one, which counts anew for every merge."""
    text = "\n".join(lines)
    words = [list(word.encode()) for word in split_words(text)]
    merges = []
    while 256 + len(merges) < size:
        counts = Counter(pair for word in words for pair in zip(word, word[1:]))
        pair = min(counts, key=lambda p: (-counts[p], p), default=None)
        if pair is None or counts[pair] < 2:
            break
        words = [join_pair(word, pair, 256 + len(merges)) for word in words]
        merges.append(pair)
    tokenizer = train_tokenizer(text, size)
    assert tokenizer.merges == merges
    assert tokenizer.encode(text).tolist() == [i for word in words for i in word]


def test_sizes_and_pieces():
    assert len(TRAINED) == 300 and len(Tokenizer()) == 256
    assert " the" in [piece.decode(errors="replace") for piece in TRAINED.pieces]
    assert len(TRAINED.encode(TEXT)) < len(TEXT.encode()) / 2
    assert len(train_tokenizer("", 1000)) == len(train_tokenizer("abc", 1000)) == 256
    assert train_tokenizer("abab", 1000).merges == [(97, 98)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, len(TRAINED) - 1), max_size=50))
def test_whatever_a_model_writes_is_a_text(ids):
    assert isinstance(TRAINED.decode(ids), str)


def test_special_pieces():
    tokenizer = train_tokenizer(TEXT, 300, special=["<end>", "<pad>"])
    assert len(tokenizer) == 300 and tokenizer.special == {"<end>": 298, "<pad>": 299}
    assert tokenizer.encode("<end>").max() < 298
    assert tokenizer.decode([298, 97, 299]) == "<end>a<pad>"


def test_a_file_keeps_all(tmp_path):
    tokenizer = train_tokenizer(TEXT, 300, special=["<end>"])
    tokenizer.save(tmp_path / "t.json")
    again = load_tokenizer(tmp_path / "t.json")
    assert again.merges == tokenizer.merges and again.special == tokenizer.special
    assert np.array_equal(again.encode(TEXT), tokenizer.encode(TEXT))


@pytest.mark.parametrize("content", [
    b"", b"\xff\xfe", b"[]", b"{}", b'{"merges": 3, "special": []}', b"nonsense",
    json.dumps({"merges": [[0, 300]], "special": []}).encode(),
    json.dumps({"merges": [["a", "b"]], "special": []}).encode(),
    json.dumps({"merges": [[1, 2], [1, 2]], "special": []}).encode(),
    json.dumps({"merges": [], "special": [1]}).encode(),
    json.dumps({"merges": [], "special": "<end>"}).encode(),
    b"[" * 100_000,
])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises((ValueError, TypeError)):
        load_tokenizer(tmp_path / "t.json")


@pytest.mark.parametrize("call, words", [
    (lambda: TRAINED.encode(3), "a text is a str"),
    (lambda: TRAINED.encode("a\ud800b"), "place 1"),
    (lambda: train_tokenizer("a\ud800b", 300), "half of a character"),
    (lambda: train_tokenizer("text", 255), "size"),
    (lambda: train_tokenizer("text", 256, special=["<end>"]), "size"),
    (lambda: train_tokenizer(b"text", 300), "a text is a str"),
    (lambda: train_tokenizer("text", 300, special="<end>"), "list of texts"),
    (lambda: train_tokenizer("text", 300, special=["x", "x"]), "no two the same"),
    (lambda: train_tokenizer("text", 300, special=[""]), "a name"),
    (lambda: TRAINED.decode([300]), "from 0 to 299"),
    (lambda: TRAINED.decode([-1]), "one of -1"),
    (lambda: TRAINED.decode([[1, 2]]), "row of ids"),
    (lambda: TRAINED.decode("text"), "row of ids"),
    (lambda: TRAINED.decode(None), "row of ids"),
    (lambda: TRAINED.decode([1.5]), "row of ids"),
    (lambda: Tokenizer([(0, 256)]), "ids below 256"),
    (lambda: Tokenizer([(0, -1)]), "ids below 256"),
    (lambda: Tokenizer(7), "pairs of ids"),
])
def test_wrong_calls_say_what_is_wrong(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_the_words_that_are_kept_stay_few(monkeypatch):
    monkeypatch.setattr("dezero.tokenizer.MOST_WORDS", 10)
    tokenizer = train_tokenizer(TEXT, 300)
    text = " ".join(map(str, range(100)))
    assert tokenizer.decode(tokenizer.encode(text)) == text and len(tokenizer._known) <= 11


def test_a_long_word_is_gone_through_once_for_each_merge(monkeypatch):
    """However long it is: all places of a pair are joined in one go."""
    tokenizer, calls = train_tokenizer("ab" * 50 + " abba", 270), []
    monkeypatch.setattr("dezero.tokenizer.join_pair",
                        lambda *args: calls.append(args[2]) or join_pair(*args))
    text = "abba" * 2_000
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert 0 < len(calls) <= len(tokenizer.merges) and calls == sorted(set(calls))
