"""The explorables, a row each: the one list of them.

The commands, the app and the docs are made of it.

A new one is a question (``visit.engine.exploring``) and a row here, what answers it
(``visit.assemble.exploring``), and what draws it (``visit.web.explore.views``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visit.engine.exploring import (
    FindContexts,
    FindFactors,
    MapQueryKey,
    MapResiduals,
    ReadHeads,
    ReadNorms,
    ReadSaliency,
    ReadSinks,
    WatchTokens,
)
from visit.engine.questions import Question
from visit.graph.explored.answer import Explored
from visit.graph.explored.contexts import Contexts
from visit.graph.explored.factors import Factors
from visit.graph.explored.heads import Heads
from visit.graph.explored.maps import Maps
from visit.graph.explored.norms import Norms
from visit.graph.explored.query_key import QueryKey
from visit.graph.explored.saliency import Saliency
from visit.graph.explored.sinks import Sinks
from visit.graph.explored.watch import Watched


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
        ReadSaliency,
        Saliency,
        "Saliency",
        "Which tokens of the prompt does the next token come from?",
        "see which tokens of the prompt the next token comes from",
        "Flow is exact: with the biases it adds up to the metric, with patterns, norms and gates "
        "held as they were; what a token does by moving those is left out. Gradients are of the "
        "live pass and hold for small changes; integrated gradients add up as far as their delta "
        "is small.",
    ),
    Explorable(
        WatchTokens,
        Watched,
        "Watch tokens",
        "When does a token come up, and which layer's attention or MLP moves it?",
        "follow tokens through the layers, and see which layer moves each",
        "The ranks are what the lens says, which early layers were not made for. The flow is exact "
        "for the pass as it was, less the candidates' mean; parts of one layer pass through later "
        "ones, so it does not add up over layers.",
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
        ReadSinks,
        Sinks,
        "Sinks",
        "Where does attention rest, and which residuals are out of all proportion?",
        "see where attention rests, and which coordinates are massive",
        "Exact for this prompt. A head that rests on a token may do so because it has nothing to "
        "do here; on another prompt it may read. Hiding the sink moves its attention to the other "
        "tokens, which no training prepared: a large change says that it is used, not what for.",
    ),
)
EXPLORABLES: Mapping[str, Explorable] = {one.name: one for one in _ALL}
"""By their names, in the order in which they are listed."""
