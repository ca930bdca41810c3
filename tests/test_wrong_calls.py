"""Whatever a public function is given, its error says what is wrong in the words of the call.

Each call below is right. One argument after the other is replaced by things that do not fit. The
call may work all the same, or answer with a TypeError or a ValueError that is not the riddle of
something deeper down.
"""

import re
import warnings
from functools import partial

import numpy as np
import pytest

import dezero.functions as F
import dezero.layers as L
import dezero.optimizers as O
from dezero import (
    DataLoader,
    Parameter,
    SeqDataLoader,
    Variable,
    as_variable,
    grad,
    no_grad,
    transformations,
)
from dezero.callbacks import EarlyStopping
from dezero.datasets import ArrayDataset, SinCurve, Spiral
from dezero.models import MLP, Sequential
from dezero.training import Trainer

X = np.arange(1.0, 7.0).reshape(2, 3) / 7
T = np.array([0, 2])
ROWS = [(np.ones(3, "f4"), i % 2) for i in range(4)]


class AClass:
    """Stands where an object should."""


WRONG = {
    "text": "a",
    "None": None,
    "list": [1.0, 2.5],
    "dict": {"x": 1.0},
    "float": 2.5,
    "negative": -3,
    "large": 99,
    "empty": np.ones((0, 3)),
    "objects": np.array([object(), None], dtype=object),
    "class": AClass,
    "another shape": np.ones((5, 7)),
    "complex": 1j,
    "number": Variable(2.0),
}

ONE = """abs arccos arcsin arctan cos cosh erf exp expm1 log log10 log1p log2 neg sign sin sinh sqrt
    square tan tanh relu sigmoid silu softplus elu gelu leaky_relu flatten ravel squeeze argmax
    argmin logsumexp""".split()
TWO = "add sub mul div rsub rdiv pow arctan2 maximum minimum mean_absolute_error mean_squared_error"
AXIS = "sum mean max min prod var std norm softmax log_softmax cumsum flip average"


def calls():
    """(name, function, its arguments by position, its arguments by name), all of them right."""
    for name in ONE:
        yield name, getattr(F, name), (X,), {}
    for name in TWO.split():
        yield name, getattr(F, name), (X, X), {}
    for name in AXIS.split():
        yield name, getattr(F, name), (X,), {"axis": 1}
    v = Variable(X)
    yield "where", F.where, (X > 0.5, X, X), {}
    yield "clip", F.clip, (X, 0.2, 0.8), {}
    yield "reshape", F.reshape, (X, (3, 2)), {}
    yield "transpose", F.transpose, (X, (1, 0)), {}
    yield "expand_dims", F.expand_dims, (X, 0), {}
    yield "broadcast_to", F.broadcast_to, (X, (4, 2, 3)), {}
    yield "sum_to", F.sum_to, (X, (1, 3)), {}
    yield "concat", F.concat, ([X, X],), {"axis": 0}
    yield "stack", F.stack, ([X, X],), {"axis": 0}
    yield "split", F.split, (X, 3), {"axis": 1}
    yield "pad", F.pad, (X, 1), {}
    yield "get_item", F.get_item, (X, 0), {}
    yield "matmul", F.matmul, (X, X.T), {}
    yield "dot", F.dot, (X, X.T), {}
    yield "tensordot", F.tensordot, (X, X.T, 1), {}
    yield "einsum", F.einsum, ("ij,kj->ik", X, X), {}
    yield "linear", F.linear, (X, X.T), {}
    yield "softmax_cross_entropy", F.softmax_cross_entropy, (X, T), {}
    yield "accuracy", F.accuracy, (X, T), {}
    yield "binary_cross_entropy", F.binary_cross_entropy, (X[0], np.array([0, 1, 1])), {}
    yield "sigmoid_cross_entropy", F.sigmoid_cross_entropy, (X[0], np.array([0, 1, 1])), {}
    yield "huber", F.huber, (X, X), {"delta": 1.0}
    yield from more_calls()
    yield "Variable", Variable, (X,), {"name": "x"}
    yield "Parameter", Parameter, (X,), {}
    yield "as_variable", as_variable, (X,), {}
    yield "grad", grad, (F.sum(v), v), {}
    yield "Linear()", L.Linear, (3,), {"in_size": 2}
    yield "Linear", L.Linear(2), (X,), {}
    yield "MLP()", MLP, ((3, 2),), {}
    yield "MLP", MLP((3, 2)), (X,), {}
    yield "Sequential()", Sequential, (L.Linear(3), F.relu), {}
    yield "SGD", O.SGD, (0.1,), {}
    yield "MomentumSGD", O.MomentumSGD, (0.1, 0.9), {}
    yield "AdaGrad", O.AdaGrad, (0.1, 1e-8), {}
    yield "RMSprop", O.RMSprop, (0.1, 0.9, 1e-8), {}
    yield "AdaDelta", O.AdaDelta, (0.9, 1e-6), {}
    yield "Adam", O.Adam, (0.001, 0.9, 0.999, 1e-8), {}
    for name in "SGD MomentumSGD AdaGrad RMSprop AdaDelta Adam AdamW".split():
        yield f"{name} up", getattr(O, name), (), {"maximize": True}
    yield "dampening", O.MomentumSGD, (0.1,), {"dampening": 0.1}
    yield "centered", O.RMSprop, (0.1,), {"centered": True}
    yield "amsgrad", O.AdamW, (0.1,), {"amsgrad": True, "weight_decay": 0.1}
    yield "setup", O.SGD(0.1).setup, (MLP((1,)),), {}
    yield "WeightDecay", O.WeightDecay, (0.1,), {}
    yield "ClipGrad", O.ClipGrad, (1.0,), {}
    yield "StepDecay", O.StepDecay, (0.1, 10), {}
    yield "CosineDecay", O.CosineDecay, (0.1, 10), {}
    yield "DataLoader", loop, (DataLoader, ROWS, 2), {"collate": None, "seed": 0}
    yield "SeqDataLoader", loop, (SeqDataLoader, ROWS, 2), {}
    yield "ArrayDataset", ArrayDataset, (X, T), {}
    yield "Spiral", Spiral, (), {"train": True, "transform": None}
    yield "SinCurve", SinCurve, (), {"train": True, "transform": None}
    yield "EarlyStopping", EarlyStopping, (), {"patience": 3}
    yield "Trainer", Trainer, (MLP((2,)), O.SGD(0.1), F.mean_squared_error), {"metrics": F.accuracy}
    yield "fit", fit, (DataLoader(ROWS, 2),), {"epochs": 1}


MORE = """floor ceil round relu6 hardsigmoid hardswish arcsinh erfc log_sigmoid selu mish softsign
    hstack vstack trace tril triu argsort sort cummax cumprod diff flatten"""
SQUARE = np.array([[2.0, 0.5], [0.5, 1.0]])
IMAGES = np.arange(96.0).reshape(2, 3, 4, 4) / 96


def more_calls():
    """The same for what is beyond the main line: chapters 20 and 65 to 68."""
    v, p = Variable(X), np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
    for name in MORE.split():
        yield name, getattr(F, name), (X,), {}
    for name in "logaddexp hypot outer kron smooth_l1_loss".split():
        yield name, getattr(F, name), (X, X), {}
    for name in "sort argsort cummax cumprod diff".split():
        yield f"{name} along", getattr(F, name), (X,), {"axis": 1}
    yield "round to", F.round, (X,), {"decimals": 2}
    yield "arccosh", F.arccosh, (X + 1,), {}
    yield "arctanh", F.arctanh, (X - 0.5,), {}
    yield "take_along_axis", F.take_along_axis, (X, np.array([[0], [2]])), {"axis": 1}
    yield "topk", F.topk, (X, 2), {"axis": 1}
    yield "repeat", F.repeat, (X, 2), {"axis": 1}
    yield "tile", F.tile, (X, (2, 1)), {}
    yield "roll", F.roll, (X, 1), {"axis": 1}
    yield "diag", F.diag, (X,), {"k": 0}
    yield "scatter", F.scatter, (X, 1, np.array([[0], [2]]), 1.0), {}
    yield "one_hot", F.one_hot, (T,), {"num_classes": 3}
    yield "array_split", F.array_split, (X, 2), {"axis": 1}
    yield "diff twice", F.diff, (X,), {"n": 1}
    yield "trace of", F.trace, (X,), {"offset": 0}
    yield "tril of", F.tril, (X,), {"k": 0}
    yield "triu of", F.triu, (X,), {"k": 0}
    yield "prelu", F.prelu, (X, 0.1), {}
    yield "softplus of", F.softplus, (X,), {"beta": 2.0}
    yield "gelu of", F.gelu, (X,), {"approximate": "tanh"}
    yield "topk of", F.topk, (X, 2, 1), {"largest": False, "sorted": True}
    yield "trace over", F.trace, (X,), {"axis1": 0, "axis2": 1}
    yield "cumsum of", F.cumsum, (X,), {"exclusive": True, "reverse": True}
    yield "celu", F.celu, (X,), {"alpha": 1.0}
    yield "elu of", F.elu, (X,), {"alpha": 1.0}
    yield "leaky_relu of", F.leaky_relu, (X,), {"slope": 0.1}
    yield "glu", F.glu, (np.ones((2, 4)),), {"axis": 1}
    yield "normalize", F.normalize, (X,), {"p": 2.0, "axis": 1, "eps": 1e-12}
    for name in "mean_squared_error mean_absolute_error huber".split():
        yield f"{name} of", getattr(F, name), (X, X), {"reduction": "sum"}
    labels = {"ignore_index": -1, "weight": np.ones(3), "reduction": "none", "axis": 1}
    yield "nll_loss of", F.nll_loss, (np.log(p), T), labels
    smooth = {**labels, "label_smoothing": 0.1}
    yield "softmax_cross_entropy of", F.softmax_cross_entropy, (X, T), smooth
    yield "softmax_cross_entropy weighed", F.softmax_cross_entropy, (X, T), labels
    yes = {"weight": X, "reduction": "sum"}
    yield "binary_cross_entropy of", F.binary_cross_entropy, (X, X > 0.5), yes
    yield "sigmoid_cross_entropy of", F.sigmoid_cross_entropy, (X, X > 0.5), yes
    yield "pos_weight", F.sigmoid_cross_entropy, (X, X > 0.5), {**yes, "pos_weight": np.ones(3)}
    yield "register_hook", v.register_hook, (abs,), {}
    yield "nll_loss", F.nll_loss, (np.log(p), T), {"reduction": "mean"}
    yield "smooth_l1_loss of", F.smooth_l1_loss, (X, X), {"reduction": "sum", "beta": 1.0}
    yield "kl_div", F.kl_div, (np.log(p), p), {"reduction": "sum", "log_target": False}
    for name in "inv det slogdet cholesky".split():
        yield name, getattr(F.linalg, name), (SQUARE,), {}
    yield "solve", F.linalg.solve, (SQUARE, SQUARE), {}
    for name in "copy detach item tolist".split():
        yield f"x.{name}", lambda x, name=name: getattr(as_variable(x), name)(), (2.0,), {}
    yield "x.astype", v.astype, (float,), {}
    yield "%", lambda x, y: as_variable(x) % y, (X, X), {}
    yield "//", lambda x, y: as_variable(x) // y, (X, X), {}
    for name in "jacobian hessian".split():
        yield name, getattr(transformations, name)(F.sum), (X,), {}
        yield f"{name}()", getattr(transformations, name), (F.sum,), {}
    yield "hvp", transformations.hvp, (F.sum, (X,), (X,)), {}
    yield "jvp", transformations.jvp, (F.exp, (X,), (X,)), {}
    yield "vjp", transformations.vjp, (F.exp, X), {}
    yield "checkpoint", transformations.checkpoint, (F.exp, X), {}
    yield "im2col", F.im2col, (IMAGES, 2), {"stride": 1, "pad": 0}
    yield "pooling", F.pooling, (IMAGES, 2), {"stride": 2, "pad": 0}
    yield "average_pooling", F.average_pooling, (IMAGES, 2), {"stride": 2, "pad": 0}
    yield "conv2d", F.conv2d, (IMAGES, IMAGES[:, :, :3, :3]), {"b": X[:, 0], "stride": 1, "pad": 0}
    yield "deconv2d", F.deconv2d, (IMAGES[:, :2], IMAGES[:, :, :3, :3]), {"stride": 1, "pad": 0}
    for name in "RNN LSTM GRU".split():
        kind = getattr(L, name)
        yield f"{name}()", kind, (3,), {"in_size": 3}
        yield name, lambda x, kind=kind: kind(3)(x), (X,), {}
    yield "EmbedID()", L.EmbedID, (5, 3), {}
    yield "EmbedID", lambda x: L.EmbedID(5, 3)(x), (T,), {}
    yield "embed_id", F.embed_id, (np.array([0, 1]), X), {}
    yield "upsample", F.upsample, (IMAGES,), {"scale": 2, "mode": "nearest"}
    ones, zeros = np.ones(3), np.zeros(3)
    yield "dropout", F.dropout, (X, 0.5), {}
    yield "batch_norm", F.batch_norm, (X, ones, zeros, zeros, ones), {"decay": 0.9, "eps": 1e-5}
    yield "layer_norm", F.layer_norm, (X, ones, zeros), {"eps": 1e-5}
    yield "group_norm", F.group_norm, (X, 3, ones, zeros), {"eps": 1e-5}
    yield "rms_norm", F.rms_norm, (X, ones), {"eps": 1e-5}
    yield "Dropout()", L.Dropout, (0.5,), {}
    yield "BatchNorm()", L.BatchNorm, (), {"decay": 0.9, "eps": 1e-5}
    for name in ("BatchNorm", "LayerNorm", "RMSNorm"):
        yield name, lambda x, name=name: getattr(L, name)()(x), (X,), {}
    yield "LayerNorm()", L.LayerNorm, (3,), {"eps": 1e-5}
    yield "RMSNorm()", L.RMSNorm, (3,), {"eps": 1e-5}
    yield "GroupNorm()", L.GroupNorm, (3,), {"eps": 1e-5}
    yield "GroupNorm", lambda x: L.GroupNorm(3)(x), (X,), {}


def loop(kind, *args, **options):
    return list(kind(*args, **options))


def fit(*args, **options):
    trainer = Trainer(MLP((3, 2)), O.SGD(0.1), F.softmax_cross_entropy, verbose=False)
    return trainer.fit(*args, **options)


def wrong_calls():
    for name, function, args, options in calls():
        for kind, wrong in WRONG.items():
            for i in range(len(args)):
                if not isinstance(args[i], type):
                    new = (*args[:i], wrong, *args[i + 1 :])
                    yield f"{name}: {i} is {kind}", partial(function, *new, **options)
            for key in options:
                new = {**options, key: wrong}
                yield f"{name}: {key} is {kind}", partial(function, *args, **new)


# What Python and NumPy say of something that the caller has never seen.
RIDDLES = r"""object has no attribute|object is not (iterable|subscriptable|callable)
    |object does not support|unsupported operand type|truth value of an array
    |cannot be interpreted as an integer|only integer scalar arrays|unhashable type
    |argument of type|could not convert string|must be real number|invalid literal
    |not supported between instances|has no len\(\)|unsized object|cannot unpack|too many values
    |not enough values|zero-size array to reduction|positional arguments? but|bad operand type
    |list index out of range|tuple index out of range|object of type|did not contain a loop
    |not supported for the input types|can't multiply sequence|inhomogeneous"""
RIDDLE = re.compile(re.sub(r"\s*\n\s*", "", RIDDLES))


def answer(call):
    """None if the call works or its error is a good one, otherwise what it says."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            call()
        except (TypeError, ValueError) as error:
            told = re.search(r"\n  in \w+\(.*\) with \w+=", str(error))  # which option it was
            return str(error) if RIDDLE.search(str(error)) and not told else None
        except IndexError as error:  # what Python expects of an index
            return None if re.search("ind(ex|ices).*\n  in GetItem", str(error)) else repr(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None


def test_the_calls_are_right_before_they_are_made_wrong():
    for _, function, args, options in calls():
        function(*args, **options)


def test_wrong_calls_are_answered_in_their_own_words():
    found = [(name, answer(call)) for name, call in wrong_calls()]
    obscure = [f"{name}: {text}" for name, text in found if text]
    assert len(found) >= 4000
    assert len(obscure) == 0, "\n".join(obscure)


# What people write again and again, and what they should read.
X23, V = Variable(X), Variable(np.ones(3))


def no_parentheses(block):
    with block:
        pass


SLIPS = {
    "no_grad": (lambda: no_parentheses(no_grad), r"write the parentheses: with no_grad\(\):"),
    "patience": (lambda: EarlyStopping(5), r"write EarlyStopping\(patience=5\)"),  # pyright: ignore
    "two arrays": (lambda: DataLoader(X, T, 2), r"DataLoader\(ArrayDataset\(x, t\), 32\)"),
    "a float size": (lambda: DataLoader(ROWS, 2.0), "batch_size is a whole number, not 2.0"),
    "collate": (lambda: DataLoader(ROWS, 2, collate=3), "collate is a function"),
    "a gradient": (lambda: F.sum(V).backward(np.ones(3)), "takes no gradient: set y.grad"),
    "a large int": (lambda: Variable(10**30), r"write float\(...\)"),
    "layer of None": (lambda: L.Linear(3)(None), "Linear was given None"),
    "function of None": (lambda: F.sin(None), r"None is no array.*\n  in Sin\(None\)"),
    "epochs": (lambda: fit(DataLoader(ROWS, 2), epochs="a"), "epochs is a whole number, not 'a'"),
    "grad by None": (lambda: grad(F.sum(V), None), "with respect to a Variable or a list"),
    "smoothing": (lambda: F.softmax_cross_entropy(X, T, label_smoothing="a"), "label_smoothing"),
    "softmax of a number": (lambda: F.softmax(2.0), "over classes, and this is a number"),
    "softmax of nothing": (lambda: F.softmax(np.ones((2, 0))), "axis 1 has length 0"),
    "SGD(model)": (lambda: O.SGD(MLP((1,))), r"SGD\(0.1\).setup\(model\)"),
    "float labels": (lambda: F.softmax_cross_entropy(X, T * 1.0), r"write t.astype\(int\)"),
    "len": (lambda: len(Variable(1.0)), "has no length"),
    "-mask": (lambda: -Variable(np.array([True])), "use the `~` operator"),
    "concat": (lambda: F.concat(X, X), r"concat\(\[x, y\]\)"),
    "sum of a list": (lambda: F.sum([X23, X23]), "F.stack"),
    "an option": (lambda: F.sum(X, axis="a"), "axis .*'a'"),
    "an array as a shape": (
        lambda: F.broadcast_to(X, np.ones((5, 7))),
        r"shape is whole numbers such as \(2, 3\), not .*; write \(5, 7\)",
    ),
    "a shape in a shape": (lambda: F.reshape(X, [[3, 2]]), "shape is whole numbers"),
    "the same in a sum": (lambda: F.sum_to(X, [[1, 3]]), "shape is whole numbers"),
    "and in a method": (lambda: X23.reshape([[6]]), "shape is whole numbers"),
    "tiles": (lambda: F.tile(X, X), r"reps is whole numbers .*; write \(2, 3\)"),
    "no parts": (lambda: F.split(X, 0), "at least 1, not 0"),
}


# A forward without a return gives None to the next one; the message says what was None.
KERNELS = np.ones((4, 3, 3, 3))
OF_X = {
    "dropout": F.dropout,
    "batch_norm": lambda x: L.BatchNorm()(x),
    "group_norm": lambda x: F.group_norm(x, 1),
    "rms_norm": F.rms_norm,
    "layer_norm": F.layer_norm,
    "LayerNorm": lambda x: L.LayerNorm()(x),
    "conv2d": lambda x: F.conv2d(x, KERNELS),
    "conv2d_simple": lambda x: F.conv2d_simple(x, KERNELS),
    "conv1d": lambda x: F.conv1d(x, KERNELS[..., 0]),
    "deconv2d": lambda x: F.deconv2d(x, KERNELS),
    "pooling": lambda x: F.pooling(x, 2),
    "pooling_simple": lambda x: F.pooling_simple(x, 2),
    "average_pooling": lambda x: F.average_pooling(x, 2),
    "global_average_pooling": F.global_average_pooling,
    "adaptive_average_pooling": lambda x: F.adaptive_average_pooling(x, 2),
    "upsample": F.upsample,
    "im2col": lambda x: F.im2col(x, 2),
    "col2im": lambda x: F.col2im(x, (1, 1, 3, 3), 2),
    "embed_id": lambda x: F.embed_id(x, KERNELS[0, 0]),
    "Conv2d": lambda x: L.Conv2d(2, 3)(x),
    "Deconv2d": lambda x: L.Deconv2d(2, 3)(x),
    "RNN": lambda x: L.RNN(2)(x),
    "LSTM": lambda x: L.LSTM(2)(x),
    "GRU, all steps": lambda x: L.GRU(2).sequence(x),
}


@pytest.mark.parametrize("name", OF_X)
@pytest.mark.parametrize("x", [None, "a"])
def test_an_operand_that_is_no_array_is_named(name, x):
    with pytest.raises(TypeError, match=r"^x (is an array|holds numbers)"):
        OF_X[name](x)


@pytest.mark.parametrize("f", [F.conv2d, F.conv2d_simple, F.conv1d, F.deconv2d])
def test_kernels_that_are_no_array_are_named(f):
    with pytest.raises(TypeError, match=r"^W is an array"):
        f(IMAGES, None)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_what_to_write(slip):
    call, words = SLIPS[slip]
    with pytest.raises((TypeError, ValueError), match=words):
        call()
