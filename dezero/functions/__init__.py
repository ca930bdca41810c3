"""Functions of Variables: `import dezero.functions as F`, then `F.exp(x)`."""

from typing import TYPE_CHECKING

import numpy as np

from dezero.backprop import BroadcastTo as BroadcastTo
from dezero.backprop import SumTo as SumTo
from dezero.core import Function as Function
from dezero.core import Variable as Variable
from dezero.core import as_array as as_array
from dezero.core import as_variable as as_variable
from dezero.functions.activations import *
from dezero.functions.elementwise import *
from dezero.functions.losses import *
from dezero.functions.products import *
from dezero.functions.reductions import *
from dezero.functions.shapes import *
from dezero.lazy import import_later
from dezero.operators import Abs as Abs
from dezero.operators import Sign as Sign
from dezero.operators import add as add
from dezero.operators import div as div
from dezero.operators import mul as mul
from dezero.operators import neg as neg
from dezero.operators import pow as pow
from dezero.operators import rdiv as rdiv
from dezero.operators import rsub as rsub
from dezero.operators import sub as sub

if TYPE_CHECKING:
    from dezero.attention import Attention as Attention
    from dezero.attention import Rotary as Rotary
    from dezero.attention import rotary as rotary
    from dezero.attention import scaled_dot_product_attention as scaled_dot_product_attention
    from dezero.explain import explain as explain
    from dezero.functions import linalg as linalg
    from dezero.functions.conv import AveragePooling as AveragePooling
    from dezero.functions.conv import Col2im as Col2im
    from dezero.functions.conv import Conv2DGradW as Conv2DGradW
    from dezero.functions.conv import Conv2d as Conv2d
    from dezero.functions.conv import Deconv2d as Deconv2d
    from dezero.functions.conv import Im2col as Im2col
    from dezero.functions.conv import Pooling as Pooling
    from dezero.functions.conv import Pooling2DGrad as Pooling2DGrad
    from dezero.functions.conv import Pooling2DWithIndexes as Pooling2DWithIndexes
    from dezero.functions.conv import adaptive_average_pooling as adaptive_average_pooling
    from dezero.functions.conv import average_pooling as average_pooling
    from dezero.functions.conv import col2im as col2im
    from dezero.functions.conv import col2im_array as col2im_array
    from dezero.functions.conv import conv1d as conv1d
    from dezero.functions.conv import conv2d as conv2d
    from dezero.functions.conv import conv2d_simple as conv2d_simple
    from dezero.functions.conv import deconv2d as deconv2d
    from dezero.functions.conv import global_average_pooling as global_average_pooling
    from dezero.functions.conv import im2col as im2col
    from dezero.functions.conv import im2col_array as im2col_array
    from dezero.functions.conv import pooling as pooling
    from dezero.functions.conv import pooling_simple as pooling_simple
    from dezero.functions.conv import upsample as upsample
    from dezero.functions.linalg import Cholesky as Cholesky
    from dezero.functions.linalg import Det as Det
    from dezero.functions.linalg import Inv as Inv
    from dezero.functions.linalg import LogDet as LogDet
    from dezero.functions.linalg import SignDet as SignDet
    from dezero.functions.linalg import Solve as Solve
    from dezero.functions.linalg import cholesky as cholesky
    from dezero.functions.linalg import det as det
    from dezero.functions.linalg import inv as inv
    from dezero.functions.linalg import slogdet as slogdet
    from dezero.functions.linalg import solve as solve
    from dezero.functions.more import arccosh as arccosh
    from dezero.functions.more import arcsinh as arcsinh
    from dezero.functions.more import arctanh as arctanh
    from dezero.functions.more import argsort as argsort
    from dezero.functions.more import array_split as array_split
    from dezero.functions.more import ceil as ceil
    from dezero.functions.more import celu as celu
    from dezero.functions.more import cummax as cummax
    from dezero.functions.more import cumprod as cumprod
    from dezero.functions.more import diag as diag
    from dezero.functions.more import diff as diff
    from dezero.functions.more import erfc as erfc
    from dezero.functions.more import floor as floor
    from dezero.functions.more import glu as glu
    from dezero.functions.more import hardsigmoid as hardsigmoid
    from dezero.functions.more import hardswish as hardswish
    from dezero.functions.more import hstack as hstack
    from dezero.functions.more import hypot as hypot
    from dezero.functions.more import kl_div as kl_div
    from dezero.functions.more import kron as kron
    from dezero.functions.more import log_sigmoid as log_sigmoid
    from dezero.functions.more import logaddexp as logaddexp
    from dezero.functions.more import mish as mish
    from dezero.functions.more import nll_loss as nll_loss
    from dezero.functions.more import normalize as normalize
    from dezero.functions.more import one_hot as one_hot
    from dezero.functions.more import outer as outer
    from dezero.functions.more import prelu as prelu
    from dezero.functions.more import relu6 as relu6
    from dezero.functions.more import repeat as repeat
    from dezero.functions.more import roll as roll
    from dezero.functions.more import round as round
    from dezero.functions.more import scatter as scatter
    from dezero.functions.more import selu as selu
    from dezero.functions.more import smooth_l1_loss as smooth_l1_loss
    from dezero.functions.more import softsign as softsign
    from dezero.functions.more import sort as sort
    from dezero.functions.more import take_along_axis as take_along_axis
    from dezero.functions.more import tile as tile
    from dezero.functions.more import topk as topk
    from dezero.functions.more import trace as trace
    from dezero.functions.more import tril as tril
    from dezero.functions.more import triu as triu
    from dezero.functions.more import vstack as vstack
    from dezero.published import BatchNorm as BatchNorm
    from dezero.published import GetItemGrad as GetItemGrad
    from dezero.published import batch_nrom as batch_nrom
    from dezero.regularization import batch_norm as batch_norm
    from dezero.regularization import dropout as dropout
    from dezero.regularization import group_norm as group_norm
    from dezero.regularization import layer_norm as layer_norm
    from dezero.regularization import rms_norm as rms_norm
    from dezero.rnn import embed_id as embed_id
else:
    __getattr__, __dir__ = import_later(__name__, {
        "dezero.attention": "Attention Rotary rotary scaled_dot_product_attention",
        "dezero.explain": "explain",
        "dezero.functions": "linalg",
        "dezero.functions.conv":
            "AveragePooling Col2im Conv2DGradW Conv2d Deconv2d Im2col Pooling Pooling2DGrad"
            " Pooling2DWithIndexes adaptive_average_pooling average_pooling col2im col2im_array"
            " conv1d conv2d conv2d_simple deconv2d global_average_pooling im2col im2col_array"
            " pooling pooling_simple upsample",
        "dezero.functions.linalg":
            "Cholesky Det Inv LogDet SignDet Solve cholesky det inv slogdet solve",
        "dezero.functions.more":
            "arccosh arcsinh arctanh argsort array_split ceil celu cummax cumprod diag"
            " diff erfc floor glu hardsigmoid hardswish hstack hypot kl_div kron"
            " log_sigmoid logaddexp mish nll_loss normalize one_hot outer prelu relu6"
            " repeat roll round scatter selu smooth_l1_loss softsign sort"
            " take_along_axis tile topk trace tril triu vstack",
        "dezero.published": "BatchNorm GetItemGrad batch_nrom",
        "dezero.regularization": "batch_norm dropout group_norm layer_norm rms_norm",
        "dezero.rnn": "embed_id",
    })  # fmt: skip
