"""Models, layers that are trained: `from dezero.models import MLP`, then `MLP((10, 1))`."""

from typing import TYPE_CHECKING

import numpy as np

import dezero.functions as F
import dezero.layers as L
from dezero.layers import Layer as Layer
from dezero.lazy import import_later
from dezero.models.base import *

if TYPE_CHECKING:
    from dezero.transformer import GPT as GPT
    from dezero.vision import BasicBlock as BasicBlock
    from dezero.vision import BottleneckA as BottleneckA
    from dezero.vision import BottleneckB as BottleneckB
    from dezero.vision import BuildingBlock as BuildingBlock
    from dezero.vision import Fire as Fire
    from dezero.vision import LeNet as LeNet
    from dezero.vision import ResNet as ResNet
    from dezero.vision import ResNet101 as ResNet101
    from dezero.vision import ResNet152 as ResNet152
    from dezero.vision import ResNet18 as ResNet18
    from dezero.vision import ResNet34 as ResNet34
    from dezero.vision import ResNet50 as ResNet50
    from dezero.vision import SqueezeNet as SqueezeNet
    from dezero.vision import VGG16 as VGG16
    from dezero.vision import _global_average_pooling_2d as _global_average_pooling_2d
else:
    __getattr__, __dir__ = import_later(__name__, {
        "dezero.transformer": "GPT",
        "dezero.vision":
            "BasicBlock BottleneckA BottleneckB BuildingBlock Fire LeNet ResNet ResNet101"
            " ResNet152 ResNet18 ResNet34 ResNet50 SqueezeNet VGG16 _global_average_pooling_2d",
    })  # fmt: skip
