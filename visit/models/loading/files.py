"""What weight files say of themselves, read from their headers alone, and whether they are whole.

transformers notices a truncated file late, with an error of numpy's; here every tensor's place is
compared with the file's size before any of it is read.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

SAFETENSORS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
"""What peft keeps a LoRA adapter in: changes to another model's weights."""
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
"""Of which a model's folder holds one at least."""

_GGUF_MAGIC = b"GGUF"
_GGUF_VERSIONS = (2, 3)
_GGUF_STRING, _GGUF_ARRAY = 8, 9
_GGUF_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value of each type, strings and arrays aside."""
_GGUF_ALIGNMENT = "general.alignment"
_LONGEST_HEADER = 100_000_000  # safetensors' own limit
_SOME_TENSORS, _SOME_DIMENSIONS = 1 << 20, 8  # more are a sign of damage


class Damaged(Exception):
    """A weight file is not what it says, or not there; the text says how."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What weight files hold.

    Attributes:
        shapes: Of every tensor, by its name in the files; a GGUF file counts as one tensor.
        n_bytes: Of all files.
    """

    shapes: Mapping[str, tuple[int, ...]]
    n_bytes: int

    @property
    def n_elements(self) -> int:
        """How many numbers all tensors hold together."""
        return sum(map(prod, self.shapes.values()))


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers reads from a folder, in order; empty if none.

    Others that lie beside them (the same weights in another layout, say) are not among them.

    Raises:
        Damaged: the index that names them cannot be read.
    """
    if (folder / SAFETENSORS).is_file():
        return [folder / SAFETENSORS]
    index = folder / INDEX
    if not index.is_file():
        return []
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        # A name with a folder in it would reach outside.
        if not names or any(Path(name).name != name for name in names):
            raise ValueError
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Damaged(f"{INDEX} does not say which files hold them") from None
    return [folder / name for name in sorted(names)]


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds the files of a tokenizer."""
    return any((folder / name).is_file() for name in TOKENIZERS)


def examine(files: Iterable[Path]) -> Weights:
    """What the files hold, once each is known to be whole.

    Raises:
        Damaged: one is missing, cut short, or no such file; or two hold a tensor of one name.
    """
    files = list(files)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise Damaged(f"{missing[0]}{more} of {len(files)} files is missing")
    shapes: dict[str, tuple[int, ...]] = {}
    holds: dict[str, str] = {}
    for file in files:
        is_gguf = file.suffix.lower() == ".gguf"
        own = {file.name: (_elements_of_gguf(file),)} if is_gguf else _shapes(file)
        if twice := next((name for name in own if name in shapes), None):
            # transformers takes the last one it meets.
            raise Damaged(f"{twice} is in {holds[twice]} and again in {file.name}")
        shapes.update(own)
        holds.update(dict.fromkeys(own, file.name))
    return Weights(shapes, sum(file.stat().st_size for file in files))


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in a safetensors file.

    Source: the format's README, https://github.com/huggingface/safetensors#format.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or (length <= _LONGEST_HEADER and 8 + length > size):
            raise Damaged(f"{file.name} is cut short within its header, after {size:,} bytes")
        if length > _LONGEST_HEADER:
            raise Damaged(f"{file.name} is not a safetensors file")
        header = stream.read(length)
    try:
        tensors = {k: v for k, v in json.loads(header).items() if k != "__metadata__"}
        ends = (tensor["data_offsets"][1] for tensor in tensors.values())
        end = 8 + length + max(ends, default=0)
        shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in tensors.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Damaged(f"{file.name} is not a safetensors file") from None
    if end != size:
        raise Damaged(_wrong_size(file, size, end))
    return shapes


def _wrong_size(file: Path, size: int, end: int) -> str:
    if size < end:
        return f"{file.name} is cut short, {size:,} of {end:,} bytes"
    return f"{file.name} is longer than it says, {size:,} instead of {end:,} bytes"


def _elements_of_gguf(file: Path) -> int:
    """How many numbers a GGUF file holds.

    Source: the format, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        if stream.read(4) != _GGUF_MAGIC:
            raise Damaged(f"{file.name} is not a GGUF file")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                n_elements, end = _GgufHeader(data).tensors()
            except (struct.error, IndexError):
                raise Damaged(
                    f"{file.name} is cut short within its header, after {size:,} bytes"
                ) from None
            except (ValueError, LookupError, OverflowError, RecursionError):
                raise Damaged(f"{file.name} is damaged: its header makes no sense") from None
    if size < end:  # a longer one may be padded
        raise Damaged(_wrong_size(file, size, end))
    return n_elements


class _GgufHeader:
    """Walks through a GGUF file's header."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = len(_GGUF_MAGIC)

    def tensors(self) -> tuple[int, int]:
        """How many numbers all tensors hold, and where the last one ends."""
        from gguf import GGML_QUANT_SIZES

        if self._number("I") not in _GGUF_VERSIONS:
            raise ValueError
        n_tensors, n_values = self._number("Q"), self._number("Q")
        if max(n_tensors, n_values) > _SOME_TENSORS:
            raise ValueError
        alignment = 32
        for _ in range(n_values):
            name, type_ = self._string(), self._number("I")
            if name == _GGUF_ALIGNMENT.encode() and type_ == 4:
                alignment = self._number("I")
            else:
                self._skip(type_)
        blocks = {int(type_): sizes for type_, sizes in GGML_QUANT_SIZES.items()}
        total, end = 0, 0
        for _ in range(n_tensors):
            self._string()
            n_dimensions = self._number("I")
            if n_dimensions > _SOME_DIMENSIONS:
                raise ValueError
            shape = [self._number("Q") for _ in range(n_dimensions)]
            per_block, n_bytes = blocks[self._number("I")]
            n_elements = prod(shape)
            total += n_elements
            end = max(end, self._number("Q") + n_elements // per_block * n_bytes)
        begins = -(-self._at // alignment) * alignment
        return total, begins + end

    def _number(self, format_: str) -> int:
        (value,) = struct.unpack_from(f"<{format_}", self._data, self._at)
        self._at += struct.calcsize(format_)
        return int(value)

    def _string(self) -> bytes:
        length = self._number("Q")
        text = self._data[self._at : self._at + length]
        self._move(length)
        return text

    def _skip(self, type_: int) -> None:
        if type_ == _GGUF_STRING:
            self._move(self._number("Q"))
        elif type_ == _GGUF_ARRAY:
            item, count = self._number("I"), self._number("Q")
            if item in _GGUF_SIZES:
                self._move(_GGUF_SIZES[item] * count)
            else:
                for _ in range(count):
                    self._skip(item)
        else:
            self._move(_GGUF_SIZES[type_])

    def _move(self, n_bytes: int) -> None:
        self._at += n_bytes
        if self._at > len(self._data):
            raise IndexError
