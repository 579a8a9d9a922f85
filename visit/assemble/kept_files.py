"""Tensors that are worked out once and kept as a file in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from visit.errors import OutputError
from visit.formats.files import write_whole

MOST_FILES = 16
"""In a folder: a text's contexts take SmolLM2 14 MB. Those used longest ago are deleted."""


def find_in_file(file: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What a file holds; made, and kept there, where there is none or it is cut short.

    Args:
        file: Its name says all that the tensors depend on.
        make: Makes them.
    """
    try:
        found = load_file(file)
    except (OSError, SafetensorError):
        pass  # not there yet, or cut short
    else:
        with contextlib.suppress(OSError):
            file.touch()
        return found
    made = make()
    with contextlib.suppress(OutputError, OSError):  # done without a cache that cannot be written
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, save({name: tensor.contiguous() for name, tensor in made.items()}))
        latest = sorted(file.parent.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in latest[MOST_FILES:]:
            old.unlink(missing_ok=True)
    return made
