"""Models, layers that are trained: `from dezero.models import MLP`, then `MLP((10, 1))`."""

from dezero.models.base import *
