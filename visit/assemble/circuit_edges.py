"""Kept parts -> the flow between them: how much of one's flow comes through another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.traced_request import TracedRequest
from visit.assemble.upstream import READERS, read_at
from visit.attribution.flow import sweep_back
from visit.attribution.upstream import written_by
from visit.graph.circuit import CircuitEdge
from visit.graph.flow import NodeId, NodeKind
from visit.graph.ids import AFTER_ALL
from visit.graph.interventions import Site

MOST_PARTS = 100
"""Edges are found between so many kept parts at most, the first of those given."""
_OF_MLP = frozenset({NodeKind.MLP, NodeKind.MEMORY_VALUE})
_WRITERS = frozenset({NodeKind.HEAD, NodeKind.ATTN, *_OF_MLP})


def find_edges(asked: TracedRequest, kept: Sequence[Site]) -> list[CircuitEdge]:
    """How much flows from each kept part to each that reads it, and to the output directly.

    Patterns, norm scales and gates are held as they were in the plain pass. A part at every
    position is taken as one. The strongest come first; what is exactly 0 is no edge.

    Args:
        asked: What is asked.
        kept: Heads, memories, attentions and MLPs.
    """
    parts = [site for site in kept if site.kind in _WRITERS][:MOST_PARTS]
    if not parts:
        return []
    readers, gradients = _find_readers(asked, parts)
    written = torch.stack([_write(asked, site) for site in parts])
    flows = torch.einsum("kpd,rpd->kr", written, torch.stack(gradients)).tolist()
    edges = [
        CircuitEdge(site, reader, flows[row][column])
        for row, site in enumerate(parts)
        for column, (reader, layer, reads_attention) in enumerate(readers)
        if _comes_before(site, layer, reads_attention) and flows[row][column]
    ]
    return sorted(edges, key=lambda one: (-abs(one.flow), str(one.source), str(one.target)))


_Readers = list[tuple[Site | NodeId, int, bool]]
"""What reads, its layer, and whether it reads what its own layer's attention wrote."""


def _find_readers(
    asked: TracedRequest, parts: Sequence[Site]
) -> tuple[_Readers, list[Float[Tensor, "pos d_model"]]]:
    """The kept parts that read, and the output; with the gradient of each one's flow."""
    readers: _Readers = [(NodeId(NodeKind.OUTPUT, asked.position), AFTER_ALL, False)]
    output = asked.direction.new_zeros(asked.position + 1, len(asked.direction))
    output[-1] = asked.direction
    gradients = [output]
    lowest = min(site.layer or 0 for site in parts)
    sweep = sweep_back(asked.architecture, asked.trace, asked.position, asked.direction[None])
    for layer, at in sweep:
        for site in parts:
            if site.layer != layer or site.kind not in READERS:
                continue
            places = site.positions(asked.position)
            found = [read_at(asked, site.at(place).node, at) for place in places]
            readers.append((site, layer, found[0].reads_attention))
            gradients.append(sum(one.gradient for one in found).to(output))  # type: ignore[union-attr]
        if layer <= lowest:
            break
    return readers, gradients


def _write(asked: TracedRequest, site: Site) -> Float[Tensor, "pos d_model"]:
    """What a part writes, at each of its positions."""
    whole = asked.direction.new_zeros(asked.position + 1, len(asked.direction))
    for place in site.positions(asked.position):
        node = site.at(place).node
        whole[place] = written_by(asked.architecture, asked.trace, node).to(whole)
    return whole


def _comes_before(site: Site, layer: int, reads_attention: bool) -> bool:
    assert site.layer is not None
    if site.layer != layer:
        return site.layer < layer
    return reads_attention and site.kind not in _OF_MLP
