"""Which sites a question names: by their ids, or all parts of some sorts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from visit.assemble.traced_request import TracedRequest
from visit.attribution import circuits
from visit.attribution.flow import sweep_back
from visit.errors import RequestError
from visit.graph.interventions import SORTS, Positions, Site
from visit.graph.kinds import NodeKind


def find_sites(
    asked: TracedRequest, parts: Sequence[str], positions: Positions, memories: int
) -> tuple[Site, ...]:
    """The sites that a question names, each once, in the order named.

    A sort of part stands for all of it in every layer; of the memories, for each layer's strongest
    by flow at the traced position.

    Args:
        asked: What is asked about.
        parts: Sites by their ids, and sorts of part.
        positions: Where the parts of a sort are.
        memories: How many memories of a layer that sort stands for.

    Raises:
        RequestError: a name is neither a sort nor a site, or nothing is named.
    """
    sites: dict[Site, None] = {}
    for part in parts:
        if part in SORTS:
            sites |= dict.fromkeys(_sites_of_sort(asked, SORTS[part], positions, memories))
        else:
            sites[Site.parse(part)] = None
    if not sites:
        raise RequestError(f"no part is named; give {', '.join(SORTS)}, or ids like 'L5.head3@7'")
    return tuple(sites)


def _sites_of_sort(
    asked: TracedRequest, kind: NodeKind, positions: Positions, memories: int
) -> Iterator[Site]:
    for position in _positions(asked, positions):
        if kind is NodeKind.EMBED:
            yield Site(kind, position)
            continue
        if kind is NodeKind.MEMORY_VALUE:
            yield from _strongest_memories(asked, position, memories)
            continue
        for layer in range(len(asked.trace.layers)):
            if kind is NodeKind.HEAD:
                n_heads = asked.architecture.sizes.n_heads
                yield from (Site(kind, position, layer, head) for head in range(n_heads))
            else:
                yield Site(kind, position, layer)


def _positions(asked: TracedRequest, which: Positions) -> list[int | None]:
    match which:
        case Positions.TRACED:
            return [asked.position]
        case Positions.ALL:
            return [None]
    return list(range(asked.position + 1))


def _strongest_memories(asked: TracedRequest, position: int | None, count: int) -> list[Site]:
    """Each layer's strongest memories by flow; those at the traced position for all together."""
    place = asked.position if position is None else position
    sites = []
    sweep = sweep_back(asked.architecture, asked.trace, asked.position, asked.direction[None])
    for layer, at in sweep:
        activation = asked.trace.layers[layer].activation
        if activation is None or at.activation is None:
            continue  # a mixture has experts
        flows = at.activation[0, place] * activation[place].to(at.activation)
        numbers = circuits.strongest(flows.abs(), count).tolist()
        sites += [Site(NodeKind.MEMORY_VALUE, position, layer, number) for number in numbers]
    return sorted(sites, key=lambda site: site.layer or 0)
