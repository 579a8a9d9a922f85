"""A graph in the making: vectors to be read and edges between them, ordered when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution.ledgers import Lines
from visit.graph.flow import Edge, EdgeKind, Ledger, Node, NodeId, Outcome, Reading
from visit.graph.ids import flow_order
from visit.tracing.precision import ledger_dtype

_BLOCK_ROWS = 512


@dataclass(slots=True)
class Draft:
    """What has been drawn so far. Drawing the same node or edge twice changes nothing.

    Attributes:
        vectors: What each node stands for, to be read through the lens all at once.
        activations: The coefficients of memories and attention neurons, and experts' weights.
        worst: The worst relative error of any ledger taken so far.
    """

    vectors: dict[NodeId, Tensor] = field(default_factory=dict)
    activations: dict[NodeId, float] = field(default_factory=dict)
    worst: float = 0.0
    _blocks: list[Tensor] = field(default_factory=list)
    _edges: dict[tuple[NodeId, NodeId, str], Edge] = field(default_factory=dict)

    def add_node(self, id_: NodeId, vector: Tensor, *, activation: float | None = None) -> NodeId:
        """Draw a node and return its id."""
        if id_ not in self.vectors:
            self.vectors[id_] = self._copy(vector)
        if activation is not None:
            self.activations.setdefault(id_, activation)
        return id_

    def _copy(self, vector: Tensor) -> Tensor:
        """A copy in the ledgers' dtype: a view would keep the whole tensor it is part of alive.

        Vectors share blocks of storage. Thousands of small tensors between large temporary ones
        would keep the allocator from reusing the large ones' memory: 1.5 GB more at 1,024 tokens.
        """
        row = len(self.vectors) % _BLOCK_ROWS
        if row == 0:
            new = vector.new_empty(_BLOCK_ROWS, len(vector), dtype=ledger_dtype(vector))
            self._blocks.append(new)
        copy: Tensor = self._blocks[-1][row]
        return copy.copy_(vector)

    def add_edge(self, edge: Edge) -> None:
        """Draw an edge. It is left out if one of its ends is never drawn."""
        self._edges.setdefault((edge.source, edge.target, edge.key), edge)

    def add_ledger(
        self,
        ledger: Ledger,
        target: NodeId,
        sources: Sequence[NodeId],
        lines: Lines,
        attentions: Sequence[float] | None = None,
        activations: Sequence[float] | None = None,
    ) -> None:
        """Draw the ``adds`` edges of a ledger, one a line."""
        norms, shares = lines.norm.tolist(), lines.share.tolist()
        logits = None if lines.direct_logit is None else lines.direct_logit.tolist()
        flows = None if lines.flow is None else lines.flow.tolist()
        proximities = None if lines.proximity is None else lines.proximity.tolist()
        # What a residual carries is split over positions, and no other ledger hands it on.
        shares_folded, flows_folded = (
            None if absolute is None or ledger is not Ledger.POSITIONS else absolute.tolist()
            for absolute in (lines.absolute_share, lines.absolute_flow)
        )
        for i, source in enumerate(sources):
            self.add_edge(
                Edge(
                    source,
                    target,
                    EdgeKind.ADDS,
                    ledger,
                    norm=norms[i],
                    share=shares[i],
                    direct_logit=None if logits is None else logits[i],
                    proximity=None if proximities is None else proximities[i],
                    attention=None if attentions is None else attentions[i],
                    activation=None if activations is None else activations[i],
                    absolute_share=None if shares_folded is None else shares_folded[i],
                    absolute_flow=None if flows_folded is None else flows_folded[i],
                    flow=None if flows is None else flows[i],
                )
            )

    def add_rest(
        self,
        ledger: Ledger,
        target: NodeId,
        rest_id: NodeId,
        lines: Lines,
        vector: Float[Tensor, " d_model"],
    ) -> None:
        """Fold the parts of a ledger that are not drawn into one node, if there are any."""
        if len(lines.norm):
            self.add_ledger(ledger, target, [self.add_node(rest_id, vector)], lines.fold(vector))

    def note_error(self, error: float) -> None:
        """Note the error of a ledger that was taken."""
        self.worst = max(self.worst, error)

    def take_vectors(self) -> Tensor:
        """Every node's vector, in drawing order; the draft gives them up: they are large."""
        taken = torch.cat(self._blocks)[: len(self.vectors)]
        self.vectors.clear()
        self._blocks.clear()
        return taken

    def nodes(
        self,
        readings: dict[NodeId, Reading],
        flows: dict[NodeId, float],
        outcomes: dict[NodeId, Outcome],
    ) -> tuple[Node, ...]:
        """The nodes in the order of the flow."""
        return tuple(
            Node(id_, readings[id_], self.activations.get(id_), flows.get(id_), outcomes.get(id_))
            for id_ in sorted(readings, key=flow_order)
        )

    def edges(self, drawn: dict[NodeId, Reading]) -> tuple[Edge, ...]:
        """The edges between drawn nodes, in the order of the flow."""
        between = [e for e in self._edges.values() if e.source in drawn and e.target in drawn]
        order = {id_: place for place, id_ in enumerate(sorted(drawn, key=flow_order))}
        return tuple(sorted(between, key=lambda e: (order[e.target], order[e.source], e.key)))
