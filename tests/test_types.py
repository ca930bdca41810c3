"""What editors and type checkers see: the stubs, made from the signatures of the modules."""

import ast
import json
import re

import pytest
from commands import call

from tools.checks import public_names
from tools.stubs import stubs


def stub_of(**modules):
    """The stub of `core`, a class `Box` in it, and what some modules add."""
    core = "class Box:\n    name = None\n    def __init__(self, data): self.data = data\n"
    texts = {"core.py": core + modules.pop("core", "")}
    texts |= {f"{name}.py": text for name, text in modules.items()}
    return stubs(texts)["core.pyi"]


def members(stub, name="Box"):
    """The lines of a class, without its indentation."""
    (body,) = [n for n in ast.parse(stub).body if isinstance(n, ast.ClassDef) and n.name == name]
    return [ast.unparse(node).replace("\n    ...", " ...") for node in body.body]


FROM_CORE = "from dezero.core import Box, patch\n"


def test_a_patched_method_stands_in_its_class():
    more = FROM_CORE + "@patch\ndef sum(self: Box, axis: int = 0) -> 'Box': return self\n"
    assert "def sum(self, axis: int=0) -> Box: ..." in members(stub_of(more=more))


def test_a_patched_property_and_its_setter():
    core = "@patch\n@property\ndef half(self: Box) -> float: return 1.0\n"
    core += "@patch\n@half.setter\ndef half(self: Box, x): pass\n"
    found = members(stub_of(core=core))
    assert "@property\ndef half(self) -> float: ..." in found
    assert "@half.setter\ndef half(self, x) -> None: ..." in found or any(
        "half.setter" in f for f in found
    )


def test_a_setter_that_is_added_by_hand():
    core = "@patch\n@property\ndef half(self: Box) -> float: return 1.0\n"
    core += "def set_half(box: Box, x: float): box.x = x\nBox.half = Box.half.setter(set_half)\n"
    found = members(stub_of(core=core))
    assert "@half.setter\ndef half(self, x: float) -> None: ..." in found


def test_functions_become_methods_under_other_names():
    more = FROM_CORE + "def total(x: Box, axis=None) -> Box: return x\n"
    more += "add_methods(sum=total, T=property(total))\n"
    found = members(
        stub_of(
            more="from dezero.other import add_methods\n"
            + more.replace("add_methods(", "add_methods(Box, ")
        )
    )
    assert "def sum(self, axis=None) -> Box: ..." in found
    assert "@property\ndef T(self) -> Box: ..." in found


def test_what_a_maker_of_functions_promises():
    more = FROM_CORE + (
        "def operator(f) -> Callable[[Any, Any], Box]: ...\nadd = operator(1)\n"
        "add_methods(Box, __add__=add)\n"
    )
    assert "def __add__(self, x1: Any) -> Box: ..." in members(stub_of(more=more))


def test_the_imports_that_a_method_needs_come_along():
    more = FROM_CORE + (
        "import numpy as np\nfrom collections.abc import Iterator\nclass Log: pass\n"
        "@patch\ndef log(self: Box, x: np.ndarray) -> Iterator[Log]: return 1\n"
    )
    stub = stub_of(more=more)
    for line in (
        "import numpy as np",
        "from collections.abc import Iterator",
        "from dezero.more import Log",
    ):
        assert line in stub.splitlines()


def test_attributes_are_found_wherever_a_method_stores_them():
    more = FROM_CORE + "@patch\ndef fit(self: Box, n: int): self.n, self.last = n, 2\n"
    assert members(stub_of(more=more))[-3:] == ["data: Any", "n: int", "last: Any"]


@pytest.mark.parametrize(
    "body, returned",
    [
        ("self.x = 1", " -> None"),
        ("yield self.x", " -> Iterator[Any]"),
        ("return self", " -> _Self"),
        ("return self.x", ""),
        ("raise NotImplementedError", ""),
    ],
)
def test_what_a_method_returns_where_its_text_leaves_no_doubt(body, returned):
    core = f"class Other:\n    def f(self, x): {body}\n@patch\ndef g(self: Box): return 1\n"
    line = members(stub_of(core=core), "Other")[0]
    me = "self: _Self" if returned == " -> _Self" else "self"
    assert line == f"def f({me}, x){returned}: ..."


def test_jedi_is_told_what_stands_beside_any():
    stub = stub_of(core="@patch\ndef f(self: Box, x: 'Box | Any'): return 1\n")
    assert "def f(self, x: Union[Box, Any]): ..." in members(stub)
    assert "from typing import Union" in stub.splitlines()


def test_a_module_whose_classes_do_not_grow_needs_no_stub():
    assert list(stubs({"core.py": "class Box: pass\n"})) == []


def test_every_public_function_says_what_it_takes_and_returns(root):
    silent = []
    for name, public in public_names(root).items():
        path = root / "dezero" / f"{name.replace('.', '/')}.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name in public:
                kinds = [arg.annotation for arg in ast.walk(node.args) if isinstance(arg, ast.arg)]
                if not all([*kinds, node.returns]):
                    silent.append(f"{name}.{node.name}")
    assert silent == []


# --- an installed wheel, as a program of a reader sees it ----------------------------------------


def checked(python, folder, program):
    """What pyright says of a program, in the environment of this Python."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "standard"}))
    status, told = call("pyright", "--pythonpath", str(python), "program.py", cwd=folder)
    return status, re.sub(r"^.*program.py:(\d+):\d+ - ", r"\1: ", told, flags=re.MULTILINE)


def test_pyright_accepts_every_example_of_the_readme(root, alone, tmp_path):
    readme = (root / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert examples
    status, told = checked(alone, tmp_path, "\n".join(examples))
    assert status == 0, told


PROGRAM = """
import numpy as np
import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Variable
from dezero.models import MLP

x = Variable(np.ones((2, 3)))
y = F.sum(F.exp(x) * 2 + 1)
y.backward()
model = MLP((10, 1))
"""
VARIABLES = [
    "x",
    "y",
    "x + 1",
    "1 - x",
    "x @ x.T",
    "x[0]",
    "F.exp(x)",
    "x.reshape(3, 2)",
    "x.sum()",
]
VARIABLES += ["model(x)", "L.Linear(3)(x)", "x.grad", "F.mean_squared_error(x, x)"]


def test_pyright_knows_what_gives_a_variable(alone, tmp_path):
    asked = "\n".join(f"reveal_type({expression})" for expression in VARIABLES)
    status, told = checked(alone, tmp_path, PROGRAM + asked + "\nreveal_type(dezero.__version__)")
    kinds = dict(re.findall(r'information: Type of "(.*)" is "(.*)"', told))
    assert status == 0, told
    unknown = [e for e in VARIABLES if not kinds[e].startswith("Variable")]
    assert not unknown, [(e, kinds[e]) for e in unknown]
    assert kinds["dezero.__version__"] == "str"


def test_pyright_finds_a_slip_in_a_switch(alone, tmp_path):
    right = "from dezero import Config\nConfig.enable_backprop = False\n"
    right += "Config.train = not Config.train and Config.update_statistics\n"
    assert checked(alone, tmp_path, right)[0] == 0
    status, told = checked(alone, tmp_path, right + "Config.trian = False\nprint(Config.foo)\n")
    assert status == 1 and re.search(r"^4: .*trian", told, re.MULTILINE), told
    assert re.search(r"^5: .*foo", told, re.MULTILINE), told


@pytest.mark.parametrize("expression", [e for e in VARIABLES if e != "1 - x"])  # jedi asks the 1
def test_jedi_completes_a_variable(alone, expression):
    import jedi

    (packages,) = [*alone.parent.parent.glob("[lL]ib/**/site-packages")]
    project = jedi.Project(packages, sys_path=[str(packages)], smart_sys_path=False)
    lines = PROGRAM + f"z = {expression}\nz."
    found = {name.name for name in jedi.Script(lines, project=project).complete()}
    assert {"backward", "grad", "reshape", "sum", "T", "data", "shape"} <= found
