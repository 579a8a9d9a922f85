"""A GGUF file's metadata as it is taken up: what nobody asked for is refused by its name.

What is passed over in silence would make another model of the file. So whoever makes a config of
it takes each key that it has a place for, and at the end none may be left.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from visit.errors import ModelError
from visit.models.gguf.header import Header, Packed

SAYS_NOTHING = ("general.", "quantize.")
"""What begins so tells who made the file and how, and changes no number."""


class Said:
    """What a file says, and how much of it was taken up.

    Attributes:
        architecture: llama.cpp's name for it, which its keys begin with.
        tensors: Every tensor by its name.
    """

    def __init__(self, header: Header) -> None:
        metadata = header.metadata
        self.architecture = str(metadata.get("general.architecture"))
        self.tensors: Mapping[str, Packed] = header.tensors
        self._left = {k: v for k, v in metadata.items() if not k.startswith(SAYS_NOTHING)}
        if (kind := metadata.get("general.type", "model")) != "model":
            raise refusal("general.type", kind, "model")

    def all_of(self, prefix: str) -> dict[str, Any]:
        """Take up every key that begins so; the keys without what they begin with."""
        found = [key for key in self._left if key.startswith(prefix)]
        return {key.removeprefix(prefix): self._left.pop(key) for key in found}

    def take(self, key: str, default: Any = None) -> Any:
        """Take up one of the architecture's own keys, named without the architecture."""
        return self._left.pop(f"{self.architecture}.{key}", default)

    def number(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Take up a whole number that must be there, unless there is a default for it.

        Raises:
            ModelError: it is not there, or no such number.
        """
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise refusal(f"{self.architecture}.{key}", value, f"a whole number from {least} on")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        """Take up a number that must be there, unless there is a default for it.

        Raises:
            ModelError: it is not there, or no number.
        """
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise refusal(f"{self.architecture}.{key}", value, "a number")
        return float(value)

    def expect(self, key: str, *allowed: Any) -> None:
        """Take up a key that may be left out, and else has one of the values that fit.

        Raises:
            ModelError: it has another.
        """
        value = self.take(key, allowed[0])
        # True is 1 to Python, and not to a file.
        if not any(
            value == one and isinstance(value, bool) is isinstance(one, bool) for one in allowed
        ):
            raise refusal(f"{self.architecture}.{key}", value, " or ".join(map(str, allowed)))

    def rows(self, tensor: str, axis: int = 0) -> int:
        """How long a tensor is along an axis of torch's.

        Raises:
            ModelError: there is no such tensor.
        """
        try:
            return self.tensors[tensor].shape[axis]
        except LookupError:
            raise ModelError(f"the tensor {tensor} is not in it; give a whole model") from None

    def has(self, part: str) -> bool:
        """Whether the first layer has a tensor."""
        return f"blk.0.{part}" in self.tensors

    def check_all_taken(self) -> None:
        """Refuse what is left.

        Raises:
            ModelError: something is, and it may change what the model computes.
        """
        for key, value in self._left.items():
            raise refusal(key, value, "only what changes nothing")


def refusal(key: str, value: Any, allowed: str) -> ModelError:
    """The error for metadata that cannot be honoured."""
    said = str(value) if not isinstance(value, list) else f"a list of {len(value)}"
    return ModelError(
        f"its {key} is {said[:60]}, which visit does not honour ({allowed}); give the model that "
        "the file was made from, as a folder or by its Hugging Face id"
    )
