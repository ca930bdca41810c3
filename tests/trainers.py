"""Loaders, a model, a trainer: what the tests of training have in common."""

import os
import signal
from types import SimpleNamespace

import numpy as np

import dezero.functions as F
from dezero.dataloaders import DataLoader
from dezero.datasets import Spiral
from dezero.models import MLP
from dezero.optimizers import SGD
from dezero.training import Trainer


def spiral(seed=0, batch_size=30):
    """Loaders for training and testing, a model and an optimizer."""
    dataset, rest = Spiral(), Spiral(train=False)
    np.random.seed(seed)
    train = DataLoader(dataset, batch_size)
    test = DataLoader(rest, batch_size, shuffle=False)
    model = MLP((10, 3))
    return train, test, model, SGD(1.0)


def trainer(model, optimizer, callbacks=(), **options):
    options = {"metrics": F.accuracy, "verbose": False, **options}
    return Trainer(model, optimizer, F.softmax_cross_entropy, callbacks=callbacks, **options)


def weights(model):
    return {name: param.data.copy() for name, param in model.named_params()}


def same(one, two):
    return one.keys() == two.keys() and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in ((one[k], two[k]) for k in one)
    )


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def after(n, action):
    """A callback that acts once, after update number `n`."""

    def act(trainer):
        if trainer.optimizer.updates == n:
            action()

    return SimpleNamespace(after_batch=act)
