"""Writing a file whole or not at all, and where what can be made again is kept."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

import platformdirs

from visit.errors import OutputError

OTHER_FILE = "choose another file"


def write_whole(path: str | Path, content: str | bytes, advice: str = OTHER_FILE) -> None:
    """Write bytes, or text as UTF-8, so that the path holds all of it or what it held before.

    It goes to a new file in the same folder, is flushed to the disk and takes the path's
    place in one step; a failure removes it. A link is followed. A device or a pipe, such as
    ``/dev/null``, is written to as it is.

    Args:
        path: Where it goes.
        content: All of it.
        advice: What to do where it cannot be written.

    Raises:
        OutputError: the path cannot be written.
    """
    place = Path(os.path.realpath(path))
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        if place.exists() and not place.is_file():
            place.write_bytes(data)
        else:
            _replace(place, data)
    except OSError as error:
        raise _explain_refusal(path, error, advice) from None


def check_writable(path: str | Path) -> None:
    """Find out, before any long work, that a path can be written; leaves nothing behind.

    Raises:
        OutputError: the path cannot be written.
    """
    place = Path(os.path.realpath(path))
    try:
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if place.exists():
            with place.open("ab"):
                pass
        if place.is_file() or not place.exists():
            trial = _name_beside(place)
            os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            trial.unlink()
    except OSError as error:
        raise _explain_refusal(path, error) from None


def _replace(place: Path, data: bytes) -> None:
    new = _name_beside(place)
    # Opened so, and not by tempfile, the file gets the mode that the user's umask asks for.
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            new.chmod(place.stat().st_mode & 0o7777)
        new.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


TEMPORARY = ".visit-*.tmp"
"""What the new files are called until they are whole; one that is left is of who was killed."""


def _name_beside(place: Path) -> Path:
    return place.parent / TEMPORARY.replace("*", secrets.token_hex(8))


def _explain_refusal(path: str | Path, error: OSError, advice: str = OTHER_FILE) -> OutputError:
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"{path} cannot be written: {reason}; {advice}")


def cache_folder() -> Path:
    """Where what can be made again is kept: ``VISIT_CACHE``, or ``visit`` in the user's cache.

    Raises:
        OutputError: ``VISIT_CACHE`` begins with the home of nobody.
    """
    if given := os.environ.get("VISIT_CACHE"):
        try:
            return Path(given).expanduser()
        except RuntimeError:
            raise OutputError(
                f"VISIT_CACHE is {given!r}, in the home of a user who does not exist; give a whole "
                "path, or leave it out"
            ) from None
    return platformdirs.user_cache_path("visit", appauthor=False, opinion=False)
