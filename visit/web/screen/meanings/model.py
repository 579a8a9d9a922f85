"""Words of the parts of a model."""

from __future__ import annotations

from visit.web.screen.meanings.word import Word

TOPIC = "Parts of the model"

WORDS = (
    Word(
        "residual",
        TOPIC,
        "The hidden state of one position at one depth: a vector that every layer reads, and adds "
        "to. It is shown as it enters a layer, between attention and MLP, and as it leaves.",
        "after = before + attention + MLP",
        also=("hidden state", "HS", "residual stream"),
    ),
    Word(
        "embedding",
        TOPIC,
        "The vector that a token of the prompt begins with, before the first layer; it holds the "
        "position too, where a model adds one. It is the first residual of its position.",
        also=("token embedding",),
    ),
    Word(
        "position",
        TOPIC,
        "A place in the prompt, counted from 0. The traced position is the one whose next token "
        "is explained: the last one, unless another is chosen.",
        also=("token position",),
    ),
    Word(
        "attention",
        TOPIC,
        "What moves information between positions: all heads of a layer together. As a number, "
        "the weight that a head gives to a source, from 0 to 1; over all sources of a head the "
        "weights add up to 1.",
        "softmax(q · k / √d_head)",
        also=("self-attention", "attention pattern", "attention weight"),
    ),
    Word(
        "head",
        TOPIC,
        "The output of one attention head at one position: the values of the sources it reads, "
        "mixed by its attention and written into the residual.",
        "Σ over sources: attention · v · W_O",
        also=("attention head",),
    ),
    Word(
        "source",
        TOPIC,
        "A position that a head reads from: its own, or one before it.",
        also=("key position", "source position"),
    ),
    Word(
        "query",
        TOPIC,
        "What a head looks for, as a direction in the residual space. The more of it a source "
        "holds, the higher the score that the head gives to that source.",
        "W_K · q",
        also=("q", "QK circuit"),
    ),
    Word(
        "key",
        TOPIC,
        "The direction in the residual space by which a source can be found: what it offers to a "
        "head's query. The key of a memory is a column of W_in: what the memory responds to.",
        "W_Q · k",
        also=("k", "QK circuit"),
    ),
    Word(
        "value",
        TOPIC,
        "What a head would write if it read this one source and no other. The value of a memory is "
        "a row of W_out: what the memory adds when it is active.",
        "v · W_O",
        also=("v", "OV circuit"),
    ),
    Word(
        "attention neuron",
        TOPIC,
        "One row of W_O, the matrix by which attention writes into the residual. The row is the "
        "same for every prompt; its activation says how much of it is added.",
        also=("row of W_O",),
    ),
    Word(
        "MLP",
        TOPIC,
        "The part of a layer that works on every position by itself: all its memories together, "
        "and a bias.",
        "Σ over memories: activation · value",
        also=("feed-forward layer", "FFN"),
    ),
    Word(
        "memory",
        TOPIC,
        "One neuron of an MLP. Its key says when it is active, its value says what it then adds to "
        "the residual.",
        "activation · W_out[row]",
        also=("MLP neuron", "key-value memory"),
    ),
    Word(
        "expert",
        TOPIC,
        "One of the MLPs that a layer chooses from at every position. Shown is its output here, "
        "times its routing weight. A shared expert is used at every position without being chosen. "
        "Experts are shown whole, not opened into memories.",
        "weight · expert(ln2)",
    ),
    Word(
        "mixture of experts",
        TOPIC,
        "A layer with many MLPs in place of one. A router sends each position to a few of them, "
        "and what they write is added up by weight; the others write nothing there.",
        "Σ over routed experts: weight · expert(ln2)",
        also=("MoE",),
    ),
    Word(
        "routing weight",
        TOPIC,
        "How much of an expert's output is added at this position, from 0 to 1: what the router "
        "gave the expert, in some models made to add up to 1 over those chosen. A shared expert's "
        "comes from a gate of its own.",
        "softmax(router(ln2)), the largest few",
        also=("router probability", "gate"),
    ),
    Word(
        "activation",
        TOPIC,
        "The signed number that a memory's value, or an attention neuron's row, is multiplied by "
        "at this position. Where it is negative the row is read with its sign turned, since that "
        "is what is added.",
        also=("neuron activation", "memory coefficient"),
    ),
    Word(
        "bias",
        TOPIC,
        "A constant vector that attention or an MLP adds, whatever the prompt is. It is a part in "
        "the ledger like any other.",
    ),
    Word(
        "norm",
        TOPIC,
        "Of a vector: its L2 length. As a part of the model: the LayerNorm or RMSNorm through "
        "which a residual is read, two in a layer and one before the vocabulary.",
        "‖x‖₂ = √Σ xᵢ²",
        also=("LayerNorm", "RMSNorm"),
    ),
)
