"""Phi 1 and 2: parallel attention and MLP behind one LayerNorm, biases everywhere."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Block, Family
from visit.models.architectures.llama import like_llama
from visit.models.architectures.weights import layer_norm, linear_mlp, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``PhiForCausalLM``."""
    blocks = (_block(block) for block in model.model.layers)
    return like_llama(model, FAMILY.name, blocks, layer_norm(model.model.final_layernorm))


def _block(block: Any) -> Block:
    attn, mlp = block.self_attn, block.mlp
    ln1 = layer_norm(block.input_layernorm)
    return Block(
        module=block,
        ln1=ln1,
        attention=separate_attention(
            attn,
            attn.dense,
            attn.head_dim,
            score_scale=attn.scaling,
            rotary=True,
            q_norm=layer_norm(attn.q_layernorm) if attn.qk_layernorm else None,
            k_norm=layer_norm(attn.k_layernorm) if attn.qk_layernorm else None,
        ),
        ln2=ln1,
        mlp=linear_mlp(mlp.fc1, mlp.fc2, mlp.activation_fn),
        parallel=True,
    )


FAMILY = Family("Phi", "Phi-1, Phi-1.5, Phi-2", ("phi",), lay_open)
