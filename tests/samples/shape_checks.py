"""Checks types and the shapes of arrays when a function is called, as jaxtyping does, but sooner.

jaxtyping's own hook binds each call's arguments to the signature and calls two more functions that
do nothing but check; and it makes both anew whenever a function is made inside another. That was
half of what the tests of numbers took. Here beartype checks the call itself, where the sizes that
one argument gives to the names of axes hold for the others and for what is returned.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Collection
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, get_args, get_type_hints

from beartype import beartype
from jaxtyping import AbstractArray, jaxtyped

MOST_MADE = 20
"""How often a function that is made inside another is checked, of all the times that it is made."""
NAME = f"checked-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]}"
"""Of the compiled files: others once this file is another."""

SIZES = jaxtyped("context")
"""What axes are named in while a call runs; each entry begins anew, and the last is left first."""

_made: Counter[CodeType] = Counter()


def checked(made: Any) -> Any:
    """The function, or the dataclass, whose arguments and results are checked at each call."""
    if inspect.isclass(made):
        if "__dataclass_fields__" in vars(made):
            made.__init__ = checked(made.__init__)
        return made
    if inspect.isgeneratorfunction(made) or inspect.iscoroutinefunction(made):
        return jaxtyped(made, typechecker=beartype)  # they run on when their call is over
    if "<locals>" in made.__qualname__:
        _made[made.__code__] += 1
        if _made[made.__code__] > MOST_MADE:
            return made
    check: Callable[..., Any] | None = None
    has_shapes = False

    @wraps(made)
    def call(*given: Any, **named: Any) -> Any:
        nonlocal check, has_shapes
        __tracebackhide__ = True
        if check is None:
            look_up_hints(made)
            has_shapes = any(map(names_shapes, made.__annotations__.values()))
            check = beartype(made)
        if not has_shapes:
            return check(*given, **named)
        with SIZES:
            return check(*given, **named)

    return call


def names_shapes(hint: Any) -> bool:
    """Whether a type is an array's whose shape is named, or is made of such."""
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(map(names_shapes, get_args(hint)))


def look_up_hints(made: Callable[..., Any]) -> None:
    """Put types for their names; what names nothing that is there at run time may be anything."""
    for name, hint in made.__annotations__.items():
        if isinstance(hint, str):

            def one(value: Any) -> None: ...

            one.__annotations__ = {"value": hint}
            try:
                found = get_type_hints(one, made.__globals__, include_extras=True)["value"]
            except Exception:
                found = Any
            made.__annotations__[name] = found


class _Decorate(ast.NodeTransformer):
    """Decorates classes before all else, and functions after all else."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list.insert(0, _decorator(node))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list.append(_decorator(node))
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list.append(_decorator(node))
        return self.generic_visit(node)


def _decorator(node: ast.stmt) -> ast.expr:
    decorator = ast.parse(f"{__name__}.checked", mode="eval").body
    for part in ast.walk(decorator):
        ast.copy_location(part, node)
    return decorator


class _Loader(SourceFileLoader):
    """Compiles a module with its functions decorated, and keeps that beside what Python keeps."""

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:
        tree = ast.parse(data, path)
        tree = ast.fix_missing_locations(_Decorate().visit(tree))
        begins = next(place for place, node in enumerate(tree.body) if not _comes_first(node))
        tree.body.insert(begins, ast.parse(f"import {__name__}").body[0])
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)

    def get_data(self, path: str) -> bytes:
        return super().get_data(_own(path))

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:
        super().set_data(_own(path), data, _mode=_mode)


def _comes_first(node: ast.stmt) -> bool:
    """Whether it is the docstring, or an import from the future."""
    is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return is_future or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _own(path: str) -> str:
    return f"{path.removesuffix('.pyc')}.{NAME}.pyc" if path.endswith(".pyc") else path


class _Finder(MetaPathFinder):
    """Finds the modules whose calls are checked."""

    def __init__(self, modules: Collection[str]) -> None:
        self._modules = frozenset(modules)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not any(f"{fullname}.".startswith(f"{module}.") for module in self._modules):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def check_shapes(modules: Collection[str]) -> None:
    """Check the calls of these modules, and of those in these packages, from their import on."""
    sys.meta_path.insert(0, _Finder(modules))
