"""Convolution and pooling, where the published DeZero has them."""

from dezero.functions.conv import *
