"""Reports made by hand, with plausible numbers, of two models."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from visit.graph.flow import ModelInfo
from visit.graph.studied.figure import Figure, Line, Report
from visit.studies.drawing import bars_figure, line, lines_figure, map_figure, share_in_words

HOSTILE = "</script><img src=x onerror=alert(1)> <b>%{x} $y$ &amp;"
MODEL = ModelInfo(
    name="gpt2-medium", family="gpt2", dtype="float32", weights_sha256="9c5a1d0be7f344cc8a" * 3,
    n_layers=24, n_heads=16, n_kv_heads=16, d_model=1024, d_head=64, d_mlp=4096, d_vocab=50257,
    revision="6dcaa7a952f72f9298047fd5137cd6e4f05f41da",
)  # fmt: skip
OTHER = replace(MODEL, name="gpt2-xl", n_layers=48, n_heads=25, weights_sha256="41b0ff23aa" * 6)
N = 200


def make_report(model: ModelInfo = MODEL, seed: int = 0) -> Report:
    """Four figures and a hostile one, over as many layers as the model has."""
    rng = np.random.default_rng(seed)
    n_layers = model.n_layers
    depth = np.linspace(0, 1, n_layers)
    bent = 0.02 + 0.3 * depth**2 * (depth < 0.9) + 0.12 * (depth >= 0.9)
    with_output = line("with W_O", rng.beta(2, 2 / bent - 2, (N, n_layers)), within=(0, 1))
    without = line("without W_O", rng.beta(2, 400, (N, n_layers)), within=(0, 1))
    best = max(range(n_layers), key=lambda layer: with_output.mean[layer] or 0.0)
    ranks = rng.beta(2, 30 * np.arange(1, 9), (N, 8))
    scores = rng.normal(np.sin(np.arange(16)[:, None]) * depth, 1.0, (N, 16, n_layers))
    scores[:, 3, :4] = math.nan
    words = [" the", ",", " of", " and", " a", "\n", " Washington", HOSTILE]
    lost = rng.normal(-np.linspace(4, 0.2, 8), 2.0, (N, 8))
    control = rng.normal(0, 1.0, (N, 8))
    figures: tuple[Figure, ...] = (
        lines_figure(
            "heads-and-block",
            "Do heads say what their block says?",
            f"With W_O a head shares {share_in_words(with_output, best)} of the block's 50 words "
            f"in layer {best}, the most of all; without it {share_in_words(without, best)}.",
            [with_output, without],
            x_title="layer",
            y_title="part of the 50 words shared",
            n=N,
            expected="none without W_O; with it more the deeper, less in the last layers.",
        ),
        bars_figure(
            "ranks",
            "Which heads share the block's words?",
            "The head with the largest norm shares the most; from the fourth on they share "
            "less than 2 %.",
            [line("heads by norm", ranks, within=(0, 1))],
            x_title="rank of the head's norm",
            y_title="part of the 50 words shared",
            x=range(1, 9),
            n=N,
            expected="only the one to three largest share them.",
        ),
        map_figure(
            "flow",
            "How much flow passes through each head",
            "Heads 1, 2 and 7 to 9 speak for the target in late layers, and heads 4 and 5 against.",
            scores,
            [f"head {head}" for head in range(16)],
            x_title="layer",
            y_title="flow, logits",
            n=N,
        ),
        bars_figure(
            "tokens",
            "Which tokens does the norm take from?",
            "Function words lose the most; random vectors of the same norm lose nothing.",
            [line("ln1", lost), line("random vectors", control)],
            x_title="token",
            y_title="change of probability, points",
            x=words,
            n=N,
        ),
        Figure(
            "hostile",
            HOSTILE,
            HOSTILE,
            lines_figure("", "", "", [], x_title="", y_title="", n=0).kind,
            HOSTILE,
            HOSTILE,
            (0, 1, 2, 3),
            (
                Line(
                    HOSTILE, (0.5, None, 0.4, 0.3), (0.4, None, 0.2, 0.1), (0.6, None, 0.5, 0.4), 7
                ),
                Line("told without an interval", (0.1, 0.2, 0.3, -0.4), n=7),
            ),
            7,
            expected=HOSTILE,
        ),
    )
    return Report(
        study="heads",
        version=1,
        title="What heads say, and what their block says",
        summary="Whether attention heads promote the words that the whole block promotes, by "
        "layer, and which of them do.",
        visit_version="0.9.0",
        model=model,
        prompts="known_1000.json",
        n=N,
        n_failed=3,
        n_left=1006,
        options={"k": 50, "dtype": "float32", "seed": 0},
        command=f"visit study run heads --model {model.name} --prompts known_1000.json -o heads/",
        figures=figures,
    )
