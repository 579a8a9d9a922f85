"""Models whose weights are not plain tensors on one device: spread out, offloaded, or packed.

accelerate keeps an offloaded parameter as an empty one on the ``meta`` device and lends it its
numbers for the length of the forward pass; bitsandbytes keeps a packed one. A family's ``lay_open``
knows neither. Here the model is lent plain weights while it is laid open: those that are asked for
as they are, unpacked and on one device, and for all others their shapes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from visit.models.architectures.base import Architecture, BlocksOnDemand

_PACKED = ("Params4bit", "Int8Params")  # bitsandbytes is no dependency: its classes go by name


def is_elsewhere(model: Any) -> bool:
    """Whether some weight is packed, offloaded, or on another device than the rest."""
    weights = list(model.parameters())
    return len({weight.device for weight in weights}) > 1 or any(
        weight.is_meta or _is_packed(weight) for weight in weights
    )


def lay_open_elsewhere(model: Any, lay_open: Callable[[Any], Architecture]) -> Architecture:
    """The architecture of such a model, with each block's weights fetched when they are needed.

    All of it, and all that is traced, is on the device of the unembedding.

    Args:
        model: The model.
        lay_open: Its family's.
    """
    unembedding = model.get_output_embeddings()
    home = _device_of(unembedding)

    def fetch(modules: set[nn.Module]) -> Architecture:
        with _lent(model, lambda module, weight: module in modules or weight.ndim < 2, home):
            return lay_open(model)

    outline = fetch({unembedding})

    def load(layer: int) -> Any:
        return fetch(set(outline.blocks[layer].module.modules())).blocks[layer]

    return replace(outline, blocks=BlocksOnDemand(tuple(outline.blocks), load))


def plain_weights(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Each weight of a model by its name, as numbers, one after the other."""
    for path, module in model.named_modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                yield f"{path}.{name}".removeprefix("."), plain_weight(module, name)


def plain_weight(module: Any, name: str) -> Tensor:
    """A module's weight as numbers, wherever and however it is kept: the one place that knows."""
    weight: Any = module._parameters[name]
    if weight.is_meta:
        hook = _offloading_hook(module)
        weight = hook.weights_map[name]
    return _unpack(module, weight) if _is_packed(weight) else weight


def _is_packed(weight: Any) -> bool:
    return type(weight).__name__ in _PACKED


def _unpack(module: Any, weight: Any) -> Tensor:
    """A packed weight as the model multiplies by it, in the orientation of the module it replaced.

    Source: bitsandbytes' own inverses of what packed it.
    """
    from bitsandbytes import functional

    plain: Tensor
    if type(weight).__name__ == "Params4bit":
        plain = functional.dequantize_4bit(weight.data, weight.quant_state)
    else:
        # The scales move from the weight to the module's state in its first forward pass.
        scales = weight.SCB if weight.SCB is not None else module.state.SCB
        plain = functional.int8_vectorwise_dequant(weight.data, scales)
    return plain.T if _was_conv1d(module) else plain


def _was_conv1d(module: Any) -> bool:
    """Whether it stands in for GPT-2's ``Conv1D``, whose weights lie the other way round."""
    return getattr(getattr(module, "source_cls", None), "__name__", None) == "Conv1D"


def _shape(module: Any, weight: Any) -> tuple[int, ...]:
    if not _is_packed(weight):
        return tuple(weight.shape)
    shape = module.out_features, module.in_features
    return shape[::-1] if _was_conv1d(module) else shape


def _offloading_hook(module: Any) -> Any:
    hook = module._hf_hook
    return next(one for one in getattr(hook, "hooks", [hook]) if one.weights_map is not None)


def _device_of(module: Any) -> torch.device:
    """Where a module computes."""
    if module.weight.is_meta:
        return torch.device(_offloading_hook(module).execution_device)
    device: torch.device = module.weight.device
    return device


@contextmanager
def _lent(
    model: Any, is_wanted: Callable[[nn.Module, Tensor], bool], home: torch.device
) -> Iterator[None]:
    """Lend the model plain weights on the home device where wanted, and only shapes elsewhere."""
    own: list[tuple[nn.Module, str, Any]] = [
        (module, name, weight)
        for module in model.modules()
        for name, weight in module._parameters.items()
        if weight is not None
    ]
    dtype = model.dtype
    try:
        for module, name, weight in own:
            if is_wanted(module, weight):
                lent = plain_weight(module, name).to(home)
            else:
                lent = torch.empty(_shape(module, weight), dtype=dtype, device="meta")
            module._parameters[name] = lent  # type: ignore[assignment]
        yield
    finally:
        for module, name, weight in own:
            module._parameters[name] = weight
