"""How much memory there is, what a model or a pass needs of it, and what to do when it runs out."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from visit.errors import VisitError

_CGROUP = Path("/sys/fs/cgroup")
_SIGNS = ("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory")
"""How torch's allocators report a lack of memory in a plain ``RuntimeError``: CPU and MPS."""


def free_bytes(device: torch.device) -> int:
    """How many bytes can still be had on a device, as far as it says."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        taken = torch.mps.current_allocated_memory()
        return max(0, torch.mps.recommended_max_memory() - taken)
    return int(min(psutil.virtual_memory().available, _left_in_container()))


def _left_in_container() -> int:
    """What a container's limit leaves, where there is one; pages of files give way and don't count.

    Source: the kernel's cgroup v2 guide, ``memory.max`` and ``memory.stat``.
    """
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        if limit == "max":
            return sys.maxsize
        counts = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        taken = int((_CGROUP / "memory.current").read_text()) - int(counts["inactive_file"])
        return max(0, int(limit) - taken)
    except (OSError, ValueError, LookupError):
        return sys.maxsize


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, in any of the ways that torch says it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    says = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in says for sign in _SIGNS)


@contextmanager
def guard_memory(problem: Callable[[], VisitError], free: Callable[[], None]) -> Iterator[None]:
    """Turn running out of memory inside the block into one clear error, and free the memory.

    Args:
        problem: Makes the error to raise, after the memory was freed.
        free: Drops whatever can be dropped.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        # The traceback's frames still hold their tensors.
        traceback.clear_frames(error.__traceback__)
        free()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise problem() from None
