"""A study's folder: its manifest, a shard a chunk, and never half of anything.

::

    DIR/manifest.json         what the rows are of
    DIR/rows/00012.parquet    the rows of chunk 12, and those of its prompts that failed
    DIR/errors.parquet        all prompts that failed, as the last run left them

Every file is written under another name in the same folder, flushed to the disk and renamed. A
shard that is there is done and is never written again. So whatever ends a run, at whatever moment,
a chunk is measured or it is not; the next run measures those that are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from visit.errors import OutputError, RequestError
from visit.formats.files import TEMPORARY, write_whole
from visit.studies.manifest import Manifest, json_from_manifest, manifest_from_json
from visit.studies.shards import Failure, bytes_from_failures, read_failures_of

_MANIFEST, _ROWS, _ERRORS, _LOCK = "manifest.json", "rows", "errors.parquet", ".lock"
_ADVICE = "make room and run the study again, which goes on where it stopped"
_READERS = 8
"""How many shards are read at once; on shared storage most of a small read is waiting."""


class StudyFolder:
    """Where a study's rows are.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def rows(self) -> Path:
        """Where the shards are."""
        return self.path / _ROWS

    @property
    def errors(self) -> Path:
        """The prompts that could not be measured, once a run has ended."""
        return self.path / _ERRORS

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs out of it; it is made where it is missing.

        The lock is the operating system's: it goes with the process that holds it, however that
        ends.

        Raises:
            RequestError: it holds something else, or another run is at it.
            OutputError: it cannot be written to.
        """
        self._check_fit()
        from filelock import FileLock, Timeout

        try:
            self.rows.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / _LOCK)
            lock.acquire(timeout=0)
        except Timeout:
            raise RequestError(
                f"another run writes into {self.path}; wait until it is done, or give another "
                "folder"
            ) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(
                f"{self.path} cannot be written to: {reason}; give another folder"
            ) from None
        try:
            self.sweep()
            yield
        finally:
            lock.release()

    def _check_fit(self) -> None:
        """Refuse a place that holds something else than a study, before anything is made there."""
        if self.path.exists() and not self.path.is_dir():
            raise RequestError(f"{self.path} is a file; give a folder that a study may fill")
        if self.has_manifest() or not self.path.exists():
            return
        names = (one.name for one in self.path.iterdir())
        others = sorted(name for name in names if name != _ROWS and not name.startswith("."))
        if others or self.shards():
            raise RequestError(
                f"{self.path} is there, but no study's: it holds {(*others, _ROWS)[0]} and no "
                f"{_MANIFEST}; give a new folder"
            )

    def has_manifest(self) -> bool:
        """Whether a study began here."""
        return (self.path / _MANIFEST).is_file()

    def manifest(self) -> Manifest:
        """What the rows are of.

        Raises:
            RequestError: there is no such folder, or it is no study's.
        """
        path = self.path / _MANIFEST
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            what = "no study's folder" if self.path.is_dir() else "no folder"
            raise RequestError(
                f"{self.path} is {what}; give one that visit study run has filled"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"{path} cannot be read: {error}") from None
        return manifest_from_json(text, path)

    def keep(self, manifest: Manifest) -> None:
        """Write the manifest, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        write_whole(self.path / _MANIFEST, json_from_manifest(manifest), _ADVICE)

    def shard(self, number: int) -> Path:
        """Where a chunk's rows are, or will be."""
        return self.rows / f"{number:05d}.parquet"

    def shards(self) -> dict[int, Path]:
        """The shards that are there, by the number of their chunk, in order."""
        found = {int(one.stem): one for one in self.rows.glob("*.parquet") if one.stem.isdecimal()}
        return dict(sorted(found.items()))

    def put(self, number: int, content: bytes) -> None:
        """Write a chunk's shard, unless it is there.

        Raises:
            OutputError: it cannot be written.
        """
        path = self.shard(number)
        if not path.exists():
            write_whole(path, content, _ADVICE)

    def sweep(self) -> None:
        """Remove what a run that was killed left half-written. Only for who is alone in it."""
        for place in (self.path, self.rows):
            for left in place.glob(TEMPORARY):
                with suppress(OSError):
                    left.unlink()

    def tally(self) -> tuple[int, tuple[Failure, ...]]:
        """How many prompts are measured so far, and which could not be.

        Raises:
            RequestError: a shard is damaged.
        """
        with ThreadPoolExecutor(_READERS) as readers:
            read = list(readers.map(read_failures_of, self.shards().values()))
        failures = sorted((one for _, some in read for one in some), key=lambda one: one.id)
        return sum(n_rows for n_rows, _ in read), tuple(failures)

    def join_errors(self) -> tuple[int, tuple[Failure, ...]]:
        """Write ``errors.parquet`` of what all shards say; the tally.

        Raises:
            RequestError: a shard is damaged.
            OutputError: it cannot be written.
        """
        n_rows, failures = self.tally()
        write_whole(self.errors, bytes_from_failures(failures), _ADVICE)
        return n_rows, failures
