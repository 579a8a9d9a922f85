"""What a model's own softmax of attention is given: the scores that ours are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from specimens import TOKEN_IDS, Specimen
from torch import Tensor
from torch.overrides import TorchFunctionMode

from visit.tracing.hooks import Float64Throughout

_SOFTMAX = (torch.nn.functional.softmax, torch.softmax, Tensor.softmax)


class _Softmaxes(TorchFunctionMode):
    """Keeps what every softmax over four axes is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Tensor] = []

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if function in _SOFTMAX and args[0].ndim == 4:
            self.given.append(args[0][0])
        return function(*args, **(kwargs or {}))


def own_scores(tiny: Specimen) -> list[Tensor]:
    """Of each layer, ``[head, reader, source]``: scaled, capped, biased and masked."""
    softmaxes = _Softmaxes()
    with torch.no_grad(), Float64Throughout(), softmaxes:
        tiny.model(input_ids=torch.tensor([TOKEN_IDS]))
    assert len(softmaxes.given) == len(tiny.trace.layers)
    return softmaxes.given
