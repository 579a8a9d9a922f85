"""The continuations of one prompt that a page keeps: a small tree, as its address says it too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

MOST_BRANCHES = 12
"""The oldest goes when there are more."""
_WRITTEN = re.compile(
    r"(?P<n>[1-9]\d{0,5})-(?P<digest>[0-9a-f]{8}):(?P<kept>\d{1,9}(?:[.,]\d{1,9})*)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A branch in the tree.

    Attributes:
        ids: All of it, from the prompt's end.
        begins: How many of its first tokens the branch above has too.
        depth: How many branches it hangs from.
    """

    ids: tuple[int, ...]
    begins: int
    depth: int


@dataclass(frozen=True, slots=True)
class Branches:
    """What was written after one prompt.

    Attributes:
        n_prompt: How many tokens the prompt has.
        digest: Of the prompt's tokens, so that no other prompt is taken for it.
        kept: Each branch by its ids, the oldest first.
    """

    n_prompt: int
    digest: str
    kept: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of_prompt(cls, ids: Sequence[int]) -> Branches:
        """None yet."""
        return cls(len(ids), _digest(ids))

    @classmethod
    def parse(cls, text: object) -> Branches | None:
        """What an address says; ``None`` of anything else."""
        found = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            return None
        kept = [tuple(map(int, one.split("."))) for one in found["kept"].split(",")]
        return cls(int(found["n"]), found["digest"], tuple(kept[-MOST_BRANCHES:]))

    def __str__(self) -> str:
        """As an address says it: the inverse of ``parse``."""
        kept = ",".join(".".join(map(str, one)) for one in self.kept)
        return f"{self.n_prompt}-{self.digest}:{kept}"

    def find_shown(self, ids: Sequence[int]) -> tuple[int, ...] | None:
        """The branch that a text shows, empty for the prompt alone; ``None`` of another prompt."""
        prompt, shown = ids[: self.n_prompt], tuple(ids[self.n_prompt :])
        if len(prompt) < self.n_prompt or _digest(prompt) != self.digest:
            return None
        return shown if not shown or shown in self.kept else None

    def with_branch(self, ids: tuple[int, ...]) -> Branches:
        """These and another, which takes the place of those that it goes on from."""
        others = tuple(one for one in self.kept if one != ids[: len(one)])
        return replace(self, kept=(*others, ids)[-MOST_BRANCHES:])

    def rows(self) -> tuple[Row, ...]:
        """The tree, line by line: each branch under the one that it left last."""
        made: list[Row] = []
        for ids in self.kept:
            shared = [(_n_shared(ids, row.ids), -place) for place, row in enumerate(made)]
            begins, above = max(shared, default=(0, 0))
            if not begins:
                made.append(Row(ids, 0, 0))
                continue
            parent = made[-above]
            depth = parent.depth + 1
            place = -above + 1
            while place < len(made) and made[place].depth >= depth:
                place += 1
            made.insert(place, Row(ids, begins, depth))
        return tuple(made)


def _n_shared(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _digest(ids: Sequence[int]) -> str:
    return f"{crc32(','.join(map(str, ids)).encode()):08x}"
