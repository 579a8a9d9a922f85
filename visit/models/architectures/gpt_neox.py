"""GPT-NeoX: queries, keys and values fused head by head; in parallel or in turn, two LayerNorms."""

from __future__ import annotations

from typing import Any

from visit.models.architectures.base import Architecture, Block, Family, Sizes
from visit.models.architectures.weights import fused_attention, layer_norm, linear_mlp


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``GPTNeoXForCausalLM``."""
    config, body = model.config, model.gpt_neox
    unembedding = model.get_output_embeddings().weight  # its name changed in transformers 5
    n_heads = config.num_attention_heads
    return Architecture(
        family=FAMILY.name,
        sizes=Sizes(
            n_layers=config.num_hidden_layers,
            n_heads=n_heads,
            n_kv_heads=n_heads,
            d_model=config.hidden_size,
            d_head=config.hidden_size // n_heads,
            d_mlp=config.intermediate_size,
            d_vocab=unembedding.shape[0],
            n_context=config.max_position_embeddings,
        ),
        blocks=tuple(_block(block, n_heads) for block in body.layers),
        final_norm=layer_norm(body.final_layer_norm),
        unembedding=unembedding.T,
        unembedding_bias=None,
    )


def _block(block: Any, n_heads: int) -> Block:
    attn, mlp = block.attention, block.mlp
    return Block(
        module=block,
        ln1=layer_norm(block.input_layernorm),
        attention=fused_attention(
            attn,
            attn.dense,
            attn.query_key_value,
            n_heads,
            attn.head_size,
            score_scale=attn.scaling,
            rotary=True,
        ),
        ln2=layer_norm(block.post_attention_layernorm),
        mlp=linear_mlp(mlp.dense_h_to_4h, mlp.dense_4h_to_h, mlp.act),
        parallel=block.use_parallel_residual,
    )


FAMILY = Family("GPT-NeoX", "GPT-NeoX 20B, Pythia, Dolly 2", ("gpt_neox",), lay_open)
