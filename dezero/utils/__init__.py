"""Tools around the framework, under the names that the published DeZero gives them."""

from dezero.numdiff import array_allclose, array_equal, gradient_check, numerical_grad
from dezero.visualize import get_dot_graph, plot_dot_graph
