"""From a name or a file to a study, with the options that were chosen.

A study that was read from a file can be sent to other processes and machines: it takes the text
that it was read from along, so all of them measure the same though the file changes, or is not
there.
"""

from __future__ import annotations

import copyreg
import hashlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from visit.engine.options import Option
from visit.errors import RequestError
from visit.studies.catalogue import STUDIES
from visit.studies.study import Study
from visit.text import one_line

_MODULE = "visit_study_"


@dataclass(frozen=True, slots=True)
class Source:
    """The text that a study was read from.

    Attributes:
        path: The file, as it was given.
        text: What it said.
    """

    path: str
    text: str

    @property
    def sha256(self) -> str:
        """The text's SHA-256."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


def find_study(name_or_path: str, options: Mapping[str, str] | None = None) -> Study:
    """A study that comes with ``visit``, or that of a Python file.

    Args:
        name_or_path: Its name, or the path of a file that ends in ``.py``.
        options: What was chosen, by name, as texts; the rest is as by default.

    Raises:
        RequestError: there is no such study or option, or the file is not one study's.
    """
    kind = find_kind(name_or_path)
    offered = {one.name: one for one in options_of_study(kind)}
    chosen = {}
    for name, text in (options or {}).items():
        if name not in offered:
            allowed = ", ".join(offered) or "none"
            raise RequestError(
                f"study {kind.name!r} has no option {name!r}; it has these: {allowed}"
            )
        chosen[name] = offered[name].read(text)
    try:
        return kind(**chosen)
    except TypeError as error:
        raise RequestError(
            f"study {kind.name!r} cannot be made ({error}); give every field of it a default"
        ) from None


def find_kind(name_or_path: str) -> type[Study]:
    """The class of a study, as ``find_study`` finds it.

    Raises:
        RequestError: there is none, or the file has none or several.
    """
    if name_or_path.endswith(".py"):
        try:
            text = Path(name_or_path).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise RequestError(f"{name_or_path} cannot be read: {reason}") from None
        return _kind_from(Source(name_or_path, text))
    if name_or_path not in STUDIES:
        known = ", ".join(STUDIES)
        known = f"give {known}, or a path that ends in .py" if known else "give a path to a .py"
        raise RequestError(f"there is no study {name_or_path!r}; {known}")
    return STUDIES[name_or_path]


def options_of_study(kind: type[Study]) -> tuple[Option, ...]:
    """What can be chosen of a study."""
    return kind.choices()


def source_of(study: Study) -> Source | None:
    """The file that a study was read from; ``None`` of one that comes with ``visit``."""
    module = sys.modules.get(type(study).__module__)
    source = getattr(module, "__visit_source__", None)
    return source if isinstance(source, Source) else None


def _kind_from(source: Source) -> type[Study]:
    """The one study that a text defines; of the same text, always the same class."""
    name = f"{_MODULE}{source.sha256[:32]}"
    module = sys.modules.get(name) or _module_from(source, name)
    kinds = [
        one
        for one in vars(module).values()
        if inspect.isclass(one)
        and issubclass(one, Study)
        and one.__module__ == name
        and not inspect.isabstract(one)
    ]
    if len(kinds) != 1:
        found = ", ".join(one.__name__ for one in kinds) or "none"
        raise RequestError(
            f"{source.path} must define one study, a class that derives from visit.studies.Study "
            f"and has measure and report; it defines {found}"
        )
    (kind,) = kinds
    if not isinstance(getattr(kind, "name", None), str):
        raise RequestError(f"{source.path}: the study {kind.__name__} has no name; give it one")
    copyreg.pickle(kind, _reduce)
    return kind


def _module_from(source: Source, name: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = source.path
    module.__dict__["__visit_source__"] = source
    sys.modules[name] = module  # where dataclasses look up what their annotations name
    try:
        exec(compile(source.text, source.path, "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        said = one_line(str(error))
        raise RequestError(
            f"{source.path} cannot be read as a study: {type(error).__name__}: {said}"
        ) from error
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _reduce(study: Study) -> tuple[Any, ...]:
    """How a study of a file is pickled: with the text that its class is made of."""
    source = source_of(study)
    plain = object.__reduce_ex__(study, 2)
    assert source is not None and isinstance(plain, tuple)  # only studies of files come here
    return (_study_from, (source,), *plain[2:])


def _study_from(source: Source) -> Study:
    """A study that has still to be given its state."""
    kind = _kind_from(source)
    return kind.__new__(kind)
