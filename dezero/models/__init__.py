"""Models, layers that are trained: `from dezero.models import MLP`, then `MLP((10, 1))`."""

import numpy as np

import dezero.functions as F
import dezero.layers as L
from dezero.layers import Layer as Layer
from dezero.models.base import *
