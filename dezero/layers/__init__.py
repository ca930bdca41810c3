"""Layers, functions that keep parameters: `import dezero.layers as L`, then `L.Linear(10)`."""

from typing import TYPE_CHECKING

import numpy as np

import dezero.functions as F
from dezero import published as published
from dezero.core import Parameter as Parameter
from dezero.layers.base import *
from dezero.lazy import import_later

if TYPE_CHECKING:
    from dezero.attention import MultiHeadAttention as MultiHeadAttention
    from dezero.regularization import BatchNorm as BatchNorm
    from dezero.regularization import Dropout as Dropout
    from dezero.regularization import GroupNorm as GroupNorm
    from dezero.regularization import LayerNorm as LayerNorm
    from dezero.regularization import RMSNorm as RMSNorm
    from dezero.rnn import GRU as GRU
    from dezero.rnn import LSTM as LSTM
    from dezero.rnn import RNN as RNN
    from dezero.rnn import EmbedID as EmbedID
    from dezero.transformer import SelfAttention as SelfAttention
    from dezero.transformer import TransformerBlock as TransformerBlock
    from dezero.vision import Conv2d as Conv2d
    from dezero.vision import Deconv2d as Deconv2d
else:
    __getattr__, __dir__ = import_later(__name__, {
        "dezero.attention": "MultiHeadAttention",
        "dezero.regularization": "BatchNorm Dropout GroupNorm LayerNorm RMSNorm",
        "dezero.rnn": "EmbedID GRU LSTM RNN",
        "dezero.transformer": "SelfAttention TransformerBlock",
        "dezero.vision": "Conv2d Deconv2d",
    })  # fmt: skip
