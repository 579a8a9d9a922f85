"""What `make bench` measured, as tables and a picture.

    python benchmarks/report.py .cache/bench

Reads ``times.json`` (pytest-benchmark's), ``memory.json`` (``memory.py``'s) and ``studies.json``
(``studies.py``'s, where there is one) in that folder, prints the tables, and writes ``report.md``
and ``report.svg`` beside them. Of several rounds the fastest counts, for what else runs on a
machine only ever slows a round down.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from figures import Row, table
from memory import Peak
from memory import report as memory_table


@dataclass(frozen=True)
class Times:
    """The fastest round of every benchmark and its median, in seconds, and what it noted beside."""

    seconds: Mapping[str, float]
    medians: Mapping[str, float]
    notes: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Times:
        """From what pytest-benchmark wrote."""
        benchmarks = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
        by_name = {b["name"].removeprefix("test_"): b for b in benchmarks}
        return cls(
            seconds={name: b["stats"]["min"] for name, b in by_name.items()},
            medians={name: b["stats"]["median"] for name, b in by_name.items()},
            notes={name: b["extra_info"] for name, b in by_name.items()},
        )

    @property
    def floor(self) -> float:
        """A plain forward pass, one product, one pass of statistics."""
        return sum(self.seconds[f"floor_{part}"] for part in ("forward", "product", "statistics"))


@dataclass(frozen=True)
class Goal:
    """A ratio or a time that was set beforehand, and what came of it."""

    what: str
    wanted: str
    found: str
    is_met: bool

    def row(self) -> Row:
        """As a line of the table."""
        return self.what, self.wanted, self.found, "yes" if self.is_met else "NO"


def at_least(what: str, ratio: float, least: float) -> Goal:
    """A goal that more is better for."""
    return Goal(what, f"≥ {least:g}×", f"{ratio:.{1 if ratio >= 1 else 2}f}×", ratio >= least)


def at_most(what: str, found: float, most: float, unit: str) -> Goal:
    """A goal that less is better for."""
    return Goal(what, f"≤ {most:g}{unit}", f"{found:.3g}{unit}", found <= most)


Studies = Mapping[str, Mapping[str, float]]
"""What ``studies.py`` found, by what it measured."""


def goals(times: Times, peaks: Iterable[Peak], studies: Studies | None = None) -> list[Goal]:
    """What was asked of visit, against the figures of this very run."""
    seconds, one = times.seconds, times.seconds["one_at_a_time"]
    met = [
        at_least("VISIT's procedure / cold", one / seconds["whole_cold"], 30),
        at_least("VISIT's procedure / warm atlas", one / seconds["whole_warm"], 60),
        at_most("cold / floor", seconds["whole_cold"] / times.floor, 1.5, "×"),
        *(
            at_most(
                f"record / plain forward, {n} tokens",
                seconds[f"forward[recorded-{n}]"] / seconds[f"forward[plain-{n}]"],
                1.5,
                "×",
            )
            for n in (8, 256)
        ),
        *_of_flow(seconds),
        *_of_causes(times),
        *_of_saliency(times),
        *_of_explorables(times),
        *_of_studies(times, studies or {}),
        at_most("another target, route", seconds["route_retargeted"], 0.3, " s"),
        at_most("another target, open block", seconds["block_retargeted"], 0.3, " s"),
        at_most("opening a block", seconds["block_opened"], 0.3, " s"),
    ]
    bounds = {64: 400, 1024: 1200}
    met += [
        at_most(f"peak, {p.tokens} tokens, layers {p.layers}", p.peak_mb, bounds[p.tokens], " MB")
        for p in peaks
        if p.tokens in bounds
    ]
    return met


def _of_flow(seconds: Mapping[str, float]) -> list[Goal]:
    """What was asked of flow and outcomes, where they were measured."""
    ratios = [
        (
            f"flow / plain forward, {n} tokens",
            f"flow_of_the_whole_graph_of[{n}]",
            f"plain_forward_of[{n}]",
            2.5,
        )
        for n in (8, 256)
    ]
    ratios += [
        ("outcomes / their products", "outcomes_of_all_drawn_parts", "outcomes_floor", 1.6),
        ("graph with flow / without", "graph_with[flow]", "graph_with[plain]", 1.15),
        ("graph with effects / without", "graph_with[effects]", "graph_with[flow]", 1.6),
    ]
    return [
        at_most(what, seconds[found] / seconds[base], most, "×")
        for what, found, base, most in ratios
        if found in seconds
    ]


def _of_causes(times: Times) -> list[Goal]:
    """What was asked of scores, circuits and consensus, where they were measured."""
    seconds, met = times.seconds, list[Goal]()
    scores = "all_scores_of_a_head_in_layer[23]"
    if scores in seconds:
        met.append(at_most("all scores of a head, layer 23", 1e3 * seconds[scores], 50, " ms"))
    for where in ("traced", "all"):
        for n in (8, 64):
            curve, plain = f"circuit_curve[{where}-{n}]", f"circuit_forward[{n}]"
            if curve in seconds:
                what = f"circuit's curve / plain forward, {where}, {n} tokens"
                met.append(at_most(what, seconds[curve] / seconds[plain], 25, "×"))
    part = times.notes.get("consensus_against_its_floor", {}).get("part of floor")
    if part is not None:
        met.append(at_least("consensus: part of its floor's throughput", part, 0.5))
    return met


def _of_saliency(times: Times) -> list[Goal]:
    """What was asked of saliency, where it was measured; of 64 tokens."""
    asked = (
        ("flow_sweep", "flow / plain forward", 2.5),
        ("integrated_gradients", "integrated gradients / their own passes", 1.2),
    )
    return [
        at_most(f"{what}, {name.partition('[')[2][:-1]}, 64 tokens", notes["ratio"], most, "×")
        for start, what, most in asked
        for name, notes in times.notes.items()
        if name.startswith(f"{start}[")
    ]


def _of_explorables(times: Times) -> list[Goal]:
    """What was asked of explorables, where they were measured; of 64 tokens, the pass recorded."""
    asked = {
        "explorable[smollm2-sized-factors]": ("factors, SmolLM2's sizes", 2.0),
        "explorable[smollm2-sized-maps]": ("map of all residuals, SmolLM2's sizes", 1.0),
        "explorable[mini-factors]": ("factors, mini", 2.0),
        "explorable[mini-maps]": ("map of all residuals, mini", 1.0),
        "head_scores[smollm2-sized]": ("all head scores, SmolLM2's sizes", 1.0),
        "composition_of_all_pairs": ("composition of all pairs, GPT-2 medium's sizes", 5.0),
    }
    return [
        at_most(what, times.seconds[name], most, " s")
        for name, (what, most) in asked.items()
        if name in times.seconds
    ]


def _of_studies(times: Times, studies: Studies) -> list[Goal]:
    """What was asked of studies, where they were measured."""
    met = [
        at_least(f"survey of heads / its floor, {name.partition('[')[2][:-1]}", notes["part"], 0.7)
        for name, notes in times.notes.items()
        if name.startswith("heads_against_their_floor[")
    ]
    if "workers" in studies:
        met.append(at_least("two workers / one", studies["workers"]["ratio"], 1.7))
    if "memory" in studies:
        growth = 100 * studies["memory"]["growth"]
        met.append(at_most("memory of a study, 1,000 to 5,000 prompts", growth, 5, " % more"))
    if "report" in studies:
        seconds = studies["report"]["seconds"]
        met.append(at_most("report of 100,000 rows", seconds, 10, " s"))
    return met


def in_words(seconds: float) -> str:
    """A duration with three figures."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def report(times: Times, peaks: list[Peak], studies: Studies | None = None) -> str:
    """Every table, in Markdown."""
    one, once = times.seconds["one_at_a_time"], times.seconds["each_once"]
    rows = [
        (
            name.replace("_", " "),
            str(times.notes.get(name, {}).get("nodes", "")),
            in_words(seconds),
            in_words(times.medians[name]) if name in times.medians else "",
            *(
                f"{base / seconds:,.0f}×" if name.startswith("whole") else ""
                for base in (one, once)
            ),
        )
        for name, seconds in [*times.seconds.items(), ("floor, all three", times.floor)]
    ]
    return "\n\n".join(
        [
            "## Goals",
            table(
                ("what", "goal", "found", "met"), (g.row() for g in goals(times, peaks, studies))
            ),
            "## Times",
            table(
                (
                    "benchmark",
                    "nodes",
                    "fastest",
                    "median",
                    "VISIT's / fastest",
                    "each once / fastest",
                ),
                rows,
            ),
            "## Memory above the loaded model",
            memory_table(peaks),
        ]
    )


BARS = {
    "one_at_a_time": "VISIT, one vector at a time",
    "each_once": "each vector once",
    "floor_forward": "floor: forward",
    "floor_product": "floor: product",
    "floor_statistics": "floor: statistics",
    "whole_cold": "visit, cold",
    "whole_warm": "visit, warm atlas",
    "whole_retargeted": "visit, another target",
    "block_opened": "visit, a block opened",
    "route_retargeted": "visit, route, another target",
}


def picture(times: Times) -> str:
    """The times of a whole graph as bars on a logarithmic scale, in SVG."""
    left, width, height, low = 210, 420, 24, 1e-2
    high = 10 ** math.ceil(math.log10(max(times.seconds[name] for name in BARS)))

    def x(seconds: float) -> float:
        return left + width * math.log(max(seconds, low) / low) / math.log(high / low)

    drawn = []
    bottom = 30 + height * len(BARS)
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        at = x(10.0**power)
        drawn.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="22" y2="{bottom}" stroke="#ddd"/>')
        drawn.append(f'<text x="{at:.1f}" y="16" text-anchor="middle">{10.0**power:g} s</text>')
    for row, (name, label) in enumerate(BARS.items()):
        top, seconds = 30 + height * row, times.seconds[name]
        colour = "#2563eb" if label.startswith("visit") else "#9ca3af"
        drawn += [
            f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{left}" y="{top}" width="{x(seconds) - left:.1f}" height="{height - 6}" '
            f'fill="{colour}"/>',
            f'<text x="{x(seconds) + 6:.1f}" y="{top + 13}">{in_words(seconds)}</text>',
        ]
    size = f'width="{left + width + 80}" height="{bottom + 10}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">\n'
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def main() -> None:
    """Report on the folder that the command line names."""
    folder = Path(sys.argv[1])
    times = Times.read(folder / "times.json")
    peaks = [Peak(**peak) for peak in json.loads((folder / "memory.json").read_text())]
    of_studies = folder / "studies.json"
    studies = json.loads(of_studies.read_text()) if of_studies.exists() else None
    written = report(times, peaks, studies)
    print(written)
    (folder / "report.md").write_text(f"{written}\n", encoding="utf-8")
    (folder / "report.svg").write_text(picture(times), encoding="utf-8")


if __name__ == "__main__":
    main()
