"""StableLM: Llama with LayerNorm, in turn or, with one norm for both, in parallel."""

from __future__ import annotations

from typing import Any

from visit.errors import ModelError
from visit.models.architectures.base import Architecture, Block, Family
from visit.models.architectures.llama import like_llama
from visit.models.architectures.weights import layer_norm, linear_mlp, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``StableLmForCausalLM``.

    Raises:
        ModelError: its queries and keys have a norm for each head (StableLM 2 12B).
    """
    if model.config.qk_layernorm:
        raise ModelError(
            "StableLM models with a norm for each head's queries and keys (qk_layernorm, as in "
            "StableLM 2 12B) are not supported; give a smaller one"
        )
    blocks = (_block(block) for block in model.model.layers)
    return like_llama(model, FAMILY.name, blocks, layer_norm(model.model.norm))


def _block(block: Any) -> Block:
    attn, mlp = block.self_attn, block.mlp
    ln1 = layer_norm(block.input_layernorm)
    return Block(
        module=block,
        ln1=ln1,
        attention=separate_attention(
            attn, attn.o_proj, attn.head_dim, score_scale=attn.head_dim**-0.5, rotary=True
        ),
        ln2=ln1 if block.use_parallel_residual else layer_norm(block.post_attention_layernorm),
        mlp=linear_mlp(mlp.gate_proj, mlp.down_proj, mlp.act_fn, mlp.up_proj),
        parallel=block.use_parallel_residual,
    )


FAMILY = Family("StableLM", "StableLM 3B, StableLM 2 1.6B", ("stablelm",), lay_open)
