"""Tools around the framework, under the names that the published DeZero gives them."""

import os

import numpy as np

from dezero.core import Variable, as_variable
from dezero.download import cache_dir, get_file
from dezero.environment import show_config
from dezero.functions.conv import get_conv_outsize, get_deconv_outsize
from dezero.gradcheck import gradient_check
from dezero.numdiff import array_allclose, array_equal, numerical_grad
from dezero.progress import show_progress
from dezero.published import logsumexp, max_backward_shape, pair, reshape_sum_backward, sum_to
from dezero.visualize import _dot_func as _dot_func
from dezero.visualize import _dot_var as _dot_var
from dezero.visualize import get_dot_graph, plot_dot_graph

__all__ = [
    "Variable", "array_allclose", "array_equal", "as_variable", "cache_dir", "get_conv_outsize",
    "get_deconv_outsize", "get_dot_graph", "get_file", "gradient_check", "logsumexp",
    "max_backward_shape", "np", "numerical_grad", "os", "pair", "plot_dot_graph",
    "reshape_sum_backward", "show_config", "show_progress", "sum_to",
]  # fmt: skip
