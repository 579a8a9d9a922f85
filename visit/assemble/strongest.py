"""The strongest parts of the whole model by flow, of whatever layer and position."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from visit.attribution.circuits import strongest
from visit.attribution.metric_flow import MetricFlow
from visit.errors import RequestError
from visit.graph.flow import NodeKind
from visit.graph.interventions import Site

_NAMED = (NodeKind.HEAD, NodeKind.MLP, NodeKind.MEMORY_VALUE)


class Part(NamedTuple):
    """A head, an MLP or a memory: ``number`` is the head's or the memory's, 0 of an MLP."""

    kind: NodeKind
    layer: int
    position: int
    number: int


@dataclass(frozen=True, slots=True)
class Strongest:
    """Parts that are drawn whichever layers are opened.

    Attributes:
        parts: The strongest first.
    """

    parts: tuple[Part, ...] = ()

    def with_sites(self, sites: Iterable[Site]) -> Strongest:
        """These, and parts that were asked for by name.

        Raises:
            RequestError: one is no head, MLP or memory at a position.
        """
        return Strongest(tuple(dict.fromkeys([*self.parts, *map(_part_from_site, sites)])))

    def heads_at(self, layer: int, position: int) -> list[int]:
        """The heads among them of one block."""
        return self._at(NodeKind.HEAD, layer, position)

    def memories_at(self, layer: int, position: int) -> list[int]:
        """The memories among them of one block."""
        return self._at(NodeKind.MEMORY_VALUE, layer, position)

    def positions_at(self, layer: int) -> dict[int, set[NodeKind]]:
        """The positions of one layer that have any, and of which kinds."""
        found: dict[int, set[NodeKind]] = defaultdict(set)
        for part in self.parts:
            if part.layer == layer:
                found[part.position].add(part.kind)
        return found

    def _at(self, kind: NodeKind, layer: int, position: int) -> list[int]:
        return [part.number for part in self.parts if part[:3] == (kind, layer, position)]


def _part_from_site(site: Site) -> Part:
    if site.kind not in _NAMED or site.position is None or site.layer is None or site.source:
        raise RequestError(
            f"{site} cannot be drawn by name; give a head, an MLP or a memory at a position, like "
            "'L5.head3@7', 'L5.mlp@7' or 'L5.memory123.value@7'"
        )
    return Part(site.kind, site.layer, site.position, site.number or 0)


def find_strongest(flow: MetricFlow, count: int, n_memories: int) -> Strongest:
    """The strongest heads and MLPs together, and of the memories as many as are asked for.

    Args:
        flow: Of the metric; it names as many memories of each layer.
        count: How many heads and MLPs.
        n_memories: How many memories.
    """
    blocks: list[tuple[float, Part]] = []
    memories: list[tuple[float, Part]] = []
    for number, layer in enumerate(flow.layers):
        n_heads = layer.heads.shape[1]
        for place in strongest(layer.heads.flatten().abs(), count).tolist():
            position, head = divmod(place, n_heads)
            blocks.append(
                (float(layer.heads[position, head]), Part(NodeKind.HEAD, number, position, head))
            )
        for position in strongest(layer.mlp.abs(), count).tolist():
            blocks.append((float(layer.mlp[position]), Part(NodeKind.MLP, number, position, 0)))
        memories += (
            (one, Part(NodeKind.MEMORY_VALUE, number, position, index))
            for one, position, index in layer.memories
        )
    chosen = [*_first(blocks, count), *_first(memories, n_memories)]
    return Strongest(tuple(part for one, part in chosen if one))


def _first(parts: list[tuple[float, Part]], count: int) -> list[tuple[float, Part]]:
    return sorted(parts, key=lambda one: -abs(one[0]))[:count]
