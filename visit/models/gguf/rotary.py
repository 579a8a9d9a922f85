"""How positions turn queries and keys: the base, the scaling and the factors a GGUF file gives.

Source: llama.cpp's ``llama-model.cpp`` and ``ggml.c`` (``ggml_rope_yarn_corr_dims``), and
transformers' ``modeling_rope_utils.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from visit.models.gguf.said import Said, refusal

FREQUENCIES, SHORT, LONG = (
    "rope_freqs.weight",
    "rope_factors_short.weight",
    "rope_factors_long.weight",
)
"""Tensors of factors that each frequency is divided by: numbers of the config, not weights."""
FACTORS = (FREQUENCIES, SHORT, LONG)


@dataclass(frozen=True, slots=True)
class Factors:
    """Stands for the numbers of one of those tensors, until the file's tensors are read.

    Attributes:
        tensor: Its name.
    """

    tensor: str


def rotary(said: Said, d_head: int, base: float = 10000.0) -> dict[str, Any]:
    """The rotary part of a config whose heads are turned whole.

    Raises:
        ModelError: what the file says of it cannot be honoured.
    """
    said.expect("rope.dimension_count", d_head)
    return {"rope_theta": said.real("rope.freq_base", base), "rope_scaling": _scaling(said)}


def partial(said: Said, d_head: int) -> dict[str, Any]:
    """The rotary part of a config whose heads may be turned in part.

    Raises:
        ModelError: what the file says of it cannot be honoured.
    """
    turned = said.number("rope.dimension_count", d_head)
    return {**rotary(said, d_head), "partial_rotary_factor": turned / d_head}


def longrope(said: Said, d_head: int, n_positions: int) -> dict[str, Any]:
    """The rotary part of Phi-3's config: factors for short prompts and for long ones.

    transformers works out itself by how much long models attend more sharply, from how many times
    more positions they have than at first; a file that says otherwise is refused.

    Raises:
        ModelError: what the file says of it cannot be honoured.
    """
    original = said.number("rope.scaling.original_context_length", 0, least=0)
    attention = said.real("rope.scaling.attn_factor", 1.0)
    scaling = None
    if SHORT in said.tensors:
        said.expect("rope.scaling.type", "longrope")
        said.expect("rope.scaling.factor", 0.0)
        if not original:
            raise refusal("phi3.rope.scaling.original_context_length", original, "1 or more")
        scaling = {"short_factor": Factors(SHORT), "long_factor": Factors(LONG), "type": "longrope"}
    longer = n_positions / original if scaling else 1.0
    wanted = math.sqrt(1 + math.log(longer) / math.log(original)) if longer > 1 else 1.0
    if not math.isclose(attention, wanted, rel_tol=1e-4):
        raise refusal("phi3.rope.scaling.attn_factor", attention, f"{wanted:.6g}")
    config = partial(said, d_head)
    if scaling:
        config["rope_scaling"] = scaling
    return config if not original else {**config, "original_max_position_embeddings": original}


def _scaling(said: Said) -> dict[str, Any] | None:
    """What ``rope_scaling`` is in ``config.json``; ``None`` for none.

    Left out, the kind is linear. Factors of frequencies are those of Llama 3's scaling, whatever
    made them; transformers takes them as they are under the name of another.
    """
    kind = said.take("rope.scaling.type", "linear")
    older = said.real("rope.scale_linear", 0.0)
    factor = said.real("rope.scaling.factor", 0.0) or older or 1.0
    if kind not in ("none", "linear", "yarn"):
        raise refusal(f"{said.architecture}.rope.scaling.type", kind, "none, linear or yarn")
    if FREQUENCIES in said.tensors:
        if kind == "yarn" or (kind == "linear" and factor != 1.0):
            raise refusal(f"{said.architecture}.rope.scaling.factor", factor, "1 beside rope_freqs")
        scaling = {"short_factor": Factors(FREQUENCIES), "long_factor": Factors(FREQUENCIES)}
        fixed = {
            "attention_factor": 1.0,
            "factor": 1.0,
            "original_max_position_embeddings": 1 << 30,
        }
        return {"rope_type": "longrope", **scaling, **fixed}
    if kind == "yarn":
        return _yarn(said, factor)
    said.number("rope.scaling.original_context_length", 0, least=0)  # of use to yarn alone
    said.expect("rope.scaling.attn_factor", 1.0)
    return None if kind == "none" or factor == 1.0 else {"rope_type": "linear", "factor": factor}


def _yarn(said: Said, factor: float) -> dict[str, Any]:
    original = said.number("rope.scaling.original_context_length")
    said.expect("rope.scaling.yarn_ext_factor", 1.0)
    attention = said.real("rope.scaling.attn_factor", 1.0)
    return {
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": original,
        "beta_fast": said.real("rope.scaling.yarn_beta_fast", 32.0),
        "beta_slow": said.real("rope.scaling.yarn_beta_slow", 1.0),
        "attention_factor": attention * (0.1 * math.log(factor) + 1.0) if factor > 1 else attention,
    }
