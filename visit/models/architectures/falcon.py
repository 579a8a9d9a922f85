"""Falcon: multi-query or grouped, parallel with one norm or two, or in turn; rotary or ALiBi."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Block, Family, Norm, Sizes
from visit.models.architectures.weights import fused_attention, layer_norm, linear_mlp


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``FalconForCausalLM``, of the old decoder or the new."""
    config, body = model.config, model.transformer
    n_heads, n_kv_heads = config.num_attention_heads, body.h[0].self_attention.num_kv_heads
    return Architecture(
        family=FAMILY.name,
        sizes=Sizes(
            n_layers=config.num_hidden_layers,
            n_heads=n_heads,
            n_kv_heads=n_kv_heads,
            d_model=config.hidden_size,
            d_head=config.hidden_size // n_heads,
            d_mlp=config.ffn_hidden_size,
            d_vocab=model.lm_head.weight.shape[0],
            n_context=config.max_position_embeddings,
        ),
        blocks=tuple(_block(block, n_kv_heads, config) for block in body.h),
        final_norm=layer_norm(body.ln_f),
        unembedding=model.lm_head.weight.T,
        unembedding_bias=None,
    )


def _block(block: Any, n_kv_heads: int, config: Any) -> Block:
    attn, mlp = block.self_attention, block.mlp
    ln1, ln2 = _norms(block)
    return Block(
        module=block,
        ln1=ln1,
        attention=fused_attention(
            attn,
            attn.dense,
            attn.query_key_value,
            n_kv_heads,
            attn.head_dim,
            score_scale=attn.inv_norm_factor,
            rotary=not config.alibi,
            # Added before the scores are scaled, so the scale is on both.
            alibi_scale=attn.inv_norm_factor if config.alibi else None,
        ),
        ln2=ln2,
        mlp=linear_mlp(mlp.dense_h_to_4h, mlp.dense_4h_to_h, mlp.act),
        parallel=config.new_decoder_architecture or config.parallel_attn,
    )


def _norms(block: Any) -> tuple[Norm, Norm]:
    if hasattr(block, "ln_attn"):
        return layer_norm(block.ln_attn), layer_norm(block.ln_mlp)
    ln1 = layer_norm(block.input_layernorm)
    if hasattr(block, "post_attention_layernorm"):
        return ln1, layer_norm(block.post_attention_layernorm)
    return ln1, ln1


FAMILY = Family("Falcon", "Falcon 7B, 40B, 180B, RW", ("falcon",), lay_open)
