"""Convolution and pooling: the names are there, and what they name comes with its own chapter."""

from dezero.functions.conv import (
    average_pooling,
    col2im,
    col2im_array,
    conv2d,
    conv2d_simple,
    deconv2d,
    im2col,
    im2col_array,
    pooling,
    pooling_simple,
)
