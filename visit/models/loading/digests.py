"""The SHA-256 of a model's weights, without reading gigabytes at every start.

Large files of the hub are named after their SHA-256 in its cache. Any other file's is kept in the
user's cache folder beside its path, size and times, and computed again when any of them differs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from visit.errors import OutputError
from visit.formats.files import cache_folder, write_whole

SMALL = 64 << 20
"""Files of fewer bytes are simply read each time; that is fast enough."""
_SHA256 = re.compile("[0-9a-f]{64}")


def weights_sha256(
    files: Sequence[Path], cache: Path, tell: Callable[[], None] = lambda: None
) -> str:
    """The digest that identifies a model's weights, in hex.

    Of one file, the SHA-256 of its bytes; of several, that of their SHA-256s in hex, in order.

    Args:
        files: The weight files, at least one.
        cache: The folder where digests are kept; made when it is needed, done without when it
            cannot be.
        tell: Called before a large file is read.
    """
    digests = [_of_blob(file) or _of_file(file, cache, tell) for file in files]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _of_blob(file: Path) -> str | None:
    """The digest that a file of the hub's cache is named after; small ones bear a git hash."""
    blob = file.resolve()
    is_blob = file.is_symlink() and blob.parent.name == "blobs"
    return blob.name if is_blob and _SHA256.fullmatch(blob.name) else None


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_folder() -> Path:
    """Where the digests of large files are kept."""
    return cache_folder() / "digests"


def remember(file: Path, sha256: str, cache: Path) -> None:
    """Keep a file's digest, for as long as the file stays as it is; a small one's is not kept."""
    if file.stat().st_size < SMALL:
        return
    with suppress(OSError, OutputError):
        cache.mkdir(parents=True, exist_ok=True)
        write_whole(_record(file, cache), json.dumps({"of": _seen(file), "sha256": sha256}))


def _record(file: Path, cache: Path) -> Path:
    path = str(file.resolve())
    return cache / f"{hashlib.sha256(path.encode()).hexdigest()}.json"


def _seen(file: Path) -> list[str | int]:
    """What tells that a file is the one that was seen before."""
    status = file.stat()
    # The time of the last change of any kind cannot be set back, unlike that of the contents.
    return [str(file.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _of_file(file: Path, cache: Path, tell: Callable[[], None]) -> str:
    seen = _seen(file)
    if file.stat().st_size >= SMALL:
        with suppress(OSError, ValueError, LookupError, TypeError):
            kept = json.loads(_record(file, cache).read_text(encoding="utf-8"))
            if kept["of"] == seen and _SHA256.fullmatch(kept["sha256"]):
                return str(kept["sha256"])
        tell()
    digest = sha256_of(file)
    if _seen(file) == seen:
        remember(file, digest, cache)
    return digest
