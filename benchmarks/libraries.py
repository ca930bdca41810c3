"""The libraries that are measured, each behind the same methods, so that a program is written once.

A method prepares what stays the same from run to run and returns `run`, the part that is timed.
A program is called with the library, for functions such as `library.tanh`, and with its variables.
"""

import sys
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from benchmarks.networks import BETA2, EPS, UPDATES, Batches


class Missing(Exception):
    """What a library does not have."""


class Library:
    """What a library may offer; what a subclass does not define is missing."""

    name: str
    module: str

    def __init__(self):
        self.library = import_module(self.module)

    def version(self):
        try:
            return version(self.name.lower())
        except PackageNotFoundError:  # used from a checkout
            return "this checkout"

    def exp(self, x):
        raise Missing("no exp")

    def tanh(self, x):
        raise Missing("no tanh")

    def sin(self, x):
        raise Missing("no sin")

    def own_square(self, style):
        """The square as a function with a derivative that a reader has written."""
        raise Missing("no such way")

    def gradients(self, program, *starts):
        """`run()` gives the value of the program and its gradient for every start."""
        raise NotImplementedError

    def descend(self, program, rate, *starts):
        """`run()` takes one more step of gradient descent and gives the new positions."""
        raise NotImplementedError

    def derivative(self, program, start, order):
        """`run()` gives the derivative of that order."""
        if order > 1:
            raise Missing("order 1 only")
        run = self.gradients(program, start)
        return lambda: run()[1:]

    def derivative_by_backward(self, program, start, order):
        """The same by walks back that add to the gradient of `x`, which is cleared before."""
        raise Missing("order 1 only")

    def network_hessian_vector(self, task):
        """`run()` gives the Hessian matrix of the loss of a network, times a vector of ones."""
        raise Missing("order 1 only")

    def hessian_vector(self, program, starts, vector):
        """`run()` gives the Hessian matrix times the vector."""
        raise Missing("order 1 only")

    def graph_size(self, program, start, order):
        """The number of functions in the graph of that derivative."""
        self.derivative(program, start, order)
        raise Missing("does not show its graph")

    def network(self, task):
        """The network of a `networks.Task`, as two functions.

        `step(x, t)` trains it on a batch and gives the loss and the parameters, `scores(x)` asks
        it.
        """
        raise Missing("no optimizers")

    def convolutional(self, task):
        """The same for a `networks.ConvTask`, `step` alone."""
        raise Missing("no convolution")

    def batch_norm(self, x, gamma, beta, gy):
        """`run()` gives the batch norm of images in training, and the gradients for `gy`."""
        raise Missing("no batch norm")

    def gpt_block(self, x, gy, heads, weights):
        """`run()` gives what a block makes of `x`, and the gradients for `gy`."""
        raise Missing("no attention")

    def gpt_block_by_functions(self, x, gy, heads, weights):
        """The same; written with functions, if the library's layer is slower."""
        return self.gpt_block(x, gy, heads, weights)

    def generation(self, length, model, choice):
        """`run()` gives a text of so many ids, the first of them given."""
        raise Missing("no language model")

    def vgg16(self, weights):
        """`run(x)` gives the scores of images, from the weights of VGG16."""
        raise Missing("no convolution")

    def lstm(self, task, cells=False):
        """`run()` trains the network of a `sequences.Task` on its curve, once: whole windows at a
        time, or with `cells` step by step. It gives the losses and a weight."""
        raise Missing("no LSTM")

    def recurrent(self, task):
        """`step(xs, ts)` trains the network of a `sequences.Plain` on a window, step by step. It
        gives the loss and a weight."""
        raise Missing("no RNN")

    def batches(self, x, t, size, seed):
        """What gives whole batches of arrays in random order, epoch after epoch."""
        return Batches(x, t, size, seed)

    def batch(self, x, t):
        """A batch as the library likes it."""
        return x, t

    def loader(self, x, t, size, vectors=False):
        """What loads batches of arrays; with `vectors` of images as vectors from 0 to 1."""
        raise Missing("no loader")


def by_place(task, W):
    """The first matrix behind the images by channel and place, whatever its order in memory."""
    sides = task.channels[1], task.pooled, task.pooled
    return W.reshape(*sides, -1)


class DeZero(Library):
    name = "DeZero"
    module = "dezero"

    def __init__(self):
        self.library = import_module("dezero")
        functions = import_module("dezero.functions")
        self.exp, self.tanh, self.sin = functions.exp, functions.tanh, functions.sin

    def written(self, step):
        """A step as it is timed."""
        return step

    def own_square(self, style):
        class Square(self.library.Function):
            def forward(self, x):
                return x**2

        class InVariables(Square):
            def backward(self, gy):
                (x,) = self.inputs
                return 2 * x * gy

        class WithData(Square):
            def backward(self, gy):
                x = self.inputs[0].data
                return 2 * x * gy

        function = {"variables": InVariables, "data": WithData}[style]
        return lambda x: function()(x)

    def variables(self, starts):
        return [self.library.Variable(np.array(start)) for start in starts]

    def gradients(self, program, *starts):
        xs = self.variables(starts)

        def run():
            for x in xs:
                x.cleargrad()
            y = program(self, *xs)
            y.backward()
            return [y.data, *[x.grad.data for x in xs]]

        return self.written(run)

    def descend(self, program, rate, *starts):
        xs = self.variables(starts)

        def run():
            for x in xs:
                x.cleargrad()
            program(self, *xs).backward()
            for x in xs:
                x.data -= rate * x.grad.data
            return [x.data for x in xs]

        return self.written(run)

    def derivative(self, program, start, order):
        (x,) = self.variables([start])
        return self.written(lambda: [self.nth(program, x, order).data])

    def derivative_by_backward(self, program, start, order):
        (x,) = self.variables([start])

        def run():
            y = program(self, x)
            for n in range(1, order + 1):
                x.cleargrad()
                y.backward(create_graph=n < order)
                y = x.grad
            x.cleargrad()
            return [y.data]

        return run

    def network_hessian_vector(self, task):
        F = import_module("dezero.functions")
        x, t = task.examples
        weights = [self.library.Variable(weight) for weight in task.weights()]
        W0, b0, W1, b1 = weights

        def run():
            for weight in weights:
                weight.cleargrad()
            y = F.linear(F.tanh(F.linear(x, W0, b0)), W1, b1)
            F.softmax_cross_entropy(y, t).backward(create_graph=True)
            total = F.sum(W0.grad) + F.sum(W1.grad)
            for weight in weights:
                weight.cleargrad()
            total.backward()
            return [W0.grad.data, W1.grad.data]

        return run

    def nth(self, program, x, order, graph=False):
        y = program(self, x)
        for n in range(1, order + 1):
            y = self.library.grad(y, x, create_graph=graph or n < order)
        return y

    def hessian_vector(self, program, starts, vector):
        xs = self.variables(starts)
        grad = self.library.grad

        def run():
            slopes = grad(program(self, *xs), xs, create_graph=True)
            return [product.data for product in grad(dot(slopes, vector), xs)]

        return run

    def graph_size(self, program, start, order):
        (x,) = self.variables([start])
        return len(self.library.backprop.functions_behind(self.nth(program, x, order, graph=True)))

    def network(self, task):
        functions, models = import_module("dezero.functions"), import_module("dezero.models")
        activation = getattr(functions, task.activation)
        model = models.MLP(task.sizes[1:], activation=activation)
        model(np.zeros((1, task.sizes[0]), np.float32))  # now the sizes are known
        for parameter, weight in zip(model.params(), task.weights()):
            parameter.data = weight
        parameters = [parameter.data for parameter in model.params()]
        optimizers = import_module("dezero.optimizers")
        optimizer = getattr(optimizers, task.optimizer)(task.rate).setup(model)

        def step(x, t):
            loss = functions.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return [loss.data, *parameters]

        def scores(x):
            with self.library.no_grad():
                return model(x).data

        return self.written(step), scores

    def convolutional(self, task):
        F, optimizers = import_module("dezero.functions"), import_module("dezero.optimizers")

        class Network(import_module("dezero.models").Model):
            def __init__(self):
                super().__init__()
                for name, weight in zip(("W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"), weights):
                    setattr(self, name, Parameter(weight))

            def forward(self, x):
                h = F.relu(F.conv2d(x, self.W1, self.b1))
                h = F.relu(F.conv2d(h, self.W2, self.b2))
                h = F.flatten(F.pooling(h, 2, 2))
                return F.linear(F.relu(F.linear(h, self.W3, self.b3)), self.W4, self.b4)

        Parameter, weights = self.library.Parameter, list(task.weights())
        model = Network()
        optimizer = optimizers.SGD(task.rate).setup(model)
        shown = weights[:4] + [by_place(task, weights[4])] + weights[5:]

        def step(x, t):
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return loss.data

        step = self.written(step)
        return lambda x, t: [step(x, t), *shown]

    def batch_norm(self, x, gamma, beta, gy):
        F = import_module("dezero.functions")
        operands = [self.library.Variable(array) for array in (x, gamma, beta)]
        kept = np.zeros(len(gamma), np.float32), np.ones(len(gamma), np.float32)

        def run():
            y = F.batch_norm(*operands, *kept)
            return [y.data, *[gx.data for gx in self.library.grad(y, operands, gy)]]

        return run

    def gpt_block(self, x, gy, heads, weights):
        block = import_module("dezero.layers").TransformerBlock(x.shape[-1], heads)
        block(x)  # now the sizes are known
        for name, parameter in block.named_params():
            parameter.data = weights[name]
        parameters = dict(block.named_params())
        parameters = [parameters[name] for name in weights]

        def step(x, gy):
            x = self.library.Variable(x)
            y = block(x)
            return [y.data, *[gx.data for gx in self.library.grad(y, [x, *parameters], gy)]]

        return partial(self.written(step), x, gy)

    def generation(self, length, model, choice):
        np.random.seed(0)  # noqa: NPY002  # as DeZero's first weights
        model = import_module("dezero.models").GPT(max_length=length, **model)

        def run():
            np.random.seed(0)  # noqa: NPY002  # as DeZero draws
            return [model.generate(np.zeros((1, 1), int), length - 1, **choice)]

        return run

    def vgg16(self, weights):
        F = import_module("dezero.functions")

        def run(x):
            with self.library.no_grad():
                for W, b in weights:
                    if W is None:
                        x = F.pooling(x, 2, 2)
                    elif W.ndim == 4:
                        x = F.relu(F.conv2d(x, W, b, pad=1))
                    else:
                        x = F.linear(F.flatten(x), W, b)
                        x = x if W is weights[-1][0] else F.relu(x)
                return [x.data]

        return run

    def lstm(self, task, cells=False):
        functions, layers = import_module("dezero.functions"), import_module("dezero.layers")
        rnn, model = layers.LSTM(task.hidden, in_size=1), self.library.Model()
        model.rnn, model.out = rnn, layers.Linear(1, in_size=task.hidden)
        weights = task.weights()
        for name, parameter in model.named_params():
            parameter.data = weights[name.removeprefix("rnn/")]
        optimizer = import_module("dezero.optimizers").SGD(task.rate).setup(model)
        windows = list(task.windows())

        def loss_of(x, t):
            if cells:
                pairs = zip(x, t)
                return sum(functions.mean_squared_error(model.out(rnn(x)), t) for x, t in pairs)
            return functions.sum((model.out(rnn.sequence(x)) - t) ** 2) / task.batch

        def run():
            rnn.reset_state()
            losses = []
            for x, t in windows:
                loss = loss_of(x, t)
                model.cleargrads()
                loss.backward()
                loss.unchain_backward()
                optimizer.update()
                losses.append(loss.data)
            return [losses, rnn.h2f.W.data]

        return run

    def recurrent(self, task):
        F, layers = import_module("dezero.functions"), import_module("dezero.layers")
        model, weights = self.library.Model(), task.weights()
        model.rnn = layers.RNN(task.hidden, in_size=1)
        model.out = layers.Linear(1, in_size=task.hidden)
        for name, parameter in model.named_params():
            parameter.data = weights[name.removeprefix("rnn/")]
        optimizer = import_module("dezero.optimizers").SGD(task.rate).setup(model)

        def step(xs, ts):
            model.rnn.reset_state()
            loss = 0
            for x, t in zip(xs, ts):
                loss += F.mean_squared_error(model.out(model.rnn(x)), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return [loss.data, model.rnn.h2h.W.data]

        return self.written(step)

    def batches(self, x, t, size, seed):
        loaders, datasets = import_module("dezero.dataloaders"), import_module("dezero.datasets")
        return loaders.DataLoader(datasets.ArrayDataset(x, t), size, seed=seed, drop_last=True)

    def loader(self, x, t, size, vectors=False):
        loaders, datasets = import_module("dezero.dataloaders"), import_module("dezero.datasets")
        transform = datasets.UNIT_VECTOR if vectors else None
        return loaders.DataLoader(datasets.ArrayDataset(x, t, transform=transform), size)


class Compiled(DeZero):
    """The same, and each step is written out as a program of NumPy (chapter 76)."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def written(self, step):
        self.steps.append(import_module("dezero.compiled").compiled(step))
        return self.steps[-1]


#: the parameters of a block, and what they are called in torch's layer
THEIR_NAMES = {
    "attention/qkv/W": "self_attn.in_proj_weight",
    "attention/qkv/b": "self_attn.in_proj_bias",
    "attention/out/W": "self_attn.out_proj.weight",
    "attention/out/b": "self_attn.out_proj.bias",
    "wide/W": "linear1.weight",
    "wide/b": "linear1.bias",
    "narrow/W": "linear2.weight",
    "narrow/b": "linear2.bias",
    "norm1/gamma": "norm1.weight",
    "norm1/beta": "norm1.bias",
    "norm2/gamma": "norm2.weight",
    "norm2/beta": "norm2.bias",
}


class Torch(Library):
    name = module = "torch"

    def __init__(self):
        super().__init__()
        self.library.set_num_threads(1)
        self.exp, self.tanh, self.sin = self.library.exp, self.library.tanh, self.library.sin

    def variables(self, starts):
        arrays = [self.library.from_numpy(np.array(start)) for start in starts]
        return [x.requires_grad_() for x in arrays]

    def own_square(self, style):
        class Square(self.library.autograd.Function):
            @staticmethod
            def forward(context, x):
                context.save_for_backward(x)
                return x**2

            @staticmethod
            def backward(context, gy):
                (x,) = context.saved_tensors
                return 2 * x * gy

        return Square.apply

    def gradients(self, program, *starts):
        xs = self.variables(starts)

        def run():
            for x in xs:
                x.grad = None
            y = program(self, *xs)
            y.backward(None if y.ndim == 0 else self.library.ones_like(y))
            return [y.detach().numpy(), *[x.grad.numpy() for x in xs]]

        return run

    def descend(self, program, rate, *starts):
        xs = self.variables(starts)

        def run():
            for x in xs:
                x.grad = None
            program(self, *xs).backward()
            with self.library.no_grad():
                for x in xs:
                    x -= rate * x.grad
            return [x.detach().numpy() for x in xs]

        return run

    def derivative(self, program, start, order):
        (x,) = self.variables([start])
        return lambda: [self.nth(program, x, order).numpy()]

    def derivative_by_backward(self, program, start, order):
        (x,) = self.variables([start])

        def run():
            y = program(self, x)
            for n in range(1, order + 1):
                x.grad = None
                if n < order:
                    (x.grad,) = self.library.autograd.grad(y, x, create_graph=True)
                else:
                    y.backward()
                y = x.grad
            x.grad = None
            return [y.detach().numpy()]

        return run

    def network_hessian_vector(self, task):
        torch = self.library
        x, t = self.batch(*task.examples)
        weights = [torch.from_numpy(w.copy()).requires_grad_() for w in task.weights()]
        W0, b0, W1, b1 = weights

        def run():
            y = torch.tanh(x @ W0 + b0) @ W1 + b1
            loss = torch.nn.functional.cross_entropy(y, t)
            slopes = torch.autograd.grad(loss, weights, create_graph=True)
            total = slopes[0].sum() + slopes[2].sum()
            W0.grad = W1.grad = None
            return [g.numpy() for g in torch.autograd.grad(total, [W0, W1])]

        return run

    def nth(self, program, x, order, graph=False):
        y, grad = program(self, x), self.library.autograd.grad
        for n in range(1, order + 1):
            (y,) = grad(y, x, create_graph=graph or n < order)
        return y

    def hessian_vector(self, program, starts, vector):
        xs = self.variables(starts)
        grad = self.library.autograd.grad

        def run():
            slopes = grad(program(self, *xs), xs, create_graph=True)
            return [product.numpy() for product in grad(dot(slopes, vector), xs)]

        return run

    def graph_size(self, program, start, order):
        (x,) = self.variables([start])
        found = [self.nth(program, x, order, graph=True).grad_fn]
        seen = set(found)
        for node in found:
            for parent, _ in node.next_functions:
                if parent is not None and parent not in seen and parent.next_functions:
                    seen.add(parent)
                    found.append(parent)
        return len(found)

    def network(self, task):
        torch = self.library
        layers, weights = [], list(task.weights())
        activation = {"sigmoid": torch.nn.Sigmoid, "relu": torch.nn.ReLU}[task.activation]
        for W, b in zip(weights[::2], weights[1::2]):
            layer = torch.nn.Linear(*W.shape)
            layer.weight.data, layer.bias.data = torch.tensor(W.T.copy()), torch.tensor(b)
            layers += [layer, activation()]
        model = torch.nn.Sequential(*layers[:-1])
        parameters = [parameter.detach().numpy().T for parameter in model.parameters()]
        # torch divides by sqrt(v / (1 - 0.999 ** n)) + eps: in the first step this eps is ours.
        options = {"eps": EPS / (1 - BETA2) ** 0.5} if task.optimizer == "Adam" else {}
        kind = getattr(torch.optim, task.optimizer)
        optimizer = kind(model.parameters(), lr=task.rate, **options)
        cross_entropy = torch.nn.functional.cross_entropy

        def step(x, t):
            loss = cross_entropy(model(x), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return [loss.detach().numpy(), *parameters]

        def scores(x):
            with torch.no_grad():
                return model(torch.as_tensor(x)).numpy()

        return step, scores

    def convolutional(self, task):
        torch, nn = self.library, self.library.nn
        (c, o), (hidden, out) = task.channels, task.sizes
        model = nn.Sequential(
            *[nn.Conv2d(1, c, 3), nn.ReLU(), nn.Conv2d(c, o, 3), nn.ReLU(), nn.MaxPool2d(2)],
            *[nn.Flatten(), nn.Linear(o * task.pooled**2, hidden), nn.ReLU()],
            nn.Linear(hidden, out),
        )
        for parameter, weight in zip(model.parameters(), task.weights()):
            parameter.data = torch.tensor(weight.T.copy() if weight.ndim == 2 else weight)
        shown = [p.detach().numpy() for p in model.parameters()]
        shown = [p.T if p.ndim == 2 else p for p in shown]
        shown[4] = by_place(task, shown[4])
        optimizer = torch.optim.SGD(model.parameters(), lr=task.rate)

        def step(x, t):
            loss = nn.functional.cross_entropy(model(x), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return [loss.detach().numpy(), *shown]

        return step

    def batch_norm(self, x, gamma, beta, gy):
        torch = self.library
        x, gamma, beta, gy = map(torch.from_numpy, (x, gamma, beta, gy))
        operands = [array.requires_grad_() for array in (x, gamma, beta)]
        kept = torch.zeros(len(gamma)), torch.ones(len(gamma))

        def run():
            y = torch.nn.functional.batch_norm(x, *kept, gamma, beta, True, 0.1, 2e-5)
            slopes = torch.autograd.grad(y, operands, gy)
            return [y.detach().numpy(), *[gx.numpy() for gx in slopes]]

        return run

    def gpt_block(self, x, gy, heads, weights):
        torch, (_, t, e) = self.library, x.shape
        hidden = weights["wide/b"].size
        layer = torch.nn.TransformerEncoderLayer(
            e, heads, hidden, 0.0, "gelu", batch_first=True, norm_first=True
        )
        parameters = [layer.get_parameter(THEIR_NAMES[name]) for name in weights]
        with torch.no_grad():
            for parameter, w in zip(parameters, weights.values()):
                parameter.copy_(torch.from_numpy(w.T))  # (O, I) in torch
        x, gy = torch.from_numpy(x).requires_grad_(), torch.from_numpy(gy)
        past = torch.nn.Transformer.generate_square_subsequent_mask(t)

        def run():
            y = layer(x, src_mask=past, is_causal=True)
            slopes = [g.numpy().T for g in torch.autograd.grad(y, [x, *parameters], gy)]
            return [y.detach().numpy(), slopes[0].T, *slopes[1:]]

        return run

    def gpt_block_by_functions(self, x, gy, heads, weights):
        torch, f, (n, t, e) = self.library, self.library.nn.functional, x.shape
        turned = [w.ndim == 2 for w in weights.values()]
        stored = [w.T.copy() if w.ndim == 2 else w for w in weights.values()]  # (O, I) in torch
        x, gy, *stored = [torch.tensor(array) for array in (x, gy, *stored)]
        operands = [array.requires_grad_() for array in (x, *stored)]
        weights = dict(zip(weights, stored))

        def linear(name, x):
            return f.linear(x, weights[f"{name}/W"], weights[f"{name}/b"])

        def norm(name, x):
            return f.layer_norm(x, (e,), weights[f"{name}/gamma"], weights[f"{name}/beta"])

        def attention(x):
            parts = linear("attention/qkv", x).split(e, dim=-1)
            q, k, v = [part.view(n, t, heads, e // heads).transpose(1, 2) for part in parts]
            y = f.scaled_dot_product_attention(q, k, v, is_causal=True)
            return linear("attention/out", y.transpose(1, 2).reshape(n, t, e))

        def run():
            h = x + attention(norm("norm1", x))
            y = h + linear("narrow", f.gelu(linear("wide", norm("norm2", h))))
            gx, *slopes = [g.numpy() for g in torch.autograd.grad(y, operands, gy)]
            slopes = [g.T if turn else g for g, turn in zip(slopes, turned)]
            return [y.detach().numpy(), gx, *slopes]

        return run

    def vgg16(self, weights):
        torch, f = self.library, self.library.nn.functional
        share = torch.from_numpy
        layers = [
            (None if W is None else share(W), None if W is None else share(b)) for W, b in weights
        ]

        def run(x):
            with torch.no_grad():
                x = share(x)
                for i, (W, b) in enumerate(layers):
                    if W is None:
                        x = f.max_pool2d(x, 2)
                    elif W.ndim == 4:
                        x = f.relu(f.conv2d(x, W, b, padding=1))
                    else:
                        x = f.linear(x.flatten(1), W.T, b)
                        x = x if i == len(layers) - 1 else f.relu(x)
                return [x.numpy()]

        return run

    def lstm(self, task, cells=False):
        torch, nn, weights = self.library, self.library.nn, task.weights()
        rnn = nn.LSTMCell(1, task.hidden) if cells else nn.LSTM(1, task.hidden)
        out, parts = nn.Linear(task.hidden, 1), list(rnn.parameters())
        for parameter, name in zip(parts, ("x2{}/W", "h2{}/W", "x2{}/b")):
            gates = [weights[name.format(gate)].T for gate in "ifuo"]  # torch's order
            parameter.data = torch.from_numpy(np.concatenate(gates))
        parts[3].data.zero_()
        parts[3].requires_grad_(False)  # a second bias, which DeZero has not
        out.weight.data = torch.from_numpy(weights["out/W"].T.copy())
        out.bias.data = torch.from_numpy(weights["out/b"])
        trained = [*parts[:3], *out.parameters()]
        optimizer = torch.optim.SGD(trained, lr=task.rate)
        windows = [self.batch(x, t) for x, t in task.windows()]

        def loss_of(x, t, state):
            if not cells:
                y, state = rnn(x, state)
                return ((out(y) - t) ** 2).sum() / task.batch, state
            loss = 0
            for each, target in zip(x, t):
                state = rnn(each, state)
                loss = loss + nn.functional.mse_loss(out(state[0]), target)
            return loss, state

        def run():
            state, losses = None, []
            for x, t in windows:
                loss, state = loss_of(x, t, state)
                optimizer.zero_grad()
                loss.backward()
                state = tuple(part.detach() for part in state)
                optimizer.step()
                losses.append(loss.detach().numpy())
            forget = parts[1].detach().numpy()[task.hidden : 2 * task.hidden]
            return [losses, forget.T]

        return run

    def recurrent(self, task):
        torch, nn, weights = self.library, self.library.nn, task.weights()
        rnn, out = nn.RNNCell(1, task.hidden), nn.Linear(task.hidden, 1)
        parts = [rnn.weight_ih, rnn.bias_ih, rnn.weight_hh, out.weight, out.bias]
        for parameter, weight in zip(parts, weights.values()):
            parameter.data = torch.from_numpy(weight.T.copy())
        rnn.bias_hh.data.zero_()
        rnn.bias_hh.requires_grad_(False)  # a second bias, which DeZero has not
        optimizer = torch.optim.SGD(parts, lr=task.rate)

        def step(xs, ts):
            h, loss = torch.zeros(task.batch, task.hidden), 0
            for x, t in zip(xs, ts):
                h = rnn(x, h)
                loss = loss + nn.functional.mse_loss(out(h), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return [loss.detach().numpy(), rnn.weight_hh.detach().numpy().T]

        return step

    def batches(self, x, t, size, seed):
        return Batches(*self.batch(x, t), size, seed, self.library.from_numpy)

    def batch(self, x, t):
        return self.library.from_numpy(x), self.library.from_numpy(t)

    def loader(self, x, t, size, vectors=False):
        data = self.library.utils.data
        x, t = self.batch(x, t)

        class Vectors(data.Dataset):
            def __len__(self):
                return len(x)

            def __getitem__(self, i):
                return x[i].reshape(-1).float() / 255, t[i]

        dataset = Vectors() if vectors else data.TensorDataset(x, t)
        return data.DataLoader(dataset, size, shuffle=True, num_workers=0)


class Autograd(Library):
    name = module = "autograd"

    def __init__(self):
        super().__init__()
        numpy = import_module("autograd.numpy")
        self.exp, self.tanh, self.sin = numpy.exp, numpy.tanh, numpy.sin

    def own_square(self, style):
        extend = import_module("autograd.extend")
        square = extend.primitive(lambda x: x**2)
        extend.defvjp(square, lambda y, x: lambda gy: 2 * x * gy)
        return square

    def gradients(self, program, *starts):
        which = tuple(range(len(starts))) if len(starts) > 1 else 0
        if np.ndim(starts[0]):
            return lambda: self.from_ones(program, *starts)
        both = self.library.value_and_grad(self.alone(program), which)

        def run():
            value, slopes = both(*starts)
            return [value, *(slopes if len(starts) > 1 else [slopes])]

        return run

    def alone(self, program):
        """The program as a function of its variables, as autograd likes it."""
        return lambda *xs: program(self, *xs)

    def from_ones(self, program, start):
        """The walk back from an array of ones."""
        walk, value = self.library.make_vjp(self.alone(program), 0)(start)
        return [value, walk(np.ones_like(value))]

    def descend(self, program, rate, *starts):
        slopes = self.library.grad(self.alone(program), tuple(range(len(starts))))
        xs = list(starts)

        def run():
            xs[:] = [x - rate * slope for x, slope in zip(xs, slopes(*xs))]
            return list(xs)

        return run

    def derivative(self, program, start, order):
        function = self.alone(program)
        for _ in range(order):
            function = self.library.grad(function)
        return lambda: [function(start)]

    def hessian_vector(self, program, starts, vector):
        grad, which = self.library.grad, tuple(range(len(starts)))
        slopes = grad(self.alone(program), which)
        products = grad(lambda *xs: dot(slopes(*xs), vector), which)
        return lambda: list(products(*starts))

    def network(self, task):
        numpy = import_module("autograd.numpy")
        parameters = list(task.weights())
        updates = [UPDATES[task.optimizer](task.rate, p.reshape(-1)) for p in parameters]

        def scores(x, parameters=parameters):
            *hidden, last = zip(parameters[::2], parameters[1::2])
            for W, b in hidden:
                x = x @ W + b
                x = numpy.maximum(x, 0) if task.activation == "relu" else 1 / (1 + numpy.exp(-x))
            return x @ last[0] + last[1]

        def loss(parameters, x, t):
            y = scores(x, parameters)
            y = y - numpy.max(y, 1, keepdims=True)
            logs = y - numpy.log(numpy.sum(numpy.exp(y), 1, keepdims=True))
            return -numpy.mean(logs[np.arange(len(t)), t])

        both = self.library.value_and_grad(loss)

        def step(x, t):
            value, slopes = both(parameters, x, t)
            for update, slope in zip(updates, slopes):
                update(slope.reshape(-1))
            return [value, *parameters]

        return step, scores


class MyGrad(Library):
    name = "MyGrad"
    module = "mygrad"

    def __init__(self):
        super().__init__()
        self.exp, self.tanh = self.library.exp, self.library.tanh

    def variables(self, starts):
        return [self.library.tensor(start, dtype=float) for start in starts]

    def gradients(self, program, *starts):
        xs = self.variables(starts)

        def run():
            y = program(self, *xs)
            y.backward()
            return [y.data, *[x.grad for x in xs]]

        return run

    def descend(self, program, rate, *starts):
        xs = self.variables(starts)

        def run():
            program(self, *xs).backward()
            for x in xs:
                x.data[...] -= rate * x.grad
            return [x.data for x in xs]

        return run


class Micrograd(Library):
    """On Python's own floats. Its walk is recursive, which Python stops at a depth of 1,000."""

    name = "micrograd"
    module = "micrograd.engine"
    depth = 10_000

    def __init__(self):
        super().__init__()
        sys.setrecursionlimit(max(self.depth, sys.getrecursionlimit()))

    def variables(self, starts):
        if np.ndim(starts[0]):
            raise Missing("numbers only")
        return [self.library.Value(start) for start in starts]

    def gradients(self, program, *starts):
        xs = self.variables(starts)

        def run():
            for x in xs:
                x.grad = 0
            y = program(self, *xs)
            y.backward()
            return [y.data, *[x.grad for x in xs]]

        return run

    def descend(self, program, rate, *starts):
        xs = self.variables(starts)

        def run():
            for x in xs:
                x.grad = 0
            program(self, *xs).backward()
            for x in xs:
                x.data -= rate * x.grad
            return [x.data for x in xs]

        return run


ALL = [DeZero, Torch, Autograd, Micrograd, MyGrad]


def dot(slopes, vector):
    """The sum of the products."""
    return sum([slope * v for slope, v in zip(slopes[1:], vector[1:])], slopes[0] * vector[0])


def available():
    """DeZero and the peers that can be imported, and the names of those that cannot."""
    found, absent = [DeZero()], []
    for kind in ALL[1:]:
        try:
            found.append(kind())
        except ImportError:
            absent.append(kind.name)
    return found, absent
