"""GPT-2: fused ``Conv1D`` weights, LayerNorm, biases, learned positions, tied unembedding."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Attention, Block, Family, Mlp, Sizes
from visit.models.architectures.weights import layer_norm


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``GPT2LMHeadModel``."""
    config, body = model.config, model.transformer
    n_heads, d_model = config.n_head, config.n_embd
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
        blocks=tuple(_block(block, config, layer) for layer, block in enumerate(body.h)),
        final_norm=layer_norm(body.ln_f),
        unembedding=model.lm_head.weight.T,
        unembedding_bias=None,
    )


def _score_scale(config: Any, layer: int) -> float:
    scale: float = (config.n_embd // config.n_head) ** -0.5 if config.scale_attn_weights else 1.0
    return scale / (layer + 1) if config.scale_attn_by_inverse_layer_idx else scale


def _block(block: Any, config: Any, layer: int) -> Block:
    attn, mlp, n_heads = block.attn, block.mlp, config.n_head
    d_model = attn.c_proj.weight.shape[0]
    # c_attn is [d_model, q|k|v], each of the three [head, d_head].
    w_q, w_k, w_v = attn.c_attn.weight.view(d_model, 3, n_heads, -1).permute(1, 2, 0, 3)
    b_q, b_k, b_v = attn.c_attn.bias.view(3, n_heads, -1)
    return Block(
        module=block,
        ln1=layer_norm(block.ln_1),
        attention=Attention(
            module=attn,
            output=attn.c_proj,
            w_q=w_q,
            w_k=w_k,
            w_v=w_v,
            w_o=attn.c_proj.weight.view(n_heads, -1, d_model),
            b_q=b_q,
            b_k=b_k,
            b_v=b_v,
            b_o=attn.c_proj.bias,
            score_scale=_score_scale(config, layer),
            rotary=False,
        ),
        ln2=layer_norm(block.ln_2),
        mlp=Mlp(
            input=mlp.c_fc,
            output=mlp.c_proj,
            w_in=mlp.c_fc.weight,
            w_out=mlp.c_proj.weight,
            b_in=mlp.c_fc.bias,
            b_out=mlp.c_proj.bias,
            act=mlp.act,
        ),
    )


FAMILY = Family("GPT-2", "GPT-2 in every size, DistilGPT2", ("gpt2",), lay_open)
