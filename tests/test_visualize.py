"""The graph as DOT text, the programs that draw it, the text of rules, the story of a replay."""

import importlib.metadata
import itertools
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import ENTRIES, tried

import dezero
import dezero.functions as F
from dezero import Function, Variable, no_grad, visualize
from dezero import replay as replaying
from dezero.backprop import SumTo, functions_behind, outputs_of
from dezero.replay import Story, _flows, replay
from dezero.trace import Term, format_index
from dezero.utils import get_dot_graph, plot_dot_graph


def goldstein(x, y):
    return (1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)) * (
        30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    )


def small():
    x, b = Variable(2.0, name="x"), Variable(3.0, name="b")
    y = x * (x + b)
    y.name = "y"
    return x, b, y


class Twins(Function):
    "Two outputs, of which one may stay unused."

    def forward(self, x):
        return x + 1, x * 2

    def gx(self, gy0, gy1, x):
        return gy0 + 2 * gy1

    rules = (gx,)


class Book(Function):
    "A function in the style of the book."

    def forward(self, x):
        y = x**2
        return y

    def backward(self, gy):
        (x,) = self.inputs
        gx = 2 * x * gy
        return gx


# --- DOT -----------------------------------------------------------------------------------------

NODE = re.compile(r'^([vf]\d+) \[label="((?:[^"\\]|\\.)*)", (.*)\]$', re.M)
ARROW = re.compile(r"^([vf]\d+) -> ([vf]\d+)$", re.M)
ORANGE, BLUE = visualize._ORANGE, visualize._BLUE + ", shape=box"


def parts(dot):
    """Labels by id, and the arrows. Every line must be understood."""
    assert dot.startswith("digraph g {\n") and dot.endswith("}")
    head = [line for line in dot.splitlines()[1:4]]
    assert [line.split()[0] for line in head] == ["graph", "node", "edge"]
    lines = dot.splitlines()[4:-1]
    assert all(NODE.match(line) or ARROW.match(line) for line in lines)
    nodes = NODE.findall(dot)
    assert {look for key, _, look in nodes if key[0] == "v"} <= {ORANGE}
    assert {look for key, _, look in nodes if key[0] == "f"} <= {BLUE}
    found = {key: text for key, text, _ in nodes}
    assert len(found) == len(nodes)
    arrows = ARROW.findall(dot)
    assert {end for arrow in arrows for end in arrow} <= set(found)
    return found, arrows


def test_goldstein_has_38_functions_57_variables_and_108_arrows():
    x, y = Variable(1.0, name="x"), Variable(1.0, name="y")
    nodes, arrows = parts(get_dot_graph(goldstein(x, y)))
    assert sum(key[0] == "f" for key in nodes) == 38
    assert sum(key[0] == "v" for key in nodes) == 57
    assert len(arrows) == 108


def test_names_shapes_and_dtypes():
    x, w = Variable(np.ones((2, 3), np.float32), "x"), Variable(np.ones((3, 1), np.float32), "w")
    y = x @ w * 2.5
    verbose, quiet = (parts(get_dot_graph(y, verbose=v))[0] for v in (True, False))
    assert [*quiet.values()] == ["", "", "2.5", "x", "w", "Mul", "MatMul"]
    assert [*verbose.values()][:4] == [
        "(2, 1) float32",
        "(2, 1) float32",
        "2.5\\n() float32",
        "x\\n(2, 3) float32",
    ]


def test_arrows_go_from_inputs_to_functions_to_outputs():
    _, _, y = small()
    nodes, arrows = parts(get_dot_graph(y, verbose=False))
    named = [(nodes[a] or "sum", nodes[b] or "sum") for a, b in arrows]
    assert sorted(named) == sorted(
        [("x", "Add"), ("b", "Add"), ("Add", "sum"), ("x", "Mul"), ("sum", "Mul"), ("Mul", "y")]
    )


def test_the_same_graph_gives_the_same_text():
    texts = {get_dot_graph(small()[2]) for _ in range(3)}
    assert len(texts) == 1
    x = Variable(3.0)
    y = x * x
    assert get_dot_graph(y) == get_dot_graph(y)
    assert len(parts(get_dot_graph(y))[1]) == 3  # an arrow for each use


def test_a_leaf_an_empty_box_and_a_result_without_graph():
    assert parts(get_dot_graph(Variable(1.0, name="x"))) == ({"v0": "x\\n() float64"}, [])
    assert parts(get_dot_graph(Variable(None))) == ({"v0": ""}, [])
    with no_grad():
        y = Variable(1.0) + 1.0
    assert len(parts(get_dot_graph(y))[0]) == 1


def test_several_outputs_also_unused_ones():
    a, b = Twins()(Variable(1.0, name="x"))
    for y in (a * b, a, b):
        before = len(functions_behind(y))
        nodes, arrows = parts(get_dot_graph(y))
        twins = next(key for key, text in nodes.items() if text == "Twins")
        assert sum(source == twins for source, _ in arrows) == 2
        assert len(functions_behind(y)) == before
    text = get_dot_graph(b)
    del a
    assert get_dot_graph(b) == text


NAMES = [
    'say "hi"',
    "C:\\new\\",
    "two\nlines\r\nor three",
    "&lt; & <b>",
    "重み é",
    "a\0b\x1b",
    "\ud800",
]


@pytest.mark.parametrize("name", [*NAMES, '"; more [label="', "{x|y}", 7])
def test_any_name_is_legal_dot(name):
    dot = get_dot_graph(Variable(1.0, name=name) * 2.0)
    nodes, arrows = parts(dot)
    assert len(nodes) == 4 and len(arrows) == 3
    dot.encode("utf-8")


def test_escapes():
    def text(name):
        return parts(get_dot_graph(Variable(1.0, name=name), verbose=False))[0]["v0"]

    assert text('a"b') == 'a\\"b'
    assert text("a\\nb") == "a\\\\nb"
    assert text("a\nb") == "a\\nb"
    assert text("&lt;") == "&amp;lt;"
    assert text("重み") == "重み"


def test_the_helpers_of_the_published_one():
    x, _, y = small()
    assert visualize._dot_var(x) == f'v0 [label="x", {ORANGE}]\n'
    assert "float64" in visualize._dot_var(x, verbose=True)
    lines = visualize._dot_func(y.creator).splitlines()
    assert BLUE in lines[0] and "Mul" in lines[0] and len(lines) == 4


def test_a_graph_of_100_000_functions():
    x = Variable(1.0)
    y = x
    for _ in range(100_000):
        y = -y
    assert get_dot_graph(y).count("shape=box") == 100_000


# --- the programs that draw ----------------------------------------------------------------------

FAKE = """#!{python}
import sys
dot = sys.stdin.buffer.read()
sys.stdout.buffer.write(b'<?xml?><svg width="1" ' + sys.argv[1].encode() + b'>' + dot + b'</svg>')
"""
BROKEN = """#!{python}
import sys
sys.exit('Format: "odd" not recognized')
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """An empty PATH, and a function that puts programs on it; pip has installed none."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(visualize, "RENDERERS", ["dot", "graphviz-pure"])

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)

    def install(name, code):
        path = folder / name
        path.write_text(code.format(python=sys.executable))
        path.chmod(0o755)

    return install


def test_without_programs_a_picture_is_drawn_all_the_same(tools):
    picture = plot_dot_graph(small()[2])
    assert repr(picture) == "<Graph of y with 2 functions>"
    assert "pip install graphviz-pure" in picture.svg
    svg = ET.fromstring(picture.svg)
    nodes = svg.findall("{*}g[@data-node]")
    assert len(nodes) == 6 and len(svg.findall("{*}g[@data-arrow]")) == 6
    y = x = Variable(1.0, name="x")
    for _ in range(1000):
        y = y * x
    assert "985 more functions" in plot_dot_graph(y).svg


def test_without_programs_a_file_ends_no_program(tools, tmp_path):
    """A warning has the text and says what to install; an svg we draw ourselves."""
    _, _, y = small()
    with pytest.warns(UserWarning, match="no picture was written") as caught:
        picture = plot_dot_graph(y, to_file=tmp_path / "y.png")
    said = str(caught[0].message)
    assert "pip install graphviz-pure" in said and get_dot_graph(y) in said
    assert "dot is not installed" in said and caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"graphviz\.org"):
        plot_dot_graph(y, to_file=tmp_path / "y.pdf")
    plot_dot_graph(y, to_file=tmp_path / "y.svg")
    assert (tmp_path / "y.svg").read_text() == picture.svg
    assert sorted(p.suffix for p in tmp_path.iterdir()) == ["", ".svg"]


def test_the_text_in_an_error_is_not_endless(tools):
    y = Variable(1.0)
    for _ in range(3000):
        y = -y
    with pytest.raises(RuntimeError) as caught:
        visualize.render_dot(get_dot_graph(y))
    assert len(str(caught.value).splitlines()) < 220
    assert "lines more" in str(caught.value)


def test_dot_is_asked_first_then_the_other(tools):
    _, _, y = small()
    tools("graphviz-pure", FAKE)
    assert "-Tsvg" in plot_dot_graph(y).svg
    tools("dot", BROKEN)
    assert "-Tsvg" in plot_dot_graph(y).svg  # dot failed
    tools("dot", FAKE.replace("svg width", "svg from=dot"))
    assert "from=dot" in plot_dot_graph(y).svg


def test_what_a_program_complains_about_is_told(tools, tmp_path):
    tools("dot", BROKEN)
    with pytest.warns(UserWarning, match='dot failed: Format: "odd" not recognized'):
        plot_dot_graph(small()[2], to_file=tmp_path / "y.odd")


def test_a_program_that_hangs_is_stopped(tools, monkeypatch):
    def run(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    tools("dot", FAKE)
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RuntimeError, match="timed out after 60 seconds"):
        visualize.render_dot(get_dot_graph(small()[2]))


def test_no_shell_no_trace_and_any_path(tools, tmp_path, monkeypatch):
    tools("dot", FAKE)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    folder = tmp_path / "out put"
    folder.mkdir()
    monkeypatch.chdir(folder)
    names = ["x.svg", "with space.png", "x.png; touch pwned; .svg", "-o'\"$HOME`é.SVG"]
    for name in names:
        plot_dot_graph(small()[2], to_file=name)
    plot_dot_graph(small()[2], to_file=folder / "a path.svg")
    assert sorted(p.name for p in folder.iterdir()) == sorted([*names, "a path.svg"])
    assert list(home.iterdir()) == []
    assert b"-Tpng" in (folder / "with space.png").read_bytes()
    assert b"-Tsvg" in (folder / names[3]).read_bytes()


def test_impossible_files(tools, tmp_path):
    tools("dot", FAKE)
    with pytest.warns(UserWarning, match="no picture was written: there is no folder .*nowhere"):
        plot_dot_graph(small()[2], to_file=str(tmp_path / "nowhere" / "y.svg"))
    with pytest.raises(ValueError, match="needs an ending"):
        plot_dot_graph(small()[2], to_file=tmp_path / "graph")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["programs"]


def test_a_picture_shows_itself_and_has_words(tools):
    tools("dot", FAKE)
    x, _, y = small()
    picture = plot_dot_graph(y)
    named = '<svg role="img" aria-label="Graph of y with 2 functions"'
    assert picture._repr_svg_().startswith(named)
    assert repr(picture) == "<Graph of y with 2 functions>"
    assert 'aria-label="Graph of a&quot;b' in plot_dot_graph(Variable(1.0, name='a"b')).svg


def test_a_large_graph_is_cut_in_a_notebook_and_whole_in_a_file(tools, tmp_path):
    tools("dot", FAKE)
    y = x = Variable(1.0, name="x")
    for n in range(1000):
        y = y * x
        if n == 49:
            assert "more functions" not in plot_dot_graph(y).svg
    svg = plot_dot_graph(y, to_file=tmp_path / "y.svg").svg
    assert svg.count("shape=box") == 15 and "985 more functions" in svg and "to_file" in svg
    assert len(re.findall(r"more -> v\d+ \[style=dashed\]", svg)) == 1
    assert (tmp_path / "y.svg").read_text().count("shape=box") == 1000


# --- what a rule says ----------------------------------------------------------------------------


def test_terms_compute_and_write_with_the_right_parentheses():
    a, b, c = (Term(v, name) for v, name in [(2.0, "a"), (3.0, "b"), (0.5, "c")])
    made = [
        a + b * c, (a + b) * c, a - (b - c), a - b - c, a / (b * c), a / b / c, -a * b, -(a + b),
        a**b**c, (a**b) ** c, (-a) ** 2, -(a**2), 2 - a, 3 / a, 2.0**a, a * -1, a + (-b),
        np.exp(a + b) * 2, (a > b) * c, np.where(a > 1, b, c), np.float64(2) * a, (a * b).sum(),
    ]  # fmt: skip
    for term in made:
        names = {"a": 2.0, "b": 3.0, "c": 0.5, "exp": np.exp, "where": np.where}
        names |= {name: np.float64(value) for name, value in names.items() if name in "abc"}
        assert eval(term.text, names) == term.value, term.text
    texts = [term.text for term in made]
    assert texts[:4] == ["a + b * c", "(a + b) * c", "a - (b - c)", "a - b - c"]
    assert texts[15] == "a * (-1)" and texts[20] == "2 * a"


def test_terms_refuse_what_has_no_name():
    with pytest.raises(TypeError):
        Term(2.0, "a") * np.ones(3)


def told(output):
    story = Story(output)
    replaying._add_forward(story)
    replaying._add_backward(story)
    return story


def lines(output):
    return ["; ".join(step["lines"]) for step in told(output).steps if step["lines"]]


def test_the_lines_of_the_steps():
    x = Variable(-2.0, name="x")
    assert lines(x * 3.0) == [
        "y = x0 * x1;   = (-2) * 3;   = -6",
        "gx0 = gy * x1;     = 1 * 3;     = 3",
    ]
    assert lines(x**3) == [
        "y = x ** 3;   = (-2) ** 3;   = -8",
        "gx = gy * 3 * x ** 2;    = 1 * 3 * (-2) ** 2;    = 12",
    ]
    assert lines(Book()(x)) == ["y = x ** 2;   = (-2) ** 2;   = 4", "gx = 2 * x * gy;    = -4"]
    assert lines(x - 1.0)[1] == "gx0 = gy;     = 1"
    assert lines(sum(Twins()(x)))[:1] == ["y0, y1 = Twins(x);        = -1;        = -4"]


def test_rules_with_branches_tell_the_branch_that_was_taken():
    w = Variable(np.ones(3), name="w")
    X = Variable(np.ones((2, 3)), name="X")
    back = [line for line in lines(X @ w) if line.startswith("gx")]
    assert back[0].startswith("gx0 = gy[..., None] * x1;")
    assert back[1].startswith("gx1 = (x0.swapaxes(-1, -2) @ gy[..., None])[..., 0];")


class Odd(Function):
    "A rule that computes with things a term is not, and a forward that counts its calls."

    calls = 0

    def forward(self, x):
        Odd.calls += 1
        self.seen = np.array(x)
        return np.sin(x)

    def gx(self, gy, x):
        values = [float(v) for v in np.ravel(x)]
        return gy * np.cos(np.array(values)).reshape(np.shape(x))

    rules = (gx,)


def test_what_cannot_be_traced_is_told_by_its_name_and_call():
    y = Odd()(Variable(1.0, name="x"))
    assert lines(y) == [
        "y = Odd(x);   = 0.84147",
        "gx = gx(gy, x);    = 0.5403",
    ]
    assert Odd.calls == 1


class Noise(Function):
    "A forward in one line that draws, and counts how often."

    calls = 0

    def forward(self, x):
        return x * self.draw()

    def draw(self):
        Noise.calls += 1
        return np.random.rand()

    def gx(self, gy, x):
        return gy

    rules = (gx,)


class Scaled(Noise):
    def forward(self, x):
        return x * np.random.rand()


class Alone(Noise):
    def forward(self, x):
        return shifted(x)


def shifted(x):
    Noise.calls += 1
    return x + np.random.rand()


@pytest.mark.parametrize("kind", [Noise, Scaled, Alone])
def test_a_forward_that_draws_runs_once(kind):
    y = kind()(Variable(2.0, name="x"))
    calls, state = Noise.calls, np.random.get_state()[2]
    said = lines(y)
    assert (Noise.calls, np.random.get_state()[2]) == (calls, state)
    assert said[0].endswith(f"   = {y.data:.5g}")
    assert said[0].startswith(f"y = {kind.__name__}(x);")


class Kept(Function):
    "What a rule writes into and what it keeps are arrays of its own."

    def forward(self, x):
        self.seen = x + 1
        return self.seen * 2

    def gx(self, gy, x):
        g = self.seen
        g = g * gy
        g /= len(x)
        return g

    rules = (gx,)


def test_terms_take_the_place_of_results_and_of_kept_arrays():
    y = Kept()(Variable(np.ones(4), name="x"))
    assert lines(y)[1].startswith("gx = self.seen * gy / 4;")
    assert y.creator.seen.tolist() == [2.0] * 4
    a, b = Term(np.ones(2), "a"), Term(np.ones(2), "b")
    first = a
    a *= b + 1
    assert (a.text, first.text, first.value.tolist()) == ("a * (b + 1)", "a", [1.0, 1.0])
    assert a.value.tolist() == [2.0, 2.0]
    assert np.stack([a, b], 1).text == "stack([a * (b + 1), b], 1)"
    assert np.where(((a == b) & (a > 1)), a, -1).text.startswith("where((a * (b + 1) == b) & (")
    assert ((a == b).astype(float) / 2).text == "(a * (b + 1) == b) / 2"


# What such formulas are made of.
SPACE = {
    name: getattr(np, name)
    for name in "sin cos cosh sinh exp log sqrt sign absolute maximum minimum where clip flip"
    " floor_divide hypot moveaxis logical_not broadcast_to einsum invert stack inf copysign"
    " zeros_like bitwise_or".split()
} | {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "inv": np.linalg.inv, "solve": np.linalg.solve}

# Rules that are told in the words of their class, or by their name.
NOT_FOLLOWED = set(
    "GetItem PutItem Concat Split Stack Where Prod Einsum GELU SoftmaxCrossEntropy"
    " Max Min LogAddExp Det Cholesky"
    # stage 5
    " Conv2d Deconv2d Conv2DGradW Im2col Col2im Pooling Pooling2DGrad Pooling2DWithIndexes"
    " AveragePooling Standardize BatchNormalization LayerNormalization RNNSteps"
    " LSTMSteps GRUSteps Rows AddRows Attention Rotary SplitHeads JoinHeads".split()
)


def backward_steps(entry, shapes, options):
    """The ways back of an entry: the function, gradients in and out, lines, names."""
    rng = np.random.default_rng(3)
    arrays = [np.asarray(place(rng, shape), float) for place, shape in zip(entry.places, shapes)]
    y = entry.call(*map(Variable, arrays), *options)
    if y.creator is not None:
        assert replay(y).html.count("<svg") == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for f, i, gys, gx in _flows(Story(y)) if y.creator is not None else ():
            lines = replaying._backward_lines(f, i, gys, gx, outputs_of(f))
            yield f, [*gys, *[x.data for x in (*f.inputs, *outputs_of(f))]], gx, *lines


@pytest.mark.parametrize("entry", [pytest.param(e, id=e.names.split()[0]) for e in ENTRIES])
@tried(4)
@given(data=st.data())
def test_every_function_can_be_replayed_and_its_formulas_are_true(entry, data):
    for f, values, gx, said, used in backward_steps(entry, *data.draw(entry.drawn())):
        assert used, (said, "speaks of no number")
        known = {name: np.asarray(values[k]) for name, k in used}
        formula = said[0].partition(" = ")[2]
        assert "self." not in formula and "apply(" not in formula
        (count,) = np.shape(f.inputs[0].data)[:1] or (1,)
        formula = formula.replace("the number of examples", str(max(count, 1)))
        try:
            found = eval(formula, SPACE | known)
        except (NameError, SyntaxError):
            assert type(f).__name__ in NOT_FOLLOWED, formula
            continue
        summed = SumTo(gx.shape).forward(np.asarray(found))
        np.testing.assert_allclose(summed, gx, rtol=1e-3, atol=1e-4)  # numbers have five digits


def test_an_empty_array_as_an_index_has_no_text_that_one_could_type():
    assert format_index(np.zeros((0, 1), bool)) == "mask"
    assert format_index(([], slice(2))) == "indices, :2"
    assert format_index(np.array([True, False])) == "[True, False]"


def test_rules_that_only_self_knows_are_told_in_the_words_of_their_class():
    class Kept(Function):
        words = "{gy} * what was kept of {x}", "the reason"

        def forward(self, x):
            self.kept = 2 * x
            return x * x

        def gx(self, gy, x):
            return gy * self.kept

        rules = (gx,)

    class Unsaid(Kept):
        pass

    x = Variable(np.arange(6.0).reshape(2, 3))
    assert lines(Kept()(x))[1].startswith("gx = gy * what was kept of x;    = (2, 3) 0 2 4 6")
    assert lines(Unsaid()(x))[1].startswith("gx = gy * self.kept;")
    assert lines(x[1])[1].startswith("gx = zeros, gy put in at the index;")
    assert lines(x[[1, 1]])[1].startswith("gx = zeros, gy added at the index;")
    assert lines(F.silu(x))[1].startswith("gx = gy * (sigmoid(x) + y * (1 - sigmoid(x)));")
    assert lines(F.einsum("ij->i", x))[1].startswith("gx = einsum of gy with the other operands;")


def test_functions_without_source_are_traced_too():
    space = {"Function": Function}
    code = """class Hidden(Function):
        def forward(self, x): return x + 1
        gx = lambda self, gy, x: gy
        rules = gx,"""
    exec(dedent(code), space)
    assert lines(space["Hidden"]()(Variable(1.0))) == [
        "y = x + 1;   = 1 + 1;   = 2",
        "gx = gy;    = 1",
    ]


def test_a_function_without_rules_is_not_passed_over():
    class Bare(Function):
        def forward(self, x):
            return x + 1

    class Short(Bare):
        def forward(self, x0, x1):
            return x0 + x1

        def backward(self, gy):
            return gy

    x = Variable(2.0)
    for f, xs, error in ((Bare(), [x], NotImplementedError), (Short(), [x, x], ValueError)):
        with pytest.raises(error, match=type(f).__name__):
            replay(f(*xs))


def test_an_error_in_a_rule_says_where_it_arose():
    class Wrong(Function):
        def forward(self, x):
            return x * 2

        def gx(self, gy, x):
            return np.ones(5)

        rules = (gx,)

    with pytest.raises(ValueError, match=r"in the derivative of Wrong\('x' \(3,\) float64\)"):
        replay(Wrong()(Variable(np.ones(3), "x")))


def test_a_linear_function_without_bias():
    assert lines(F.linear(np.ones((2, 3)), Variable(np.ones((3, 1)))))[1].startswith(
        "gW = x.T @ gy"
    )


# --- the story -----------------------------------------------------------------------------------


def total_grads(story):
    """What the nodes show in the end."""
    found = {}
    for step in story.steps:
        found |= step["grads"]
    return found


def test_the_story_ends_with_the_gradients_that_backward_finds():
    x, y = Variable(1.0, name="x"), Variable(1.0, name="y")
    z = goldstein(x, y)
    story = told(z)
    shown = {story.names[key]: text for key, text in total_grads(story).items()}
    assert x.grad is None and y.grad is None and z.grad is None
    z.backward(retain_grad=True)
    assert float(shown["x"]) == x.grad.data == -5376
    assert float(shown["y"]) == y.grad.data == 8064
    for key, text in total_grads(story).items():
        box = story.nodes[key]
        assert box.grad is None or float(text) == pytest.approx(float(box.grad.data), rel=1e-4)


def test_values_appear_in_the_order_in_which_they_were_computed():
    z = goldstein(Variable(1.0, name="x"), Variable(1.0, name="y"))
    story, known = told(z), set()
    for step in story.steps:
        if step["title"].startswith("Forward"):
            made = next(key for key in step["nodes"] if key[0] == "f")
            inputs = {s for s, t, _ in story.arrows if t == made}
            assert inputs <= known
        known |= set(step["shows"])
    assert known == set(story.names)
    order = [step["title"].split(",")[0] for step in story.steps]
    assert [k for k, _ in itertools.groupby(order)] == ["Start", "Forward", "Turn", "Back", "End"]


def test_each_derivative_flows_once_and_meets_the_others():
    x, b, y = small()
    story = told(y)
    back = [step for step in story.steps if step["back"]]
    assert [step["back"] for step in back] == ["5", "2", "2", "2"]
    assert [step["note"] for step in back] == [
        "2 derivatives meet at x. This is the first.",
        "",
        "It is added to what x has already: 5 + 2 = 7.",
        "",
    ]
    assert back[0]["rows"] == [["gy", "1", "gradient of y"], ["x1", "5", "t1"]]
    assert story.steps[-1]["rows"] == [["x", "7", ""], ["b", "2", ""]]
    assert len(set(step["flow"][0] for step in back)) == len(back)


def test_constants_get_no_gradient_and_arrays_are_summed():
    b = Variable(np.array([0.25]), name="b")
    y = Variable(np.ones((3, 1)), name="x") + b
    found = _flows(Story(y))
    assert [np.shape(gx) for *_, gx in found] == [(3, 1), (1,)]
    step = [step for step in told(y).steps if step["back"]][1]
    assert step["lines"] == ["gx1 = gy", "    = (3, 1) 1 1 1", "summed to (1,) 3"]
    assert len(_flows(Story(2.0 * Variable(1.0) + 1.0))) == 2


def test_a_replay_changes_nothing():
    x, b, y = small()
    x.grad = kept = Variable(9.0)
    before = functions_behind(y)
    y.replay()
    assert x.grad is kept and b.grad is None and y.grad is None
    assert functions_behind(y) == before
    y = Book()(Book()(x))
    replay(y)
    assert y.creator.inputs[0].grad is None


def test_what_has_no_name_gets_one_that_says_what_it_is():
    w, v = Variable(np.ones(2), "w"), Variable(np.ones(2), "w")
    y = (Variable(np.ones(2)) * w + v) * np.ones(2) * 3.0 + Variable(np.ones(2), "t2")
    assert [*Story(y).names.values()] == [
        "x1", "w", "t1", "w 2", "t3", "c1", "t4", "3", "t5", "t2", "y",
    ]  # fmt: skip
    twice = Variable(1.0) * 2.0 * 2.0
    assert [*Story(twice).names.values()] == ["x1", "2", "t1", "2", "y"]
    assert [*Story(Variable(1.0, "y") * 2.0).names.values()] == ["y", "2", "t1"]


def test_replays_of_odd_graphs():
    a, b = Twins()(Variable(1.0, name="x"))
    boxes = [
        Variable(3.0), a, b, a * b, Variable(np.ones((0, 3))) * 2.0,
        Variable(np.ones((2, 2, 2))) + 1, Variable(2) * 3,
        Variable(np.float32(2)) ** 2, Variable(np.array([np.nan, np.inf])) * 1.0,
    ]  # fmt: skip
    for y in boxes:
        html = replay(y).html
        ET.fromstring(re.search("<svg.*</svg>", html, re.S)[0])
    with no_grad():
        y = Variable(1.0) * 2.0
    with pytest.raises(RuntimeError, match="no_grad"):
        replay(y)
    for _ in range(151):
        a = -a
    with pytest.raises(ValueError, match="plot_dot_graph"):
        replay(a)


@pytest.mark.parametrize("show", [replay, plot_dot_graph, get_dot_graph], ids=lambda f: f.__name__)
def test_only_the_graph_of_a_variable_is_shown(show, tmp_path):
    for wrong in (3.0, np.ones(2), None):
        with pytest.raises(TypeError, match=r"the graph of a Variable .* this is <class '"):
            show(wrong)


def test_a_replay_needs_numbers():
    with pytest.raises(ValueError, match="a replay needs numbers: 'x' is empty, give it an array"):
        Variable(None, "x").replay()


@pytest.mark.parametrize("name", [*NAMES, "</script><b>", "STEPS", "x" * 300])
def test_any_name_is_legal_in_a_replay(name):
    html = replay(Variable(1.0, name=name) * 2.0).html
    html.encode("utf-8")
    svg = ET.fromstring(re.search("<svg.*</svg>", html, re.S)[0])
    assert len(svg.findall("g[@data-node]") + svg.findall("g[@data-arrow]")) == 7
    assert html.count("<script") == html.count("</script>") == 2


def test_a_replay_is_the_same_each_time_but_for_its_id():
    first, second = (replay(small()[2]).html for _ in range(2))
    ids = [re.search('id="(dz-replay-[0-9a-f]{8}-[0-9]+)"', html)[1] for html in (first, second)]
    assert ids[0] != ids[1]
    assert first.replace(ids[0], "") == second.replace(ids[1], "")
    assert "http" not in first


def test_the_layout_has_no_overlaps():
    x, y = Variable(1.0, name="x"), Variable(1.0, name="y")
    html = replay(goldstein(x, y)).html
    svg = ET.fromstring(re.search("<svg.*</svg>", html, re.S)[0])
    boxes = []
    for g in svg.findall("g[@transform]"):
        mx, my = (float(v) for v in re.findall(r"-?[\d.]+", g.get("transform")))
        rect = {k: float(v) for k, v in g.find("rect").attrib.items()}
        boxes.append((mx + rect["x"], my + rect["y"], rect["width"], rect["height"]))
    assert len(boxes) == 95
    for (a, b, w, h), (c, d, u, v) in itertools.combinations(boxes, 2):
        assert a + w < c or c + u < a or b + h < d or d + v < b
    left, top, wide, tall = (float(v) for v in svg.get("viewBox").split())
    assert all(a >= left and b >= top for a, b, _, _ in boxes)
    assert all(a + w <= left + wide and b + h <= top + tall for a, b, w, h in boxes)


def test_replay_is_a_method_and_writes_a_page(tmp_path):
    _, _, y = small()
    result = y.replay(to_file=tmp_path / "a replay.html")
    page = (tmp_path / "a replay.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and result.html in page
    assert "<title>Replay of y</title>" in page
    assert repr(result) == "<Replay of y>" and result._repr_html_() == result.html
    assert dezero.visualize.replay is replay
