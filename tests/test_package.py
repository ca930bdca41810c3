"""The package from outside: what importing it brings along, and its metadata."""

import subprocess
import sys
from configparser import ConfigParser
from importlib import import_module
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest

import dezero


def python(code, cwd):
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_importing_dezero_imports_numpy_and_nothing_else(root):
    code = """if True:
        import sys, numpy
        before = set(sys.modules)
        import dezero
        tops = {name.partition('.')[0] for name in set(sys.modules) - before}
        print(*sorted(tops - set(sys.stdlib_module_names)))
        """
    assert python(code, root).split() == ["dezero"]


def test_importing_dezero_is_quick_because_it_imports_little(root):
    """A clock would tell another story on every machine; what is imported does not change."""
    code = """if True:
        import sys, numpy
        before = set(sys.modules)
        import dezero
        print(*[m for m in set(sys.modules) - before if m.partition('.')[0] != 'dezero'])
        """
    light = {"copy", "unicodedata", "html", "html.entities", "itertools", "weakref", "contextvars"}
    light |= {"errno"}  # a part of the interpreter
    light |= {"_contextvars", "typing", "typing.io", "typing.re"}  # older NumPy leaves them to us
    assert set(python(code, root).split()) <= light


# `x.replay()` is a method of every Variable, and `environment` sees to the memory: both are there
# from the start.
EAGER = "backprop config context core functions lazy methods numdiff operators _version".split()
EAGER += "environment files replay trace visualize".split()


def test_what_a_program_may_never_use_loads_when_it_is_asked_for(root):
    code = """if True:
        import sys, dezero
        print(*[m for m in sys.modules if m.startswith('dezero.')], sep='\\n')
        """
    loaded = {name.split(".")[1] for name in python(code, root).split()}
    assert loaded <= {*EAGER}
    code = """if True:
        import sys, dezero
        assert 'training' in dir(dezero) and 'dezero.training' not in sys.modules
        print(dezero.training.Trainer.__name__, dezero.Dataset is dezero.datasets.Dataset)
        from dezero import *
        print(DataLoader.__name__, is_simple_core)
        """
    assert python(code, root).split() == ["Trainer", "True", "DataLoader", "False"]


def test_a_missing_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'dezero' has no attribute 'Trainer'"):
        _ = dezero.Trainer  # pyright: ignore
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from dezero.functions import nothing  # pyright: ignore  # noqa: F401


def test_what_loads_late_adds_methods_to_no_class_that_is_there_from_the_start(root):
    code = """if True:
        import importlib, pkgutil, sys, dezero
        modules = [m for name, m in sorted(sys.modules.items()) if name.startswith('dezero.')]
        classes = {c for m in modules for c in vars(m).values() if isinstance(c, type)}
        before = {c: set(vars(c)) for c in classes if c.__module__.startswith('dezero.')}
        for info in pkgutil.walk_packages(dezero.__path__, 'dezero.'):
            importlib.import_module(info.name)
        for cls, had in before.items():
            print(*[f'{cls.__name__}.{name}' for name in set(vars(cls)) - had])
        """
    assert python(code, root).split() == []


def test_the_version_is_that_of_settings_ini(root):
    settings = ConfigParser(delimiters=["="], interpolation=None)
    settings.read(root / "settings.ini", encoding="utf-8")
    assert dezero.__version__ == settings["metadata"]["version"]


def test_dezero_is_typed(root):
    init = Path(python("import dezero; print(dezero.__file__)", root).strip())
    assert init.with_name("py.typed").is_file()


def test_the_installed_metadata_is_that_of_settings_ini(root):
    settings = ConfigParser(delimiters=["="], interpolation=None)
    settings.read(root / "settings.ini", encoding="utf-8")
    installed = metadata("dezero")
    assert installed["Version"] == settings["metadata"]["version"]
    assert installed["Summary"] == settings["metadata"]["description"]
    assert installed["Requires-Python"] == ">=" + settings["metadata"]["min_python"]
    needed = [need for need in requires("dezero") or [] if "extra ==" not in need]
    assert needed == settings["requirements"]["package"].split()
    assert set(installed.get_all("Provides-Extra")) == set(settings["extras"])


# --- the names ----------------------------------------------------------------------------------

FACADES = {
    "dezero": "Variable Parameter Function using_config no_grad test_mode as_array as_variable"
    " __version__ setup_variable Config Layer Model Dataset DataLoader SeqDataLoader grad"
    " is_simple_core core core_simple functions functions_conv layers models optimizers datasets"
    " dataloaders transforms utils published training",
    "dezero.functions": "conv2d_simple conv2d deconv2d im2col col2im pooling_simple pooling"
    " average_pooling",
    "dezero.functions_conv": "conv2d_simple conv2d deconv2d im2col col2im im2col_array col2im_array"
    " pooling_simple pooling average_pooling",
    "dezero.layers": "Layer Linear",
    "dezero.models": "Model Sequential MLP summary",
    "dezero.utils": "get_dot_graph plot_dot_graph sum_to reshape_sum_backward logsumexp"
    " max_backward_shape gradient_check numerical_grad array_equal array_allclose show_progress"
    " cache_dir get_file show_config get_conv_outsize get_deconv_outsize pair",
}


@pytest.mark.parametrize("module", FACADES)
def test_the_names_people_import(module):
    facade = import_module(module)
    assert [name for name in FACADES[module].split() if not hasattr(facade, name)] == []
