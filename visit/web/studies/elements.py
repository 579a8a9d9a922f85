"""Elements of a report's page, as trees, and files that are in their links."""

from __future__ import annotations

from urllib.parse import quote

from visit.web.trees import Tree

_MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}


def element(tag: str, *children: Tree, **attributes: str) -> Tree:
    """An element; of an attribute's name ``_`` stands for ``-``, and one at the end is left out."""
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    return {"tag": tag, "attributes": named, "children": list(children)}


def file_link(words: str, name: str, text: str) -> Tree:
    """A link that keeps a file, whose text is in its address: nothing is fetched."""
    media_type = _MEDIA_TYPES[name.rpartition(".")[2]]
    # A lone surrogate is no UTF-8; the CSV and JSON that we write spell them.
    address = f"data:{media_type};charset=utf-8,{quote(text, safe='')}"
    return element("a", words, href=address, download=name)
