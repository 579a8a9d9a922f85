"""A flow graph in the formats of other programs: GraphML, GEXF, Cytoscape JSON and CSV.

networkx's own writers make the first three, and the document's own JSON is beside them, so that it
can be taken out of an HTML page again. GraphML, GEXF and CSV hold flat fields only, so a
node's ``target`` becomes ``target_prob``, ``target_rank`` and ``target_logit``, a list, such as
``top``, becomes JSON text, and a note stands on its node, as ``note_name``. Cytoscape JSON keeps
all of them as they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visit.formats.document import compact_json, networkx_from_flow
from visit.formats.files import check_writable, write_whole
from visit.formats.records import data_from_flow
from visit.graph.flow import FlowGraph
from visit.text import escape

if TYPE_CHECKING:
    import networkx

# What XML 1.0 cannot hold, and the carriage return, which its readers turn into a line feed.
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
_NODE_COLUMNS = (
    "id kind layer position head index source label norm entropy activation flow "
    "target_prob target_rank target_logit top bottom outcome_promotes outcome_suppresses "
    "effect_measured effect_direct effect_flow effect_estimate effect_normalised effect_flag "
    "effect_after_prob effect_after_rank effect_after_kl effect_after_top effect_after_gains "
    "effect_after_losses "
    "note_name note_text note_group note_pinned"
).split()
_EDGE_COLUMNS = (
    "source target key kind ledger norm share direct_logit proximity attention activation "
    "absolute_share absolute_flow flow"
).split()
_TEXT_COLUMNS = {"label", "note_name", "note_text", "note_group"}


Texts = str | dict[str, str]
"""What a format is written as: one file, or several by what their names end with."""


def export(flow: FlowGraph, write: Callable[[FlowGraph], Texts], path: str | Path) -> list[Path]:
    """Write the flow graph in another format, each file whole or not at all.

    Args:
        flow: The flow graph.
        write: What makes the format's text, such as ``graphml_from_flow``.
        path: The file; for CSV, ``g`` or ``g.csv`` makes ``g.nodes.csv`` and ``g.edges.csv``.

    Returns:
        The files written.

    Raises:
        OutputError: a file cannot be written.
    """
    return write_texts(write(flow), path)


def write_texts(made: Texts, path: str | Path) -> list[Path]:
    """Write a file, or several beside each other, each whole or not at all.

    Args:
        made: One text, or several by what their names end with.
        path: The file; of several texts, ``g`` or ``g.csv`` makes ``g.nodes.csv`` and so on.

    Returns:
        The files written.

    Raises:
        OutputError: a file cannot be written.
    """
    texts = {Path(path): made} if isinstance(made, str) else _texts_by_path(made, Path(path))
    for place in texts:
        check_writable(place)
    for place, text in texts.items():
        write_whole(place, text)
    return list(texts)


def path_beside(document: str | Path, ending: str) -> Path:
    """Where an export goes by default: ``g.json`` becomes ``g.graphml``."""
    return Path(document).with_suffix(f".{ending}")


def _texts_by_path(texts: dict[str, str], path: Path) -> dict[Path, str]:
    """Several files beside each other; an ending that all of them have is not said twice."""
    is_said = all(name.endswith(path.suffix) for name in texts)
    stem = path.with_suffix("") if is_said else path
    return {Path(f"{stem}.{name}"): text for name, text in texts.items()}


def graphml_from_flow(flow: FlowGraph) -> str:
    """GraphML; the document's ``graph`` fields are the graph's data."""
    import networkx

    file = io.BytesIO()
    networkx.write_graphml_xml(_build_flat_graph(flow), file)
    return file.getvalue().decode("utf-8")


def gexf_from_flow(flow: FlowGraph) -> str:
    """GEXF, for Gephi. The format has no place for the document's ``graph`` fields."""
    import networkx

    return "\n".join(networkx.generate_gexf(_build_flat_graph(flow))) + "\n"


def cytoscape_from_flow(flow: FlowGraph) -> str:
    """Cytoscape JSON, for Cytoscape and Cytoscape.js; nothing is flattened."""
    import networkx

    data: dict[str, Any] = networkx.cytoscape_data(networkx_from_flow(flow), name="label")
    data["data"] = dict(data["data"])  # networkx makes pairs, which Cytoscape does not read
    return compact_json(data) + "\n"


def csv_from_flow(flow: FlowGraph) -> dict[str, str]:
    """Nodes and edges as CSV (RFC 4180, UTF-8), a header line first, absent fields empty.

    A token or a note is written as a JSON string, quotes and all: its spaces show, no line breaks,
    and a spreadsheet cannot take ``=1+1`` for a formula. ``json.loads`` gives it back.
    """
    data = _put_notes_on_nodes(flow)
    return {
        "nodes.csv": _write_table(_NODE_COLUMNS, data["nodes"]),
        "edges.csv": _write_table(_EDGE_COLUMNS, data["edges"]),
    }


def _write_table(columns: list[str], records: Iterable[dict[str, Any]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    for record in records:
        texts = {name: compact_json(record[name]) for name in _TEXT_COLUMNS & record.keys()}
        writer.writerow(_flatten({**record, **texts}))
    return file.getvalue()


def _put_notes_on_nodes(flow: FlowGraph) -> dict[str, Any]:
    """The document, each note among its node's own fields; one whose node is not there is lost."""
    data = data_from_flow(flow)
    notes = data["graph"].pop("annotations", {"nodes": {}})["nodes"]
    for node in data["nodes"]:
        note = notes.get(node["id"], {})
        node.update({f"note_{name}": value for name, value in note.items()})
    return data


def _build_flat_graph(flow: FlowGraph) -> networkx.MultiDiGraph[str]:
    """For XML: flat fields, no character that XML cannot hold, and an id of its own per edge.

    The formats want every edge's id unique, which the document's keys are only among the edges of
    one pair; a key is its edge's kind and ledger, so nothing is lost.
    """
    import networkx

    data = _put_notes_on_nodes(flow)
    graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(**_flatten_for_xml(data["graph"]))
    for node in data["nodes"]:
        graph.add_node(node.pop("id"), **_flatten_for_xml(node))
    for index, edge in enumerate(data["edges"]):
        del edge["key"]
        graph.add_edge(
            edge.pop("source"), edge.pop("target"), key=f"e{index}", **_flatten_for_xml(edge)
        )
    return graph


def _flatten_for_xml(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _NOT_XML.sub(lambda match: escape(match[0]), value)
        if isinstance(value, str)
        else value
        for name, value in _flatten(record).items()
    }


def _flatten(record: dict[str, Any]) -> dict[str, Any]:
    """A record of numbers and text: ``{"target": {"prob": 1}}`` becomes ``{"target_prob": 1}``."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{inner}": one for inner, one in _flatten(value).items()}
        elif isinstance(value, list):
            flat[name] = compact_json(value)
        else:
            flat[name] = value
    return flat
