"""What is asked of an engine about all parts of a graph, and whether it is asked unbidden."""

from __future__ import annotations

from visit.engine.questions import Measure, RankParts
from visit.graph.flow import ModelInfo
from visit.graph.ranking import Ranking
from visit.graph.request import Request

CHEAP_PRODUCTS = 1e11
"""Multiplications of a measurement that is made unbidden: seconds on a laptop."""


def all_parts(request: Request) -> RankParts:
    """Every part at the traced position."""
    return RankParts(request)


def effects_of(request: Request, ranking: Ranking, *, estimate_only: bool = False) -> Measure:
    """What taking each of the parts off does to the metric, one at a time."""
    sites = tuple(str(part.id) for part in ranking.parts)
    return Measure(request, sites, estimate_only=estimate_only)


def is_cheap(model: ModelInfo, ranking: Ranking) -> bool:
    """Whether all effects may be measured unbidden, by a count and not by a clock.

    A changed pass runs one position again, from the part's layer on: half of the layers on average,
    each with about four ``d_model`` by ``d_model`` matrices and three ``d_model`` by ``d_mlp``.
    """
    of_layer = model.d_model * (4 * model.d_model + 3 * model.d_mlp)
    return len(ranking.parts) * model.n_layers * of_layer / 2 <= CHEAP_PRODUCTS
