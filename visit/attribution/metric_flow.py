"""The metric's own flow through a recorded pass: one sweep, and what it says of every part."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution import circuits
from visit.attribution.flow import LayerGradient, sweep_back
from visit.attribution.metric import Metric, metric_biases, metric_direction
from visit.models.architectures import Architecture
from visit.models.architectures.base import Block, Mlp
from visit.tracing.hooks import LayerTrace
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class LayerFlow:
    """What flows through one layer's parts, at every position up to the traced one.

    Attributes:
        pre: Through the residual that enters.
        carried: Of that, what goes on in the residual stream, past attention.
        into_attn: Of that, what attention's values take, at the position they are of.
        into_mlp: What the MLP takes of the residual that it reads.
        attn: Through what attention writes; ``mlp`` likewise.
        mid: Through the residual between attention and MLP, or that enters in a parallel layer.
        heads: Through what each head writes.
        values: Through each head's value at each source, whoever reads it.
        ln1: Through what attention reads; ``ln2`` through what the MLP reads.
        biases: Through every bias of the layer, all positions together.
        memories: The strongest memories of the layer by flow, of whatever position, strongest
            first: flow, position, number.
    """

    pre: Float[Tensor, " pos"]
    carried: Float[Tensor, " pos"]
    into_attn: Float[Tensor, " pos"]
    into_mlp: Float[Tensor, " pos"]
    attn: Float[Tensor, " pos"]
    mlp: Float[Tensor, " pos"]
    mid: Float[Tensor, " pos"]
    heads: Float[Tensor, "pos head"]
    values: Float[Tensor, "head pos"]
    ln1: Float[Tensor, " pos"]
    ln2: Float[Tensor, " pos"]
    biases: float
    memories: tuple[tuple[float, int, int], ...]


@dataclass(frozen=True, slots=True)
class MetricFlow:
    """The metric's flow through a whole pass.

    Attributes:
        layers: Of every layer.
        residual: The metric's gradient at every depth's residual, from the embedding on.
        mid: The gradient at what each layer's attention writes.
        last: What flows through the last residual: the metric less its biases'.
        constant: What the final norm's bias and the unembedding's add to the metric.
    """

    layers: tuple[LayerFlow, ...]
    residual: tuple[Float[Tensor, "pos d_model"], ...]
    mid: tuple[Float[Tensor, "pos d_model"], ...]
    last: float
    constant: float

    @property
    def n_bytes(self) -> int:
        """About the memory it takes: its gradients."""
        return sum(tensor.nbytes for tensor in (*self.residual, *self.mid))

    @property
    def largest(self) -> float:
        """The most that passes any depth, signs aside: the residuals' ``|flow|``, added up."""
        return max([abs(self.last), *(float(layer.pre.abs().sum()) for layer in self.layers)])

    @property
    def depths(self) -> list[float]:
        """What the metric comes to, taken at every depth: residuals and the biases to come."""
        totals = [self.last + self.constant]
        biases = self.constant
        for layer in reversed(self.layers):
            biases += layer.biases
            totals.append(float(layer.pre.sum()) + biases)
        return totals[::-1]


def find_flow(
    architecture: Architecture, trace: Trace, position: int, metric: Metric, n_memories: int = 0
) -> MetricFlow:
    """The metric's flow through everything, by one sweep back over the recorded layers.

    Args:
        architecture: The model.
        trace: The forward pass.
        position: The traced position, from the start.
        metric: What is explained.
        n_memories: How many of the strongest memories of each layer to name.
    """
    dtype = ledger_dtype(trace.logits)
    resid = trace.residuals[-1][position].to(dtype)
    direction = metric_direction(architecture, resid, metric)
    layers, residual, mid = list[LayerFlow](), list[Tensor](), list[Tensor]()
    for layer, at in sweep_back(architecture, trace, position, direction.unsqueeze(0)):
        if not residual:
            residual.append(at.post[0])
        residual.append(at.pre[0])
        mid.append(at.mid[0])
        layers.append(_measure(architecture, trace, layer, at, n_memories))
    return MetricFlow(
        layers=tuple(layers[::-1]),
        residual=tuple(residual[::-1]),
        mid=tuple(mid[::-1]),
        last=float(resid @ direction),
        constant=metric_biases(architecture, metric, dtype),
    )


def _measure(
    architecture: Architecture, trace: Trace, layer: int, at: LayerGradient, n_memories: int
) -> LayerFlow:
    recorded, block = trace.layers[layer], architecture.blocks[layer]
    wide = ledger_dtype(at.post)
    n_positions = at.post.shape[1]

    def dot(gradient: Tensor, vectors: Tensor) -> Tensor:
        return (gradient[0].to(wide) * vectors[:n_positions].to(wide)).sum(-1)

    resid_mid = recorded.resid_pre if recorded.resid_mid is None else recorded.resid_mid
    values = values_in_sweep(block, recorded.ln1[:n_positions].to(at.post))
    return LayerFlow(
        pre=dot(at.pre, recorded.resid_pre),
        carried=dot(at.mid, recorded.resid_pre),
        into_attn=dot(at.into_attn, recorded.resid_pre),
        into_mlp=dot(at.into_mlp, resid_mid),
        attn=dot(at.mid, recorded.attn_out),
        mlp=dot(at.post, recorded.mlp_out),
        mid=dot(at.mid, resid_mid),
        heads=dot(at.z, recorded.z),
        values=(at.v[0].to(wide) * values.to(wide)).sum(-1),
        ln1=dot(at.ln1, recorded.ln1),
        ln2=dot(at.ln2, recorded.ln2),
        biases=float(sum(flow.sum() for flow in bias_flows(block, at).values())),
        memories=_strongest_memories(recorded, at, n_memories),
    )


def values_in_sweep(
    block: Block, ln1: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "head pos d_head"]:
    """Each head's values, repeated where heads share them, in the dtype of the sweep."""
    attention = block.attention
    together = ln1 @ attention.w_v.transpose(0, 1).flatten(1).to(ln1)
    v: Tensor = together.unflatten(1, (len(attention.w_v), -1)).transpose(0, 1)
    if attention.b_v is not None:
        v = v + attention.b_v.unsqueeze(1).to(v)
    return circuits.repeat_kv_heads(v, len(attention.w_q))


def _strongest_memories(
    recorded: LayerTrace, at: LayerGradient, count: int
) -> tuple[tuple[float, int, int], ...]:
    if at.activation is None or recorded.activation is None or not count:
        return ()
    flows = at.activation[0] * recorded.activation[: at.post.shape[1]].to(at.post)
    best = circuits.strongest(flows.flatten().abs(), count).tolist()
    width = flows.shape[1]
    return tuple((float(flows.flatten()[one]), one // width, one % width) for one in best)


def bias_flows(block: Block, at: LayerGradient) -> dict[str, Float[Tensor, "column pos"]]:
    """What flows through each bias of a layer, by position, in the ledgers' dtype."""
    attention, mlp = block.attention, block.mlp
    pairs: list[tuple[str, Tensor | None, Tensor | None]] = [
        ("b_o", at.attn_raw, attention.b_o),
        ("ln1", at.ln1, None if block.ln1 is None else block.ln1.bias),
        ("ln2", at.ln2, None if block.ln2 is None else block.ln2.bias),
    ]
    if isinstance(mlp, Mlp):
        b_input = mlp.b_in if mlp.w_up is None else mlp.b_up
        pairs += [("b_out", at.mlp_raw, mlp.b_out), ("b_input", at.memory_input, b_input)]
    wide = ledger_dtype(at.post)
    flows = {
        name: gradient.to(wide) @ bias.to(wide)
        for name, gradient, bias in pairs
        if gradient is not None and bias is not None
    }
    if attention.b_v is not None:
        by_head = circuits.repeat_kv_heads(attention.b_v, at.v.shape[1]).to(wide)
        flows["b_v"] = torch.einsum("chsd,hd->cs", at.v.to(wide), by_head)
    return flows
