"""A flow graph as one HTML file that works by itself, from a disk and without a network.

The page is the app's screen, drawn by the app's scripts; ``assets/offline/offline.js`` plays the
part of Dash and of the server. What the server would work out is in the page already, compressed:
drawings and panels of the strongest parts (``prepared``), and the libraries that draw them. The
whole document (``formats.embedded``) is there too, and can be taken back. The page's policy lets no
script run but those it was made with, and nothing be fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html import escape
from typing import Any

from dash import html

from visit.engine.progress import Progress, part_of, silent
from visit.formats import embedded
from visit.formats.document import compact_json, json_from_flow
from visit.formats.embedded import html_from_packed
from visit.formats.registry import Maker, formats_made_by
from visit.graph.flow import FlowGraph, Node, NodeId
from visit.graph.index import Index
from visit.text import one_line
from visit.web.exports import bundled
from visit.web.exports.prepared import (
    HEAD,
    MOST_NODES,
    draw_ahead,
    list_searchable,
    render_panels,
    render_tab_bars,
)
from visit.web.exports.svg import svg_from_flow
from visit.web.flow.elements import choose_by
from visit.web.flow.stylesheet import stylesheets
from visit.web.inspector.note import editor
from visit.web.look import Look
from visit.web.screen.fixed_panels import build_fixed_panels
from visit.web.screen.graph_panels import build_counts, build_graph_panels
from visit.web.screen.header import build_viewer_fields
from visit.web.screen.page import GRAPH_SETTINGS, build_frame, state_table
from visit.web.state import table
from visit.web.state.view import View
from visit.web.theme import GROUPS, css_variables
from visit.web.trees import html_from_tree, tree
from visit.web.words import file_name

BYTES_OF_A_PART, BYTES_OF_A_PANEL = 335, 2_100
"""What a node or an edge of the document takes in a page, and a node with panels more."""
KEY = "offline"
"""The view's key: there is no other graph in the page."""
PLACE = "graph-place"
_LICENCES = "Holds React, Cytoscape.js and dash-cytoscape, each under the MIT licence."


def html_from_flow(
    flow: FlowGraph,
    opened: Sequence[NodeId] = (),
    look: Look | None = None,
    tell: Progress = silent,
) -> str:
    """The page. The same graph makes the same page.

    Args:
        flow: The graph, with the reader's notes; its strongest blocks can be opened.
        opened: What is open at first.
        look: Its colours and widths at first, and what is hidden; by default when left out, and
            light or dark as the reader's system is.
        tell: Told how far the page is; it stops the work by raising ``Cancelled``.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    tell("document", 0.0)
    index = Index(flow)
    view = View(KEY, flow.request, tuple(opened), flow.notes, fixed=True)
    document = embedded.html_from_json(json_from_flow(flow))
    pictures, nodes = draw_ahead(index, view.opened, part_of(tell, 0.15, 0.4), look)
    panels = render_panels(index, nodes, part_of(tell, 0.4, 0.95))
    tell("page", 0.95)
    page_data = compact_json(_build_page_data(index, view, look, nodes) | pictures)
    middle = build_viewer_fields(view, with_server=False)
    parts = build_frame(middle, html.Div(id=PLACE), figures=())
    screen = "".join(html_from_tree(tree(part)) for part in parts)
    libraries, scripts = bundled.read_libraries(), bundled.read_scripts()
    rules = bundled.policy_from_scripts([*libraries, *scripts])
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{rules}">',
            f'<meta name="generator" content="visit {escape(flow.visit_version)}">',
            f"<title>{escape(one_line(flow.request.prompt))} · visit</title>",
            f'<link rel="icon" type="image/svg+xml" href="{bundled.read_icon()}">',
            f"<!-- {_LICENCES} -->",
            f"<style>{css_variables()}\n{bundled.read_style()}</style>",
            "</head>",
            "<body>",
            f'<div class="app">{screen}</div>',
            f'<script type="application/json" id="{table.PLACE}">{state_table()}</script>',
            document,
            html_from_packed("page-data", page_data),
            *(html_from_packed(f"panels-{kind}", lines) for kind, lines in panels.items()),
            *(html_from_packed(f"library-{n}", library) for n, library in enumerate(libraries)),
            *(f"<script>{script}</script>" for script in scripts),
            "</body>",
            "</html>\n",
        ]
    )


def estimate_bytes(flow: FlowGraph) -> int:
    """About how large the page will be, from counts: what it always has, and so much a part.

    Measured on the bundled model and on SmolLM2, which it misses by less than a fifth.
    """
    return (
        _measure_bundle()
        + BYTES_OF_A_PART * (len(flow.nodes) + len(flow.edges))
        + BYTES_OF_A_PANEL * min(len(flow.nodes), MOST_NODES[HEAD])
    )


@cache
def _measure_bundle() -> int:
    """The bytes of the scripts, the libraries and the style in any page."""
    packed = (html_from_packed("", library) for library in bundled.read_libraries())
    texts: list[str] = [*packed, *bundled.read_scripts(), bundled.read_style(), css_variables()]
    return sum(len(text.encode("utf-8")) for text in texts)


def _build_page_data(
    index: Index, view: View, look: Look | None, nodes: Sequence[Node]
) -> dict[str, Any]:
    """What assets/offline/offline.js needs beside the document, the drawings and the panels."""
    shown = look or Look()
    by = choose_by(index, shown)
    graph_panels = build_graph_panels(index, clickable=False) | build_counts(index, by)
    graph_panels["measurable"] = False  # nothing is drawn anew by another measure
    graph_panels["searchable"] = list_searchable(index, nodes[: MOST_NODES[HEAD]])
    return {
        "view": view.data(),
        "graph": {**GRAPH_SETTINGS, "place": PLACE},
        "stylesheets": stylesheets(),
        "fixed_panels": build_fixed_panels(with_engine=False, with_server=False),
        "graph_panels": graph_panels,
        "groups": len(GROUPS),
        "look": {
            "theme": look and look.theme,
            "palette": shown.palette,
            "colouring": shown.colouring,
            "width": shown.width,
            "hidden": sorted(shown.hidden),
            "chosenBy": by,
        },
        "tabs": render_tab_bars(),
        "editor": tree(editor(index.flow.nodes[0].id)),
        "libraries": len(bundled.read_libraries()),
        "name": file_name(index.flow.request.prompt, index.flow.model.name),
        "media_types": {
            ending: format_.media_type
            for ending, format_ in formats_made_by(Maker.OFFLINE_PAGE).items()
        },
        "svg": svg_from_flow(index.flow, view.opened, replace(shown, theme="light")),
    }
