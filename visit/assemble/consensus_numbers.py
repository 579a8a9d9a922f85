"""The numbers of many prompts, a row each, and the nodes and edges that they make together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from visit.assemble.spreads import spread_over, strongest_in
from visit.attribution.batch_flow import BatchLayer
from visit.graph.consensus import EdgeConsensus, PartConsensus
from visit.graph.flow import EdgeKind, NodeId, NodeKind
from visit.graph.spread import Spread
from visit.graph.studied.columns import Array


class Numbers:
    """What is known of every part of every prompt, NaN where a prompt lacks its slot.

    Args:
        n_prompts: How many there are.
        n_slots: How many places they share.
        n_layers: Of the model; likewise ``n_heads``.
    """

    def __init__(self, n_prompts: int, n_slots: int, n_layers: int, n_heads: int) -> None:
        self._traced = 0
        self._n_heads = n_heads
        self._resid = np.full((n_prompts, n_slots, n_layers + 1), np.nan)
        self._flow = np.full((n_prompts, n_slots, n_layers, n_heads + 1), np.nan)
        self._direct = np.full((n_prompts, n_layers, n_heads + 1), np.nan)
        self._effect = np.full((n_prompts, n_layers, n_heads + 1), np.nan)
        # Sources are summed up, not kept: of 100 prompts of 64 tokens they would be gigabytes.
        shape = (n_layers, n_heads, n_slots, n_slots)
        self._pairs = np.zeros((n_slots, n_slots))
        self._sums, self._squares = np.zeros(shape), np.zeros(shape)

    def put_flow(
        self,
        kept: Sequence[int],
        rows: Sequence[int],
        slots: Sequence[Sequence[int]],
        layers: Sequence[BatchLayer],
        last: Float[Tensor, " prompt"],
    ) -> None:
        """Keep what flows through a batch.

        Args:
            kept: Which places of the batch count.
            rows: Which prompts are in it.
            slots: The slot of each one's tokens.
            layers: Theirs.
            last: What flows through the last residuals, at the traced slot.
        """
        for number, layer in enumerate(layers):
            pre, heads, mlp = (x.cpu().numpy() for x in (layer.pre, layer.heads, layer.mlp))
            direct = layer.direct_heads.cpu().numpy(), layer.direct_mlp.cpu().numpy()
            sources = layer.sources.cpu().numpy()
            for at in kept:
                row, own = rows[at], slots[at]
                self._resid[row, own, number] = pre[at]
                self._flow[row, own, number, :-1] = heads[at]
                self._flow[row, own, number, -1] = mlp[at]
                self._direct[row, number, :-1] = direct[0][at]
                self._direct[row, number, -1] = direct[1][at]
                pairs = np.ix_(own, own)
                self._sums[number][:, pairs[0], pairs[1]] += sources[at]
                self._squares[number][:, pairs[0], pairs[1]] += sources[at] ** 2
        ends = last.cpu().numpy()
        for at in kept:
            row, own = rows[at], slots[at]
            self._resid[row, own, -1] = 0.0  # nothing reads the others any more
            self._resid[row, own[-1], -1] = ends[at]
            self._pairs[np.ix_(own, own)] += 1
            self._traced = own[-1]

    def put_effects(self, rows: Sequence[int], moved: Float[Tensor, "prompt layer part"]) -> None:
        """Keep what setting each head, and last the MLP, of every layer to zero does."""
        self._effect[list(rows)] = moved.cpu().numpy()

    def take_slots(self, slots: Sequence[int]) -> None:
        """Forget all slots but some, which get these places from now on.

        Args:
            slots: Their numbers till now, that of the traced one among them.
        """
        rows, columns = np.ix_(slots, slots)
        self._resid, self._flow = self._resid[:, slots], self._flow[:, slots]
        self._pairs = self._pairs[rows, columns]
        self._sums = self._sums[:, :, rows, columns]
        self._squares = self._squares[:, :, rows, columns]
        self._traced = list(slots).index(self._traced)

    def summarise(
        self, kept: Sequence[int], strongest: int
    ) -> tuple[tuple[PartConsensus, ...], tuple[EdgeConsensus, ...]]:
        """The graph of some prompts.

        Args:
            kept: The rows that count.
            strongest: Of how many parts one is among the strongest of a prompt.
        """
        rows = list(kept)
        flow, resid = self._flow[rows], self._resid[rows]
        n, n_slots, n_layers, n_parts = flow.shape
        strong = strongest_in(flow.reshape(n, -1), strongest)
        flows = spread_over(flow.reshape(n, -1), strong)
        ever = strong.any(0).reshape(n_slots, n_layers, n_parts)
        residuals = spread_over(resid.reshape(n, -1))
        direct, effect = (
            spread_over(values, strongest_in(values, strongest))
            for values in (of[rows].reshape(n, -1) for of in (self._direct, self._effect))
        )
        nodes: list[PartConsensus] = []
        for slot in range(n_slots):
            for depth in range(n_layers + 1):
                spread = residuals[slot * (n_layers + 1) + depth]
                nodes.append(PartConsensus(_resid_id(depth, slot), flow=spread))
        for slot, layer, part in np.ndindex(n_slots, n_layers, n_parts):
            at = layer * n_parts + part
            traced = slot == self._traced
            nodes.append(
                PartConsensus(
                    self._part_id(slot, layer, part),
                    flow=flows[slot * n_layers * n_parts + at],
                    direct_logit=direct[at] if traced else None,
                    effect=effect[at] if traced else None,
                )
            )
        by_id = {node.id: node for node in nodes if node.flow is not None}
        return tuple(by_id.values()), tuple(self._edges(ever, by_id))

    def _part_id(self, slot: int, layer: int, part: int) -> NodeId:
        if part == self._n_heads:
            return NodeId(NodeKind.MLP, slot, layer)
        return NodeId(NodeKind.HEAD, slot, layer, head=part)

    def _edges(self, ever: Array, by_id: dict[NodeId, PartConsensus]) -> Iterator[EdgeConsensus]:
        """Each thread, what the strong parts write into it, and what the heads take from others."""
        n_slots, n_layers, n_parts = ever.shape
        for slot in range(n_slots):
            for depth in range(1, n_layers + 1):
                ends = [by_id.get(_resid_id(one, slot)) for one in (depth - 1, depth)]
                if ends[0] and ends[1] and ends[1].flow:
                    yield EdgeConsensus(ends[0].id, ends[1].id, EdgeKind.ADDS, ends[1].flow)
        for slot, layer, part in np.argwhere(ever).tolist():
            id_ = self._part_id(slot, layer, part)
            flow = by_id[id_].flow
            assert flow is not None
            if part == n_parts - 1:
                yield EdgeConsensus(_resid_id(layer, slot), id_, EdgeKind.READS, flow)
            else:
                yield from self._takes(id_, layer, part)
            yield EdgeConsensus(id_, _resid_id(layer + 1, slot), EdgeKind.ADDS, flow)

    def _takes(self, head: NodeId, layer: int, part: int) -> Iterator[EdgeConsensus]:
        """What a head takes from each slot."""
        for source in range(head.position + 1):
            count = int(self._pairs[head.position, source])
            if count == 0:
                continue
            total = self._sums[layer, part, head.position, source]
            square = self._squares[layer, part, head.position, source]
            mean = total / count
            sd = None
            if count > 1:
                sd = float(np.sqrt(max(0.0, square - count * mean**2) / (count - 1)))
            spread = Spread(count, float(mean), sd)
            yield EdgeConsensus(_resid_id(layer, source), head, EdgeKind.READS, spread)


def _resid_id(depth: int, slot: int) -> NodeId:
    if depth == 0:
        return NodeId(NodeKind.EMBED, slot)
    return NodeId(NodeKind.RESID_POST, slot, depth - 1)
