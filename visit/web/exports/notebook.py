"""A flow graph in a notebook: an image where it is a cell's value, or the page to click in.

The page is the one that works offline, in a frame that holds it (``srcdoc``). So it needs no port,
works where the notebook's server is another machine, and is still there when the notebook is opened
again. Dash's own notebook mode serves WSGI apps only, and this app is none.
"""

from __future__ import annotations

import base64

from dash import html
from dash.development.base_component import Component

from visit.errors import VisitError
from visit.graph.flow import FlowGraph, Prediction
from visit.text import one_line, visible
from visit.web.exports.offline import html_from_flow
from visit.web.exports.svg import svg_from_flow
from visit.web.theme import LINE_ON_ANY
from visit.web.trees import html_from_tree, tree
from visit.web.words import percent

_WIDTH = "900px"
_SANDBOX = "allow-scripts allow-downloads"
"""The frame is an origin of its own: nothing in it reaches the notebook."""


def show(flow: FlowGraph, height: int) -> None:
    """Show a graph under the cell that runs, to click through.

    Raises:
        VisitError: IPython is not installed.
    """
    try:
        from IPython.display import display
    except ImportError:
        raise VisitError(
            "a graph is shown in a notebook, and IPython is not installed; write the graph with "
            "visit.write_flow and open it with visit show"
        ) from None
    shown = {"text/html": frame_from_flow(flow, height), "text/plain": _describe(flow)}
    display(shown, raw=True)


def frame_from_flow(flow: FlowGraph, height: int) -> str:
    """The page that works offline, in a frame.

    Args:
        flow: The graph.
        height: The frame's, in pixels.

    Raises:
        ValueError: the height is not positive.
    """
    if height <= 0:
        raise ValueError(f"a frame {height} pixels high shows nothing; give a positive number")
    page = html_from_flow(flow).replace("&", "&amp;").replace("'", "&#39;")
    style = f"width: 100%; height: {height}px; border: 1px solid {LINE_ON_ANY}; border-radius: 8px"
    return f'<iframe sandbox="{_SANDBOX}" style="{style}" srcdoc=\'{page}\'></iframe>'


def picture_from_flow(flow: FlowGraph) -> str:
    """The route as an image, over the best next tokens; nothing in it runs or is fetched."""
    image = base64.b64encode(svg_from_flow(flow).encode("utf-8")).decode()
    picture = html.Img(
        src=f"data:image/svg+xml;base64,{image}",
        alt=f"The route to {_describe(flow)}",
        style={"max-width": "100%", "width": _WIDTH, "height": "auto"},
    )
    best = html.Table(
        html.Tbody([_build_row(flow, prediction) for prediction in flow.predictions[:5]])
    )
    return html_from_tree(tree(html.Div([html.P(_describe(flow)), picture, best])))


def _build_row(flow: FlowGraph, prediction: Prediction) -> Component:
    is_target = prediction.id == flow.target.id
    token = html.Code(visible(prediction.text))
    return html.Tr(
        [
            html.Td(html.Strong(token) if is_target else token, style={"text-align": "left"}),
            html.Td(percent(prediction.prob)),
        ]
    )


def _describe(flow: FlowGraph) -> str:
    target = f"{visible(flow.target.text)} ({percent(flow.target.prob)})"
    return f"{one_line(flow.request.prompt)} → {target}, by {one_line(flow.model.name)}"
