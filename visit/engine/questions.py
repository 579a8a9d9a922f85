"""What can be asked of a model. Every question names its answer's type, and is plain data.

A question goes to JSON and back, so that a queue, a cancel button, another process or an HTTP call
carries any of them without knowing it. A new one is a frozen dataclass here::

    @dataclass(frozen=True)
    class CountTokens(Question[int]):
        '''How many tokens the prompt is.'''

and a handler of it in ``visit.assemble.answers``. It needs no entry anywhere else.
"""

# Annotations are types here, not texts: subclasses in other modules inherit them.
from dataclasses import dataclass, field, fields
from typing import Annotated, ClassVar, Generic, TypeVar

from visit.errors import RequestError
from visit.graph.circuit import Circuit, Score
from visit.graph.consensus import Consensus
from visit.graph.effects import Effects
from visit.graph.fields import Range, hints_of, value_from_given
from visit.graph.flow import FlowGraph, Node
from visit.graph.interventions import ABLATING_WAYS, How, Positions, Unit
from visit.graph.ranking import Ranking
from visit.graph.request import (
    Count,
    CountFromOne,
    CountFromTwo,
    PartOfOne,
    Request,
)
from visit.graph.scores import Scores
from visit.graph.template import Template
from visit.graph.upstream import Upstream

Answer = TypeVar("Answer", covariant=True)
Pattern = tuple[tuple[float, ...], ...]
"""A head's attention: a row for each reader, a column for each source; rows add to 1."""
Amount = Annotated[float, Range("0 or more", 0.0)]
FEW_SITES = 4
"""What changes no more sites is measured in a fraction of a second."""
FEW_SOURCES = 32
"""Sources of one head, which are changed in one place: as many cost a fifth more than one."""


@dataclass(frozen=True)
class Question(Generic[Answer]):
    """Something to find out about one prompt; ``Question[FlowGraph]`` is answered by a graph.

    Attributes:
        only_looks: Whether every question of this kind is a look.
        is_repeated: Whether it may well be asked again, as a page that is loaded again does: its
            answer is kept for a while.
        request: The prompt, the model that reads it, and what is to be explained.
        weights: The digest (``weights_sha256``) of the weights that must answer: those of the graph
            that is asked about. ``None`` for any under the model's name.
        may_load: Whether a model that is not in memory may be loaded for it.
    """

    only_looks: ClassVar[bool] = False
    is_repeated: ClassVar[bool] = True

    request: Request
    weights: str | None = field(default=None, kw_only=True)
    may_load: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        """Give every field but the request the type it is declared with.

        Raises:
            RequestError: one holds what it does not take, a negative count say.
        """
        kind: type = type(self)
        hints = hints_of(kind)
        for name in (one.name for one in fields(self) if one.name != "request"):
            object.__setattr__(self, name, value_from_given(name, hints[name], getattr(self, name)))

    @property
    def is_look(self) -> bool:
        """Whether it only looks at a prompt that is traced already, as a tap on its graph does.

        Such a question goes before those that trace, and between the steps of one under way.
        """
        return self.only_looks


@dataclass(frozen=True)
class Explain(Question[FlowGraph]):
    """Run the model once and take the forward pass apart.

    Attributes:
        also: Heads, MLPs and memories that are drawn whatever their strength, by their ids: those
            that another graph holds, so that the two can be compared.
    """

    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenBlock(Question[FlowGraph]):
    """One block alone, opened at one position, in the same terms as the whole.

    Attributes:
        layer: The block.
        position: Counted from the start of the prompt; negative ones count from the end.
    """

    only_looks: ClassVar[bool] = True

    layer: int
    position: int


@dataclass(frozen=True)
class DrawParts(Question[FlowGraph]):
    """Some heads, MLPs and memories by themselves, in the same terms as the whole.

    A ledger of them names these parts alone and folds the others.

    Attributes:
        parts: Their nodes' ids (``L5.head3@7``).
    """

    only_looks: ClassVar[bool] = True

    parts: tuple[str, ...]


@dataclass(frozen=True)
class ReadLens(Question[tuple[Node, ...]]):
    """What every residual of some positions says: the embedding, then each layer's resid_post.

    It is answered by a node for every position and depth, whether or not it is on the route: those
    of the first position from the embedding on, then those of the next.

    Attributes:
        positions: In any order; negative ones count from the end.
    """

    only_looks: ClassVar[bool] = True

    positions: tuple[int, ...]


@dataclass(frozen=True)
class ReadPattern(Question[Pattern]):
    """One head's attention, from every reader to every source.

    Attributes:
        layer: The layer that the head is in.
        head: Its number there.
    """

    only_looks: ClassVar[bool] = True

    layer: int
    head: int


@dataclass(frozen=True)
class RankParts(Question[Ranking]):
    """Every part that writes at the traced position, and what it does to the tokens in the end.

    Attributes:
        memories: How many memories of a layer, the strongest by flow.
    """

    only_looks: ClassVar[bool] = True

    memories: Count = 25


@dataclass(frozen=True)
class ReadUpstream(Question[Upstream]):
    """What feeds a part: how much of its flow comes through each part that wrote what it reads.

    Attributes:
        node: A head, a memory or an MLP, by its id: ``L5.head3@7``.
        count: How many parts are listed, the strongest; the rest is told as a whole.
    """

    only_looks: ClassVar[bool] = True

    node: str
    count: CountFromOne = 30


@dataclass(frozen=True)
class SplitScore(Question[Scores]):
    """Why a head attends to a source: the score by the parts of its query and of the source's key.

    Attributes:
        head: The head and the position that it reads from, by their id: ``L5.head3@7``; without
            ``@7``, from the traced position.
        source: The position that it attends to; negative ones count from the end. ``None`` for the
            one that it attends to most.
        count: How many parts of each side, and how many pairs, are listed, the strongest; the
            rest is told as a whole.
    """

    only_looks: ClassVar[bool] = True

    head: str
    source: int | None = None
    count: CountFromOne = 30


@dataclass(frozen=True)
class Measure(Question[Effects]):
    """What changes at some sites do to the metric: measured, and as three ways predict it.

    Attributes:
        parts: Sites by their ids (``L5.head3@7``), and sorts of part (``heads``), which stand for
            every one of them.
        how: The way, as ``visit.graph.interventions.How`` writes it.
        reference: The prompts that values come from; none for what the way has by default, and
            ``prompt`` for the mean over the prompt's own positions.
        positions: Where the parts of a sort are.
        memories: How many memories of a layer ``memories`` stands for, the strongest by flow.
        together: Whether all sites are changed in one pass, instead of each in its own.
        unit: What changes are of.
        estimate_only: Whether nothing is measured, only predicted.
        steps: Over how many passes the estimate's gradient is averaged (integrated gradients); 1
            for the plain pass alone (attribution patching).
    """

    parts: tuple[str, ...] = ("heads", "attn", "mlp")
    how: str = "zero"
    reference: tuple[str, ...] = ()
    positions: Positions = Positions.TRACED
    memories: Count = 25
    together: bool = False
    unit: Unit = Unit.METRIC
    estimate_only: bool = False
    steps: CountFromOne = 1

    def __post_init__(self) -> None:
        """Refuse what no model could be asked.

        Raises:
            RequestError: the way is not known, or a field holds what it does not take.
        """
        super().__post_init__()
        How.parse(self.how)
        if self.unit is Unit.KL and (self.estimate_only or self.steps > 1):
            raise RequestError(
                "a divergence is flat at the plain pass, so no gradient predicts it; measure it "
                "without steps, or ask for the metric or logprob"
            )

    @property
    def is_look(self) -> bool:
        """Whether it changes no more than a few named sites, and runs no other prompt for it.

        The sources of one head are one site here: they are changed in the same place.
        """
        are_sites = all("@" in part for part in self.parts)
        nodes = {part.partition("<")[0] for part in self.parts}
        most = FEW_SOURCES if len(nodes) == 1 else FEW_SITES
        are_few = len(self.parts) <= most
        return are_sites and are_few and not self.reference and self.steps == 1


@dataclass(frozen=True)
class FindCircuit(Question[Circuit]):
    """Which parts keep the metric while all others are ablated, and how much any number keeps.

    At most one of ``sites``, ``keep``, ``threshold`` and ``cumulative`` says what is kept. Without
    them it is the smallest number on the curve that keeps about all (``circuit.NEAR``).

    Attributes:
        parts: What is kept or ablated, the rest of the pass being as it is: sorts of part, and
            sites by their ids.
        by: What they are ranked by.
        how: What becomes of the parts that are left out; ``None`` for ``patch`` where there is one
            reference prompt, else ``mean``.
        reference: As in ``Measure``.
        positions: Where the parts of a sort are.
        memories: How many memories of a layer ``memories`` stands for.
        sites: What is kept, by hand; by rank otherwise.
        keep: How many of the strongest are kept.
        threshold: Those are kept that score at least so much, signs aside, in the metric's unit.
        cumulative: So many of the strongest as make up this part of all scores, signs aside.
        points: Of the curve, at most.
        checks: How many kept parts, and how many of those that were left out, the strongest first,
            are looked at one by one: what changes if it alone changes sides.
    """

    parts: tuple[str, ...] = ("heads",)
    by: Score = Score.EFFECT
    how: str | None = None
    reference: tuple[str, ...] = ()
    positions: Positions = Positions.TRACED
    memories: Count = 25
    sites: tuple[str, ...] = ()
    keep: Count | None = None
    threshold: Amount | None = None
    cumulative: PartOfOne | None = None
    points: CountFromTwo = 20
    checks: Count = 100

    def __post_init__(self) -> None:
        """Refuse what no model could be asked.

        Raises:
            RequestError: a field holds what it does not take, or two say what is kept.
        """
        super().__post_init__()
        if self.how is not None and How.parse(self.how).way not in ABLATING_WAYS:
            raise RequestError(
                f"how {self.how!r} leaves something of a part; give {', '.join(ABLATING_WAYS)}"
            )
        names = ("sites", "keep", "threshold", "cumulative")
        said = [name for name in names if getattr(self, name) not in (None, ())]
        if len(said) > 1:
            raise RequestError(f"{' and '.join(said)} each say what is kept; give one of them")


@dataclass(frozen=True)
class ReadConsensus(Question[Consensus]):
    """What parts do over many prompts with the same slots, on average and how surely.

    The request says what all prompts have in common; its own prompt is not read.

    Attributes:
        values: Of each prompt, what stands in the template's slots, in order; without a template,
            the prompt itself.
        lines: Where each stands in its file, from 1, to name one that cannot be read.
        targets: The token to explain of each; empty for the request's, or the model's own.
        template: A text with slots, like ``The capital of {country} is``.
        strongest: Of how many parts a part is among the strongest of a prompt.
        effects: Whether every head and MLP is set to zero at the traced position and measured.
        batch: How many prompts run together at most.
    """

    values: tuple[tuple[str, ...], ...]
    lines: tuple[CountFromOne, ...]
    targets: tuple[str, ...]
    template: str = ""
    strongest: CountFromOne = 20
    effects: bool = True
    batch: CountFromOne = 16

    def __post_init__(self) -> None:
        """Refuse rows that do not belong together.

        Raises:
            RequestError: there is no prompt, a row lacks something, or the template has no slots.
        """
        super().__post_init__()
        n_slots = len(Template.parse(self.template).names) if self.template else 1
        if not self.values or not len(self.values) == len(self.lines) == len(self.targets):
            raise RequestError("give at least one prompt, each with its line and target")
        if any(len(row) != n_slots for row in self.values):
            raise RequestError(f"each prompt has {n_slots} values, one a slot of the template")
