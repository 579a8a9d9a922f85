"""The panels beside a graph that stay while its blocks open and close, as trees."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import FlowGraph
from visit.graph.flows import levels, unexplained
from visit.graph.index import Index
from visit.graph.selection import Selection
from visit.text import visible
from visit.web import ids, inspector
from visit.web.flow.elements import choose
from visit.web.parts import data
from visit.web.ranking.rows import columns
from visit.web.screen.search import searchable
from visit.web.trees import trees
from visit.web.words import percent, typed_from_tokens


def note(drawn: Selection) -> list[Component]:
    """What is left out of the drawing, in numbers."""
    if not drawn.left_out:
        return []
    return [
        html.Span(
            f"{drawn.left_out} edges left out",
            title="To keep the graph quick. Each carries less than "
            f"{percent(drawn.left_out_above)} of the whole",
        )
    ]


def build_graph_panels(index: Index, *, clickable: bool) -> dict[str, Any]:
    """The panels by the part they fill, the threshold's steps, what is searched and ranked."""
    flow, route = index.flow, choose(index).lines
    panels = {
        ids.TOKENS: inspector.tokens(flow, clickable=clickable),
        ids.PREDICTIONS: inspector.predictions(flow, clickable=clickable),
        ids.SANKEY_LAYER: layer_options(flow),
    }
    if clickable:
        panels[ids.TARGET_CHOICES] = target_options(flow)
    return {
        "panels": {name: trees(parts) for name, parts in panels.items()},
        "levels": levels(),
        "unexplained": [round(part, 5) for part in unexplained(index, route, levels())],
        "searchable": searchable(index),
        "ranking": columns(index),
    }


def target_options(flow: FlowGraph) -> list[Component]:
    """The ten predictions, as the target picker offers them, and the best against the second."""
    options: list[Component] = []
    named: list[str | int] = []
    for prediction in flow.predictions:
        # A list offers nothing twice.
        is_taken = prediction.text in ("", *named)
        named.append(prediction.id if is_taken else prediction.text)
        label = f"{visible(prediction.text)}  {percent(prediction.prob)}"
        value = typed_from_tokens(named[-1])
        options.append(html.Option(value=value, label=label, **data(target_id=str(prediction.id))))
    if len(named) > 1:
        best, second = flow.predictions[:2]
        chosen = data(target_id=str(best.id), versus_id=str(second.id))
        value = typed_from_tokens(named[0], named[1])
        options.append(html.Option(value=value, label="a logit difference", **chosen))
    return options


def layer_options(flow: FlowGraph) -> list[Component]:
    """The layers, as the Sankey's picker offers them."""
    return [html.Option(f"layer {layer}", value=str(layer)) for layer in range(flow.model.n_layers)]
