"""What a page is looking at: the small state that the browser holds and sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visit.document import data_from_request, request_from_data
from visit.flow import NodeId, Request


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
            "request": data_from_request(self.request),
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
            request = request_from_data(data["request"])
            opened = tuple(NodeId.parse(text) for text in data["opened"])
            return cls(str(data["key"]), request, opened)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a view of this app: {error}") from None
