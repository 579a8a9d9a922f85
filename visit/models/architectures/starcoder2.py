"""StarCoder2: Llama's attention with biases, LayerNorm, and a plain MLP."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Block, Family
from visit.models.architectures.llama import like_llama
from visit.models.architectures.weights import layer_norm, linear_mlp, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``Starcoder2ForCausalLM``."""
    blocks = (_block(block) for block in model.model.layers)
    return like_llama(model, FAMILY.name, blocks, layer_norm(model.model.norm))


def _block(block: Any) -> Block:
    attn, mlp = block.self_attn, block.mlp
    return Block(
        module=block,
        ln1=layer_norm(block.input_layernorm),
        attention=separate_attention(
            attn, attn.o_proj, attn.head_dim, score_scale=attn.scaling, rotary=True
        ),
        ln2=layer_norm(block.post_attention_layernorm),
        mlp=linear_mlp(mlp.c_fc, mlp.c_proj, mlp.act),
    )


FAMILY = Family("StarCoder2", "StarCoder2", ("starcoder2",), lay_open)
