"""The rows of a model's weights that say something by themselves, and what each is called.

They are the same whatever the prompt is: every memory's key and value, every attention neuron, and
the biases. A graph draws a row with the sign of its coefficient, so a row has two directions; a
bias is only ever added, so it has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from visit.errors import RequestError
from visit.graph.flow import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Block, Mlp

KINDS = (
    NodeKind.MEMORY_VALUE,
    NodeKind.MEMORY_KEY,
    NodeKind.ATTN_NEURON,
    NodeKind.ATTN_BIAS,
    NodeKind.MLP_BIAS,
)
"""What has rows in the atlas."""

BIASES = (NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS)

_PATTERN = re.compile(
    r"(?P<sign>[-+−]?)L(?P<layer>\d{1,5})\."
    r"(?:memory(?P<memory>\d{1,9})(?P<part>\.key|\.value)?|attn_neuron(?P<neuron>\d{1,9})"
    r"|(?P<bias>attn_bias|mlp_bias))(?:@\d+)?"
)


@dataclass(frozen=True, slots=True)
class RowId:
    """One row in one direction. ``str`` writes it and ``parse`` reads it back.

    Attributes:
        kind: One of ``KINDS``.
        layer: The block, from 0.
        index: The memory, or the row of ``W_O``; 0 for a bias.
        sign: 1, or −1 for the opposite direction; a bias has only the one.
    """

    kind: NodeKind
    layer: int
    index: int = 0
    sign: int = 1

    def __post_init__(self) -> None:
        """Refuse what no atlas holds, so that every name parses back."""
        is_bias = self.kind in BIASES
        fits = self.kind in KINDS and self.sign in ((1,) if is_bias else (1, -1))
        if not fits or self.layer < 0 or self.index < 0 or (is_bias and self.index):
            given = f"layer={self.layer}, index={self.index}, sign={self.sign}"
            raise ValueError(f"{given} do not make a row of kind {self.kind.value}")

    def __str__(self) -> str:
        """The name as users type it, like ``-L23.memory1508.key``."""
        if self.kind in BIASES:
            name = str(self.kind)
        elif self.kind is NodeKind.ATTN_NEURON:
            name = f"attn_neuron{self.index}"
        else:
            name = f"memory{self.index}" + ".key" * (self.kind is NodeKind.MEMORY_KEY)
        return f"{'-' if self.sign < 0 else ''}L{self.layer}.{name}"

    @classmethod
    def parse(cls, text: str) -> RowId:
        """Read a name; a node's id, such as ``L5.memory123.value@7``, names its row too.

        Raises:
            RequestError: the text names no row.
        """
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise RequestError(
                f"{text!r} names no row; give one like L3.memory150, L3.memory150.key, "
                "L3.attn_neuron17, L3.attn_bias or L3.mlp_bias, after a - for its opposite"
            )
        part = match.groupdict()
        layer, sign = int(part["layer"]), -1 if part["sign"] in ("-", "−") else 1
        if part["bias"] is not None:
            if sign < 0:
                raise RequestError(f"{text!r} is a bias, which has no opposite; leave the - out")
            return cls(NodeKind(part["bias"]), layer)
        if part["neuron"] is not None:
            return cls(NodeKind.ATTN_NEURON, layer, int(part["neuron"]), sign)
        kind = NodeKind.MEMORY_KEY if part["part"] == ".key" else NodeKind.MEMORY_VALUE
        return cls(kind, layer, int(part["memory"]), sign)


def vectors(architecture: Architecture, kind: NodeKind, layer: int) -> Float[Tensor, "row d_model"]:
    """The rows of a kind in a layer, as the weights have them; none where it has none.

    A memory's key is its column of ``W_in``, its value its row of ``W_out``; an attention neuron
    is a row of ``W_O``. A layer with a mixture of experts has no memories.

    Source: Katz & Belinkov 2023, section 3.
    """
    return _rows_in(architecture.blocks[layer], kind)


def n_rows(architecture: Architecture, kind: NodeKind, layer: int) -> int:
    """How many there are, without fetching weights that are elsewhere."""
    return len(_rows_in(architecture.outline[layer], kind))


def _rows_in(block: Block, kind: NodeKind) -> Float[Tensor, "row d_model"]:
    attention, mlp = block.attention, block.mlp
    neurons = attention.w_o.flatten(0, 1)
    if kind is NodeKind.ATTN_NEURON:
        return neurons
    if isinstance(mlp, Mlp) and kind is NodeKind.MEMORY_VALUE:
        return mlp.w_out
    if isinstance(mlp, Mlp) and kind is NodeKind.MEMORY_KEY:
        return mlp.w_in.T
    bias = None
    if kind is NodeKind.ATTN_BIAS:
        bias = attention.b_o
    elif isinstance(mlp, Mlp) and kind is NodeKind.MLP_BIAS:
        bias = mlp.b_out
    return neurons[:0] if bias is None else bias.unsqueeze(0)


def vector(architecture: Architecture, row: RowId) -> Float[Tensor, " d_model"]:
    """One row in its direction.

    Raises:
        RequestError: the model has no such row.
    """
    n_layers = architecture.sizes.n_layers
    if row.layer >= n_layers:
        raise RequestError(f"there is no row {row}; the layers are 0 to {n_layers - 1}")
    rows = vectors(architecture, row.kind, row.layer)
    if row.index >= len(rows):
        has = f"the last is {len(rows) - 1}" if len(rows) else f"layer {row.layer} has none like it"
        raise RequestError(f"there is no row {row}; {has}")
    return rows[row.index] * row.sign


def is_static(architecture: Architecture, kind: NodeKind, layer: int) -> bool:
    """Whether what a graph draws of these rows is the row itself, whatever the prompt.

    It is not where what the rows write passes another norm, or is scaled, before it is added: the
    graph then draws the row after that. A memory's key is always itself.
    """
    block = architecture.outline[layer]
    if kind is NodeKind.MEMORY_KEY:
        return True
    is_of_attention = kind in (NodeKind.ATTN_NEURON, NodeKind.ATTN_BIAS)
    norm = block.attn_norm if is_of_attention else block.mlp_norm
    return norm is None and block.write_scale == 1


def parts(architecture: Architecture) -> Iterator[tuple[int, NodeKind, int]]:
    """Every layer, kind and sign that has rows, in order; a whole atlas has a file for each."""
    for layer in range(architecture.sizes.n_layers):
        for kind in KINDS:
            if n_rows(architecture, kind, layer):
                for sign in (1,) if kind in BIASES else (1, -1):
                    yield layer, kind, sign
