"""Changing a forward pass at its sites while it runs, with the model's own modules.

Every way is one of two changes. What a site holds becomes ``factor · what it holds + constant``
(zero, mean, resample, patch, scale, add), or a head may not read a source (knock-out). ``edit``
hangs hooks on the submodules of one block that do this, for one pass or for several that run as the
rows of a batch.

Where a part is changed together with what it is a part of, the part is changed first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor, nn

from visit.errors import ModelError, RequestError
from visit.graph.interventions import Intervention, Site, Way
from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Block, Experts, Mlp
from visit.tracing.hooks import asking_for_attention, named_arguments


class _Place(IntEnum):
    """Where in a block a site is changed, in the order of the pass."""

    ENTERING = 0
    PATTERN = 1
    Z = 2
    ATTN_RAW = 3
    ATTN = 4
    RESID_MID = 5
    ACTIVATION = 6
    MLP_RAW = 7
    MLP = 8
    LEAVING = 9


_PLACES = {
    NodeKind.EMBED: _Place.ENTERING,
    NodeKind.HEAD: _Place.Z,
    NodeKind.ATTN_NEURON: _Place.Z,
    NodeKind.ATTN_BIAS: _Place.ATTN_RAW,
    NodeKind.ATTN: _Place.ATTN,
    NodeKind.RESID_MID: _Place.RESID_MID,
    NodeKind.MEMORY_VALUE: _Place.ACTIVATION,
    NodeKind.MLP_BIAS: _Place.MLP_RAW,
    NodeKind.EXPERT: _Place.MLP_RAW,
    NodeKind.MLP: _Place.MLP,
    NodeKind.RESID_POST: _Place.LEAVING,
}


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """A change at one position, of one or more of the passes that run together.

    Attributes:
        site: Where, at one position of the prompt.
        factor: What the site's value is multiplied by.
        constant: What is added to that, in the space of ``sites.value_at``; ``None`` for nothing.
        knocks_out: Whether, instead, the site's source may not be read.
        rows: In which of the passes.
    """

    site: Site
    factor: float = 0.0
    constant: Tensor | None = None
    knocks_out: bool = False
    rows: tuple[int, ...] = (0,)

    @property
    def layer(self) -> int:
        """The block that it is made in; the embedding is changed as it enters the first."""
        return self.site.layer or 0

    @property
    def place(self) -> _Place:
        """Where in the block."""
        return _Place.PATTERN if self.knocks_out else _PLACES[self.site.kind]

    def change(self, value: Tensor) -> Tensor:
        """What becomes of the site's value."""
        changed = value * self.factor
        return changed if self.constant is None else changed + self.constant.to(changed)

    def in_rows(self, rows: Iterable[int]) -> Edit:
        """The same in others of the passes."""
        return replace(self, rows=tuple(rows))


def edits_from(
    intervention: Intervention, position: int, find: Callable[[Site], Tensor]
) -> tuple[Edit, ...]:
    """An intervention as edits, one for every position that its site stands for.

    Args:
        intervention: The change.
        position: The traced position: what comes later cannot matter.
        find: What a way that takes its value from elsewhere puts at a site with one position.
    """
    how = intervention.how
    sites = (intervention.site.at(place) for place in intervention.site.positions(position))
    match how.way:
        case Way.KNOCKOUT:
            # The first position reads itself alone, and goes on to where all readers are meant.
            all_read = intervention.site.position is None
            readers = (site for site in sites if site.position or not all_read)
            return tuple(Edit(site, knocks_out=True) for site in readers)
        case Way.ZERO:
            return tuple(Edit(site) for site in sites)
        case Way.SCALE:
            return tuple(Edit(site, how.factor) for site in sites)
        case Way.ADD:
            return tuple(Edit(site, 1.0, how.factor * find(site)) for site in sites)
        case _:
            return tuple(Edit(site, constant=find(site)) for site in sites)


@dataclass(frozen=True, slots=True)
class Window:
    """The positions that a pass runs, and what those before them gave.

    Attributes:
        start: The first; earlier ones are as they were recorded.
        before: What attention reads at the earlier positions, ``[start, d_model]``; ``None``
            where there are none.
    """

    start: int = 0
    before: Tensor | None = None


@contextmanager
def edit(block: Block, edits: Iterable[Edit], window: Window | None = None) -> Iterator[None]:
    """Have one block make these edits whenever it runs, until the context ends."""
    ordered = sorted(edits, key=lambda one: one.place)
    if not ordered:
        yield
        return
    editor = _Editor(block, window or Window())
    by_place = {place: [one for one in ordered if one.place is place] for place in _Place}
    with ExitStack() as stack:
        for remove in editor.hang({place: some for place, some in by_place.items() if some}):
            stack.callback(remove)
        yield


@contextmanager
def edit_all(architecture: Architecture, edits: Sequence[Edit]) -> Iterator[None]:
    """The same for all blocks of a model: every pass that it runs in the context is changed."""
    with ExitStack() as stack:
        for layer in sorted({one.layer for one in edits}):
            block = architecture.blocks[layer]
            stack.enter_context(edit(block, [one for one in edits if one.layer == layer]))
        yield


@dataclass(slots=True, eq=False)
class _Editor:
    """The hooks of one block, and what they tell each other during one run of it."""

    block: Block
    window: Window
    rows: int = 0
    entering: Tensor | None = None
    read: Tensor | None = None
    pattern: Tensor | None = None
    routed: Any = None
    _handles: list[Any] = field(default_factory=list)

    def hang(self, edits: dict[_Place, list[Edit]]) -> list[Callable[[], None]]:
        """Hang what these edits need; the functions that take it down again."""
        block, attention = self.block, self.block.attention
        self._before(block.module, lambda args, named: self._enter(args, named, edits))
        if any(one.site.source is not None for one in edits.get(_Place.Z, ())):
            self._before(attention.module, self._see_pattern)
        if _Place.Z in edits:
            self._before(attention.output, self._changes_input(edits[_Place.Z]))
        raw = edits.get(_Place.ATTN_RAW, [])
        written = edits.get(_Place.ATTN, []) + edits.get(_Place.RESID_MID, [])
        self._after_projection(attention.output, block.attn_norm, raw, written)
        if isinstance(block.mlp, Experts) and _Place.MLP_RAW in edits:
            self._handles.append(block.mlp.router.register_forward_hook(self._see_routing))
        if _Place.ACTIVATION in edits:
            self._before(block.mlp.output, self._changes_input(edits[_Place.ACTIVATION]))
        raw, written = edits.get(_Place.MLP_RAW, []), edits.get(_Place.MLP, [])
        self._after_projection(block.mlp.output, block.mlp_norm, raw, written)
        if _Place.LEAVING in edits:
            self._after(block.module, edits[_Place.LEAVING])
        return [handle.remove for handle in self._handles]

    def _before(self, module: nn.Module, change: Callable[[Any, Any], Any]) -> None:
        handle = module.register_forward_pre_hook(
            lambda _, args, named: change(args, named), with_kwargs=True
        )
        self._handles.append(handle)

    def _after_projection(
        self, projection: nn.Module, norm: Any, raw: list[Edit], written: list[Edit]
    ) -> None:
        """Edits of a projection's output, and of what it becomes after an output norm."""
        if norm is None:
            self._after(projection, raw + written)
        else:
            self._after(projection, raw)
            self._after(norm.module, written)

    def _after(self, module: nn.Module, edits: list[Edit]) -> None:
        if not edits:
            return

        def change(_: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            first = output[0] if isinstance(output, tuple) else output
            read = args[0] if args else None
            changed = self._edited(first, edits, read)
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        self._handles.append(module.register_forward_hook(change))

    def _changes_input(self, edits: list[Edit]) -> Callable[[Any, Any], Any]:
        return lambda args, named: ((self._edited(args[0], edits, None), *args[1:]), named)

    def _enter(self, args: Any, named: Any, edits: dict[_Place, list[Edit]]) -> Any:
        residual = args[0] if args else named["hidden_states"]
        self.rows = len(residual)
        if _Place.ENTERING in edits:
            residual = self._edited(residual, edits[_Place.ENTERING], None)
            args, named = with_residual(args, named, residual)
        self.entering = residual
        knocked = edits.get(_Place.PATTERN)
        if not knocked:
            return args, named
        return (), self._masked(named_arguments(self.block.module, args, named), knocked)

    def _masked(self, named: dict[str, Any], edits: list[Edit]) -> dict[str, Any]:
        """The block's arguments with scores of minus infinity where heads may not read."""
        mask = named.get("attention_mask")
        if not isinstance(mask, Tensor):
            kind = type(self.block.module).__name__
            raise ModelError(f"{kind} takes no attention mask by name; nothing can be knocked out")
        n_heads = len(self.block.attention.w_q)
        mask = mask.expand(self.rows, n_heads, *mask.shape[2:]).clone()
        if mask.dtype is torch.bool:
            raise ModelError("the attention mask is no float; nothing can be knocked out")
        n_run = self.entering.shape[1]  # type: ignore[union-attr]
        # A sliding window leaves some out; transformers 4 makes some masks one wider than it needs.
        outside = max(0, self.window.start + n_run - mask.shape[-1])
        for one in edits:
            key = one.site.source - outside  # type: ignore[operator]
            if key >= 0:
                at = (_index_of(one.rows), one.site.number, self._index(one))
                mask[(*at, key)] = -torch.inf
                if (mask[at] <= torch.finfo(mask.dtype).min).all(-1).any():
                    raise RequestError(
                        f"{one.site} was the last source left to its head there, which would read "
                        "nothing; leave one source in, or take the head off with zero"
                    )
        return {**named, "attention_mask": mask}

    def _see_pattern(self, args: Any, named: Any) -> Any:
        """Run attention once more, since what it read is known only once it has written."""
        self.read = args[0] if args else named["hidden_states"]
        self.pattern = None  # meanwhile no head is changed
        forward = self.block.attention.module.forward
        self.pattern = forward(*args, **asking_for_attention(named))[1]
        return None

    def _see_routing(self, module: nn.Module, args: Any, output: Any) -> None:
        mixture = self.block.mlp
        assert isinstance(mixture, Experts)
        self.routed = mixture.routing(output)

    def _edited(self, tensor: Tensor, edits: list[Edit], read: Tensor | None) -> Tensor:
        """A copy of ``[row, pos, ...]``, however it is flattened, with the edits made."""
        rows = tensor.clone().reshape(self.rows, -1, tensor.shape[-1])
        if read is not None:
            read = read.reshape(self.rows, -1, read.shape[-1])
        for one in edits:
            self._edit(rows, one, read)
        return rows.reshape(tensor.shape)

    def _index(self, one: Edit) -> int:
        assert one.site.position is not None
        return one.site.position - self.window.start

    def _edit(self, rows: Tensor, one: Edit, read: Tensor | None) -> None:
        """Make an edit in place, in all passes that it is made in."""
        site, scale = one.site, self.block.write_scale
        at: tuple[Any, ...] = (_index_of(one.rows), self._index(one))
        match site.kind:
            case NodeKind.HEAD:
                heads = rows.unflatten(-1, (len(self.block.attention.w_o), -1))
                at = (*at, site.number)
                if site.source is None:
                    heads[at] = one.change(heads[at])
                elif self.pattern is not None:
                    part = self._source_part(one)
                    heads[at] += one.change(part) - part
            case NodeKind.ATTN_NEURON | NodeKind.MEMORY_VALUE:
                at = (*at, site.number)
                rows[at] = one.change(rows[at])
            case NodeKind.ATTN_BIAS:
                rows[at] += self.block.attention.b_o.to(rows) * (one.factor - 1)  # type: ignore[union-attr]
            case NodeKind.MLP_BIAS:
                assert isinstance(self.block.mlp, Mlp) and self.block.mlp.b_out is not None
                rows[at] += self.block.mlp.b_out.to(rows) * (one.factor - 1)
            case NodeKind.EXPERT:
                assert read is not None
                part = self._expert_part(one, read[at])
                rows[at] += one.change(part) - part
            case NodeKind.ATTN | NodeKind.MLP:
                rows[at] = one.change(rows[at] * scale) / scale
            case NodeKind.RESID_MID:
                before = self.entering[at]  # type: ignore[index]
                rows[at] = (one.change(before + rows[at] * scale) - before) / scale
            case _:
                rows[at] = one.change(rows[at])

    def _source_part(self, one: Edit) -> Tensor:
        """What a head takes from a source in these very passes, ``[row, d_head]``."""
        source, head = one.site.source, one.site.number
        assert self.read is not None and self.pattern is not None
        assert source is not None and head is not None
        rows, place, start = _index_of(one.rows), self._index(one), self.window.start
        if source >= start:
            read = self.read[rows, source - start]
        else:
            assert self.window.before is not None
            read = self.window.before[source : source + 1].to(self.read)
        key = source - (start + self.read.shape[1] - self.pattern.shape[-1])
        if key < 0:
            return torch.zeros_like(self.block.attention.value(read, head))
        return self.block.attention.value(read, head) * self.pattern[rows, head, place, key, None]

    def _expert_part(self, one: Edit, read: Tensor) -> Tensor:
        """What an expert writes in these very passes; zero where it is not routed to."""
        mixture = self.block.mlp
        assert isinstance(mixture, Experts) and self.routed is not None
        weights, numbers = (part.unflatten(0, (self.rows, -1)) for part in self.routed)
        at = _index_of(one.rows), self._index(one)
        weight = (weights[at] * (numbers[at] == one.site.number)).sum(-1, keepdim=True)
        part: Tensor = mixture.experts[one.site.number](read) * weight  # type: ignore[index]
        return part


def _index_of(rows: tuple[int, ...]) -> slice | list[int]:
    """Some rows of a batch as an index that keeps them a batch; of one, a view."""
    return slice(rows[0], rows[0] + 1) if len(rows) == 1 else list(rows)


def with_residual(args: Any, named: Any, residual: Tensor) -> tuple[Any, Any]:
    """A block's arguments with another residual that enters."""
    if args:
        return (residual, *args[1:]), named
    return args, {**named, "hidden_states": residual}
