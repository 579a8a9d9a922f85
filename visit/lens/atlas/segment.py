"""One file of an atlas: safetensors, mapped into memory, and trusted only after its checksums.

A segment is written under another name and renamed in one step, and never changed afterwards, so
a reader sees all of one or none. Its metadata says which atlas and which part it is of, and
holds a CRC-32 of each tensor that covers those words, the tensor's name, dtype and shape too: a
file in the wrong place, of another version, cut short or damaged is no segment.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

SUFFIX = ".safetensors"
UNFINISHED = ".visit-"
"""How the name of a file begins that is being written, or was when its process died."""

_KEY = "visit.atlas"
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.uint8: "U8",
}

_FEWEST_ROWS = 32
"""For how many checksums of a vocabulary's codes another thread is worth its while."""

_ABANDONED_S = 600
"""Seconds after which an unfinished file's writer is taken to be dead; writing takes about one."""


class DamagedError(Exception):
    """A file is not the segment it should be. No user sees this: its rows are measured again."""


def crc32_of(tensor: Tensor, seed: int = 0) -> int:
    """The CRC-32 of a contiguous tensor's bytes, after a seed's."""
    return zlib.crc32(_bytes_of(tensor), seed)


def crc32_of_rows(rows: Sequence[Tensor]) -> list[int]:
    """The CRC-32 of each of some contiguous tensors, taken by as many threads as help."""
    n_threads = max(1, min(torch.get_num_threads(), len(rows) // _FEWEST_ROWS))
    if n_threads == 1:  # to start another takes as long as a hundred checksums
        return list(map(crc32_of, rows))
    shares = [rows[start::n_threads] for start in range(n_threads)]
    found = [0] * len(rows)
    with ThreadPoolExecutor(n_threads) as pool:  # a checksum leaves Python to the other threads
        for start, checksums in enumerate(pool.map(lambda some: list(map(crc32_of, some)), shares)):
            found[start::n_threads] = checksums
    return found


def write_segment(path: Path, part: str, tensors: dict[str, Tensor]) -> None:
    """Write a segment, whole or not at all; the same tensors always make the same bytes.

    Written here rather than by safetensors, which copies every tensor twice to write it.

    Args:
        path: The file; its folder exists.
        part: Which atlas and which part of it this is, in words that only this part has.
        tensors: Contiguous, on the CPU.

    Raises:
        OSError: the file cannot be written; nothing is left behind.

    Source: the format as https://github.com/huggingface/safetensors describes it.
    """
    # The widest first, so that each begins at a multiple of its width, as mapping asks for.
    in_order = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))
    checksums = {name: _checksum(part, name, tensor) for name, tensor in in_order}
    header: dict[str, object] = {
        "__metadata__": {_KEY: json.dumps({"part": part, "crc32": checksums})}
    }
    end = 0
    for name, tensor in in_order:
        begin, end = end, end + tensor.nbytes
        dtype, shape = _DTYPES[tensor.dtype], list(tensor.shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    new = path.parent / f"{UNFINISHED}{secrets.token_hex(8)}.tmp"
    try:
        # Not flushed to the disk first: should the power fail, the checksums tell.
        with new.open("xb") as file:
            file.write(len(words).to_bytes(8, "little") + words)
            for _, tensor in in_order:
                file.write(_bytes_of(tensor))
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _bytes_of(tensor: Tensor) -> memoryview:
    return tensor.reshape(-1).view(torch.uint8).numpy().data


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left unfinished."""
    for path in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


class Segment:
    """A segment that was written before. Each tensor is checked when it is first read.

    Raises:
        DamagedError: what is at the path is not this segment.
        OSError: there is nothing, or it cannot be opened.
    """

    def __init__(self, path: Path, part: str) -> None:
        self._part = part
        try:
            file: Any = safe_open(path, framework="pt")  # its methods carry no annotations
            about = json.loads((file.metadata() or {})[_KEY])
            self._checksums: dict[str, int] = dict(about["crc32"])
            is_whole = self._checksums.keys() == set(file.keys())
        except (SafetensorError, ValueError, LookupError, TypeError) as error:
            raise DamagedError(f"{path}: {error}") from error
        except RuntimeError as error:  # torch's word for a file that it cannot map
            raise OSError(str(error)) from error
        if not is_whole:
            raise DamagedError(f"{path}: other tensors than it says")
        self.path, self._file = path, file
        self._read: dict[str, Tensor] = {}

    @property
    def names(self) -> set[str]:
        """Of its tensors."""
        return set(self._checksums)

    def read(self, name: str) -> Tensor:
        """A tensor, mapped into memory.

        Raises:
            DamagedError: its bytes are not those that were written.
        """
        if name not in self._read:
            tensor = self.read_unchecked(name)
            if self._checksums[name] != _checksum(self._part, name, tensor):
                raise DamagedError(f"{self.path}: {name} is damaged")
            self._read[name] = tensor
        return self._read[name]

    def read_unchecked(self, name: str) -> Tensor:
        """A tensor as the file has it, for a reader that checks the rows it takes.

        Raises:
            DamagedError: there is none.
        """
        try:
            tensor: Tensor = self._file.get_tensor(name)
        except SafetensorError as error:
            raise DamagedError(f"{self.path}: {error}") from error
        return tensor

    def check(self) -> None:
        """Check all of it.

        Raises:
            DamagedError: something is damaged.
        """
        for name in self._checksums:
            self.read(name)


def _checksum(part: str, name: str, tensor: Tensor) -> int:
    words = f"{part}/{name}/{tensor.dtype}/{tuple(tensor.shape)}"
    return crc32_of(tensor, zlib.crc32(words.encode()))
