"""Which model is measured: plain data, so that every process loads it by itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from visit.engine.progress import Progress, silent
from visit.engine.protocol import Engine
from visit.graph.flow import ModelInfo


@runtime_checkable
class OneModel(Engine, Protocol):
    """An engine that says which model it answers with, as a ``visit.Session`` does."""

    @property
    def model(self) -> ModelInfo:
        """The model that questions are asked of that name none."""
        ...


@dataclass(frozen=True)
class ModelSpec:
    """A model by its name, and how it is to be run, as ``Session.load`` takes it.

    Attributes:
        name: ``mini``, ``smollm2``, a Hugging Face id, a local folder, or a ``.gguf`` file.
        dtype: The numbers that it runs in.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        device_map: ``auto``, or which part of it goes where.
        quant: ``8bit`` or ``4bit`` packs the weights.
        revision: Of a Hugging Face id.
    """

    name: str = "mini"
    dtype: str = "float32"
    device: str = "auto"
    device_map: str | Mapping[str, str | int] | None = None
    quant: str | None = None
    revision: str | None = None

    def load(self, progress: Progress = silent, threads: int | None = None) -> OneModel:
        """Load it, here and now.

        Args:
            progress: Told when downloading and loading begin.
            threads: How many of this process's threads compute; ``None`` for as many as there are.

        Raises:
            ModelError: there is no such model, or it cannot be read or taken apart.
        """
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = str(threads)  # what torch reads as it is imported
            import torch

            torch.set_num_threads(threads)
        from visit.session import Session

        running: dict[str, Any] = {
            "dtype": self.dtype,
            "device": self.device,
            "device_map": self.device_map,
            "quant": self.quant,
            "revision": self.revision,
        }
        return Session.load(self.name, **running, progress=progress)
