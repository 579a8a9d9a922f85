"""Trace + Reader + Request -> FlowGraph: the route, the opened blocks, and the output.

1. The metric's flow through the whole pass, by one sweep back (``attribution.metric_flow``).
2. ``route.draw_layer``, from the last layer down: every residual that carries the traced one, its
   attn and mlp, and the attention edges between positions that carry enough of it.
3. ``block.open_block`` for each opened layer at the traced position, and what else is among the
   strongest parts of the whole model.
4. The final norm and the output, with the model's own numbers.
5. Every node's flow, and its outcome (``flows``); all vectors read through the lens in one go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from visit import __version__
from visit.assemble.block import draw_strongest, open_block
from visit.assemble.draft import Draft
from visit.assemble.flows import (
    find_node_flows,
    find_outcomes,
    takes_outcomes,
)
from visit.assemble.kept import Kept
from visit.assemble.named import check_there, resolve_position
from visit.assemble.route import draw_layer
from visit.assemble.strongest import Measured, Strongest, find_strongest
from visit.assemble.traced_request import TracedRequest, resid_pre_id
from visit.attribution.metric import (
    audit_logit,
    choose_metric,
    find_candidates,
    metric_biases,
    metric_direction,
)
from visit.attribution.metric_flow import find_flow
from visit.attribution.projections import values_by_source
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.graph.flow import (
    Audit,
    Edge,
    EdgeKind,
    FlowGraph,
    MetricInfo,
    MetricKind,
    ModelInfo,
    Node,
    NodeId,
    NodeKind,
    Prediction,
    Reading,
    Target,
    TokenProbability,
)
from visit.graph.request import Request, layers_from_spec
from visit.lens.readings import Reader
from visit.models.architectures import Architecture
from visit.models.rows import KINDS, is_static
from visit.models.tokens import Tokens
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace

N_PREDICTIONS = 10


class Builder:
    """Builds flow graphs of one trace of one model."""

    def __init__(
        self,
        architecture: Architecture,
        tokens: Tokens,
        reader: Reader,
        model: ModelInfo,
        kept: Kept | None = None,
    ) -> None:
        self._architecture = architecture
        self._tokens = tokens
        self._reader = reader
        self._model = model
        self._kept = Kept() if kept is None else kept

    @torch.inference_mode()
    def whole(
        self,
        trace: Trace,
        request: Request,
        progress: Progress,
        also: Sequence[str] = (),
        measured: Measured | None = None,
    ) -> FlowGraph:
        """The route of the traced position, with the requested layers opened at it.

        Args:
            trace: The forward pass.
            request: What to draw.
            progress: Told how far each of ``ledgers`` and ``readings`` is, 0 to 1.
            also: Heads, MLPs and memories that are drawn whatever their strength, by their ids.
            measured: The effects that parts rank by, where they do; the others rank by flow.

        Raises:
            RequestError: the position, the target, a layer or one of those parts does not exist.
        """
        asked = self.resolve(trace, request, measured)
        asked = replace(asked, strongest=asked.strongest.with_sites(asked.sites(also)))
        draft, loads = Draft(), {asked.position: 1.0}
        n_layers = len(trace.layers)
        for layer in reversed(range(n_layers)):

            def tell(part: float, done: int = n_layers - 1 - layer) -> None:
                progress("ledgers", (done + part) / n_layers)

            tell(0.0)
            values = values_by_source(self._architecture, trace, layer)
            loads = draw_layer(draft, asked, layer, loads, values, tell)
            if (layer, asked.position) in asked.opened:
                open_block(draft, asked, layer, asked.position, values)
            draw_strongest(draft, asked, layer, values)
        return self._finish(draft, asked, progress, with_output=True)

    @torch.inference_mode()
    def block(
        self,
        trace: Trace,
        request: Request,
        layer: int,
        position: int,
        measured: Measured | None = None,
    ) -> FlowGraph:
        """One block alone, opened at one position, in the same terms as the whole.

        Raises:
            RequestError: the position, the target or the layer does not exist.
        """
        asked = self.resolve(trace, request, measured).open_alone(layer, position)
        ((_, position),) = asked.opened
        draft, values = Draft(), values_by_source(self._architecture, trace, layer)
        draw_layer(draft, asked, layer, {position: 1.0}, values)
        open_block(draft, asked, layer, position, values)
        return self._finish(draft, asked, lambda *_: None, with_output=False)

    @torch.inference_mode()
    def parts(self, trace: Trace, request: Request, named: Sequence[str]) -> FlowGraph:
        """Some heads, MLPs and memories by themselves, in the same terms as the whole.

        Args:
            trace: The forward pass.
            request: What to draw.
            named: The parts, by their nodes' ids.

        Raises:
            RequestError: the position, the target or a part does not exist.
        """
        asked = self.resolve(trace, request)
        chosen = Strongest().with_sites(asked.sites(named))
        asked = replace(asked, opened=frozenset(), strongest=chosen)
        draft = Draft()
        for layer in sorted({part.layer for part in chosen.parts}, reverse=True):
            values = values_by_source(self._architecture, trace, layer)
            there = dict.fromkeys(chosen.positions_at(layer), 1.0)
            draw_layer(draft, asked, layer, there, values)
            draw_strongest(draft, asked, layer, values)
        return self._finish(draft, asked, lambda *_: None, with_output=False)

    @torch.inference_mode()
    def lens(self, trace: Trace, request: Request, positions: Sequence[int]) -> tuple[Node, ...]:
        """What every residual of some positions says, position by position, all in one go.

        Of each: the embedding, then each layer's resid_post. They are read as in the whole.

        Raises:
            RequestError: a position, or the target, does not exist.
        """
        position = resolve_position(request.position, len(trace.token_ids))
        target = self._target(trace, position, request)
        places = [resolve_position(position, len(trace.token_ids)) for position in positions]
        depths = range(len(trace.layers) + 1)
        vectors = torch.stack([resid[places] for resid in trace.residuals], dim=1).flatten(0, 1)
        ids = [resid_pre_id(depth, position) for position in places for depth in depths]
        said = self._reader.read(vectors.to(ledger_dtype(trace.logits)), target.id, request.top_k)
        return tuple(Node(id_, reading) for id_, reading in zip(ids, said, strict=True))

    def pattern(self, trace: Trace, layer: int, head: int) -> tuple[tuple[float, ...], ...]:
        """One head's attention: a row for each reader, a column for each source.

        Raises:
            RequestError: the layer or the head does not exist.
        """
        check_there("layer", layer, len(trace.layers))
        pattern = trace.layers[layer].attention
        check_there("head", head, len(pattern))
        return tuple(tuple(row) for row in pattern[head].tolist())

    def resolve(
        self, trace: Trace, request: Request, measured: Measured | None = None
    ) -> TracedRequest:
        """A trace with what is asked of it: which position, towards which token and metric.

        Args:
            trace: The forward pass.
            request: What is asked.
            measured: The effects that parts rank by, where they do.

        Raises:
            RequestError: the position, the target or a layer does not exist.
        """
        position = resolve_position(request.position, len(trace.token_ids))
        opened = layers_from_spec(request.layers, len(trace.layers))
        target = self._target(trace, position, request)
        versus = self._versus(trace, position, request, target)
        named = (target.id,) if versus is None else (target.id, versus.id)
        candidates = find_candidates(trace.plain_logits[position], request.candidates, named)
        metric = choose_metric(request.metric, named, candidates)
        n_memories = request.strongest_memories
        flow = self._kept.find(
            trace,
            ("metric", position, metric, n_memories),
            lambda: find_flow(self._architecture, trace, position, metric, n_memories),
        )
        resid = trace.residuals[-1][position].to(ledger_dtype(trace.logits))
        return TracedRequest(
            architecture=self._architecture,
            trace=trace,
            request=request,
            position=position,
            opened=frozenset((layer, position) for layer in opened),
            target=target,
            versus=versus,
            metric=metric,
            candidates=candidates,
            direction=metric_direction(self._architecture, resid, metric),
            flow=flow,
            strongest=find_strongest(flow, request.strongest, request.strongest_memories, measured),
            measured=measured or Measured(),
        )

    def _target(self, trace: Trace, position: int, request: Request) -> Target:
        target_id = self._tokens.target_id(request)
        if target_id is None:
            target_id = self._top_token(trace.plain_logits[position])
        return self.said_of(trace, position, target_id)

    def _top_token(self, logits: Float[Tensor, " d_vocab"]) -> int:
        """The token that the model itself says comes next."""
        (said,) = self._reader.read_logits(logits.unsqueeze(0), [float(logits.norm())], 0, 1)
        return said.top[0].id

    def _versus(
        self, trace: Trace, position: int, request: Request, target: Target
    ) -> Target | None:
        versus_id = self._tokens.versus_id(request)
        if versus_id is None:
            return None
        if versus_id == target.id:
            raise RequestError(
                f"versus {target.text!r} is the target itself; give another token to compare "
                "it with"
            )
        return self.said_of(trace, position, versus_id)

    def _said(self, trace: Trace, position: int, token_id: int = 0, top_k: int = 1) -> Reading:
        """What the model itself says comes next, and what it gives a token."""
        logits = trace.logits[position]
        norm = float(logits.norm())
        return self._reader.read_logits(logits.unsqueeze(0), [norm], token_id, top_k)[0]

    def _finish(
        self, draft: Draft, asked: TracedRequest, progress: Progress, *, with_output: bool
    ) -> FlowGraph:
        target = asked.target
        top_k, ids = asked.request.top_k, list(draft.vectors)
        flows = find_node_flows(asked, draft.vectors, draft.activations)
        outcomes = find_outcomes(asked, self._tokens, self._kept, draft.vectors, draft.activations)
        words = self._reader.read(
            draft.take_vectors(),
            target.id,
            top_k,
            lambda part: progress("readings", part),
            of_weights=[at for at, id_ in enumerate(ids) if self._is_of_weights(id_)],
        )
        readings = dict(zip(ids, words, strict=True))
        if with_output:
            readings |= self._output(draft, asked, top_k, flows)
        return FlowGraph(
            visit_version=__version__,
            request=self.request_as_read(asked),
            model=self._model,
            tokens=self._tokens.read(asked.request),
            target=target,
            metric=self.metric_info(asked),
            predictions=self.predictions(asked),
            audit=self._audit(draft, asked),
            nodes=draft.nodes(readings, flows, outcomes),
            edges=draft.edges(readings),
            versus=asked.versus,
        )

    @torch.inference_mode()
    def say(
        self, asked: TracedRequest, vectors: Mapping[NodeId, Float[Tensor, " d_model"]]
    ) -> dict[NodeId, Node]:
        """What some parts say, and what they do in the end, as they would stand in a graph.

        Args:
            asked: What is asked.
            vectors: What each has written; no weight rows.
        """
        if not vectors:
            return {}
        outcomes = find_outcomes(asked, self._tokens, self._kept, vectors, {})
        stacked = torch.stack([*vectors.values()])
        words = self._reader.read(stacked, asked.target.id, asked.request.top_k)
        return {
            id_: Node(id_, reading, outcome=outcomes.get(id_))
            for id_, reading in zip(vectors, words, strict=True)
        }

    def said_of(self, trace: Trace, position: int, token_id: int) -> Target:
        """What the model itself gives a token at a position, by its id."""
        said = self._said(trace, position, token_id).target
        return Target(token_id, self._tokens.text(token_id), said.logit, said.prob, said.rank)

    def request_as_read(self, asked: TracedRequest) -> Request:
        """The request with the texts of its ids and the model that answers it filled in."""
        request = self._tokens.spell_out(asked.request)
        return replace(request, model=asked.request.model or self._model.name)

    def predictions(self, asked: TracedRequest) -> tuple[Prediction, ...]:
        """The likeliest next tokens at the traced position, likeliest first."""
        logits = asked.trace.logits[asked.position]
        best = self._said(asked.trace, asked.position, asked.target.id, N_PREDICTIONS).top
        return tuple(Prediction(one.id, one.text, float(logits[one.id]), one.prob) for one in best)

    def metric_info(self, asked: TracedRequest) -> MetricInfo:
        """What the metric is, with its value by the model's own logits."""
        listed: tuple[TokenProbability, ...] = ()
        if asked.metric.kind is MetricKind.CHOICE or takes_outcomes(asked):
            listed = tuple(self._list_candidates(asked))
        return MetricInfo(
            kind=asked.metric.kind,
            value=asked.metric.evaluate(self._architecture, asked.trace.logits[asked.position]),
            candidates=listed,
            absolute_flow=asked.flow.largest,
        )

    def _list_candidates(self, asked: TracedRequest) -> Iterator[TokenProbability]:
        count = len(asked.candidates)
        said = self._said(asked.trace, asked.position, asked.target.id, count)
        likeliest = {token.id: token for token in said.top}
        for id_ in asked.candidates:
            if id_ in likeliest:
                yield likeliest[id_]
            else:
                named = self.said_of(asked.trace, asked.position, id_)
                yield TokenProbability(id_, named.text, named.prob)

    def _audit(self, draft: Draft, asked: TracedRequest) -> Audit:
        trace, position = asked.trace, asked.position
        own = asked.metric.evaluate(self._architecture, trace.logits[position])
        return Audit(
            residual=draft.worst,
            logit=audit_logit(self._architecture, trace, position, asked.metric),
            flow=max(abs(total - own) for total in asked.flow.depths),
        )

    def _is_of_weights(self, id_: NodeId) -> bool:
        """Whether a node stands for a row of the weights as it is, whatever the prompt."""
        if id_.kind not in KINDS or id_.layer is None:
            return False
        return is_static(self._architecture, id_.kind, id_.layer)

    def _output(
        self, draft: Draft, asked: TracedRequest, top_k: int, flows: dict[NodeId, float]
    ) -> dict[NodeId, Reading]:
        """The final norm and the output, which say what the model itself says."""
        trace, position = asked.trace, asked.position
        last = NodeId(NodeKind.RESID_POST, position, len(trace.layers) - 1)
        final_norm, output = (NodeId(k, position) for k in (NodeKind.FINAL_NORM, NodeKind.OUTPUT))
        logits, normed = trace.logits[position], trace.final_norm[position]
        norms = (float(normed.norm()), float(logits.norm()))
        said = self._reader.read_logits(logits.expand(2, -1), norms, asked.target.id, top_k)
        written = float(trace.residuals[-1][position].to(asked.direction) @ asked.direction)
        whole = written + metric_biases(self._architecture, asked.metric, asked.direction.dtype)
        size = float(normed.norm())
        flows |= {final_norm: whole, output: whole}
        for source, target, kind, amount in (
            (last, final_norm, EdgeKind.NORMALIZES, written),
            (final_norm, output, EdgeKind.UNEMBEDS, whole),
        ):
            draft.add_edge(Edge(source, target, kind, norm=size, direct_logit=amount, flow=amount))
        return dict(zip((final_norm, output), said, strict=True))
