"""Models: what they compute, draw and count."""

import numpy as np
import pytest

import dezero.functions as F
import dezero.layers as L
from dezero import Config, Parameter, Variable, no_grad
from dezero.layers import Layer
from dezero.models import MLP, Model, Sequential, summary
from dezero.models.base import Row, Summary, full_names


def names(model):
    return [name for name, _ in model.named_params()]


X = np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3)


# --- Sequential and MLP -------------------------------------------------------------------------


def test_sequential_calls_one_after_the_other():
    first, last = L.Linear(5), L.Linear(2)
    model = Sequential(first, F.relu, last)
    assert model.layers == [first, F.relu, last]
    assert [model.l0, model.l1, model.l2] == model.layers
    assert np.array_equal(model(X).data, last(F.relu(first(X))).data)
    assert names(model) == ["l0/W", "l0/b", "l2/W", "l2/b"]
    assert Sequential()(X) is X


def test_sequential_keeps_the_order_of_more_than_ten():
    model = Sequential(*[lambda x, i=i: [*x, i] for i in range(12)])
    assert model([]) == list(range(12))


def test_a_replaced_layer_is_the_one_that_computes():
    model = Sequential(L.Linear(5), L.Linear(2))
    model.l1 = L.Linear(7)
    assert model(X).shape == (4, 7)
    assert [p.shape for p in model.params()] == [(3, 5), (5,), (5, 7), (7,)]
    assert len(model.layers) == 2


def test_layers_are_called_in_the_order_of_their_numbers():
    first, last = L.Linear(5), L.Linear(2)
    model = Sequential(first, F.relu, last)
    del model.l0
    model.l0 = L.Linear(4)
    assert model.layers == [model.l0, F.relu, last] and model(X).shape == (4, 2)

    class Named(MLP):
        def __init__(self):
            self.l10 = L.Linear(1)
            super().__init__((5, 4), F.relu)

    named = Named()
    assert named.layers == [named.l0, named.l1, named.l10]


@pytest.mark.parametrize("wrong", [[L.Linear(1)], "relu", None, 10])
def test_sequential_takes_layers_and_functions(wrong):
    with pytest.raises(TypeError, match=r"one by one, Sequential\("):
        Sequential(wrong)


def test_mlp_is_linear_activation_linear():
    model = MLP((5, 4, 2), activation=F.relu)
    a, b, c = model.layers
    assert np.array_equal(model(X).data, c(F.relu(b(F.relu(a(X))))).data)
    assert names(model) == ["l0/W", "l0/b", "l1/W", "l1/b", "l2/W", "l2/b"]
    assert [p.dtype for p in model.params()] == [np.float32] * 6
    assert model(X).dtype == np.float32


@pytest.mark.parametrize("what", [L.Linear, F.ReLU])
def test_a_class_is_not_taken_for_a_layer(what):
    with pytest.raises(TypeError, match=rf"layers and functions, not the class {what.__name__}"):
        Sequential(what, L.Linear(1))


@pytest.mark.parametrize(
    "wrong", [(5,), (10, 1), ((),), ((5, 2), None), ((5, 2), "relu"), (None, F.relu)]
)
def test_mlp_says_what_it_takes(wrong):
    with pytest.raises(TypeError, match=r"MLP takes its sizes together, .*MLP\(\(10, 1\)"):
        MLP(*wrong)


def test_sizes_may_come_one_by_one():
    assert [layer.out_size for layer in MLP(size for size in (3, 2)).layers] == [3, 2]


@pytest.mark.parametrize("wrong", [F.relu, None, L.Linear])
def test_a_summary_is_of_a_layer(wrong):
    with pytest.raises(TypeError, match="summary takes a Model or a Layer"):
        summary(wrong, np.zeros((2, 3)))


def test_mlp_squashes_by_default():
    model = MLP((5, 2))
    assert np.array_equal(model(X).data, model.l1(F.sigmoid(model.l0(X))).data)


def test_an_activation_may_have_parameters():
    class Slope(Layer):
        def __init__(self):
            self.slope = Parameter(np.array(0.5, np.float32))

        def forward(self, x):
            return F.maximum(x, self.slope * x)

    model = MLP((5, 2), activation=Slope())
    assert names(model)[0] == "activation/slope"
    model(X).backward()
    assert model.activation.slope.grad is not None


def test_the_book_trains_a_model():
    np.random.seed(0)  # noqa: NPY002
    x = np.random.rand(100, 1)  # noqa: NPY002
    t = np.sin(2 * np.pi * x) + np.random.rand(100, 1)  # noqa: NPY002
    model, losses = MLP((10, 1)), []
    for i in range(9001):
        loss = F.mean_squared_error(t, model(x))
        model.cleargrads()
        loss.backward()
        for p in model.params():
            p.data -= 0.2 * p.grad.data
        if i % 3000 == 0:
            losses.append(float(loss))
    assert np.allclose(losses, [0.8165178479901415, 0.23722, 0.07888, 0.0761937], rtol=1e-4)


def test_the_tree_of_a_model():
    assert repr(Sequential(L.Linear(2, in_size=1), F.relu)).splitlines() == [
        "Sequential",
        "  l0: Linear",
        "    W: (1, 2) float32",
        "    b: (2,) float32",
        "  l1: relu",
    ]


# --- plot ---------------------------------------------------------------------------------------


def test_plot_draws_the_graph_with_the_names_of_the_parameters(tmp_path):
    model = MLP((5, 2))
    with no_grad():
        picture = model.plot(X, to_file=tmp_path / "model.svg")
    svg = (tmp_path / "model.svg").read_text()
    for drawing in [svg, picture._repr_svg_()]:
        assert all(name in drawing for name in ["l0/W", "l0/b", "l1/W", "l1/b", "Sigmoid"])
    assert [p.name for p in model.params()] == ["W", "b", "W", "b"]


def test_plot_writes_model_png_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    MLP((1,)).plot(X)
    assert [p.name for p in tmp_path.iterdir()] == ["model.png"]
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")


def test_plot_needs_a_single_variable():
    class Two(Model):
        def forward(self, x):
            return F.exp(x), F.sin(x)

    with pytest.raises(TypeError, match="Two gives no single Variable"):
        Two().plot(Variable(X), to_file=None)


# --- summary ------------------------------------------------------------------------------------


def test_the_table():
    table = summary(MLP((1000, 10)), np.zeros((100, 784), np.float32))
    assert [tuple(row) for row in table.rows] == [
        ("", "MLP", "(100, 10)", 0, 0),
        ("l0", "Linear", "(100, 1000)", 785_000, 4 * (785_000 + 100_000)),
        ("l1", "Linear", "(100, 10)", 10_010, 4 * (10_010 + 1_000)),
    ]
    assert (table.params, table.memory) == (795_010, 4 * (795_010 + 101_000))
    assert repr(table).splitlines() == [
        "name   layer   output shape  parameters   memory",
        "       MLP     (100, 10)              0      0 B",
        "l0     Linear  (100, 1000)      785,000  3.54 MB",
        "l1     Linear  (100, 10)         10,010    44 kB",
        "total                           795,010  3.58 MB",
    ]


def test_the_table_as_html():
    class Odd(Model):
        pass

    Odd.__name__ = "<b>"
    Odd.forward = lambda self, x: x
    html = summary(Odd(), X)._repr_html_()
    assert "&lt;b&gt;" in html and "<b>" not in html
    assert html.count("<tr>") == html.count("</tr>") == 3
    assert html.count("<th") - html.count("<thead") == 5 and html.count("<td") == 10


def test_a_summary_records_nothing_trains_nothing_and_leaves_nothing_behind():
    seen = []

    class Watch(Model):
        def forward(self, x):
            seen.append((Config.train, Config.enable_backprop))
            return x

    model, other = Watch(), Sequential(Watch(), Watch())
    other.l1.forward = F.exp
    for m in (model, other):
        summary(m, X)
    assert seen == [(False, False)] * 2
    assert vars(model) == {} and vars(other.l0) == {}
    assert other.l1.forward is F.exp
    assert Config.train and Config.enable_backprop


def test_a_failing_summary_leaves_nothing_behind():
    model = MLP((2, 2))
    model(X)
    with pytest.raises(ValueError, match="in l0 of MLP"):
        summary(model, np.zeros((4, 5)))
    assert "forward" not in vars(model) and "forward" not in vars(model.l0)


def test_shared_and_repeated_and_idle_layers():
    class Net(Model):
        def __init__(self):
            self.a = L.Linear(3, in_size=3)
            self.b = self.a
            self.tied = L.Linear(3, in_size=3)
            self.tied.W = self.a.W
            self.idle = L.Linear(2)
            self.scale = Parameter(np.ones(3, np.float32))

        def forward(self, x):
            return self.tied(self.b(self.a(x))) * self.scale

    rows = {row.name: row for row in summary(Net(), X).rows}
    assert list(rows) == ["", "a", "tied", "idle"]
    assert rows[""].params == 3 and rows[""].memory == 4 * (3 + 12)
    assert rows["a"].shape == "(4, 3) x 2" and rows["a"].params == 12
    assert rows["a"].memory == 4 * (12 + 2 * 12)
    assert rows["tied"].params == 3 and rows["tied"].memory == 4 * (3 + 12)
    assert rows["idle"].shape == "not called" and rows["idle"].params == 2


def test_several_inputs_and_outputs():
    class Two(Model):
        def forward(self, x, y):
            return x + y, [F.exp(x)]

    table = summary(Two(), Variable(X), Variable(X[:1]))
    assert table.rows[0].shape == "(4, 3), (4, 3)"
    assert table.memory == 2 * X.nbytes


def test_views_of_one_memory_count_once_for_who_made_it():
    class View(Model):
        def __init__(self, see):
            self.see = see

        def forward(self, x):
            return self.see(x)

    def memory(*steps):
        return [row.memory for row in summary(Sequential(*steps), X).rows]

    linear, flat = L.Linear(6, in_size=3), View(lambda x: F.reshape(x, (-1,)))
    own = 4 * (3 * 6 + 6) + 4 * 4 * 6
    assert memory(linear, flat) == [0, own, 0]
    assert memory(linear, flat, View(lambda x: x[::2])) == [0, own, 0, 0]
    assert memory(linear, lambda x: x.T) == [0, own]
    assert memory(flat) == memory(View(lambda x: x)) == [0, 0]  # the input itself
    assert memory(flat, View(F.exp)) == [0, 0, X.nbytes]
    stretched = View(lambda x: F.broadcast_to(x.sum(), (1000, 1000)))
    assert memory(stretched) == [0, X.itemsize]


def test_parameters_that_are_views_have_their_own_size():
    class Net(Model):
        def __init__(self):
            both = np.zeros((2, 3), np.float32)
            self.a, self.b = map(Parameter, both)

        def forward(self, x):
            return x * self.a + self.b

    table = summary(Net(), X)
    assert table.params == 6 and table.memory == 4 * 6 + X.nbytes


@pytest.mark.parametrize("says", ["0 B", "999 B", "1 kB", "1.5 kB", "1 MB", "2.5 GB", "1e+03 GB"])
def test_numbers_of_bytes(says):
    number, unit = says.split()
    count = float(number) * 1000 ** ["B", "kB", "MB", "GB"].index(unit)
    for memory in (count, count * 0.9996):
        *_, total = Summary([Row("", "Layer", "-", 0, memory)]).lines()
        assert total[-1] == says


def test_full_names_are_lent_for_a_block():
    model = MLP((2, 1))
    before = [param.name for param in model.params()]
    with pytest.raises(ZeroDivisionError), full_names(model):
        assert [param.name for param in model.params()] == names(model)
        raise ZeroDivisionError
    assert [param.name for param in model.params()] == before == ["W", "b"] * 2
