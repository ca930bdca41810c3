"""Convolution and pooling: the names are there, and what they name comes with its own chapter."""

from dezero.functions.conv import *
