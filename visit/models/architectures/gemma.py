"""Gemma: ``1 + gain`` norms; from Gemma 2 on, norms on both sides of a block and soft-caps."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Block, Family, Norm
from visit.models.architectures.llama import like_llama
from visit.models.architectures.weights import linear_mlp, rms_norm, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``GemmaForCausalLM`` (1, 2 or 3, text)."""
    return like_llama(
        model,
        FAMILY.name,
        (_block(block) for block in model.model.layers),
        _norm(model.model.norm),
        soft_cap=getattr(model.config, "final_logit_softcapping", None),
    )


def _block(block: Any) -> Block:
    attn, mlp = block.self_attn, block.mlp
    is_sandwich = hasattr(block, "pre_feedforward_layernorm")
    has_qk_norm = hasattr(attn, "q_norm")
    return Block(
        module=block,
        ln1=_norm(block.input_layernorm),
        attention=separate_attention(
            attn,
            attn.o_proj,
            attn.head_dim,
            score_scale=attn.scaling,
            rotary=True,
            q_norm=_norm(attn.q_norm) if has_qk_norm else None,
            k_norm=_norm(attn.k_norm) if has_qk_norm else None,
            score_cap=getattr(attn, "attn_logit_softcapping", None),
        ),
        ln2=_norm(
            block.pre_feedforward_layernorm if is_sandwich else block.post_attention_layernorm
        ),
        mlp=linear_mlp(mlp.gate_proj, mlp.down_proj, mlp.act_fn, mlp.up_proj),
        attn_norm=_norm(block.post_attention_layernorm) if is_sandwich else None,
        mlp_norm=_norm(block.post_feedforward_layernorm) if is_sandwich else None,
    )


def _norm(norm: Any) -> Norm:
    return rms_norm(norm, offset=1.0)


FAMILY = Family(
    "Gemma",
    "Gemma 1, 2 and 3 (of those that read images, the text part)",
    ("gemma", "gemma2", "gemma3_text"),
    lay_open,
)
