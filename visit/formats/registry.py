"""Every format that a graph can be written in, a row each: the one list of them.

A row says where its format can be made. What needs only plain types has its writer here; what is
drawn has it in ``web.exports.downloads.DRAWN``, and the browser makes PNG by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto

from visit.formats.document import json_from_flow
from visit.formats.export import (
    Texts,
    csv_from_flow,
    cytoscape_from_flow,
    gexf_from_flow,
    graphml_from_flow,
)
from visit.graph.flow import FlowGraph


class Maker(Flag):
    """Who can make a file; several are joined by ``|``."""

    COMMAND_LINE = auto()
    SERVER = auto()
    """The app's server."""
    OFFLINE_PAGE = auto()
    """The scripts of a page without a server."""
    BROWSER = auto()
    """The browser itself, in either page."""


@dataclass(frozen=True, slots=True)
class Format:
    """What a graph can be written as.

    Attributes:
        ending: The file's ending, and the format's name on the command line and in a page.
        title: What people call it.
        said: What a menu says of it.
        media_type: The MIME type of one such file.
        makers: Who can make it.
        write: What makes it of a graph alone, if that takes no drawing.
        said_offline: What the menu of a page without a server says of it, where that differs.
    """

    ending: str
    title: str
    said: str
    media_type: str
    makers: Maker
    write: Callable[[FlowGraph], Texts] | None = None
    said_offline: str | None = None


_PYTHON = Maker.COMMAND_LINE | Maker.SERVER
_ALL = _PYTHON | Maker.OFFLINE_PAGE

_ROWS = (
    Format("json", "JSON", "everything, to open again", "application/json", _ALL, json_from_flow),
    Format("html", "HTML", "one file that works offline", "text/html", _PYTHON),
    Format(
        "svg",
        "SVG",
        "a figure for print, letters as text",
        "image/svg+xml",
        _ALL,
        said_offline="what was drawn when this file was made",
    ),
    Format(
        "png",
        "PNG",
        "the same figure in pixels",
        "image/png",
        Maker.BROWSER,
        said_offline="the same image in pixels",
    ),
    Format(
        "graphml",
        "GraphML",
        "for Gephi, yEd, networkx",
        "application/xml",
        _PYTHON,
        graphml_from_flow,
    ),
    Format("gexf", "GEXF", "for Gephi", "application/gexf+xml", Maker.COMMAND_LINE, gexf_from_flow),
    Format(
        "cyjs",
        "Cytoscape JSON",
        "for Cytoscape and Cytoscape.js",
        "application/json",
        Maker.COMMAND_LINE,
        cytoscape_from_flow,
    ),
    Format("csv", "CSV", "nodes and edges, zipped", "text/csv", _PYTHON, csv_from_flow),
)
FORMATS = {row.ending: row for row in _ROWS}
"""The formats by their endings, in the order of the menus."""


def formats_made_by(makers: Maker) -> dict[str, Format]:
    """Those that any of these can make, by their endings."""
    return {ending: row for ending, row in FORMATS.items() if row.makers & makers}
