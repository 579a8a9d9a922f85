"""A page's address holds what it shows, so that a link or a reload shows it again.

``assets/address.js`` writes it, like
``?prompt=…&model=…&weights=…&target=…&open=L5.attn@7&pick=…``, and reads back by itself what only
the browser knows (colour, threshold, viewport).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from visit.graph.flow import NodeId
from visit.graph.request import DRAWN, Request, request_from_texts, texts_from_request
from visit.graph.settings import texts_beside

_WEIGHTS, _DIGITS = "weights", 12
"""The address's word for the weights' digest, and how much of it is said: 48 bits."""
_READABLE = {
    name: re.compile(pattern)
    for name, pattern in {
        "position": r"\d{1,8}",
        "bos": "true|false",
        "chat": "true|false",
        _WEIGHTS: "[0-9a-f]{1,64}",
    }.items()
}
"""Fields of a link that may be wrong: such a field is ignored, and the rest is shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, with what is to be open and picked in its graph.

    ``weights`` is how the digest of the weights begins that the address was written for.
    """

    request: Request
    opened: tuple[NodeId, ...] = ()
    picked: NodeId | None = None
    weights: str | None = None


def asked_by_address(search: str | None, default: Request) -> Asked:
    """What an address asks for; the default where it says nothing.

    Raises:
        RequestError: it asks for what no model could serve.
    """
    said = {name: values[-1] for name, values in parse_qs((search or "").lstrip("?")).items()}
    if not {"prompt", "prompt_ids"} & said.keys():
        return Asked(default)
    texts = {
        name: text
        for name, text in said.items()
        if name not in _READABLE or _READABLE[name].fullmatch(text)
    }
    picked = _node_ids(said.get("pick", ""))
    return Asked(
        request_from_texts(texts, default),
        _node_ids(said.get("open", "")),
        picked[0] if picked else None,
        texts.get(_WEIGHTS),
    )


def texts_for_address(
    request: Request, weights: str | None = None, *, served: Request
) -> dict[str, str]:
    """What an address says of a request and the weights that answered it.

    ``asked_by_address`` reads it.

    Args:
        request: Its settings are said where they are others than served.
        weights: The digest of the weights.
        served: What the server draws where an address says nothing.
    """
    texts = {name: text for name, text in texts_from_request(request).items() if name not in DRAWN}
    texts |= texts_beside(served, request)
    return texts if weights is None else {**texts, _WEIGHTS: weights[:_DIGITS]}


def _node_ids(text: str) -> tuple[NodeId, ...]:
    """The ids that can be read; a link that was cut short still shows the rest."""
    found = []
    for word in text.split():
        try:
            found.append(NodeId.parse(word))
        except ValueError:
            continue
    return tuple(found)
