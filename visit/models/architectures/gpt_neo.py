"""GPT-Neo: GPT-2 in ``nn.Linear``, without score scale, every other layer seeing a window."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Block, Family, Sizes
from visit.models.architectures.weights import layer_norm, linear_mlp, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``GPTNeoForCausalLM``."""
    config, body = model.config, model.transformer
    d_model, n_heads = config.hidden_size, config.num_heads
    return Architecture(
        family=FAMILY.name,
        sizes=Sizes(
            n_layers=config.num_layers,
            n_heads=n_heads,
            n_kv_heads=n_heads,
            d_model=d_model,
            d_head=d_model // n_heads,
            d_mlp=config.intermediate_size or 4 * d_model,
            d_vocab=model.lm_head.weight.shape[0],
            n_context=config.max_position_embeddings,
        ),
        blocks=tuple(_block(block) for block in body.h),
        final_norm=layer_norm(body.ln_f),
        unembedding=model.lm_head.weight.T,
        unembedding_bias=None,
    )


def _block(block: Any) -> Block:
    attn, mlp = block.attn.attention, block.mlp
    return Block(
        module=block,
        ln1=layer_norm(block.ln_1),
        attention=separate_attention(
            attn, attn.out_proj, attn.head_dim, score_scale=1.0, rotary=False
        ),
        ln2=layer_norm(block.ln_2),
        mlp=linear_mlp(mlp.c_fc, mlp.c_proj, mlp.act),
    )


FAMILY = Family("GPT-Neo", "GPT-Neo, TinyStories", ("gpt_neo",), lay_open)
