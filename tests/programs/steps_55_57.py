"""Steps 55 to 57: the sizes of a convolution, im2col, conv2d and pooling."""

import numpy as np

import dezero.functions as F
from dezero import Variable, functions_conv
from dezero.utils import get_conv_outsize, get_deconv_outsize, pair

# step 55
H, W = 4, 4
KH, KW = 3, 3
SH, SW = 1, 1
PH, PW = 1, 1
OH = get_conv_outsize(H, KH, SH, PH)
OW = get_conv_outsize(W, KW, SW, PW)
assert (OH, OW) == (4, 4)
assert get_deconv_outsize(OH, KH, SH, PH) == H

# step 57
x1 = np.random.rand(1, 3, 7, 7)
col1 = F.im2col(x1, kernel_size=5, stride=1, pad=0, to_matrix=True)
assert col1.shape == (9, 75)
x2 = np.random.rand(10, 3, 7, 7)
kernel_size = (5, 5)
stride = (1, 1)
pad = (0, 0)
col2 = F.im2col(x2, kernel_size, stride, pad, to_matrix=True)
assert col2.shape == (90, 75)


def conv2d_simple(x, W, b=None, stride=1, pad=0):
    Weight = W
    N, _, H, W = x.shape
    OC, C, KH, KW = Weight.shape
    SH, SW = pair(stride)
    PH, PW = pair(pad)
    OH = get_conv_outsize(H, KH, SH, PH)
    OW = get_conv_outsize(W, KW, SW, PW)
    col = F.im2col(x, (KH, KW), stride, pad, to_matrix=True)
    Weight = Weight.reshape(OC, -1).transpose()
    t = F.linear(col, Weight, b)
    return t.reshape(N, OH, OW, OC).transpose(0, 3, 1, 2)


N, C, H, W = 1, 5, 15, 15
OC, (KH, KW) = 8, (3, 3)
x = Variable(np.random.randn(N, C, H, W))
W = Variable(np.random.randn(OC, C, KH, KW))
for conv in conv2d_simple, F.conv2d_simple, F.conv2d, functions_conv.conv2d:
    x.cleargrad()
    y = conv(x, W, b=None, stride=1, pad=1)
    y.backward()
    assert y.shape == (1, 8, 15, 15) and x.grad.shape == (1, 5, 15, 15)

y = F.pooling(x, kernel_size=2, stride=2)
y.backward()
assert y.shape == (1, 5, 7, 7)
