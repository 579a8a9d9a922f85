"""The panels beside a graph that stay while its blocks open and close, as trees."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import FlowGraph
from visit.graph.flows import explain, find_strongest, list_counts, unexplained
from visit.graph.index import Index
from visit.graph.parts import By, Choice, has_effects, rank_parts
from visit.graph.selection import Selection
from visit.text import visible
from visit.web import ids, inspector
from visit.web.consensus.first import data_from_proposal, propose
from visit.web.flow.widths import find_widest, say_width
from visit.web.look import WIDTHS
from visit.web.parts import data
from visit.web.ranking.rows import columns
from visit.web.screen.search import searchable
from visit.web.trees import trees
from visit.web.words import percent, signed, typed_from_tokens


def note(index: Index, drawn: Selection) -> list[Component]:
    """The drawing's numbers: its scales, what is folded; the browser has from it what is drawn."""
    said = explain(index, drawn)
    in_flow = f", net {signed(said.net, 1)} of {signed(index.flow.metric.value, 1)}"
    widest = [
        html.Span(
            f"widest: {say_width(find_widest(index, name), name)}",
            className=f"width {name}",
            title=f"The widest edge's {of_what}",
        )
        for name, of_what in WIDTHS.items()
    ]
    if drawn.by is By.EFFECT:
        bar, more = "bar: effect", "What the metric loses without the strongest part, measured"
    else:
        bar, more = f"bar: {'flow' if index.by_flow else 'part it carries'}", "The strongest part's"
    return [
        *widest,
        html.Span(f"{bar}, ±{find_strongest(index, drawn):.3g}", title=more),
        html.Span(
            f"{said.n_folded:,} parts folded{in_flow if index.by_flow else ''}",
            title="Heads and MLPs of all layers and positions that are not drawn, and by how much "
            "they change the flow of the traced position's thread together",
            **data(drawn=str(drawn.count), by=drawn.by, unexplained=f"{said.unexplained:.4f}"),
        ),
    ]


def build_counts(index: Index, by: By = By.FLOW) -> dict[str, Any]:
    """The slider's steps, with how much of the flow is unexplained at each."""
    counts = list_counts(len(rank_parts(index, by)))
    said = unexplained(index, Choice(by=by), counts)
    return {"counts": counts, "unexplained": [round(part, 4) for part in said]}


def build_graph_panels(index: Index, *, clickable: bool) -> dict[str, Any]:
    """The panels by the part they fill, what is searched and ranked.

    Args:
        index: The graph.
        clickable: Whether a model can be asked about it.
    """
    flow = index.flow
    is_plain = not flow.request.interventions  # effects are of the plain pass
    panels = {
        ids.TOKENS: inspector.tokens(flow, clickable=clickable),
        ids.PREDICTIONS: inspector.predictions(flow, clickable=clickable),
        ids.SANKEY_LAYER: layer_options(flow),
    }
    if clickable:
        panels[ids.TARGET_CHOICES] = target_options(flow)
    return {
        "proposal": data_from_proposal(propose(flow.request.prompt)) if clickable else None,
        "panels": {name: trees(parts) for name, parts in panels.items()},
        "measurable": (clickable and is_plain) or has_effects(index),
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
