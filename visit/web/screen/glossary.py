"""The words of the screen: what each means, in a sentence or two, in which unit, by what formula.

They are the words of the method (docs/method.md), which says the same at length. A word that stands
on the screen as ``parts.term`` shows its entry when it is pointed at; the help shows them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the glossary.

    Attributes:
        name: The word.
        topic: What it is about; the help lists words by it.
        says: What it means, in plain sentences.
        formula: How it is computed, where that is short; empty elsewhere.
        also: What the field calls it, the most usual name first.
    """

    name: str
    topic: str
    says: str
    formula: str = ""
    also: tuple[str, ...] = ()


_MODEL = "Parts of the model"
_READING = "What a part says"
_SUMS = "What adds up"
_GRAPH = "The graph"

_WORDS = (
    Word(
        "residual",
        _MODEL,
        "The hidden state of one position at one depth: a vector that every layer reads, and adds "
        "to. It is shown as it enters a layer, between attention and MLP, and as it leaves.",
        "after = before + attention + MLP",
        also=("hidden state", "HS", "residual stream"),
    ),
    Word(
        "embedding",
        _MODEL,
        "The vector that a token of the prompt begins with, before the first layer; it holds the "
        "position too, where a model adds one. It is the first residual of its position.",
        also=("token embedding",),
    ),
    Word(
        "position",
        _MODEL,
        "A place in the prompt, counted from 0. The traced position is the one whose next token "
        "is explained: the last one, unless another is chosen.",
        also=("token position",),
    ),
    Word(
        "attention",
        _MODEL,
        "What moves information between positions: all heads of a layer together. As a number, "
        "the weight that a head gives to a source, from 0 to 1; over all sources of a head the "
        "weights add up to 1.",
        "softmax(q · k / √d_head)",
        also=("self-attention", "attention pattern", "attention weight"),
    ),
    Word(
        "head",
        _MODEL,
        "The output of one attention head at one position: the values of the sources it reads, "
        "mixed by its attention and written into the residual.",
        "Σ over sources: attention · v · W_O",
        also=("attention head",),
    ),
    Word(
        "source",
        _MODEL,
        "A position that a head reads from: its own, or one before it.",
        also=("key position", "source position"),
    ),
    Word(
        "query",
        _MODEL,
        "What a head looks for, as a direction in the residual space. The more of it a source "
        "holds, the higher the score that the head gives to that source.",
        "W_K · q",
        also=("q", "QK circuit"),
    ),
    Word(
        "key",
        _MODEL,
        "The direction in the residual space by which a source can be found: what it offers to a "
        "head's query. The key of a memory is a column of W_in: what the memory responds to.",
        "W_Q · k",
        also=("k", "QK circuit"),
    ),
    Word(
        "value",
        _MODEL,
        "What a head would write if it read this one source and no other. The value of a memory is "
        "a row of W_out: what the memory adds when it is active.",
        "v · W_O",
        also=("v", "OV circuit"),
    ),
    Word(
        "attention neuron",
        _MODEL,
        "One row of W_O, the matrix by which attention writes into the residual. The row is the "
        "same for every prompt; its activation says how much of it is added.",
        also=("row of W_O",),
    ),
    Word(
        "MLP",
        _MODEL,
        "The part of a layer that works on every position by itself: all its memories together, "
        "and a bias.",
        "Σ over memories: activation · value",
        also=("feed-forward layer", "FFN"),
    ),
    Word(
        "memory",
        _MODEL,
        "One neuron of an MLP. Its key says when it is active, its value says what it then adds to "
        "the residual.",
        "activation · W_out[row]",
        also=("MLP neuron", "key-value memory"),
    ),
    Word(
        "expert",
        _MODEL,
        "One of the MLPs that a layer chooses from at every position. Shown is its output here, "
        "times its routing weight. A shared expert is used at every position without being chosen. "
        "Experts are shown whole, not opened into memories.",
        "weight · expert(ln2)",
    ),
    Word(
        "mixture of experts",
        _MODEL,
        "A layer with many MLPs in place of one. A router sends each position to a few of them, "
        "and what they write is added up by weight; the others write nothing there.",
        "Σ over routed experts: weight · expert(ln2)",
        also=("MoE",),
    ),
    Word(
        "routing weight",
        _MODEL,
        "How much of an expert's output is added at this position, from 0 to 1: what the router "
        "gave the expert, in some models made to add up to 1 over those chosen. A shared expert's "
        "comes from a gate of its own.",
        "softmax(router(ln2)), the largest few",
        also=("router probability", "gate"),
    ),
    Word(
        "activation",
        _MODEL,
        "The signed number that a memory's value, or an attention neuron's row, is multiplied by "
        "at this position. Where it is negative the row is read with its sign turned, since that "
        "is what is added.",
        also=("neuron activation", "memory coefficient"),
    ),
    Word(
        "bias",
        _MODEL,
        "A constant vector that attention or an MLP adds, whatever the prompt is. It is a part in "
        "the ledger like any other.",
    ),
    Word(
        "norm",
        _MODEL,
        "Of a vector: its L2 length. As a part of the model: the LayerNorm or RMSNorm through "
        "which a residual is read, two in a layer and one before the vocabulary.",
        "‖x‖₂ = √Σ xᵢ²",
        also=("LayerNorm", "RMSNorm"),
    ),
    Word(
        "lens",
        _READING,
        "The map from the residual space to the vocabulary: the final norm, then the unembedding, "
        "as if the vector were the last residual. Of the last residual it gives the model's own "
        "output.",
        "logits = final_norm(x) · W_U",
        also=("logit lens",),
    ),
    Word(
        "reading",
        _READING,
        "What a vector says through the lens: its most and least probable tokens, the probability "
        "and rank of the target, and its entropy. It describes the vector; later layers need not "
        "use it so.",
        also=("vocabulary projection",),
    ),
    Word(
        "target",
        _READING,
        "The token whose prediction is explained: the model's own most probable next token, unless "
        "another is chosen.",
        also=("answer token",),
    ),
    Word(
        "versus",
        _READING,
        "The token that the target is compared with: the B of “A vs B”. Its logit is taken off the "
        "target's, and the metric is the logit difference.",
        also=("foil", "contrast token"),
    ),
    Word(
        "logit",
        _READING,
        "A token's score before the softmax, in nats. Only differences matter: raising it by 1 "
        "multiplies the token's odds against any other by e, about 2.7.",
    ),
    Word(
        "metric",
        _READING,
        "What everything is explained towards: the target's logit, less the mean logit of others. "
        "By default these are the candidates (the choice); or one other token (a logit "
        "difference), the whole vocabulary (a centred logit), or none (the logit). What lifts all "
        "tokens alike contributes nothing to the first three.",
        "logit(target) − mean logit of the candidates",
        also=("choice", "centred logit"),
    ),
    Word(
        "candidates",
        _READING,
        "The model's likeliest next tokens at the traced position, 100 unless asked otherwise, "
        "the target among them.",
        also=("likeliest next tokens",),
    ),
    Word(
        "logit difference",
        _READING,
        "With “A vs B” as the target, the metric is A's lead over B, in nats: what is positive "
        "favours A, what is negative B.",
        "logit(A) − logit(B) = ln(p(A) / p(B))",
        also=("logit diff",),
    ),
    Word(
        "probability",
        _READING,
        "How probable a token is as the next one, from 0 to 100 %: the softmax of the logits over "
        "the whole vocabulary.",
        "exp(logit) / Σ exp(logits)",
    ),
    Word(
        "rank",
        _READING,
        "The target's place among all tokens of the vocabulary; 1 is the most probable.",
        "1 + number of tokens with a higher logit",
    ),
    Word(
        "entropy",
        _READING,
        "How undecided a reading is, in bits: 0 when one token has all the probability, log₂ of "
        "the vocabulary's size when every token has the same.",
        "−Σ p · log₂ p",
    ),
    Word(
        "ledger",
        _SUMS,
        "A list of parts that add up to a vector, with their sum below. One vector can have "
        "several: attention can be taken apart by head, by attention neuron and by position.",
        also=("decomposition",),
    ),
    Word(
        "share",
        _SUMS,
        "How much of a whole a part makes up, measured along the whole's direction. It is negative "
        "for a part that points the other way, and adds up to 100 % over a ledger.",
        "⟨part, whole⟩ / ⟨whole, whole⟩",
    ),
    Word(
        "direct logit",
        _SUMS,
        "What a part adds to the metric by itself, in nats: through the final norm with its scale "
        "frozen, then the unembedding, and not through later layers. Over all that is written at "
        "the traced position, with the biases, they add up to the metric (before a soft-cap).",
        "part · scale · (gain ∘ u), u the metric's unembedding; for LayerNorm, less its mean",
        also=("direct logit attribution", "DLA", "direct effect"),
    ),
    Word(
        "effect",
        _SUMS,
        "What a change of one part does to the metric, measured: with the change less without it, "
        "the rest of the pass run again. Negative where the part speaks for the target.",
        also=("total effect", "causal effect", "ablation"),
    ),
    Word(
        "estimate",
        _SUMS,
        "An effect predicted to first order, by one gradient through the live pass.",
        also=("attribution patching", "AtP"),
    ),
    Word(
        "repaired",
        _SUMS,
        "Of a part without which less than a quarter of its direct logit is lost: later parts make "
        "up for it.",
        also=("self-repair", "hydra effect"),
    ),
    Word(
        "reversed",
        _SUMS,
        "Of a part without which the prediction moves the other way than its direct logit says.",
    ),
    Word(
        "flow",
        _SUMS,
        "How much of the metric passes through a part, through all later layers, with attention "
        "patterns, norm scales and MLP gates held as they were: signed, in nats. What enters a "
        "node leaves it, and at every depth all of it adds up to the metric.",
        "⟨gradient of the metric through the held pass, part⟩",
        also=("influence", "relevance", "LRP"),
    ),
    Word(
        "outcome",
        _SUMS,
        "Which candidates a part lifts and lowers in the end: its flow to each candidate's logit, "
        "less its mean over them. It says what a part carries, at every depth; not what removing "
        "it would do.",
        also=("promoted tokens", "suppressed tokens"),
    ),
    Word(
        "proximity",
        _SUMS,
        "How close a part alone comes to the whole: never negative, and scaled to add up to 1 over "
        "a ledger (Ferrando & Voita 2024).",
        "max(‖whole‖₁ − ‖whole − part‖₁, 0)",
        also=("ALTI",),
    ),
    Word(
        "rest",
        _SUMS,
        "The parts that are not drawn, folded into one, so that a ledger with few parts still adds "
        "up.",
    ),
    Word(
        "audit",
        _SUMS,
        "How far the sums are from what the model itself computed: the worst relative error of any "
        "ledger, and the errors of the metric by direct logits and by flow, in nats. Only rounding "
        "should remain.",
    ),
    Word(
        "route",
        _GRAPH,
        "The part of the model through which most of the metric's flow passes: residuals, "
        "attention and MLPs of every layer and position, without those that carry too little.",
        also=("information flow route",),
    ),
    Word(
        "carried",
        _GRAPH,
        "The size of the flow through an edge or a node, as a part of the most that passes any "
        "depth, from 0 to 100 %. In a graph drawn by share it is the part of the traced residual "
        "that comes through it: each whole splits what it carries by the size of shares.",
    ),
    Word(
        "threshold",
        _GRAPH,
        "Edges between positions that carry less than this are folded into rests when the graph is "
        "made; it is an option of a trace.",
    ),
    Word(
        "thread",
        _GRAPH,
        "The residual stream of one position, drawn along its row, as wide as the flow it carries "
        "at each depth, with a junction wherever a part writes to it or is fed by it.",
    ),
    Word(
        "fold",
        _GRAPH,
        "Layers in which no part is drawn, as one narrow band; a tap unfolds it.",
    ),
    Word(
        "unexplained",
        _GRAPH,
        "Of all flow that enters the drawn threads, heads and attentions, signs aside, the part "
        "that comes by what is folded. Of a folded stretch the net counts, which is what one sees.",
    ),
    Word(
        "atlas",
        _GRAPH,
        "A model's static readings, the same for every prompt: all memory keys and values, all "
        "attention neurons, all biases. It is made once and kept on disk.",
    ),
)

GLOSSARY: Mapping[str, Word] = MappingProxyType({word.name: word for word in _WORDS})
"""Every word by its name, in the order in which a newcomer would read them."""


def by_topic() -> dict[str, list[Word]]:
    """The words under what they are about."""
    topics: dict[str, list[Word]] = {}
    for word in GLOSSARY.values():
        topics.setdefault(word.topic, []).append(word)
    return topics
