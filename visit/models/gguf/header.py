"""What a GGUF file says of itself: its metadata, and where each of its tensors lies.

Read in one walk, with every tensor's place compared with the file's size.

Source: the format, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_FLOAT32, _STRING, _ARRAY = 6, 8, 9
_NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
"""``struct``'s letter for each type of value, strings and arrays aside."""
_ALIGNMENT = "general.alignment"
_SOME, _SOME_DIMENSIONS = 1 << 20, 8  # more tensors, keys or dimensions are a sign of damage


class Damaged(Exception):
    """A weight file is not what it says, or not there; the text says how."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A tensor as it lies in the file.

    Attributes:
        shape: As torch has it, the last axis the one whose numbers lie side by side.
        kind: ggml's number for how it is packed.
        offset: Where it begins, in bytes from the start of the file.
        n_bytes: How many bytes it takes there.
    """

    shape: tuple[int, ...]
    kind: int
    offset: int
    n_bytes: int

    @property
    def n_elements(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Attributes:
        metadata: Every key with its value: a number, a text, a truth value, or a list of them.
        tensors: Every tensor by its name, in the file's order.
    """

    metadata: Mapping[str, Any]
    tensors: Mapping[str, Packed]

    @property
    def n_elements(self) -> int:
        """How many numbers all tensors hold."""
        return sum(tensor.n_elements for tensor in self.tensors.values())


def read_header(file: Path) -> Header:
    """What a file says of itself; it is whole.

    Raises:
        Damaged: it is cut short, or no GGUF file.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise Damaged(f"{file.name} is not a GGUF file")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                header = _Walk(data).header()
            except (struct.error, IndexError):
                raise Damaged(
                    f"{file.name} is cut short within its header, after {size:,} bytes"
                ) from None
            except (ValueError, LookupError, OverflowError, RecursionError):
                raise Damaged(f"{file.name} is damaged: its header makes no sense") from None
    end = max((tensor.offset + tensor.n_bytes for tensor in header.tensors.values()), default=0)
    if size < end:  # a longer one may be padded
        raise Damaged(f"{file.name} is cut short, {size:,} of {end:,} bytes")
    return header


class _Walk:
    """Walks through a file's header."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = len(MAGIC)

    def header(self) -> Header:
        if self._number("I") not in VERSIONS:
            raise ValueError
        n_tensors, n_values = self._number("Q"), self._number("Q")
        if max(n_tensors, n_values) > _SOME:
            raise ValueError
        metadata = {}
        for _ in range(n_values):
            key = self._string()
            metadata[key] = self._value(self._number("I"))
        places = [self._place() for _ in range(n_tensors)]
        alignment = metadata.get(_ALIGNMENT, 32)
        if type(alignment) is not int or alignment < 1:
            raise ValueError
        begins = -(-self._at // alignment) * alignment
        tensors = {
            name: Packed(shape, kind, begins + offset, n_bytes)
            for name, shape, kind, offset, n_bytes in places
        }
        if len(tensors) < n_tensors:  # two of one name
            raise ValueError
        return Header(metadata, tensors)

    def _place(self) -> tuple[str, tuple[int, ...], int, int, int]:
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        name, n_dimensions = self._string(), self._number("I")
        if n_dimensions > _SOME_DIMENSIONS:
            raise ValueError
        shape = tuple(self._number("Q") for _ in range(n_dimensions))[::-1]
        kind, offset = self._number("I"), self._number("Q")
        per_block, n_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        if shape and shape[-1] % per_block:
            raise ValueError
        return name, shape, kind, offset, prod(shape) // per_block * n_bytes

    def _number(self, letter: str) -> Any:
        (value,) = struct.unpack_from(f"<{letter}", self._data, self._at)
        self._at += struct.calcsize(f"<{letter}")
        return value

    def _string(self) -> str:
        # A vocabulary is some hundred thousand of these.
        begin = self._at + 8
        self._at = begin + struct.unpack_from("<Q", self._data, self._at)[0]
        if self._at > len(self._data):
            raise IndexError
        return self._data[begin : self._at].decode("utf-8")

    def _value(self, type_: int) -> Any:
        if type_ == _STRING:
            return self._string()
        if type_ == _FLOAT32:
            # The shortest number that is stored so: 1e-05, where a plain widening has 9.99e-06.
            return float(str(np.float32(self._number("f"))))
        if type_ != _ARRAY:
            return self._number(_NUMBERS[type_])
        item, count = self._number("I"), self._number("Q")
        if count > len(self._data):
            raise IndexError
        if item in _NUMBERS:
            letters = f"<{count}{_NUMBERS[item]}"
            values = list(struct.unpack_from(letters, self._data, self._at))
            self._at += struct.calcsize(letters)
            return values
        return [self._value(item) for _ in range(count)]
