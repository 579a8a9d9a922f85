"""A page's address holds what it shows, so that a link or a reload shows it again.

``assets/app.js`` writes it, like ``?prompt=…&model=…&target=…&position=…&open=L5.attn@7&pick=…``,
and reads back by itself what only the browser knows (colour, threshold, viewport).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import parse_qs

from visit.graph.flow import NodeId
from visit.graph.request import Request

_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, with what is to be open and picked in its graph."""

    request: Request
    opened: tuple[NodeId, ...] = ()
    picked: NodeId | None = None


def asked_by_address(search: str | None, default: Request) -> Asked:
    """What an address asks for; the default where it says nothing.

    Raises:
        RequestError: it asks for what no model could serve.
    """
    said = {name: values[-1] for name, values in parse_qs((search or "").lstrip("?")).items()}
    if "prompt" not in said:
        return Asked(default)
    position = said.get("position", "")
    request = replace(
        default,
        prompt=said["prompt"],
        model=said.get("model", default.model),
        target=said.get("target"),
        versus=said.get("versus"),
        position=int(position) if position.isdecimal() and len(position) < 9 else None,
        bos=_TRUTH.get(said.get("bos", "")),
        chat=_TRUTH.get(said.get("chat", "")) is True,
    )
    picked = _node_ids(said.get("pick", ""))
    return Asked(request, _node_ids(said.get("open", "")), picked[0] if picked else None)


def texts_for_address(request: Request) -> dict[str, str]:
    """What an address says of a request; ``asked_by_address`` reads it."""
    names = ("prompt", "model", "target", "versus", "position", "bos", "chat")
    values = ((name, getattr(request, name)) for name in names)
    return {
        n: str(v).lower() if isinstance(v, bool) else str(v)
        for n, v in values
        if v not in (None, False)
    }


def _node_ids(text: str) -> tuple[NodeId, ...]:
    """The ids that can be read; a link that was cut short still shows the rest."""
    found = []
    for word in text.split():
        try:
            found.append(NodeId.parse(word))
        except ValueError:
            continue
    return tuple(found)
