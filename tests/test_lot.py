"""The repository as a whole. Each check of tools/checks.py holds here, and finds what it is for.

That a check can fail is proved on a small copy of the project with one fault.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from commands import call

from tools import checks, notebooks, package, readme
from tools.checks import CHECKS, COLUMNS
from tools.notebooks import ROOT


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_all_is_well(check):
    found = check(ROOT)
    assert not found, "\n".join(found)


# --- a small project in which all is well -------------------------------------------------------


def code(source, *outputs):
    empty = {"cell_type": "code", "execution_count": None, "id": "", "metadata": {}}
    return {**empty, "source": source, "outputs": list(outputs)}


def prose(source):
    return {"cell_type": "markdown", "id": "", "metadata": {}, "source": source}


def result(**data):
    data = {f"text/{mime}": value for mime, value in data.items()}
    return {"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": data}


def save(root, name, *cells):
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    nb = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebooks.write(root / name, notebooks.text(notebooks.clean(nb)))


VERSION = checks.settings()["metadata"]["version"]
PIN = next(line for line in checks.settings()["extras"]["dev"].split() if "nbdev==" in line)
CORE, NEXT, INDEX = "nbs/00_core.ipynb", "nbs/01_next.ipynb", "index.ipynb"
STORY = "nbs/examples/story.ipynb"


@pytest.fixture
def small(tmp_path):
    root = tmp_path.resolve()
    save(
        root,
        CORE,
        code("#| default_exp core"),
        prose("# Core\n\n> Boxes."),
        code("#| export\ndef box(x):\n    return x"),
        code("box(0.5)", result(plain="0.5")),
    )
    save(
        root,
        NEXT,
        code("#| default_exp next"),
        code("#| export\nfrom dezero.core import box"),
        code("#| export\ndef twice(x):\n    return 2 * box(x)"),
    )
    save(root, STORY, prose("# A story"), code("1 + 1", result(plain="2")))
    save(
        root,
        INDEX,
        prose("# Front\n\n![boxes](images/box.svg)"),
        code("#| hide\nsecret = 1"),
        code("1 + 1", result(plain="2", html="<b>2</b>")),
        code("#| hide_input\nquiet = 1", result(markdown="*said*")),
        code("#| hide_output\nloud = 1", result(plain="unsaid")),
    )
    (root / "dezero").mkdir()
    edit(root, "dezero/__init__.py", '"""The package."""\n\nfrom dezero.core import box\n')
    for name in ("pyproject.toml", "settings.ini"):
        shutil.copy(ROOT / name, root)
    notebooks.write(root / checks.PUBLIC, "# a comment\ncore: box\nnext:\n    twice\n")
    package.export(root, say=lambda *_: None)
    notebooks.write(root / readme.README, readme.readme(root))
    assert [complaint for check in CHECKS for complaint in check(root)] == []
    return root


def edit(root, name, new, old=None):
    """Write a file, or replace a part of it."""
    path = root / name
    if old is not None:
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        new = text.replace(old, new)
    path.write_text(new, encoding="utf-8", newline="\n")


def change(root, name, number, **fields):
    """Change fields of a cell and write the notebook as Jupyter would."""
    nb = notebooks.read(root / name)
    nb["cells"][number].update(fields)
    notebooks.write(root / name, notebooks.text(nb))


LATER = """from typing import TYPE_CHECKING

from dezero.lazy import import_later

if TYPE_CHECKING:
    from dezero import next
    from dezero.next import twice
else:
    __getattr__, __dir__ = import_later(__name__, {{"dezero": "next", {}}})
"""


def test_a_facade_may_import_later(small):
    edit(small, "dezero/__init__.py", LATER.format("'dezero.next': 'twice'"))
    assert checks.upward_imports(small) == []


def spoil_notebook_metadata(root):
    nb = notebooks.read(root / CORE)
    nb["metadata"]["language_info"] = {"version": "3.11"}
    notebooks.write(root / CORE, notebooks.text(nb))


def old_chapter(root, new, old):
    """A chapter for old programs, and a chapter of the main line that imports it."""
    save(root, "nbs/70_old.ipynb", code("#| default_exp old"), code("#| export\nold = 1"))
    package.export(root, say=lambda *_: None)
    edit(root, "dezero/next.py", new, old)


FAULTS = [
    # stray metadata
    (spoil_notebook_metadata, f"{CORE} is not clean: run `make tidy`."),
    (lambda r: change(r, CORE, 2, metadata={"scrolled": True}), "is not clean"),
    (lambda r: change(r, CORE, 2, execution_count=7), "is not clean"),
    (lambda r: change(r, INDEX, 0, metadata={"tags": []}), "index.ipynb is not clean"),
    # directives
    (lambda r: change(r, CORE, 3, source="#export\nx = 1"), "`#export` does nothing"),
    (lambda r: change(r, CORE, 3, source="# export\nx = 1"), "`# export` does nothing"),
    (lambda r: change(r, CORE, 3, source="#default_exp core"), "`#default_exp core` does nothing"),
    (lambda r: change(r, CORE, 3, source="#|hide\nx = 1"), "`#|hide` is neither"),
    (lambda r: change(r, CORE, 3, source="#| hyde\nx = 1"), "`#| hyde` is none of"),
    (lambda r: change(r, CORE, 3, source="x = 1\n#| hide"), "must stand at the top"),
    (lambda r: change(r, CORE, 3, source="#| default_exp core"), "2 cells `#| default_exp`"),
    (lambda r: change(r, CORE, 0, source="x = 1"), "`#| export` but no `#| default_exp`"),
    (lambda r: change(r, CORE, 2, source="x = 1"), "`#| default_exp` but no `#| export`"),
    (lambda r: (r / NEXT).rename(r / "nbs/next.ipynb"), "only numbered notebooks"),
    (
        lambda r: change(r, STORY, 1, source="#| export\nx = 1"),
        f"{STORY} exports code: only numbered notebooks of nbs/ may.",
    ),
    (lambda r: change(r, CORE, 1, attachments={"a.png": {}}), "put a file into images/"),
    # outputs
    (
        lambda r: change(r, CORE, 3, outputs=[result(plain="<A at 0x7f12ab34cd>")]),
        "cell 3 shows a memory address",
    ),
    (
        lambda r: change(
            r, CORE, 3, outputs=[{"output_type": "stream", "name": "stderr", "text": "Warning"}]
        ),
        "cell 3 prints on stderr",
    ),
    (
        lambda r: change(
            r, CORE, 3, outputs=[{"output_type": "error", "ename": "E", "traceback": []}]
        ),
        "cell 3 shows an error",
    ),
    # export
    (
        lambda r: change(r, CORE, 2, source="#| export\ndef box(x):\n    return [x]"),
        "dezero/core.py differs from a fresh export: run `make export`.",
    ),
    (lambda r: edit(r, "dezero/next.py", "3 * box", "2 * box"), "dezero/next.py differs"),
    (lambda r: (r / "dezero/next.py").unlink(), "dezero/next.py differs"),
    (lambda r: edit(r, "dezero/extra.py", "x = 1\n"), "dezero/extra.py comes from no notebook"),
    # one home
    (lambda r: change(r, NEXT, 0, source="#| default_exp core"), "both export to core"),
    (
        lambda r: change(r, NEXT, 2, source="#| export\ndef box(x): return 2"),
        f"{NEXT} exports box, which {CORE} exports already.",
    ),
    (
        lambda r: change(r, NEXT, 2, source="#| export" + "\n@patch\ndef a(self: B): pass\n" * 2),
        f"{NEXT} exports B.a, which {NEXT} exports already.",
    ),
    (
        lambda r: change(r, NEXT, 2, source="#| export" + "\nB.a, other = 1, 2" * 2),
        f"{NEXT} exports B.a, which {NEXT} exports already.",
    ),
    # imports
    (
        lambda r: edit(r, "dezero/core.py", "from .next import twice\n\ndef box", "def box"),
        "dezero/core.py imports dezero.next, which comes later in the book.",
    ),
    (
        lambda r: edit(r, "dezero/core.py", "import dezero.next\n\ndef box", "def box"),
        "import cycle: dezero.core -> dezero.next",
    ),
    (
        lambda r: edit(r, "dezero/next.py", "    from . import core\n    return 2", "    return 2"),
        "imports dezero inside a function",
    ),
    (
        lambda r: edit(r, "dezero/next.py", "from dezero import box", "from .core import box"),
        "dezero/next.py imports dezero, which is a facade",
    ),
    (
        lambda r: edit(r, "dezero/next.py", "core import _box", "core import box"),
        "dezero/next.py imports dezero.core._box, which is internal there.",
    ),
    (
        lambda r: old_chapter(r, "from dezero import old\n\ndef twice", "def twice"),
        "dezero/next.py imports dezero.old, which is for old programs.",
    ),
    (lambda r: edit(r, "dezero/__init__.py", "x = 1\n"), "is a facade: it may import"),
    (
        lambda r: edit(r, "dezero/__init__.py", LATER.format("'dezero.next': 'twice more'")),
        "is a facade: it may import",
    ),
    # public names
    (
        lambda r: edit(r, checks.PUBLIC, "core: box\nnext: twice thrice\n"),
        "dezero/next.py does not offer thrice, which tools/public.txt lists.",
    ),
    (
        lambda r: edit(r, checks.PUBLIC, "core: box\n"),
        "dezero/next.py offers twice: use `#| exporti`, or list it in tools/public.txt.",
    ),
    (
        lambda r: edit(r, checks.PUBLIC, "core: box\nnext: twice\nlast: x\n"),
        "tools/public.txt lists names of last, which is no module.",
    ),
    # README
    (lambda r: change(r, INDEX, 0, source="# New"), "README.md differs from what index.ipynb"),
    (lambda r: edit(r, "README.md", "# Fronts", "# Front"), "README.md differs"),
    (lambda r: (r / "README.md").unlink(), "README.md differs"),
    # metadata
    (
        lambda r: edit(r, "pyproject.toml", "[project]\nname = 'dezero'\n\n[build", "[build"),
        "pyproject.toml holds metadata",
    ),
    (lambda r: edit(r, "dezero/__init__.py", f"v = '{VERSION}'\n"), f"repeats '{VERSION}'"),
    (lambda r: edit(r, "tasks.yml", f"pip install {PIN}\n"), f"repeats '{PIN}'"),
    (lambda r: edit(r, "settings.ini", "min_python = 3.11", "min_python = 3.10"), '"3.11"'),
]


@pytest.mark.parametrize("spoil, complaint", FAULTS)
def test_a_fault_is_found(small, spoil, complaint):
    spoil(small)
    found = [told for check in CHECKS for told in check(small)]
    assert any(complaint in told for told in found), found


def test_a_notebook_that_another_program_laid_out_is_found_and_mended(small):
    nb = json.loads((small / CORE).read_text(encoding="utf-8"))
    (small / CORE).write_text(json.dumps(nb), encoding="utf-8")
    assert checks.stray_metadata(small) == [f"{CORE} is not clean: run `make tidy`."]
    notebooks.write(small / CORE, notebooks.text(notebooks.clean(notebooks.read(small / CORE))))
    assert checks.stray_metadata(small) == []


@pytest.mark.parametrize(
    "line, fits", [("x" * COLUMNS, 1), ("x" * COLUMNS + "x", 0), ("#| alt: " + "x" * COLUMNS, 1)]
)
def test_code_is_as_wide_as_the_page(small, line, fits):
    change(small, CORE, 3, source=f"{line}\n1")
    assert (checks.wide_code(small) == []) == fits


@pytest.mark.parametrize("line", ["exporti", "your_turn", "checked", "fold: why so long"])
def test_the_directives_we_know(small, line):
    change(small, NEXT, 1, source=f"#| {line}\nfrom dezero.core import box")
    assert checks.odd_directives(small) == []


def test_the_main_line_may_import_the_workshop_but_not_in_a_circle(small):
    save(small, "nbs/50_hall.ipynb", code("#| default_exp hall"), code("#| export\nx = 1"))
    change(small, CORE, 2, source="#| export\nfrom dezero.hall import x\n\ndef box(x): return x")
    package.export(small, say=lambda *_: None)
    assert checks.upward_imports(small) == []
    edit(small, "dezero/hall.py", "from dezero import core\n")
    assert checks.upward_imports(small) == ["import cycle: dezero.core -> dezero.hall"]


def test_jupyterlab_hides_solutions(small):
    change(small, CORE, 3, source="#| solution\nx = 1")
    assert checks.stray_metadata(small)
    tidy = notebooks.clean(notebooks.read(small / CORE))
    assert [cell["metadata"] for cell in tidy["cells"]] == [
        {"jupyter": {"source_hidden": True}}, {}, {}, {"jupyter": {"source_hidden": True}}
    ]  # fmt: skip
    notebooks.write(small / CORE, notebooks.text(tidy))
    assert checks.stray_metadata(small) == []


def test_our_layout_is_jupyters():
    import nbformat

    for path in notebooks.notebooks():
        nb = nbformat.from_dict(json.loads(path.read_text(encoding="utf-8")))
        nbformat.validate(nb)
        assert notebooks.text(notebooks.read(path)) == nbformat.v4.writes(nb) + "\n"


def test_export_writes_only_what_changes(small):
    def export():
        return package.export(small, say=lambda *_: None)

    assert export() == []
    change(small, CORE, 2, source="#| export\ndef box(x):\n    return [x]")
    assert export() == ["core.py"]
    edit(small, "dezero/next.py", "# by hand\n")
    assert export() == ["next.py"]
    assert checks.stale_export(small) == []


def test_a_stale_stub_is_found(small):
    grown = "#| export\nclass Bag: pass\n\n@patch\ndef size(self: Bag) -> int: return 1"
    change(small, NEXT, 2, source=grown)
    assert package.export(small, say=lambda *_: None) == ["next.py", "next.pyi"]
    assert checks.stale_export(small) == []
    edit(small, "dezero/next.pyi", "-> str", "-> int")
    (told,) = checks.stale_export(small)
    assert told == "dezero/next.pyi differs from a fresh export: run `make export`."
    change(small, NEXT, 2, source="#| export\nclass Bag: pass")
    package.export(small, say=lambda *_: None)
    assert checks.stale_export(small) == [
        "dezero/next.pyi comes from no notebook: write a notebook or remove it."
    ]


def test_the_readme_obeys_the_directives(small):
    assert readme.readme(small) == (
        f"{readme.NOTE}\n\n# Front\n\n![boxes](images/box.svg)\n\n"
        "```python\n1 + 1\n```\n\n```text\n2\n```\n\n*said*\n\n```python\nloud = 1\n```\n"
    )


def test_the_readme_refuses_a_drawn_picture(small):
    picture = {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg/>"}}
    change(small, INDEX, 2, outputs=[picture])
    with pytest.raises(SystemExit, match="cell cell-2: a README cannot show a picture"):
        readme.readme(small)


# --- tools --------------------------------------------------------------------------------------


def test_ruff_finds_nothing():
    status, told = call("ruff", "check", "--no-cache", "--output-format", "concise", ".", cwd=ROOT)
    assert status == 0, told
    assert told == "All checks passed!\n"


def test_ruff_reads_python_and_notebooks(small):
    change(small, CORE, 3, source="import os")
    edit(small, "dezero/bad.py", "import sys\n")
    status, told = call("ruff", "check", "--no-cache", "--output-format", "concise", ".", cwd=small)
    assert status == 1
    assert "00_core.ipynb:cell 4:1:8: F401" in told and "bad.py:1:8: F401" in told


def test_pyright_finds_nothing():
    status, told = call("pyright", "--pythonpath", sys.executable, cwd=ROOT)
    assert status == 0, told
    assert told.splitlines()[-1] == "0 errors, 0 warnings, 0 informations"


def test_pyright_reads_the_package(small):
    for name in ("tools", "images"):
        (small / name).mkdir(exist_ok=True)
    edit(small, "setup.py", "")
    edit(small, "dezero/bad.py", "x: int = 'one'\n")
    status, told = call("pyright", "--pythonpath", sys.executable, cwd=small)
    assert status == 1 and "reportAssignmentType" in told


def test_the_git_hook_cleans_what_is_committed(small):
    def git(*words):
        quiet = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "core.autocrlf=false"]
        env = {**os.environ, "PYTHON": sys.executable, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([*quiet, *words], cwd=small, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    shutil.copytree(ROOT / "tools", small / "tools", dirs_exist_ok=True)
    shutil.copytree(ROOT / ".githooks", small / ".githooks")
    assert git("init", "-q")[0] == 0
    assert git("config", "core.hooksPath", ".githooks")[0] == 0
    change(small, CORE, 2, execution_count=7)
    git("add", CORE)
    status, told = git("commit", "-qm", "dirty")
    assert status == 0, told
    committed = git("show", f"HEAD:{CORE}")[1]
    assert '"execution_count": 7' not in committed
    assert committed == (small / CORE).read_text(encoding="utf-8")

    change(small, CORE, 2, execution_count=8)
    git("add", CORE)
    change(small, CORE, 2, execution_count=9)
    status, told = git("commit", "-qm", "half staged")
    assert status != 0 and "not staged" in told


def test_make_lists_its_targets():
    wanted = "help book test lab serve export refresh lint types clean figures".split()
    done = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True)
    listed = re.findall(r"^  make (\w+) ", done.stdout, re.MULTILINE)
    assert set(wanted) <= set(listed)


# --- wheel and sdist ----------------------------------------------------------------------------

BOOK = """if True:
    import sys
    import numpy as np
    from dezero import Function, Variable

    class Square(Function):
        def forward(self, x):
            return x ** 2
        def backward(self, gy):
            x, = self.inputs
            return 2 * x * gy if hasattr(Variable, '__mul__') else Variable(2 * x.data * gy.data)

    class Exp(Function):
        def forward(self, x):
            return np.exp(x)
        def backward(self, gy):
            return Variable(np.exp(self.inputs[0].data) * gy.data)

    x = Variable(np.array(0.5))
    y = Square()(Exp()(Square()(x)))
    y.backward()
    print(float(y.data), float(x.grad.data), sys.modules['dezero'].__file__)
    """

# And a network: the digits must be in the wheel, and nothing but NumPy be needed to learn them.
READING = """if True:
    import numpy as np
    import dezero.functions as F
    from dezero import DataLoader
    from dezero.datasets import Digits
    from dezero.models import MLP
    from dezero.optimizers import Adam
    from dezero.training import Checkpoint, Trainer

    np.random.seed(0)
    test = DataLoader(Digits(train=False), 100, shuffle=False)
    trainer = Trainer(MLP((50, 10), F.relu), Adam(0.01), F.softmax_cross_entropy, F.accuracy,
                      Checkpoint('run.npz'))
    history = trainer.fit(DataLoader(Digits(), 50), test, epochs=5)
    trainer.model.save_weights('model.npz')
    print(history['valid_accuracy'][-1])
    """


def modules():
    """The modules of the package, and the stubs beside them."""
    paths = [*checks.python_files(ROOT), *(ROOT / "dezero").rglob("*.pyi")]
    return {path.relative_to(ROOT).as_posix() for path in paths}


def test_the_sdist_carries_what_setup_py_reads(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"settings.ini", "setup.py", "pyproject.toml", "README.md", "LICENSE"}
    assert wanted | modules() | {"dezero/py.typed"} <= names


def test_the_wheel_carries_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if not re.match(r"dezero-[\d.]+\.dist-info/", n)}
    data = {path.relative_to(ROOT).as_posix() for path in (ROOT / "dezero/data").iterdir()}
    assert "dezero/data/digits.npz" in data
    assert names == modules() | data | {"dezero/py.typed"}


def test_the_wheel_works_in_an_empty_environment_with_numpy_alone(alone, tmp_path):
    def told_by(program):
        done = subprocess.run(
            [str(alone), "-W", "error", "-c", program],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )
        return done.stdout

    y, gx, where = told_by(BOOK).split(maxsplit=2)
    assert float(y) == 1.648721270700128
    assert float(gx) == pytest.approx(3.297442541400256, rel=1e-15)
    assert Path(where.strip()).is_relative_to(alone.parent.parent)
    assert float(told_by(READING).split()[-1]) > 0.9
    assert (tmp_path / "run.npz").is_file() and (tmp_path / "model.npz").is_file()
    assert (Path(where.strip()).parent / "py.typed").is_file()
