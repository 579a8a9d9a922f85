"""How a model is to be run: in which numbers, on which devices, with which weights packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from visit.errors import ModelError

DTYPES: dict[str, torch.dtype] = {
    name: getattr(torch, name) for name in ("float32", "float64", "bfloat16", "float16")
}
DEVICES = ("auto", "cpu", "cuda", "mps")
PACKED = {"8bit": "int8", "4bit": "nf4"}
"""What ``--quant`` can be, and the numbers that bitsandbytes then keeps the weights in."""

DeviceMap = str | Mapping[str, str | int]
"""``auto``, or a device (``cpu``, ``0``, ``disk``) for each part of the model by its name."""


@dataclass(frozen=True, slots=True)
class Running:
    """How a model is to be run; what cannot be is refused on construction.

    Attributes:
        dtype: The numbers it computes in: one of ``DTYPES``.
        device: One of ``DEVICES``; ``auto`` takes CUDA where there is one.
        device_map: ``auto`` spreads a model larger than one device over all of them, the memory
            and the disk; ``None`` keeps it on one.
        quant: ``8bit`` or ``4bit`` packs the weights with bitsandbytes; ``None`` keeps them.

    Raises:
        ModelError: one of them is not offered, or not on this machine.
    """

    dtype: str = "float32"
    device: str = "auto"
    device_map: DeviceMap | None = None
    quant: str | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ModelError(f"dtype {self.dtype!r} is not offered; give {', '.join(DTYPES)}")
        self._check_device()
        if isinstance(self.device_map, str) and self.device_map != "auto":
            raise ModelError(f"device map {self.device_map!r} is not offered; give auto")
        if self.device_map is not None and self.device != "auto":
            raise ModelError(
                f"a device map chooses the devices itself; leave out --device {self.device}"
            )
        if self.quant is not None:
            self._check_quant()

    def _check_device(self) -> None:
        if self.device not in DEVICES:
            raise ModelError(f"device {self.device!r} is not offered; give {', '.join(DEVICES)}")
        if self.device == "auto":
            return
        there = {
            "cpu": True,
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
        }
        if not there[self.device]:
            names = ", ".join(name for name, is_there in there.items() if is_there)
            raise ModelError(f"device {self.device!r} is not on this machine; give auto or {names}")
        if self.device == "mps" and self.dtype == "float64":
            raise ModelError("device 'mps' has no float64; give --dtype float32 or --device cpu")

    def _check_quant(self) -> None:
        if self.quant not in PACKED:
            raise ModelError(f"quant {self.quant!r} is not offered; give {', '.join(PACKED)}")
        if self.device == "mps":
            raise ModelError("device 'mps' has no packed weights; leave --quant out")
        if self.dtype == "float64":
            raise ModelError(f"--quant {self.quant} computes in float32 at most; leave out float64")
        if find_spec("bitsandbytes") is None:
            raise ModelError(
                f"--quant {self.quant} needs bitsandbytes: pip install 'visit-flow[quant]'"
            )

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype it computes in."""
        return DTYPES[self.dtype]

    @property
    def torch_device(self) -> torch.device:
        """The device it runs on, or begins on where a device map spreads it."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)

    @property
    def packed_as(self) -> str | None:
        """The numbers its weights are packed in: ``int8``, ``nf4`` or, where they aren't, none."""
        return None if self.quant is None else PACKED[self.quant]

    def n_bytes(self, n_elements: int) -> int:
        """About how many bytes so many weights take."""
        if self.quant is not None:
            return n_elements if self.quant == "8bit" else n_elements * 9 // 16
        return n_elements * self.torch_dtype.itemsize

    def options(self, offload_folder: str | None) -> dict[str, Any]:
        """What transformers' ``from_pretrained`` is to be told.

        Args:
            offload_folder: An empty folder for weights that a device map puts on the disk; there
                is one where there is a device map.
        """
        options: dict[str, Any] = {"dtype": self.torch_dtype, "attn_implementation": "eager"}
        if self.device_map is not None:
            given = self.device_map
            options["device_map"] = given if isinstance(given, str) else dict(given)
            options["offload_folder"] = offload_folder
        elif self.quant is not None:
            options["device_map"] = {"": self.torch_device}
        if self.quant is not None:
            from transformers import BitsAndBytesConfig

            config: Any = BitsAndBytesConfig
            options["quantization_config"] = config(
                load_in_8bit=self.quant == "8bit",
                load_in_4bit=self.quant == "4bit",
                bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=self.torch_dtype,
            )
        return options
