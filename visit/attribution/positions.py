"""The ``positions`` ledger: what a reader got from each position through all heads together.

A part for every reader and source would be a tensor of readers times sources times ``d_model``.
The parts are made block by block, measured and freed, so that memory grows with the prompt only by
the measured numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution import circuits
from visit.attribution.ledgers import Lines
from visit.attribution.projections import SourceValues
from visit.models.architectures import Architecture
from visit.tracing.trace import Trace

BLOCK_ELEMENTS = 1 << 19
"""How many numbers a block holds: 4 MiB in float64. A few blocks are alive at a time."""


@dataclass(frozen=True, slots=True)
class PositionLedgers:
    """For some readers of one layer: what each source gave them through all heads together.

    The last column of each is the output bias, zero where the model has none.

    Attributes:
        norm: Of each part.
        share: Of the reader's attn_out; each row adds to 1.
        direct_logit: Meant for the traced reader's row alone.
        proximity: Each row adds to 1.
        flow: Each row adds to the flow of the reader's attn_out.
        sums: The parts of each reader added up.
    """

    norm: Float[Tensor, "reader source_or_bias"]
    share: Float[Tensor, "reader source_or_bias"]
    direct_logit: Float[Tensor, "reader source_or_bias"]
    proximity: Float[Tensor, "reader source_or_bias"]
    flow: Float[Tensor, "reader source_or_bias"]
    sums: Float[Tensor, "reader d_model"]

    def lines(self, row: int, *, traced: bool) -> Lines:
        """One reader's ledger; the direct logit only where it is the traced one."""
        logit = self.direct_logit[row] if traced else None
        return Lines(
            self.norm[row], self.share[row], logit, self.proximity[row], flow=self.flow[row]
        )


def position_ledgers(
    architecture: Architecture,
    trace: Trace,
    layer: int,
    readers: Sequence[int],
    values: SourceValues,
    direction: Float[Tensor, " d_model"],
    gradient: Float[Tensor, "reader d_model"],
    *,
    block_elements: int = BLOCK_ELEMENTS,
) -> PositionLedgers:
    """The ``positions`` ledgers of several readers of one layer.

    Args:
        architecture: The model.
        trace: The forward pass.
        layer: The layer.
        readers: Their positions, in any order.
        values: The layer's (``projections.values_by_source``).
        direction: A part's dot product with it is its direct logit.
        gradient: A part's dot product with its reader's is its flow.
        block_elements: How many numbers to hold at once; no result depends on it beyond rounding.
    """
    recorded, bias = trace.layers[layer], architecture.blocks[layer].attention.b_o
    places = torch.tensor(readers, device=values.v.device)
    gain = None if recorded.attn_gain is None else recorded.attn_gain[places].to(values.v)
    whole = recorded.attn_out[places].to(values.v)
    n_heads, n_sources, _ = values.v.shape
    numbers = whole.new_zeros(5, len(readers), n_sources + 1)
    norm, share, direct_logit, closeness, flow = numbers
    sums = torch.zeros_like(whole)

    def measure(parts: Tensor, rows: Tensor, columns: slice) -> None:
        if gain is not None:
            parts = parts * gain[rows].unsqueeze(1)
        sums[rows] += parts.sum(1)
        norm[rows, columns] = parts.norm(dim=-1)
        share[rows, columns] = circuits.shares(parts, whole[rows])
        direct_logit[rows, columns] = parts @ direction
        flow[rows, columns] = (parts @ gradient[rows].unsqueeze(-1)).squeeze(-1)
        closeness[rows, columns] = circuits.closeness(parts, whole[rows])

    source_step = min(n_sources, max(1, block_elements // (n_heads * whole.shape[1])))
    reader_step = max(1, block_elements // (source_step * whole.shape[1]))
    every_row = torch.arange(len(readers), device=places.device)
    some_rows = [every_row[i : i + reader_step] for i in range(0, len(readers), reader_step)]
    for start in range(0, n_sources, source_step):
        sources = slice(start, min(start + source_step, n_sources))
        written = values.write(sources)
        for rows in some_rows:
            pattern = recorded.attention[:, places[rows], sources].transpose(0, 1).to(written)
            if pattern.any():  # else all these parts are zero, as the numbers are
                measure(circuits.position_parts(pattern, written), rows, sources)
    if bias is not None:
        for rows in some_rows:
            parts = bias.to(whole).expand(len(rows), 1, -1)
            measure(parts, rows, slice(n_sources, n_sources + 1))
    proximity = circuits.normalize_to_one(closeness)
    return PositionLedgers(norm, share, direct_logit, proximity, flow, sums)
