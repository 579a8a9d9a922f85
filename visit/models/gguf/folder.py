"""A GGUF file written down as a folder: config, tokenizer, and weights in one safetensors file.

The file is read once, and its tensors are unpacked one by one, so that one of them is in memory at
a time and not the model.

Source: the format's README, https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from visit.models.gguf.families import config_of
from visit.models.gguf.header import Header, Packed
from visit.models.gguf.rotary import Factors
from visit.models.gguf.said import Said
from visit.models.gguf.tensors import Named, named_tensors, unpack
from visit.models.gguf.tokenizer import files_of

CONVERTER = 1
"""To be raised whenever the same file would be written down otherwise than before."""
WEIGHTS = "model.safetensors"
_NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


def write_folder(
    file: Path,
    header: Header,
    folder: Path,
    dtype: torch.dtype,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write a GGUF file down as a folder that transformers reads.

    Args:
        file: The GGUF file.
        header: Its header.
        folder: Where to; it is there, and empty.
        dtype: The numbers that the weights are kept in: float32, bfloat16 or float16.
        tell: Told how many bytes of how many are written. What it raises ends the work.

    Raises:
        ModelError: it is of no architecture that is read, or says something that cannot be
            honoured; nothing was written.
        OSError: the folder cannot be written.
    """
    said = Said(header)
    tokenizer, special_ids = files_of(said)
    config = config_of(said)
    used = {value.tensor for value in _factors_in(config)}
    tensors = list(named_tensors(header, said.architecture, config, used))
    config = {**_with_numbers(config, file, header.tensors), **special_ids}
    written = json.dumps({**config, "dtype": str(dtype).removeprefix("torch.")}, indent=1)
    for name, text in {"config.json": written, **tokenizer}.items():
        (folder / name).write_text(text, encoding="utf-8")
    with (folder / WEIGHTS).open("wb") as stream:
        _write_weights(stream, file, tensors, config, dtype, tell)


def _factors_in(value: Any) -> Iterator[Factors]:
    if isinstance(value, Factors):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _factors_in(item)


def _with_numbers(value: Any, file: Path, tensors: Mapping[str, Packed]) -> Any:
    """A config with the numbers of the factors that it names."""
    if isinstance(value, Factors):
        return unpack(file, tensors[value.tensor]).tolist()
    if isinstance(value, Mapping):
        return {key: _with_numbers(item, file, tensors) for key, item in value.items()}
    return value


def _write_weights(
    stream: IO[bytes],
    file: Path,
    tensors: list[Named],
    config: Mapping[str, Any],
    dtype: torch.dtype,
    tell: Callable[[int, int], None],
) -> None:
    """The weights as a safetensors file: its header first, whose sizes are known beforehand."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        for name, shape in _shapes(tensor, config):
            begin, end = end, end + torch.Size(shape).numel() * dtype.itemsize
            entries[name] = {"dtype": _NAMES[dtype], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    stream.write(len(text).to_bytes(8, "little") + text)
    done = 0
    for tensor in tensors:
        numbers = _laid_out(tensor, unpack(file, tensor.packed), config).to(dtype).contiguous()
        stream.write(numbers.view(torch.uint8).numpy().data if numbers.ndim else b"")
        done += numbers.nbytes
        tell(done, end)


def _laid_out(tensor: Named, numbers: Tensor, config: Mapping[str, Any]) -> Tensor:
    return numbers if tensor.undo is None else tensor.undo(numbers, config)


def _shapes(tensor: Named, config: Mapping[str, Any]) -> Iterator[tuple[str, list[int]]]:
    """The names and shapes of what a tensor of the file becomes."""
    shape = list(_laid_out(tensor, torch.empty(tensor.packed.shape, device="meta"), config).shape)
    for name in tensor.names():
        yield name, shape[1:] if tensor.is_experts else shape
