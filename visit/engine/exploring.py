"""The questions of the explorables (``visit.engine.explorables``), beside the flow graph.

Each is answered by an ``Explored`` (``visit.graph.explored``); its options are what can be chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from visit.engine.options import option
from visit.engine.questions import Question
from visit.errors import RequestError
from visit.graph.explored.contexts import Contexts
from visit.graph.explored.factors import Factors
from visit.graph.explored.heads import Heads
from visit.graph.explored.maps import Maps, Projection
from visit.graph.explored.norms import Norms
from visit.graph.explored.query_key import QueryKey
from visit.graph.explored.saliency import Baseline, Saliency, SaliencyMethod, SaliencyOf
from visit.graph.explored.sinks import Sinks
from visit.graph.explored.watch import Watched
from visit.graph.fields import Range
from visit.graph.request import Count, CountFromOne
from visit.graph.token_groups import groups_from_typed

MOST_WATCHED = 8
"""How many tokens are watched at once: more lines cannot be told apart."""
Steps = Annotated[int, Range("2 to 1000", 2.0, 1000.0)]
Repeats = Annotated[int, Range("1 to 100", 1.0, 100.0)]


@dataclass(frozen=True)
class FindContexts(Question[Contexts]):
    """Where in a text a memory or a head is most active.

    Attributes:
        part: By its id, with or without a position.
        text: What is read; the bundled text where it is empty.
        contexts: How many tokens are listed at either end, 20 at most.
    """

    part: str = option(
        "",
        "Part",
        "a memory or a head, like L3.memory17 or L3.head2; by default "
        "the memory that most of the metric flows through",
        letter="ID",
    )
    text: str = option(
        "",
        "Text",
        "the text that is read; by default one that is bundled",
        letter="TEXT",
        long=True,
    )
    contexts: CountFromOne = option(10, "Contexts", "how many are listed at either end")


@dataclass(frozen=True)
class FindFactors(Question[Factors]):
    """Which memories fire together over the prompt's tokens.

    Attributes:
        factors: How many; ``None`` for as many as where the curve of errors bends.
        of_layers: Whose memories are taken.
        first_token: Whether the first token is taken in, whose activations are often so large that
            little else is seen.
        seed: Of the factorisation.
    """

    factors: CountFromOne | None = option(
        None, "Factors", "how many; by default as many as where the curve of errors bends"
    )
    of_layers: str = option("all", "Layers", "whose memories are taken, like 0-5,11", letter="SPEC")
    first_token: bool = option(
        False, "First token", "take the first token in, whose activations are often far the largest"
    )
    seed: Count = option(0, "Seed", "of the factorisation, which is the same for the same seed")


@dataclass(frozen=True)
class ReadHeads(Question[Heads]):
    """What every head is known by, with which others it composes, and one head's card.

    Attributes:
        head: The one whose card is made; by default the one with the most flow.
        pair: Another, whose composition with that one is taken into parts; by default those that
            compose most with it.
        repeats: How many rows of random tokens are said twice to the model.
        seed: Of those tokens, of the random matrices, and of the tokens on the card.
    """

    head: str = option(
        "", "Head", "the head whose card is made, like L5.head3; by default the one that most of "
        "the metric flows through", letter="ID",
    )  # fmt: skip
    pair: str = option(
        "", "Pair with", "another head, whose composition with that one is taken into parts; by "
        "default those that compose most with it", letter="ID",
    )  # fmt: skip
    repeats: Repeats = option(
        4, "Repeats", "rows of random tokens that are said twice to the model"
    )
    seed: Count = option(0, "Seed", "of those tokens, of the baseline and of the card's tokens")


@dataclass(frozen=True)
class MapResiduals(Question[Maps]):
    """Every residual of the prompt, and of others, as a point in the plane.

    Attributes:
        projection: What makes two dimensions of many.
        others: More prompts, in the same map.
        groups: Tokens that are shown as one group, a line each (``visit.graph.token_groups``).
        first_token: Whether each prompt's first token is taken in, whose residual is often far
            from all others.
        lengths: Whether residuals keep their lengths.
        seed: Of what is random in UMAP and t-SNE.
    """

    projection: Projection = option(
        Projection.PCA, "Projection", "what makes two dimensions of many; umap needs its package"
    )
    others: tuple[str, ...] = option(
        (), "Other prompts", "more prompts in the same map", letter="PROMPT", lines=True
    )
    groups: tuple[str, ...] = option(
        (), "Groups", "tokens that are coloured as one group, like 'country: Japan, France'; six "
        "groups at most", letter="NAME:TOKENS", lines=True,
    )  # fmt: skip
    first_token: bool = option(
        False, "First token", "take each prompt's first token in, often far from all others"
    )
    lengths: bool = option(
        False, "Lengths", "let residuals keep their lengths, which grow with the layers"
    )
    seed: Count = option(0, "Seed", "of what is random in umap and tsne")

    def __post_init__(self) -> None:
        """Refuse groups that cannot be read.

        Raises:
            RequestError: a line is no group.
        """
        super().__post_init__()
        groups_from_typed(self.groups)


@dataclass(frozen=True)
class ReadNorms(Question[Norms]):
    """How much attention really moves from where, against what its pattern says."""

    only_looks: ClassVar[bool] = True


@dataclass(frozen=True)
class MapQueryKey(Question[QueryKey]):
    """One head's queries and keys in one plane, and how far every head's can be believed.

    Attributes:
        head: The head; by default the one with the most flow.
        projection: What makes two dimensions of many.
        others: More prompts, in the same map.
        first_token: Whether each prompt's first token is taken in, where many heads rest.
        seed: Of what is random in UMAP and t-SNE.
    """

    head: str = option(
        "", "Head", "the head, like L5.head3; by default the one that most of the metric flows "
        "through", letter="ID",
    )  # fmt: skip
    projection: Projection = option(
        Projection.PCA, "Projection", "what makes two dimensions of many; umap needs its package"
    )
    others: tuple[str, ...] = option(
        (), "Other prompts", "more prompts in the same map", letter="PROMPT", lines=True
    )
    first_token: bool = option(
        False, "First token", "take each prompt's first token in, where many heads rest"
    )
    seed: Count = option(0, "Seed", "of what is random in umap and tsne")


@dataclass(frozen=True)
class ReadSaliency(Question[Saliency]):
    """Which tokens of the prompt a next token comes from, or each of several.

    Attributes:
        method: How that is found.
        of: What is traced back to them.
        first: The position from which on each position's own next token is explained: that which
            follows it in the prompt, and at the traced position the target. ``None`` for the
            target alone; negative ones count from the end.
        steps: Over how many points of the way integrated gradients take the gradient's mean.
        baseline: The embeddings that they come from.
        baseline_token: The token at every position where the baseline is a token, as it is typed.
    """

    method: SaliencyMethod = option(
        SaliencyMethod.FLOW, "Method", "how the next token is traced back to its sources"
    )
    of: SaliencyOf = option(
        SaliencyOf.METRIC, "Explained", "what is traced back; flow is of the metric alone"
    )
    first: int | None = option(
        None,
        "From position",
        "explain the next token of every position from this one on, as of a generation",
    )
    steps: Steps = option(50, "Steps", "points of the way that integrated gradients take")
    baseline: Baseline = option(
        Baseline.ZERO, "Baseline", "the embeddings that integrated gradients come from: zero, the "
        "prompt's mean, or a token's",
    )  # fmt: skip
    baseline_token: str = option(
        " the", "Baseline token", r"the token at every position where the baseline is one: exactly "
        r"its text, or an id like \#123", letter="TOKEN",
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what no model could be asked.

        Raises:
            RequestError: flow is asked of a probability, or several targets of one ``versus``.
        """
        super().__post_init__()
        request = self.request
        versus = request.versus if request.versus_id is None else f"id {request.versus_id}"
        if self.of is SaliencyOf.PROBABILITY:
            if self.method is SaliencyMethod.FLOW:
                raise RequestError(
                    "flow adds up to the metric, not to a probability; give another method, or of "
                    "metric"
                )
            if versus is not None:
                raise RequestError(
                    f"versus is {versus!r}, but a probability is of the target alone; leave versus "
                    "out, or give of metric"
                )
        if self.first is not None and versus is not None:
            raise RequestError(
                f"versus is {versus!r}, which is against the traced position's target alone; leave "
                "first or versus out"
            )

    @property
    def is_look(self) -> bool:
        """Whether it takes no longer than a few passes."""
        return self.first is None and self.method is not SaliencyMethod.INTEGRATED_GRADIENTS


@dataclass(frozen=True)
class ReadSinks(Question[Sinks]):
    """Where attention rests, which residuals stand out, and what the model says without the sink.

    Attributes:
        hide: Whether the strongest sink is hidden from every head at the traced position, and what
            is said then is measured.
    """

    only_looks: ClassVar[bool] = True

    hide: bool = option(
        True, "Hide it", "measure what is said with the strongest sink hidden from every head"
    )


@dataclass(frozen=True)
class WatchTokens(Question[Watched]):
    r"""Some tokens' rank, probability and logit through the layers, and what moved each.

    Attributes:
        tokens: As they are typed (``visit.graph.typed``): exactly their text, or an id like
            ``\#123``. None for the model's likeliest next tokens, the target among them.
        at: The position where they are watched; ``None`` for the traced one, and negative ones
            count from the end.
    """

    only_looks: ClassVar[bool] = True

    tokens: tuple[str, ...] = option(
        (),
        "Tokens",
        r"what is watched: each exactly its text, spaces and all, or an id like \#123; eight at "
        "most, the likeliest next tokens where none is given",
        letter="TOKEN",
        lines=True,
    )
    at: int | None = option(None, "At position", "where they are watched; the traced one if empty")

    def __post_init__(self) -> None:
        """Refuse more tokens than lines can be told apart.

        Raises:
            RequestError: there are more than eight.
        """
        super().__post_init__()
        if len(self.tokens) > MOST_WATCHED:
            raise RequestError(
                f"{len(self.tokens)} tokens are to be watched; give {MOST_WATCHED} at most"
            )
