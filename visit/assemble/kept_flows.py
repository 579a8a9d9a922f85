"""Flows that were found lately, for the next questions about the same traces.

Opening a block asks for the metric's flow again, and another target for the candidates'. A flow is
found in the same way whatever was asked before, so that a kept one is the same to the last bit.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Collection
from typing import Any

from visit.attribution.candidate_flow import CandidateFlow, find_candidate_flow
from visit.attribution.metric import Metric
from visit.attribution.metric_flow import MetricFlow, find_flow
from visit.models.architectures import Architecture
from visit.tracing.trace import Trace

KEPT_BYTES = 64 << 20
"""How much memory they may take: of SmolLM2, the flows of four prompts of 8 tokens."""

_Key = tuple[int, int, Any, int]


class KeptFlows:
    """Finds the flows of traces, and keeps the latest; what was used longest ago is dropped first.

    Args:
        architecture: The model.
        max_bytes: How much memory they may take.
    """

    def __init__(self, architecture: Architecture, max_bytes: int = KEPT_BYTES) -> None:
        self._architecture = architecture
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Key, tuple[weakref.ref[Trace], MetricFlow | CandidateFlow]] = (
            OrderedDict()
        )

    def of_metric(self, trace: Trace, position: int, metric: Metric, n_memories: int) -> MetricFlow:
        """The metric's flow through everything (``metric_flow.find_flow``)."""
        key = id(trace), position, metric, n_memories
        kept = self._get(trace, key)
        if isinstance(kept, MetricFlow):
            return kept
        flow = find_flow(self._architecture, trace, position, metric, n_memories)
        self._keep(trace, key, flow)
        return flow

    def of_candidates(
        self,
        trace: Trace,
        position: int,
        candidates: tuple[int, ...],
        positions: Collection[int],
    ) -> CandidateFlow:
        """Every part's flow to each candidate (``candidate_flow.find_candidate_flow``).

        It may hold gradients at more positions than are asked for.
        """
        key = id(trace), position, candidates, 0
        kept = self._get(trace, key)
        every = set(positions)
        if isinstance(kept, CandidateFlow):
            every |= set(kept.positions)
            if len(every) == len(kept.positions):
                return kept
        flow = find_candidate_flow(self._architecture, trace, position, candidates, every)
        self._keep(trace, key, flow)
        return flow

    def _get(self, trace: Trace, key: _Key) -> MetricFlow | CandidateFlow | None:
        of, flow = self._kept.get(key, (None, None))
        if of is None or of() is not trace:  # else of a trace that is gone, whose place it has
            return None
        self._kept.move_to_end(key)
        return flow

    def _keep(self, trace: Trace, key: _Key, flow: MetricFlow | CandidateFlow) -> None:
        self._kept = OrderedDict(
            (of, kept) for of, kept in self._kept.items() if kept[0]() is not None and of != key
        )
        self._kept[key] = weakref.ref(trace), flow
        while sum(kept.n_bytes for _, kept in self._kept.values()) > self._max_bytes:
            self._kept.popitem(last=False)
