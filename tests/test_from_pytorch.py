"""The page for users of PyTorch and NumPy: what it names exists, and computes what it says."""

import importlib
import re

import numpy as np
import pytest

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Model, Variable
from dezero.datasets import ArrayDataset
from dezero.models import Sequential

PLACES = [dezero, dezero.optimizers, dezero.models]
PLACES += [importlib.import_module(f"dezero.{name}") for name in ("transformations", "distributed")]
FUNCTIONS = "elementwise shapes reductions products activations losses more linalg conv".split()
CHAPTERS = [f"dezero.functions.{name}" for name in FUNCTIONS]
CHAPTERS += [f"dezero.{name}" for name in ("regularization", "rnn", "attention")]
OURS = {"Variable": Variable, "ArrayDataset": ArrayDataset, "Sequential": Sequential}


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "from_pytorch.md").read_text(encoding="utf-8")


def rows(page):
    """The cells of each row of the tables, each a list of what stands between backquotes."""
    lines = [line for line in page.splitlines() if line.startswith("| ") and "`" in line]
    return [[re.findall("`([^`]+)`", cell) for cell in line.split("|")[1:-1]] for line in lines]


def lists(page):
    """The functions that have the same name in both, in NumPy, and in PyTorch."""
    return [re.findall(r"`F\.(\w+)`", text) for text in re.findall(r"(?s)These .*?\.\n\n", page)]


def test_in_the_right_columns_every_name_exists(page):
    right = " ".join(code for row in rows(page) for code in row[-1])
    homes = {"F": F, "x": Variable(1.0), "y": Variable(1.0), "L": L, "model": Model()}
    homes["optimizer"] = dezero.optimizers.SGD()
    named = re.findall(r"\b(F|x|y|L|model|optimizer)\.(\w+)", right)
    assert len(named) > 50
    assert [pair for pair in named if not hasattr(homes[pair[0]], pair[1])] == []
    alone = set(re.findall(r"(?<![.\w=])([A-Z]\w+|[a-z]\w+(?=\())", right)) - {"F", "L"}
    for name in alone - set(OURS):
        assert any(hasattr(place, name) for place in PLACES), name


def test_every_function_of_the_chapters_stands_on_the_page(page):
    named = set(re.findall(r"\bF\.(\w+)", page))
    modules = [importlib.import_module(name) for name in CHAPTERS]
    public = {n for m in modules for n in m.__all__ if n == n.lower() and callable(getattr(m, n))}
    ours_alone = {n for n in public if n.endswith(("_simple", "_array", "_outsize"))}
    ours_alone |= set("accuracy sum_to im2col col2im fresh_state".split())
    ours_alone |= {"rotary", "sinusoidal_positions"}
    assert public - named - ours_alone == set()


@pytest.mark.torch
def test_the_lists_of_equal_names_are_right(page):
    import torch

    places = [torch, torch.nn.functional, torch.linalg, torch.Tensor]
    both, numpys, torchs = lists(page)
    assert len(both) > 60 and len(torchs) > 40
    for name in both + numpys:
        assert hasattr(np, name) and hasattr(F, name), name
    for name in both + torchs:
        assert any(hasattr(place, name) for place in places) and hasattr(F, name), name


# Rows that are no expressions of the same value: what is done in place, or differs by a factor.
OTHERWISE = {"F.mean_squared_error", "F.mean_absolute_error", "F.huber", "F.sigmoid_cross_entropy"}


def table():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.1, 0.9, (4, 4)), rng.uniform(0.1, 0.9, (4, 4))
    i, a = rng.permuted(np.tile(np.arange(4), (4, 1)), axis=1), x + 4 * np.eye(4)
    t = np.array([0, 3, 1, 2])
    more = {"mean": np.zeros(4), "var": np.ones(4), "shape": (2, 4, 4)}
    return {"x": x, "y": y, "i": i, "j": t[:2], "a": a, "b": y[0], "t": t, **more}


def images():
    rng = np.random.default_rng(1)
    return {"x": rng.normal(size=(2, 3, 4, 4)), "W": rng.normal(size=(3, 2, 3, 3))}


@pytest.mark.torch
def test_a_row_of_functions_computes_the_same_three_times(page):
    import torch

    functions = page.split("And these have another name")[1].split("## ")[0]
    tried = 0
    for numpys, torchs, ours in rows(functions):
        if ours[0].split("(")[0] in OTHERWISE or "(" not in "".join(torchs + numpys):
            continue
        values = images() if re.search("pool|conv|upsample", ours[0]) else table()
        tensors = {k: v if k == "shape" else torch.tensor(v) for k, v in values.items()}
        variables = {k: Variable(v) if k in "xyabW" else v for k, v in values.items()}
        right = [eval(code, {"F": F, **variables}) for code in ours]
        numpys = [code for code in numpys if "put_along" not in code]  # it works in place
        for codes, names in (
            (torchs, {"torch": torch, "F": torch.nn.functional, **tensors}),
            (numpys, {"np": np, **values}),
        ):
            for code, want in zip(codes, right):
                found = np.asarray(eval(code, names))
                np.testing.assert_allclose(want.data, found, rtol=1e-12, err_msg=code)
                tried += 1
    assert tried > 50


def filled(torch, theirs, ours):
    """Both sides with the same numbers, in whatever order and shape they keep them."""
    for name, p in theirs.named_parameters():
        kernel = p.ndim > 1 and "Norm" not in type(theirs).__name__
        torch.nn.init.constant_(p, 0.1 if kernel else float("weight" in name))
    for name, p in ours.named_params():
        kernel = name.rsplit("/")[-1] == "W"
        p.data[...] = 0.1 if kernel else float(name.endswith("gamma"))


IMAGES, STEPS = (2, 4, 8, 7), (3, 2, 4)
SHAPES = {"Linear": (5, 4), "BatchNorm1d": (5, 4), "MultiheadAttention": (2, 5, 4)}
SHAPES |= dict.fromkeys(["RNN", "LSTM", "GRU"], STEPS)


@pytest.mark.torch
def test_a_layer_gives_what_the_one_beside_it_gives(page):
    import torch

    random, tried = np.random.default_rng(2), 0
    for torchs, ours in rows(page.split("## Layers")[1].split("## ")[0]):
        for code in [code for code in torchs if code.startswith("nn.")]:
            theirs, layer = eval(code, {"nn": torch.nn}), eval(ours[0], {"L": L})
            name = type(theirs).__name__
            x = random.normal(size=SHAPES.get(name, IMAGES)).astype("f")
            x = random.integers(0, 10, (3, 2)) if name == "Embedding" else x
            f = layer.sequence if name in ("RNN", "LSTM", "GRU") else layer
            f(x)  # now all weights are there
            getattr(layer, "reset_state", bool)()
            filled(torch, theirs, layer)
            tx = torch.tensor(x)
            want = theirs(tx, tx, tx) if name == "MultiheadAttention" else theirs(tx)
            if name == "Dropout":
                assert f(x).data.shape == want.shape and layer.dropout_ratio == theirs.p
                continue
            want = (want[0] if isinstance(want, tuple) else want).detach().numpy()
            np.testing.assert_allclose(f(x).data, want, atol=3e-5, err_msg=code)
            tried += 1
    assert tried >= 17


def test_moving_to_a_gpu_has_the_names_of_the_page(page):
    right = [code for row in rows(page.split("## On a GPU")[1]) for code in row[-1]]
    assert "model.to_gpu()" in right and "x.to_cpu()" in right
    assert hasattr(dezero.cuda, "as_numpy") and dezero.cuda.gpu_enable in (True, False)
