"""The strongest parts of the whole model, of whatever layer and position: by flow, or by effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from visit.attribution.circuits import strongest
from visit.attribution.metric_flow import MetricFlow
from visit.errors import RequestError
from visit.graph.flow import NodeKind
from visit.graph.interventions import Site

_NAMED = (NodeKind.HEAD, NodeKind.MLP, NodeKind.MEMORY_VALUE)


class Part(NamedTuple):
    """A head, an MLP, or a part inside one: ``number`` is 0 of an MLP, and of others their own."""

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


@dataclass(frozen=True, slots=True)
class Measured:
    """What removing parts changes the metric by, where that was measured before they are drawn.

    Attributes:
        effects: By kind, layer and position, and then by number.
    """

    effects: Mapping[tuple[NodeKind, int, int], Mapping[int, float]] = field(default_factory=dict)

    @classmethod
    def from_parts(cls, pairs: Iterable[tuple[Part, float]]) -> Measured:
        """Parts with their effects."""
        effects: dict[tuple[NodeKind, int, int], dict[int, float]] = defaultdict(dict)
        for part, effect in pairs:
            effects[part[:3]][part.number] = effect
        return cls(dict(effects))

    def parts(self, kind: NodeKind, layer: int | None = None) -> list[tuple[float, Part]]:
        """All of a kind, in one layer or in any, each after its effect."""
        return [
            (effect, Part(*place, number))
            for place, found in self.effects.items()
            if place[0] is kind and layer in (None, place[1])
            for number, effect in found.items()
        ]

    def get(self, part: Part) -> float | None:
        """One part's effect."""
        return self.effects.get(part[:3], {}).get(part.number)

    def among(
        self,
        kind: NodeKind,
        layer: int | None,
        position: int,
        numbers: Sequence[int],
        like: Float[Tensor, " part"],
    ) -> Float[Tensor, " part"] | None:
        """The effects of parts of a kind in one block, 0 where one was not measured.

        Args:
            kind: Their kind.
            layer: Their layer.
            position: Their position.
            numbers: Their numbers.
            like: Of the dtype that is wanted.

        Returns:
            ``None`` where none of the block was measured.
        """
        found = None if layer is None else self.effects.get((kind, layer, position))
        return None if found is None else like.new_tensor([found.get(one, 0.0) for one in numbers])


def find_strongest(
    flow: MetricFlow, count: int, n_memories: int, measured: Measured | None = None
) -> Strongest:
    """The strongest heads and MLPs together, and of the memories as many as are asked for.

    Flows and effects are both of the metric, so that a part that was measured and one that was not
    can be compared.

    Args:
        flow: Of the metric; it names as many memories of each layer.
        count: How many heads and MLPs.
        n_memories: How many memories.
        measured: The effects that take the place of flows. Where any memory of a position was
            measured, its others are weaker.
    """
    measured = measured or Measured()
    blocks: list[tuple[float, Part]] = []
    for number, layer in enumerate(flow.layers):
        heads, mlp = layer.heads.clone(), layer.mlp.clone()
        for effect, part in measured.parts(NodeKind.HEAD, number):
            heads[part.position, part.number] = effect
        for effect, part in measured.parts(NodeKind.MLP, number):
            mlp[part.position] = effect
        for place in strongest(heads.flatten().abs(), count).tolist():
            position, head = divmod(place, heads.shape[1])
            blocks.append(
                (float(heads[position, head]), Part(NodeKind.HEAD, number, position, head))
            )
        for position in strongest(mlp.abs(), count).tolist():
            blocks.append((float(mlp[position]), Part(NodeKind.MLP, number, position, 0)))
    memories = measured.parts(NodeKind.MEMORY_VALUE)
    there = {part.position for _, part in memories}
    memories += [
        (one, Part(NodeKind.MEMORY_VALUE, number, position, index))
        for number, layer in enumerate(flow.layers)
        for one, position, index in layer.memories
        if position not in there
    ]
    chosen = [*_first(blocks, count), *_first(memories, n_memories)]
    return Strongest(tuple(part for one, part in chosen if one))


def _first(parts: list[tuple[float, Part]], count: int) -> list[tuple[float, Part]]:
    return sorted(parts, key=lambda one: -abs(one[0]))[:count]
