"""A recurrent network on a noisy curve, step by step, with a graph that is cut off in time."""

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Model

np.random.seed(0)
max_epoch, hidden_size, bptt_length = 3, 30, 30
train_set = dezero.datasets.SinCurve(train=True)
seqlen = len(train_set)


class SimpleRNN(Model):
    def __init__(self, hidden_size, out_size):
        super().__init__()
        self.rnn = L.RNN(hidden_size)
        self.fc = L.Linear(out_size)

    def reset_state(self):
        self.rnn.reset_state()

    def __call__(self, x):
        h = self.rnn(x)
        y = self.fc(h)
        return y


model = SimpleRNN(hidden_size, 1)
optimizer = dezero.optimizers.Adam().setup(model)

losses = []
for _ in range(max_epoch):
    model.reset_state()
    loss, count = 0, 0
    for x, t in train_set:
        x = x.reshape(1, 1)
        y = model(x)
        loss += F.mean_squared_error(y, t)
        count += 1
        if count % bptt_length == 0 or count == seqlen:
            model.cleargrads()
            loss.backward()
            loss.unchain_backward()
            optimizer.update()
    losses.append(float(loss.data) / count)
assert losses[2] < losses[0] / 3 and losses[2] < 0.1

xs = np.cos(np.linspace(0, 4 * np.pi, 1000))
model.reset_state()
pred_list = []
with dezero.no_grad():
    for x in xs:
        x = np.array(x).reshape(1, 1)
        y = model(x)
        pred_list.append(float(y))  # of shape (1, 1): a Variable of one number is a number
assert np.mean((np.array(pred_list[100:-1]) - xs[101:]) ** 2) < 0.05
