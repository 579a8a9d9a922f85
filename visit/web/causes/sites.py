"""Which site a node of the graph stands for, and how it is named on the screen."""

from __future__ import annotations

from visit.errors import RequestError
from visit.graph.flow import FlowGraph, NodeId, NodeKind
from visit.graph.interventions import Site
from visit.web.words import title

_NUMBERED = (NodeKind.HEAD, NodeKind.MEMORY_VALUE)
_KIND_WORDS = {NodeKind.MLP: "MLP", NodeKind.ATTN: "attention"}


def site_of(node_id: NodeId, traced: int) -> Site | None:
    """The site at a node; a head's value is what the head takes from there at the traced position.

    ``None`` where nothing can be changed.
    """
    if node_id.kind is NodeKind.VALUE:
        if node_id.position > traced:
            return None
        return Site(NodeKind.HEAD, traced, node_id.layer, node_id.head, node_id.position)
    if node_id.kind is NodeKind.MEMORY_KEY:
        return Site(NodeKind.MEMORY_VALUE, node_id.position, node_id.layer, node_id.index)
    try:
        return Site.from_node(node_id)
    except RequestError:
        return None


def site_from_text(text: str | None) -> Site | None:
    """A site that the browser names; ``None`` where it is none."""
    try:
        return None if text is None else Site.parse(text)
    except RequestError:
        return None


def name_site(site: Site, flow: FlowGraph) -> str:
    """A site as researchers write it: ``23.4``, ``L28 MLP``, ``23.4 ← ·Japan``, ``5.2 at ·is``."""
    if site.kind in _NUMBERED:
        name = f"{site.layer}.{site.number}"
    elif site.layer is None:
        name = "embedding"
    else:
        name = f"L{site.layer} {_KIND_WORDS.get(site.kind) or title(site.node).lower()}"
    if site.source is not None:
        name += f" ← {flow.shown[site.source]}"
    if site.position is None:
        return f"{name} everywhere"
    return name if site.position == flow.position else f"{name} at {flow.shown[site.position]}"
