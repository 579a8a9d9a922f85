"""OPT: pre-norm, ReLU, biases, learned positions that start at 2."""

from __future__ import annotations

from typing import Any

from visit.errors import ModelError
from visit.models.architectures.base import Architecture, Block, Family, Sizes
from visit.models.architectures.weights import layer_norm, linear_mlp, separate_attention


def lay_open(model: Any) -> Architecture:
    """The architecture of an ``OPTForCausalLM``.

    Raises:
        ModelError: it norms after each part or its embeddings are projected (OPT-350m does both);
            or it lacks a norm or a norm's gain.
    """
    config, body = model.config, model.model.decoder
    if not config.do_layer_norm_before or body.project_in is not None:
        raise ModelError(
            "OPT models that norm after attention and MLP, or project their embeddings (OPT-350m), "
            "are not supported: their residual is normed away at every layer; give another size"
        )
    if body.final_layer_norm is None or not config.layer_norm_elementwise_affine:
        field = "layer_norm_elementwise_affine is false"
        if body.final_layer_norm is None:
            field = "_remove_final_layer_norm is true"
        raise ModelError(f"OPT models whose {field} are not supported; give another")
    n_heads = config.num_attention_heads
    return Architecture(
        family=FAMILY.name,
        sizes=Sizes(
            n_layers=config.num_hidden_layers,
            n_heads=n_heads,
            n_kv_heads=n_heads,
            d_model=config.hidden_size,
            d_head=config.hidden_size // n_heads,
            d_mlp=config.ffn_dim,
            d_vocab=model.lm_head.weight.shape[0],
            n_context=config.max_position_embeddings,
        ),
        blocks=tuple(_block(block) for block in body.layers),
        final_norm=layer_norm(body.final_layer_norm),
        unembedding=model.lm_head.weight.T,
        unembedding_bias=None,
    )


def _block(block: Any) -> Block:
    attn = block.self_attn
    return Block(
        module=block,
        ln1=layer_norm(block.self_attn_layer_norm),
        attention=separate_attention(
            attn, attn.out_proj, attn.head_dim, score_scale=attn.scaling, rotary=False
        ),
        ln2=layer_norm(block.final_layer_norm),
        mlp=linear_mlp(block.fc1, block.fc2, block.activation_fn),
    )


FAMILY = Family("OPT", "OPT 125M, 1.3B and larger", ("opt",), lay_open)
