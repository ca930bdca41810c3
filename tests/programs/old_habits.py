"""Habits of programs for the published package, as its readers have them."""

import math
import warnings

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import DataLoader, Layer, Model, Parameter, Variable, optimizers, utils
from dezero.core import Add, Mul, add, mul, setup_variable
from dezero.datasets import get_spiral
from dezero.models import MLP, Sequential

assert dezero.__version__.count(".") == 2

# Names that are elsewhere today.
setup_variable()
Variable.__mul__ = mul
assert float(add(Variable(1.0), 2) * 3) == 9 and isinstance(Mul()(2.0, 3.0).creator, Mul)
assert issubclass(Add, F.Function) and F.as_variable(2).data == 2 and L.Parameter is Parameter
assert utils.pair(3) == (3, 3) and utils.pair((2, 3)) == (2, 3)
assert utils.pair(np.int64(3)) == (3, 3) and utils.pair([2, 3]) == (2, 3)


# A loader with a `__next__` of its own is asked by `for`.
class Sequence(DataLoader):
    def __init__(self, data, batch_size):
        self.dataset, self.batch_size, self.shuffle, self.gpu = data, batch_size, False, False
        self.data_size = len(data)
        self.max_iter = math.ceil(self.data_size / batch_size)
        self.reset()

    def __next__(self):
        if self.iteration >= self.max_iter:
            self.reset()
            raise StopIteration
        jump = self.data_size // self.batch_size
        batch = [self.dataset[i * jump + self.iteration] for i in range(self.batch_size)]
        self.iteration += 1
        return np.array(batch)


rows = Sequence(np.arange(6), 3)
assert [b.tolist() for b in rows] == [[0, 2, 4], [1, 3, 5]] == [b.tolist() for b in rows]


class Plain(DataLoader):
    def __init__(self, data):
        self.dataset, self.batch_size, self.shuffle, self.gpu = data, 2, False, False
        self.data_size, self.max_iter = len(data), 2
        self.reset()


assert [b.tolist() for b in Plain(np.arange(4))] == [[0, 1], [2, 3]]


# Pieces of a drawing.
y = Variable(np.array([1.0]), "x") ** 2
assert 'label="x' in utils._dot_var(y.creator.inputs[0], True) and "Pow" in utils._dot_func(
    y.creator
)


# A picture that cannot be written ends no program.
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    utils.plot_dot_graph(y, verbose=False, to_file="nowhere/graph.png")
assert len(told) == 1


# A loss of one's own gives a gradient to its first input alone.
class Distance(F.Function):
    def forward(self, x, t):
        return np.array(((x - t) ** 2).sum())

    def backward(self, gy):
        x, t = self.inputs
        return gy * 2 * (x - t)


x = Variable(np.ones(3))
Distance()(x, np.zeros(3)).backward()
assert x.grad.data.tolist() == [2, 2, 2]

# The spiral leaves NumPy's generator as the published one does.
get_spiral()
drawn = np.random.rand()
get_spiral()
assert drawn == np.random.rand()


# What a layer notes down.
class Two(Layer):
    def __init__(self):
        super().__init__()
        self.l1 = L.Linear(2, in_size=3)
        self.W = Parameter(np.ones(2), name="W")

    def names(self):
        return sorted(name for name in self._params if name in self.__dict__)


found = {}
Two()._flatten_params(found)
assert Two().names() == ["W", "l1"] and sorted(found) == ["W", "l1/W", "l1/b"]
found = {}
Two()._flatten_params(found, "block")
assert "block/l1/b" in found


# An optimizer that keeps its arrays by the published names.
class MyAdam(optimizers.Adam):
    def update_one(self, param):
        key = id(param)
        if key not in self.ms:
            self.ms[key], self.vs[key] = np.zeros_like(param.data), np.zeros_like(param.data)
        self.ms[key] += 0.1 * (param.grad.data - self.ms[key])
        param.data -= 0.1 * self.ms[key]


class MyMomentum(optimizers.MomentumSGD):
    def update_one(self, param):
        v = self.vs.setdefault(id(param), np.zeros_like(param.data))
        v[...] = self.momentum * v - self.lr * param.grad.data
        param.data += v


assert not optimizers.AdaGrad().hs and not optimizers.AdaDelta().msdx
for optimizer in (MyAdam(), MyMomentum(0.1)):
    two = Two()
    optimizer.setup(two)
    for _ in range(2):
        two.cleargrads()
        F.sum(two.W * two.W).backward()
        optimizer.update()
    assert two.W.data[0] < 1 and len(optimizer.vs if optimizer.lr == 0.1 else optimizer.ms) == 1


# Layers as a list; keyword arguments.
net = Sequential(L.Linear(4), F.relu)
net.layers.append(L.Linear(2))
assert isinstance(net.layers, list) and net(np.ones((1, 3))).shape == (1, 2)
assert net.layers[-1] is net.l2 and len(MLP((3, 1)).layers) == 2


class Net(Sequential):
    def __init__(self, sizes):
        super().__init__()
        self.layers = []
        for i, size in enumerate(sizes):
            layer = L.Linear(size)
            setattr(self, "l" + str(i), layer)
            self.layers.append(layer)


assert Net([3, 2])(np.ones((1, 5))).shape == (1, 2) and len(list(Net([3, 2]).params())) == 4


class Masked(Model):
    def forward(self, x, mask=None, scale=1):
        return x * scale if mask is None else x * mask * scale


assert Masked()(Variable(2.0), mask=0.5, scale=3).data == 3

# Stars bring what the published modules had imported.
for module, names in {
    "core": "np Variable Parameter Function Config no_grad using_config add Mul as_array",
    "core_simple": "as_array Config no_grad using_config setup_variable Variable add",
    "functions": "np Variable Function as_variable as_array exp conv2d dropout embed_id",
    "layers": "np F Parameter Layer Linear Conv2d BatchNorm EmbedID LSTM",
    "models": "np F L Layer Model MLP VGG16 ResNet50",
    "utils": "np os Variable as_variable sum_to pair",
    "optimizers": "math np Parameter SGD Adam",
    "datasets": "np os get_file cache_dir Compose Flatten ToFloat Normalize Dataset MNIST",
    "dataloaders": "math np DataLoader",
    "transforms": "np pair Compose Normalize",
    "cuda": "as_numpy as_cupy get_array_module",
}.items():
    space = {}
    exec(f"from dezero.{module} import *", space)
    assert [name for name in names.split() if name not in space] == [], module
