"""VISIT's procedure on GPT-2, one vector at a time: what visit is held against.

Written anew from the paper (Katz & Belinkov 2023, section 3): run the model, make the vector that
each node of a graph stands for, and send each by itself through the final norm, the unembedding, a
softmax and a sort. Which nodes there are is taken from a graph that visit drew, so both read the
same; the forward pass, the vectors and the readings are this file's own, in float32, and share no
code with visit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from visit.flow import EdgeKind, FlowGraph, Ledger, NodeId, NodeKind


@dataclass(frozen=True)
class Layer:
    """What one layer of GPT-2 read and wrote at every position, and its weights by head."""

    pre: Tensor
    ln1: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    pattern: Tensor
    z: Tensor
    attn: Tensor
    mid: Tensor
    ln2: Tensor
    match: Tensor
    activation: Tensor
    mlp: Tensor
    post: Tensor
    w_q: Tensor
    w_k: Tensor
    w_o: Tensor
    b_o: Tensor
    w_in: Tensor
    w_out: Tensor
    b_out: Tensor


@dataclass(frozen=True)
class Said:
    """What one vector says: ids best first, with probabilities; the target's; entropy in bits."""

    top: list[tuple[int, float]]
    bottom: list[tuple[int, float]]
    logit: float
    prob: float
    rank: int
    entropy: float


@torch.inference_mode()
def said_one_at_a_time(
    model: Any, flow: FlowGraph, on_node: Callable[[], None] = lambda: None
) -> dict[NodeId, Said]:
    """Every node of the graph, read by itself.

    Args:
        model: The GPT-2 that the graph was drawn of.
        flow: Which nodes there are, the prompt, the target, and how many tokens to list.
        on_node: Called after each.
    """
    layers = forward(model, [token.id for token in flow.tokens])
    parts = _parts_by_ledger(flow)
    said = {}
    for node in flow.nodes:
        vector = _vector(node.id, layers, parts)
        said[node.id] = read(model, vector, flow.target.id, flow.request.top_k)
        on_node()
    return said


def read(model: Any, vector: Tensor, target_id: int, top_k: int) -> Said:
    """One vector through the final norm, the unembedding, a softmax and a sort."""
    last = model.transformer.ln_f
    normed = layer_norm(vector, last.normalized_shape, last.weight, last.bias, last.eps)
    logits = model.lm_head.weight @ normed
    probs = logits.softmax(-1)
    order = probs.sort(descending=True).indices
    ids = order.tolist()
    listed = probs[order].tolist()
    entropy = float(-(probs * probs.clamp_min(1e-45).log()).sum()) / math.log(2)
    return Said(
        top=list(zip(ids[:top_k], listed[:top_k], strict=True)),
        bottom=list(zip(ids[: -top_k - 1 : -1], listed[: -top_k - 1 : -1], strict=True)),
        logit=float(logits[target_id]),
        prob=float(probs[target_id]),
        rank=1 + int((logits > logits[target_id]).sum()),
        entropy=entropy,
    )


def forward(model: Any, token_ids: list[int]) -> list[Layer]:
    """GPT-2's forward pass, kept layer by layer."""
    body, config = model.transformer, model.config
    n, heads = len(token_ids), config.n_head
    x = body.wte.weight[token_ids] + body.wpe.weight[:n]
    hidden = torch.ones(n, n, dtype=torch.bool).triu(1)
    layers = []
    for block in body.h:
        pre, attn, mlp = x, block.attn, block.mlp
        ln1 = block.ln_1(pre)
        fused = ln1 @ attn.c_attn.weight + attn.c_attn.bias
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(0, 1) for part in fused.chunk(3, -1))
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        pattern = scores.masked_fill(hidden, -math.inf).softmax(-1)
        z = (pattern @ v).transpose(0, 1)
        written = z.flatten(1) @ attn.c_proj.weight + attn.c_proj.bias
        mid = pre + written
        ln2 = block.ln_2(mid)
        match = ln2 @ mlp.c_fc.weight + mlp.c_fc.bias
        activation = mlp.act(match)
        remembered = activation @ mlp.c_proj.weight + mlp.c_proj.bias
        x = mid + remembered
        w_q, w_k, _ = (
            part.unflatten(-1, (heads, -1)).transpose(0, 1)
            for part in attn.c_attn.weight.chunk(3, -1)
        )
        layers.append(
            Layer(
                pre=pre, ln1=ln1, q=q, k=k, v=v, pattern=pattern, z=z, attn=written, mid=mid,
                ln2=ln2, match=match, activation=activation, mlp=remembered, post=x,
                w_q=w_q, w_k=w_k, w_o=attn.c_proj.weight.unflatten(0, (heads, -1)),
                b_o=attn.c_proj.bias, w_in=mlp.c_fc.weight, w_out=mlp.c_proj.weight,
                b_out=mlp.c_proj.bias,
            )
        )  # fmt: skip
    return layers


_Parts = dict[tuple[NodeId, Ledger], list[NodeId]]


def _parts_by_ledger(flow: FlowGraph) -> _Parts:
    """Which parts of each whole the graph draws."""
    parts: _Parts = {}
    for edge in flow.edges:
        if edge.kind is EdgeKind.ADDS and edge.ledger is not None:
            parts.setdefault((edge.target, edge.ledger), []).append(edge.source)
    return parts


def _vector(id_: NodeId, layers: list[Layer], parts: _Parts) -> Tensor:
    """The vector that a node stands for."""
    p, head, index = id_.position, id_.head, id_.index
    if id_.kind is NodeKind.EMBED:
        return layers[0].pre[p]
    if id_.kind in (NodeKind.FINAL_NORM, NodeKind.OUTPUT):
        return layers[-1].post[p]  # what they say is what the last residual says
    assert id_.layer is not None
    layer = layers[id_.layer]

    def others(kind: NodeKind, ledger: Ledger, n: int, of: NodeKind, numbered: str) -> Tensor:
        """1 for each part that the graph does not draw, 0 for the rest."""
        whole = NodeId(of, p, id_.layer, head=head)
        left = torch.ones(n)
        left[[getattr(part, numbered) for part in parts[whole, ledger] if part.kind is kind]] = 0
        return left

    match id_.kind:
        case NodeKind.LN1:
            return layer.ln1[p]
        case NodeKind.LN2:
            return layer.ln2[p]
        case NodeKind.ATTN:
            return layer.attn[p]
        case NodeKind.MLP:
            return layer.mlp[p]
        case NodeKind.RESID_MID:
            return layer.mid[p]
        case NodeKind.RESID_POST:
            return layer.post[p]
        case NodeKind.ATTN_BIAS:
            return layer.b_o
        case NodeKind.MLP_BIAS:
            return layer.b_out
        case NodeKind.HEAD:
            return layer.z[p, head] @ layer.w_o[head]
        case NodeKind.QUERY:
            return layer.w_k[head] @ layer.q[head, p]
        case NodeKind.KEY:
            return layer.w_q[head] @ layer.k[head, p]
        case NodeKind.VALUE:
            return layer.v[head, p] @ layer.w_o[head]
        case NodeKind.ATTN_NEURON:
            return _signed(layer.w_o.flatten(0, 1)[index], layer.z[p].flatten()[index])
        case NodeKind.MEMORY_VALUE:
            return _signed(layer.w_out[index], layer.activation[p, index])
        case NodeKind.MEMORY_KEY:
            return _signed(layer.w_in[:, index], layer.match[p, index])
        case NodeKind.HEADS_REST:
            left = others(NodeKind.HEAD, Ledger.HEADS, len(layer.w_o), NodeKind.ATTN, "head")
            return torch.einsum("h,hd,hdm->m", left, layer.z[p], layer.w_o)
        case NodeKind.SOURCES_REST:
            left = others(NodeKind.VALUE, Ledger.SOURCES, len(layer.pre), NodeKind.HEAD, "position")
            return (left * layer.pattern[head, p]) @ layer.v[head] @ layer.w_o[head]
        case NodeKind.NEURONS_REST:
            z = layer.z[p].flatten()
            left = others(NodeKind.ATTN_NEURON, Ledger.NEURONS, len(z), NodeKind.ATTN, "index")
            return (left * z) @ layer.w_o.flatten(0, 1)
        case NodeKind.MEMORIES_REST:
            active = layer.activation[p]
            left = others(
                NodeKind.MEMORY_VALUE, Ledger.MEMORIES, len(active), NodeKind.MLP, "index"
            )
            return (left * active) @ layer.w_out
        case NodeKind.POSITIONS_REST:
            before = NodeKind.EMBED if id_.layer == 0 else NodeKind.RESID_POST
            left = others(before, Ledger.POSITIONS, len(layer.pre), NodeKind.ATTN, "position")
            mixed = torch.einsum("hs,hsd->hd", layer.pattern[:, p] * left, layer.v)
            return torch.einsum("hd,hdm->m", mixed, layer.w_o)
    raise ValueError(f"GPT-2 has no {id_}")


def _signed(row: Tensor, coefficient: Tensor) -> Tensor:
    return -row if coefficient < 0 else row
