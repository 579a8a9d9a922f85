"""Request and a part -> Upstream: what feeds it, the strongest first."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from visit.assemble.residency import Resident
from visit.assemble.traced_request import TracedRequest
from visit.attribution.flow import LayerGradient, sweep_back
from visit.attribution.upstream import (
    Reader,
    flow_from_embeddings,
    flow_from_layer,
    read_as_head,
    read_as_memory,
    read_as_mlp,
)
from visit.engine.progress import Progress
from visit.engine.questions import ReadUpstream
from visit.errors import RequestError
from visit.graph.flow import NodeId, NodeKind
from visit.graph.interventions import Intervention, Site
from visit.graph.upstream import Upstream, UpstreamPart
from visit.tracing.sites import check_intervention

READERS = (NodeKind.HEAD, NodeKind.MEMORY_VALUE, NodeKind.MLP)
"""The kinds of part that read what others wrote."""


def read_upstream(question: ReadUpstream, resident: Resident, tell: Progress) -> Upstream:
    """How much of a part's flow comes through each part that wrote what it reads.

    Raises:
        RequestError: the part does not exist, or is none that reads.
    """
    trace = resident.trace(question.request, tell)
    asked = resident.builder.resolve(trace, question.request)
    id_ = _find_reader(asked, question.node)
    with torch.inference_mode():
        reader = _read(asked, id_)
        parts = sorted(_parts(asked, id_, reader), key=lambda one: (-abs(one.flow), str(one.id)))
    listed, folded = parts[: question.count], parts[question.count :]
    return Upstream(
        reader=id_,
        flow=reader.flow,
        parts=tuple(listed),
        rest=sum((one.flow for one in folded), 0.0),
        biases=reader.biases,
    )


def _find_reader(asked: TracedRequest, text: str) -> NodeId:
    site = Site.parse(text)
    if site.kind not in READERS or site.position is None or site.source is not None:
        raise RequestError(
            f"{text!r} is not a part that reads at one position; give a head, a memory or an MLP, "
            "like 'L5.head3@7', 'L5.memory123.value@7' or 'L5.mlp@7'"
        )
    check_intervention(asked.architecture, Intervention(site), asked.position)
    return site.node


def _read(asked: TracedRequest, id_: NodeId) -> Reader:
    sweep = sweep_back(asked.architecture, asked.trace, asked.position, asked.direction[None])
    return read_at(asked, id_, next(at for layer, at in sweep if layer == id_.layer))


def read_at(asked: TracedRequest, id_: NodeId, at: LayerGradient) -> Reader:
    """A part of one of the kinds that read, as a function of the residuals that it reads.

    Args:
        asked: What is asked.
        id_: The part.
        at: The metric's gradients at its layer.
    """
    architecture, trace, layer = asked.architecture, asked.trace, id_.layer
    assert layer is not None
    if id_.head is not None:
        return read_as_head(architecture, trace, layer, id_.position, id_.head, at)
    if id_.index is not None:
        return read_as_memory(architecture, trace, layer, id_.position, id_.index, at)
    return read_as_mlp(architecture, trace, layer, id_.position, at)


def _parts(asked: TracedRequest, id_: NodeId, reader: Reader) -> Iterator[UpstreamPart]:
    """Everything upstream, at every position that the part reads from."""
    assert id_.layer is not None
    alone = id_.kind is not NodeKind.HEAD
    places = [id_.position] if alone else list(range(id_.position + 1))
    embeddings = flow_from_embeddings(asked.trace, reader).tolist()
    for place in places:
        yield UpstreamPart(NodeId(NodeKind.EMBED, place), embeddings[place])
    for layer in range(id_.layer + reader.reads_attention):
        found = flow_from_layer(
            asked.architecture, asked.trace, layer, reader, with_mlp=layer < id_.layer
        )
        for place in places:
            for head, flow in enumerate(found.heads[place].tolist()):
                yield UpstreamPart(NodeId(NodeKind.HEAD, place, layer, head=head), flow)
            for kind, flows in ((NodeKind.ATTN_BIAS, found.bias), (NodeKind.MLP, found.mlp)):
                if flows is not None:
                    yield UpstreamPart(NodeId(kind, place, layer), float(flows[place]))
