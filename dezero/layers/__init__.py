"""Layers, functions that keep parameters: `import dezero.layers as L`, then `L.Linear(10)`."""

from dezero.layers.base import *
