"""GGUF files written down as folders, once for each file and dtype, and kept in the user's cache.

A folder is known by the file's SHA-256, the dtype and the converter's version, and believed only if
it says the same of itself and its files are what it says of them. It is made under another name
and takes its own in one step, so that a conversion that was killed leaves nothing to be believed;
of two at once the second waits and finds it made.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from visit.errors import ModelError
from visit.formats.files import cache_folder
from visit.models.gguf.folder import CONVERTER, WEIGHTS, write_folder
from visit.models.gguf.header import Damaged, Header, read_header
from visit.models.loading.digests import digest_folder, remember, sha256_of, weights_sha256
from visit.models.loading.turns import alone_with
from visit.text import size

KEPT_BYTES = 50 << 30
"""How much all of them may take; when one is made, those used longest ago give way."""
SAYS = "visit.json"
"""The file in which a folder says what it was made of."""
Tell = Callable[[str], None]


def converted_folder() -> Path:
    """Where they are kept."""
    return cache_folder() / "models"


def converted_copy(
    name: str, file: Path, dtype: torch.dtype, check: Callable[[int], None], tell: Tell
) -> tuple[Path, str]:
    """A GGUF file as a folder that transformers reads, and the file's SHA-256.

    Args:
        name: What the model is called, for what is told.
        file: The GGUF file.
        dtype: The numbers that it is to be run in.
        check: Given how many numbers it holds before any is converted; may refuse.
        tell: Told ``hashing NAME`` and ``converting NAME, 120 MB of 538 MB``. What it raises ends
            the work.

    Raises:
        ModelError: the file cannot be read or honoured, or there is no room for it.
    """
    before = _stamp(file)
    sha256 = weights_sha256([file], digest_folder(), lambda: tell(f"hashing {name}"))
    # Every number of a GGUF file is one of float32: float64 would add zeros.
    kept_in = torch.float32 if dtype == torch.float64 else dtype
    named = str(kept_in).removeprefix("torch.")
    says = {"converter": CONVERTER, "sha256": sha256, "dtype": named}
    kept = converted_folder() / f"{sha256[:32]}-{named}-{CONVERTER}"

    def write(folder: Path) -> None:
        header = _header(name, file)
        check(header.n_elements)
        _check_room(name, kept.parent, header.n_elements * kept_in.itemsize)
        try:
            write_folder(file, header, folder, kept_in, lambda *done: tell(_words(name, *done)))
        except ModelError as error:
            raise ModelError(f"model {name!r} cannot be read as it is: {error}") from None
        if _stamp(file) != before:
            raise ModelError(f"model {name!r} changed while it was read; load it again")
        files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
        (folder / SAYS).write_text(json.dumps({**says, "files": files}, indent=1))

    try:
        if not _is_sound(kept, says):
            kept.parent.mkdir(parents=True, exist_ok=True)
            with alone_with(kept, lambda: tell(f"waiting for {name}, which is being converted")):
                if not _is_sound(kept, says):
                    _make(kept, write)
        os.utime(kept)  # when it was used last
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(
            f"model {name!r} cannot be converted into {kept.parent}: {reason}; set VISIT_CACHE to "
            "a folder that can be written"
        ) from error
    return kept, sha256


def kept_models() -> tuple[int, int]:
    """How many converted models are kept, and how many bytes they take."""
    folders = list(_kept())
    return len(folders), sum(map(_n_bytes, folders))


def clear_converted() -> int:
    """Remove them all; they are made again when they are needed. How many bytes that frees."""
    root = converted_folder()
    freed = _n_bytes(root)
    shutil.rmtree(root, ignore_errors=True)
    return freed


def _header(name: str, file: Path) -> Header:
    try:
        return read_header(file)
    except Damaged as error:
        raise ModelError(
            f"the weights of model {name!r} cannot be read: {error}; fetch them again"
        ) from None


def _stamp(file: Path) -> tuple[int, int, int, int]:
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _words(name: str, done: int, total: int) -> str:
    return f"converting {name}, {size(done)} of {size(total)}"


def _check_room(name: str, root: Path, needed: int) -> None:
    free = shutil.disk_usage(root).free
    if needed > free:
        raise ModelError(
            f"model {name!r} needs {size(needed)} in {root} to be converted, and {size(free)} are "
            "free; make room, give --dtype bfloat16, or set VISIT_CACHE to another disk"
        )


def _is_sound(kept: Path, says: Mapping[str, Any]) -> bool:
    """Whether a folder was made of this file in this way, and is as it was made."""
    try:
        written = json.loads((kept / SAYS).read_text(encoding="utf-8"))
        files = dict(written.pop("files"))
        if written != says or {path.name for path in kept.iterdir()} != {*files, SAYS}:
            return False
        weights = weights_sha256([kept / WEIGHTS], digest_folder())
        others = {n: sha256_of(kept / n) for n in files if n != WEIGHTS}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return files == {**others, WEIGHTS: weights}


def _make(kept: Path, write: Callable[[Path], None]) -> None:
    """Write a folder under another name, and give it its own; a failure leaves nothing."""
    part = kept.parent / f".{kept.name}.part"
    for left in (kept, part):  # of a conversion that was killed, or changed since
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir()
    try:
        write(part)
        _flush(part)
        part.replace(kept)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    digests = json.loads((kept / SAYS).read_text(encoding="utf-8"))["files"]
    remember(kept / WEIGHTS, digests[WEIGHTS], digest_folder())
    _prune(kept)


def _flush(folder: Path) -> None:
    """Have the disk hold all of it: after a power cut a name must not stand for half a file."""
    for path in folder.iterdir():
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())


def _kept() -> Iterator[Path]:
    """The converted models, those used longest ago first."""
    with suppress(OSError):
        folders = [path for path in converted_folder().iterdir() if (path / SAYS).is_file()]
        yield from sorted(folders, key=lambda folder: folder.stat().st_mtime)


def _prune(newest: Path) -> None:
    """Remove what was used longest ago, until the rest fits; the newest stays in any case."""
    folders = list(_kept())
    taken = sum(map(_n_bytes, folders))
    for folder in folders:
        if taken <= KEPT_BYTES:
            break
        if folder != newest:
            taken -= _n_bytes(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _n_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
