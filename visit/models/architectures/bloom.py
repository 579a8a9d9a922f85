"""BLOOM: queries, keys and values fused head by head, ALiBi positions, an embedding norm."""

from __future__ import annotations

from typing import Any

from visit.errors import ModelError
from visit.models.architectures.base import Architecture, Block, Family, Sizes
from visit.models.architectures.weights import fused_attention, layer_norm, linear_mlp

TRAINED_CONTEXT = 2048  # ALiBi itself has no end


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``BloomForCausalLM``.

    Raises:
        ModelError: it adds normed residuals, which no released BLOOM does.
    """
    config, body = model.config, model.transformer
    if config.apply_residual_connection_post_layernorm:
        raise ModelError(
            "BLOOM models that add the normed residual (apply_residual_connection_post_layernorm) "
            "are not supported; give one that adds the residual itself"
        )
    return Architecture(
        family=FAMILY.name,
        sizes=Sizes(
            n_layers=config.n_layer,
            n_heads=config.n_head,
            n_kv_heads=config.n_head,
            d_model=config.hidden_size,
            d_head=config.hidden_size // config.n_head,
            d_mlp=4 * config.hidden_size,
            d_vocab=model.lm_head.weight.shape[0],
            n_context=TRAINED_CONTEXT,
        ),
        blocks=tuple(_block(block, config.n_head) for block in body.h),
        final_norm=layer_norm(body.ln_f),
        unembedding=model.lm_head.weight.T,
        unembedding_bias=None,
    )


def _block(block: Any, n_heads: int) -> Block:
    attn, mlp = block.self_attention, block.mlp
    return Block(
        module=block,
        ln1=layer_norm(block.input_layernorm),
        attention=fused_attention(
            attn,
            attn.dense,
            attn.query_key_value,
            n_heads,
            attn.head_dim,
            score_scale=attn.inv_norm_factor,
            rotary=False,
            alibi_scale=attn.beta,
        ),
        ln2=layer_norm(block.post_attention_layernorm),
        mlp=linear_mlp(mlp.dense_h_to_4h, mlp.dense_4h_to_h, mlp.gelu_impl),
    )


FAMILY = Family("BLOOM", "BLOOM, BLOOMZ", ("bloom",), lay_open)
