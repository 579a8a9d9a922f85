"""What the export menu hands over: a flow graph as a file of each format."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from visit.engine.progress import Progress, silent
from visit.formats.export import Texts
from visit.formats.registry import Format
from visit.graph.flow import FlowGraph, NodeId
from visit.graph.index import Index
from visit.web.exports.offline import html_from_flow
from visit.web.exports.svg import svg_from_flow
from visit.web.look import Look
from visit.web.state.view import View
from visit.web.words import file_name

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest one, so that the same graph makes the same file."""


class Drawing(Protocol):
    """What makes a file of a graph by drawing it."""

    def __call__(
        self,
        flow: FlowGraph,
        opened: Sequence[NodeId] = (),
        look: Look | None = None,
        tell: Progress = silent,
    ) -> str:
        """The file's text: the graph with these blocks open, in this look, and how far it is."""


DRAWN: Mapping[str, Drawing] = {"html": html_from_flow, "svg": svg_from_flow}
"""The writers that the registry (``visit.formats.registry``) leaves to this room."""


def download(
    format_: Format,
    index: Index,
    view: View,
    look: Look | None = None,
    tell: Progress = silent,
) -> dict[str, Any]:
    """A file for ``dcc.Download``; where a format is several files, they come zipped.

    Args:
        format_: The format.
        index: The graph, with every opened block in it.
        view: What is open in it and noted, which the file keeps.
        look: The image's.
        tell: Told how far the file is.
    """
    flow = replace(index.flow, notes=view.notes)
    name = f"{file_name(flow.request.prompt, flow.model.name)}.{format_.ending}"
    if format_.write is None:
        made: Texts = DRAWN[format_.ending](flow, view.opened, look, tell)
    else:
        made = format_.write(flow)
    return file_from_texts(made, name, format_.media_type)


def file_from_texts(made: Texts, name: str, media_type: str) -> dict[str, Any]:
    """A file for ``dcc.Download``; several come zipped.

    Args:
        made: One text, or several by what their names end with.
        name: The file's.
        media_type: The MIME type of one text.
    """
    if isinstance(made, str):
        return {"content": made, "filename": name, "type": media_type}
    content = base64.b64encode(_zip_from_texts(made)).decode()
    zipped = {"filename": f"{name}.zip", "type": "application/zip"}
    return {"content": content, "base64": True, **zipped}


def _zip_from_texts(texts: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), text)
    return file.getvalue()
