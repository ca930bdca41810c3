"""Several ranks train one model: what they compute, and how they end. The programs are in ranks.py.

All runs are bounded in time, and share this machine: shared memory, no network.
"""

import copy
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranks import keep, loaders, make_trainer, run
from registry import tried
from stand_in import cupy as cupy
from stand_in import ndarray

import dezero.functions as F
import dezero.layers as L
from dezero.core import Parameter, Variable, to_module
from dezero.dataloaders import DataLoader
from dezero.distributed import (
    Communicator,
    MultiNodeBatchNorm,
    create_communicator,
    create_multi_node_evaluator,
    create_multi_node_optimizer,
    pooled,
    scatter_batches,
    scatter_dataset,
)
from dezero.models import MLP, Sequential
from dezero.optimizers import SGD, Adam
from dezero.training import Trainer

RANKS = (2, 4)


def good(size, *words, **options):
    """The output of a run that must end well."""
    status, out, err = run(size, *words, **options)
    assert (status, err) == (0, ""), err
    *told, last = out.splitlines()
    assert last == f"done {size}"
    return told


def bad(size, *words, **options):
    """The errors of a run that must end, and not well."""
    status, out, err = run(size, *words, **options)
    assert status != 0 and "done" not in out
    return err


# --- what they compute ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", RANKS)
def test_gradients_data_and_norms_are_those_of_the_whole_batch(size):
    good(size, "mean,mixed,ways,lazy,frozen,data,evaluation,norm,running,caught")


def test_groups_of_ranks():
    good(4, "split")


@pytest.mark.parametrize("norm", ["plain", "norm"])
def test_the_curve_does_not_depend_on_the_number_of_ranks(norm, tmp_path):
    told = {size: good(size, "train", tmp_path / f"{size}.npz", norm) for size in (1, *RANKS)}
    for lines in told.values():
        assert [line[:9] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    one, *many = [np.load(tmp_path / f"{size}.npz") for size in (1, *RANKS)]
    for other in many:
        assert set(other) == set(one)
        for name in one:
            np.testing.assert_allclose(other[name], one[name], rtol=2e-4, atol=2e-5)
    assert one["loss"][-1] < one["loss"][0]


def arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file}


def same(one, two):
    assert set(one) == set(two)
    return all([np.array_equal(one[name], two[name], equal_nan=True) for name in one])


def test_a_run_goes_on_to_the_last_bit_on_as_many_ranks(tmp_path):
    whole, part, save = tmp_path / "whole.npz", tmp_path / "part.npz", tmp_path / "save.npz"
    good(2, "resume", whole, tmp_path / "other.npz", 3, 0.3)
    good(2, "resume", part, save, 2, 0.3)
    told = good(2, "resume", part, save, 3, 0.3)
    assert told[0] == "going on after epoch 2" and len(told) == 2
    assert same(arrays(whole), arrays(part))
    assert same(arrays(tmp_path / "other.npz"), arrays(save))


def test_a_run_of_four_goes_on_on_two_and_on_one(tmp_path):
    whole, save = tmp_path / "whole.npz", tmp_path / "save.npz"
    good(4, "resume", whole, save, 2)
    before, state = arrays(whole), arrays(save)
    for size in (1, 2):
        here = tmp_path / f"{size}.npz"
        copy = tmp_path / f"save{size}.npz"
        copy.write_bytes(save.read_bytes())
        good(size, "resume", here, copy, 2)  # nothing is left to do
        assert same(arrays(here), before)
        good(size, "resume", here, copy, 3)
        assert np.array_equal(arrays(here)["loss"][:2], before["loss"])
        after = arrays(copy)
        assert same({"a": state["train/index"].shape}, {"a": after["train/index"].shape})
    one, two = arrays(tmp_path / "1.npz"), arrays(tmp_path / "2.npz")
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=2e-4, atol=2e-5)


def test_one_rank_stops_all_in_the_middle_of_an_epoch(tmp_path):
    whole, part, save = tmp_path / "whole.npz", tmp_path / "part.npz", tmp_path / "save.npz"
    good(2, "middle", whole, tmp_path / "other.npz", "go")
    good(4, "middle", part, save, "stop")
    good(2, "middle", part, save, "go")
    one, two = arrays(whole), arrays(part)
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=2e-4, atol=2e-5)


# --- how they end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("runner", [("-m", "mpi4py"), ()], ids=["mpi4py", "plain"])
def test_a_rank_that_fails_ends_all(runner):
    told = bad(4, "fail", "raise", runner=runner)
    assert told.count("ValueError: this rank is unhappy") == 1


def test_a_killed_rank_ends_all():
    status, out, _ = run(4, "fail", "kill")
    assert status != 0 and "KILLED" in out.upper() and "done" not in out


def test_ctrl_c_ends_all_after_the_same_batch(tmp_path):
    started, save = tmp_path / "started", tmp_path / "save.npz"

    def press(process):
        while not started.exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)

    status, out, _ = run(2, "interrupted", started, save, meanwhile=press)
    assert status == 0 and "done 2" in out and ": Ctrl-C\n" in out


@pytest.mark.parametrize("how", ["exit", "leave"])
def test_a_rank_that_has_left_is_an_error_on_the_others(how):
    told = bad(2, "fail", how)
    assert "rank 0: update 4 parameters" in told and "rank 1: end the program" in told


def test_a_loss_that_is_not_a_number_ends_all():
    told = bad(2, "nan")
    assert "FloatingPointError: epoch 1, batch 1" in told


@pytest.mark.parametrize(
    "how, words",
    [
        ("shape", "a model with the parameter 'never' (5,) float64"),
        ("dtype", "a model with the parameter 'never' (2,) float32"),
        ("number", "rank 1: broadcast 5 parameters"),
        ("sum", "rank 1: add up numbers of shape (3,) and dtype float64"),
        ("sizes", "rank 1: add up numbers of shape (4,) and dtype float64"),
        ("grad", "has a gradient of shape (2, 2)"),
        ("none", "examples is 0 on all ranks"),
        ("orders", "give them the same seed"),
        ("seeds", "give all DataLoaders the same seed"),
        ("weights", "no longer the same"),
        ("batches", "rank 0: add up numbers of shape (3,)"),
        ("root", "No such file or directory: '/no/such/file'"),
    ],
)
def test_ranks_that_disagree_are_told(how, words):
    assert words in bad(2, "differ", how)


def test_a_run_that_hangs_is_ended():
    with pytest.raises(subprocess.TimeoutExpired):
        run(2, "time", runner=("-c", "import time; time.sleep(99)"), seconds=2)


def test_the_benchmark_measures_one_rank_and_two():
    from benchmarks import ranks

    head, _, line = ranks.measured(rounds=1, seconds=0.05).splitlines()
    assert head == "| Examples per second | one rank | two ranks | factor | goal |"
    cells = line.strip("| ").split(" | ")
    assert cells[0] == ranks.TITLE and float(cells[2].replace(",", "")) > 0


# --- alone ----------------------------------------------------------------------------------------


def test_alone_no_mpi_is_needed(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)
    for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MPI_LOCALRANKID"):
        monkeypatch.delenv(name, raising=False)
    comm = create_communicator()
    assert (comm.rank, comm.size, comm.mpi) == (0, 1, None)
    trainer = make_trainer(comm, verbose=False, norm=True)
    trainer.fit(*loaders(comm), epochs=2)
    keep(comm, trainer, tmp_path / "alone.npz")
    monkeypatch.setenv("PMI_RANK", "1")
    with pytest.raises(ImportError, match=r'mpiexec started .* pip install "dezero\[mpi\]"'):
        create_communicator()


def test_alone_a_trainer_gives_what_it_gives_without(tmp_path):
    found = []
    for comm in (None, Communicator()):
        trainer = make_trainer(Communicator(), verbose=False)
        if comm is None:
            np.random.seed(0)
            model = make_trainer(Communicator(), verbose=False).model
            loss = F.softmax_cross_entropy
            trainer = Trainer(model, Adam(0.01), loss, F.accuracy, verbose=False)
        train, valid = loaders(Communicator())
        valid.shuffle = False
        valid.reset()
        np.random.seed(0)
        found.append(trainer.fit(train, valid, 2).columns)
        trainer.save(tmp_path / "save")
        trainer.load(tmp_path / "save")
    assert found[0] == found[1]


def test_a_multi_node_optimizer_is_like_its_own():
    optimizer = create_multi_node_optimizer(Adam(0.5), Communicator())
    with pytest.raises(RuntimeError, match="call setup"):
        optimizer.update()
    model = MLP((3, 1))
    assert optimizer.setup(model) is optimizer and optimizer.target is model
    optimizer.alpha = 0.25
    assert optimizer.actual.alpha == 0.25 and optimizer.lr == 0.25
    F.sum(model(np.ones((2, 4), np.float32))).backward()
    optimizer.update(examples=2)
    assert optimizer.updates == optimizer.t == 1
    other = create_multi_node_optimizer(Adam(), Communicator()).setup(model)
    other.load_state(optimizer.state())
    assert other.alpha == 0.25
    with pytest.raises(ValueError, match="updates"):
        other.check_state({})
    with pytest.raises(AttributeError, match="speed"):
        _ = optimizer.speed
    assert pickle.loads(pickle.dumps(optimizer)).alpha == 0.25


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda: Trainer(MLP((2,)), SGD(), F.mean_squared_error, comm=4),
            TypeError,
            "comm is a communicator, not <class 'int'>",
        ),
        (lambda: create_communicator("pure_nccl"), TypeError, "leave 'pure_nccl' out"),
        (lambda: create_multi_node_optimizer(SGD(), 4), TypeError, "is a communicator"),
        (lambda: create_multi_node_optimizer(MLP((2,)), Communicator()), TypeError, "optimizer"),
        (
            lambda: create_multi_node_optimizer(
                create_multi_node_optimizer(SGD(), Communicator()), Communicator()
            ),
            TypeError,
            "already",
        ),
        (lambda: MultiNodeBatchNorm(0.9), TypeError, r"MultiNodeBatchNorm\(comm\)"),
        (lambda: scatter_batches([1, 2], Communicator()), TypeError, "takes a DataLoader"),
        (lambda: scatter_dataset([], Communicator()), ValueError, "no examples"),
        (lambda: scatter_dataset([1], Communicator(), seed=-1), ValueError, "seed"),
        (lambda: create_multi_node_evaluator(3, Communicator()), TypeError, "is a function"),
        (
            lambda: create_multi_node_optimizer(SGD(), Communicator()).update(examples=-1),
            ValueError,
            "examples",
        ),
    ],
)
def test_bad_input_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()


class Threads:
    """What mpi4py gives a rank, for ranks that are threads."""

    def __init__(self, rank, places, barrier):
        self.rank, self.places, self.barrier = rank, places, barrier

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return len(self.places)

    def allgather(self, x):
        self.places[self.rank] = copy.copy(x)
        self.barrier.wait()
        found = list(self.places)
        self.barrier.wait()
        return found

    def bcast(self, x, root=0):
        return self.allgather(x)[root]

    def Bcast(self, x, root):
        x[...] = self.allgather(x)[root]

    def Allgather(self, x, found):
        found[...] = self.allgather(x)

    def Allreduce(self, x, total):
        total[...] = sum(self.allgather(x))


def on_threads(size, program):
    """What a program gives on each of so many ranks."""
    places, barrier = [None] * size, threading.Barrier(size, timeout=60)
    with ThreadPoolExecutor(size) as pool:
        ranks = [Threads(rank, places, barrier) for rank in range(size)]
        return list(pool.map(lambda rank: program(Communicator(rank)), ranks))


sizes = st.integers(1, 4)
shapes = st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=4)


@tried(40)
@given(sizes, shapes, st.lists(st.sampled_from("efd"), min_size=4, max_size=4), st.data())
def test_the_mean_of_any_gradients(size, shapes, dtypes, data):
    counts = data.draw(st.lists(st.integers(0, 5), min_size=size, max_size=size).filter(sum))
    there = [[data.draw(st.booleans()) for _ in shapes] for _ in counts]

    def program(comm):
        model = L.Layer()
        model.all = [Parameter(np.zeros(s, d)) for s, d in zip(shapes, dtypes)]
        optimizer = create_multi_node_optimizer(SGD(1.0), comm).setup(model)
        for param, known in zip(model.all, there[comm.rank]):
            if known:
                param.grad = Variable(np.full(param.shape, comm.rank + 1, param.dtype))
        optimizer.update(counts[comm.rank])
        return model.all

    found = on_threads(size, program)
    for i, param in enumerate(found[0]):
        own = [(rank + 1) * counts[rank] * there[rank][i] for rank in range(size)]
        anybody = any([there[rank][i] for rank in range(size)])
        assert (param.grad is not None) == anybody
        wanted = sum(own) / sum(counts) if size > 1 else float(anybody)
        np.testing.assert_allclose(param.data, np.full(param.shape, -wanted), rtol=1e-3)
        assert param.dtype == dtypes[i]
        for others in found[1:]:
            assert np.array_equal(others[i].data, param.data)


@tried(40)
@given(sizes, st.integers(1, 20), st.booleans(), st.integers(0, 3))
def test_any_dataset_is_given_out_evenly(size, n, shuffle, seed):
    def program(comm):
        shard = scatter_dataset(np.arange(n), comm, shuffle, seed)
        return [int(x) for x in shard]

    shards = on_threads(size, program)
    assert {len(shard) for shard in shards} == {-(-n // size)}
    assert {x for shard in shards for x in shard} == set(range(n))


@tried(40)
@given(sizes, st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_any_batches_are_shared(size, n, batch_size, drop_last):
    loader = DataLoader(np.arange(n), batch_size, seed=1, drop_last=drop_last)
    whole = [batch.tolist() for batch in loader]
    loader = DataLoader(np.arange(n), batch_size, seed=1, drop_last=drop_last)

    def program(comm):
        try:
            return [batch.tolist() for batch in scatter_batches(loader, comm)]
        except ValueError as error:
            return str(error)

    shares = on_threads(size, program)
    if any([len(batch) < size for batch in whole]):
        assert all(["too small" in share for share in shares])
    else:
        for i, batch in enumerate(whole):
            assert [share[i] for share in shares] == [batch[r::size] for r in range(size)]


@tried(40)
@given(sizes, st.data())
def test_mean_and_variance_of_any_parts(size, data):
    rows = data.draw(st.lists(st.integers(0, 5), min_size=size, max_size=size).filter(sum))
    x = np.random.RandomState(sum(rows)).randn(sum(rows), 3, 2) + 5
    parts = np.split(x, np.cumsum(rows)[:-1])
    for mean, var, share, n in on_threads(
        size, lambda comm: pooled(comm, parts[comm.rank], (0, 2))
    ):
        np.testing.assert_allclose(mean, x.mean((0, 2)))
        np.testing.assert_allclose(var, x.var((0, 2)), atol=1e-12)
        assert n == 2 * sum(rows) and 0 <= share <= 1


def test_arrays_on_the_gpu_go_over_the_wire_and_back(cupy):
    x = np.random.RandomState(0).randn(8, 3).astype(np.float32)

    def train(comm, gpu=True):
        model = Sequential(MultiNodeBatchNorm(comm), L.Linear(2, in_size=3))
        model.layers[1].W.data = np.full((3, 2), comm.rank + 0.5, np.float32)
        if gpu:
            model.to_gpu()
        optimizer = create_multi_node_optimizer(Adam(0.1), comm).setup(model)
        mine = x[comm.rank :: comm.size]
        for _ in range(2):
            y = model(cupy.asarray(mine) if gpu else mine)
            model.cleargrads()
            F.sum(y**3 / len(mine)).backward()
            optimizer.update(len(mine))
        comm.even_out(model)
        assert all([isinstance(p.data, ndarray) == gpu for p in model.params()])
        return [to_module(param.data, np) for param in model.params()]

    (one,) = on_threads(1, lambda comm: train(comm, gpu=False))
    two = on_threads(2, train)
    for here, there, alone in zip(*two, one):
        assert np.array_equal(here, there)
        np.testing.assert_allclose(here, alone, rtol=1e-4, atol=1e-5)


def test_batches_must_be_large_enough_for_all_ranks():
    comm = Communicator(Threads(0, [None] * 4, None))
    data = np.arange(10)
    with pytest.raises(ValueError, match="a batch of 2 examples is too small for 4 ranks"):
        scatter_batches(DataLoader(data, 8), comm)
    with pytest.raises(ValueError, match="a batch of 1 examples is too small"):
        scatter_batches(DataLoader(data, 3), comm)
    assert len(scatter_batches(DataLoader(data, 8, drop_last=True), comm)) == 1
    assert len(scatter_batches(DataLoader(data, 6), comm)) == 2


def test_importing_it_does_not_import_mpi():
    program = "import sys, dezero.distributed; sys.exit('mpi4py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
