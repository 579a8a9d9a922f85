"""Between which rank-1 parts of two heads' circuits composition lies, from the weights alone.

A head's OV circuit is ``Σ s_i u_i v_iᵀ`` by its singular values: part ``i`` writes along ``v_i``,
and no two parts write along the same direction. What a later head reads through a circuit ``M`` (as
``composition`` has it: into its query, its key or its value) is likewise ``Σ t_j p_j q_jᵀ``. Then

- part ``i`` composes with the whole of ``M`` by ``‖v_iᵀ M‖ / ‖M‖``;
- part ``i`` composes with part ``j`` of ``M`` by ``|v_i · p_j|``.

The parts' compositions make up the whole's: its square is the mean of theirs, each with the weight
``s_i² / Σ s²``. A channel of one direction, which the whole's number hides among all others, stands
out here. Chance is the strongest among as many parts of random matrices.

Source: Merullo, Eickhoff & Pavlick 2024, "Talking Heads: Understanding Inter-Layer Communication in
Transformer Language Models", section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.explore.composition import circuit_weights
from visit.models.architectures import Architecture
from visit.models.architectures.base import Sizes

Place = tuple[int, int]
"""A head, as (layer, head)."""
_DRAWN = 4
"""How many random pairs chance is the mean of."""


@dataclass(frozen=True, slots=True)
class CircuitParts:
    """A circuit ``Σ s_i u_i v_iᵀ`` by its singular values, the largest first.

    Attributes:
        reads: ``u_i``, a column each, of length 1.
        sizes: ``s_i``.
        writes: ``v_i``, a column each, of length 1.
    """

    reads: Float[Tensor, "d_model d_head"]
    sizes: Float[Tensor, " d_head"]
    writes: Float[Tensor, "d_model d_head"]

    @property
    def shares(self) -> Float[Tensor, " d_head"]:
        """Of the circuit's squared norm, what each part has; 0 throughout where that is 0."""
        squares = self.sizes.square()
        shares: Tensor = squares / squares.sum().clamp_min(torch.finfo(squares.dtype).tiny)
        return shares

    @property
    def turned(self) -> CircuitParts:
        """The circuit's transpose."""
        return CircuitParts(self.writes, self.sizes, self.reads)


@dataclass(frozen=True, slots=True)
class HeadParts:
    """A head's circuits by their parts.

    Attributes:
        ov: What it moves, from what it reads to what it writes.
        qk: What it looks for, from what queries are made of to what keys are made of.
    """

    ov: CircuitParts
    qk: CircuitParts

    def read_by(self, side: str) -> CircuitParts:
        """The circuit through which a side reads what was written: ``q``, ``k`` or ``v``."""
        return {"q": self.qk, "k": self.qk.turned, "v": self.ov}[side]


@dataclass(frozen=True, slots=True)
class PartsComposed:
    """How each part of a writer composes with what one side of a reader reads.

    Attributes:
        whole: With the whole of it.
        cosines: With each of its parts.
    """

    whole: Float[Tensor, " written"]
    cosines: Float[Tensor, "written read"]


def parts_of_product(
    left: Float[Tensor, "d_model d_head"], right: Float[Tensor, "d_model d_head"]
) -> CircuitParts:
    """``left rightᵀ`` by its singular values, which no ``d_model`` by ``d_model`` is made for."""
    (left_basis, left_core), (right_basis, right_core) = (
        torch.linalg.qr(w.double()) for w in (left, right)
    )
    u, sizes, v = torch.linalg.svd(left_core @ right_core.T)
    return CircuitParts(left_basis @ u, sizes, right_basis @ v.T)


def parts_of_heads(
    architecture: Architecture, places: Iterable[Place], tell: Callable[[float], None]
) -> dict[Place, HeadParts]:
    """The circuits of some heads by their parts, in float64.

    Args:
        architecture: The model.
        places: The heads.
        tell: Told how far it is, 0 to 1; what it raises ends the work.
    """
    wanted, found = sorted(set(places)), dict[Place, HeadParts]()
    for layer in sorted({layer for layer, _ in wanted}):
        w_q, w_k, w_v, w_o = circuit_weights(architecture.blocks[layer], torch.float64)
        for place in wanted:
            if place[0] == layer:
                head = place[1]
                found[place] = HeadParts(
                    ov=parts_of_product(w_v[head], w_o[head].T),
                    qk=parts_of_product(w_q[head], w_k[head]),
                )
        tell(len(found) / len(wanted))
    return found


def compose_parts(written: CircuitParts, read: CircuitParts) -> PartsComposed:
    """How the parts of what a head writes compose with what one side of a later head reads.

    Args:
        written: The writer's OV circuit.
        read: The reader's circuit on a side, as ``HeadParts.read_by`` gives it.
    """
    cosines = (written.writes.T @ read.reads).abs()
    return PartsComposed((cosines.square() @ read.shares).sqrt(), cosines)


def chance_of_parts(sizes: Sizes, seed: int) -> tuple[float, float]:
    """The strongest part's composition between random heads of the same sizes.

    Returns:
        With the whole of a circuit, and with a part of it: each the mean over a few pairs.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw() -> CircuitParts:
        left, right = (
            torch.randn(sizes.d_model, sizes.d_head, generator=generator, dtype=torch.float64)
            for _ in range(2)
        )
        return parts_of_product(left, right)

    most = []
    for _ in range(_DRAWN):
        composed = compose_parts(draw(), draw())
        most.append(torch.stack([composed.whole.max(), composed.cosines.max()]))
    whole, part = torch.stack(most).mean(0).tolist()
    return whole, part
