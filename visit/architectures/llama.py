"""Llama: separate ``nn.Linear`` weights, RMSNorm, rotary positions, grouped queries, gated MLP."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from visit.architectures.base import Architecture, Attention, Block, Family, Mlp, Norm, Sizes


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``LlamaForCausalLM`` or one of its like (Mistral, Qwen 2)."""
    config, body = model.config, model.model
    d_head = body.layers[0].self_attn.head_dim
    return Architecture(
        family=FAMILY.name,
        sizes=Sizes(
            n_layers=config.num_hidden_layers,
            n_heads=config.num_attention_heads,
            n_kv_heads=config.num_key_value_heads,
            d_model=config.hidden_size,
            d_head=d_head,
            d_mlp=config.intermediate_size,
            d_vocab=model.lm_head.weight.shape[0],
            n_context=config.max_position_embeddings,
        ),
        blocks=tuple(_block(block, d_head) for block in body.layers),
        final_norm=_norm(body.norm),
        unembedding=model.lm_head.weight.T,
        unembedding_bias=None,
    )


def _block(block: Any, d_head: int) -> Block:
    attn, mlp = block.self_attn, block.mlp
    return Block(
        ln1=_norm(block.input_layernorm),
        attention=Attention(
            module=attn,
            output=attn.o_proj,
            w_q=_weight_by_head(attn.q_proj, d_head),
            w_k=_weight_by_head(attn.k_proj, d_head),
            w_v=_weight_by_head(attn.v_proj, d_head),
            w_o=attn.o_proj.weight.T.unflatten(0, (-1, d_head)),
            b_q=_bias_by_head(attn.q_proj, d_head),
            b_k=_bias_by_head(attn.k_proj, d_head),
            b_v=_bias_by_head(attn.v_proj, d_head),
            b_o=attn.o_proj.bias,
            score_scale=attn.scaling,
            rotary=True,
        ),
        ln2=_norm(block.post_attention_layernorm),
        mlp=Mlp(
            module=mlp,
            output=mlp.down_proj,
            w_in=mlp.gate_proj.weight.T,
            w_out=mlp.down_proj.weight.T,
            b_in=mlp.gate_proj.bias,
            b_out=mlp.down_proj.bias,
        ),
    )


def _weight_by_head(linear: Any, d_head: int) -> Tensor:
    """``nn.Linear`` keeps ``[head d_head, d_model]``; we want ``[head, d_model, d_head]``."""
    weight: Tensor = linear.weight.unflatten(0, (-1, d_head)).transpose(1, 2)
    return weight


def _bias_by_head(linear: Any, d_head: int) -> Tensor | None:
    return None if linear.bias is None else linear.bias.unflatten(0, (-1, d_head))


def _norm(norm: Any) -> Norm:
    return Norm(norm, norm.weight, None, norm.variance_epsilon, centers=False)


FAMILY = Family(
    "Llama",
    "Llama 1 to 3, SmolLM2, TinyLlama, Mistral, Qwen 2 and 2.5",
    ("llama", "mistral", "qwen2"),
    lay_open,
)
