"""The circuit of the pane *Causes*: faithfulness over size as a Plotly curve, and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.engine.questions import FindCircuit
from visit.errors import RequestError
from visit.graph.circuit import Circuit, CircuitPart, Point, Score
from visit.graph.flow import FlowGraph
from visit.graph.interventions import SORTS, WAY_WORDS, Intervention, Site, Way
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.web.causes.asking import plain
from visit.web.causes.sites import name_site
from visit.web.parts import data, span, term
from visit.web.plots.plotly import Figure, layout
from visit.web.theme import Theme
from visit.web.words import signed

RANKED_BY = {
    Score.EFFECT: "effect", Score.FLOW: "flow", Score.ESTIMATE: "estimate",
    Score.DIRECT: "direct logit",
}  # fmt: skip
_CHECKS = 60
_TERMS = ("faithfulness", "metric")
_N_KEPT, _N_LEFT_OUT = 24, 8


def ask_circuit(flow: FlowGraph, request: Request, asked: dict[str, Any]) -> FindCircuit:
    """The question that the page asks: of all heads, and of the sorts that are kept by hand.

    Args:
        flow: The graph that is shown.
        request: Its request.
        asked: ``sites`` that are kept by hand, or how many of the strongest are, ``keep``, or
            neither; ``by``, what parts are ranked by; and ``second``, the contrast.

    Raises:
        RequestError: what is to be kept is no part.
    """
    texts = asked.get("sites") or ()
    sites = tuple(Intervention.parse(str(text)).site for text in texts)
    keep, second, by = asked.get("keep"), asked.get("second"), asked.get("by")
    return FindCircuit(
        plain(request),
        _parts_of(sites, flow),
        by=next((one for one in Score if one == by), Score.EFFECT),
        reference=(str(second),) if second else (),
        sites=tuple(map(str, sites)),
        keep=keep if isinstance(keep, int) and not sites else None,
        checks=_CHECKS,
    )


def _parts_of(sites: Sequence[Site], flow: FlowGraph) -> tuple[str, ...]:
    """Heads at the traced position, and wherever something is kept by hand all of its sort."""
    if any(site.kind is NodeKind.ATTN for site in sites):
        raise RequestError("an attention is all of its heads; keep heads, MLPs or memories")
    kinds = {site.kind for site in sites if site.position == flow.position} | {NodeKind.HEAD}
    parts = [name for name, kind in SORTS.items() if kind in kinds]
    numbers: dict[NodeKind, Sequence[int | None]] = {
        NodeKind.HEAD: range(flow.model.n_heads),
        NodeKind.MLP: (None,),
    }
    elsewhere = {(one.position, one.kind) for one in sites if one.position != flow.position}
    for position, kind in sorted(elsewhere, key=str):
        parts += [
            str(Site(kind, position, layer, number))
            for layer in range(flow.model.n_layers)
            for number in numbers.get(kind, ())
        ]
    named = [str(site) for site in sites if site.kind not in numbers]
    return tuple(dict.fromkeys((*parts, *named)))


def circuit_figure(circuit: Circuit, theme: Theme) -> Figure:
    """Faithfulness over how many parts are kept; the chosen size stands out.

    Every point's ``customdata`` is its size.
    """
    hue = theme.families["attention"]
    chosen, n_parts = circuit.chosen, len(circuit.parts)
    low = min(0.0, *(point.faithfulness for point in circuit.curve))
    high = max(1.1, *(point.faithfulness for point in (*circuit.curve, chosen)))
    axis = {"gridcolor": theme.band, "tickfont": {"color": theme.faint}, "fixedrange": True}
    sizes = [point.size for point in circuit.curve]
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        # Places, not sizes: small circuits are what is looked for.
        "x": list(range(len(sizes))),
        "y": [point.faithfulness for point in circuit.curve],
        "customdata": sizes,
        "text": [_tip(point, n_parts) for point in circuit.curve],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": hue.border, "width": 1.6},
        "marker": {"size": 8, "color": hue.fill, "line": {"color": hue.border, "width": 1.3}},
    }
    own = {
        "type": "scatter",
        "mode": "markers",
        "x": [_place(sizes, chosen.size)],
        "y": [chosen.faithfulness],
        "customdata": [chosen.size],
        "text": [_tip(chosen, n_parts)],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": 14, "color": theme.accent, "line": {"color": theme.ink, "width": 1.5}},
    }
    room = 0.06 * (high - low)
    return {
        "data": [line, own],
        "layout": layout(
            theme,
            margin=(46, 14, 10, 40),
            xaxis={**axis, "title": {"text": "parts kept, the strongest first", "standoff": 6},
                   "tickvals": list(range(len(sizes))), "ticktext": list(map(str, sizes)),
                   "showgrid": False, "zeroline": False},
            yaxis={**axis, "title": {"text": "faithfulness", "standoff": 4}, "zeroline": True,
                   "zerolinecolor": theme.line, "range": [low - room, high + room]},
            shapes=[{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1,
                     "line": {"color": theme.faint, "width": 1, "dash": "dot"},
                     "layer": "below"}],
            hovermode="closest",
        ),
    }  # fmt: skip


def _tip(point: Point, n_parts: int) -> str:
    return (
        f"{point.size} of {n_parts} kept<br>faithfulness {point.faithfulness:.2f}"
        f"<br>metric {signed(point.metric)}"
    )


def _place(sizes: Sequence[int], size: int) -> float:
    """Where a size stands among those of the curve; between two, in proportion."""
    later = next(place for place, one in enumerate(sizes) if one >= size)
    if sizes[later] == size:
        return float(later)
    before = sizes[later - 1]
    return later - 1 + (size - before) / (sizes[later] - before)


def list_circuit(circuit: Circuit) -> dict[str, str]:
    """The circuit in numbers, each by its name."""
    chosen = circuit.chosen
    return {
        "kept": f"{chosen.size} of {len(circuit.parts)}",
        "faithfulness": f"{chosen.faithfulness:.2f}",
        "without them": f"{circuit.complement.faithfulness:.2f}",
        "metric": f"{signed(chosen.metric)} of {signed(circuit.base.metric)}",
        "none kept": signed(circuit.none),
    }


def say_circuit(circuit: Circuit) -> list[Component]:
    """How much is kept, in numbers, and what became of the rest."""
    numbers = [
        (term(name) if name in _TERMS else name, value)
        for name, value in list_circuit(circuit).items()
    ]
    way = WAY_WORDS[Way(circuit.how)].removesuffix(" of the reference")
    where = "" if circuit.reference is None else f" of {circuit.reference.name}"
    return [
        html.Dl(
            [html.Div([html.Dt(name), html.Dd(value)]) for name, value in numbers],
            className="numbers",
        ),
        html.P(f"What is left out is {way}{where}.", className="hint"),
    ]


def list_parts(circuit: Circuit, flow: FlowGraph) -> list[Component]:
    """The kept parts, then those that are missed or take over; each goes to its node."""
    left_out = [part for part in circuit.parts if not part.kept]
    missed = sorted(
        (part for part in left_out if part.is_missed), key=lambda part: -(part.change or 0.0)
    )
    backups = sorted(
        (part for part in left_out if (part.backup or 0.0) > 0.01),
        key=lambda part: -(part.backup or 0.0),
    )
    kept = circuit.kept
    nodes = " ".join(str(part.site.node) for part in kept)
    draw = html.Button(
        "Draw only these", className="quiet", title="In the flow, without any other part",
        **data(keep_drawn=nodes),
    )  # fmt: skip
    return [
        _table("Kept", kept[:_N_KEPT], circuit, flow, "change", len(kept), [draw] if kept else []),
        _table("Missed", missed[:_N_LEFT_OUT], circuit, flow, "change", len(missed)),
        _table("Take over without it", backups[:_N_LEFT_OUT], circuit, flow, "backup",
               len(backups)),
    ]  # fmt: skip


def _table(
    name: str, parts: Sequence[CircuitPart], circuit: Circuit, flow: FlowGraph, number: str,
    count: int, more: Sequence[Component] = (),
) -> Component:  # fmt: skip
    rows = [_row(part, flow, getattr(part, number)) for part in parts]
    said = f"{len(parts)} of {count}" if count > len(parts) else str(count or "none")
    heads = [RANKED_BY[circuit.by], "change" if number == "change" else "backup"]
    body: list[Any] = []
    if rows:
        head = html.Tr([html.Th(""), *(html.Th(one, className="number") for one in heads)])
        body = [html.Table([html.Thead(head), html.Tbody(rows)], className="circuit-parts")]
    return html.Div(
        [html.H3([f"{name} ", span([said], "hint"), *more]), *body], className="circuit-list"
    )


def _row(part: CircuitPart, flow: FlowGraph, number: float | None) -> Component:
    node = str(part.site.node)
    go = html.Button(name_site(part.site, flow), className="go", title=node, **data(node=node))
    state = "is-idle" if part.is_idle else ""
    said = "not needed: without it hardly anything is lost" if part.is_idle else None
    return html.Tr(
        [
            html.Th(go, scope="row"),
            html.Td(signed(part.score), className="number"),
            html.Td("—" if number is None else signed(number), className="number"),
        ],
        className=state,
        title=said,
    )
