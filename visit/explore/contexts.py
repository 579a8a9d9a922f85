"""The tokens of a text where every memory and head of a model is most active, found in one reading.

A memory's activity is its activation, a head's the norm of what it writes. The first token of each
piece that is read is left out: it has nothing to read but itself, and many models park attention
and very large activations there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.models.architectures import Architecture
from visit.models.architectures.base import Sizes
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace, record

N_KEPT = 20
"""How many tokens are kept of each part, at either end."""
PIECE = 256
"""How many tokens are read at once, or as many as the model reads."""


@dataclass(slots=True)
class Peaks:
    """Of some parts, the highest values in a text and the tokens that they are at.

    Attributes:
        values: The highest first; minus infinity where there are no more tokens.
        at: The tokens' numbers in the text.
        sources: Of heads, how many tokens before each the one stands that is attended to most.
        attention: To that one.
    """

    values: Float[Tensor, "part kept"]
    at: Int[Tensor, "part kept"]
    sources: Int[Tensor, "part kept"] | None = None
    attention: Float[Tensor, "part kept"] | None = None

    @property
    def columns(self) -> dict[str, Tensor]:
        """What there is, by name."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: column for name, column in named.items() if column is not None}

    def add(
        self,
        values: Float[Tensor, "pos part"],
        start: int,
        sources: Int[Tensor, "pos part"] | None = None,
        attention: Float[Tensor, "pos part"] | None = None,
    ) -> None:
        """Take more tokens of the text in.

        Args:
            values: Of some tokens one after another.
            start: The first one's number in the text.
            sources: As the class has them.
            attention: Likewise.
        """
        at = torch.arange(start, start + len(values), device=values.device, dtype=torch.int32)
        together = torch.cat([self.values, values.T.to(self.values)], dim=1)
        places = together.topk(self.values.shape[1], dim=1).indices
        self.values = together.gather(1, places)
        self.at = torch.cat([self.at, at.expand(values.shape[1], -1)], dim=1).gather(1, places)
        if self.sources is not None and sources is not None:
            more = sources.T.to(self.sources)
            self.sources = torch.cat([self.sources, more], dim=1).gather(1, places)
        if self.attention is not None and attention is not None:
            share = attention.T.to(self.attention)
            self.attention = torch.cat([self.attention, share], dim=1).gather(1, places)


@dataclass(frozen=True, slots=True)
class LayerPeaks:
    """What is kept of one layer.

    Attributes:
        memories: Where each memory's activation is highest; ``None`` in a mixture of experts.
        negative: Where it is lowest, with the sign turned.
        heads: Where each head writes most.
    """

    memories: Peaks | None
    negative: Peaks | None
    heads: Peaks

    @property
    def all(self) -> dict[str, Peaks]:
        """What there is, by name."""
        named = {"memories": self.memories, "negative": self.negative, "heads": self.heads}
        return {name: peaks for name, peaks in named.items() if peaks is not None}


def piece_length(sizes: Sizes, first: int | None) -> int:
    """How many tokens of a text are read at once, beside the one that each piece begins with."""
    return min(sizes.n_context, PIECE) - (first is not None)


def find_peaks(
    model: Any,
    architecture: Architecture,
    token_ids: Sequence[int],
    tell: Callable[[float], None],
    first: int | None = None,
) -> list[LayerPeaks]:
    """Read a text in pieces, and keep where each part is most active.

    Args:
        model: The model.
        architecture: The same, laid open.
        token_ids: The text.
        tell: Told how much of it is read, 0 to 1; what it raises ends the reading.
        first: A token that each piece begins with, such as a BOS that the text lacks.

    Returns:
        What is kept of each layer.
    """
    start = () if first is None else (first,)
    length = piece_length(architecture.sizes, first)
    found = [_none_yet(architecture, layer) for layer in range(architecture.sizes.n_layers)]
    for begin in range(0, len(token_ids), length):
        piece = [*start, *token_ids[begin : begin + length]]
        if len(piece) > 1:
            trace = record(model, architecture, piece)
            for layer, peaks in enumerate(found):
                _add_layer(architecture, trace, layer, peaks, begin - len(start))
        tell(min(1.0, (begin + length) / len(token_ids)))
    return found


def _none_yet(architecture: Architecture, layer: int) -> LayerPeaks:
    block = architecture.outline[layer]
    device = architecture.unembedding.device

    def empty(count: int, *, reads: bool = False) -> Peaks:
        values = torch.full((count, N_KEPT), -torch.inf, device=device, dtype=torch.float32)
        at = torch.zeros(count, N_KEPT, dtype=torch.int32, device=device)
        return Peaks(values, at, *((at.clone(), values.clone()) if reads else ()))

    heads = empty(architecture.sizes.n_heads, reads=True)
    n_memories = getattr(block.mlp, "w_out", None)
    if n_memories is None:
        return LayerPeaks(None, None, heads)
    return LayerPeaks(empty(len(n_memories)), empty(len(n_memories)), heads)


def _add_layer(
    architecture: Architecture, trace: Trace, layer: int, peaks: LayerPeaks, start: int
) -> None:
    recorded = trace.layers[layer]
    if peaks.memories is not None and peaks.negative is not None:
        assert recorded.activation is not None
        activation = recorded.activation[1:]
        peaks.memories.add(activation, start + 1)
        peaks.negative.add(-activation, start + 1)
    norms, sources, attention = heads_at(architecture, trace, layer)
    peaks.heads.add(norms[1:], start + 1, sources[1:], attention[1:])


def heads_at(
    architecture: Architecture, trace: Trace, layer: int
) -> tuple[Float[Tensor, "pos head"], Int[Tensor, "pos head"], Float[Tensor, "pos head"]]:
    """How much each head writes at every position, and what it attends to most there.

    Returns:
        The L2 norm of what it writes; how many tokens before the position the source stands that
        it attends to most; the attention to that one.
    """
    recorded = trace.layers[layer]
    z = recorded.z.to(ledger_dtype(recorded.z))
    w_o = architecture.blocks[layer].attention.w_o.to(z)
    written = torch.einsum("phd,hdm->phm", z, w_o)
    if recorded.attn_gain is not None:
        written = written * recorded.attn_gain.unsqueeze(1).to(z)
    norms = written.norm(dim=-1)
    attention, sources = recorded.attention.max(-1)
    readers = torch.arange(len(z), device=sources.device)
    return norms, readers[:, None] - sources.T, attention.T
