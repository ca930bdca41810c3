"""Tools around the framework, under the names that the published DeZero gives them."""

from dezero.download import cache_dir, get_file
from dezero.environment import show_config
from dezero.gradcheck import gradient_check
from dezero.numdiff import array_allclose, array_equal, numerical_grad
from dezero.progress import show_progress
from dezero.published import logsumexp, max_backward_shape, reshape_sum_backward, sum_to
from dezero.visualize import get_dot_graph, plot_dot_graph

__all__ = [
    "array_allclose", "array_equal", "cache_dir", "get_dot_graph", "get_file", "gradient_check",
    "logsumexp", "max_backward_shape", "numerical_grad", "plot_dot_graph", "reshape_sum_backward",
    "show_config", "show_progress", "sum_to",
]  # fmt: skip
