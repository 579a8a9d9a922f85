"""What can be changed in a forward pass, where, and how: as plain data and as texts.

A *site* is a node id that stands for something the pass computes, at one position or, with ``@*``,
at every one. An *intervention* is a change made to the pass at a site: ablation, patching or
steering.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from visit.errors import RequestError
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind

SITE_KINDS = (
    NodeKind.EMBED, NodeKind.RESID_MID, NodeKind.RESID_POST, NodeKind.ATTN, NodeKind.MLP,
    NodeKind.HEAD, NodeKind.MEMORY_VALUE, NodeKind.ATTN_NEURON, NodeKind.EXPERT,
    NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS,
)  # fmt: skip
"""The kinds of node that a change can be made at."""

WHOLES = MappingProxyType(
    {
        NodeKind.HEAD: NodeKind.ATTN,
        NodeKind.ATTN_NEURON: NodeKind.ATTN,
        NodeKind.ATTN_BIAS: NodeKind.ATTN,
        NodeKind.MEMORY_VALUE: NodeKind.MLP,
        NodeKind.EXPERT: NodeKind.MLP,
        NodeKind.MLP_BIAS: NodeKind.MLP,
    }
)
"""What is a part of which whole, of which it can be changed by itself."""

_SITE = re.compile(r"(?P<name>[^@]+)@(?P<position>\*|\d+)(?:<(?P<source>\d+))?")
_EXAMPLES = "'L5.head3@7', 'L5.mlp@*' or 'L5.head3@7<2'"


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """Where a change is made. ``str`` writes it and ``parse`` reads it back.

    Attributes:
        kind: What is changed.
        position: The position, or ``None`` for every one.
        layer: Its block; ``None`` for the embedding.
        number: Of a head, a memory, an attention neuron or an expert.
        source: Of a head, the position it reads from: the site is then the part that it takes
            from there. ``None`` for the whole head.
    """

    kind: NodeKind
    position: int | None
    layer: int | None = None
    number: int | None = None
    source: int | None = None

    def __post_init__(self) -> None:
        """Refuse what nothing computes.

        Raises:
            RequestError: the kind cannot be changed, or a source is not one of a head's.
        """
        if self.kind not in SITE_KINDS:
            raise RequestError(
                f"{self.kind} cannot be changed; what can is {', '.join(SITE_KINDS)}"
            )
        if self.source is None:
            return
        if self.kind is not NodeKind.HEAD:
            raise RequestError(f"{self} names a source, which only a head has; leave '<' out")
        if self.position is not None and self.source > self.position:
            raise RequestError(
                f"{self} reads from a later position; a head reads positions up to its own"
            )

    @property
    def node(self) -> NodeId:
        """The node of the graph at a site with one position, that of a source's head."""
        return self._node_at(0 if self.position is None else self.position)

    def at(self, position: int) -> Site:
        """The same site at one position."""
        return Site(self.kind, position, self.layer, self.number, self.source)

    def positions(self, traced: int) -> tuple[int, ...]:
        """The positions that it stands for, up to the traced one.

        A source's part is taken only by the positions from it on.
        """
        if self.position is not None:
            return (self.position,)
        return tuple(range(self.source or 0, traced + 1))

    def wholes(self) -> Iterator[Site]:
        """The sites that this one is a part of, if they are changed: what becomes of them decides.

        A position of the same site, of a source's part the head, and the block around either.
        """
        for position in dict.fromkeys((self.position, None)):
            if position != self.position:
                yield replace(self, position=position)
            if self.source is not None:
                yield replace(self, position=position, source=None)
            if self.kind in WHOLES:
                yield Site(WHOLES[self.kind], position, self.layer)

    def _node_at(self, position: int) -> NodeId:
        head, index = (self.number, None) if self.kind is NodeKind.HEAD else (None, self.number)
        return NodeId(self.kind, position, self.layer, head, index)

    def __str__(self) -> str:
        """The site as documents and the command line have it, like ``L5.head3@7<2``."""
        text = str(self.node)
        if self.position is None:
            text = text.removesuffix("@0") + "@*"
        return text if self.source is None else f"{text}<{self.source}"

    @classmethod
    def parse(cls, text: str) -> Site:
        """Read a site back.

        Raises:
            RequestError: the text is no site, or no site that can be changed.
        """
        match = _SITE.fullmatch(text)
        if match is None:
            raise RequestError(f"{text!r} is not a site; one looks like {_EXAMPLES}")
        everywhere = match["position"] == "*"
        try:
            node = NodeId.parse(f"{match['name']}@{0 if everywhere else match['position']}")
        except ValueError:
            raise RequestError(f"{text!r} is not a site; one looks like {_EXAMPLES}") from None
        return cls(
            node.kind,
            None if everywhere else node.position,
            node.layer,
            node.number,
            None if match["source"] is None else int(match["source"]),
        )

    @classmethod
    def from_node(cls, node: NodeId) -> Site:
        """The site at a node.

        Raises:
            RequestError: nothing can be changed there.
        """
        return cls(node.kind, node.position, node.layer, node.number)


class Way(StrEnum):
    """How a site is changed."""

    ZERO = "zero"
    MEAN = "mean"
    RESAMPLE = "resample"
    PATCH = "patch"
    SCALE = "scale"
    ADD = "add"
    KNOCKOUT = "knockout"


WAY_WORDS = {
    Way.ZERO: "set to zero",
    Way.MEAN: "set to its mean over positions of the reference",
    Way.RESAMPLE: "set to its value at a position of the reference, drawn at random",
    Way.PATCH: "set to its value at the same position of the reference",
    Way.SCALE: "multiplied by a number",
    Way.ADD: "moved by a number times its value at the same position of the reference",
    Way.KNOCKOUT: "not read: the score is minus infinity, and the pattern adds to 1 again",
}
"""What each way does, in a few words."""


class Positions(StrEnum):
    """Where a sort's parts are: the traced position, all of them together, or each by itself."""

    TRACED = "traced"
    ALL = "all"
    EACH = "each"


class Unit(StrEnum):
    """What a change is of.

    The request's metric, the target's log-probability, or the whole prediction's divergence from
    the plain one.
    """

    METRIC = "metric"
    LOGPROB = "logprob"
    KL = "kl"


SORTS = {
    "heads": NodeKind.HEAD,
    "memories": NodeKind.MEMORY_VALUE,
    "attn": NodeKind.ATTN,
    "mlp": NodeKind.MLP,
    "resid": NodeKind.RESID_POST,
    "embed": NodeKind.EMBED,
}
"""What stands for all parts of one sort."""

OWN_PROMPT = "prompt"
"""As the reference of a mean: the prompt's own positions."""

ABLATING_WAYS = (Way.ZERO, Way.MEAN, Way.RESAMPLE, Way.PATCH)
"""The ways that leave nothing of what a part had to say on the prompt."""

NEED_REFERENCE = (Way.RESAMPLE, Way.PATCH, Way.ADD)
"""The ways that are nothing without another prompt."""


@dataclass(frozen=True, slots=True)
class How:
    """A way, with its number where it has one. ``str`` writes it and ``parse`` reads it back.

    Attributes:
        way: Zero, mean, resample, patch, scale, add or knockout.
        factor: What ``scale`` multiplies by, or how much ``add`` adds; else 1.
    """

    way: Way = Way.ZERO
    factor: float = 1.0

    def __str__(self) -> str:
        """As the command line has it, like ``scale:0.5``."""
        return f"{self.way}:{self.factor:g}" if self.way in (Way.SCALE, Way.ADD) else self.way

    @classmethod
    def parse(cls, text: str) -> How:
        """Read it back.

        Raises:
            RequestError: there is no such way, or its number is missing, idle or not finite.
        """
        name, colon, number = text.partition(":")
        if name not in list(Way):
            raise RequestError(f"how {text!r} is not known; give {', '.join(Way)} (scale:0.5)")
        way, takes_number = Way(name), name in (Way.SCALE, Way.ADD)
        if not colon:
            if way is Way.SCALE:
                raise RequestError("scale needs its number; give it like scale:0.5")
            return cls(way)
        try:
            factor = float(number)
        except ValueError:
            factor = math.nan
        if not takes_number or not math.isfinite(factor):
            allowed = "a finite number, like scale:0.5" if takes_number else f"{name} alone"
            raise RequestError(f"how {text!r} cannot be read; give {allowed}")
        return cls(way, factor)


@dataclass(frozen=True, slots=True)
class Intervention:
    """A change made to the forward pass at a site.

    Attributes:
        site: Where.
        how: In which way.
    """

    site: Site
    how: How = How()

    def __post_init__(self) -> None:
        """Refuse a way that the site does not have.

        Raises:
            RequestError: what is knocked out is no source of a head.
        """
        if self.how.way is Way.KNOCKOUT and self.site.source is None:
            raise RequestError(
                f"{self.site} cannot be knocked out, since it reads nothing; name the source that "
                f"its head may not read, like 'L5.head3@7<2', or give another way"
            )

    def __str__(self) -> str:
        """As a request has it, like ``L5.head3@7 zero``."""
        return f"{self.site} {self.how}"

    @classmethod
    def parse(cls, text: str) -> Intervention:
        """Read it back; a site alone is set to zero.

        Raises:
            RequestError: the text names no site or no way, or the site does not have the way.
        """
        site, _, how = text.strip().partition(" ")
        return cls(Site.parse(site), How.parse(how.strip()) if how else How())


DRAWN_KINDS = (
    NodeKind.HEAD, NodeKind.ATTN, NodeKind.MLP, NodeKind.MEMORY_VALUE, NodeKind.EXPERT
)  # fmt: skip
"""The parts that a whole pass can be drawn without."""

DRAWN_WAYS = (Way.ZERO, Way.SCALE, Way.KNOCKOUT)
"""The ways that leave every ledger of the changed pass adding up: what is there is made smaller or
larger, and nothing is put in its place that no part wrote."""


def texts_of_interventions(texts: tuple[str, ...]) -> tuple[str, ...]:
    """What is changed in a pass that is drawn, each text as ``Intervention`` writes it.

    Raises:
        RequestError: a text is no intervention, it cannot be drawn, or a site is named twice.
    """
    found: dict[Site, Intervention] = {}
    for one in map(Intervention.parse, texts):
        if one.site in found:
            raise RequestError(f"{one.site} is to be changed twice; name it once")
        if one.site.kind not in DRAWN_KINDS:
            raise RequestError(
                f"a pass without {one.site} can be measured but not drawn; draw one without "
                f"{', '.join(DRAWN_KINDS)}"
            )
        if one.how.way not in DRAWN_WAYS:
            raise RequestError(
                f"a pass with {one} can be measured but not drawn, since what is put there is "
                f"written by no part of it; give {', '.join(DRAWN_WAYS)}"
            )
        found[one.site] = one
    return tuple(map(str, found.values()))
