"""Programs of several ranks for test_distributed.py: `mpiexec -n 2 python -m mpi4py ranks.py mean`.

Each checks on every rank what it promises; a failing assert ends all ranks.
"""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import dezero.functions as F
import dezero.layers as L
import dezero.optimizers as O
from dezero import Parameter, Variable, test_mode
from dezero.callbacks import Checkpoint, Progress
from dezero.dataloaders import DataLoader, SeqDataLoader
from dezero.datasets import ArrayDataset
from dezero.distributed import (
    MultiNodeBatchNorm,
    broadcast_params,
    create_communicator,
    create_multi_node_evaluator,
    create_multi_node_optimizer,
    scatter_batches,
    scatter_dataset,
)
from dezero.models import MLP, Sequential
from dezero.training import Trainer
from dezero.transforms import RandomTransform

SECONDS = 60  # no run of these takes longer; most take less than one
OTHERS = ("PMI_", "PMIX_", "HYD", "MPI_", "OMPI_")


# --- how they are started -------------------------------------------------------------------------


def run(size, *words, runner=("-m", "mpi4py"), seconds=SECONDS, meanwhile=None):
    """What `size` ranks say: status, output, errors. All of them are ended if it takes too long."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(OTHERS)}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    launch = [str(mpiexec), "-n", str(size)] if size > 1 else []
    command = [*launch, sys.executable, *runner, __file__, *map(str, words)]
    streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE) | {"stdin": subprocess.DEVNULL}
    with subprocess.Popen(
        command, env=environment, start_new_session=True, text=True, **streams
    ) as process:
        try:
            if meanwhile:
                meanwhile(process)
            out, err = process.communicate(timeout=seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, out, err


# --- what they compute with -----------------------------------------------------------------------


def examples(n, dtype=np.float64, seed=0):
    rng = np.random.RandomState(seed)
    return rng.randn(n, 3).astype(dtype), rng.randn(n, 2).astype(dtype)


class Net(L.Layer):
    """Of three parts: one is always used, one by some ranks only, one by none."""

    def __init__(self, dtype=np.float64):
        self.always = L.Linear(2, in_size=3, dtype=dtype)
        self.sometimes = Parameter(np.full(2, 0.5, dtype))
        self.never = Parameter(np.ones(2, dtype))

    def forward(self, x, all_of_it=True):
        y = self.always(x)
        return y + self.sometimes if all_of_it else y


def near(found, wanted, dtype=np.float64):
    tolerance = {2: 2e-2, 4: 1e-5, 8: 1e-12}[np.dtype(dtype).itemsize]
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def weights(model):
    return [param.data for param in model.params()]


def same_everywhere(comm, arrays):
    """To the last bit, on all ranks."""
    for array in arrays:
        everywhere = comm.allgather(array)
        assert all([np.array_equal(each, everywhere[0]) for each in everywhere])


def part_of(comm, x):
    """Uneven parts: the first rank has most of the rows."""
    cuts = [len(x) // 2 + i for i in range(comm.size - 1)]
    return np.split(x, cuts)[comm.rank]


# --- gradients ------------------------------------------------------------------------------------


def mean(comm):
    """The mean gradient is that of the whole batch, for uneven parts and all dtypes."""
    for dtype in (np.float16, np.float32, np.float64):
        x, t = examples(11, dtype)
        np.random.seed(comm.rank)
        model = Net(dtype)
        optimizer = create_multi_node_optimizer(O.SGD(0.25), comm).setup(model)
        same_everywhere(comm, weights(model))
        before = [w.copy() for w in weights(model)]
        mine = part_of(comm, x), part_of(comm, t)
        y = model(mine[0], all_of_it=comm.rank == 0)
        F.mean_squared_error(y, mine[1]).backward()
        optimizer.update(len(mine[0]))
        found = [None if p.grad is None else p.grad.data for p in model.params()]

        whole = Net(dtype)
        for param, w in zip(whole.params(), before):
            param.data = w
        first = len(part_of(comm, x)) if comm.rank == 0 else len(x) // 2
        y = F.concat([whole(x[:first]), whole(x[first:], all_of_it=False)], axis=0)
        F.mean_squared_error(y, t).backward()
        for param, grad, w, new in zip(whole.params(), found, before, weights(model)):
            assert (grad is None) == (param.grad is None)
            if grad is not None:
                near(grad, param.grad.data, dtype)
                near(new, w - dtype(0.25) * param.grad.data, dtype)
        same_everywhere(comm, weights(model))


def mixed(comm):
    """Parameters of several dtypes and shapes, of memory in any order, and one without numbers."""

    class Mixed(L.Layer):
        def __init__(self):
            self.a = Parameter(np.asfortranarray(np.ones((2, 3), np.float32)))
            self.b = Parameter(np.ones((), np.float64))
            self.c = Parameter(np.ones((4, 2), np.float16).T)
            self.d = Parameter(np.ones((0, 5), np.float32))
            self.e = self.a  # a second name

    model = Mixed()
    model.b.data[...] = comm.rank
    optimizer = create_multi_node_optimizer(O.SGD(1.0), comm)
    optimizer.setup(model)
    assert model.b.data == 0
    for param in model.params():
        param.grad = Variable(np.full(param.shape, comm.rank, param.dtype))
    optimizer.update()
    middle = (comm.size - 1) / 2
    assert all([(param.grad.data == middle).all() for param in model.params()])
    assert (model.a.data == 1 - middle).all() and model.b.data == -middle
    optimizer.update(examples=1 if comm.rank == 1 else 0)  # a mean of means: rank 1 alone counts
    assert (model.a.data == 1 - 2 * middle).all()


def ways(comm):
    """Every optimizer, with hooks: as on one rank with the whole batch."""
    x, t = examples(8 * comm.size + 3)
    kinds = [O.SGD, O.MomentumSGD, O.AdaGrad, O.RMSprop, O.AdaDelta, O.Adam, O.AdamW]
    for kind in kinds:
        for maximize in (False, True) if kind is O.Adam else (False,):
            models = []
            for many in (True, False):
                np.random.seed(3)
                model = Net()
                optimizer = kind(maximize=maximize)
                for hook in (O.WeightDecay(0.1), O.ClipGrad(0.05), O.FreezeParam(model.never)):
                    optimizer.add_hook(hook)
                if many:
                    optimizer = create_multi_node_optimizer(optimizer, comm)
                optimizer.setup(model)
                for _ in range(3):
                    model.cleargrads()
                    xs, ts = (part_of(comm, x), part_of(comm, t)) if many else (x, t)
                    F.mean_squared_error(model(xs), ts).backward()
                    optimizer.update(len(xs)) if many else optimizer.update()
                models.append(model)
            for one, two in zip(*map(weights, models)):
                np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-11)
            assert optimizer.updates == 3


def lazy(comm):
    """What the first call makes is that of rank 0, seeds alike or not."""
    for alike in (True, False):
        np.random.seed(0 if alike else comm.rank)
        model = MLP((4, 2))
        optimizer = create_multi_node_optimizer(O.SGD(0.1), comm).setup(model)
        x, t = examples(4, np.float32)
        losses = []
        for _ in range(3):
            loss = F.mean_squared_error(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(float(loss))
            same_everywhere(comm, weights(model))
        assert losses[2] < losses[1]
        assert optimizer.updates == (3 if alike else 2)
    model = MLP((4, 2))
    if comm.rank == comm.size - 1:  # the others get them from here
        model(x)
    broadcast_params(model, comm)
    same_everywhere(comm, weights(model))


def frozen(comm):
    """A hook that freezes, a parameter shared by two layers, a broadcast into a read-only array."""
    model = L.Layer()
    model.one, model.two = L.Linear(3, in_size=3), L.Linear(3, in_size=3)
    model.two.W = model.one.W
    array = np.full(3, comm.rank, np.float32)
    array.flags.writeable = False
    model.one.b.data = array
    optimizer = create_multi_node_optimizer(O.Adam(), comm).setup(model)
    optimizer.add_hook(O.FreezeParam(model.one.b))
    F.sum(model.two(model.one(np.ones((2, 3), np.float32)))).backward()
    before = model.two.b.data.copy()
    optimizer.update()
    assert not model.one.b.data.any() and not (model.two.b.data == before).any()
    same_everywhere(comm, weights(model))


# --- data -----------------------------------------------------------------------------------------


def data(comm):
    """Shards are equally long and cover everything; shared batches are a cut of the whole batch."""
    xs, ts = np.arange(11) * 1.0, np.arange(11)
    for dataset in (ArrayDataset(xs, ts), [*zip(xs, ts)]):
        shard = scatter_dataset(dataset, comm)
        assert [int(t) for _, t in shard][0] == comm.rank
        assert len(shard) == -(-11 // comm.size)
        assert set(comm.allgather([int(t) for _, t in shard]).ravel()) == set(range(11))
        x, t = next(iter(DataLoader(shard, 2, shuffle=False)))
        assert t.tolist() == [comm.rank, comm.rank + comm.size] and (x == t).all()
    given = ArrayDataset(xs, ts) if comm.rank == 0 else None
    orders = []
    for seed in (1, 1, 2, None):
        np.random.seed(comm.rank)
        shard = scatter_dataset(given, comm, shuffle=True, seed=seed)
        numbers = comm.allgather([int(shard[i][1]) for i in range(len(shard))])
        assert set(numbers.ravel()) == set(range(11))
        orders.append(numbers.tolist())
    assert orders[0] == orders[1] != orders[2] and shard[1:][1].shape == (len(shard) - 1,)

    for loader in (DataLoader(ArrayDataset(xs, ts), 7, seed=3), SeqDataLoader(ts, 5)):
        shared = scatter_batches(loader, comm)
        assert len(shared) == len(loader)
        for _ in range(2):
            for batch, part in zip(loader, shared, strict=True):
                fields = zip(batch, part) if isinstance(batch, tuple) else [(batch, part)]
                for whole, mine in fields:
                    assert mine.tolist() == whole[comm.rank :: comm.size].tolist()


def evaluation(comm):
    """Means over the ranks, weighted by examples."""

    def measure(x, offset=0):
        return {"loss": x + offset, "accuracy": 1}

    evaluate = create_multi_node_evaluator(measure, comm)
    count = comm.rank + 1
    total = sum(range(1, comm.size + 1))
    wanted = sum([rank * (rank + 1) for rank in range(comm.size)]) / total
    assert evaluate(comm.rank, examples=count) == {"loss": wanted, "accuracy": 1.0}
    number = create_multi_node_evaluator(lambda: comm.rank, comm)()
    assert number == (comm.size - 1) / 2


# --- batch norm -----------------------------------------------------------------------------------


def norm(comm):
    """`MultiNodeBatchNorm` on uneven parts is `BatchNorm` on the whole batch."""
    for shape in ((9, 3), (9, 3, 4), (9, 3, 2, 3)):
        for dtype in (np.float32, np.float64):
            rng = np.random.RandomState(1)
            x, g = [rng.randn(*shape).astype(dtype) + 1 for _ in range(2)]
            one, many = L.BatchNorm(dtype=dtype), MultiNodeBatchNorm(comm, dtype=dtype)
            whole, part = Variable(x), Variable(part_of(comm, x))
            share = len(part) / len(x)
            y = one(whole)
            near(many(part).data, part_of(comm, y.data), dtype)
            F.sum(y * g).backward()
            # the loss of a rank is the mean over its own examples
            (F.sum(many(part) * part_of(comm, g)) * (1 / share)).backward()
            near(part.grad.data * dtype(share), part_of(comm, whole.grad.data), dtype)
            for name in ("gamma", "beta"):
                found = comm.allreduce(getattr(many, name).grad.data * dtype(share))
                near(found, getattr(one, name).grad.data, dtype)
            one(whole)
            near(many.avg_mean.data, one.avg_mean.data, dtype)
            near(many.avg_var.data, one.avg_var.data, dtype)
            with test_mode():
                near(many(part).data, part_of(comm, one(whole).data), dtype)
                F.sum(many(part) ** 2).backward(create_graph=True)
    x = np.random.RandomState(2).randn(9, 3).astype(np.float16)
    one, many = L.BatchNorm(), MultiNodeBatchNorm(comm)
    near(many(part_of(comm, x)).data, part_of(comm, one(x).data), np.float16)
    part = Variable(x if comm.rank == 0 else x[:0])  # somebody has nothing
    y = MultiNodeBatchNorm(comm)(part)
    if comm.rank == 0:
        near(y.data, one(x).data, np.float16)
    F.sum(y).backward()
    assert part.grad.shape == part.shape and np.isfinite(part.grad.data).all()
    try:
        F.sum(many(part) ** 2).backward(create_graph=True)
    except NotImplementedError as error:
        assert "no second derivative" in str(error)
    else:
        raise AssertionError("a second derivative")


# --- training -------------------------------------------------------------------------------------


def classified(n=53, seed=0):
    rng = np.random.RandomState(seed)
    x = rng.randn(n, 6).astype(np.float32)
    return ArrayDataset(x, (x[:, 0] * x[:, 1] > 0).astype(int))


def make_trainer(comm, *callbacks, norm=False, dropout=0.0, **options):
    np.random.seed(0 if dropout == 0.0 else comm.rank)
    parts = [L.Linear(8, nobias=norm), *[MultiNodeBatchNorm(comm)] * norm, F.tanh]
    parts += [L.Dropout(dropout)] * (dropout > 0) + [L.Linear(2)]
    loss = F.softmax_cross_entropy
    model, optimizer = Sequential(*parts), O.Adam(0.01)
    return Trainer(model, optimizer, loss, F.accuracy, callbacks, comm=comm, **options)


class Noise(RandomTransform):
    """Each rank draws for its own examples, in the last batch not equally many."""

    def __call__(self, x):
        return x + np.float32(self.draw() * 0.1)


def loaders(comm, noise=False):
    data = classified()
    if noise:
        data = ArrayDataset(*data.arrays, transform=Noise(seed=2))
    train = DataLoader(data, 16, seed=5)
    return scatter_batches(train, comm), scatter_batches(DataLoader(classified(30, 1), 10), comm)


def keep(comm, trainer, path):
    """What a run has come to; it is the same on all ranks."""
    model = weights(trainer.model)
    same_everywhere(comm, model)
    columns = trainer.history.columns
    same_everywhere(comm, [np.array(columns[name]) for name in sorted(columns)])
    if comm.rank == 0:
        arrays = {f"w{i}": w for i, w in enumerate(model)}
        np.savez(path, **arrays, **{name: np.array(x) for name, x in columns.items()})


def train(comm, path, norm):
    """Losses, metrics and weights do not depend on how many ranks there are."""
    np.random.seed(comm.rank)  # the validation loader has no seed and does not shuffle
    trainer = make_trainer(comm, norm=norm == "norm")
    fit, valid = loaders(comm)
    valid.shuffle = False
    valid.reset()
    trainer.fit(fit, valid, 3)
    keep(comm, trainer, path)


def resume(comm, path, checkpoint, epochs, dropout="0"):
    """Train up to so many epochs, from a checkpoint if there is one."""
    callbacks = [Checkpoint(checkpoint), Progress(bar=False)]
    trainer = make_trainer(comm, *callbacks, dropout=float(dropout))
    fit, _ = loaders(comm, noise=dropout != "0")
    trainer.fit(fit, epochs=int(epochs), resume=checkpoint)
    keep(comm, trainer, path)


def middle(comm, path, checkpoint, stop):
    """The last rank alone wants to stop in the middle of an epoch; another run goes on there."""

    def stopping(trainer):
        if comm.rank == comm.size - 1 and trainer.epoch == 1:
            if stop == "stop" and trainer.batch == 2:
                trainer.stop("enough")

    class Stopping:
        after_batch = staticmethod(stopping)

    trainer = make_trainer(comm, Stopping(), Checkpoint(checkpoint), verbose=False)
    fit, _ = loaders(comm)
    trainer.fit(fit, epochs=3, resume=checkpoint)
    if stop == "stop":
        assert trainer.stopped == "enough" and (trainer.epoch, trainer.batch) == (1, 2)
    keep(comm, trainer, path)


def interrupted(comm, started, checkpoint):
    """Ctrl-C comes when the first epoch is over."""

    def slowly(trainer):
        Path(started).touch()
        time.sleep(0.01)

    trainer = make_trainer(comm, slowly, Checkpoint(checkpoint), Progress(bar=False))
    trainer.fit(loaders(comm)[0], epochs=2000)
    assert trainer.stopped == "Ctrl-C"
    same_everywhere(comm, [np.array([trainer.epoch, trainer.batch]), *weights(trainer.model)])


def running(comm):
    """Running statistics of an ordinary BatchNorm become their mean after an epoch."""
    np.random.seed(0)
    model = Sequential(L.BatchNorm(), L.Linear(2))
    trainer = Trainer(model, O.SGD(0.1), F.softmax_cross_entropy, comm=comm, verbose=False)
    trainer.fit(loaders(comm)[0], epochs=1)
    same_everywhere(comm, weights(model))


# --- ranks that fail, or disagree -----------------------------------------------------------------


def fail(comm, how):
    """The last rank fails in the second step; without care the others would wait for it forever."""
    model = Net()
    optimizer = create_multi_node_optimizer(O.SGD(0.1), comm).setup(model)
    x, t = examples(4)
    for i in range(3):
        if i == 1 and comm.rank == comm.size - 1:
            if how == "raise":
                raise ValueError("this rank is unhappy")
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "exit":
                sys.exit(3)
            if how == "leave":
                return
        F.mean_squared_error(model(x), t).backward()
        optimizer.update()


def nan(comm):
    """The loss of one rank is not a number."""
    trainer = make_trainer(comm, verbose=False)
    x, t = classified(8).arrays
    trainer.fit([(x * (np.nan if comm.rank else 1), t)])


def differ(comm, how):
    """One rank does something else than the others."""
    last = comm.rank == comm.size - 1
    x, t = examples(4)
    model = Net()
    if how == "shape" and last:
        model.never = Parameter(np.ones(5))
    if how == "dtype" and last:
        model.never = Parameter(np.ones(2, np.float32))
    if how == "number" and last:
        model.more = Parameter(np.ones(2))
    if how == "orders":
        loader = scatter_batches(DataLoader(np.arange(20), 5, seed=comm.rank), comm)
        return next(iter(loader))
    optimizer = create_multi_node_optimizer(O.SGD(0.1), comm).setup(model)
    F.mean_squared_error(model(x), t).backward()
    if how == "sum" and last:
        comm.allreduce(np.ones(3))
    if how == "sizes":
        comm.allreduce(np.ones(3 + last))
    if how == "none":
        optimizer.update(examples=0)
    if how == "grad" and last:
        model.always.W.grad = Variable(np.ones((2, 2)))
    optimizer.update()
    if how == "weights":
        model.never.data += last
        comm.even_out(model)
    if how == "batches":
        trainer = make_trainer(comm, verbose=False)
        x, t = classified(8).arrays
        trainer.fit([(x, t)] * (2 if last else 1))
    if how == "seeds":
        trainer = make_trainer(comm, verbose=False)
        trainer.fit(DataLoader(classified(), 16, seed=comm.rank))
        trainer.state()
    if how == "root":
        comm.from_root(open, "/no/such/file")


def split(comm):
    """Groups of ranks that train models of their own, and all of them together beside."""
    from mpi4py import MPI

    world = create_communicator()
    pair = create_communicator(MPI.COMM_WORLD.Split(comm.rank // 2))
    assert (pair.rank, pair.size) == (comm.rank % 2, 2)
    alone = create_communicator(MPI.COMM_WORLD.Split(comm.rank))
    assert (alone.rank, alone.size) == (0, 1) and alone.allreduce(3) == 3
    assert pair.allreduce(comm.rank) == 4 * (comm.rank // 2) + 1
    assert world.allreduce(1) == comm.size
    model = L.Linear(2, in_size=3)
    create_multi_node_optimizer(O.SGD(), pair).setup(model)
    same_everywhere(pair, weights(model))


def caught(comm):
    """An error on rank 0 that all ranks catch is no reason to end."""

    def missing():
        raise FileNotFoundError("no such file")

    for _ in range(2):
        try:
            comm.from_root(missing)
        except FileNotFoundError as error:
            assert str(error) == "no such file"
        else:
            raise AssertionError("no error")
    assert comm.from_root(lambda: 5) == 5
    assert comm.first("word" if comm.rank == 1 else None) == "word"
    assert comm.first(None) is None
    assert comm.allreduce(comm.rank) == sum(range(comm.size))
    assert comm.allgather(2.5 * comm.rank).tolist() == [2.5 * rank for rank in range(comm.size)]
    assert copy.deepcopy(MultiNodeBatchNorm(comm)).comm is comm
    assert repr(comm) == f"<Communicator: rank {comm.rank} of {comm.size}>"


if __name__ == "__main__":
    name, *words = sys.argv[1:]
    communicator = create_communicator()
    for each in name.split(","):
        globals()[each](communicator, *words)
    if communicator.rank == 0:
        print("done", communicator.size)
