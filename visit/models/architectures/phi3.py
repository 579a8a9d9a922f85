"""Phi 3 and 4: Llama with queries, keys and values in one matrix, gate and up in another."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from visit.models.architectures.base import Architecture, Attention, Block, Family
from visit.models.architectures.llama import like_llama
from visit.models.architectures.weights import linear_mlp, rms_norm


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``Phi3ForCausalLM``."""
    n_heads, n_kv_heads = model.config.num_attention_heads, model.config.num_key_value_heads
    blocks = (_block(block, n_heads, n_kv_heads) for block in model.model.layers)
    return like_llama(model, FAMILY.name, blocks, rms_norm(model.model.norm))


def _block(block: Any, n_heads: int, n_kv_heads: int) -> Block:
    attn, mlp = block.self_attn, block.mlp
    # qkv_proj is [q|k|v, d_model], each of the three [head, d_head].
    by_head: Tensor = attn.qkv_proj.weight.unflatten(0, (-1, attn.head_dim)).transpose(1, 2)
    w_q, w_k, w_v = by_head.split([n_heads, n_kv_heads, n_kv_heads])
    return Block(
        module=block,
        ln1=rms_norm(block.input_layernorm),
        attention=Attention(
            module=attn,
            output=attn.o_proj,
            w_q=w_q,
            w_k=w_k,
            w_v=w_v,
            w_o=attn.o_proj.weight.T.unflatten(0, (-1, attn.head_dim)),
            b_q=None,
            b_k=None,
            b_v=None,
            b_o=None,
            score_scale=attn.scaling,
            rotary=True,
        ),
        ln2=rms_norm(block.post_attention_layernorm),
        mlp=linear_mlp(mlp.gate_up_proj, mlp.down_proj, mlp.activation_fn),
    )


FAMILY = Family("Phi-3", "Phi-3, Phi-3.5-mini, Phi-4", ("phi3",), lay_open)
