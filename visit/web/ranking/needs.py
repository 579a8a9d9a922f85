"""What is asked of an engine about all parts of a graph, and whether it is asked unbidden."""

from __future__ import annotations

from visit.engine.questions import Measure, RankParts
from visit.graph.flow import ModelInfo
from visit.graph.flows import MOST_SHOWN
from visit.graph.index import Index
from visit.graph.kinds import NodeKind
from visit.graph.ranking import Ranking
from visit.graph.request import Request
from visit.web.look import Look
from visit.web.state.graphs import Graphs
from visit.web.state.view import View

CHEAP_PRODUCTS = 1e11
"""Multiplications of a measurement that is made unbidden: seconds on a laptop."""


def all_parts(request: Request) -> RankParts:
    """Every part at the traced position."""
    return RankParts(request)


def effects_of(request: Request, ranking: Ranking, *, estimate_only: bool = False) -> Measure:
    """What taking each of the parts off does to the metric, one at a time."""
    sites = tuple(str(part.id) for part in ranking.parts)
    return Measure(request, sites, estimate_only=estimate_only)


async def find_measured(view: View, index: Index, look: Look, graphs: Graphs) -> Index:
    """A view's graph with all effects, and the parts in it that are the strongest by effect.

    Nothing is asked of a document, nor of a changed pass, since effects are of the plain one.

    Raises:
        VisitError: they cannot be measured.
    """
    request = view.request
    ranking = None if request.interventions else await graphs.answer(view, all_parts(request))
    if ranking is None:
        return index
    effects = await graphs.answer(view, effects_of(request, ranking))
    if effects is None:
        return index
    n_asked = min(max(request.strongest, look.count or 0), MOST_SHOWN)
    named = [one.sites[0].node for one in effects.effects]
    kinds = {NodeKind.HEAD, *([NodeKind.MEMORY_VALUE] if request.strongest_memories else [])}
    drawn = [node for node in named if node.kind in kinds | {NodeKind.MLP}][:n_asked]
    index = await graphs.add_parts(view, index, (node for node in drawn if node.kind in kinds))
    return index.with_effects(effects.effects)


def is_measured(view: View, graphs: Graphs) -> bool:
    """Whether all effects of a view's graph are known already."""
    ranking = graphs.recall(view, all_parts(view.request))
    if ranking is None:
        return False
    return graphs.recall(view, effects_of(view.request, ranking)) is not None


def is_cheap(model: ModelInfo, ranking: Ranking) -> bool:
    """Whether all effects may be measured unbidden, by a count and not by a clock.

    A changed pass runs one position again, from the part's layer on: half of the layers on average,
    each with about four ``d_model`` by ``d_model`` matrices and three ``d_model`` by ``d_mlp``.
    """
    of_layer = model.d_model * (4 * model.d_model + 3 * model.d_mlp)
    return len(ranking.parts) * model.n_layers * of_layer / 2 <= CHEAP_PRODUCTS
