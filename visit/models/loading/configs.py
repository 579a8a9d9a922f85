"""A model's config: read, and refused where it cannot be of any model, by the name of its field.

transformers finds a contradiction late and says it in its own words, if at all: in the middle of
building the model, or when it is first run.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.metadata import version
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from visit.errors import ModelError
from visit.models.architectures import family_of
from visit.models.loading.places import Place

DAMAGED = (
    SafetensorError,
    StrictDataclassError,
    AssertionError,
    struct.error,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
    ArithmeticError,
)
"""What transformers and safetensors raise on files that are not what they say."""

_COUNTS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "num_kv_heads",
    "head_dim",
    "intermediate_size",
    "n_inner",
    "ffn_dim",
    "ffn_hidden_size",
    "moe_intermediate_size",
    "shared_expert_intermediate_size",
    "max_position_embeddings",
    "num_local_experts",
    "num_experts",
    "num_experts_per_tok",
)
"""Fields that count something; a config may leave any of them out."""
_TEXT_PARTS = {"gemma3": "gemma3_text"}
"""Models of text and images whose part for text is a model of its own, and that one's type."""


def config_at(place: Place) -> Any:
    """The config of the model, or where it reads images as well of the part of it that reads text.

    Raises:
        ModelError: it cannot be read, its family is not supported, its fields contradict each
            other, or its weights are stored in a packed form.
    """
    from transformers import AutoConfig

    try:
        # transformers refuses a type that it does not know in four lines.
        written = json.loads((place.folder / "config.json").read_text(encoding="utf-8"))
        family_of(type_of_text_part(str(written.get("model_type"))))
        whole = AutoConfig.from_pretrained(place.folder)
    except DAMAGED as error:
        raise ModelError(
            f"the config of model {place.name!r} cannot be read: {one_line(error)}; mend "
            f"{place.config_name}, or fetch it again"
        ) from error
    config = whole.get_text_config() if whole.model_type in _TEXT_PARTS else whole
    family_of(config.model_type)
    packed = getattr(whole, "quantization_config", None)
    if packed is not None:
        method = dict(packed).get("quant_method", "an unnamed method")
        raise ModelError(
            f"model {place.name!r} is stored quantised, by {method}, and cannot be taken apart as "
            "it is; give the model it was made from, with --quant if memory is short"
        )
    if _is_rotated_otherwise(written, config):
        raise ModelError(
            f"config.json of model {place.name!r} says its rotary positions as transformers 5 does "
            f"(rope_parameters), which {version('transformers')} passes over: "
            "pip install 'transformers>=5'"
        )
    if problem := _contradiction(config):
        raise contradictory(place, problem)
    return config


def _is_rotated_otherwise(written: Mapping[str, Any], config: Any) -> bool:
    """Whether a config's rotary positions were not read: transformers 4 does not know the field."""
    given = written.get("rope_parameters")
    if not isinstance(given, Mapping) or hasattr(type(config)(), "rope_parameters"):
        return False
    part = getattr(config, "partial_rotary_factor", getattr(config, "rotary_pct", None))
    wide = {"rope_theta": getattr(config, "rope_theta", None), "partial_rotary_factor": part}
    near = {"rope_theta": getattr(config, "rope_local_base_freq", None)}
    by_kind = [(given.get("full_attention", given), wide), (given.get("sliding_attention"), near)]
    return any(
        stated.get(name, value) != value
        for stated, read in by_kind
        for name, value in [("rope_type", "default"), *read.items()]
        if stated is not None
    )


def type_of_text_part(model_type: str) -> str:
    """The type of the part of a model that reads text: mostly the model's own."""
    return _TEXT_PARTS.get(model_type, model_type)


def text_part_names(config: Any) -> dict[str, str] | None:
    """What a text model's tensors are to be renamed to where they lie in a model of more.

    Patterns and what takes their place, for both layouts that transformers wrote; ``None`` for a
    model that is never part of another.
    """
    if config.model_type not in _TEXT_PARTS.values():
        return None
    names = {r"^model\.language_model\.": "model."}
    if not version("transformers").startswith("4."):  # 4 takes the older prefix off by itself
        names |= {r"^language_model\.model\.": "model.", r"^language_model\.lm_head": "lm_head"}
    return names


def contradictory(place: Place, problem: str) -> ModelError:
    """The error for a config that no model can be made of."""
    return ModelError(
        f"{place.config_name} of model {place.name!r} makes no model: {problem}; mend it, or fetch "
        "it again"
    )


def _contradiction(config: Any) -> str | None:
    """What is wrong with the sizes that a config gives, or ``None``."""
    for name in _COUNTS:
        value = getattr(config, name, None)
        is_count = isinstance(value, int) and not isinstance(value, bool) and value > 0
        if value is not None and not is_count:
            return f"{_written(config, name)} is {value!r}, and must be a number of 1 or more"
    for name, value in vars(config).items():
        is_number = isinstance(value, int | float)
        if "drop" in name and not (is_number and 0 <= value <= 1):
            return f"{name} is {value!r}, and must be between 0 and 1"
        if "eps" in name and not is_number:
            return f"{name} is {value!r}, and must be a number"
    n_heads = getattr(config, "num_attention_heads", None)
    width = getattr(config, "hidden_size", None)
    if n_heads and width and getattr(config, "head_dim", None) is None and width % n_heads:
        heads = f"{_written(config, 'num_attention_heads')} {n_heads}"
        return f"{_written(config, 'hidden_size')} {width} cannot be divided among {heads}"
    n_kv_heads = getattr(config, "num_key_value_heads", None)
    if n_heads and n_kv_heads and n_heads % n_kv_heads:
        return f"num_attention_heads {n_heads} cannot share num_key_value_heads {n_kv_heads}"
    return None


def _written(config: Any, name: str) -> str:
    """What a config file of this type calls a field."""
    return str(getattr(config, "attribute_map", {}).get(name, name))


def outline_of(place: Place, config: Any) -> Any:
    """The model that a config makes, of shapes alone: no numbers, hardly any memory.

    Raises:
        ModelError: it makes none; the text names the field where that can be known.
    """
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    try:
        with torch.device("meta"), _no_first_weights():
            return auto.from_config(config, attn_implementation="eager")
    except DAMAGED as error:
        raise contradictory(place, _cause(config, error)) from error


def _no_first_weights() -> AbstractContextManager[None]:
    """Keep transformers from drawing first weights, which takes longer than all the rest."""
    is_older = version("transformers").startswith("4.")
    home = import_module(f"transformers.{'modeling_utils' if is_older else 'initialization'}")
    context: AbstractContextManager[None] = home.no_init_weights()
    return context


def _cause(config: Any, error: Exception) -> str:
    """Why transformers built no model, with the field that is to blame where it can be found."""
    pad, n_tokens = getattr(config, "pad_token_id", None), getattr(config, "vocab_size", 0)
    if isinstance(error, AssertionError) and pad is not None and pad >= n_tokens:
        return f"pad_token_id is {pad}, and there are {n_tokens} tokens (vocab_size)"
    if isinstance(error, KeyError) and error.args:
        unknown = error.args[0]
        for path, value in _leaves(config.to_dict()):
            if value == unknown or str(unknown).startswith(f"function {value} not found"):
                return f"{path} is {value!r}, which transformers does not know"
    return one_line(error)


def _leaves(data: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def one_line(error: BaseException) -> str:
    """What an error of a library says, in one line without its end."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, StrictDataclassError):  # the field first, then what is wrong with it
        lines = lines[1:] or lines
    said = re.sub(r"^\w+Error: ", "", lines[0].strip())
    return said[:200].rstrip(".: ")
