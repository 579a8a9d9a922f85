"""Every residual of some prompts as a point in the plane: the answer to ``MapResiduals``.

Source: van Aken et al. 2020, "VisBERT".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table
from visit.graph.flow import Token
from visit.text import counted, percent, visible

_SAME = 0.99999
"""The cosine of residuals that are the same but for rounding: those of a shared beginning."""


class Projection(StrEnum):
    """How many dimensions become two."""

    PCA = "pca"
    UMAP = "umap"
    TSNE = "tsne"


@dataclass(frozen=True, slots=True)
class MappedToken:
    """One token of one prompt, through the layers.

    Attributes:
        prompt: Which prompt, from 0, the request's own.
        token: The token, at its position in that prompt.
        path: Its places: of the embedding, then of each layer's ``resid_post``.
        neighbours: At each of those depths, the numbers of the tokens whose residuals point most
            nearly the same way, the nearest first.
        cosines: To those.
        group: The number of the group that it is in, of those that were asked for.
    """

    prompt: int
    token: Token
    path: tuple[tuple[float, float], ...]
    neighbours: tuple[tuple[int, ...], ...] = field(repr=False)
    cosines: tuple[tuple[float, ...], ...] = field(repr=False)
    group: int | None = None


@dataclass(frozen=True)
class Maps(Explored):
    """Residuals at every depth, on axes that are the same for all.

    Attributes:
        projection: What made two dimensions of many.
        points: Every token that is mapped, prompt by prompt.
        left_out: Whether each prompt's first token is left out.
        scaled: Whether each residual was first made as long as any other.
        explained: Of PCA: which part of the variance each axis has; empty otherwise.
        groups: The names of the groups that were asked for.
    """

    name: ClassVar[str] = "maps"

    projection: Projection
    points: tuple[MappedToken, ...] = field(repr=False)
    left_out: bool
    scaled: bool
    explained: tuple[float, ...]
    groups: tuple[str, ...] = ()

    @property
    def n_prompts(self) -> int:
        """How many prompts there are."""
        return 1 + max(point.prompt for point in self.points)

    @property
    def n_depths(self) -> int:
        """The embedding, and a depth a layer."""
        return len(self.points[0].path)

    def tables(self) -> Sequence[Table]:
        """Neighbours in the last layer, then every place."""
        last = self.n_depths - 1
        grouped = ("group",) if self.groups else ()
        return (
            Table(
                "neighbours",
                ("prompt", "position", "token", *grouped, "nearest in the last layer", "cosine"),
                tuple(
                    (
                        point.prompt, point.token.position, point.token.text,
                        *((self._name_group(point),) if grouped else ()),
                        self.points[point.neighbours[last][0]].token.text
                        if point.neighbours[last] else None,
                        point.cosines[last][0] if point.cosines[last] else None,
                    )
                    for point in self.points
                ),
            ),
            Table(
                "places",
                ("prompt", "position", "token", "depth", "x", "y"),
                tuple(
                    (point.prompt, point.token.position, point.token.text, depth, *place)
                    for point in self.points
                    for depth, place in enumerate(point.path)
                ),
            ),
        )  # fmt: skip

    def _name_group(self, point: MappedToken) -> str | None:
        return None if point.group is None else self.groups[point.group]

    def findings(self) -> Sequence[str]:
        """How much of the residuals the map shows, and which two tokens come closest."""
        said = []
        if self.explained:
            shown = f"{percent(sum(self.explained))} of the variance of all residuals"
            said.append(f"The two axes have {shown}; the rest is not seen here.")
        else:
            said.append(
                "What is near in the space is drawn near; how far apart other points are says "
                "nothing."
            )
        pairs = [
            (cosine, place, other)
            for place, point in enumerate(self.points)
            for other, cosine in zip(point.neighbours[-1], point.cosines[-1], strict=True)
            if cosine < _SAME
        ]
        if pairs:
            cosine, one, other = max(pairs)
            texts = [visible(self.points[place].token.text) for place in (one, other)]
            said.append(
                f"In the last layer “{texts[0]}” and “{texts[1]}” point most nearly the same way: "
                f"cosine {cosine:.3f}."
            )
        if self.groups:
            counts = Counter(point.group for point in self.points)
            said.append(
                "Groups: "
                + ", ".join(
                    f"{name} {counted(counts[number], 'token')}"
                    for number, name in enumerate(self.groups)
                )
                + f"; {counted(counts[None], 'token')} in none."
            )
        return tuple(said)
