"""OLMo 2: no norm before attention and MLP, one after each, and one for all queries and keys."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Block, Family
from visit.models.architectures.llama import like_llama
from visit.models.architectures.weights import linear_mlp, rms_norm, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of an ``Olmo2ForCausalLM``."""
    blocks = (_block(block) for block in model.model.layers)
    return like_llama(model, FAMILY.name, blocks, rms_norm(model.model.norm))


def _block(block: Any) -> Block:
    attn, mlp = block.self_attn, block.mlp
    return Block(
        module=block,
        ln1=None,
        attention=separate_attention(
            attn,
            attn.o_proj,
            attn.head_dim,
            score_scale=attn.scaling,
            rotary=True,
            q_norm=rms_norm(attn.q_norm),
            k_norm=rms_norm(attn.k_norm),
        ),
        ln2=None,
        mlp=linear_mlp(mlp.gate_proj, mlp.down_proj, mlp.act_fn, mlp.up_proj),
        attn_norm=rms_norm(block.post_attention_layernorm),
        mlp_norm=rms_norm(block.post_feedforward_layernorm),
    )


FAMILY = Family("OLMo 2", "OLMo 2", ("olmo2",), lay_open)
