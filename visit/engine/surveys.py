"""What is measured of many prompts at once: questions whose answer is columns of numbers.

A survey's own fields are made with ``option``, as an explorable's are; the command line and the
manifest of a study take them from there.
"""

# Annotations are types here, not texts: subclasses inherit them.
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from visit.engine.options import option
from visit.engine.questions import Question
from visit.errors import RequestError
from visit.graph.fields import Range
from visit.graph.request import Count, CountFromOne, Request
from visit.graph.studied.columns import Column, Surveyed

CONDITIONS = ("plain", "zero", "mean", "others zero", "others mean")
"""How a prompt is run to see what memories do: as it is; with them held at zero, or at their mean;
and with as many others of the same layers held likewise."""
_ANY = Request("any prompt")
"""What is read by none of these questions."""
Overlapping = Annotated[int, Range("1 to 1000", 1.0, 1000.0)]


@dataclass(frozen=True, slots=True)
class MemoryWords:
    """What a memory's value says.

    Attributes:
        layer: Its layer.
        number: Its number.
        norm: Its value's norm.
        entropy: Of its reading, in bits.
        words: What it says first, as it is when the memory is active with a positive sign.
    """

    layer: int
    number: int
    norm: float
    entropy: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class ReadMemories(Question[tuple[MemoryWords, ...]]):
    """What the values of some memories say, by the weights alone.

    Attributes:
        memories: Their layers and numbers.
    """

    is_repeated: ClassVar[bool] = False

    memories: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, memories: Sequence[Sequence[int]]) -> Self:
        """The question of some memories, whatever the request would say of a prompt."""
        return cls(_ANY, pairs_from(memories))


def pairs_from(memories: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """Layers and numbers as questions have them, of what JSON says."""
    return tuple((layer, number) for layer, number in memories)


@dataclass(frozen=True)
class Survey(Question[Surveyed]):
    """Some numbers of each of many prompts, which run together.

    ``SurveyHeads.of(texts, targets, k=10)`` asks of prompts that have nothing in common.

    Attributes:
        columns: What it measures, but for columns that an option leaves out.
        needs_targets: Whether the prompts' right answers are part of what is measured.
        request: What all prompts have in common; its own prompt is not read.
        prompts: The texts. A survey reads each up to its last token.
        targets: The token to explain of each, or the first token of the right answer; empty texts
            for the model's own choice. None at all is an empty text for each.
        positions: How many positions run together at most; 0 for what fits the memory.
    """

    is_repeated: ClassVar[bool] = False
    only_a_base: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = ()
    needs_targets: ClassVar[bool] = False

    prompts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    positions: Count = 0

    @classmethod
    def of(cls, prompts: Sequence[str], targets: Sequence[str] = (), **named: Any) -> Self:
        """The survey of some prompts, whatever the request would say of one."""
        return cls(_ANY, tuple(prompts), tuple(targets), **named)

    def __post_init__(self) -> None:
        """Give every prompt a target.

        Raises:
            RequestError: there are targets for some prompts alone.
        """
        super().__post_init__()
        if not self.targets:
            object.__setattr__(self, "targets", ("",) * len(self.prompts))
        if len(self.targets) != len(self.prompts):
            raise RequestError(
                f"{len(self.targets)} targets for {len(self.prompts)} prompts; give each one, "
                "empty where it has none"
            )


@dataclass(frozen=True)
class SurveyHeads(Survey):
    """Whether heads say what the residual stream says (VISIT, section 3).

    An overlap of two vectors is the part of the ``k`` tokens that one says first which the other
    says too, both read by the lens at the last position.

    Attributes:
        k: How many tokens of each reading are compared.
        values: How many sources of each head are read, those that it attends to most.
        queries: Whether queries and the keys that they match best are read as well.
        seed: Of the random vectors.
    """

    columns: ClassVar[tuple[Column, ...]] = (
        Column("norm", "each head's norm", ("layer", "head")),
        Column("head_attention", "overlap of a head and attention's output", ("layer", "head")),
        Column("head_block", "overlap of a head and the block's output", ("layer", "head")),
        Column("head_final", "overlap of a head and the last residual", ("layer", "head")),
        Column("bare_attention", "overlap of a head before W_O and attention's output",
               ("layer", "head")),
        Column("bare_block", "overlap of a head before W_O and the block's output",
               ("layer", "head")),
        Column("bare_final", "overlap of a head before W_O and the last residual",
               ("layer", "head")),
        Column("random_block", "overlap of a random vector and the block's output", ("layer",)),
        Column("attention_block", "overlap of attention's output and the block's", ("layer",)),
        Column("attention_final", "overlap of attention's output and the last residual",
               ("layer",)),
        Column("block_final", "overlap of the block's output and the last residual", ("layer",)),
        Column("value_head", "overlap of a source's value and its head, by rank of attention",
               ("layer", "head", "rank")),
        Column("value_token", "probability that a value says of its own source's token",
               ("layer", "head", "rank")),
        Column("query_key", "overlap of a query and the key of the source it attends to most",
               ("layer", "head")),
    )  # fmt: skip

    k: Overlapping = option(50, "Tokens compared", "how many tokens of each reading are compared")
    values: Count = option(
        4, "Values", "how many sources of each head are read, those attended to most; 0 for none"
    )
    queries: bool = option(True, "Queries", "read queries and keys as well")
    seed: Count = option(0, "Seed", "of the random vectors")


@dataclass(frozen=True)
class SurveyNorms(Survey):
    """What norms push down and up (VISIT, section 5.2); word classes are in ``WordClass``'s order.

    A vector is read before and after a norm. Norms are counted ``L0.ln1, L0.ln2, L1.ln1, …`` and
    last the final one; of one that a layer has not, numbers are NaN and ids -1. The lens itself
    passes the final norm: what is read before that one is the residual at the same scale, without
    the norm's gain and bias.

    Attributes:
        seed: Of the random vectors, each of the norm of the vector that it stands for.
    """

    columns: ClassVar[tuple[Column, ...]] = (
        Column("before", "probability on each class of words before", ("norm", "word class")),
        Column("after", "probability on each class of words after", ("norm", "word class")),
        Column("control_before", "the same of a random vector, before", ("norm", "word class")),
        Column("control_after", "the same of a random vector, after", ("norm", "word class")),
        Column("frequency_before", "mean logarithm of a token's frequency, before", ("norm",),
               "decades"),
        Column("frequency_after", "mean logarithm of a token's frequency, after", ("norm",),
               "decades"),
        Column("entropy_before", "entropy before", ("norm",), "bits"),
        Column("entropy_after", "entropy after", ("norm",), "bits"),
        Column("rank_before", "the target's rank before", ("norm",)),
        Column("rank_after", "the target's rank after", ("norm",)),
        Column("losers", "ids of the tokens that lose most", ("norm", "place")),
        Column("gainers", "ids of the tokens that gain most", ("norm", "place")),
        Column("words", "the first three of each as JSON: norm by norm, losers and gainers"),
    )  # fmt: skip

    seed: Count = option(0, "Seed", "of the random vectors")


@dataclass(frozen=True)
class SurveyMemories(Survey):
    """Which memories are strongest (VISIT, section 5.3).

    Attributes:
        strongest: How many of each layer are told, by the size of their activation.
    """

    columns: ClassVar[tuple[Column, ...]] = (
        Column("strongest", "the memories that are most active, by number", ("layer", "place")),
        Column("activation", "their activations", ("layer", "place")),
    )

    strongest: CountFromOne = option(
        100, "Strongest", "how many memories of a layer count as active on a prompt"
    )


@dataclass(frozen=True)
class SurveyActivations(Survey):
    """The activation of every memory, at the last position and everywhere."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("activation", "each memory's activation", ("layer", "memory")),
        Column("mean", "its mean over the prompt's positions", ("layer", "memory")),
    )


@dataclass(frozen=True)
class SurveyRemoval(Survey):
    """What memories do: the prediction with them held at zero or at a mean.

    Attributes:
        memories: Which, by layer and number.
        means: The activation that each is held at for its mean.
        others: As many others, held likewise to compare with.
        other_means: Theirs.
        strongest: How many memories of a layer, by the size of their activation at the last
            position, count as active.
    """

    columns: ClassVar[tuple[Column, ...]] = (
        Column("n_on", "how many of the memories that are always on are active", ("layer",)),
        Column("loss", "surprise at the right answer's first token", ("condition",), "nats"),
        Column("text_loss", "mean surprise at the prompt's own tokens", ("condition",), "nats"),
        Column("entropy", "of the next token", ("condition",), "bits"),
        Column("confidence", "the likeliest next token's probability", ("condition",)),
        Column("same_top", "whether the likeliest next token is the plain pass's", ("condition",)),
    )

    memories: tuple[tuple[int, int], ...] = ()
    means: tuple[float, ...] = ()
    others: tuple[tuple[int, int], ...] = ()
    other_means: tuple[float, ...] = ()
    strongest: CountFromOne = 100


@dataclass(frozen=True)
class SurveyDepths(Survey):
    """The right answer through the layers: the lens at the last position of every depth."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("target_prob", "probability of the right answer's first token", ("depth",)),
        Column("target_rank", "its rank", ("depth",)),
        Column("answer_prob", "probability of what the model says in the end", ("depth",)),
        Column("entropy", "of what the residual says", ("depth",), "bits"),
        Column("is_right", "whether the model says the right answer"),
        Column("answer", "what the model says"),
    )
    needs_targets: ClassVar[bool] = True


@dataclass(frozen=True)
class SurveyPatterns(Survey):
    """What each head's pattern is known by; kinds are those of ``graph.explored.heads.KINDS``."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("score", "the part of attention that goes where such a head looks",
               ("kind", "layer", "head")),
    )  # fmt: skip


@dataclass(frozen=True)
class SurveySinks(Survey):
    """Attention that rests on a token, and coordinates out of all proportion, by layer."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("on_first", "mean attention on the first token", ("layer", "head")),
        Column("on_strongest", "mean attention on the token that gets most", ("layer", "head")),
        Column("sink", "position of that token", ("layer", "head")),
        Column("largest", "the largest coordinate's size", ("depth",)),
        Column("times_median", "how many times the median size that is", ("depth",)),
        Column("where", "the position that it is at", ("depth",)),
        Column("coordinate", "its number", ("depth",)),
        Column("norm_first", "norm of the first position's residual", ("depth",)),
        Column("norm_others", "mean norm of the others'", ("depth",)),
    )
