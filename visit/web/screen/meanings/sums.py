"""Words of ledgers, and what adds up over them."""

from __future__ import annotations

from visit.web.screen.meanings.word import Word

TOPIC = "What adds up"

WORDS = (
    Word(
        "ledger",
        TOPIC,
        "A list of parts that add up to a vector, with their sum below. One vector can have "
        "several: attention can be taken apart by head, by attention neuron and by position.",
        also=("decomposition",),
    ),
    Word(
        "share",
        TOPIC,
        "How much of a whole a part makes up, measured along the whole's direction. It is negative "
        "for a part that points the other way, and adds up to 100 % over a ledger.",
        "⟨part, whole⟩ / ⟨whole, whole⟩",
    ),
    Word(
        "direct logit",
        TOPIC,
        "What a part adds to the metric by itself, in nats: through the final norm with its scale "
        "frozen, then the unembedding, and not through later layers. Over all that is written at "
        "the traced position, with the biases, they add up to the metric (before a soft-cap).",
        "part · scale · (gain ∘ u), u the metric's unembedding; for LayerNorm, less its mean",
        also=("direct logit attribution", "DLA", "direct effect"),
    ),
    Word(
        "score",
        TOPIC,
        "What a head's query and a source's key make together, before the softmax turns the scores "
        "of all sources into attention. Only differences count, so it is told less the mean over "
        "the sources that the reader sees. With the norms' scales held it is a sum over the parts "
        "of the query, and over those of the key.",
        "query · key · scale, both rotated",
        also=("attention logit", "pre-softmax attention"),
    ),
    Word(
        "flow",
        TOPIC,
        "How much of the metric passes through a part, through all later layers, with attention "
        "patterns, norm scales and MLP gates held as they were: signed, in nats. What enters a "
        "node leaves it, and at every depth all of it adds up to the metric.",
        "⟨gradient of the metric through the held pass, part⟩",
        also=("influence", "relevance", "LRP"),
    ),
    Word(
        "outcome",
        TOPIC,
        "Which candidates a part lifts and lowers in the end: its flow to each candidate's logit, "
        "less its mean over them. It says what a part carries, at every depth; not what removing "
        "it would do.",
        also=("promoted tokens", "suppressed tokens"),
    ),
    Word(
        "proximity",
        TOPIC,
        "How close a part alone comes to the whole: never negative, and scaled to add up to 1 over "
        "a ledger (Ferrando & Voita 2024).",
        "max(‖whole‖₁ − ‖whole − part‖₁, 0)",
        also=("ALTI",),
    ),
    Word(
        "rest",
        TOPIC,
        "The parts that are not drawn, folded into one, so that a ledger with few parts still adds "
        "up.",
    ),
    Word(
        "audit",
        TOPIC,
        "How far the sums are from what the model itself computed: the worst relative error of any "
        "ledger, and the errors of the metric by direct logits and by flow, in nats. Only rounding "
        "should remain.",
    ),
)
