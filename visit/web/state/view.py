"""What a page is looking at: the small state that the browser holds and sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visit.errors import RequestError
from visit.formats.notes import data_from_notes, notes_from_data
from visit.graph.flow import NodeId, Note
from visit.graph.request import Request, data_from_request, request_from_data
from visit.graph.settings import texts_beside
from visit.web.state.address import texts_for_address
from visit.web.words import typed_from_request


@dataclass(frozen=True, slots=True)
class View:
    """A graph by its key, the request that gives it again, what is open and noted in it.

    ``weights`` is the digest of the weights that made it, the only ones that may add to it; a view
    from elsewhere may not know it. ``fixed`` says that the graph came from a document: no engine
    may add to it or make it again.
    """

    key: str
    request: Request
    opened: tuple[NodeId, ...] = ()
    notes: tuple[Note, ...] = ()
    fixed: bool = False
    weights: str | None = None

    def data(self, served: Request | None = None) -> dict[str, Any]:
        """As the browser holds it.

        Args:
            served: What the server draws where nothing else is asked for; the request itself where
                it is left out, as of a document, which no server draws.
        """
        served = served or self.request
        return {
            "key": self.key,
            "request": data_from_request(self.request),
            "opened": [str(node_id) for node_id in self.opened],
            "notes": data_from_notes(self.notes)["nodes"],
            "fixed": self.fixed,
            "weights": self.weights,
            "texts": texts_for_address(self.request, self.weights, served=served),
            "settings": texts_beside(served, self.request),
            "typed": typed_from_request(self.request),
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> View:
        """As the browser sent it.

        Raises:
            ValueError: it is none that this app made.
        """
        try:
            request = request_from_data(data["request"])
            opened = tuple(NodeId.parse(text) for text in data["opened"])
            notes = notes_from_data({"nodes": _of_nodes(data.get("notes", {}))})
            weights = data.get("weights")
            return cls(
                key=str(data["key"]),
                request=request,
                opened=opened,
                notes=notes,
                fixed=bool(data.get("fixed")),
                weights=None if weights is None else str(weights),
            )
        except (KeyError, TypeError, AttributeError, RequestError) as error:
            raise ValueError(f"not a view of this app: {error}") from None


def _of_nodes(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Notes beside what is a node id: those of a link that was tampered with are passed over."""
    return {name: said for name, said in notes.items() if _is_node_id(name)}


def _is_node_id(name: str) -> bool:
    try:
        return str(NodeId.parse(name)) == name
    except ValueError:
        return False
