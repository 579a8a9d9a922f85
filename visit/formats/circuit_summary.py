"""A circuit as a screenful of text: the prediction, the curve, its parts and what is missed."""

from __future__ import annotations

from collections.abc import Sequence

from visit.formats.effects_summary import describe_prediction, words_of_way
from visit.graph.circuit import Circuit, CircuitPart, Point
from visit.text import align

_N_MISSED = 5
_N_EDGES = 10
_BAR = 20
"""Letters of a faithfulness of 1."""


def text_from_circuit(circuit: Circuit, count: int) -> str:
    """The summary, ending in a line end. Every token is shown by ``visible``, never as it is.

    Args:
        circuit: What was found.
        count: How many kept parts to list, the strongest first.
    """
    blocks = [
        [*describe_prediction(circuit), *_said(circuit)],
        _curve(circuit),
        _kept(circuit, count),
        _left_out(circuit),
        _edges(circuit),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _said(circuit: Circuit) -> list[str]:
    chosen, complement = circuit.chosen, circuit.complement
    return [
        f"   {chosen.size} of {len(circuit.parts)} parts kept, all others "
        f"{words_of_way(circuit.how)}: faithfulness {_number(chosen.faithfulness)}",
        f"   the other way round, these ablated and all others kept: "
        f"{_number(complement.faithfulness)}",
    ]


def _curve(circuit: Circuit) -> list[str]:
    kind = circuit.metric.kind.value.replace("_", " ")
    header = ("", "", "kept", "faithfulness", kind, "")
    sizes = {point.size for point in circuit.curve}
    points = [*circuit.curve, *([] if circuit.chosen.size in sizes else [circuit.chosen])]
    rows = [_point(point, circuit) for point in sorted(points, key=lambda one: one.size)]
    return ["faithfulness over size", *align([header, *rows], numeric={2, 3, 4})]


def _point(point: Point, circuit: Circuit) -> tuple[str, ...]:
    part = min(max(point.faithfulness, 0.0), 2.0)
    mark = "→" if point == circuit.chosen else ""
    numbers = (str(point.size), _number(point.faithfulness), f"{point.metric:+.3f}")
    return ("", mark, *numbers, "█" * round(_BAR * part))


def _kept(circuit: Circuit, count: int) -> list[str]:
    kept = circuit.kept[:count]
    title = (
        f"kept, by {circuit.by}: what each changes alone, and of the faithfulness if ablated too"
    )
    if len(circuit.kept) > len(kept):
        title += f" (the {len(kept)} strongest of {len(circuit.kept)})"
    return _table(title, circuit, kept, "") if kept else ["nothing is kept"]


def _left_out(circuit: Circuit) -> list[str]:
    """The parts that are missed most, and those that take over most once the circuit is gone."""
    left_out = [part for part in circuit.parts if not part.kept]
    missed = [part for part in left_out if part.is_missed]
    backups = [part for part in left_out if part.backup is not None and part.backup > 0.01]
    missed.sort(key=lambda part: -(part.change or 0.0))
    backups.sort(key=lambda part: -(part.backup or 0.0))
    chosen = list(dict.fromkeys((*missed[:_N_MISSED], *backups[:_N_MISSED])))
    title = (
        "left out; change: when it is kept as well; backup: what more it holds without the circuit"
    )
    return _table(title, circuit, chosen, "backup") if chosen else []


def _table(title: str, circuit: Circuit, parts: Sequence[CircuitPart], last: str) -> list[str]:
    header = ("", "site", circuit.by.value, "change", last, "")
    rows = [
        (
            "",
            str(part.site),
            f"{part.score:+.3f}",
            "" if part.change is None else f"{part.change:+.2f}",
            "" if part.backup is None else f"{part.backup:+.2f}",
            "not needed" if part.is_idle else "missed" if part.is_missed else "",
        )
        for part in parts
    ]
    return [title, *align([header, *rows], numeric={2, 3, 4})]


def _edges(circuit: Circuit) -> list[str]:
    listed = circuit.edges[:_N_EDGES]
    if not listed:
        return []
    title = "flow from kept part to kept part, patterns held"
    if len(circuit.edges) > len(listed):
        title += f" (the {len(listed)} strongest of {len(circuit.edges)})"
    rows = [("", str(edge.source), "→", str(edge.target), f"{edge.flow:+.3f}") for edge in listed]
    return [title, *align(rows, numeric={4})]


def _number(value: float) -> str:
    return f"{value:.2f}"
