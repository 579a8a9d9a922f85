"""What weight files say of themselves, read from their headers alone, and whether they are whole.

transformers notices a truncated file late, with an error of numpy's; here every tensor's place is
compared with the file's size before any of it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from visit.models.gguf.header import Damaged

SAFETENSORS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
"""What peft keeps a LoRA adapter in: changes to another model's weights."""
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
"""Of which a model's folder holds one at least."""

_LONGEST_HEADER = 100_000_000  # safetensors' own limit


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
        own = _shapes(file)
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
