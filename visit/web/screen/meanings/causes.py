"""Words of what parts cause, as it is measured and predicted."""

from __future__ import annotations

from visit.web.screen.meanings.word import Word

TOPIC = "What parts cause"

WORDS = (
    Word(
        "effect",
        TOPIC,
        "What a change of one part does to the metric, measured: with the change less without it, "
        "the rest of the pass run again. Negative where the part speaks for the target.",
        also=("total effect", "causal effect", "ablation"),
    ),
    Word(
        "estimate",
        TOPIC,
        "An effect predicted to first order, by one gradient through the live pass.",
        also=("attribution patching", "AtP"),
    ),
    Word(
        "circuit",
        TOPIC,
        "A set of parts that is kept while all others in question are ablated.",
        also=("subgraph",),
    ),
    Word(
        "faithfulness",
        TOPIC,
        "The part of the metric that a circuit keeps: 0 with nothing kept, 1 with everything. It "
        "can pass 1, since parts that speak against the target are left out as well.",
        formula="(metric of the circuit − none kept) / (plain metric − none kept)",
        also=("circuit faithfulness", "performance recovered"),
    ),
    Word(
        "repaired",
        TOPIC,
        "Of a part without which less than a quarter of its direct logit is lost: later parts make "
        "up for it.",
        also=("self-repair", "hydra effect"),
    ),
    Word(
        "reversed",
        TOPIC,
        "Of a part without which the prediction moves the other way than its direct logit says.",
    ),
    Word(
        "difference",
        TOPIC,
        "How much more or less of the metric flows through a part than in what the graph is held "
        "against (another prompt, target or model, or the plain pass): the shown one's flow less "
        "the other's. Each prompt is explained towards its own answer.",
    ),
)
