"""All rows of a study's folder, as its report reads them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from visit.errors import RequestError
from visit.graph.flow import ModelInfo
from visit.graph.studied.columns import Array
from visit.studies.folder import StudyFolder
from visit.studies.manifest import Layout, Manifest
from visit.studies.rows import Rows
from visit.studies.shards import TEXT, Shard, read_shard

_READERS = (os.cpu_count() or 1) + 1
"""Threads that read. Six of them on two cores take a quarter longer: they wait for one another."""
_AT_ONCE = 64
"""How many shards are copied at once into the rows, while as many are read."""


def read_rows(folder: str | Path) -> Rows:
    """What was measured so far, in the order of the prompts.

    Raises:
        RequestError: the folder is no study's, no model was loaded for it yet, a shard is damaged
            or has other columns than the rest, or a prompt stands in it twice.
    """
    place = StudyFolder(folder)
    manifest = place.manifest()
    if manifest.model is None:
        raise RequestError(f"{place.path} holds no rows yet; run the study first")
    gathered = _Gathered(manifest)
    paths = list(place.shards().values())
    with ThreadPoolExecutor(_READERS) as readers:
        following = readers.map(read_shard, paths[:_AT_ONCE])
        for start in range(0, len(paths), _AT_ONCE):
            shards, next_one = list(following), start + _AT_ONCE
            following = readers.map(read_shard, paths[next_one : next_one + _AT_ONCE])
            gathered.add(paths[start:next_one], shards)  # while those are read
    return gathered.rows(place.path, manifest.model)


class _Gathered:
    """The rows of shards, one after another."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._layouts: tuple[Layout, ...] = manifest.columns
        self._of: Path | None = None
        self._values: dict[str, Array] = {}
        self._plain: list[tuple[Array, Array, Array]] = []
        self._n = 0
        self._n_failed = 0

    def add(self, paths: Sequence[Path], shards: Sequence[Shard]) -> None:
        """Take the rows of some shards.

        Raises:
            RequestError: one has other columns than those before, or is of other prompts.
        """
        self._n_failed += sum(len(shard.failures) for shard in shards)
        for path, shard in zip(paths, shards, strict=True):
            self._check(path, shard)
        some = [shard for shard in shards if len(shard.ids)]
        if not some:
            return
        stop = self._n + sum(len(shard.ids) for shard in some)
        for layout in self._layouts:
            place = self._room(layout, stop)[self._n : stop]
            np.concatenate([shard.values[layout.column.name] for shard in some], out=place)
        self._plain += [(shard.ids, shard.texts, shard.targets) for shard in some]
        self._n = stop

    def _check(self, path: Path, shard: Shard) -> None:
        """Refuse a shard that is not of this study; one without rows may be of any."""
        if not len(shard.ids):
            return
        self._layouts = self._layouts or shard.layouts
        if shard.layouts != self._layouts:
            raise RequestError(
                f"{path} has other columns ({_in_words(shard.layouts)}) than the rest "
                f"({_in_words(self._layouts)}); remove it and run the study again"
            )
        if not 0 <= shard.ids.min() <= shard.ids.max() < self._manifest.prompts.count:
            raise RequestError(f"{path} is of other prompts; remove it and run the study again")

    def _room(self, layout: Layout, n_rows: int) -> Array:
        """The array of a column, with room for so many rows."""
        name = layout.column.name
        room = self._values.get(name)
        if room is None or len(room) < n_rows:  # every prompt has one row at most, or it is refused
            count = max(n_rows, self._manifest.prompts.count)
            larger = np.empty((count, *layout.shape), _numpy_type(layout))
            if room is not None:
                larger[: self._n] = room[: self._n]
            room = self._values[name] = larger
        return room

    def rows(self, folder: Path, model: ModelInfo) -> Rows:
        """All of them.

        Raises:
            RequestError: a prompt stands in two shards.
        """
        ids, texts, targets = (_join([one[part] for one in self._plain]) for part in range(3))
        ids = ids.astype(np.int64)
        found, counts = np.unique(ids, return_counts=True)
        if len(found) < len(ids):
            raise RequestError(
                f"{folder} has prompt {found[counts > 1][0]} more than once; remove the shard that "
                "is not its own and run the study again"
            )
        empty = [np.empty((0, *one.shape), _numpy_type(one)) for one in self._layouts]
        values = {one.column.name: none for one, none in zip(self._layouts, empty, strict=True)}
        values |= {name: room[: self._n] for name, room in self._values.items()}
        return Rows(
            model,
            self._manifest.options,
            self._manifest.prepared or {},
            {one.column.name: one.column for one in self._layouts},
            values,
            ids,
            texts,
            targets,
            self._n_failed,
        )


def _numpy_type(layout: Layout) -> np.dtype[np.generic]:
    return np.dtype(object if layout.dtype == TEXT else layout.dtype)


def _join(parts: Sequence[Array]) -> Array:
    return np.concatenate(parts) if parts else np.empty(0, object)


def _in_words(layouts: Sequence[Layout]) -> str:
    return ", ".join(f"{one.column.name} {one.dtype}{list(one.shape) or ''}" for one in layouts)
