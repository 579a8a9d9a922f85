"""The files that a graph can be kept as."""

from __future__ import annotations

from enum import StrEnum


class Kept(StrEnum):
    """What the server makes; the value is the file's ending. The browser makes PNG by itself."""

    JSON = "json"
    HTML = "html"
    SVG = "svg"
    GRAPHML = "graphml"
    CSV = "csv.zip"


PNG = "png"
MENU = {
    Kept.JSON: ("JSON", "everything, to open again"),
    Kept.HTML: ("HTML", "one file that works offline"),
    Kept.SVG: ("SVG", "what is drawn, for print"),
    PNG: ("PNG", "what is drawn, twice as fine"),
    Kept.GRAPHML: ("GraphML", "for Gephi, yEd, networkx"),
    Kept.CSV: ("CSV", "nodes and edges, zipped"),
}
"""What the export menu says of each."""
MENU_OFFLINE = {
    Kept.JSON: MENU[Kept.JSON],
    Kept.SVG: ("SVG", "what was drawn when this file was made"),
    PNG: MENU[PNG],
}
"""The same, in a page without a server."""
