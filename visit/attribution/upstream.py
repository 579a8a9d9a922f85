"""Flow from part to part: how much of a reader's flow comes through each part upstream.

A head, a memory and an MLP are linear in the residuals that they read while patterns, norm scales
and gates are held. So a reader has a gradient there, of its own flow: the metric's at its mix of
values or its input, taken back through ``A · W_V`` or ``W_in`` and the frozen norm. A part's flow
into the reader is its dot product with that gradient. With the embeddings and the biases, those of
all parts upstream add up to the reader's flow.

Source: an edge's influence in the attribution graphs of Ameisen et al. 2025, with heads and MLPs
for features; the virtual weights of Elhage et al. 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution.flow import LayerGradient
from visit.attribution.ledgers import apply_gain
from visit.attribution.metric_flow import bias_flows
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Mlp, Norm
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class Reader:
    """A part, as a linear function of the residuals that it reads.

    Attributes:
        gradient: Of its flow at every position's residual; zero where it reads nothing.
        biases: What its own biases and its norm's add to its flow.
        flow: Its flow.
        reads_attention: Whether it reads what its own layer's attention wrote.
    """

    gradient: Float[Tensor, "pos d_model"]
    biases: float
    flow: float
    reads_attention: bool


@dataclass(frozen=True, slots=True)
class LayerUpstream:
    """What comes through the parts of one layer, at every position.

    Attributes:
        heads: Through each head.
        bias: Through the attention's bias; ``None`` where it has none.
        mlp: Through the MLP; ``None`` where it comes after what reads.
    """

    heads: Float[Tensor, "pos head"]
    bias: Float[Tensor, " pos"] | None
    mlp: Float[Tensor, " pos"] | None


def read_as_head(
    architecture: Architecture,
    trace: Trace,
    layer: int,
    position: int,
    head: int,
    at: LayerGradient,
) -> Reader:
    """A head at one position, as a function of the residuals of all that it attends to.

    Args:
        architecture: The model.
        trace: The forward pass.
        layer: The head's layer.
        position: Its position.
        head: Its number.
        at: The metric's gradients at that layer.
    """
    block, recorded = architecture.blocks[layer], trace.layers[layer]
    attention, wide = block.attention, ledger_dtype(at.post)
    n_positions = at.post.shape[1]
    kv_head = head * len(attention.w_v) // len(attention.w_q)  # as circuits.repeat_kv_heads has it
    z = at.z[0, position, head].to(wide)
    pattern = recorded.attention[head, position, :n_positions].to(wide)
    read = pattern.unsqueeze(1) * (attention.w_v[kv_head].to(wide) @ z)
    biases = _of_norm(block.ln1, read)
    if attention.b_v is not None:
        biases += float(pattern.sum() * (attention.b_v[kv_head].to(wide) @ z))
    gradient = _through(block.ln1, recorded.resid_pre[:n_positions].to(wide), read)
    flow = float(z @ recorded.z[position, head].to(wide))
    return Reader(gradient, biases, flow, reads_attention=False)


def read_as_memory(
    architecture: Architecture,
    trace: Trace,
    layer: int,
    position: int,
    memory: int,
    at: LayerGradient,
) -> Reader:
    """A memory at one position, as a function of the residual that its MLP reads.

    Raises:
        ValueError: the layer has experts and no memories.
    """
    block, recorded = architecture.blocks[layer], trace.layers[layer]
    mlp = block.mlp
    if not isinstance(mlp, Mlp) or at.memory_input is None or recorded.activation is None:
        raise ValueError(f"layer {layer} has no memories; take its MLP")
    assert at.activation is not None
    wide = ledger_dtype(at.post)
    held = at.memory_input[0, position, memory].to(wide)
    w, b = (mlp.w_in, mlp.b_in) if mlp.w_up is None else (mlp.w_up, mlp.b_up)
    read = torch.zeros_like(at.post[0], dtype=wide)
    read[position] = held * w[:, memory].to(wide)
    biases = _of_norm(block.ln2, read)
    if b is not None:
        biases += float(held * b[memory].to(wide))
    gradient = _through(block.ln2, _read_by_mlp(trace, layer, len(read)).to(wide), read)
    activation = recorded.activation[position, memory].to(wide)
    flow = float(at.activation[0, position, memory].to(wide) * activation)
    return Reader(gradient, biases, flow, reads_attention=not block.parallel)


def read_as_mlp(
    architecture: Architecture, trace: Trace, layer: int, position: int, at: LayerGradient
) -> Reader:
    """An MLP or a mixture at one position, as a function of the residual that it reads."""
    block, wide = architecture.blocks[layer], ledger_dtype(at.post)
    gradient = torch.zeros_like(at.into_mlp[0], dtype=wide)
    gradient[position] = at.into_mlp[0, position].to(wide)
    flows = bias_flows(block, at)
    own = [flows[name] for name in ("b_out", "b_input", "ln2") if name in flows]
    biases = sum((float(one[0, position]) for one in own), 0.0)
    flow = float(at.post[0, position].to(wide) @ trace.layers[layer].mlp_out[position].to(wide))
    return Reader(gradient, biases, flow, reads_attention=not block.parallel)


def flow_from_layer(
    architecture: Architecture, trace: Trace, layer: int, reader: Reader, *, with_mlp: bool = True
) -> LayerUpstream:
    """How much of a reader's flow comes through each part of one layer.

    Args:
        architecture: The model.
        trace: The forward pass.
        layer: A layer whose parts write what it reads.
        reader: What reads.
        with_mlp: Whether the layer's MLP does, or its attention alone.
    """
    block, recorded, gradient = architecture.blocks[layer], trace.layers[layer], reader.gradient
    n_positions = len(gradient)
    raw = gradient
    if recorded.attn_gain is not None:
        raw = gradient * recorded.attn_gain[:n_positions].to(gradient)
    w_o, bias = block.attention.w_o, block.attention.b_o
    at_z = (raw @ w_o.flatten(0, 1).to(raw).T).unflatten(1, w_o.shape[:2])
    written = recorded.mlp_out[:n_positions].to(gradient)
    return LayerUpstream(
        heads=(at_z * recorded.z[:n_positions].to(raw)).sum(-1),
        bias=None if bias is None else raw @ bias.to(raw),
        mlp=(gradient * written).sum(-1) if with_mlp else None,
    )


def flow_from_embeddings(trace: Trace, reader: Reader) -> Float[Tensor, " pos"]:
    """How much of a reader's flow comes through each position's embedding."""
    embeddings = trace.residuals[0][: len(reader.gradient)]
    return (reader.gradient * embeddings.to(reader.gradient)).sum(-1)


def _read_by_mlp(trace: Trace, layer: int, n_positions: int) -> Float[Tensor, "pos d_model"]:
    recorded = trace.layers[layer]
    resid = recorded.resid_pre if recorded.resid_mid is None else recorded.resid_mid
    return resid[:n_positions]


def _through(
    norm: Norm | None, resid: Float[Tensor, "pos d_model"], read: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "pos d_model"]:
    """From the gradient at what is read to that at the residual, the norm's scale held."""
    return read if norm is None else norm.pulled_back(read) * norm.scale(resid)


def _of_norm(norm: Norm | None, read: Float[Tensor, "pos d_model"]) -> float:
    if norm is None or norm.bias is None:
        return 0.0
    return float((read @ norm.bias.to(read)).sum())


def written_by(architecture: Architecture, trace: Trace, part: NodeId) -> Float[Tensor, " d_model"]:
    """What a part writes into the residual stream at its position.

    Args:
        architecture: The model.
        trace: The forward pass.
        part: A head, a memory, an attention or an MLP.

    Raises:
        ValueError: it is another kind of part.
    """
    assert part.layer is not None
    block, recorded, place = (
        architecture.blocks[part.layer],
        trace.layers[part.layer],
        part.position,
    )
    match part.kind:
        case NodeKind.HEAD:
            z = recorded.z[place, part.head].to(ledger_dtype(recorded.z))
            own = z @ block.attention.w_o[part.head].to(z)
            return apply_gain(own, recorded.attn_gain, place)
        case NodeKind.MEMORY_VALUE if (
            isinstance(block.mlp, Mlp) and recorded.activation is not None
        ):
            activation = recorded.activation[place, part.index]
            wide = activation.to(ledger_dtype(activation))
            return apply_gain(wide * block.mlp.w_out[part.index].to(wide), recorded.mlp_gain, place)
        case NodeKind.ATTN:
            return recorded.attn_out[place]
        case NodeKind.MLP:
            return recorded.mlp_out[place]
    raise ValueError(f"{part} is no head, memory, attention or MLP")
