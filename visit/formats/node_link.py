"""Documents that went through networkx, which keeps all of one but its name."""

from __future__ import annotations

from visit.formats.schema import FIRST, NAME

_OF_NETWORKX = ("directed", "multigraph", "graph", "nodes")


def restored(data: object) -> object:
    """The document that ``networkx.node_link_data`` was given; anything else as it is.

    ``node_link_graph`` reads a document and passes over its ``schema``, which stands beside the
    graph, so that ``node_link_data`` cannot write it back. Nothing else is lost: whether what is
    left is a document is for the schema to say. Older versions of networkx say ``links``.
    """
    if not isinstance(data, dict) or "schema" in data or any(k not in data for k in _OF_NETWORKX):
        return data
    graph = data["graph"]
    name = NAME if isinstance(graph, dict) and "metric" in graph else FIRST
    document = {"schema": name, **data}
    if "links" in data and "edges" not in data:
        document["edges"] = document.pop("links")
    return document
