"""Made by `make export` from the notebooks, for editors and type checkers."""
from typing import Any
import numpy as np
from .core import Parameter, Variable
from dezero.functions.conv import global_average_pooling
from .layers.base import Layer
from .models.base import Model
__all__ = ['Conv2d', 'Deconv2d', 'LeNet', 'VGG16', 'BasicBlock', 'BottleneckB', 'BottleneckA', 'BuildingBlock', 'ResNet', 'ResNet18', 'ResNet34', 'ResNet50', 'ResNet101', 'ResNet152', 'Fire', 'SqueezeNet']
class Conv2d(Layer):

    def __init__(self, out_channels: int, kernel_size: Any, stride: Any=1, pad: Any=0, nobias: bool=False, dtype: Any=..., in_channels: int | None=None, *, dilation: Any=1, groups: int=1) -> None: ...

    def _weight_shape(self): ...

    def _init_W(self, xp=...) -> None: ...

    def forward(self, x) -> Variable: ...
    out_channels: int
    kernel_size: Any
    stride: Any
    pad: Any
    dilation: Any
    groups: Any
    dtype: Any
    in_channels: Any
    W: Parameter
    b: Parameter | None
def _check_filters(out_channels, nobias, dtype, groups) -> None: ...
def _in_group(channels, groups) -> Any: ...
def _meet_images(layer, x) -> None: ...
class Deconv2d(Conv2d):

    def _weight_shape(self): ...

    def forward(self, x) -> Variable: ...
class LeNet(Model):

    def __init__(self, n_classes: int=10) -> None: ...

    def forward(self, x) -> Variable: ...
    conv1: Any
    conv2: Any
    fc3: Any
    fc4: Any
    fc5: Any
_MEAN_COLOUR: Any
def _preprocess(image: Any, size: Any=(224, 224), dtype: Any=...) -> np.ndarray: ...
def _check_picture(image, dtype) -> None: ...
_WEIGHTS: str
def _convs(count, channels): ...
class VGG16(Model):
    WEIGHTS_PATH: Any
    preprocess: Any

    def __init__(self, pretrained: bool=False, *, sha256: str | None=None) -> None: ...

    def forward(self, x) -> Variable: ...
    conv1_1: Any
    conv1_2: Any
    conv2_1: Any
    conv2_2: Any
    conv3_1: Any
    conv3_2: Any
    conv3_3: Any
    conv4_1: Any
    conv4_2: Any
    conv4_3: Any
    conv5_1: Any
    conv5_2: Any
    conv5_3: Any
    fc6: Any
    fc7: Any
    fc8: Any
def _load_published(model, url, sha256=None): ...
def _plain_conv(channels, kernel_size, stride=1, pad=0): ...
class BasicBlock(Layer):

    def __init__(self, in_channels: int, out_channels: int, stride: int=1) -> None: ...

    def forward(self, x) -> Variable: ...
    conv1: Any
    bn1: Any
    conv2: Any
    bn2: Any
    conv3: Any
    bn3: Any
class BottleneckB(Layer):

    def __init__(self, in_channels: int, mid_channels: int) -> None: ...

    def forward(self, x) -> Variable: ...
    conv1: Any
    bn1: Any
    conv2: Any
    bn2: Any
    conv3: Any
    bn3: Any
class BottleneckA(Layer):

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int, stride: int=2, downsample_fb: bool=False) -> None: ...

    def forward(self, x) -> Variable: ...
    conv1: Any
    bn1: Any
    conv2: Any
    bn2: Any
    conv3: Any
    bn3: Any
    conv4: Any
    bn4: Any
class BuildingBlock(Layer):

    def __init__(self, n_layers: int, in_channels: int, mid_channels: int, out_channels: int, stride: int, downsample_fb: bool | None=None) -> None: ...

    def forward(self, x) -> Variable: ...
    n_layers: Any
    a: Layer
class _BasicBlocks(BuildingBlock):

    def __init__(self, n_layers, in_channels, out_channels, stride) -> None: ...
    n_layers: Any
    a: Any
_STAGES: Any
def _stages(n_layers): ...
class ResNet(Model):
    WEIGHTS_PATH: Any

    def __init__(self, n_layers: int=152, pretrained: bool=False, *, sha256: str | None=None) -> None: ...

    def forward(self, x) -> Variable: ...
    conv1: Any
    bn1: Any
    res2: Any
    res3: Any
    res4: Any
    res5: Any
    fc6: Any
class ResNet18(ResNet):

    def __init__(self) -> None: ...
class ResNet34(ResNet):

    def __init__(self) -> None: ...
class ResNet50(ResNet):

    def __init__(self, pretrained: bool=False, *, sha256: str | None=None) -> None: ...
class ResNet101(ResNet):

    def __init__(self, pretrained: bool=False, *, sha256: str | None=None) -> None: ...
class ResNet152(ResNet):

    def __init__(self, pretrained: bool=False, *, sha256: str | None=None) -> None: ...
_global_average_pooling_2d = global_average_pooling
class Fire(Layer):

    def __init__(self, squeeze: int, expand: int) -> None: ...

    def forward(self, x) -> Variable: ...
    squeeze: Any
    expand1x1: Any
    expand3x3: Any
class SqueezeNet(Model):

    def __init__(self, pretrained: bool=False, version: str='1.1') -> None: ...

    def forward(self, x) -> Variable: ...
    version: str
    conv1: Any
    fire2: Any
    fire3: Any
    fire4: Any
    fire5: Any
    fire6: Any
    fire7: Any
    fire8: Any
    fire9: Any
    conv10: Any
_POOLED: Any
