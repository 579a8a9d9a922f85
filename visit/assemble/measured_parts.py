"""Traced request -> what removing parts does, measured before they are drawn: what ranks by effect.

1. Of the traced position, all heads and MLPs of the whole model where its strongest are drawn, and
   of each opened block its heads and experts. Memories and attention neurons are too many: twice as
   many as can be drawn are measured, the strongest by estimate, whose order is nearly theirs.
2. Each is set to zero and the rest of the pass run again, all of them in one sweep.

A head's sources rank by flow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.strongest import Measured, Part
from visit.assemble.traced_request import TracedRequest
from visit.attribution import circuits
from visit.attribution import effects as arithmetic
from visit.attribution.estimates import live_gradients
from visit.engine.progress import Progress
from visit.graph.interventions import Site
from visit.graph.kinds import NodeKind
from visit.graph.request import RankBy
from visit.models.architectures.base import Experts
from visit.tracing.interventions import Edit
from visit.tracing.precision import reading_dtype
from visit.tracing.sites import whole_of
from visit.tracing.sweep import Resumed

_MEASURED_FOR_EACH = 2
"""How many memories or neurons are measured for each that may be drawn: on SmolLM2 as many hold all
of the strongest by effect, in every layer tried, where four times as many by flow miss a third."""


@torch.inference_mode()
def measure_parts(
    asked: TracedRequest,
    resume: Callable[[int], Resumed],
    tell: Progress,
    *,
    opened_alone: bool = False,
) -> Measured:
    """What the request's parts are ranked by; nothing unless it ranks by effect.

    Args:
        asked: What is asked.
        resume: How the model's blocks run the prompt from some position on.
        tell: Told how far the ``ranking`` is, 0 to 1.
        opened_alone: Whether no more is drawn than the opened blocks.
    """
    if asked.request.rank_by is not RankBy.EFFECT or asked.request.interventions:
        return Measured()
    unembedding = asked.metric.unembedding(
        asked.architecture, reading_dtype(asked.trace.logits.dtype)
    )
    if opened_alone:
        request = replace(asked.request, strongest=0, strongest_memories=0)
        asked = replace(asked, request=request)
    rows = _find_rows(asked, unembedding, resume(asked.position))
    parts = sorted({*_find_blocks(asked), *rows})
    if not parts:
        return Measured()
    moved = arithmetic.measure_metric(
        asked.architecture,
        resume,
        [(Edit(_site_of(part)),) for part in parts],
        unembedding,
        lambda done: tell("ranking", done),
    )
    pairs = zip(parts, moved, strict=True)
    return Measured.from_parts((part, effect) for part, effect in pairs if math.isfinite(effect))


def _site_of(part: Part) -> Site:
    number = None if part.kind is NodeKind.MLP else part.number
    return Site(part.kind, part.position, part.layer, number)


def _opened(asked: TracedRequest) -> set[int]:
    """The layers that are opened at the traced position."""
    return {layer for layer, position in asked.opened if position == asked.position}


def _find_blocks(asked: TracedRequest) -> Iterator[Part]:
    """Heads, MLPs and experts."""
    position, opened = asked.position, _opened(asked)
    for layer, recorded in enumerate(asked.trace.layers):
        if asked.request.strongest or layer in opened:
            for head in range(asked.architecture.sizes.n_heads):
                yield Part(NodeKind.HEAD, layer, position, head)
        if asked.request.strongest:
            yield Part(NodeKind.MLP, layer, position, 0)
        if layer in opened and recorded.routed is not None:
            for expert in set(recorded.routed[position].tolist()):
                yield Part(NodeKind.EXPERT, layer, position, expert)


def _find_rows(
    asked: TracedRequest, unembedding: Float[Tensor, " d_model"], resumed: Resumed
) -> Iterable[Part]:
    """Memories and attention neurons: the strongest by estimate."""
    request, position, opened = asked.request, asked.position, _opened(asked)
    if not opened and not request.strongest_memories:
        return
    everywhere: list[tuple[float, Part]] = []
    n_everywhere = _MEASURED_FOR_EACH * request.strongest_memories
    live = live_gradients(asked.architecture, asked.trace, position, unembedding, resumed)
    for layer, at in live:
        neurons = NodeKind.ATTN_NEURON
        given = _estimate(asked, neurons, layer, at.z[position - at.first].flatten())
        counts = [(neurons, given, request.attn_neurons, request.anti_attn_neurons)]
        if not isinstance(asked.architecture.blocks[layer].mlp, Experts):
            assert at.activation is not None
            kind = NodeKind.MEMORY_VALUE
            given = _estimate(asked, kind, layer, at.activation[position - at.first])
            counts.append((kind, given, request.memories, request.anti_memories))
            for number in circuits.strongest(given.abs(), n_everywhere).tolist():
                everywhere.append((float(given[number].abs()), Part(kind, layer, position, number)))
        if layer in opened:
            for kind, given, *most in counts:
                wanted = (_MEASURED_FOR_EACH * count for count in most)
                for number in circuits.strongest_of_either_sign(given, *wanted).tolist():
                    yield Part(kind, layer, position, number)
    everywhere.sort(reverse=True)
    yield from (part for _, part in everywhere[:n_everywhere])


def _estimate(
    asked: TracedRequest, kind: NodeKind, layer: int, gradient: Float[Tensor, " part"]
) -> Float[Tensor, " part"]:
    """What the live pass's gradient says that each row gives."""
    values = whole_of(asked.trace.layers[layer], kind)
    assert values is not None
    return gradient * values[asked.position].to(gradient)
