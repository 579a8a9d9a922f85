"""What the export menu hands over: a flow graph as a file of each format."""

from __future__ import annotations

import base64
import io
import zipfile
from dataclasses import replace
from typing import Any

from visit.formats.document import json_from_flow
from visit.formats.export import csv_from_flow, graphml_from_flow
from visit.formats.registry import Kept
from visit.graph.flow import FlowGraph
from visit.graph.index import Index
from visit.web.exports.offline import html_from_flow
from visit.web.exports.svg import svg_from_elements
from visit.web.flow import elements
from visit.web.look import Look
from visit.web.state.view import View
from visit.web.words import file_name

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest one, so that the same graph makes the same file."""


def download(kept: Kept, index: Index, view: View, look: Look | None = None) -> dict[str, Any]:
    """A file for ``dcc.Download``.

    Args:
        kept: The format.
        index: The graph, with every opened block in it.
        view: What is open in it and noted, which the file keeps.
        look: The picture's.
    """
    flow = replace(index.flow, notes=view.notes)
    name = f"{file_name(flow.request.prompt)}.{kept}"
    match kept:
        case Kept.JSON:
            return _text(name, json_from_flow(flow), "application/json")
        case Kept.HTML:
            return _text(name, html_from_flow(flow, view.opened, look), "text/html")
        case Kept.GRAPHML:
            return _text(name, graphml_from_flow(flow), "application/xml")
        case Kept.SVG:
            made = elements.draw(index, view.opened, notes=view.notes)[1]
            return _text(name, svg_from_elements(made, look), "image/svg+xml")
        case Kept.CSV:
            content = base64.b64encode(_zipped(flow)).decode()
            return {"content": content, "filename": name, "type": "application/zip", "base64": True}


def _text(name: str, content: str, kind: str) -> dict[str, Any]:
    return {"content": content, "filename": name, "type": kind}


def _zipped(flow: FlowGraph) -> bytes:
    """The two tables of a graph, in one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, table in zip(("nodes", "edges"), csv_from_flow(flow), strict=True):
            archive.writestr(zipfile.ZipInfo(f"{name}.csv", _ZIP_DATE), table)
    return file.getvalue()
