"""Two flow graphs -> what differs: every node and edge of either, side by side.

The graphs are of two prompts or two targets of one model, of two models of one architecture, or of
a plain and a changed pass. A *difference* is the second's number less the first's. What only one
of the graphs holds has no difference: that it is not drawn in the other does not make it zero
there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from visit.errors import RequestError
from visit.graph.alignment import Alignment, align_tokens
from visit.graph.flow import (
    Edge,
    EdgeKind,
    FlowGraph,
    Ledger,
    MetricInfo,
    ModelInfo,
    Node,
    NodeId,
    Target,
    Token,
)
from visit.graph.ids import depth, flow_order
from visit.graph.index import Index, is_taken
from visit.graph.kinds import BLOCKS, EXPERTS, RESTS, NodeKind
from visit.graph.relations import wholes
from visit.graph.request import Request


class Held(StrEnum):
    """Which of the two graphs hold a node or an edge."""

    BOTH = "both"
    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class Measures:
    """What one graph says of a node or an edge; ``None`` where it says nothing.

    Attributes:
        flow: How much of the metric passes through it.
        direct_logit: Its direct logit.
        effect: Of a node: what setting it to zero does to the metric, measured.
        share: Of what it is a part of; of a value, which several heads' positions may read, none.
        norm: The length of what it writes, L2; a memory's is its row's times its activation.
        word: Of a node: the token that says best what it does.
    """

    flow: float | None = None
    direct_logit: float | None = None
    effect: float | None = None
    share: float | None = None
    norm: float | None = None
    word: str | None = None


MEASURES = tuple(one.name for one in fields(Measures) if one.name != "word")
"""What differs by a number."""
_PARTS = BLOCKS | EXPERTS | {NodeKind.HEAD, NodeKind.MEMORY_VALUE, NodeKind.ATTN_NEURON}
_WRITERS = _PARTS | {NodeKind.EMBED}
ROUNDING = 1e-5
"""Lengths that differ by a lesser part are told apart by rounding alone."""
_ROWS = (NodeKind.MEMORY_VALUE, NodeKind.ATTN_NEURON)
"""Their readings are of a row of the weights; what they write is in their line."""
_SIZES = (
    "family", "n_layers", "n_heads", "n_kv_heads", "d_model", "d_head", "d_mlp", "n_experts",
    "n_routed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """What both graphs say of one thing.

    Attributes:
        first: What the first says; ``None`` where it does not hold it.
        second: Likewise the second.
        alike: Whether both are of the same: a rest is of what its own graph does not draw, and
            where that differs their numbers have no difference.
    """

    first: Measures | None
    second: Measures | None
    alike: bool = field(default=True, kw_only=True)

    @property
    def held(self) -> Held:
        """Which graphs hold it."""
        if self.first is None:
            return Held.SECOND
        return Held.FIRST if self.second is None else Held.BOTH

    def difference(self, measure: str) -> float | None:
        """The second's less the first's; ``None`` where either says nothing."""
        before, after = (self._said(one, measure) for one in (self.first, self.second))
        return after - before if before is not None and after is not None and self.alike else None

    def strength(self, measure: str) -> float | None:
        """How much it matters to the comparison: its difference, or of what only one holds its own.

        Without sign.
        """
        if self.first is not None and self.second is not None:
            said = self.difference(measure)
        else:
            said = self._said(self.first or self.second, measure)
        return None if said is None else abs(said)

    @staticmethod
    def _said(one: Measures | None, measure: str) -> float | None:
        said: float | None = None if one is None else getattr(one, measure)
        return said

    @property
    def differences(self) -> dict[str, float]:
        """All that there are, by measure."""
        found = ((measure, self.difference(measure)) for measure in MEASURES)
        return {measure: moved for measure, moved in found if moved is not None}


@dataclass(frozen=True, slots=True)
class NodeDifference(Compared):
    """A node of either graph; the position in its id is its column."""

    id: NodeId


@dataclass(frozen=True, slots=True)
class EdgeDifference(Compared):
    """An edge of either graph; the positions of its ends are their columns."""

    source: NodeId
    target: NodeId
    kind: EdgeKind
    ledger: Ledger | None = None

    @property
    def key(self) -> str:
        """Unique among the edges of one pair of nodes."""
        return Edge(self.source, self.target, self.kind, self.ledger).key


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the graphs is of."""

    request: Request
    model: ModelInfo
    tokens: tuple[Token, ...]
    target: Target
    metric: MetricInfo
    versus: Target | None = None

    @property
    def position(self) -> int:
        """The traced position, counted from the start of the prompt."""
        last = len(self.tokens)
        given = self.request.position
        return last - 1 if given is None else given % last


@dataclass(frozen=True, slots=True)
class Difference:
    """Two flow graphs side by side, in the order of the flow.

    Attributes:
        first: What the first is of.
        second: What the second is of.
        alignment: Which token stands beside which.
        nodes: Of either.
        edges: Of either.
    """

    visit_version: str
    first: Side
    second: Side
    alignment: Alignment
    nodes: tuple[NodeDifference, ...] = field(repr=False)
    edges: tuple[EdgeDifference, ...] = field(repr=False)

    def parts(self, measure: str = "flow") -> list[NodeDifference]:
        """The parts (heads, attentions, MLPs and inside them) that differ most, those first.

        Equal ones are in the order of the flow; those that say nothing by this measure are absent.
        """
        found = (
            (size, node)
            for node in self.nodes
            if node.id.kind in _PARTS and (size := node.strength(measure)) is not None
        )
        return [node for _, node in sorted(found, key=lambda one: -one[0])]

    @property
    def first_apart(self) -> list[NodeDifference]:
        """Where the two begin to write something else, if both read the same tokens.

        The embeddings and parts of the least depth whose lengths differ by more than rounding.
        """
        ids = [[token.id for token in side.tokens] for side in (self.first, self.second)]
        if ids[0] != ids[1]:
            return []
        apart = [
            node
            for node in self.nodes
            if node.id.kind in _WRITERS
            and node.first is not None
            and abs(node.difference("norm") or 0.0) > ROUNDING * abs(node.first.norm or 0.0)
        ]
        least = min((depth(node.id) for node in apart), default=None)
        return [node for node in apart if depth(node.id) == least]

    @property
    def column(self) -> int:
        """The column of the traced positions."""
        return self.alignment.of_first[self.first.position]


def compare(first: FlowGraph, second: FlowGraph) -> Difference:
    """What differs between two graphs.

    Raises:
        RequestError: they are of models of different architectures or tokenizers.
    """
    check_comparable(first, second)
    sides = _side(first), _side(second)
    alignment = align(first, second)
    columns = alignment.of_first, alignment.of_second
    pairs = list(zip((first, second), columns, strict=True))
    nodes = [_measure_nodes(flow, places) for flow, places in pairs]
    edges = [_measure_edges(flow, places) for flow, places in pairs]
    drawn = [_lines_beside_rests(flow, places) for flow, places in pairs]
    unlike = {rest for rest in {*drawn[0], *drawn[1]} if drawn[0].get(rest) != drawn[1].get(rest)}
    return Difference(
        visit_version=second.visit_version,
        first=sides[0],
        second=sides[1],
        alignment=alignment,
        nodes=tuple(
            NodeDifference(nodes[0].get(id_), nodes[1].get(id_), id_, alike=id_ not in unlike)
            for id_ in sorted({*nodes[0], *nodes[1]}, key=flow_order)
        ),
        edges=tuple(
            EdgeDifference(edges[0].get(key), edges[1].get(key), *key, alike=key[0] not in unlike)
            for key in {**edges[0], **edges[1]}
        ),
    )


def align(first: FlowGraph, second: FlowGraph) -> Alignment:
    """Which token of one graph stands beside which of the other."""
    mine, theirs = ([token.id for token in flow.tokens] for flow in (first, second))
    return align_tokens(mine, theirs, (first.position, second.position))


def at_column(id_: NodeId, places: Mapping[int, int]) -> NodeId:
    """A node's id with its column, or another prompt's position, in place of its position."""
    return replace(id_, position=places[id_.position])


def parts_to_add(flow: FlowGraph, other: FlowGraph) -> tuple[str, ...]:
    """The parts that another graph holds and this one lacks, by this one's ids.

    Drawn here too, they can be compared. Parts at a token that this prompt lacks are left out.
    """
    alignment = align(flow, other)
    mine = {column: position for position, column in alignment.of_first.items()}
    theirs = alignment.of_second
    held = {node.id for node in flow.nodes}
    wanted = (
        at_column(node.id, {node.id.position: mine[theirs[node.id.position]]})
        for node in other.nodes
        if node.id.kind in ADDED and theirs[node.id.position] in mine
    )
    return tuple(str(id_) for id_ in wanted if id_ not in held)


ADDED = frozenset({NodeKind.HEAD, NodeKind.MLP, NodeKind.MEMORY_VALUE})
"""The parts that a graph can be asked for by name."""


def check_comparable(first: FlowGraph, second: FlowGraph) -> None:
    """Refuse graphs whose parts do not correspond.

    Raises:
        RequestError: the models differ in architecture, or in their tokenizers as far as the graphs
            show them.
    """
    for name in _SIZES:
        mine, theirs = (getattr(flow.model, name) for flow in (first, second))
        if mine != theirs:
            raise RequestError(
                f"{first.model.name} has {name} {mine} and {second.model.name} {theirs}; compare "
                "two models of one architecture"
            )
    if first.model.weights_sha256 == second.model.weights_sha256:
        return
    spelled = dict(_tokens_in(first))
    for id_, text in _tokens_in(second):
        if spelled.get(id_, text) != text:
            raise RequestError(
                f"token {id_} is {spelled[id_]!r} in {first.model.name} and {text!r} in "
                f"{second.model.name}; compare two models that share a tokenizer"
            )
    reads = [(one.request.prompt, one.request.chat, one.request.bos) for one in (first, second)]
    cut = [[token.id for token in flow.tokens] for flow in (first, second)]
    if reads[0] == reads[1] and cut[0] != cut[1]:
        raise RequestError(
            f"{first.model.name} cuts the prompt into other tokens than {second.model.name}; "
            "compare two models that share a tokenizer"
        )


def _tokens_in(flow: FlowGraph) -> Iterator[tuple[int, str]]:
    for listed in (flow.tokens, flow.predictions, flow.metric.candidates, (flow.target,)):
        for token in listed:
            yield token.id, token.text
    for node in flow.nodes:
        for token in (*node.reading.top, *node.reading.bottom):
            yield token.id, token.text


def _side(flow: FlowGraph) -> Side:
    return Side(flow.request, flow.model, flow.tokens, flow.target, flow.metric, flow.versus)


def _measure_nodes(flow: FlowGraph, places: Mapping[int, int]) -> dict[NodeId, Measures]:
    index = Index(flow)
    return {at_column(node.id, places): _of_node(index, node) for node in flow.nodes}


_EdgeKey = tuple[NodeId, NodeId, EdgeKind, Ledger | None]


def _measure_edges(flow: FlowGraph, places: Mapping[int, int]) -> dict[_EdgeKey, Measures]:
    return {
        (at_column(e.source, places), at_column(e.target, places), e.kind, e.ledger): Measures(
            flow=e.flow, direct_logit=e.direct_logit, share=e.share, norm=e.norm
        )
        for e in flow.edges
    }


def _lines_beside_rests(
    flow: FlowGraph, places: Mapping[int, int]
) -> dict[NodeId, frozenset[NodeId]]:
    """What is drawn beside each rest, in its ledger."""
    ledgers: dict[tuple[NodeId, Ledger | None], set[NodeId]] = defaultdict(set)
    for edge in flow.edges:
        ledgers[edge.target, edge.ledger].add(at_column(edge.source, places))
    return {
        at_column(edge.source, places): frozenset(ledgers[edge.target, edge.ledger])
        for edge in flow.edges
        if edge.source.kind in RESTS
    }


def _of_node(index: Index, node: Node) -> Measures:
    lines = [line for line in wholes(index, node.id) if not is_taken(line)]
    shares = {line.share for line in lines}
    is_row = node.id.kind in _ROWS and lines
    return Measures(
        flow=node.flow,
        direct_logit=index.direct_logit(node.id),
        effect=None if node.effect is None else node.effect.measured,
        share=shares.pop() if len(shares) == 1 else None,
        norm=lines[0].norm if is_row else node.reading.norm,
        word=node.word,
    )
