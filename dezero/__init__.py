"""A deep-learning framework that grows, one small idea at a time, in a book of notebooks."""

from dezero import (
    anomaly,
    backprop,
    callbacks,
    core,
    core_simple,
    dataloaders,
    datasets,
    download,
    environment,
    files,
    functions,
    functions_conv,
    gradcheck,
    layers,
    models,
    numdiff,
    operators,
    optimizers,
    training,
    transforms,
    utils,
    visualize,
)
from dezero.backprop import grad
from dezero.config import Config, no_grad, test_mode, using_config
from dezero.core import Function, Parameter, Variable, as_array, as_variable
from dezero.core_simple import is_simple_core
from dezero.dataloaders import DataLoader, SeqDataLoader
from dezero.datasets import Dataset
from dezero.layers import Layer
from dezero.models import Model
from dezero.operators import setup_variable
