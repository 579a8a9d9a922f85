"""Searches over a whole atlas: rows that promote or suppress a token, and rows like another one.

Every search is one product of all rows with one direction. The final norm takes a row to
``scale·linear(row, 1) + bias``, so the part of that along a direction ``d`` is
``scale·(row · pulled_back(d)) + bias·d``. The atlas holds each row's scale.

Searches compare in the dtype of ledgers: sums over a whole vocabulary leave float32 three or four
digits, and neighbours would change places.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from visit.errors import RequestError
from visit.graph.flow import NodeKind, Reading
from visit.lens.atlas.build import TOP_K, AtlasFiles, Part
from visit.lens.atlas.segment import Segment
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.models.architectures import Architecture
from visit.models.rows import RowId, vector, vectors
from visit.tracing.precision import WIDENED_ELEMENTS, ledger_dtype, multiply_wide, widen
from visit.tracing.ties import find_greatest


@dataclass(frozen=True, slots=True)
class Found:
    """A row that a search found.

    Attributes:
        row: Which.
        reading: What it says. The target is the token that was searched for; in a search for the
            like of a row, the token that this row says first.
        correlation: Of its logits with that row's, −1 to 1; ``None`` in a search for a token.
    """

    row: RowId
    reading: Reading
    correlation: float | None = None


@dataclass(frozen=True, slots=True)
class _Along:
    """All rows of some kinds, one after another, measured along a direction.

    Attributes:
        parts: Whose rows they are, with how many there are up to the end of each.
        along: Each normed row's product with the direction.
        column: What the atlas holds of each row, as it was asked for.
    """

    parts: list[tuple[Part, int]]
    along: Float[Tensor, " row"]
    column: Float[Tensor, " row"]

    def row(self, at: int) -> RowId:
        """The row at a place."""
        number = bisect_right(self.parts, at, key=lambda part: part[1])
        (layer, kind, sign), _ = self.parts[number]
        return RowId(kind, layer, at - (self.parts[number - 1][1] if number else 0), sign)


class Searcher:
    """Answers searches over a whole atlas; where it is not whole, they raise ``DamagedError``."""

    def __init__(
        self, files: AtlasFiles, architecture: Architecture, projector: Projector, reader: Reader
    ) -> None:
        self._files, self._architecture = files, architecture
        self._projector, self._reader = projector, reader
        self._wide = ledger_dtype(architecture.unembedding)

    @torch.inference_mode()
    def token(
        self, token_id: int, kinds: Sequence[NodeKind], count: int
    ) -> tuple[tuple[Found, ...], tuple[Found, ...]]:
        """The rows that give a token the highest probability, and those with its lowest logit.

        The lowest probability would not do: any row that predicts some other token strongly
        gives it.

        Args:
            token_id: The token.
            kinds: The kinds of rows to look among.
            count: How many of either.
        """
        architecture, bias = self._architecture, self._architecture.unembedding_bias
        rows = self._along(architecture.unembedding[:, token_id].to(self._wide), kinds, _log_total)
        logits = architecture.logits_from(rows.along, None if bias is None else bias[token_id])
        # As logarithms: a probability may be too small for a float.
        best = find_greatest(logits - rows.column, count).tolist()
        worst = find_greatest(logits, count, least=True).tolist()
        found = self._found([rows.row(at) for at in best + worst], token_id)
        return found[: len(best)], found[len(best) :]

    @torch.inference_mode()
    def like(self, row: RowId, kinds: Sequence[NodeKind], count: int) -> tuple[Found, ...]:
        """The rows whose logits go most closely with a row's over the vocabulary, closest first.

        The correlation is Pearson's, of the logits before a soft-cap. The row itself is left out,
        and so are rows that give every token the same logit.

        Raises:
            RequestError: the model has no such row, or it gives every token the same logit.
        """
        architecture, bias = self._architecture, self._architecture.unembedding_bias
        unembedding = architecture.unembedding
        asked = vector(architecture, row).to(self._wide)
        spread, said_first = self._files.at(row, "spread"), int(self._files.at(row, "top_ids")[0])
        if not spread:
            raise RequestError(f"{row} gives every token the same logit, so nothing is like it")
        normed = architecture.final_norm(asked.unsqueeze(0)) * architecture.logit_scale
        logits = multiply_wide(normed, unembedding)[0]
        if bias is not None:
            logits = logits + bias
        deviations = logits - logits.mean()
        direction = _multiply_rows(unembedding, deviations) * architecture.logit_scale
        rows = self._along(direction, kinds, lambda segment: segment.read("spread"))
        products = rows.along if bias is None else rows.along + bias.to(logits) @ deviations
        correlations = products / (rows.column * float(spread) * len(logits))
        correlations[rows.column == 0] = -torch.inf
        places = [
            at
            for at in find_greatest(correlations, count + 1).tolist()
            if rows.row(at) != row and correlations[at] > -torch.inf
        ][:count]
        readings = self._found([rows.row(at) for at in places], said_first)
        return tuple(
            Found(found.row, found.reading, float(correlations[at].clamp(-1, 1)))
            for found, at in zip(readings, places, strict=True)
        )

    def _along(
        self,
        direction: Float[Tensor, " d_model"],
        kinds: Sequence[NodeKind],
        column_of: Callable[[Segment], Tensor],
    ) -> _Along:
        norm = self._architecture.final_norm
        pulled = norm.pulled_back(direction)
        constant = 0.0 if norm.bias is None else float(norm.bias.to(direction) @ direction)
        product = direction[:0]
        parts, along, column = [], [product], [product]  # a model may have no rows of a kind
        for part, segment in self._files.segments(kinds):
            layer, kind, sign = part
            if sign > 0:  # the same rows in the other direction come right after
                product = _multiply_rows(vectors(self._architecture, kind, layer), pulled)
            parts.append(part)
            along.append(sign * segment.read("scale").to(product) * product + constant)
            column.append(column_of(segment).to(product))
        ends = list(accumulate(map(len, along[1:])))
        return _Along(list(zip(parts, ends, strict=True)), torch.cat(along), torch.cat(column))

    def _found(self, row_ids: list[RowId], token_id: int) -> tuple[Found, ...]:
        """What some rows say; of the token exactly, by their whole logits."""
        if not row_ids:
            return ()
        asked = torch.stack([vector(self._architecture, row) for row in row_ids])
        readings = self._reader.read(self._projector.cast(asked), token_id, TOP_K)
        return tuple(map(Found, row_ids, readings))


def _multiply_rows(
    matrix: Float[Tensor, "row column"], direction: Float[Tensor, " column"]
) -> Float[Tensor, " row"]:
    """``matrix @ direction`` in the dtype of the direction."""
    product = direction.new_empty(len(matrix))
    for rows, wide in widen(matrix, direction, WIDENED_ELEMENTS):
        torch.mv(wide, direction, out=product[rows])
    return product


def _log_total(segment: Segment) -> Float[Tensor, " row"]:
    """The log-sum-exp of each row's logits."""
    highest, log_total = segment.read("top_logits")[:, 0], segment.read("log_total")
    return highest.double() + log_total
