"""Where in a text a memory or a head is most active: the answer to ``FindContexts``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import visible

_BEFORE, _AFTER = 28, 14
"""How many letters of a context a table shows."""


@dataclass(frozen=True, slots=True)
class Context:
    """One token of the text, with what stands around it.

    Attributes:
        value: A memory's activation there, or the L2 norm of what a head writes.
        at: The token's number in the text, from 0.
        before: The tokens before it.
        token: The token itself, at which the part writes.
        after: Those behind it, which no part has read there.
        reads: Of a head: the token that it attends to most there.
        attention: To that one.
    """

    value: float
    at: int
    before: tuple[str, ...]
    token: str
    after: tuple[str, ...]
    reads: str | None = None
    attention: float | None = None


@dataclass(frozen=True, slots=True)
class NearMemory:
    """A memory that says much the same as another.

    Attributes:
        id: Its value, at the traced position.
        sign: 1, or −1 where it is its opposite direction that does.
        correlation: Of the two's logits over the vocabulary.
        says: The tokens that it promotes most, in that direction.
    """

    id: NodeId
    sign: int
    correlation: float
    says: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the atlas names its row."""
        return f"{'-' if self.sign < 0 else ''}L{self.id.layer}.memory{self.id.index}"


@dataclass(frozen=True)
class Contexts(Explored):
    """Where one part is most active.

    Attributes:
        part: The memory's value or the head, at the traced position of the prompt.
        text: What was read: ``the bundled text``, or its beginning.
        n_tokens: How many tokens that is.
        highest: Where it is most active, the highest first.
        lowest: Where a memory's activation is lowest, if it is ever negative; empty for a head.
        here: The same number at the traced position of the prompt.
        rank: Where it would stand among the highest, or if it is negative among the lowest, from 1;
            ``None`` behind all that are kept.
        nearest: The memories that say most nearly the same, the nearest first; none for a head, and
            ``None`` where the model's atlas is not built.
    """

    name: ClassVar[str] = "contexts"

    part: NodeId
    text: str
    n_tokens: int
    highest: tuple[Context, ...] = field(repr=False)
    lowest: tuple[Context, ...] = field(repr=False)
    here: float
    rank: int | None
    nearest: tuple[NearMemory, ...] | None = field(default=(), repr=False)

    @property
    def measure(self) -> str:
        """What the numbers are."""
        return "activation" if self.part.kind is NodeKind.MEMORY_VALUE else "norm written"

    def tables(self) -> Sequence[Table]:
        """A row a context, the most active first; then a memory's nearest."""
        is_head = self.part.kind is NodeKind.HEAD
        columns = (self.measure, "token", "context", *(("reads", "attention") if is_head else ()))
        named = (("highest", self.highest), ("lowest", self.lowest))
        contexts = tuple(
            Table(
                name,
                (*columns, "at"),
                tuple(
                    (
                        one.value, one.token, _said(one),
                        *((one.reads, one.attention) if is_head else ()), one.at,
                    )
                    for one in some
                ),
            )
            for name, some in named
        )  # fmt: skip
        if not self.nearest:
            return contexts
        nearest = Table(
            "nearest",
            ("memory", "correlation", "says"),
            tuple((one.name, one.correlation, " ".join(one.says)) for one in self.nearest),
            tuple(str(one.id) for one in self.nearest),
        )
        return (*contexts, nearest)

    def findings(self) -> Sequence[str]:
        """The tokens where it is most active, and whether this prompt is one of its contexts."""
        most = sorted((*self.highest, *self.lowest), key=lambda one: -abs(one.value))
        tokens = list(dict.fromkeys(visible(one.token) for one in most))[:5]
        name = str(self.part).partition("@")[0]
        side = "lowest" if self.here < 0 else "highest"
        where = f"not among its {side} in the text"
        if self.rank is not None:
            where = f"number {self.rank} among its {side} in the text"
        if self.rank == 1:
            where = f"and nowhere in the text is it {'lower' if self.here < 0 else 'higher'}"
        said = [
            f"{name} is most active at {', '.join(f'“{token}”' for token in tokens)} in "
            f"{self.text} ({self.n_tokens:,} tokens).",
            f"On this prompt its {self.measure} is {self.here:.3g}, {where}.",
        ]
        if self.nearest is None:
            said.append(
                "Which memories are nearest is in the model's atlas, which is not built; visit "
                "atlas build does so, once."
            )
        elif self.nearest:
            near = self.nearest[0]
            words = ", ".join(f"“{visible(one)}”" for one in near.says[:3])
            said.append(
                f"Nearest to it in the atlas is {near.name}, which says {words}: a correlation of "
                f"{near.correlation:.2f}."
            )
        return tuple(said)


def _said(context: Context) -> str:
    """The context in one line, the token between brackets."""
    before, after = "".join(context.before), "".join(context.after)
    return f"{before[-_BEFORE:]}[{context.token}]{after[:_AFTER]}"
