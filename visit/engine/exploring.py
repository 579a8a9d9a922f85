"""The explorables: what stands beside the flow graph, each one click from it, a question each.

Each is answered by an ``Explored`` (``visit.graph.explored``). ``EXPLORABLES`` is the one list of
them, of which the command line, the app and the docs are made. A new one is a question here and a
row of it, what answers it (``visit.assemble.exploring``), and what draws it
(``visit.web.explore.views``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from visit.engine.options import option
from visit.engine.questions import Question
from visit.graph.explored.answer import Explored
from visit.graph.explored.contexts import Contexts
from visit.graph.explored.factors import Factors
from visit.graph.explored.heads import Heads
from visit.graph.explored.maps import Maps, Projection
from visit.graph.explored.norms import Norms
from visit.graph.explored.query_key import QueryKey
from visit.graph.request import Count, CountFromOne


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
        repeats: How many rows of random tokens are said twice to the model.
        seed: Of those tokens, of the random matrices, and of the tokens on the card.
    """

    head: str = option(
        "", "Head", "the head whose card is made, like L5.head3; by default the one that most of "
        "the metric flows through", letter="ID",
    )  # fmt: skip
    repeats: CountFromOne = option(
        4, "Repeats", "rows of random tokens that are said twice to the model"
    )
    seed: Count = option(0, "Seed", "of those tokens, of the baseline and of the card's tokens")


@dataclass(frozen=True)
class MapResiduals(Question[Maps]):
    """Every residual of the prompt, and of others, as a point in the plane.

    Attributes:
        projection: What makes two dimensions of many.
        others: More prompts, in the same map.
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
    first_token: bool = option(
        False, "First token", "take each prompt's first token in, often far from all others"
    )
    lengths: bool = option(
        False, "Lengths", "let residuals keep their lengths, which grow with the layers"
    )
    seed: Count = option(0, "Seed", "of what is random in umap and tsne")


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


@dataclass(frozen=True, slots=True)
class Explorable:
    """One explorable.

    Attributes:
        question: What asks it; its options are what can be chosen.
        answer: The type of what answers it, which has the explorable's name.
        title: What the app calls it.
        asks: What it answers, as a question.
        summary: What its command is for, as the list of commands says it.
        trust: How far to trust what it shows, in a sentence or two.
    """

    question: type[Question[Any]]
    answer: type[Explored]
    title: str
    asks: str
    summary: str
    trust: str

    @property
    def name(self) -> str:
        """As the command line, addresses and documents have it."""
        return self.answer.name


_ALL = (
    Explorable(
        FindContexts,
        Contexts,
        "Contexts",
        "Where in a text is this memory or head most active?",
        "find where in a text a memory or a head is most active",
        "Exact, and of the text that was read alone: a part that looks like one thing in it may do "
        "another elsewhere. The strongest contexts say little of the usual ones.",
    ),
    Explorable(
        FindFactors,
        Factors,
        "Factors",
        "Which memories fire together, and over which tokens?",
        "find which memories fire together over the prompt's tokens",
        "A factorisation is one of many that fit about as well: it depends on the number of "
        "factors, the seed and the text, and leaves out what is negative. The error says how much "
        "it leaves; take the memories of a factor away to see what they cause.",
    ),
    Explorable(
        ReadHeads,
        Heads,
        "Heads",
        "Which heads look back, copy and induce, and which could work together?",
        "see what every head is known by, and with which others it composes",
        "Scores say where heads look on random tokens, not what they do on yours. Composition says "
        "what could pass between two heads by their weights alone, whatever stands between them: "
        "the flow of the card says what does, here.",
    ),
    Explorable(
        MapResiduals,
        Maps,
        "Hidden states",
        "Which tokens come together, and in which layer?",
        "map every residual of some prompts in the plane, layer by layer",
        "Two of hundreds of dimensions: what is near in the plane may be far apart in the rest, so "
        "neighbours are counted in the full space. PCA's axes mean something, t-SNE's and UMAP's "
        "distances between groups do not.",
    ),
    Explorable(
        ReadNorms,
        Norms,
        "Norms",
        "Where does a head's pattern mislead: much attention, and little moved?",
        "see what attention really moves, against what its pattern says",
        "Exact sums of the pass that was run. A norm says how much is moved, not what it does: a "
        "long vector may be read by nothing downstream, which is what flow is for.",
    ),
    Explorable(
        MapQueryKey,
        QueryKey,
        "Queries and keys",
        "Which queries lie near which keys, and can that picture be believed?",
        "map a head's queries and keys in one plane",
        "The scores are the model's own, but distance is only like them as far as the correlation "
        "says, which the map of all heads shows; and two dimensions show less than the whole. What "
        "ALiBi adds for the distance is in no query and no key.",
    ),
)
EXPLORABLES: Mapping[str, Explorable] = {one.name: one for one in _ALL}
"""By their names, in the order in which they are listed."""
