"""Names that only programs for the published package use."""

import numpy as np

import dezero
import dezero.functions as F
from dezero import core_simple, is_simple_core, setup_variable, utils
from dezero.core import Config, Variable, no_grad, test_mode, using_config

setup_variable()
assert not is_simple_core and core_simple.setup_variable is setup_variable
assert Config is dezero.Config and test_mode is dezero.test_mode
with using_config("train", False), no_grad():
    assert not Config.train and not Config.enable_backprop

x = np.ones((2, 3))
assert utils.sum_to(x, (1, 3)).tolist() == [[2.0, 2.0, 2.0]]
assert utils.logsumexp(np.zeros((2, 4))).shape == (2, 1)
assert utils.reshape_sum_backward(np.ones(2), (2, 3), 1, False).shape == (2, 1)
assert utils.max_backward_shape(x, axis=-1) == (2, 1)
assert F.GetItemGrad(0, (2, 3))(Variable(np.ones(3))).shape == (2, 3)
