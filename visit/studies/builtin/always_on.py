"""Memories that are always on: VISIT's third finding, and what removing them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visit.engine.options import option
from visit.engine.progress import Progress, part_of, silent
from visit.engine.protocol import Engine
from visit.engine.surveys import (
    CONDITIONS,
    ReadMemories,
    SurveyActivations,
    SurveyRemoval,
    pairs_from,
)
from visit.errors import RequestError
from visit.graph.request import Count, CountFromOne, PartOfOne
from visit.graph.studied.columns import Array, Surveyed
from visit.graph.studied.figure import Figure, Line
from visit.graph.studied.intervals import Interval, mean_interval
from visit.studies.builtin.of_survey import ask
from visit.studies.drawing import (
    bars_figure,
    line,
    line_from_interval,
    lines_figure,
    number_in_words,
    share_in_words,
)
from visit.studies.rows import Prepared, Rows
from visit.studies.study import Prompt, Study
from visit.text import counted

_AT_ONCE = 32
_SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class AlwaysOn(Study):
    """Which memories are always on, and what they do.

    Attributes:
        strongest: How many memories of a layer count as active on a prompt.
        often: On which part of the sample a memory is active that is always on.
        sample: How many prompts they are found on; all others are the test.
        seed: Of the sample, and of the memories to compare with.
    """

    name = "always-on"
    version = 1
    title = "Memories that are always on"
    summary = (
        "Which memories are among the strongest of their layer on nearly every prompt, what they "
        "say, and what the prediction is with them held at zero or at their mean, against as many "
        "others of the same layers."
    )

    strongest: CountFromOne = option(
        100, "Strongest", "how many memories of a layer count as active on a prompt"
    )
    often: PartOfOne = option(
        0.85, "Often", "on which part of the sample a memory is active that is always on"
    )
    sample: CountFromOne = option(200, "Sample", "how many prompts they are found on")
    seed: Count = option(0, "Seed", "of the sample, and of the memories to compare with")

    def prepare(
        self, engine: Engine, prompts: Sequence[Prompt], progress: Progress = silent
    ) -> Prepared:
        """The memories that are always on in a sample, their means, and others to compare with."""
        generator = np.random.default_rng(self.seed)
        n_sampled = min(self.sample, max(1, len(prompts) // 2))
        sampled = sorted(generator.choice(len(prompts), n_sampled, replace=False).tolist())
        often, mean, read = self._count(engine, [prompts[at] for at in sampled], progress)
        memories = [tuple(one) for one in np.argwhere(often >= self.often).tolist()]
        others = _draw_others(often, memories, generator)
        words = [engine.ask(ReadMemories.of(some)) if some else () for some in (memories, others)]
        return {
            "sampled": [prompts[sampled[place]].id for place in read],
            "n_memories": list(often.shape),
            "memories": [list(one) for one in memories],
            "others": [list(one) for one in others],
            "often": [float(often[one]) for one in memories],
            "most_often": often.max(1).tolist(),
            "means": [float(mean[one]) for one in memories],
            "other_means": [float(mean[one]) for one in others],
            "entropy": [[one.entropy for one in some] for some in words],
            "norm": [[one.norm for one in some] for some in words],
            "words": [list(one.words) for one in words[0]],
        }

    def _count(
        self, engine: Engine, prompts: Sequence[Prompt], progress: Progress
    ) -> tuple[Array, Array, list[int]]:
        """On which part of some prompts each memory is active, and its mean over all positions.

        Returns:
            Both, and the places of the prompts that could be measured.
        """
        active: Array = np.zeros(())
        total: Array = np.zeros(())
        read: list[int] = []
        for at in range(0, len(prompts), _AT_ONCE):
            part = part_of(progress, at / len(prompts), min(1.0, (at + _AT_ONCE) / len(prompts)))
            found = ask(engine, SurveyActivations, prompts[at : at + _AT_ONCE], part)
            if not found.places:
                continue
            activation = found.values["activation"].astype(np.float64)
            read += [at + place for place in found.places]
            count = min(self.strongest, activation.shape[-1])
            least = np.sort(np.abs(activation), axis=-1)[..., -count, None]
            active = active + (np.abs(activation) >= least).sum(0)
            total = total + found.values["mean"].astype(np.float64).sum(0)
        if not read:  # the reason of the first stands for all
            raise RequestError(f"no prompt of the sample can be measured: {found.failed[0].reason}")
        return active / len(read), total / len(read), read

    def measure(
        self,
        engine: Engine,
        prompts: Sequence[Prompt],
        prepared: Prepared,
        progress: Progress = silent,
    ) -> Surveyed:
        """How many of them are active on each prompt, and what the model says without them."""
        return ask(
            engine, SurveyRemoval, prompts, progress,
            memories=pairs_from(prepared["memories"]), means=tuple(prepared["means"]),
            others=pairs_from(prepared["others"]), other_means=tuple(prepared["other_means"]),
            strongest=self.strongest,
        )  # fmt: skip

    def report(self, rows: Rows) -> Sequence[Figure]:
        """Where they are, how often they are on, what they say, and what removing them does."""
        tested = _tested(rows)
        figures = [_where(rows, tested, self.often), _peaks(rows)]
        if rows.prepared["memories"]:
            figures += [_kept(rows, tested), _said(rows), _norms(rows)]
            figures += [_removed(rows, tested, *one) for one in _MEASURES]
        return figures


_MEASURES = (
    ("text_loss", "Surprise at the prompt's own tokens", "loss", "nats"),
    ("loss", "Surprise at the right answer", "loss", "nats"),
    ("entropy", "Entropy of the next token", "entropy", "bits"),
    ("confidence", "Confidence in the likeliest token", "probability", ""),
)


def _tested(rows: Rows) -> Array:
    """Which prompts are not in the sample; all, where the sample is all there is."""
    unseen: Array = ~np.isin(rows.ids, rows.prepared["sampled"])
    return unseen if unseen.any() else np.ones(len(rows), bool)


def _whose(rows: Rows) -> str:
    """What the prompts are that figures are over."""
    unseen = ~np.isin(rows.ids, rows.prepared["sampled"])
    return "prompts not in the sample" if unseen.any() else "prompts, all of the sample"


def _draw_others(
    often: Array, memories: Sequence[tuple[int, ...]], generator: np.random.Generator
) -> list[tuple[int, ...]]:
    """As many other memories of the same layers, drawn at random."""
    drawn: list[tuple[int, ...]] = []
    for layer in range(often.shape[0]):
        own = {number for at, number in memories if at == layer}
        free = [number for number in range(often.shape[1]) if number not in own]
        count = min(len(own), len(free))
        drawn += [(layer, int(one)) for one in generator.choice(free, count, replace=False)]
    return drawn


def _by_layer(rows: Rows) -> list[float]:
    n_layers = rows.prepared["n_memories"][0]
    counts = [0.0] * n_layers
    for layer, _ in rows.prepared["memories"]:
        counts[layer] += 1
    return counts


def _chance(rows: Rows) -> float:
    """How often a memory is among the strongest, were all alike."""
    n_memories = int(rows.prepared["n_memories"][1])
    return min(1.0, float(rows.options["strongest"]) / n_memories)


def _where(rows: Rows, tested: Array, often: float) -> Figure:
    on = rows["n_on"][tested]
    counts = _by_layer(rows)
    n_tested = int(tested.sum())
    by_chance = tuple(1.0 - (1.0 - _chance(rows)) ** count for count in counts)
    lines = [
        line("at least one of the layer's is active", (on > 0).astype(float), within=_SHARE),
        Line("at least one of as many, were all memories alike", by_chance, n=n_tested),
    ]
    n, n_all = int(sum(counts)), int(np.prod(rows.prepared["n_memories"]))
    with_any = [layer for layer, count in enumerate(counts) if count]
    says = (
        f"{n:,} of {n_all:,} memories are among the {rows.options['strongest']} strongest of their "
        f"layer on {often:.0%} of the {len(rows.prepared['sampled']):,} sampled prompts or more"
    ).replace("%", " %")
    if with_any:
        at = max(with_any, key=lambda layer: counts[layer])
        says += (
            f", in {counted(len(with_any), 'layer')}. Layer {at} has most, {counts[at]:.0f}; at "
            f"least one of these is active on {share_in_words(lines[0], at)} of the {_whose(rows)}"
        )
    says += "."
    return lines_figure(
        "where", "Where memories are always on", says, lines, x_title="layer",
        y_title=f"part of {_whose(rows)}", n=n_tested,
        expected="that in the last quarter of GPT-2 medium's layers at least one is present on "
        "more than 85 % of prompts (section 5.3, figure 8)",
    )  # fmt: skip


def _peaks(rows: Rows) -> Figure:
    most = tuple(rows.prepared["most_often"])
    chance = _chance(rows)
    n = len(rows.prepared["sampled"])
    lines = [
        Line("the layer's most frequent memory", most, n=n),
        Line("a memory, were all alike", (chance,) * len(most), n=n),
    ]
    at = int(np.argmax(most))
    says = (
        f"Were all memories alike, each would be active on {100 * chance:.1f} % of prompts; the "
        f"most frequent one of all, in layer {at}, is on {100 * most[at]:.1f} %."
    )
    return lines_figure(
        "peaks", "The most frequent memory of each layer, against chance", says, lines,
        x_title="layer", y_title="part of the sampled prompts", n=n,
    )  # fmt: skip


def _kept(rows: Rows, tested: Array) -> Figure:
    counts = np.array(_by_layer(rows))
    there = counts > 0
    part = rows["n_on"][tested][:, there] / counts[there]
    layers = [str(layer) for layer in np.flatnonzero(there)]
    found = line("those always on in the sample", part, within=_SHARE)
    overall = line("all", (rows["n_on"][tested].sum(1) / counts.sum())[:, None], within=_SHARE)
    says = (
        f"On {_whose(rows)}, {share_in_words(overall, 0)} of the memories that are always on are "
        "active at once."
    )
    return bars_figure(
        "kept", "Whether they are on for other prompts too", says, [found], x_title="layer",
        y_title="part of the layer's that are active", n=int(tested.sum()), x=layers,
    )  # fmt: skip


_NAMES = ("always on", "others of the same layers")


def _of_memories(rows: Rows, what: str) -> Line:
    """The mean over the memories that are always on, and over others."""
    found = [mean_interval(np.array(one, float)[:, None]) for one in rows.prepared[what]]
    parts = ([getattr(one, part) for one in found] for part in ("mean", "low", "high", "n"))
    return line_from_interval(what, Interval(*map(np.concatenate, parts)))


def _said(rows: Rows) -> Figure:
    found = _of_memories(rows, "entropy")
    order = np.argsort([-one for one in rows.prepared["often"]], kind="stable")[:3]
    said = "; ".join(
        f"{layer}.{number} {', '.join(repr(word) for word in rows.prepared['words'][at][:3])}"
        for at in order.tolist()
        for layer, number in [rows.prepared["memories"][at]]
    )
    says = (
        f"Read by the lens, their values have an entropy of {number_in_words(found, 0)} bits, "
        f"others of the same layers {number_in_words(found, 1)}. The first words of the most "
        f"frequent (layer.memory): {said}."
    )
    return bars_figure(
        "said", "What they say", says, [found], x_title="memories", y_title="entropy (bits)",
        n=found.n, x=_NAMES, of="memory",
        expected="higher entropy and function words (section 5.3, figure 9)",
    )  # fmt: skip


def _norms(rows: Rows) -> Figure:
    found = _of_memories(rows, "norm")
    says = (
        f"Their values have a mean norm of {number_in_words(found, 0)}, others of the same layers "
        f"{number_in_words(found, 1)}."
    )
    return bars_figure(
        "norm", "How long their values are", says, [found], x_title="memories",
        y_title="norm of the value", n=found.n, x=_NAMES, of="memory",
        expected="a high norm (section 5.3, figure 9)",
    )  # fmt: skip


def _removed(
    rows: Rows, tested: Array, measure: str, title: str, changes: str, unit: str
) -> Figure:
    values = rows[measure][tested]
    found = line("change", values[:, 1:] - values[:, :1])
    at = {name: place for place, name in enumerate(CONDITIONS[1:])}
    said = {name: number_in_words(found, place, 3) for name, place in at.items()}
    end = f" {unit}" if unit else ""
    says = (
        f"Held at zero, they change the {changes} by {said['zero']}{end}, as many others of the "
        f"same layers by {said['others zero']}; held at their means, they change it by "
        f"{said['mean']}, others by {said['others mean']}."
    )
    return bars_figure(
        measure.replace("_", "-"), f"{title} without them", says, [found],
        x_title="memories held", y_title=f"change of {changes}" + (f" ({unit})" if unit else ""),
        n=found.n, x=["at zero", "at their means", "others at zero", "others at their means"],
        expected="nothing here: that they regularise (section 5.3) was never tested",
    )  # fmt: skip
