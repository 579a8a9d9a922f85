"""What was explored as one HTML file that works offline: the words, the figure, the tables."""

from __future__ import annotations

import re
from html import escape

from dash import html
from plotly.offline import get_plotlyjs

from visit.engine.explorables import EXPLORABLES
from visit.formats.document import compact_json
from visit.graph.explored.answer import Explored
from visit.text import join_neighbours, one_line
from visit.web.explore.said import say_explored, say_marks
from visit.web.explore.tables import list_tables
from visit.web.explore.view import Shown
from visit.web.explore.views import VIEWS
from visit.web.theme import LIGHT, css_variables
from visit.web.trees import html_from_tree, trees

_WIDTH = 1040
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@TITLE@</title>
<style>@VARIABLES@
body { max-width: 1040px; margin: 24px auto; padding: 0 16px; background: var(--pane); color: var(--ink); font: 14px/1.5 var(--sans); }
h1 { font-size: 20px; } h3 { margin: 24px 0 4px; font-size: 14px; text-transform: capitalize; }
.hint { color: var(--faint); font-weight: 400; text-transform: none; } .token { font-family: var(--mono); white-space: pre; }
.explore-table { border-collapse: collapse; font-size: 12.5px; } .explore-rows { overflow-x: auto; }
.explore-table :is(td, th) { padding: 2px 14px 2px 0; text-align: left; font-weight: 400; white-space: nowrap; }
.explore-table thead th { color: var(--faint); } .explore-table .number { text-align: right; font-variant-numeric: tabular-nums; }
button { border: 0; padding: 0; background: none; color: inherit; font: inherit; }
.coloured-tokens { display: flex; flex-wrap: wrap; gap: 3px; margin: 12px 0 4px; } .coloured-legend { display: flex; align-items: center; gap: 6px; font-size: 11px; }
.coloured { display: grid; justify-items: center; padding: 3px 6px; border-radius: 5px; } .coloured.is-shown { outline: 1.5px solid var(--ink); }
.coloured .amount { font-size: 10.5px; } .coloured-legend .ramp { width: 120px; height: 8px; }
</style>
</head>
<body>
@BODY@
<script>@PLOTLY@</script>
<script>Plotly.newPlot("figure", {data: @FIGURE@, layout: @LAYOUT@, frames: @FRAMES@, config: {displayModeBar: false, responsive: true}});</script>
</body>
</html>
"""  # noqa: E501


def html_from_explored(answer: Explored) -> str:
    """The page: what was asked of which model, what was found, its figure, its tables.

    Texts of the prompt and the vocabulary are never read as markup.
    """
    explorable, view = EXPLORABLES[answer.name], VIEWS[answer.name]
    shown = Shown(answer, {}, LIGHT, _WIDTH)
    figure = view.draw(shown)
    height = figure["layout"]["height"]
    prompt = one_line(join_neighbours([token.text for token in answer.tokens]))
    above = [] if view.above is None else view.above(shown)
    parts = [
        html.H1(explorable.title),
        html.P(f"“{prompt}”, {answer.model.name}, visit {answer.visit_version}", className="hint"),
        *say_explored(answer),
        *above,
        html.Div(id="figure", style={"height": f"{height}px"}),
        *say_marks(view),
        html.P(explorable.trust, className="hint"),
        *list_tables(answer),
    ]
    filled = {
        "@TITLE@": escape(f"{explorable.title}: {prompt}"),
        "@VARIABLES@": css_variables(),
        "@BODY@": "".join(map(html_from_tree, trees(parts))),
        "@PLOTLY@": get_plotlyjs(),
        "@FIGURE@": _in_script(figure["data"]),
        "@LAYOUT@": _in_script(figure["layout"]),
        "@FRAMES@": _in_script(figure.get("frames", [])),
    }
    return re.sub("@[A-Z]+@", lambda mark: filled.get(mark[0], mark[0]), _PAGE)


def _in_script(value: object) -> str:
    """JSON that can stand in a script of a page."""
    return compact_json(value).replace("<", "\\u003c")
