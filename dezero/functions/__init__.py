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
from dezero.functions.conv import *
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
    from dezero.explain import explain as explain
    from dezero.published import GetItemGrad as GetItemGrad
else:
    __getattr__, __dir__ = import_later(__name__, {
        "dezero.explain": "explain",
        "dezero.published": "GetItemGrad",
    })  # fmt: skip
