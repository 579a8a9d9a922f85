"""GPT-J: parallel attention and MLP behind one LayerNorm, rotary positions, an unembedding bias."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Block, Family, Sizes
from visit.models.architectures.weights import layer_norm, linear_mlp, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``GPTJForCausalLM``."""
    config, body = model.config, model.transformer
    d_model, n_heads = config.n_embd, config.n_head
    return Architecture(
        family=FAMILY.name,
        sizes=Sizes(
            n_layers=config.n_layer,
            n_heads=n_heads,
            n_kv_heads=n_heads,
            d_model=d_model,
            d_head=d_model // n_heads,
            d_mlp=config.n_inner or 4 * d_model,
            d_vocab=model.lm_head.weight.shape[0],
            n_context=config.n_positions,
        ),
        blocks=tuple(_block(block) for block in body.h),
        final_norm=layer_norm(body.ln_f),
        unembedding=model.lm_head.weight.T,
        unembedding_bias=model.lm_head.bias,
    )


def _block(block: Any) -> Block:
    attn, mlp, ln1 = block.attn, block.mlp, layer_norm(block.ln_1)
    return Block(
        module=block,
        ln1=ln1,
        attention=separate_attention(
            attn,
            attn.out_proj,
            attn.head_dim,
            score_scale=_score_scale(attn),
            rotary=True,
            interleaved=True,
        ),
        ln2=ln1,
        mlp=linear_mlp(mlp.fc_in, mlp.fc_out, mlp.act),
        parallel=True,
    )


def _score_scale(attn: Any) -> float:
    """What scores are multiplied by; transformers 4 divides by a root that float32 has rounded."""
    return float(attn.scaling) if hasattr(attn, "scaling") else 1 / float(attn.scale_attn)


FAMILY = Family("GPT-J", "GPT-J 6B", ("gptj",), lay_open)
