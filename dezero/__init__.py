"""A deep-learning framework that grows, one small idea at a time, in a book of notebooks."""

from typing import TYPE_CHECKING

from dezero import (
    backprop,
    config,
    core,
    environment,
    functions,
    lazy,
    methods,
    numdiff,
    operators,
    visualize,
)
from dezero._version import __version__
from dezero.backprop import grad
from dezero.config import Config, no_grad, test_mode, using_config
from dezero.core import Function, Parameter, Variable, as_array, as_variable

# What a program may never use loads when it is first asked for (chapter 64).
if TYPE_CHECKING:
    from dezero import (
        anomaly,
        attention,
        callbacks,
        compiled,
        core_simple,
        cuda,
        dataloaders,
        datasets,
        distributed,
        download,
        files,
        formats,
        functions_conv,
        gradcheck,
        layers,
        models,
        optimizers,
        progress,
        published,
        regularization,
        rnn,
        tokenizer,
        tracer,
        training,
        transformations,
        transformer,
        transforms,
        utils,
        vision,
        writer,
    )
    from dezero.dataloaders import DataLoader, SeqDataLoader
    from dezero.datasets import Dataset
    from dezero.layers import Layer
    from dezero.models import Model
    from dezero.published import is_simple_core, setup_variable
else:
    __getattr__, __dir__ = lazy.import_later(__name__, {
        "dezero":
            "anomaly attention callbacks compiled core_simple cuda dataloaders datasets"
            " distributed download files formats functions_conv gradcheck layers"
            " models optimizers progress published regularization rnn tokenizer tracer"
            " training transformations transformer transforms utils vision writer",
        "dezero.dataloaders": "DataLoader SeqDataLoader",
        "dezero.datasets": "Dataset",
        "dezero.layers": "Layer",
        "dezero.models": "Model",
        "dezero.published": "is_simple_core setup_variable",
    })  # fmt: skip
    # Where old programs look for what is in other chapters (chapter 71).
    core.__getattr__, _ = lazy.import_later(core.__name__, {
        "dezero.config": "Config no_grad test_mode using_config",
        "dezero.operators": "add sub mul div neg pow rsub rdiv Add Sub Mul Div Neg Pow",
        "dezero.published": "np setup_variable",
    })  # fmt: skip

__all__ = [
    "Config", "DataLoader", "Dataset", "Function", "Layer", "Model", "Parameter",
    "SeqDataLoader", "Variable", "__version__", "anomaly", "as_array", "as_variable",
    "attention", "backprop", "callbacks", "compiled", "config", "core", "core_simple", "cuda",
    "dataloaders", "datasets", "distributed", "download", "environment", "files", "formats",
    "functions", "functions_conv", "grad", "gradcheck", "is_simple_core", "layers", "lazy",
    "methods", "models", "no_grad", "numdiff", "operators", "optimizers", "progress",
    "published", "regularization", "rnn", "setup_variable", "test_mode", "tokenizer", "tracer",
    "training", "transformations", "transformer", "transforms", "using_config", "utils",
    "vision", "visualize", "writer",
]  # fmt: skip
