"""How much heads could write into what later heads read, from the weights alone.

Composition of an earlier head ``A`` with a later one ``B``, with rows as vectors (``x @ W``):

- Q: ``‖OV_A · W_Q W_Kᵀ‖ / (‖OV_A‖ ‖W_Q W_Kᵀ‖)``, what ``A`` writes as what ``B`` looks for;
- K: likewise with ``W_K W_Qᵀ``, as what ``B`` is found by;
- V: likewise with ``OV_B``, as what ``B`` moves.

All norms are Frobenius norms. Each of the matrices has rank ``d_head``, so none is ever made: that
of ``L R`` is that of ``sqrt(Lᵀ L) R``, whose root is ``d_head`` by ``d_head``. The norm's gain is
folded into what reads, and an output norm's gain and multipliers into what writes; rotary
embeddings, query and key norms and all biases are left out.

Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution import circuits
from visit.models.architectures import Architecture
from visit.models.architectures.base import Block, Sizes

SIDES = ("q", "k", "v")
_ROWS = 64
"""How many rows of ``d_model`` by ``d_model`` products are held at a time."""
_READERS = 64
"""Of how many readers the products are made at a time, each with the heads before them alone."""
_DRAWN = 8
"""How many random pairs the baseline is the mean of."""


@dataclass(frozen=True, slots=True)
class Factors:
    """Every head's circuits as factors of rank ``d_head``, all heads of the model in order.

    Attributes:
        write: ``[d_head, d_model]``: ``writeᵀ write`` is ``OVᵀ OV``.
        read: By side, ``[d_model, d_head]``: ``read readᵀ`` is the circuit times its transpose.
        norms: By side, of the circuit itself.
        layers: Each head's layer.
    """

    write: Float[Tensor, "head d_head d_model"]
    read: dict[str, Float[Tensor, "head d_model d_head"]]
    norms: dict[str, Float[Tensor, " head"]]
    layers: list[int]


def factors_of(architecture: Architecture) -> Factors:
    """The circuits of every head, in float32."""
    write, layers = [], []
    read: dict[str, list[Tensor]] = {side: [] for side in SIDES}
    for layer, block in enumerate(architecture.blocks):
        w_q, w_k, w_v, w_o = circuit_weights(block, torch.float32)
        root_q, root_k, root_v, root_o = (_root(w) for w in (w_q, w_k, w_v, w_o.transpose(1, 2)))
        write.append(root_v @ w_o)
        # W_Q W_Kᵀ (W_Q W_Kᵀ)ᵀ = W_Q (W_Kᵀ W_K) W_Qᵀ, and so on.
        read["q"].append(w_q @ root_k.transpose(1, 2))
        read["k"].append(w_k @ root_q.transpose(1, 2))
        read["v"].append(w_v @ root_o.transpose(1, 2))
        layers += [layer] * len(w_q)
    together = {side: torch.cat(found) for side, found in read.items()}
    norms = {side: found.flatten(1).norm(dim=1) for side, found in together.items()}
    return Factors(torch.cat(write), together, norms, layers)


def circuit_weights(
    block: Block, dtype: torch.dtype
) -> tuple[
    Float[Tensor, "head d_model d_head"],
    Float[Tensor, "head d_model d_head"],
    Float[Tensor, "head d_model d_head"],
    Float[Tensor, "head d_head d_model"],
]:
    """What a layer's heads read and write with, gains folded in, shared heads repeated."""
    attention = block.attention
    n_heads = len(attention.w_q)
    w_q, w_k, w_v = (
        circuits.repeat_kv_heads(w.to(dtype), n_heads)
        for w in (attention.w_q, attention.w_k, attention.w_v)
    )
    if block.ln1 is not None:
        norm = block.ln1
        w_q, w_k, w_v = (
            norm.pulled_back(w.transpose(1, 2)).transpose(1, 2) for w in (w_q, w_k, w_v)
        )
    w_o = attention.w_o.to(dtype) * block.write_scale
    if block.attn_norm is not None:
        w_o = w_o * block.attn_norm.gain.to(dtype)
    return w_q, w_k, w_v, w_o


def _root(w: Float[Tensor, "head any d_head"]) -> Float[Tensor, "head d_head d_head"]:
    """The symmetric square root of ``wᵀ w``: as long, in every direction, as ``w``."""
    wide = w.cpu().double()  # not every device has float64
    values, vectors = torch.linalg.eigh(wide.transpose(1, 2) @ wide)
    root: Tensor = (vectors * values.clamp_min(0).sqrt().unsqueeze(1)) @ vectors.transpose(1, 2)
    return root.to(w)


def compose(
    factors: Factors, tell: Callable[[float], None]
) -> dict[str, Float[Tensor, "earlier later"]]:
    """The composition of every pair of heads, 0 where the first is not in an earlier layer.

    ``‖P S‖² = <Pᵀ P, S Sᵀ>``: for all pairs at once a product of all heads' Gram matrices, some
    rows of them at a time.

    Args:
        factors: The circuits.
        tell: Told how far it is, 0 to 1; what it raises ends the work.
    """
    n_heads, _, d_model = factors.write.shape
    squares = {side: factors.write.new_zeros(n_heads, n_heads) for side in SIDES}
    for begin in range(0, d_model, _ROWS):
        rows = slice(begin, min(begin + _ROWS, d_model))
        # Both are symmetric: what is right of these rows counts twice.
        left = factors.write[:, :, rows].transpose(1, 2) @ factors.write[:, :, begin:]
        width = rows.stop - begin
        left[:, :, width:] *= 2
        flat = left.flatten(1)
        for side, read in factors.read.items():
            right = (read[:, rows] @ read[:, begin:].transpose(1, 2)).flatten(1)
            for start in range(0, n_heads, _READERS):
                # Heads are in order: those behind these readers write nothing that they read.
                stop = min(start + _READERS, n_heads)
                squares[side][:stop, start:stop].addmm_(flat[:stop], right[start:stop].T)
        tell(rows.stop / d_model)
    layers = torch.tensor(factors.layers, device=factors.write.device)
    is_earlier = layers[:, None] < layers[None]
    own = factors.write.flatten(1).norm(dim=1)
    tiny = torch.finfo(torch.float32).tiny
    return {
        side: torch.where(
            is_earlier,
            found.clamp_min(0).sqrt() / (own[:, None] * factors.norms[side][None]).clamp_min(tiny),
            0.0,
        )
        for side, found in squares.items()
    }


def baseline(sizes: Sizes, seed: int) -> float:
    """The composition of random matrices of the same sizes and ranks: the mean of a few pairs."""
    d_head, d_model = sizes.d_head, sizes.d_model
    generator = torch.Generator().manual_seed(seed)

    def draw(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator)

    found = []
    for _ in range(_DRAWN):
        (a, b), (c, d) = ((draw(d_model, d_head), draw(d_head, d_model)) for _ in range(2))
        product = a @ ((b @ c) @ d)
        found.append(product.norm() / ((a @ b).norm() * (c @ d).norm()))
    return float(torch.stack(found).mean())
