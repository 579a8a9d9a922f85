"""What differs between two flow graphs as a screenful of text: the sides, and a table."""

from __future__ import annotations

from visit.graph.alignment import AlignedBy
from visit.graph.compare import Difference, Held, NodeDifference, Side
from visit.text import align, join_neighbours, one_line, shorten, visible

_LONGEST_TOKEN = 18
_LONGEST_PROMPT = 300
_MOST_FIRST = 6


def text_from_difference(difference: Difference, count: int, measure: str = "flow") -> str:
    """The summary, ending in a line end. Every token is shown by ``visible``, never as it is.

    Args:
        difference: What was compared.
        count: How many parts to list, those that differ most first.
        measure: By what they are ranked: one of ``visit.graph.compare.MEASURES``.
    """
    blocks = [_sides(difference), _table(difference, count, measure)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _sides(difference: Difference) -> list[str]:
    sides = (difference.first, difference.second)
    lines = [line for letter, side in zip("AB", sides, strict=True) for line in _side(letter, side)]
    alignment = difference.alignment
    if alignment.by is AlignedBy.POSITION:
        return [*lines, "tokens side by side, position by position", *_first_apart(difference)]
    n_both = sum(c.first is not None and c.second is not None for c in alignment.columns)
    return [
        *lines,
        f"tokens along their longest common sequence: {n_both} of {len(alignment.columns)} places "
        "are in both",
    ]


def _first_apart(difference: Difference) -> list[str]:
    """Where the two begin to differ: of two models, or of a plain and a changed pass."""
    names = [name_part(difference, one) for one in difference.first_apart]
    if not names:
        return []
    listed = ", ".join(names[:_MOST_FIRST])
    more = f" and {len(names) - _MOST_FIRST} more" if len(names) > _MOST_FIRST else ""
    return [f"the first to write something else: {listed}{more}"]


def _side(letter: str, side: Side) -> list[str]:
    prompt = one_line(join_neighbours([token.text for token in side.tokens[: side.position + 1]]))
    against = "" if side.versus is None else f" rather than {visible(side.versus.text)}"
    changed = side.request.interventions
    off = f"; changed: {', '.join(changed)}" if changed else ""
    return [
        f"{letter}  {shorten(prompt, _LONGEST_PROMPT)}",
        f"   → {visible(side.target.text)}{against}  probability {side.target.prob:.3f}, rank "
        f"{side.target.rank}; {side.metric.kind.value} {side.metric.value:+.3f}; "
        f"{one_line(side.model.name)}{off}",
    ]


def _table(difference: Difference, count: int, measure: str) -> list[str]:
    parts = difference.parts(measure)
    listed = parts[:count]
    of = f"the {len(listed)} of {len(parts)} parts" if len(parts) > len(listed) else "the parts"
    title = f"{of} that differ most by {measure.replace('_', ' ')}, B less A"
    header = ("", "part", "flow A", "flow B", "Δ flow", "Δ direct", "Δ effect", "Δ share",
              "Δ norm", "", "A: B")  # fmt: skip
    rows = [_row(difference, one) for one in listed]
    return [title, *align([header, *rows], numeric=set(range(2, 9)))]


def _row(difference: Difference, one: NodeDifference) -> tuple[str, ...]:
    moved = one.differences
    words = (
        "—" if side is None or side.word is None else shorten(visible(side.word), _LONGEST_TOKEN)
        for side in (one.first, one.second)
    )
    return (
        "",
        name_part(difference, one),
        *(_signed(None if side is None else side.flow) for side in (one.first, one.second)),
        *(_signed(moved.get(n)) for n in ("flow", "direct_logit", "effect", "share", "norm")),
        {Held.BOTH: "", Held.FIRST: "only in A", Held.SECOND: "only in B"}[one.held],
        ": ".join(words),
    )


def name_part(difference: Difference, one: NodeDifference) -> str:
    """A part by its id, without a position that is the traced one."""
    name = str(one.id).replace(".value@", "@")
    if one.id.position == difference.column:
        return name.removesuffix(f"@{one.id.position}")
    return name


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"
