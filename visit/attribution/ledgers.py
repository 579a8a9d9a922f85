"""Ledgers: the parts that add up to a vector, what each contributes, and the audit that they do.

All arithmetic here is in float64 on the tensors that the trace captured, so what the audit finds
is the model's own rounding and not ours. (Devices without float64 use float32.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.attribution import circuits
from visit.tracing.precision import WIDENED_ELEMENTS, widen


@dataclass(frozen=True, slots=True)
class Lines:
    """What each of several parts contributes to a whole.

    Attributes:
        norm: L2 norm of the part.
        share: ``<part, whole> / <whole, whole>``; adds to 1 over a ledger.
        direct_logit: Its own part of the metric; ``None`` off the traced position.
        proximity: Ferrando & Voita's, adding to 1, or ``None`` where it is not taken.
        absolute_share: Of folded parts: their shares without signs, added up; ``None`` of one part.
        absolute_flow: Likewise their flows.
        flow: How much of the metric passes through it, or ``None`` where that is not taken.
    """

    norm: Float[Tensor, "*ledger part"]
    share: Float[Tensor, "*ledger part"]
    direct_logit: Float[Tensor, "*ledger part"] | None
    proximity: Float[Tensor, "*ledger part"] | None = None
    absolute_share: Float[Tensor, "*ledger part"] | None = None
    absolute_flow: Float[Tensor, "*ledger part"] | None = None
    flow: Float[Tensor, "*ledger part"] | None = None

    def select(self, places: Int[Tensor, " chosen"] | int) -> Lines:
        """The lines of some of the parts; or some, or one, of several ledgers taken together."""
        return self._apply(lambda numbers: numbers[places])

    def gather(self, places: Int[Tensor, "ledger chosen"]) -> Lines:
        """Of each of several ledgers taken together, the lines of some of its parts."""
        return self._apply(lambda numbers: numbers.gather(1, places))

    def fold(self, vector: Float[Tensor, " d_model"]) -> Lines:
        """All the lines as one, for the vector that their parts add up to."""
        sums = self._apply(lambda numbers: numbers.sum(0, keepdim=True))
        share, flow = (
            None if signed is None else signed.abs().sum(0, keepdim=True)
            for signed in (self.share, self.flow)
        )
        norm = vector.norm().unsqueeze(0)
        return replace(sums, norm=norm, absolute_share=share, absolute_flow=flow)

    def _apply(self, change: Callable[[Tensor], Tensor]) -> Lines:
        """Apply a function to every number of the lines."""
        logit, proximity, flow = self.direct_logit, self.proximity, self.flow
        return Lines(
            norm=change(self.norm),
            share=change(self.share),
            direct_logit=None if logit is None else change(logit),
            proximity=None if proximity is None else change(proximity),
            flow=None if flow is None else change(flow),
        )

    def strength(
        self, rank_by: str, effects: Float[Tensor, "*ledger part"] | None = None
    ) -> Float[Tensor, "*ledger part"]:
        """What ``rank_by`` (flow, effect, logit, share or norm) calls strong, without sign.

        Off the traced position no part has a direct logit, and ``logit`` ranks by share.

        Args:
            rank_by: The measure.
            effects: What removing each part changes the metric by, 0 where that is not known;
                ``None`` where it is of none, and ``effect`` ranks by flow.
        """
        if rank_by == "norm":
            return self.norm
        return self.signed(rank_by, self.share, effects).abs()

    def signed(
        self,
        rank_by: str,
        coefficient: Float[Tensor, "*ledger part"],
        effects: Float[Tensor, "*ledger part"] | None = None,
    ) -> Float[Tensor, "*ledger part"]:
        """The same with a sign; a norm takes that of the part's coefficient."""
        if rank_by == "norm":
            return self.norm * coefficient.sign()
        given = self.flow if effects is None else -effects
        measured = {"flow": self.flow, "effect": given, "logit": self.direct_logit}.get(rank_by)
        return self.share if measured is None else measured


def lines_from_vectors(
    parts: Float[Tensor, "*ledger part d_model"],
    whole: Float[Tensor, "*ledger d_model"],
    direction: Float[Tensor, " d_model"] | None,
    gradient: Float[Tensor, " d_model"],
) -> Lines:
    """The lines of parts given as vectors, with proximity; of one ledger or of several.

    Args:
        parts: What adds up.
        whole: What they add up to.
        direction: Dot products with it are direct logits; ``None`` off the traced position.
        gradient: Dot products with it are flows.
    """
    return Lines(
        norm=parts.norm(dim=-1),
        share=circuits.shares(parts, whole),
        direct_logit=None if direction is None else parts @ direction,
        proximity=circuits.proximities(parts, whole),
        flow=parts @ gradient,
    )


@dataclass(frozen=True, slots=True)
class RowSum:
    """Weight rows times coefficients (memories, attention neurons), added up.

    Attributes:
        lines: Of each row, without proximity.
        total: What they add up to.
    """

    lines: Lines
    total: Float[Tensor, " d_model"]


def sum_rows(
    coefficients: Float[Tensor, " part"],
    rows: Float[Tensor, "part d_model"],
    gain: Float[Tensor, " d_model"] | None,
    whole: Float[Tensor, " d_model"],
    direction: Float[Tensor, " d_model"] | None,
    gradient: Float[Tensor, " d_model"],
    *,
    chunk_elements: int = WIDENED_ELEMENTS,
) -> RowSum:
    """The ledger of weight rows times coefficients, without a scaled copy of any row.

    The rows may be of any dtype. A few at a time are widened to the coefficients', so that
    thousands of rows are read once and the widened copy never leaves the cache.

    Args:
        coefficients: Of each row, in the dtype of the ledgers.
        rows: The weight rows.
        gain: What each coordinate is multiplied by before the sum reaches the whole, or ``None``.
        whole: What the rows, and whatever else there is, add up to.
        direction: Dot products with it are direct logits; ``None`` off the traced position.
        gradient: Dot products with it are flows.
        chunk_elements: How many numbers to widen at once; the result does not depend on it
            beyond rounding.
    """
    size, total = whole @ whole, torch.zeros_like(whole)
    along = [whole / size if size > 0 else torch.zeros_like(whole), gradient]
    if direction is not None:
        along.append(direction)
    # With the few vectors on the left: on the right, two would take four times as long as one.
    vectors, norms = torch.stack(along), coefficients.new_empty(len(rows))
    dots = coefficients.new_empty(len(vectors), len(rows))
    for some, wide in widen(rows, coefficients, chunk_elements):
        if gain is not None:
            wide = wide * gain
        norms[some] = torch.linalg.vector_norm(wide, dim=1)
        dots[:, some] = vectors @ wide.T
        total += coefficients[some] @ wide
    dots *= coefficients
    lines = Lines(
        norm=coefficients.abs() * norms,
        share=dots[0],
        direct_logit=None if direction is None else dots[2],
        flow=dots[1],
    )
    return RowSum(lines, total)


def apply_gain(
    parts: Float[Tensor, "*batch d_model"], gain: Float[Tensor, "pos d_model"] | None, position: int
) -> Float[Tensor, "*batch d_model"]:
    """Parts of an output projection's result as parts of what is added to the residual."""
    return parts if gain is None else parts * gain[position].to(parts)


def audit_residual(
    sums: Float[Tensor, "*batch d_model"], wholes: Float[Tensor, "*batch d_model"]
) -> float:
    """The worst ``‖sum - whole‖ / ‖whole‖`` of a batch of ledgers."""
    size = wholes.norm(dim=-1).clamp_min(torch.finfo(wholes.dtype).tiny)
    return float(((sums - wholes).norm(dim=-1) / size).max())
