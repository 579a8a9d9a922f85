"""Trace + Projector + Request -> FlowGraph: the route, the opened blocks, and the output.

1. ``route.draw_layer``, from the last layer down: every residual that carries the traced one, its
   attn and mlp, and the attention edges between positions that carry enough of it.
2. ``block.open_block`` for each opened layer at the traced position.
3. The final norm and the output, with the model's own numbers.
4. All vectors read through the lens in one go.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from visit import __version__
from visit.architectures import Architecture
from visit.attribution import audit_logit, logit_biases, logit_direction
from visit.build.block import open_block
from visit.build.case import Case
from visit.build.draft import Draft
from visit.build.route import draw_layer
from visit.engine import Progress
from visit.errors import RequestError
from visit.flow import (
    Audit,
    Edge,
    EdgeKind,
    FlowGraph,
    ModelInfo,
    NodeId,
    NodeKind,
    Prediction,
    Reading,
    Request,
    Target,
    Token,
    layers_from_spec,
)
from visit.precision import ledger_dtype
from visit.projections import values_by_source
from visit.tokens import Tokens
from visit.trace import Trace
from visit.vocabulary import Projector

N_PREDICTIONS = 10


class Builder:
    """Builds flow graphs of one trace of one model."""

    def __init__(
        self, architecture: Architecture, tokens: Tokens, projector: Projector, model: ModelInfo
    ) -> None:
        self._architecture = architecture
        self._tokens = tokens
        self._projector = projector
        self._model = model

    @torch.inference_mode()
    def whole(self, trace: Trace, request: Request, progress: Progress) -> FlowGraph:
        """The route of the traced position, with the requested layers opened at it.

        Raises:
            RequestError: the position, the target or a layer does not exist.
        """
        case, target = self._case(trace, request)
        draft, loads = Draft(), {case.position: 1.0}
        n_layers = len(trace.layers)
        for layer in reversed(range(n_layers)):
            progress("ledgers", 1 - (layer + 1) / n_layers)
            values = values_by_source(self._architecture, trace, layer)
            loads = draw_layer(draft, case, layer, loads, values)
            if (layer, case.position) in case.opened:
                open_block(draft, case, layer, case.position, values)
        progress("readings", 0.0)
        return self._finished(draft, case, target, with_output=True)

    @torch.inference_mode()
    def block(self, trace: Trace, request: Request, layer: int, position: int) -> FlowGraph:
        """One block alone, opened at one position, in the same terms as the whole.

        Raises:
            RequestError: the position, the target or the layer does not exist.
        """
        layers_from_spec(str(layer), len(trace.layers))
        case, target = self._case(trace, request)
        position = place(position, len(trace.token_ids))
        case = replace(case, opened=frozenset({(layer, position)}))
        draft, values = Draft(), values_by_source(self._architecture, trace, layer)
        draw_layer(draft, case, layer, {position: 1.0}, values)
        open_block(draft, case, layer, position, values)
        return self._finished(draft, case, target, with_output=False)

    def _case(self, trace: Trace, request: Request) -> tuple[Case, Target]:
        position = place(request.position, len(trace.token_ids))
        opened = layers_from_spec(request.layers, len(trace.layers))
        log_probs = trace.logits[position].log_softmax(-1)
        named = request.target
        target_id = int(log_probs.argmax()) if named is None else self._tokens.target(named)
        logit = trace.logits[position, target_id]
        target = Target(
            id=target_id,
            text=self._tokens.text(target_id),
            logit=float(logit),
            prob=float(log_probs[target_id].exp()),
            rank=1 + int((trace.logits[position] > logit).sum()),
        )
        resid = trace.layers[-1].resid_post[position].to(ledger_dtype(trace.logits))
        direction = logit_direction(self._architecture, resid, target_id)
        blocks = frozenset((layer, position) for layer in opened)
        return Case(self._architecture, trace, request, position, blocks, direction), target

    def _finished(
        self, draft: Draft, case: Case, target: Target, *, with_output: bool
    ) -> FlowGraph:
        trace, position = case.trace, case.position
        top_k = case.request.top_k
        words = self._projector.read(draft.stacked(), target.id, top_k)
        readings = dict(zip(draft.vectors, words, strict=True))
        if with_output:
            readings |= self._output(draft, case, target, top_k)
        log_probs = trace.logits[position].log_softmax(-1)
        best = log_probs.topk(min(N_PREDICTIONS, len(log_probs)))
        return FlowGraph(
            visit_version=__version__,
            request=replace(case.request, model=case.request.model or self._model.name),
            model=self._model,
            tokens=tuple(
                Token(place_, id_, self._tokens.text(id_))
                for place_, id_ in enumerate(trace.token_ids)
            ),
            target=target,
            predictions=tuple(
                Prediction(id_, self._tokens.text(id_), float(trace.logits[position, id_]), prob)
                for id_, prob in zip(best.indices.tolist(), best.values.exp().tolist(), strict=True)
            ),
            audit=Audit(
                residual=draft.worst,
                logit=audit_logit(self._architecture, trace, position, target.id),
            ),
            nodes=draft.nodes(readings),
            edges=draft.edges(readings),
        )

    def _output(
        self, draft: Draft, case: Case, target: Target, top_k: int
    ) -> dict[NodeId, Reading]:
        """The final norm and the output, which say what the model itself says."""
        trace, position = case.trace, case.position
        last = NodeId(NodeKind.RESID_POST, position, len(trace.layers) - 1)
        final_norm, output = (NodeId(k, position) for k in (NodeKind.FINAL_NORM, NodeKind.OUTPUT))
        logits, normed = trace.logits[position], trace.final_norm[position]
        norms = torch.stack([normed.norm(), logits.norm()])
        said = self._projector.read_logits(logits.expand(2, -1), norms, target.id, top_k)
        written = float(draft.vectors[last] @ case.direction)
        biases = logit_biases(self._architecture, target.id, case.direction.dtype)
        size = float(normed.norm())
        draft.edge(Edge(last, final_norm, EdgeKind.NORMALIZES, norm=size, direct_logit=written))
        draft.edge(
            Edge(final_norm, output, EdgeKind.UNEMBEDS, norm=size, direct_logit=written + biases)
        )
        return dict(zip((final_norm, output), said, strict=True))


def place(position: int | None, n_positions: int) -> int:
    """A position counted from the start: the last one by default, negative ones from the end.

    Raises:
        RequestError: the prompt does not have it.
    """
    if position is None:
        return n_positions - 1
    if not -n_positions <= position < n_positions:
        raise RequestError(
            f"position {position} does not exist; the prompt has 0 to {n_positions - 1}"
        )
    return position % n_positions
