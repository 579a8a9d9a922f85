"""What a page is looking at: the small state that the browser holds and sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from visit.flow import NodeId, Request

_REQUEST_FIELDS = {field.name for field in fields(Request)}


@dataclass(frozen=True, slots=True)
class View:
    """A graph by its key, the request that gives it again, and what is open in it."""

    key: str
    request: Request
    opened: tuple[NodeId, ...] = ()

    def data(self) -> dict[str, Any]:
        """As the browser holds it."""
        return {
            "key": self.key,
            "request": asdict(self.request),
            "opened": [str(node_id) for node_id in self.opened],
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> View:
        """As the browser sent it.

        Raises:
            ValueError: it is none that this app made.
            RequestError: its request could not be served.
        """
        try:
            request = {k: v for k, v in data["request"].items() if k in _REQUEST_FIELDS}
            opened = tuple(NodeId.parse(text) for text in data["opened"])
            return cls(str(data["key"]), Request(**request), opened)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a view of this app: {error}") from None
