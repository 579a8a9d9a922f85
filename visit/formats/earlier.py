"""Documents of earlier versions, as this version reads them.

``visit.flow/1`` has direct logits of the raw logit, or of the difference of two, and no flow: its
route and its loads are by share. It is read as what it is, and written as this version's.
"""

from __future__ import annotations

from typing import Any

from visit.formats.schema import FIRST
from visit.graph.metric import MetricChoice, MetricKind
from visit.graph.request import RouteBy

_ASKED_BY_FIRST = {
    "metric": MetricChoice.LOGIT.value,
    "route": RouteBy.SHARE.value,
    "strongest": 0,
    "outcome": False,
    "effects": False,
}


def update(data: dict[str, Any]) -> dict[str, Any]:
    """A document whose shape is right, with what this version says and an earlier one did not."""
    if data["schema"] != FIRST:
        return data
    graph = data["graph"]
    kind, value = MetricKind.LOGIT, graph["target"]["logit"]
    if "versus" in graph:
        kind, value = MetricKind.LOGIT_DIFFERENCE, value - graph["versus"]["logit"]
    metric = {"kind": kind.value, "value": value}
    request = {**_ASKED_BY_FIRST, **graph["request"]}
    return {**data, "graph": {**graph, "metric": metric, "request": request}}
