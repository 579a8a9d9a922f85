"""Llama: separate ``nn.Linear`` weights, RMSNorm, rotary positions, grouped queries, gated MLP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from visit.models.architectures.base import Architecture, Block, Experts, Family, Mlp, Norm, Sizes
from visit.models.architectures.weights import linear_mlp, rms_norm, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``LlamaForCausalLM`` or one of its like."""
    blocks = (_block(block) for block in model.model.layers)
    return like_llama(model, FAMILY.name, blocks, rms_norm(model.model.norm))


def like_llama(
    model: Any, family: str, blocks: Iterable[Block], final_norm: Norm, **more: Any
) -> Architecture:
    """The architecture of a model that is put together like Llama, whatever its blocks are."""
    return Architecture(
        family=family,
        sizes=sizes(model),
        blocks=tuple(blocks),
        final_norm=final_norm,
        unembedding=model.lm_head.weight.T,
        unembedding_bias=model.lm_head.bias,
        **more,
    )


def sizes(model: Any) -> Sizes:
    """The sizes of a model whose config calls them as Llama's does."""
    config = model.config
    return Sizes(
        n_layers=config.num_hidden_layers,
        n_heads=config.num_attention_heads,
        n_kv_heads=config.num_key_value_heads,
        d_model=config.hidden_size,
        d_head=model.model.layers[0].self_attn.head_dim,
        d_mlp=config.intermediate_size,
        d_vocab=model.lm_head.weight.shape[0],
        n_context=config.max_position_embeddings,
    )


def _block(block: Any) -> Block:
    mlp = block.mlp
    return block_with(block, linear_mlp(mlp.gate_proj, mlp.down_proj, mlp.act_fn, mlp.up_proj))


def block_with(block: Any, mlp: Mlp | Experts) -> Block:
    """A layer that is Llama's but for what stands in its MLP's place."""
    attn = block.self_attn
    return Block(
        module=block,
        ln1=rms_norm(block.input_layernorm),
        attention=separate_attention(
            attn,
            attn.o_proj,
            attn.head_dim,
            # In transformers 4 OLMoE and Qwen2-MoE divide by this root and keep no scale.
            score_scale=getattr(attn, "scaling", attn.head_dim**-0.5),
            # Some of SmolLM3's layers rotate nothing.
            rotary=bool(getattr(attn, "use_rope", True)),
            q_norm=_norm_if_any(attn, "q_norm"),
            k_norm=_norm_if_any(attn, "k_norm"),
        ),
        ln2=rms_norm(block.post_attention_layernorm),
        mlp=mlp,
    )


def _norm_if_any(attn: Any, name: str) -> Norm | None:
    norm = getattr(attn, name, None)
    return None if norm is None else rms_norm(norm)


FAMILY = Family(
    "Llama",
    "Llama 1 to 3, SmolLM2 and 3, TinyLlama, Mistral, Qwen 2, 2.5 and 3",
    ("llama", "mistral", "qwen2", "qwen3", "smollm3"),
    lay_open,
)
