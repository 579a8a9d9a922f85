"""One head's scores as the model makes them: how its queries and keys come of the residual.

Everything between the residual and the softmax stands here once: the layer's norm, the projections
and their biases, the norms of queries and keys, the rotation, the scale, what is added for the
positions, and the cap. ``scores`` takes it apart with all norms' scales held, and ``attended``
does it again with something taken out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Norm
from visit.tracing.rotation import Rotation, find_position_bias, find_rotation
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class HeadNorm:
    """The norm of queries or keys, as one head has it.

    Attributes:
        norm: The head's own, or the one for all heads together.
        gain: The head's gain.
        bias: What the norm adds for the head; zero where it adds nothing.
        weight: Of what the norm takes its scale of, from the residual: this head, or all of them.
        constant: What is added to that for the layer norm's bias and the projection's.
    """

    norm: Norm
    gain: Float[Tensor, " d_head"]
    bias: Float[Tensor, " d_head"]
    weight: Float[Tensor, "d_model d_normed"]
    constant: Float[Tensor, " d_normed"]

    def linear(
        self, x: Float[Tensor, "*any d_head"], scale: Float[Tensor, "*some 1"]
    ) -> Float[Tensor, "*any d_head"]:
        """A part of a query or key through the norm, its scale held, without its bias."""
        if self.norm.centers:
            x = x - x.mean(-1, keepdim=True)
        return x * scale * self.gain


@dataclass(frozen=True, slots=True, eq=False)
class HeadSide:
    """How one head makes its queries, or its keys, of the residuals that its layer reads.

    Attributes:
        weight: From the residual, with the gain of the layer's norm in it; its scale aside.
        ln1: The layer's norm, or ``None``.
        ln1_scale: Its scale at every position; 1 where there is no norm.
        constants: What the norm's bias and the projection's own come to: a row for each that the
            model's layer has.
        norm: The norm of queries or keys, or ``None``.
        norm_scale: Its scale at every position; 1 where there is no norm.
        rotation: What they are turned by, or ``None``.
        whole: The queries or keys at every position, as they meet.
    """

    weight: Float[Tensor, "d_model d_head"]
    ln1: Norm | None
    ln1_scale: Float[Tensor, "pos 1"]
    constants: Float[Tensor, "constant d_head"]
    norm: HeadNorm | None
    norm_scale: Float[Tensor, "pos 1"]
    rotation: Rotation | None
    whole: Float[Tensor, "pos d_head"]

    def finish(
        self, raw: Float[Tensor, "some_pos part d_head"], positions: list[int]
    ) -> Float[Tensor, "some_pos part d_head"]:
        """What parts of the residuals, times ``weight``, are in the queries or keys.

        Args:
            raw: The parts, which are overwritten.
            positions: Where they are.
        """
        raw *= self.ln1_scale[positions].unsqueeze(1)
        return self._meet(raw, positions)

    def constant_parts(self, positions: list[int]) -> Float[Tensor, "some_pos constant d_head"]:
        """What the biases are in the queries or keys; a norm's of queries or keys is in the own."""
        parts = self._meet(self.constants.expand(len(positions), -1, -1), positions)
        if self.norm is None or not len(self.constants):
            return parts
        added = self._turn(self.norm.bias.expand(len(positions), 1, -1), positions)
        return torch.cat([parts[:, :-1], parts[:, -1:] + added], dim=1)

    def without_each(
        self,
        resid: Float[Tensor, " d_model"],
        parts: Float[Tensor, "part d_model"],
        position: int,
    ) -> Float[Tensor, "part_or_constant d_head"]:
        """The query or key at a position with one part taken out each time, made again with it.

        Nothing is held: all norms take the scales that they have without the part.

        Args:
            resid: The residual there.
            parts: What was written into it.
            position: The position.
        """
        n_parts, n_constants = len(parts), len(self.constants)
        rows = torch.cat([resid - parts, resid.expand(n_constants, -1)])
        scale = 1.0 if self.ln1 is None else self.ln1.scale(rows)
        raw = rows @ self.weight * scale + self.constants.sum(0)
        raw[n_parts:] -= self.constants
        if self.norm is not None:
            of = rows @ self.norm.weight * scale + self.norm.constant
            if self.norm.weight.shape[1] == self.weight.shape[1]:
                of = raw
            raw = self.norm.linear(raw, self.norm.norm.scale(of)) + self.norm.bias
            if n_constants:
                raw[-1] -= self.norm.bias
        return self._turn(raw.unsqueeze(0), [position])[0]

    def _meet(self, x: Tensor, positions: list[int]) -> Tensor:
        """Through the norm of queries or keys with its scale held, and turned."""
        if self.norm is not None:
            x = self.norm.linear(x, self.norm_scale[positions].unsqueeze(1))
        return self._turn(x, positions)

    def _turn(self, x: Tensor, positions: list[int]) -> Tensor:
        return x if self.rotation is None else self.rotation.rotate(x, positions)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredHead:
    """One head's scores, from every reader to every source.

    Attributes:
        layer: Its layer.
        head: Its number.
        query: How its queries are made.
        key: How its keys are.
        scale: What a query-key product is multiplied by.
        bias: What is added to that for the positions; zero where the model adds nothing.
        cap: The scores' soft-cap, or ``None``.
        seen: Which sources a reader sees: those that get any attention.
        scores: Before the cap.
    """

    layer: int
    head: int
    query: HeadSide
    key: HeadSide
    scale: float
    bias: Float[Tensor, "reader source"]
    cap: float | None
    seen: Bool[Tensor, "reader source"]
    scores: Float[Tensor, "reader source"]

    def attend(
        self, scores: Float[Tensor, "*any source"], seen: Bool[Tensor, "*some source"]
    ) -> Float[Tensor, "*any source"]:
        """The attention that scores give: capped, hidden where not seen, through the softmax."""
        if self.cap is not None:
            scores = self.cap * torch.tanh(scores / self.cap)
        return scores.masked_fill(~seen, -torch.inf).softmax(-1)

    def attend_with(
        self,
        made: Float[Tensor, "row d_head"],
        side: NodeKind,
        reader: int,
        source: int,
    ) -> Float[Tensor, " row"]:
        """The attention of a reader to a source with another query, or another key, each time.

        Args:
            made: The queries of the reader, or keys of the source, to put in place of its own.
            side: Which they are: ``NodeKind.QUERY`` or ``NodeKind.KEY``.
            reader: The position that reads.
            source: The position whose attention is told.
        """
        if side is NodeKind.QUERY:
            scores = made @ self.key.whole.T * self.scale + self.bias[reader]
        else:
            scores = self.scores[reader].repeat(len(made), 1)
            products = made @ self.query.whole[reader] * self.scale
            scores[:, source] = products + self.bias[reader, source]
        return self.attend(scores, self.seen[reader])[:, source]


def score_head(
    architecture: Architecture, trace: Trace, layer: int, head: int, dtype: torch.dtype
) -> ScoredHead:
    """One head's scores, made again of what its layer read.

    Args:
        architecture: The model.
        trace: The forward pass.
        layer: The head's layer.
        head: Its number.
        dtype: What it is computed in.
    """
    attention = architecture.blocks[layer].attention
    shared = head * len(attention.w_k) // len(attention.w_q)  # as circuits.repeat_kv_heads has it
    rotation = find_rotation(attention, trace, layer)
    biases = (attention.b_q, attention.b_k)
    norms = [norm for norm in (attention.q_norm, attention.k_norm) if norm is not None]
    has_own = any(one is not None for one in (*biases, *(norm.bias for norm in norms)))

    def side(weight: Tensor, bias: Tensor | None, norm: Norm | None, number: int) -> HeadSide:
        made = _Projection(weight, bias, number, dtype)
        return _make_side(architecture, trace, layer, made, norm, rotation, has_own=has_own)

    query = side(attention.w_q, attention.b_q, attention.q_norm, head)
    key = side(attention.w_k, attention.b_k, attention.k_norm, shared)
    added = find_position_bias(attention, trace, layer, head)
    products = query.whole @ key.whole.T * attention.score_scale
    bias = torch.zeros_like(products) if added is None else added.to(products)
    return ScoredHead(
        layer=layer,
        head=head,
        query=query,
        key=key,
        scale=attention.score_scale,
        bias=bias,
        cap=attention.score_cap,
        seen=trace.layers[layer].attention[head] > 0,
        scores=products + bias,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Projection:
    """The weights of all queries or keys of a layer, and which is the head's.

    Attributes:
        weight: Of all heads, in the model's dtype.
        bias: Likewise, or ``None``.
        number: The head's.
        dtype: What is computed in.
    """

    weight: Float[Tensor, "any_head d_model d_head"]
    bias: Float[Tensor, "any_head d_head"] | None
    number: int
    dtype: torch.dtype

    def take(
        self, numbers: list[int]
    ) -> tuple[Float[Tensor, "d_model together"], Float[Tensor, " together"]]:
        """The weights and the bias of some heads, side by side; a bias of zero where none is."""
        weight = self.weight[numbers].to(self.dtype).transpose(0, 1).flatten(1)
        if self.bias is None:
            return weight, torch.zeros_like(weight[0])
        return weight, self.bias[numbers].to(weight).flatten()


def _make_side(
    architecture: Architecture,
    trace: Trace,
    layer: int,
    made: _Projection,
    norm: Norm | None,
    rotation: Rotation | None,
    *,
    has_own: bool,
) -> HeadSide:
    ln1, resid = architecture.blocks[layer].ln1, trace.layers[layer].resid_pre.to(made.dtype)
    weight, own = made.take([made.number])
    ones = torch.ones_like(resid[:, :1])
    ln1_scale = ones if ln1 is None else ln1.scale(resid)
    constants = [own] if has_own else []
    if ln1 is not None and ln1.bias is not None:
        constants = [ln1.bias.to(weight) @ weight, *constants]
    held = torch.stack(constants) if constants else weight[:0]
    from_resid = _through(ln1, weight)
    whole = resid @ from_resid * ln1_scale + held.sum(0)
    head_norm, norm_scale = None, ones
    if norm is not None:
        head_norm = _norm_of_head(norm, ln1, made)
        of = resid @ head_norm.weight * ln1_scale + head_norm.constant
        norm_scale = norm.scale(of)
        whole = head_norm.linear(whole, norm_scale) + head_norm.bias
    if rotation is not None:
        whole = rotation.rotate(whole, list(range(len(whole))))
    return HeadSide(from_resid, ln1, ln1_scale, held, head_norm, norm_scale, rotation, whole)


def _norm_of_head(norm: Norm, ln1: Norm | None, made: _Projection) -> HeadNorm:
    """A norm of queries or keys as one head has it.

    Raises:
        ValueError: it takes the mean of all heads away, so that one head is no sum by itself.
    """
    n_heads, _, d_head = made.weight.shape
    is_shared = len(norm.gain) != d_head
    if is_shared and norm.centers:
        raise ValueError("a norm that centres all heads together leaves no head by itself")
    flat, constant = made.take(list(range(n_heads)) if is_shared else [made.number])
    if ln1 is not None and ln1.bias is not None:
        constant = constant + ln1.bias.to(flat) @ flat

    def own(vector: Tensor) -> Tensor:
        by_head: Tensor = vector.to(flat).unflatten(0, (-1, d_head))
        return by_head[made.number if is_shared else 0]

    bias = torch.zeros_like(flat[0, :d_head]) if norm.bias is None else own(norm.bias)
    return HeadNorm(norm, own(norm.gain), bias, _through(ln1, flat), constant)


def _through(
    ln1: Norm | None, weight: Float[Tensor, "d_model any"]
) -> Float[Tensor, "d_model any"]:
    """Weights of what a norm gives as weights of what it reads, its scale aside."""
    return weight if ln1 is None else ln1.pulled_back(weight.T).T
