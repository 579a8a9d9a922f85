"""A page's address holds what it shows, so that a link or a reload shows it again.

``assets/app.js`` writes it: ``?prompt=…&model=…&target=…&position=…&open=L5.attn@7+L5.head3@7``.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs

from visit.flow import NodeId, Request


def request_from_address(search: str | None, default: Request) -> tuple[Request, list[NodeId]]:
    """What an address asks for, and what is open in it; the default where it says nothing.

    Raises:
        RequestError: it asks for what no model could serve.
    """
    asked = {name: values[-1] for name, values in parse_qs((search or "").lstrip("?")).items()}
    if "prompt" not in asked:
        return default, []
    position = asked.get("position", "")
    request = replace(
        default,
        prompt=asked["prompt"],
        model=asked.get("model", default.model),
        target=asked.get("target"),
        position=int(position) if position.isdecimal() and len(position) < 9 else None,
    )
    return request, list(_node_ids(asked.get("open", "")))


def _node_ids(text: str) -> list[NodeId]:
    """The ids that can be read; a link that was cut short still shows the rest."""
    found = []
    for word in text.split():
        try:
            found.append(NodeId.parse(word))
        except ValueError:
            continue
    return found
