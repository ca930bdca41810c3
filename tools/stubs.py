"""The stubs of dezero/, the `.pyi` files that editors and type checkers read.

A chapter may add methods to a class of another chapter, with `@patch` or `add_methods`. Only the
running program knows such a class as a whole. So a module whose classes grow gets a stub, which
shows every class complete. It is made from the signatures of the modules and from nothing else.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.package import absolute, is_patch, is_setter, names_in

HEADER = '"""Made by `make export` from the notebooks, for editors and type checkers."""'
Definition = ast.FunctionDef | ast.AnnAssign | ast.Assign | ast.ClassDef
KEPT = {"property", "staticmethod", "classmethod", "contextmanager", "overload", "dataclass"}
PLAIN = {bool: "bool", int: "int", float: "float", str: "str", bytes: "bytes"}


@dataclass
class Module:
    """A module of dezero: its name, its text as a tree, and what it gives to classes."""

    name: str
    tree: ast.Module
    defined: dict[str, ast.stmt] = field(default_factory=dict)  # by name
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)  # name: (module, its name)

    def __post_init__(self):
        for node in self.tree.body:
            self.defined |= {name: node for name in names_in(node) if "." not in name}
            if isinstance(node, ast.FunctionDef):
                self.defined.setdefault(node.name, node)
            if isinstance(node, ast.ImportFrom):
                home = absolute(node, self.name)
                self.imported |= {a.asname or a.name: (home, a.name) for a in node.names}
            if isinstance(node, ast.Import):
                self.imported |= {a.asname or a.name: (a.name, "") for a in node.names}


def stubs(texts: dict[str, str]) -> dict[str, str]:
    """The stubs of some modules, both by path below dezero/."""
    modules = {}
    for path, text in texts.items():
        name = "dezero." + path.removesuffix(".py").replace("/", ".")
        modules[name] = Module(name, ast.parse(text))
    grown: dict[str, dict[str, list]] = {}
    for module in modules.values():
        for owner, method in additions(module):
            home, name = origin(owner, module, modules)
            grown.setdefault(home, {}).setdefault(name, []).append((module, method))
    return {
        name.removeprefix("dezero.").replace(".", "/") + ".pyi": Stub(modules, name, more).text()
        for name, more in grown.items()
    }


def additions(module: Module) -> Iterator[tuple[str, ast.FunctionDef | ast.keyword]]:
    """What a module adds to classes, and to which: a method, or `name=value`."""
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef) and any(is_patch(d) for d in node.decorator_list):
            owner = node.args.args[0].annotation
            assert owner, f"{module.name}.{node.name} is patched into no class"
            yield ast.unparse(owner).strip("'\""), node
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "add_methods":
            owner = ast.unparse(call.args[0]) if call.args else "Variable"
            yield from ((owner, keyword) for keyword in call.keywords)
        if isinstance(node, ast.Assign) and is_setter(node.value):  # Box.size = Box.size.setter(…)
            owner, name = ast.unparse(node.targets[0]).rsplit(".", 1)
            yield owner, ast.keyword(name, node.value)


def origin(name: str, module: Module, modules: dict[str, Module]) -> tuple[str, str]:
    """The module of dezero where a name was defined, and its name there."""
    while name not in module.defined and module.imported.get(name, ("",))[0] in modules:
        home, name = module.imported[name]
        module = modules[home]
    return module.name, name


class Stub:
    """The stub of one module."""

    def __init__(self, modules: dict[str, Module], name: str, more: dict[str, list]):
        self.modules, self.module, self.more = modules, modules[name], more
        self.extra: dict[str, str] = {}  # imports that methods of other modules need, by name

    def text(self) -> str:
        body = [line for node in self.module.tree.body for line in self.lines(node)]
        used = {n.id for n in ast.walk(ast.parse("\n".join(body))) if isinstance(n, ast.Name)}
        known = self.module.imported
        imports = [
            line
            for node in ast.walk(self.module.tree)
            if isinstance(node, ast.ImportFrom | ast.Import)
            for line in needed(node, used)
        ]
        if "Union" in used:
            self.extra["Union"] = "from typing import Union"
        imports += [line for name, line in sorted(self.extra.items()) if name not in known]
        me = ['_Self = TypeVar("_Self")'] if "TypeVar" in self.extra else []
        text = "\n".join([HEADER, *imports, *me, *body]) + "\n"
        return re.sub(r":\n +\.\.\.$", ": ...", text, flags=re.MULTILINE)

    def lines(self, node: ast.stmt) -> list[str]:
        """A statement of the module, as a stub has it."""
        if isinstance(node, ast.FunctionDef) and any(is_patch(d) for d in node.decorator_list):
            return []
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign):
            return [ast.unparse(made) for made in self.definitions(node)]
        return []

    def definitions(self, node: ast.stmt) -> Iterator[ast.stmt]:
        if isinstance(node, ast.ClassDef):
            yield self.whole_class(node)
        elif isinstance(node, ast.FunctionDef):
            yield self.signature(node)
        elif isinstance(node, ast.AnnAssign):
            kind = unquoted(node.annotation) or self.any()
            yield ast.AnnAssign(node.target, kind, node.value and dots(), node.simple)
        elif isinstance(node, ast.Assign):
            yield from self.values(node)

    # --- values ---

    def values(self, node: ast.Assign) -> Iterator[ast.stmt]:
        """What the names on the left of `=` are."""
        names = [name for name in names_in(node) if "." not in name]
        for name in names:
            if name == "__all__" or self.is_alias(node.value):
                yield node
            else:
                yield annotated(name, self.kind(node.value))

    def is_alias(self, value: ast.expr) -> bool:
        """Is it another name of a function or class?"""
        if not isinstance(value, ast.Name):
            return False
        target = self.module.defined.get(value.id)
        return value.id in self.module.imported or isinstance(
            target, ast.FunctionDef | ast.ClassDef
        )

    def kind(self, value: ast.expr) -> ast.expr:
        """The type of a literal, `Any` for everything else."""
        if isinstance(value, ast.Constant) and type(value.value) in PLAIN:
            return expression(PLAIN[type(value.value)])
        return self.any()

    def any(self) -> ast.expr:
        self.extra["Any"] = "from typing import Any"
        return expression("Any")

    # --- functions ---

    def signature(self, node: ast.FunctionDef, owner: str = "") -> ast.FunctionDef:
        """A function without its body."""
        args = copy.deepcopy(node.args)
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
        for arg in filter(None, every):
            arg.annotation = unquoted(arg.annotation)
        args.defaults = [default(value) for value in args.defaults]
        args.kw_defaults = [value and default(value) for value in args.kw_defaults]
        returns = unquoted(node.returns) or self.returned(node, bool(owner))
        if isinstance(returns, ast.Name) and returns.id == "_Self":
            args.args[0].annotation = expression("_Self")
        kept = [d for d in node.decorator_list if is_kept(d)]
        return function(node.name, args, returns, kept)

    def returned(self, node: ast.FunctionDef, is_method: bool) -> ast.expr | None:
        """What a function without an annotation returns, where its text leaves no doubt."""
        inner = list(own_nodes(node))
        if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in inner):
            self.extra["Iterator"] = "from collections.abc import Iterator"
            self.any()
            return expression("Iterator[Any]")
        given = [n.value for n in inner if isinstance(n, ast.Return) and n.value]
        me = node.args.args[0].arg if is_method and node.args.args else None
        if given and me and all(isinstance(v, ast.Name) and v.id == me for v in given):
            self.extra["TypeVar"] = "from typing import TypeVar"
            return expression("_Self")
        idle = all(isinstance(n, ast.Expr | ast.Pass | ast.Raise) for n in node.body)
        if given or idle and node.name != "__init__":
            return None
        return expression("None")

    def made_function(self, value: ast.expr, module: Module) -> ast.FunctionDef | None:
        """`add = operator(…)`, where `operator` promises a Callable: what that takes and gives."""
        maker = value.func if isinstance(value, ast.Call) else None
        if not isinstance(maker, ast.Name):
            return None
        home, name = origin(maker.id, module, self.modules)
        node = self.modules[home].defined.get(name)
        promise = unquoted(node.returns) if isinstance(node, ast.FunctionDef) else None
        if not (isinstance(promise, ast.Subscript) and ast.unparse(promise.value) == "Callable"):
            return None
        assert isinstance(promise.slice, ast.Tuple)
        kinds, result = promise.slice.elts
        if not isinstance(kinds, ast.List):
            return None
        args = [ast.arg(f"x{i}", kind) for i, kind in enumerate(kinds.elts)]
        made = function("", ast.arguments([], args, None, [], [], None, []), result, [])
        self.borrow(made, self.modules[home])
        return made

    # --- classes ---

    def whole_class(self, node: ast.ClassDef) -> ast.ClassDef:
        """A class with all its members: its own, those of other chapters, and its attributes."""
        members: dict[str, list[ast.stmt]] = {}
        bodies: list[tuple[ast.FunctionDef, Module]] = []
        for inner in node.body:
            if isinstance(inner, ast.Assign) and names_in(inner) == ["__slots__"]:
                for slot in strings(inner.value):
                    members.setdefault(slot, [annotated(slot, self.any())])
            elif isinstance(inner, ast.Assign):
                names = {n for n, what in members.items() if isinstance(what[0], ast.FunctionDef)}
                alias = isinstance(inner.value, ast.Name) and inner.value.id in names
                for name in names_in(inner):
                    kind = annotated(name, self.kind(inner.value))
                    members[name] = [inner if alias else kind]
            elif isinstance(inner, ast.FunctionDef):
                self.add(members, self.signature(inner, node.name))
                bodies.append((inner, self.module))
            elif isinstance(inner, ast.AnnAssign | ast.ClassDef):
                for made in self.definitions(inner):
                    members[names_in(inner)[0]] = [made]
        for module, method in self.more.get(node.name, []):
            self.add(members, self.foreign(method, module))
            if isinstance(method, ast.FunctionDef):
                bodies.append((method, module))
        for method, module in bodies:
            for name, kind in attributes(method):
                if kind is not None and module is not self.module:
                    self.borrow(kind, module)
                members.setdefault(name, [annotated(name, unquoted(kind) or self.any())])
        body = [made for several in members.values() for made in several]
        kept = [d for d in node.decorator_list if is_kept(d)]
        return ast.ClassDef(node.name, node.bases, node.keywords, body or [ast.Expr(dots())], kept)

    def add(self, members: dict[str, list[ast.stmt]], method: ast.stmt) -> None:
        """A method takes the place of an older one; a setter and an overload stand beside it."""
        decorators = method.decorator_list if isinstance(method, ast.FunctionDef) else []
        name = method.name if isinstance(method, ast.FunctionDef) else names_in(method)[0]
        together = {f"{name}.setter", f"{name}.deleter", "overload"}
        if together & {ast.unparse(d) for d in decorators}:
            members.setdefault(name, []).append(method)
        else:
            members[name] = [method]

    def foreign(self, method: ast.FunctionDef | ast.keyword, module: Module) -> ast.stmt:
        """A method that a module adds, and the imports that its annotations need here."""
        if isinstance(method, ast.keyword):
            made = self.bound(method, module)
        else:
            made = self.signature(method, "owner")
            if ast.unparse(made.args.args[0].annotation or dots()) != "_Self":
                made.args.args[0].annotation = None
            self.borrow(made, module)
        return made

    def bound(self, keyword: ast.keyword, module: Module) -> ast.stmt:
        """The member that `add_methods(name=value)` or `Class.name = value` makes."""
        name, value, decorators = keyword.arg or "", keyword.value, []
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "property":
            value, decorators = value.args[0], [expression("property")]
        elif isinstance(value, ast.Call) and is_setter(value):
            value, decorators = value.args[0], [expression(f"{name}.setter")]
        node, home = None, module
        if isinstance(value, ast.Name):
            where, known = origin(value.id, module, self.modules)
            home = self.modules[where]
            node = home.defined.get(known)
        if isinstance(node, ast.FunctionDef):
            made = self.signature(node)
            self.borrow(made, home)
        elif isinstance(node, ast.Assign):
            made = self.made_function(node.value, home)
        else:
            made = self.made_function(value, module)
        if made is None and not name.startswith("__"):
            return annotated(name, self.kind(value))
        if made is None:
            every = ast.arg("args", self.any()), ast.arg("kwargs", self.any())
            args = ast.arguments([], [ast.arg("self")], every[0], [], [], every[1], [])
            made = function(name, args, self.any(), [])
        first = (made.args.posonlyargs + made.args.args)[:1]
        for arg in first:
            arg.arg, arg.annotation = "self", None
        if [ast.unparse(d) for d in decorators] == ["property"]:
            made.args = ast.arguments([], [ast.arg("self")], None, [], [], None, [])
        return function(name, made.args, made.returns, decorators)

    def borrow(self, node: ast.AST, module: Module) -> None:
        """Import here what the annotations of another module name."""
        for part in [inner for a in annotations_within(node) for inner in ast.walk(a)]:
            if not isinstance(part, ast.Name) or module is self.module:
                continue
            if part.id in module.defined:
                self.need(part.id, module.name, part.id)
            elif part.id in module.imported:
                self.need(part.id, *module.imported[part.id])

    def need(self, name: str, home: str, there: str) -> None:
        if there and home in self.modules:
            home, there = origin(there, self.modules[home], self.modules)
        if (home, there) == (self.module.name, name) or name in self.module.imported:
            return
        assert name not in self.module.defined, f"{self.module.name} has another {name}"
        line = f"from {home} import {there}" if there else f"import {home}"
        self.extra[name] = line + (f" as {name}" if name not in (there, home) else "")


# --- pieces of a stub ---------------------------------------------------------------------------


def needed(node: ast.ImportFrom | ast.Import, used: set[str]) -> list[str]:
    """An import, without the names that a stub does not use; `as` the same name hands it on."""
    names = [a for a in node.names if a.name == a.asname or (a.asname or a.name) in used]
    if not names:
        return []
    made = ast.Import(names)
    if isinstance(node, ast.ImportFrom):
        made = ast.ImportFrom(node.module, names, node.level)
    return [ast.unparse(made)]


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def dots() -> ast.expr:
    return ast.Constant(...)


def annotated(name: str, kind: ast.expr) -> ast.AnnAssign:
    return ast.AnnAssign(ast.Name(name), kind, None, 1)


def function(name, args, returns, decorators) -> ast.FunctionDef:
    made = ast.FunctionDef(name, args, [ast.Expr(dots())], decorators, returns)
    return ast.fix_missing_locations(made)


def unquoted(annotation: ast.expr | None) -> ast.expr | None:
    """An annotation without the quotes that let it name what comes later: a stub needs none."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = expression(annotation.value)
    parts = [ast.unparse(part) for part in alternatives(annotation)]
    # jedi forgets what stands beside `Any` unless it is written like this.
    return expression(f"Union[{', '.join(parts)}]") if "Any" in parts[1:] else annotation


def alternatives(annotation: ast.expr | None) -> list[ast.expr]:
    """What `a | b | c` allows."""
    if isinstance(annotation, ast.BinOp):
        return [*alternatives(annotation.left), *alternatives(annotation.right)]
    return [annotation] if annotation else []


def default(value: ast.expr) -> ast.expr:
    """Editors show a default that is a number or a word; others are three dots."""
    try:
        ast.literal_eval(value)
    except ValueError:
        return dots()
    return value


def is_kept(decorator: ast.expr) -> bool:
    """Does it change how a caller sees the function?"""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    words = ast.unparse(called).split(".")
    return words[-1] in KEPT | {"setter", "deleter"}


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the function is called: not what functions inside it do."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from own_nodes(child)


def attributes(method: ast.FunctionDef) -> Iterator[tuple[str, ast.expr | None]]:
    """The attributes that a method stores in its object, each with its annotation if it has one."""
    if not method.args.args:
        return
    me, kinds = method.args.args[0].arg, {a.arg: a.annotation for a in method.args.args}
    for node in own_nodes(method):
        if isinstance(node, ast.AnnAssign) and (name := of_me(node.target, me)):
            yield name, node.annotation
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if name := of_me(node, me):
                yield name, given(node, method, kinds)


def of_me(target: ast.AST, me: str) -> str | None:
    if isinstance(target, ast.Attribute) and ast.unparse(target.value) == me:
        return target.attr
    return None


def given(target: ast.Attribute, method: ast.FunctionDef, kinds: dict) -> ast.expr | None:
    """The annotation of the argument that is stored as it came: `self.lr = lr`."""
    for node in own_nodes(method):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            left, right = node.targets[0], node.value
            pairs = [(left, right)]
            if isinstance(left, ast.Tuple) and isinstance(right, ast.Tuple):
                pairs = list(zip(left.elts, right.elts))
            for one, other in pairs:
                if one is target and isinstance(other, ast.Name):
                    return kinds.get(other.id)
    return None


def strings(value: ast.expr) -> list[str]:
    """The words in a literal such as `'a', 'b'` or `('a',)`."""
    words = (n.value for n in ast.walk(value) if isinstance(n, ast.Constant))
    return [word for word in words if isinstance(word, str)]


def annotations_of(node: ast.AST) -> list[ast.expr]:
    """The annotations that one node carries."""
    found = [getattr(node, "annotation", None), getattr(node, "returns", None)]
    return [kind for part in found if (kind := unquoted(part))]


def annotations_within(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.expr):
        return [node]
    return [kind for inner in ast.walk(node) for kind in annotations_of(inner)]
