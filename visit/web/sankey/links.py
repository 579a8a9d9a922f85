"""One layer at the traced position, column by column: its parts, and how much flows between them.

Parts are found by going back from the layer's last residual. A link's size is the norm of what
flows; what only steers (a query, a key, a memory's key) writes nothing of its own, and gets the
norm of what comes of it.

Source: Katz & Belinkov 2023, figure 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from visit.errors import RequestError
from visit.graph.flow import EdgeKind, Ledger, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import BIASES, EDGES, NODES, RESIDUALS, Stage, kinds_inside

_BESIDE_ATTENTION = {
    Stage.LN2: Stage.LN1,
    Stage.MEMORY_KEY: Stage.KEY,
    Stage.MEMORY: Stage.VALUE,
    Stage.MLP: Stage.ATTENTION,
}


@dataclass(frozen=True, slots=True)
class Link:
    """What flows from one part to another.

    Attributes:
        source: The part it leaves.
        target: The part it enters.
        size: Its norm, or where it only steers the norm of what comes of it.
        measured: Whether ``size`` is its own norm.
        kind: What the source does to the target.
        share: Of a ledger's line: its signed part of the whole.
        direct_logit: Of a line that writes into the residual.
        attention: How much the position attends to the source.
    """

    source: NodeId
    target: NodeId
    size: float
    measured: bool
    kind: EdgeKind
    share: float | None = None
    direct_logit: float | None = None
    attention: float | None = None

    @property
    def residual(self) -> bool:
        """Whether it is the residual's own, past attention or MLP."""
        return self.source.kind in RESIDUALS and self.target.kind in RESIDUALS


def layers_in_document(index: Index) -> tuple[int, ...]:
    """The layers whose attention and MLP the graph has taken apart at the traced position."""
    return tuple(layer for layer in range(index.flow.model.n_layers) if _is_opened(index, layer))


def links_of_layer(index: Index, layer: int, *, neurons: bool = False) -> tuple[Link, ...]:
    """Everything that flows in a layer at the traced position.

    Args:
        index: The graph.
        layer: The layer, one of ``layers_in_document``.
        neurons: Whether attention adds up its neurons (rows of ``W_O``) instead of its heads. Each
            neuron then comes of its head, and so does the neurons' rest: how much of that each
            head gives is not in the graph, so it is split by the heads' norms.

    Raises:
        RequestError: the graph has not taken the layer apart at the traced position.
    """
    whole = NodeId(NodeKind.RESID_POST, index.flow.position, layer)
    if not _is_opened(index, layer) or not index.lines(whole, Ledger.RESIDUAL):
        known = ", ".join(map(str, layers_in_document(index))) or "none"
        raise RequestError(
            f"layer {layer} is not opened at the traced position; open its attention or MLP "
            f"first, or choose an opened layer ({known})"
        )
    found: list[Link] = []
    waiting, seen = [whole], set[NodeId]()
    while waiting:
        target = waiting.pop()
        if target in seen or _is_input(target, layer):
            continue
        seen.add(target)
        into = list(_into(index, target, neurons))
        found += into
        waiting += [link.source for link in into]
    return tuple(_give_sizes(found))


def find_columns(links: Sequence[Link]) -> dict[NodeId, Stage]:
    """The column of every part. In a parallel block the MLP's parts stand below attention's."""
    into = {link.target for link in links}
    parts = dict.fromkeys(end for link in links for end in (link.source, link.target))
    with_neurons = any(NODES[part.kind].stage is Stage.NEURON for part in parts)
    parallel = is_parallel(links)
    found = {}
    for part in parts:
        stage = NODES[part.kind].stage
        if stage in (Stage.INPUT, Stage.OUTPUT):  # another layer's output is this one's input
            found[part] = Stage.OUTPUT if part in into else Stage.INPUT
        elif part.kind is NodeKind.ATTN_BIAS and with_neurons:
            found[part] = Stage.NEURON
        else:
            found[part] = _BESIDE_ATTENTION.get(stage, stage) if parallel else stage
    return found


def attention_by_node(links: Sequence[Link]) -> dict[NodeId, float]:
    """How much the layer's heads attend to the source of each key and value that is shown."""
    attended = [link for link in links if link.attention is not None]
    keys = {link.target: link.attention for link in attended if link.kind is EdgeKind.SCORES}
    values = {link.source: link.attention for link in attended if link.kind is EdgeKind.ADDS}
    return {node: part for node, part in (keys | values).items() if part is not None}


def is_parallel(links: Sequence[Link]) -> bool:
    """Whether attention and MLP both read the layer's input."""
    return not any(link.target.kind is NodeKind.RESID_MID for link in links)


def _is_opened(index: Index, layer: int) -> bool:
    attn, mlp = (NodeId(kind, index.flow.position, layer) for kind in (NodeKind.ATTN, NodeKind.MLP))
    return all(
        any(index.lines(whole, ledger) for ledger in NODES[whole.kind].opens)
        for whole in (attn, mlp)
    )


def _is_input(node_id: NodeId, layer: int) -> bool:
    return node_id.kind in RESIDUALS and node_id.layer != layer


def _into(index: Index, target: NodeId, neurons: bool) -> Iterator[Link]:
    """What flows into a part, along the ledgers that are drawn."""
    left_out = {Ledger.POSITIONS, Ledger.HEADS if neurons else Ledger.NEURONS}
    position = index.flow.position
    for edge in index.into.get(target, ()):
        source = edge.source
        closed = edge.kind is EdgeKind.READS and target.kind in (NodeKind.KEY, NodeKind.MLP)
        elsewhere = source.kind is NodeKind.QUERY and source.position != position
        if edge.ledger in left_out or closed or elsewhere:
            continue
        measured = edge.norm is not None and EDGES[edge.kind].is_measured
        yield Link(
            source,
            target,
            edge.norm if measured and edge.norm is not None else -1.0,
            measured,
            edge.kind,
            edge.share,
            edge.direct_logit,
            edge.attention,
        )
    if neurons and target.kind in kinds_inside(NodeKind.NEURONS_REST):
        yield from _from_heads(index, target)


def _from_heads(index: Index, target: NodeId) -> Iterator[Link]:
    """What makes an attention neuron: its head, or the heads' rest where that is not drawn."""
    attn = NodeId(NodeKind.ATTN, target.position, target.layer)
    size = next(
        edge.norm or 0.0 for edge in index.lines(attn, Ledger.NEURONS) if edge.source == target
    )
    heads = {
        edge.source: edge.norm or 0.0
        for edge in index.lines(attn, Ledger.HEADS)
        if edge.source.kind not in BIASES
    }
    if target.index is not None:
        number = target.index // index.flow.model.d_head
        own = NodeId(NodeKind.HEAD, target.position, target.layer, head=number)
        rest = NodeId(NodeKind.HEADS_REST, target.position, target.layer)
        heads = {head: 1.0 for head in (own, rest) if head in heads}
        heads = dict(list(heads.items())[:1])
    total = sum(heads.values())
    for head, norm in heads.items():
        part = norm / total if total else 1 / len(heads)
        yield Link(head, target, size * part, False, EdgeKind.ADDS)


def _give_sizes(links: list[Link]) -> Iterator[Link]:
    """Links with a size each: those without a norm get that of what comes of them."""
    out_of: dict[NodeId, list[Link]] = {}
    into: dict[NodeId, int] = {}
    for link in links:
        out_of.setdefault(link.source, []).append(link)
        into[link.target] = into.get(link.target, 0) + 1

    def size(link: Link) -> float:
        if link.size >= 0:
            return link.size
        return sum(size(after) for after in out_of.get(link.target, ())) / into[link.target]

    for link in links:
        yield replace(link, size=size(link))
