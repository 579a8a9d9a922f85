"""The rows that graphs needed, kept with their codes, so that the next graph measures none again.

A row is kept under a digest of its vector, so a match is always of that exact vector.

Each batch of new rows is a segment of its own. The codes, 100 KB a row in GPT-2's vocabulary, have
a checksum a row, so that reading some rows checks those alone, once in a process.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch
from jaxtyping import Bool, Int16
from torch import Tensor

from visit.graph.limits import MOST_LISTED_KEPT
from visit.lens.atlas.segment import (
    SUFFIX,
    DamagedError,
    Segment,
    crc32_of_rows,
    sweep,
    write_segment,
)
from visit.lens.measured import Measured

KEPT_BYTES = 2 << 30
"""How much all models' kept rows may take on the disk together; the oldest are removed first."""

_SEGMENT_BYTES = 256 << 20
_PREFIX = "kept-"
_KEYS, _CODES, _CODE_CHECKSUMS = "keys", "codes", "codes_crc32"

KEY_BYTES = 16
"""How long the digest of a vector is."""


class RowCache:
    """The kept rows in one folder. Reading is safe while other processes write and remove.

    Args:
        folder: Of this atlas; made when the first row is kept.
        identity: Of this atlas.
        like: A tensor of the dtype and on the device that rows are measured in.
        d_vocab: How many tokens there are.
        max_bytes: How much the rows in this folder and in those beside it may take.
    """

    def __init__(
        self, folder: Path, identity: str, like: Tensor, d_vocab: int, max_bytes: int = KEPT_BYTES
    ) -> None:
        self._folder, self._part, self._max_bytes = folder, f"{identity} kept", max_bytes
        self._like, self._d_vocab = like, d_vocab
        self._segments: dict[str, Segment] = {}
        self._places: dict[bytes, tuple[str, int]] = {}
        self._checked: set[tuple[str, int]] = set()
        self._can_write = True

    def lookup(self, keys: Sequence[bytes], top_k: int) -> tuple[Bool[Tensor, " key"], Measured]:
        """What is kept of some rows.

        Args:
            keys: Digests of any vectors, ``KEY_BYTES`` long each.
            top_k: How many tokens must be listed at either end, or all there are.

        Returns:
            Which vectors were found, and those measured, in the same order.
        """
        self._refresh()
        top_k = min(top_k, self._d_vocab)
        while True:
            places = [self._place(key, top_k) for key in keys]
            wanted = _group_by_segment(places)
            damaged = [name for name, (_, rows) in wanted.items() if not self._is_sound(name, rows)]
            if not damaged:
                break
            for name in damaged:
                self._remove(name)
        mask = torch.tensor([place is not None for place in places], dtype=torch.bool)
        return mask, self._gather(wanted, int(mask.sum()), top_k)

    def keep(self, keys: Sequence[bytes], measured: Measured) -> bool:
        """Keep rows that were measured, unless as much is kept of them; never fails.

        Of what lists more than ``MOST_LISTED_KEPT`` tokens, those are kept: the longer listing is
        measured again where it is asked for, and the rows of a model take no more for it.

        Where the folder cannot be written, that is logged once and nothing is kept: then it
        returns false.

        Args:
            keys: Digests of as many vectors as were measured, each once.
            measured: What they say.
        """
        if len(keys) != len(measured):
            raise ValueError(f"{len(keys)} keys but {len(measured)} vectors measured")
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a key is not {KEY_BYTES} bytes long")
        if not self._can_write:
            return False
        measured = measured.listing(MOST_LISTED_KEPT)
        self._refresh()
        n_listed = measured.top_ids.shape[1]
        new = [at for at, key in enumerate(keys) if self._place(key, n_listed) is None]
        step = max(1, _SEGMENT_BYTES // (2 * self._d_vocab))
        try:
            for start in range(0, len(new), step):
                rows = new[start : start + step]
                is_run = rows[-1] - rows[0] + 1 == len(rows)  # then taking them copies nothing
                taken = slice(rows[0], rows[-1] + 1) if is_run else torch.tensor(rows)
                self._write([keys[row] for row in rows], measured.at(taken))
            if new:
                self._prune()
        except OSError as error:
            self._can_write = False
            reason = (error.strerror or str(error)).lower()
            logging.getLogger("visit").warning(
                "nothing is kept in the atlas, %s: %s; set VISIT_CACHE to a folder that can be "
                "written", self._folder, reason,
            )  # fmt: skip
        return self._can_write

    def _place(self, key: bytes, n_listed: int) -> tuple[str, int] | None:
        """The segment that holds a row, and its place there."""
        place = self._places.get(key)
        if place is None or self._segments[place[0]].read("top_ids").shape[1] < n_listed:
            return None
        return place

    def _refresh(self) -> None:
        """Open what other processes wrote, and drop what they removed."""
        try:
            names = {path.name for path in self._folder.glob(f"{_PREFIX}*{SUFFIX}")}
        except OSError:  # no folder, or none that may be read: nothing is kept
            names = set()
        self._forget(self._segments.keys() - names)
        for name in sorted(names - self._segments.keys()):
            self._open(name)

    def _open(self, name: str) -> None:
        path = self._folder / name
        try:
            segment = Segment(path, self._part)
            small = {field: segment.read(field) for field in segment.names - {_CODES}}
            codes = segment.read_unchecked(_CODES)
            if codes.shape != (len(small[_KEYS]), self._d_vocab):
                raise DamagedError(f"{path}: codes of another shape")
        except OSError:  # removed by another process, or not readable by this user
            return
        except (DamagedError, LookupError):
            self._remove(name)
            return
        self._segments[name] = segment
        listed = small["top_ids"].shape[1]
        digests = small[_KEYS].numpy().tobytes()
        for row in range(len(codes)):
            key = digests[row * KEY_BYTES : (row + 1) * KEY_BYTES]
            old = self._places.get(key)
            if old is None or self._segments[old[0]].read("top_ids").shape[1] < listed:
                self._places[key] = (name, row)

    def _is_sound(self, name: str, rows: list[int]) -> bool:
        """Whether the codes of some rows are those that were written."""
        segment = self._segments[name]
        codes, checksums = segment.read_unchecked(_CODES), segment.read(_CODE_CHECKSUMS)
        new = [row for row in rows if (name, row) not in self._checked]
        if crc32_of_rows([codes[row] for row in new]) != checksums[new].tolist():
            return False
        self._checked.update((name, row) for row in new)
        return True

    def _gather(
        self, wanted: dict[str, tuple[list[int], list[int]]], count: int, top_k: int
    ) -> Measured:
        """Rows of some segments, each at its place among all."""
        like, listed = self._like.new_empty(count, device="cpu"), (count, top_k)
        columns = {
            "top_ids": torch.empty(listed, dtype=torch.int64),
            "top_logits": like.new_empty(listed),
            "bottom_ids": torch.empty(listed, dtype=torch.int64),
            "bottom_logits": like.new_empty(listed),
            "log_total": like.clone(),
            "entropy": like.clone(),
        }
        for name, (places, rows) in wanted.items():
            segment = self._segments[name]
            for field, column in columns.items():
                taken = segment.read(field)[rows]
                column[places] = taken[:, :top_k] if column.ndim == 2 else taken
        columns["codes"] = self._codes(wanted, count)
        device = self._like.device
        return Measured(**{name: column.to(device) for name, column in columns.items()})

    def _codes(
        self, wanted: dict[str, tuple[list[int], list[int]]], count: int
    ) -> Int16[Tensor, "row d_vocab"]:
        """The codes of the same; as the file has them, where they stand together in one."""
        codes = torch.empty(count, self._d_vocab, dtype=torch.int16)
        for name, (places, rows) in wanted.items():
            source = self._segments[name].read_unchecked(_CODES)
            if rows == list(range(rows[0], rows[0] + count)):
                return source[rows[0] : rows[0] + count]
            # Row by row: torch's own indexing of rows this long takes twice as long.
            to, taken = codes.numpy(), source.numpy()
            for place, row in zip(places, rows, strict=True):
                to[place] = taken[row]
        return codes

    def _write(self, keys: list[bytes], measured: Measured) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            field.name: getattr(measured, field.name).cpu().contiguous()
            for field in fields(measured)
        }
        tensors[_CODE_CHECKSUMS] = torch.tensor(crc32_of_rows(list(tensors[_CODES])))
        tensors[_KEYS] = torch.frombuffer(bytearray(b"".join(keys)), dtype=torch.uint8).view(
            -1, KEY_BYTES
        )
        name = f"{_PREFIX}{time.time_ns():020}-{secrets.token_hex(4)}{SUFFIX}"
        write_segment(self._folder / name, self._part, tensors)

    def _prune(self) -> None:
        """Remove the oldest segments, of any model, until the rest is within the bound."""
        sweep(self._folder)
        sizes = {}
        for path in self._folder.parent.glob(f"*/{_PREFIX}*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # another process removed it
                sizes[path] = path.stat().st_size
        total = sum(sizes.values())
        for path in sorted(sizes, key=lambda path: path.name):
            if total <= self._max_bytes:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            total -= sizes[path]

    def _remove(self, name: str) -> None:
        """Drop a damaged segment, and delete its file."""
        self._forget({name})
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()

    def _forget(self, names: set[str]) -> None:
        if names:
            self._segments = {n: s for n, s in self._segments.items() if n not in names}
            self._places = {k: p for k, p in self._places.items() if p[0] not in names}


def _group_by_segment(
    places: Sequence[tuple[str, int] | None],
) -> dict[str, tuple[list[int], list[int]]]:
    """What to take from each segment: where it goes among all that is found, and its row there."""
    taken: dict[str, tuple[list[int], list[int]]] = {}
    for at, (name, row) in enumerate(place for place in places if place is not None):
        to, rows = taken.setdefault(name, ([], []))
        to.append(at)
        rows.append(row)
    return taken
