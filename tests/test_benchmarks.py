"""The benchmarks: every side of a case computes the same, and the runner is fair.

No test asks how long anything takes. Peers that are not installed are missing here, as in a table.
"""

import gc
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cases, libraries, measure, memory, networks, sequences, table
from benchmarks.cases import (
    CASES,
    COMPILED_CASES,
    COMPILED_PEERS,
    EAGER,
    MEMORY_CASES,
    NETWORK_CASES,
    NETWORK_PEERS,
    ORDERS,
    PEERS,
    TRAINING_MEMORY,
    WIDE,
    Case,
    agree,
    sides,
)
from benchmarks.libraries import Compiled, DeZero, Library, Missing, available


def small_cases():
    """The cases of networks on less of everything, new: their floors remember their steps."""
    return [
        cases.network_case("sgd", "", (4, 5, 3), 6, "sigmoid", "SGD", 1.0, {}),
        cases.network_case("adam", "", (4, 8, 5, 3), 6, "relu", "Adam", 0.01, {}),
        *cases.lstm_cases(sequences.Task(hidden=4, batch=3, steps=7, window=3)),
        cases.digits_case(0.8),
        *cases.loader_cases(250),
        cases.conv_case("cnn", "", SMALL_CNN, {}),
        cases.recurrent_case(sequences.Plain(hidden=4, batch=3, steps=7, window=3)),
    ]


SMALL_CNN = networks.ConvTask(9, (2, 3), (5, 4), 6, 0.5)


def small_vgg16():
    """Three layers of it, on a small image."""
    weights = partial(cases.vgg16_weights, (4, 0, 6, 0), 8, (5, 3))
    return cases.vgg16_case({}, 8, weights)


@pytest.fixture(scope="module")
def present():
    return available()[0]


# --- the cases ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_sides_of_a_case_compute_the_same_numbers(case, present):
    runs, reasons = sides(case, present if case.operations < 10_000 else present[:1])
    assert {"DeZero", "NumPy 0-d"} <= set(runs)
    assert set(runs) | set(reasons) >= {library.name for library in present[:1]} | set(case.floors)
    first, second = runs["DeZero"](), runs["NumPy 0-d"]()
    assert np.allclose(first, second, rtol=case.tolerance), "the second run differs"
    assert np.isfinite(first).all() and np.any(first)


@pytest.mark.parametrize("case", MEMORY_CASES, ids=lambda case: case.name)
def test_all_sides_of_a_memory_case_compute_the_same_numbers(case, present):
    able = [library for library in present if library.name != "micrograd"]
    results = {library.name: case.run(library, 7)() for library in able}
    results[case.floor] = case.run(elements=7)()
    assert len(results) > 1 and np.shape(results["DeZero"]) == (2, 7)
    agree(Case(case.name, "", None), results)


@pytest.mark.parametrize("case", small_cases(), ids=lambda case: case.name)
def test_all_sides_of_a_network_case_compute_the_same_numbers(case, present):
    runs, reasons = sides(case, present)
    assert {"DeZero", "NumPy"} <= set(runs)
    assert set(runs) | set(reasons) == {library.name for library in present} | set(case.floors)
    for _ in range(3):
        agree(case, {name: run() for name, run in runs.items()})


@pytest.mark.parametrize(
    "case", small_cases()[:2] + small_cases()[-2:] + CASES[:1], ids=lambda case: case.name
)
def test_a_compiled_case_computes_what_all_sides_compute(case, present):
    written, library = cases.compiled_case(case, {}), Compiled()
    runs, _ = sides(written, [each for each in present if each.name in ("DeZero", "torch")])
    assert {"DeZero", EAGER, "NumPy"} <= set(runs)
    step, eager = case.prepare(library), case.prepare(DeZero())
    for _ in range(4):
        ours, right = step(), eager()
        assert [np.asarray(a).tobytes() for a in ours] == [np.asarray(a).tobytes() for a in right]
    assert library.steps[0].why == "" and library.steps[0].programs[0].runs


@pytest.mark.parametrize("case", COMPILED_CASES[2:5], ids=lambda case: case.name)
def test_all_sides_of_a_compiled_case_on_numbers_compute_the_same(case, present):
    runs, _ = sides(case, [each for each in present if each.name in ("DeZero", "torch")])
    for _ in range(3):
        agree(case, {name: run() for name, run in runs.items() if name != EAGER})
    assert runs["DeZero"].why == "" and runs["DeZero"].programs[0].runs


def test_all_sides_put_an_image_through_vgg16(present):
    runs, reasons = sides(small_vgg16(), present)
    assert runs["DeZero"]()[0].shape == (1, 3)
    assert set(runs) | set(reasons) == {library.name for library in present}


def test_all_sides_normalize_a_batch(present):
    runs, reasons = sides(cases.batch_norm_case(1.2, (4, 3, 5, 5)), present)
    assert [part.shape for part in runs["DeZero"]()] == [(4, 3, 5, 5)] * 2 + [(3,)] * 2
    assert set(runs) | set(reasons) == {library.name for library in present}


@pytest.mark.parametrize("by_functions", [False, True])
def test_all_sides_of_a_block_give_the_same_gradients(present, by_functions):
    runs, reasons = sides(cases.gpt_block_case(1.0, (2, 5, 8), 2, by_functions), present)
    parts = runs["DeZero"]()
    assert len(parts) == 2 + 12 and parts[0].shape == parts[1].shape == (2, 5, 8)
    assert set(runs) | set(reasons) == {library.name for library in present}


@pytest.mark.parametrize("case", cases.generation_cases(12))
def test_a_text_is_the_same_without_a_cache(present, case):
    runs, _ = sides(case, present)
    (text,) = runs["DeZero"]()
    assert set(runs) == {"DeZero", cases.WITHOUT} and text.shape == (1, 12)


def test_a_step_changes_the_parameters_by_more_than_sides_may_differ(present):
    case, task = small_cases()[1], networks.Task((4, 8, 5, 3), 6, "relu", "Adam", 0.01)
    for name, run in sides(case, present)[0].items():
        _, *after = run()
        for start, now in zip(task.weights(), after, strict=True):
            assert now.shape == start.shape and now.dtype == np.float32, name
            assert np.linalg.norm(now - start) > 100 * case.tolerance * np.linalg.norm(now)


def test_the_optimizers_by_hand_reach_every_chunk():
    size = networks.CHUNK * 2 + 10
    start = np.random.default_rng(0).standard_normal(size)
    slopes, flat = np.cos(start), start.copy()
    networks.sgd(0.5, flat)(slopes)
    assert np.allclose(flat, start - 0.5 * slopes)
    flat = start.copy()
    update = networks.adam(0.1, flat)
    m = v = 0
    for n in range(1, 4):
        update(slopes)
        m, v = 0.9 * m + 0.1 * slopes, 0.999 * v + 0.001 * slopes**2
        rate = 0.1 * np.sqrt(1 - 0.999**n) / (1 - 0.9**n)
        start -= rate * m / (np.sqrt(v) + 1e-8)
        assert np.allclose(flat, start)


def test_a_loader_that_loads_wrongly_is_found():
    x, t = np.arange(8, dtype=np.float32).reshape(4, 2), np.arange(4)
    assert cases.checked([(x[:3], t[:3]), (x[3:], t[3:])], x)() == [2, 6]
    for loader in ([(x[::-1], t)], [(x.astype(float), t)]):
        with pytest.raises(AssertionError, match="does not belong to its labels"):
            cases.checked(loader, x)
    for loader in ([(x[:3], t[:3])], [(x, t), (x[:1], t[:1])]):
        with pytest.raises(AssertionError, match="missing, or comes twice"):
            cases.checked(loader, x)


def test_training_that_does_not_reach_its_goal_is_no_result():
    def scores(x):
        return np.eye(2)[[0, 0, 1, 1]]

    x, batches = np.zeros((4, 1)), [(1, 2), (3, 4)]
    seen = []
    step = lambda x, t: seen.append(x)  # noqa: E731
    result = networks.train(step, scores, batches, x, np.array([0, 0, 1, 0]), 0.7)
    assert result == [1, 0.75] and seen == [1, 3]
    with pytest.raises(AssertionError, match="only 75.0% after 3 epochs"):
        networks.train(step, scores, batches, x, np.array([0, 0, 1, 0]), 0.8, most=3)


def test_batches_by_hand_are_those_of_a_data_loader():
    x, t = np.arange(10) * 10, np.arange(10)
    ours = DeZero().batches(x, t, 3, seed=1)
    by_hand = networks.Batches(x, t, 3, seed=1)
    for _ in range(2):
        pairs = list(zip(ours, by_hand, strict=True))
        assert len(pairs) == 3
        for first, second in pairs:
            assert np.array_equal(first, second) and np.array_equal(first[0], first[1] * 10)


def test_the_chains_have_the_derivatives_that_mathematics_gives(present):
    by_name = {case.name: case for case in CASES}
    x, n = 0.99, 500
    value, slope = sides(by_name["chain-variables"], present[:1])[0]["DeZero"]()
    powers = x ** np.arange(1, n + 2)  # y = x + x**2 + ... + x**(n + 1)
    assert np.isclose(value, powers.sum())
    assert np.isclose(slope, (np.arange(1, n + 2) * powers / x).sum())
    assert np.isclose(sides(by_name["chain-numbers"], present[:1])[0]["DeZero"]()[1], 1.01**n)
    value, slope = sides(by_name["wide-sum"], present[:1])[0]["DeZero"]()
    assert np.isclose(value, 1000 * x**2) and np.isclose(slope, 2000 * x)


def test_a_side_with_other_numbers_is_found():
    case = CASES[0]
    agree(case, {"a": [1.0, 2.0], "b": [1.0, 2.0 + 1e-12]})
    with pytest.raises(AssertionError, match=f"{case.name}: a gives .* b gives"):
        agree(case, {"a": [1.0, 2.0], "b": [1.0, 2.0 + 1e-6]})
    with pytest.raises(AssertionError, match="c gives"):
        agree(case, {"a": [1.0], "c": [1.0, 2.0]})


def test_the_cases_are_those_that_were_promised():
    names = [case.name for case in CASES + MEMORY_CASES]
    assert len(set(names)) == len(names)
    wanted = "chain-variables chain-numbers wide-sum composed rosenbrock hessian-vector chain-long"
    wanted += " chain-float32 own-variables own-data function-sin function-tanh tanh-backward"
    wanted = wanted.split() + [f"tanh-{order}" for order in range(1, 7)] + WIDE
    assert set(wanted) | {"memory-tanh", "memory-add"} == set(names)
    more = "spiral mlp-sgd mlp-adam mlp-hessian digits cnn vgg16 batch-norm gpt-block "
    more += "gpt-block-functions generation generation-small lstm lstm-cells "
    more += "lstm-steps loader-arrays loader-images memory-sgd memory-adam memory-cnn"
    more += " memory-cnn-compiled"
    assert [case.name for case in NETWORK_CASES + TRAINING_MEMORY] == more.split()
    written = (
        "spiral spiral-adam chain-variables tanh-6 rosenbrock rnn mlp-adam cnn gpt-block".split()
    )
    assert [case.name for case in COMPILED_CASES] == [f"compiled-{name}" for name in written]
    assert [case.operations for case in CASES if case.name == "chain-long"] == [100_000]


def test_the_graph_of_tanh_grows(present):
    from benchmarks.cases import TANH_AT, tanh

    for library in present:
        if type(library).graph_size is not Library.graph_size:
            counts = [library.graph_size(tanh, TANH_AT, order) for order in ORDERS]
            assert counts == sorted(set(counts)) and counts[0] >= 2


# --- who is missing -----------------------------------------------------------------------------


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    real = libraries.import_module

    def no_torch(name):
        if name == "torch":
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(libraries, "import_module", no_torch)
    found, absent = available()
    assert "torch" in absent and "torch" not in [library.name for library in found]
    results = [(CASES[0], {"DeZero": [1.0] * 3}, {})]
    assert table.cell("torch", *results[0], absent) == "not installed"
    goals = table.goals(results)
    assert len(goals.splitlines()) == 2 + len(CASES[0].goals)
    assert goals.count("not measured") == len(CASES[0].goals)


def test_without_dezero_nothing_is_measured(monkeypatch):
    def nothing(name):
        raise ImportError(name)

    monkeypatch.setattr(libraries, "import_module", nothing)
    with pytest.raises(ImportError, match="dezero"):
        available()


class Small(Library):
    name = "Small"

    def __init__(self):
        pass


@pytest.mark.parametrize(
    "error, reason",
    [(Missing("no tanh"), "no tanh"), (RecursionError(), "too deep")],
)
def test_what_a_library_cannot_do_stands_in_its_cell(error, reason):
    def prepare(library):
        if library.name == "Small":
            raise error
        return lambda: [1.0]

    case = Case("case", "A case", prepare, {"NumPy 0-d": lambda: [1.0]})
    runs, reasons = sides(case, [DeZero(), Small()])
    assert list(runs) == ["DeZero", "NumPy 0-d"] and reasons == {"Small": reason}
    seconds = dict.fromkeys(runs, [1.0] * 3)
    assert table.cell("Small", case, seconds, reasons, []) == reason


def test_functions_and_derivatives_that_a_library_lacks_are_said_to_be_missing():
    small = Small()
    for ask in (small.exp, small.tanh):
        with pytest.raises(Missing, match="no (exp|tanh)"):
            ask(1.0)
    with pytest.raises(Missing, match="order 1 only"):
        small.derivative(None, 1.0, 2)
    with pytest.raises(Missing, match="order 1 only"):
        small.hessian_vector(None, (), ())
    with pytest.raises(Missing, match="no optimizers"):
        small.network(None)
    for ask in (small.convolutional, small.vgg16):
        with pytest.raises(Missing, match="no convolution"):
            ask(None)
    with pytest.raises(Missing, match="no batch norm"):
        small.batch_norm(None, None, None, None)
    with pytest.raises(Missing, match="no attention"):
        small.gpt_block(None, None, 1, None)
    with pytest.raises(Missing, match="no language model"):
        small.generation(1, {}, {})
    with pytest.raises(Missing, match="no LSTM"):
        small.lstm(None)
    with pytest.raises(Missing, match="no RNN"):
        small.recurrent(None)
    with pytest.raises(Missing, match="no loader"):
        small.loader(None, None, 1)


# --- the runner ---------------------------------------------------------------------------------


class Clock:
    """Time that passes only when a side runs."""

    now = 0.0

    def __call__(self):
        return self.now

    def side(self, name, seconds, log):
        steps = iter(seconds)

        def run():
            assert gc.isenabled()
            log.append(name)
            self.now += next(steps)

        return run


def test_the_runner_alternates_and_times_every_round():
    clock, log = Clock(), []
    a = clock.side("a", [1, 3, 1, 2], log)
    b = clock.side("b", [1, 5, 8, 4], log)
    seconds = measure.alternate({"a": a, "b": b}, rounds=3, block=1, clock=clock)
    assert log == ["a", "b"] + ["a", "b"] * 3  # once to see how long it takes, then in turns
    assert seconds == {"a": [3, 1, 2], "b": [5, 8, 4]}


def test_short_runs_are_repeated_to_fill_a_block():
    clock, log = Clock(), []
    quick = clock.side("quick", [0.25] * 9, log)
    slow = clock.side("slow", [2.0] * 3, log)
    seconds = measure.alternate({"quick": quick, "slow": slow}, rounds=2, block=1, clock=clock)
    assert log == ["quick", "slow"] + (["quick"] * 4 + ["slow"]) * 2
    assert seconds == {"quick": [0.25, 0.25], "slow": [2.0, 2.0]}


def test_a_slow_first_run_does_not_make_the_blocks_short():
    clock, log = Clock(), []
    run = clock.side("a", [0.1] + [0.01] * 99, log)
    assert measure.repeats(run, 1, clock) == 100 and len(log) == 1 + 4 + 16 + 64


def test_a_case_is_warmed_up_by_a_few_runs_or_two_seconds():
    clock, log = Clock(), []
    measure.warm_up(clock.side("quick", [0.25] * 9, log), clock)
    assert len(log) == 5
    measure.warm_up(clock.side("slow", [1.5] * 9, log), clock)
    assert len(log) == 5 + 2


def test_the_garbage_of_a_side_is_collected_before_the_next(monkeypatch):
    log = []
    monkeypatch.setattr(measure.gc, "collect", lambda: log.append("collect"))
    clock = Clock()
    runs = {name: clock.side(name, [1, 1, 1], log) for name in "ab"}
    measure.alternate(runs, rounds=2, block=1, clock=clock)
    assert log[2:] == ["collect", "a", "collect", "b"] * 2


def test_ratios_are_of_medians_and_the_spread_is_of_paired_rounds():
    ours, theirs = [2.0, 4.0, 6.0, 80.0, 10.0], [1.0, 4.0, 4.0, 100.0, 4.0]
    value, low, high = measure.ratio(ours, theirs)
    assert value == 6.0 / 4.0
    assert (low, high) == (1.0, 2.0)  # of 2, 1, 1.5, 0.8, 2.5


def test_one_thread_is_asked_for_before_numpy_comes():
    code = "import benchmarks.measure as m, sys, os; m.one_thread(); print('numpy' in sys.modules)"
    code += "; print(*{os.environ[name] for name in m.THREADS})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "1"]


def test_the_process_stays_on_one_core():
    code = "import benchmarks.measure as m, os; print(m.one_core(), len(os.sched_getaffinity(0)))"
    if not hasattr(os, "sched_setaffinity"):
        code = "import benchmarks.measure as m; print(m.one_core(), 1)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(hasattr(os, "sched_setaffinity")), "1"]


# --- memory -------------------------------------------------------------------------------------


def test_the_peak_is_that_of_the_run():
    if not Path("/proc/self/clear_refs").exists():
        assert memory.measured("memory-add", "DeZero") == memory.NOT_HERE
        return
    # In a fresh process, as `measured` has it: this one may keep memory that it has freed.
    code = """if True:
        import numpy as np
        from benchmarks import memory
        print(memory.peak(lambda: None))
        print(memory.peak(lambda: [np.ones(2**22), np.ones(2**22)]))  # 32 MiB each
        """
    fresh, root = [sys.executable, "-c", code], Path(memory.__file__).parents[1]
    environment = {**os.environ, **memory.EXACT}
    done = subprocess.run(fresh, cwd=root, env=environment, check=True, capture_output=True)
    nothing, big = map(float, done.stdout.split())
    assert nothing < 5 and 60 < big < 80
    with pytest.raises(LookupError, match="VmNothing"):
        memory.status("VmNothing")
    assert 1 < memory.measured("memory-add", "NumPy 0-d") < 40  # a process of its own


@pytest.mark.parametrize("case", TRAINING_MEMORY, ids=lambda case: case.name)
def test_all_sides_of_a_training_memory_case_compute_the_same_numbers(case, present):
    dense = isinstance(case.task, networks.Task)
    small = replace(case, task=replace(case.task, sizes=(5, 4, 3)) if dense else SMALL_CNN)
    able = [library for library in present if type(library).network is not Library.network]
    results = {library.name: small.run(library, 6)() for library in able}
    results[case.floor] = small.run(batch=6)()
    assert len(results) > 1 and len(results["DeZero"]) == (5 if dense else 9)
    agree(Case(case.name, "", None, tolerance=1e-4), results)


def test_one_graph_is_alive_at_a_time():
    assert memory.functions_alive(steps=5) == (4, 4, 8)
    assert gc.isenabled()


# --- the table ----------------------------------------------------------------------------------


def test_numbers_are_written_with_their_units():
    written = [table.duration(t) for t in (2.5, 0.0123, 4.5e-6, 7e-8)]
    written += [table.mebibytes(1008.2), table.mebibytes("numbers only")]
    written = [text.replace(table.SPACE, " ") for text in written]
    assert written == ["2.5 s", "12.3 ms", "4.5 µs", "70 ns", "1,008 MiB", "numbers only"]


def test_a_goal_is_marked_as_reached_or_not():
    case = Case("case", "A case", None, goals={"torch": 0.5})
    seconds = {"DeZero": [1.0] * 3, "torch": [2.0] * 3, "autograd": [4.0] * 3}
    assert table.cell("torch", case, seconds, {}, []) == f"0.50{table.SPACE}✓"
    assert (
        table.cell("torch", case, {**seconds, "torch": [1.9] * 3}, {}, []) == f"0.53{table.SPACE}✗"
    )
    assert table.cell("autograd", case, seconds, {}, []) == "0.25"
    assert "| 0.5 | 0.50 | ✓ | 0.50 to 0.50 |" in table.goals([(case, seconds, {})])


def test_the_growth_compares_the_largest_with_the_smallest():
    few, many = Case("few", "", None, operations=10), Case("many", "", None, operations=80)
    results = [(few, {"DeZero": [1.0] * 3}, {}), (many, {"DeZero": [9.0] * 3}, {})]
    text = table.growth(results, ["few", "many"])
    assert text == "8.0 times as many operations side by side take 9.0 times as long."


def test_a_goal_for_memory_is_a_sentence():
    case = TRAINING_MEMORY[1]
    text = table.memory([(case, {"DeZero": 13.0, "NumPy": 10.0})], ["DeZero", "NumPy"], [])
    assert "| MLP, Adam | 13\N{NO-BREAK SPACE}MiB | 10\N{NO-BREAK SPACE}MiB |" in text
    assert text.endswith("MLP, Adam beside NumPy: 1.30 ✓, the goal is 1.3.")
    peaks = dict.fromkeys(["DeZero", "NumPy"], memory.NOT_HERE)
    assert "not measured" in table.memory([(case, peaks)], ["DeZero", "NumPy"], [])


def sections(text):
    """The tables of results.md, as lists of rows, by heading."""
    found = {}
    for part in text.split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("|")]
        found[heading] = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return found


def test_the_committed_table_names_every_case_and_every_peer(root):
    text = (root / "benchmarks" / "results.md").read_text(encoding="utf-8")
    tables = sections(text)
    for group, of, peers in (
        (CASES, "", PEERS),
        (NETWORK_CASES, " of networks", NETWORK_PEERS),
        (COMPILED_CASES, " of compiled steps", COMPILED_PEERS),
    ):
        ratios, times = tables[f"Ratios{of}"], tables[f"Times{of}"]
        assert ratios[0] == ["Case", *peers]
        for found in (ratios, times):
            assert [row[0] for row in found[2:]] == [case.title for case in group]
            assert all(len(row) == len(found[0]) for row in found)
        assert all(all(row) for row in ratios), "a cell is empty"
    assert "not installed" not in text and "not measured" not in text
    assert [row[:3] for row in tables["Goals"][2:]] == [
        [case.title, name, str(goal)]
        for case in CASES + NETWORK_CASES + COMPILED_CASES
        for name, goal in case.goals.items()
    ]
    for group, word in ((MEMORY_CASES, "memory of a chain"), (TRAINING_MEMORY, "of training")):
        (found,) = [rows for heading, rows in tables.items() if word in heading]
        assert [row[0] for row in found[2:]] == [case.title for case in group]
    assert "times as long" in text and "| Order | 1 | 2 | 3 | 4 | 5 | 6 |" in text
    assert "functions are alive at a time" in text and "the goal is 1.3." in text
    for word in ("NumPy 2", "Python 3", "One thread each", *PEERS[2:]):
        assert word in text.split("\n## ")[0]


def test_a_quick_run_prints_a_table_and_leaves_the_committed_one(root):
    results = root / "benchmarks" / "results.md"
    before = results.read_bytes()
    command = [sys.executable, "-m", "benchmarks", "--quick", "composed", "tanh-2", "spiral"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, encoding="utf-8")
    tables = sections(done.stdout)
    titles = [case.title for case in CASES if case.name in ("composed", "tanh-2")]
    assert [row[0] for row in tables["Ratios"][2:]] == titles
    assert [row[0] for row in tables["Ratios of networks"][2:]] == [NETWORK_CASES[0].title]
    assert "One thread each" in done.stdout and results.read_bytes() == before
