"""Layers, functions that keep parameters: `import dezero.layers as L`, then `L.Linear(10)`."""

import numpy as np

import dezero.functions as F
from dezero import published as published
from dezero.core import Parameter as Parameter
from dezero.layers.base import *
