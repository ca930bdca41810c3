"""Step 54: dropout, written by hand first, then as the function of the package."""

import numpy as np

import dezero.functions as F
from dezero import Variable, test_mode

# By hand: what survives in training is scaled then, so nothing is left to do in testing.
dropout_ratio = 0.6
x = np.ones(10)
mask = np.random.rand(10) > dropout_ratio
scale = 1 - dropout_ratio
y = x * mask / scale
assert set(np.round(y, 12)) <= {0.0, 2.5}

x = np.ones(5)

# When training.
np.random.seed(54)
y = F.dropout(x)
np.random.seed(54)
assert np.array_equal(y.data, x * (np.random.rand(5) > 0.5) / 0.5)

# When testing (predicting).
with test_mode():
    y = F.dropout(x)
    assert np.array_equal(y.data, x)

# The gradient flows where the numbers did.
x = Variable(np.ones((3, 4)))
y = F.dropout(x, dropout_ratio=0.25)
F.sum(y).backward()
assert np.array_equal(x.grad.data, y.data)
