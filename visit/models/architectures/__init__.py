"""The families of models that visit can take apart, and the only registry of them."""

from __future__ import annotations

from typing import Any

from visit.errors import ModelError
from visit.models.architectures import (
    bloom,
    falcon,
    gemma,
    gpt2,
    gpt_neo,
    gpt_neox,
    gptj,
    granite,
    granite_moe,
    llama,
    mixtral,
    olmo2,
    opt,
    phi,
    phi3,
    stablelm,
    starcoder2,
)
from visit.models.architectures.base import Architecture, Family
from visit.models.architectures.elsewhere import is_elsewhere, lay_open_elsewhere

__all__ = ["FAMILIES", "Architecture", "Family", "families", "family_of", "lay_open"]

FAMILIES: tuple[Family, ...] = tuple(
    module.FAMILY
    for module in (
        gpt2,
        gpt_neo,
        gptj,
        gpt_neox,
        opt,
        bloom,
        falcon,
        llama,
        gemma,
        phi,
        phi3,
        stablelm,
        olmo2,
        granite,
        starcoder2,
        mixtral,
        granite_moe,
    )
)

_REFUSED = {
    "deepseek_v2": "its heads share compressed keys and values",
    "deepseek_v3": "its heads share compressed keys and values",
    "gpt_oss": "its attention goes partly to a sink that is no position",
    "phimoe": "its router is not one of those that were proved",
}
"""Why a model type that many ask for is refused."""

_BY_MODEL_TYPE = {name: family for family in FAMILIES for name in family.model_types}


def family_of(model_type: str) -> Family:
    """The family that a ``config.model_type`` belongs to; never a guess.

    Raises:
        ModelError: no family answers to it.
    """
    if model_type not in _BY_MODEL_TYPE:
        supported = ", ".join(sorted(_BY_MODEL_TYPE))
        reason = f" ({_REFUSED[model_type]})" if model_type in _REFUSED else ""
        raise ModelError(
            f"models of type {model_type!r} are not supported{reason}; give one of type {supported}"
        )
    return _BY_MODEL_TYPE[model_type]


def lay_open(model: Any) -> Architecture:
    """The architecture of a loaded model.

    Raises:
        ModelError: its family is not supported.
    """
    family = family_of(model.config.model_type)
    if is_elsewhere(model):
        return lay_open_elsewhere(model, family.lay_open)
    return family.lay_open(model)


def families() -> dict[str, str]:
    """Each family's name with who belongs to it and its limits, for ``visit models``."""
    return {
        family.name: f"{family.note}; {family.limits}" if family.limits else family.note
        for family in FAMILIES
    }
