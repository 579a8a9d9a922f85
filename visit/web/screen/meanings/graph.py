"""Words of the graph that is drawn."""

from __future__ import annotations

from visit.web.screen.meanings.word import Word

TOPIC = "The graph"

WORDS = (
    Word(
        "route",
        TOPIC,
        "The part of the model through which most of the metric's flow passes: residuals, "
        "attention and MLPs of every layer and position, without those that carry too little.",
        also=("information flow route",),
    ),
    Word(
        "carried",
        TOPIC,
        "The size of the flow through an edge or a node, as a part of the most that passes any "
        "depth, from 0 to 100 %. In a graph drawn by share it is the part of the traced residual "
        "that comes through it: each whole splits what it carries by the size of shares.",
    ),
    Word(
        "threshold",
        TOPIC,
        "Edges between positions that carry less than this are folded into rests when the graph is "
        "made; it is an option of a trace.",
    ),
    Word(
        "thread",
        TOPIC,
        "The residual stream of one position, drawn along its row, as wide as the flow it carries "
        "at each depth, with a junction wherever a part writes to it or is fed by it.",
    ),
    Word(
        "fold",
        TOPIC,
        "Layers in which no part is drawn, as one narrow band; a tap unfolds it.",
    ),
    Word(
        "unexplained",
        TOPIC,
        "Of all flow that enters the drawn threads, heads and attentions, signs aside, the part "
        "that comes by what is folded. Of a folded stretch the net counts, which is what one sees.",
    ),
    Word(
        "atlas",
        TOPIC,
        "A model's static readings, the same for every prompt: all memory keys and values, all "
        "attention neurons, all biases. It is made once and kept on disk.",
    ),
)
