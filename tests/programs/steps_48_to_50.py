"""The spiral of steps 48 to 50: the losses are those that the book prints, at every run."""

import math

import numpy as np

import dezero
import dezero.functions as F
from dezero import DataLoader, optimizers
from dezero.models import MLP

# Step 48: batches made by hand.
max_epoch, batch_size, hidden_size = 300, 30, 10
x, t = dezero.datasets.get_spiral(train=True)
model = MLP((hidden_size, 3))
optimizer = optimizers.SGD(lr=1.0).setup(model)
data_size = len(x)
max_iter = math.ceil(data_size / batch_size)
losses = []
for _epoch in range(max_epoch):
    index = np.random.permutation(data_size)
    sum_loss = 0
    for i in range(max_iter):
        batch = index[i * batch_size : (i + 1) * batch_size]
        loss = F.softmax_cross_entropy(model(x[batch]), t[batch])
        model.cleargrads()
        loss.backward()
        optimizer.update()
        sum_loss += float(loss.data) * len(batch)
    losses.append(sum_loss / data_size)
assert f"{losses[0]:.2f} {losses[-1]:.2f}" == "1.13 0.13", losses[::299]

# Step 49: the same points in a dataset.
train_set = dezero.datasets.Spiral(train=True)
model = MLP((hidden_size, 3))
optimizer = optimizers.SGD(lr=1.0).setup(model)
again = []
for _epoch in range(max_epoch):
    index = np.random.permutation(data_size)
    sum_loss = 0
    for i in range(max_iter):
        batch = [train_set[k] for k in index[i * batch_size : (i + 1) * batch_size]]
        batch_x = np.array([example[0] for example in batch])
        batch_t = np.array([example[1] for example in batch])
        loss = F.softmax_cross_entropy(model(batch_x), batch_t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        sum_loss += float(loss.data) * len(batch_t)
    again.append(sum_loss / data_size)
assert again == losses

# Step 50: and in a loader, with a test set beside it.
test_set = dezero.datasets.Spiral(train=False)
train_loader = DataLoader(train_set, batch_size)
test_loader = DataLoader(test_set, batch_size, shuffle=False)
assert len(list(train_loader)) == len(list(test_loader)) == 10
