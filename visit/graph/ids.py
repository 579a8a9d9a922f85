"""What a node or an edge is, and the ids that say where a node is in the model.

``NodeId`` alone writes ids and reads them back; no other file puts one together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class NodeKind(StrEnum):
    """What a node is. The order is the order of the flow inside one layer."""

    EMBED = "embed"
    LN1 = "ln1"
    QUERY = "query"
    KEY = "key"
    VALUE = "value"
    SOURCES_REST = "sources_rest"
    HEAD = "head"
    HEADS_REST = "heads_rest"
    ATTN_NEURON = "attn_neuron"
    NEURONS_REST = "neurons_rest"
    POSITIONS_REST = "positions_rest"
    ATTN_BIAS = "attn_bias"
    ATTN = "attn"
    RESID_MID = "resid_mid"
    LN2 = "ln2"
    MEMORY_KEY = "memory_key"
    MEMORY_VALUE = "memory_value"
    MLP_BIAS = "mlp_bias"
    MEMORIES_REST = "memories_rest"
    EXPERT = "expert"
    SHARED_EXPERT = "shared_expert"
    EXPERTS_REST = "experts_rest"
    MLP = "mlp"
    RESID_POST = "resid_post"
    FINAL_NORM = "final_norm"
    OUTPUT = "output"


class EdgeKind(StrEnum):
    """What one node does to another."""

    ADDS = "adds"
    NORMALIZES = "normalizes"
    READS = "reads"
    SCORES = "scores"
    WEIGHS = "weighs"
    ACTIVATES = "activates"
    UNEMBEDS = "unembeds"


class Ledger(StrEnum):
    """One way of taking a whole apart; its parts add up by themselves."""

    RESIDUAL = "residual"
    HEADS = "heads"
    SOURCES = "sources"
    NEURONS = "neurons"
    POSITIONS = "positions"
    MEMORIES = "memories"
    EXPERTS = "experts"


_WHOLE_MODEL = {NodeKind.EMBED, NodeKind.FINAL_NORM, NodeKind.OUTPUT}
_OF_A_HEAD = {NodeKind.QUERY, NodeKind.KEY, NodeKind.VALUE, NodeKind.SOURCES_REST}
_MEMORY_PARTS = {NodeKind.MEMORY_KEY: "key", NodeKind.MEMORY_VALUE: "value"}
_NUMBERED = {NodeKind.ATTN_NEURON, NodeKind.EXPERT}
_ID_PATTERN = re.compile(
    r"(?:L(?P<layer>\d+)\.)?"
    r"(?:head(?P<head>\d+)(?:\.(?P<of_head>query|key|value|sources_rest))?"
    r"|memory(?P<memory>\d+)\.(?P<of_memory>key|value)"
    r"|(?P<numbered>attn_neuron|expert)(?P<index>\d+)"
    r"|(?P<plain>[a-z]+(?:_[a-z]+|[12])?))"
    r"@(?P<position>\d+)"
)


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
        of_head = self.kind is NodeKind.HEAD or self.kind in _OF_A_HEAD
        indexed = self.kind in _NUMBERED or self.kind in _MEMORY_PARTS
        fits = (
            (self.layer is None) == (self.kind in _WHOLE_MODEL)
            and (self.head is not None) == of_head
            and (self.index is not None) == indexed
        )
        if not fits:
            given = f"layer={self.layer}, head={self.head}, index={self.index}"
            raise ValueError(f"{given} do not make a node id of kind {self.kind.value}")

    def __str__(self) -> str:
        """The id as it stands in the document, like ``L5.head3.key@2``."""
        if self.kind in _WHOLE_MODEL:
            return f"{self.kind}@{self.position}"
        if self.kind is NodeKind.HEAD:
            name = f"head{self.head}"
        elif self.kind in _OF_A_HEAD:
            name = f"head{self.head}.{self.kind}"
        elif self.kind in _MEMORY_PARTS:
            name = f"memory{self.index}.{_MEMORY_PARTS[self.kind]}"
        elif self.kind in _NUMBERED:
            name = f"{self.kind}{self.index}"
        else:
            name = str(self.kind)
        return f"L{self.layer}.{name}@{self.position}"

    @classmethod
    def parse(cls, text: str) -> NodeId:
        """Read an id back.

        Raises:
            ValueError: the text is not a node id.
        """
        match = _ID_PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a node id; one looks like 'L5.head3.key@2'")
        part = match.groupdict()
        layer = None if part["layer"] is None else int(part["layer"])
        position = int(part["position"])
        try:
            if part["head"] is not None:
                kind = NodeKind(part["of_head"] or "head")
                return cls(kind, position, layer, head=int(part["head"]))
            if part["memory"] is not None:
                kind = NodeKind(f"memory_{part['of_memory']}")
                return cls(kind, position, layer, index=int(part["memory"]))
            if part["numbered"] is not None:
                return cls(NodeKind(part["numbered"]), position, layer, index=int(part["index"]))
            return cls(NodeKind(part["plain"]), position, layer)
        except ValueError as error:
            raise ValueError(f"{text!r} is not a node id: {error}") from None
