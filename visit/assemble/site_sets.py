"""Which sites a question names: by their ids, or all parts of some sorts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from visit.assemble.traced_request import TracedRequest
from visit.attribution import circuits
from visit.attribution.estimates import gradients_of_flow
from visit.errors import RequestError
from visit.graph.interventions import SORTS, Positions, Site
from visit.graph.kinds import NodeKind


def find_sites(
    asked: TracedRequest,
    parts: Sequence[str],
    positions: Positions,
    memories: int,
    sorts: Iterable[str] = tuple(SORTS),
) -> tuple[Site, ...]:
    """The sites that a question names, each once, in the order named.

    A sort of part stands for all of it in every layer; of the memories, for each layer's strongest
    by flow at the traced position.

    Args:
        asked: What is asked about.
        parts: Sites by their ids, and sorts of part.
        positions: Where the parts of a sort are.
        memories: How many memories of a layer that sort stands for.
        sorts: Those that may be asked for, for the message where nothing is named.

    Raises:
        RequestError: a name is neither a sort nor a site, nothing is named, or what is named stands
            for nothing.
    """
    sites: dict[Site, None] = {}
    for part in parts:
        if part in SORTS:
            sites |= dict.fromkeys(_sites_of_sort(asked, SORTS[part], positions, memories))
        else:
            sites[Site.parse(part)] = None
    if not parts:
        raise RequestError(f"no part is named; give {', '.join(sorts)}, or ids like 'L5.head3@7'")
    if not sites:
        why = (
            "memories is 0; give 1 or more, or another sort"
            if memories == 0
            else "its MLPs are mixtures of experts; give another sort, or experts by their ids"
        )
        raise RequestError(f"{', '.join(parts)} stands for no part of the model, since {why}")
    return tuple(sites)


def _sites_of_sort(
    asked: TracedRequest, kind: NodeKind, which: Positions, n_memories: int
) -> Iterator[Site]:
    positions = _positions(asked, which)
    memories: dict[int | None, list[Site]] = {}
    if kind is NodeKind.MEMORY_VALUE:
        memories = _strongest_memories(asked, positions, n_memories)
    for position in positions:
        if kind is NodeKind.EMBED:
            yield Site(kind, position)
            continue
        if kind is NodeKind.MEMORY_VALUE:
            yield from memories[position]
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


def _strongest_memories(
    asked: TracedRequest, positions: list[int | None], count: int
) -> dict[int | None, list[Site]]:
    """Each layer's strongest memories by flow; those at the traced position for all together."""
    places = [asked.position if position is None else position for position in positions]
    found: dict[int | None, list[Site]] = {position: [] for position in positions}
    first = min(places)
    rows = [place - first for place in places]
    for layer, at in gradients_of_flow(asked.architecture, asked.trace, asked.flow, first):
        activation = asked.trace.layers[layer].activation
        if activation is None or at.activation is None:
            continue  # a mixture has experts
        flows = at.activation[rows] * activation[places].to(at.activation)
        chosen = circuits.strongest(flows.abs(), count).tolist()
        for position, numbers in zip(positions, chosen, strict=True):
            found[position] += [
                Site(NodeKind.MEMORY_VALUE, position, layer, number) for number in numbers
            ]
    return {
        position: sorted(sites, key=lambda site: site.layer or 0)
        for position, sites in found.items()
    }
