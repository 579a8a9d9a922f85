"""Request -> Ranking: every part that writes at the traced position, and what it does in the end.

1. Nothing after the traced position matters, and nothing there reads it but itself. So what flows
   through its own column of the pass is found by a sweep over that one position.
2. The sweep takes the metric and every candidate at once. At each layer the parts are what they
   are in the ledgers; their dot products with the gradients where they are written are their flows.

It costs about as much as a forward pass of as many tokens as there are candidates, however long
the prompt is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.assemble.flows import outcome_from_flows
from visit.assemble.residency import Resident
from visit.assemble.traced_request import TracedRequest
from visit.attribution import circuits
from visit.attribution.flow import LayerGradient, sweep_back
from visit.attribution.ledgers import apply_gain
from visit.attribution.metric import candidate_unembeddings, pull_back_through_final_norm
from visit.attribution.projections import experts_at, values_by_source
from visit.engine.progress import Progress
from visit.engine.questions import RankParts
from visit.graph.flow import NodeId, NodeKind
from visit.graph.ids import depth
from visit.graph.metric import TokenProbability
from visit.graph.ranking import Part, Ranking
from visit.models.architectures.base import Experts

N_TOKENS = 10
"""How many candidates every part's flow is told of, one by one."""


@dataclass(frozen=True, slots=True)
class _Written:
    """Some parts of one whole, at the traced position.

    Attributes:
        ids: Their nodes.
        vectors: What each writes into the residual stream.
        whole: What they are parts of.
        gradient: Where they are written: of the metric, then of every candidate.
        sources: Of heads: the position each reads most through, and the attention to it.
    """

    ids: list[NodeId]
    vectors: Float[Tensor, "part d_model"]
    whole: Float[Tensor, " d_model"]
    gradient: Float[Tensor, "column d_model"]
    sources: Sequence[tuple[int | None, float | None]] = ()


def rank(question: RankParts, resident: Resident, tell: Progress) -> Ranking:
    """Every head, MLP and expert at the traced position, and the strongest memories of each layer.

    Raises:
        RequestError: the request asks for what the prompt or the model does not have.
    """
    trace = resident.trace(question.request, tell)
    asked = resident.builder.resolve(trace, question.request)
    return rank_parts(asked, resident.tokens.text, question.memories)


def rank_parts(asked: TracedRequest, spell: Callable[[int], str], n_memories: int) -> Ranking:
    """The ranking of one traced request.

    Args:
        asked: What is asked.
        spell: The text of a token.
        n_memories: How many memories of each layer, the strongest by flow.
    """
    tokens, texts = _choose_tokens(asked), [spell(id_) for id_ in asked.candidates]
    parts: list[Part] = []
    with torch.inference_mode():
        for layer, at in _sweep_back(asked):
            for written in _find_parts(asked, layer, at, n_memories):
                parts += _measure(asked, written, tokens, texts)
    probs = asked.trace.logits[asked.position].to(asked.direction).softmax(-1)
    return Ranking(
        tokens=tuple(
            TokenProbability(id_, texts[place], float(probs[id_]))
            for place in tokens
            for id_ in (asked.candidates[place],)
        ),
        parts=tuple(sorted(parts, key=lambda part: depth(part.id))),
    )


def _choose_tokens(asked: TracedRequest) -> list[int]:
    """The places, among the candidates, of those that every part's flow is told of."""
    named = [one.id for one in (asked.target, asked.versus) if one is not None]
    places = list(range(min(N_TOKENS, len(asked.candidates))))
    wanted = [asked.candidates.index(id_) for id_ in named]
    return places + [place for place in wanted if place not in places]


def _sweep_back(asked: TracedRequest) -> Iterator[tuple[int, LayerGradient]]:
    """The gradients of the metric and of every candidate at the traced position alone."""
    architecture, trace, position = asked.architecture, asked.trace, asked.position
    resid = trace.residuals[-1][position].to(asked.direction)
    ids = asked.candidates
    columns = candidate_unembeddings(architecture, ids, ids, resid.dtype)
    directions = pull_back_through_final_norm(architecture, resid, columns)
    together = torch.cat([asked.direction[None], directions])
    return sweep_back(architecture, trace, position, together, first=position)


def _find_parts(
    asked: TracedRequest, layer: int, at: LayerGradient, n_memories: int
) -> Iterator[_Written]:
    """A layer's heads, its MLP, and what is told of the inside of its MLP."""
    position, recorded = asked.position, asked.trace.layers[layer]
    mid, post = (one[:, 0].to(asked.direction) for one in (at.mid, at.post))
    yield _heads(asked, layer, mid)
    mlp_out = recorded.mlp_out[position].to(mid)
    resid_post = recorded.resid_post[position].to(mid)
    yield _Written([NodeId(NodeKind.MLP, position, layer)], mlp_out[None], resid_post, post)
    mlp = asked.architecture.blocks[layer].mlp
    if isinstance(mlp, Experts):
        assert recorded.routed is not None
        numbers = recorded.routed[position]
        vectors = experts_at(asked.architecture, asked.trace, layer, position)[1][: len(numbers)]
        kind = NodeKind.EXPERT
    else:
        assert recorded.activation is not None and at.activation is not None
        activation = recorded.activation[position].to(mid)
        numbers = _strongest(at.activation[0, 0].to(mid) * activation, n_memories)
        vectors = activation[numbers].unsqueeze(1) * mlp.w_out[numbers].to(mid)
        kind = NodeKind.MEMORY_VALUE
    ids = [NodeId(kind, position, layer, index=number) for number in numbers.tolist()]
    yield _Written(ids, apply_gain(vectors, recorded.mlp_gain, position), mlp_out, post)


def _strongest(flows: Float[Tensor, " memory"], count: int) -> Int[Tensor, " chosen"]:
    return circuits.strongest(flows.abs(), count)


def _heads(asked: TracedRequest, layer: int, mid: Float[Tensor, "column d_model"]) -> _Written:
    position, recorded = asked.position, asked.trace.layers[layer]
    values = values_by_source(asked.architecture, asked.trace, layer)
    outputs = circuits.head_outputs(recorded.z[position].to(values.v), values.w_o)
    outputs = apply_gain(outputs, recorded.attn_gain, position).to(mid)
    pattern = recorded.attention[:, position, : position + 1].to(values.v)
    gradient = apply_gain(mid[:1].to(values.v), recorded.attn_gain, position)[0]
    taken = torch.einsum("hsd,hd->hs", values.v[:, : position + 1], values.w_o @ gradient)
    most = (pattern * taken).abs().argmax(-1)
    attentions = pattern.gather(1, most[:, None])[:, 0]
    return _Written(
        [NodeId(NodeKind.HEAD, position, layer, head=head) for head in range(len(outputs))],
        outputs,
        recorded.attn_out[position].to(mid),
        mid,
        list(zip(most.tolist(), attentions.tolist(), strict=True)),
    )


def _measure(
    asked: TracedRequest, written: _Written, tokens: Sequence[int], texts: Sequence[str]
) -> Iterator[Part]:
    flows = written.vectors @ written.gradient.T
    columns = zip(
        flows[:, 0].tolist(),
        (written.vectors @ asked.direction).tolist(),
        circuits.shares(written.vectors, written.whole).tolist(),
        written.vectors.norm(dim=-1).tolist(),
        flows[:, 1:][:, list(tokens)].tolist(),
        strict=True,
    )
    none: tuple[int | None, float | None] = (None, None)
    sources = written.sources or [none] * len(written.ids)
    for place, (flow, direct, share, norm, to_tokens) in enumerate(columns):
        source, attention = sources[place]
        yield Part(
            id=written.ids[place],
            flow=flow,
            direct=direct,
            share=share,
            norm=norm,
            tokens=tuple(to_tokens),
            outcome=outcome_from_flows(asked.candidates, texts, flows[place, 1:]),
            source=source,
            attention=attention,
        )
