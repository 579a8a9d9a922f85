"""VISIT's procedure on GPT-2, one vector at a time: what visit is held against.

Written from the paper (Katz & Belinkov 2023, section 3) and from what its published notebook
does: run the model, make the vector that each node of a graph stands for, and send it by itself
through the final norm, the unembedding and a softmax. The notebook does so once for a node's name,
again for what is shown of it, and again for the colour of every link that carries a vector; so does
``draw``. ``read_each_once`` is what is left without the repetitions. Which nodes and links there
are is taken from a graph that visit drew, so both read the same; the forward pass, the vectors and
the readings are this file's own, in float32, and share no code with visit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from visit.graph.flow import Edge, EdgeKind, FlowGraph, Ledger, NodeId, NodeKind


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
    """What one vector says: ids best first, with probabilities and in words, and the target's."""

    top: list[tuple[int, float]]
    bottom: list[tuple[int, float]]
    words: list[str]
    prob: float
    rank: int


@dataclass(frozen=True)
class Drawn:
    """A graph as VISIT draws it.

    Attributes:
        names: The most probable token of every node, and its word.
        said: What is shown of every node.
        colours: The entropy, in bits, of every link that carries a vector, by its ends.
    """

    names: dict[NodeId, tuple[int, str]]
    said: dict[NodeId, Said]
    colours: dict[tuple[NodeId, NodeId], float]

    @property
    def n_readings(self) -> int:
        """How many times a vector went through the vocabulary."""
        return len(self.names) + len(self.said) + len(self.colours)


@torch.inference_mode()
def draw(model: Any, tokenizer: Any, flow: FlowGraph) -> Drawn:
    """Every node and link of the graph, read as VISIT's notebook reads them.

    Args:
        model: The GPT-2 that the graph was drawn of.
        tokenizer: Its tokenizer.
        flow: Which nodes and links there are, the prompt, the target, and how many tokens to list.
    """
    names, said = {}, {}
    vectors = {}
    for id_, vector in _vectors(model, flow):
        vectors[id_] = vector
        best = int(_probs(model, vector).topk(1).indices)
        names[id_] = best, tokenizer.decode(best)
        said[id_] = _read(model, tokenizer, vector, flow)
    colours = {
        (edge.source, edge.target): _entropy(_probs(model, vectors[carried]))
        for edge in flow.edges
        if (carried := carried_by(edge)) is not None
    }
    return Drawn(names, said, colours)


@torch.inference_mode()
def read_each_once(model: Any, tokenizer: Any, flow: FlowGraph) -> dict[NodeId, Said]:
    """Every node of the graph, read by itself and only once."""
    return {id_: _read(model, tokenizer, vector, flow) for id_, vector in _vectors(model, flow)}


def carried_by(edge: Edge) -> NodeId | None:
    """The node whose vector VISIT colours a link by: what is added, or the row that reads.

    Its other links (attention, activations, norms, biases) have one colour each, which is free.
    """
    if edge.kind is EdgeKind.ADDS and edge.source.kind not in (
        NodeKind.ATTN_BIAS,
        NodeKind.MLP_BIAS,
    ):
        return edge.source
    if edge.kind is EdgeKind.READS and edge.target.kind is NodeKind.QUERY:
        return edge.target
    if edge.kind is EdgeKind.ACTIVATES and edge.target.kind is NodeKind.MEMORY_KEY:
        return edge.target
    return None


def _vectors(model: Any, flow: FlowGraph) -> Iterator[tuple[NodeId, Tensor]]:
    layers = forward(model, [token.id for token in flow.tokens])
    parts = _parts_by_ledger(flow)
    for node in flow.nodes:
        yield node.id, _vector(node.id, layers, parts)


def _probs(model: Any, vector: Tensor) -> Tensor:
    """One vector through the final norm, the unembedding and a softmax."""
    last = model.transformer.ln_f
    normed = layer_norm(vector, last.normalized_shape, last.weight, last.bias, last.eps)
    logits: Tensor = model.lm_head.weight @ normed
    return logits.softmax(-1)


def _read(model: Any, tokenizer: Any, vector: Tensor, flow: FlowGraph) -> Said:
    probs, top_k, target_id = _probs(model, vector), flow.request.top_k, flow.target.id
    top, bottom = probs.topk(top_k), probs.topk(top_k, largest=False)
    listed = [*top.indices.tolist(), *bottom.indices.tolist()]
    return Said(
        top=list(zip(listed[:top_k], top.values.tolist(), strict=True)),
        bottom=list(zip(listed[top_k:], bottom.values.tolist(), strict=True)),
        words=[tokenizer.decode(id_) for id_ in listed],
        prob=float(probs[target_id]),
        rank=1 + int((probs > probs[target_id]).sum()),
    )


def _entropy(probs: Tensor) -> float:
    there = probs[probs != 0]
    return float(-(there * there.log2()).sum())


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
