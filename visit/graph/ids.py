"""Ids that say where a node is in the model.

``NodeId`` alone writes ids and reads them back; no other file puts one together.
"""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass

from visit.graph.kinds import NODES, NodeKind

_NAMES = {row.id_name or str(row.kind): row.kind for row in NODES.values()}
_ID = re.compile(r"(?:L(?P<layer>\d+)\.)?(?P<name>[^@]+)@(?P<position>\d+)")
AFTER_ALL = 1_000_000
"""Where the final norm and the output come among the layers."""
_DEPTH = {kind: depth for depth, kind in enumerate(NodeKind)}
_LONGEST = 100
"""Letters of an id; one of the longest names with three numbers of 18 digits has fewer."""
_NUMBERED = re.compile(r"(?P<before>[a-z_]+)(?P<number>\d+)(?P<after>.*)")


@dataclass(frozen=True, slots=True, order=True)
class NodeId:
    """Where a node is in the model. ``str`` writes it and ``parse`` reads it back.

    Attributes:
        kind: What it is.
        position: The position in the prompt; for a head's key and value, the source's.
        layer: The block, from 0; ``None`` for the embedding, the final norm and the output.
        head: The head of a head, query, key, value or sources_rest node.
        index: The row of ``W_O`` of an attn_neuron; the memory of a memory_key or memory_value;
            the number of an expert.
    """

    kind: NodeKind
    position: int
    layer: int | None = None
    head: int | None = None
    index: int | None = None

    def __post_init__(self) -> None:
        """Refuse an id with a part missing or too many, so that every id parses back."""
        row = NODES[self.kind]
        fits = (
            (self.layer is not None) == row.in_layer
            and (self.head is not None) == (row.numbered_by == "head")
            and (self.index is not None) == (row.numbered_by == "index")
        )
        if not fits:
            given = f"layer={self.layer}, head={self.head}, index={self.index}"
            raise ValueError(f"{given} do not make a node id of kind {self.kind.value}")

    @property
    def number(self) -> int | None:
        """The number of its head, or its own."""
        return self.index if self.head is None else self.head

    def __str__(self) -> str:
        """The id as it stands in the document, like ``L5.head3.key@2``."""
        name = NODES[self.kind].id_name or str(self.kind)
        if self.number is not None:
            name = name.replace("#", str(self.number))
        layer = "" if self.layer is None else f"L{self.layer}."
        return f"{layer}{name}@{self.position}"

    @classmethod
    def parse(cls, text: str) -> NodeId:
        """Read an id back.

        Raises:
            ValueError: the text is not a node id.
        """
        said = reprlib.repr(text)
        match = _ID.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            raise ValueError(f"{said} is not a node id; one looks like 'L5.head3.key@2'")
        name = match["name"]
        numbered = None if name in _NAMES else _NUMBERED.fullmatch(name)
        if numbered is not None:
            name = f"{numbered['before']}#{numbered['after']}"
        kind = _NAMES.get(name)
        if kind is None:
            raise ValueError(f"{said} is not a node id: {match['name']!r} is not a kind of node")
        layer = None if match["layer"] is None else int(match["layer"])
        number = None if numbered is None else int(numbered["number"])
        is_of_head = NODES[kind].numbered_by == "head"
        head, index = (number, None) if is_of_head else (None, number)
        try:
            return cls(kind, int(match["position"]), layer, head, index)
        except ValueError as error:
            raise ValueError(f"{said} is not a node id: {error}") from None


def depth(id_: NodeId) -> tuple[int, int]:
    """Where a node comes in the order of the flow, whatever its position: its layer, its kind."""
    if id_.layer is not None:
        return id_.layer, _DEPTH[id_.kind]
    return -1 if id_.kind is NodeKind.EMBED else AFTER_ALL, _DEPTH[id_.kind]


def flow_order(id_: NodeId) -> tuple[tuple[int, int], int, int]:
    """Where a node comes among all: by its depth, then its position, then its own number."""
    return depth(id_), id_.position, id_.number or 0
