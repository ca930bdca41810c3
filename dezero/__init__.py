"""DeZero: a deep-learning framework that grows, one small idea at a time, in a book of notebooks."""

from dezero import backprop, core, core_simple, functions, numdiff, operators, utils, visualize
from dezero.backprop import grad
from dezero.core import (
    Config,
    Function,
    Parameter,
    Variable,
    as_array,
    as_variable,
    no_grad,
    test_mode,
    using_config,
)
from dezero.core_simple import is_simple_core
from dezero.operators import setup_variable
